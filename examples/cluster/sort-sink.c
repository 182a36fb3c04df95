/*
 * Distributed sort, sink: takes its range from every source, sorts it by radix, writes it to /dev/out/sorted and tells the manager count, sum and ends.
 */
#include <stdint.h>
#include "peers.h"

static void radix_sort(uint32_t *numbers, uint32_t *other, size_t count)
{
    for (int shift = 0; shift < 32; shift += 8) {
        size_t starts[257] = { 0 };
        uint32_t *swap = numbers;

        for (size_t i = 0; i < count; i++)
            starts[(numbers[i] >> shift & 255) + 1]++;
        for (int i = 0; i < 256; i++)
            starts[i + 1] += starts[i];
        for (size_t i = 0; i < count; i++)
            other[starts[numbers[i] >> shift & 255]++] = numbers[i];
        numbers = other;
        other = swap;
    }
}

int main(void)
{
    int sources[PEERS_MAX], manager[PEERS_MAX], out = open("/dev/out/sorted", O_WRONLY);
    int count = peers_open("/dev/in", "source", sources);
    size_t total = 0, room = 1 << 16;
    uint32_t *numbers = malloc(room * sizeof *numbers), *other, ends[2] = { 0, 0 };
    uint64_t sum = 0, length;

    if (out < 0 || numbers == NULL || peers_open("/dev/out", "manager", manager) != 1)
        die("a channel is missing");
    for (int i = 0; i < count; i++) {
        if (!get(sources[i], &length, sizeof length))
            die("a source is gone");
        while (room < total + length) {
            room *= 2;
            numbers = realloc(numbers, room * sizeof *numbers);
            if (numbers == NULL)
                die("out of memory");
        }
        if (length > 0 && !get(sources[i], numbers + total, length * sizeof *numbers))
            die("a source ended early");
        total += length;
    }
    other = malloc((total + 1) * sizeof *other);
    if (other == NULL)
        die("out of memory");
    radix_sort(numbers, other, total);
    for (size_t i = 0; i < total; i++)
        sum += numbers[i];
    if (total > 0) {
        ends[0] = numbers[0];
        ends[1] = numbers[total - 1];
    }
    put(out, numbers, total * sizeof *numbers);
    length = total;
    put(manager[0], &length, sizeof length);
    put(manager[0], &sum, sizeof sum);
    put(manager[0], ends, sizeof ends);
    return 0;
}
