/*
 * Teardown torture: reads from and writes to peers in an order, in amounts and up to an end that SEED decides; one in FAIL ends with status 9.
 * Buffers of any fixed size would lock this network up sooner or later: a writer waits for a reader that waits for another writer. Usage: torture SEED FAIL.
 */
#include "peers.h"

static unsigned state;

static unsigned next(unsigned below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

int main(int argc, char **argv)
{
    static char buffer[1 << 16];
    int in[PEERS_MAX], out[PEERS_MAX], ins = 0, outs = 0;
    const char *const groups[] = { "first", "second", "third" };
    unsigned long read_bytes = 0, written = 0;

    if (argc != 3)
        die("usage: torture SEED FAIL");
    state = (unsigned)atoi(argv[1]) * 2654435761u + 12345u;
    for (int i = 0; i < 3; i++) {
        ins += peers_open("/dev/in", groups[i], in + ins);
        outs += peers_open("/dev/out", groups[i], out + outs);
    }
    for (unsigned turns = next(60); turns > 0; turns--) {
        if (ins > 0 && next(2)) {
            ssize_t got = read(in[next((unsigned)ins)], buffer, next(sizeof buffer) + 1);

            read_bytes += got > 0 ? (unsigned long)got : 0;
        }
        if (outs > 0) {
            size_t length = next(sizeof buffer) + 1;

            put(out[next((unsigned)outs)], buffer, length);
            written += length;
        }
    }
    printf("%s read %lu and wrote %lu\n", argv[0], read_bytes, written);
    fflush(stdout);
    return atoi(argv[2]) > 0 && next((unsigned)atoi(argv[2])) == 0 ? 9 : 0;
}
