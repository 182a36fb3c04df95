/*
 * Distributed sort, manager: adds up how the sources' numbers are spread, gives every sink a range with about as many numbers, and checks at the end
 * that nothing was lost and that the ranges are in order.
 */
#include <stdint.h>
#include "peers.h"

#define BUCKETS 65536

int main(void)
{
    static uint32_t spread[BUCKETS], first[PEERS_MAX + 1];
    static uint64_t sums[BUCKETS];
    int sources[PEERS_MAX], answers[PEERS_MAX], sinks[PEERS_MAX];
    int source_count = peers_open("/dev/in", "source", sources), sink_count = peers_open("/dev/in", "sink", sinks);
    uint64_t total = 0, sum = 0, seen = 0, got_total = 0, got_sum = 0;
    uint32_t last = 0;

    peers_open("/dev/out", "source", answers);
    for (int i = 0; i < source_count; i++) {
        uint64_t facts[2];

        if (!get(sources[i], spread, sizeof spread) || !get(sources[i], facts, sizeof facts))
            die("a source is gone");
        for (int bucket = 0; bucket < BUCKETS; bucket++)
            sums[bucket] += spread[bucket];
        total += facts[0];
        sum += facts[1];
    }
    for (int bucket = 0, sink = 0; bucket < BUCKETS; bucket++) {
        while (sink < sink_count && seen >= total * (uint64_t)sink / (uint64_t)sink_count)
            first[sink++] = (uint32_t)bucket;
        seen += sums[bucket];
        if (bucket == BUCKETS - 1)
            while (sink <= sink_count)
                first[sink++] = BUCKETS;
    }
    first[0] = 0;
    first[sink_count] = BUCKETS;
    for (int i = 0; i < source_count; i++)
        put(answers[i], first, (size_t)(sink_count + 1) * sizeof *first);
    for (int i = 0; i < sink_count; i++) {
        uint64_t facts[2];
        uint32_t ends[2];

        if (!get(sinks[i], facts, sizeof facts) || !get(sinks[i], ends, sizeof ends))
            die("a sink is gone");
        got_total += facts[0];
        got_sum += facts[1];
        if (facts[0] > 0 && ends[0] < last)
            die("the ranges are out of order");
        if (facts[0] > 0)
            last = ends[1];
    }
    printf("%lu numbers, sum %lu\n", got_total, got_sum);
    if (got_total != total || got_sum != sum)
        die("numbers were lost");
    return 0;
}
