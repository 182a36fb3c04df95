/*
 * Publisher of topics: each topic is one file, /dev/out/TOPIC, whoever subscribes to it. Sends COUNT messages of SIZE bytes to every topic in turn.
 * Usage: topic-publish COUNT SIZE TOPIC…
 */
#include "peers.h"

int main(int argc, char **argv)
{
    long count = argc > 3 ? atol(argv[1]) : 0, size = argc > 3 ? atol(argv[2]) : 0;
    static char text[65536];
    int fds[16];

    if (argc < 4 || argc > 19 || size < 32 || size > (long)sizeof text)
        die("usage: topic-publish COUNT SIZE TOPIC...");
    for (int i = 3; i < argc; i++) {
        char path[512];

        snprintf(path, sizeof path, "/dev/out/%s", argv[i]);
        if ((fds[i - 3] = open(path, O_WRONLY)) < 0)
            die("there is no such topic");
    }
    for (long number = 0; number < count; number++)
        for (int i = 3; i < argc; i++) {
            memset(text, ' ', (size_t)size);
            text[snprintf(text, 32, "%ld", number)] = ' ';
            put(fds[i - 3], text, (size_t)size);
        }
    return 0;
}
