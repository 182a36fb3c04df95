/*
 * Publish and subscribe, publisher: sends COUNT messages "TOPIC NUMBER" to every subscriber, in one order. A subscriber that is slow holds it back.
 * Usage: publish COUNT.
 */
#include "peers.h"

int main(int argc, char **argv)
{
    static const char *const topics[] = { "weather", "sport", "stocks" };
    int fds[PEERS_MAX], subscribers = peers_open("/dev/out", "subscriber", fds);
    long count = argc == 2 ? atol(argv[1]) : 0;

    for (long number = 0; number < count; number++) {
        char text[64];
        int length = snprintf(text, sizeof text, "%s %ld", topics[number * 7 % 3], number);

        for (int i = 0; i < subscribers; i++)
            put(fds[i], text, (size_t)length);
    }
    return 0;
}
