/*
 * Sort of records, reducer: takes its range from all mappers, sorts it by key, then by the rest, and writes it to /dev/out/sorted.
 */
#include "peers.h"

#define RECORD 100

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, RECORD);
}

int main(void)
{
    int fds[PEERS_MAX], mappers = peers_open("/dev/in", "map", fds), out = open("/dev/out/sorted", O_WRONLY);
    size_t used = 0, room = 1 << 20;
    char *records = malloc(room);

    if (records == NULL || out < 0 || mappers == 0)
        die("a channel is missing");
    for (int i = 0; i < mappers; i++) {
        ssize_t got;

        do {
            if (room - used < 1 << 19 && (records = realloc(records, room *= 2)) == NULL)
                die("out of memory");
            got = read(fds[i], records + used, 1 << 18);
            if (got < 0)
                die("cannot read from a mapper");
            used += (size_t)got;
        } while (got > 0);
    }
    if (used % RECORD != 0)
        die("a record is cut");
    qsort(records, used / RECORD, RECORD, by_key);
    put(out, records, used);
    return 0;
}
