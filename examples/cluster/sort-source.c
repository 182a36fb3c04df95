/*
 * Distributed sort, source: makes COUNT random numbers, tells the manager how they are spread, hears the ranges of the sinks, and sends every sink its
 * numbers. Usage: sort-source COUNT SEED.
 */
#include <stdint.h>
#include "peers.h"

#define BUCKETS 65536

int main(int argc, char **argv)
{
    static uint32_t spread[BUCKETS], first[PEERS_MAX + 1];
    int manager[PEERS_MAX], answer[PEERS_MAX], sinks[PEERS_MAX];
    int count = peers_open("/dev/out", "sink", sinks);
    size_t total = (size_t)atol(argv[1]);
    uint32_t *numbers = malloc(total * sizeof *numbers), *piece = malloc(total * sizeof *piece);
    uint64_t state = (uint64_t)atol(argv[2]) * 0x9e3779b97f4a7c15ul + 1, sum = 0;

    if (argc != 3 || numbers == NULL || piece == NULL || peers_open("/dev/out", "manager", manager) != 1 || peers_open("/dev/in", "manager", answer) != 1)
        die("usage: sort-source COUNT SEED");
    for (size_t i = 0; i < total; i++) {
        state = state * 6364136223846793005ul + 1442695040888963407ul;
        numbers[i] = (uint32_t)(state >> 32);
        if (i % 3 == 0)
            numbers[i] >>= 3; /* Unevenly spread, so that the ranges matter. */
        spread[numbers[i] >> 16]++;
        sum += numbers[i];
    }
    put(manager[0], spread, sizeof spread);
    put(manager[0], &total, sizeof total);
    put(manager[0], &sum, sizeof sum);
    if (!get(answer[0], first, (size_t)(count + 1) * sizeof *first))
        die("the manager is gone");
    for (int sink = 0; sink < count; sink++) {
        uint64_t length = 0;

        for (size_t i = 0; i < total; i++)
            if (numbers[i] >> 16 >= first[sink] && numbers[i] >> 16 < first[sink + 1])
                piece[length++] = numbers[i];
        put(sinks[sink], &length, sizeof length);
        put(sinks[sink], piece, length * sizeof *piece);
    }
    return 0;
}
