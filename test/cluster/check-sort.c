/*
 * Checks the outputs of examples/cluster/sort.yaml and shares no line with it: the files, one behind the other, hold 32-bit numbers in order, and the
 * very numbers that COUNT, SOURCES and the generator's constants say, however often each: count, sum and two sums of mixed numbers are those of the numbers
 * made here. Prints the count and the largest file's. Usage: check-sort COUNT SOURCES FILE...
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct many { uint64_t count, sum, mixed[2]; };

static uint64_t mix(uint64_t x, uint64_t by)
{
    x = (x + by) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

static void add(struct many *set, uint32_t number)
{
    set->count++;
    set->sum += number;
    set->mixed[0] += mix(number, 0x243f6a8885a308d3u);
    set->mixed[1] += mix(number, 0x13198a2e03707344u);
}

int main(int argc, char **argv)
{
    static uint32_t block[1 << 16];
    struct many made = { 0 }, found = { 0 };
    uint64_t count = strtoull(argv[1], NULL, 10), sources = strtoull(argv[2], NULL, 10), largest = 0;
    uint32_t last = 0;

    for (uint64_t source = 0; source < sources; source++) {
        uint64_t state = source * 11400714819323198485u + 1;

        for (uint64_t turn = 0; turn < count; turn++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            add(&made, turn % 3 == 0 ? (uint32_t)(state >> 35) : (uint32_t)(state >> 32));
        }
    }
    for (int file = 3; file < argc; file++) {
        FILE *in = fopen(argv[file], "rb");
        uint64_t before = found.count;
        size_t got;

        if (in == NULL)
            return perror(argv[file]), 2;
        while ((got = fread(block, 1, sizeof block, in)) > 0) {
            if (got % 4 != 0)
                return fprintf(stderr, "%s ends within a number\n", argv[file]), 1;
            for (size_t at = 0; at < got / 4; at++) {
                if (block[at] < last)
                    return fprintf(stderr, "%s: %" PRIu32 " after %" PRIu32 "\n", argv[file], block[at], last), 1;
                add(&found, last = block[at]);
            }
        }
        fclose(in);
        if (found.count - before > largest)
            largest = found.count - before;
    }
    if (found.count != made.count || found.sum != made.sum || found.mixed[0] != made.mixed[0] || found.mixed[1] != made.mixed[1])
        return fprintf(stderr, "%" PRIu64 " numbers, sum %" PRIu64 "; made were %" PRIu64 ", sum %" PRIu64 "\n", found.count, found.sum, made.count, made.sum), 1;
    printf("%" PRIu64 " %" PRIu64 "\n", found.count, largest);
    return 0;
}
