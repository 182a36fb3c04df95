/*
 * Group-by, mapper: makes ROWS rows of key and value from SEED, adds them up by key, and sends every reducer the sums and counts of its keys.
 * Usage: group-map ROWS KEYS SEED.
 */
#include <stdint.h>
#include "peers.h"

struct sum { uint32_t key, count; int64_t total; };

int main(int argc, char **argv)
{
    int fds[PEERS_MAX], reducers = peers_open("/dev/out", "reduce", fds);
    long rows = argc == 4 ? atol(argv[1]) : 0, keys = argc == 4 ? atol(argv[2]) : 0;
    uint64_t state = argc == 4 ? (uint64_t)atol(argv[3]) + 1 : 0;
    struct sum *sums = calloc((size_t)keys + 1, sizeof *sums);

    if (argc != 4 || reducers == 0 || sums == NULL)
        die("usage: group-map ROWS KEYS SEED");
    for (long row = 0; row < rows; row++) {
        state = state * 6364136223846793005ul + 1442695040888963407ul;
        uint32_t key = (uint32_t)(state >> 33) % (uint32_t)keys;

        sums[key].count++;
        sums[key].total += (int64_t)(state >> 40 & 0xffff) - 0x8000;
    }
    for (long key = 0; key < keys; key++) {
        sums[key].key = (uint32_t)key;
        if (sums[key].count > 0)
            put(fds[key % reducers], &sums[key], sizeof *sums);
    }
    return 0;
}
