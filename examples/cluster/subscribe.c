/*
 * Publish and subscribe, subscriber: prints the messages of one topic from the SKIP-th message of the publisher on. Usage: subscribe TOPIC SKIP.
 */
#include "peers.h"

int main(int argc, char **argv)
{
    int fds[PEERS_MAX];
    long skip = argc == 3 ? atol(argv[2]) : 0;
    char text[256];
    ssize_t got;

    if (argc != 3 || peers_open("/dev/in", "publisher", fds) != 1)
        die("usage: subscribe TOPIC SKIP");
    while ((got = read(fds[0], text, sizeof text - 1)) > 0) {
        text[got] = 0;
        if (skip-- <= 0 && strncmp(text, argv[1], strlen(argv[1])) == 0 && text[strlen(argv[1])] == ' ')
            printf("%s\n", text);
    }
    return got < 0 ? 2 : 0;
}
