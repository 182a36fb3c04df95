/*
 * Group-by, reducer: adds up what the mappers found and writes "KEY COUNT SUM" in the order of the keys to /dev/out/groups. Usage: group-reduce KEYS.
 */
#include <stdint.h>
#include "peers.h"

struct sum { uint32_t key, count; int64_t total; };

int main(int argc, char **argv)
{
    int fds[PEERS_MAX], mappers = peers_open("/dev/in", "map", fds);
    long keys = argc == 2 ? atol(argv[1]) : 0;
    struct sum *sums = calloc((size_t)keys + 1, sizeof *sums), one;
    FILE *out = fopen("/dev/out/groups", "w");

    if (argc != 2 || mappers == 0 || sums == NULL || out == NULL)
        die("usage: group-reduce KEYS");
    for (int i = 0; i < mappers; i++)
        while (get(fds[i], &one, sizeof one)) {
            sums[one.key].count += one.count;
            sums[one.key].total += one.total;
        }
    for (long key = 0; key < keys; key++)
        if (sums[key].count > 0)
            fprintf(out, "%ld %u %ld\n", key, sums[key].count, sums[key].total);
    return fclose(out) == 0 ? 0 : 2;
}
