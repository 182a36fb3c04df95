/*
 * A stage of a pipeline: copies everything from one channel to another in chunks of sizes of its own, with some work for each chunk, so that every
 * stage has another speed. Usage: copy IN OUT SEED.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned state;

static unsigned next(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

int main(int argc, char **argv)
{
    static unsigned char buffer[1 << 17];
    int in = open(argv[1], O_RDONLY), out = open(argv[2], O_WRONLY);
    unsigned long total = 0, sum = 0;

    if (argc != 4 || in < 0 || out < 0) {
        fprintf(stderr, "%s: cannot open its channels\n", argv[0]);
        return 2;
    }
    state = (unsigned)atoi(argv[3]);
    for (;;) {
        size_t wanted = next() % sizeof buffer + 1;
        ssize_t got = read(in, buffer, wanted);

        if (got < 0)
            return 3;
        for (ssize_t i = 0; i < got; i++)
            sum = sum * 31 + buffer[i];
        for (ssize_t at = 0; at < got;) {
            size_t piece = next() % 70000 + 1;
            ssize_t put = write(out, buffer + at, piece < (size_t)(got - at) ? piece : (size_t)(got - at));

            if (put < 0)
                return 4;
            at += put;
        }
        total += (unsigned long)got;
        if ((size_t)got < wanted)
            break;
    }
    printf("%s copied %lu bytes, sum %016lx\n", argv[0], total, sum);
    return 0;
}
