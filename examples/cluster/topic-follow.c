/*
 * Subscriber to topics: polls all of /dev/in/TOPIC.PUBLISHER, checks that the messages of each come in order and whole, and prints how many there were of
 * each. With a gate, nothing is read before the gate's stream has ended. Usage: topic-follow GATE|- PUBLISHER TOPIC…
 */
#include <poll.h>
#include "peers.h"

int main(int argc, char **argv)
{
    static char text[65536];
    struct pollfd fds[16];
    long seen[16] = { 0 };
    int topics = argc - 3;

    if (topics < 1 || topics > 16)
        die("usage: topic-follow GATE|- PUBLISHER TOPIC...");
    for (int i = 0; i < topics; i++) {
        char path[512];

        snprintf(path, sizeof path, "/dev/in/%s.%s", argv[i + 3], argv[2]);
        fds[i].fd = open(path, O_RDONLY);
        fds[i].events = POLLIN;
        if (fds[i].fd < 0)
            die("not subscribed to that");
    }
    if (strcmp(argv[1], "-") != 0) {
        int gate = open(argv[1], O_RDONLY);

        while (read(gate, text, sizeof text) > 0)
            ;
    }
    for (int open_topics = topics; open_topics > 0;) {
        if (poll(fds, (nfds_t)topics, -1) < 0)
            die("poll failed");
        for (int i = 0; i < topics; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            if (read(fds[i].fd, text, sizeof text) > 0) {
                if (atol(text) != seen[i]++)
                    die("a message is missing");
            } else {
                close(fds[i].fd);
                fds[i].fd = -1;
                open_topics--;
            }
        }
    }
    for (int i = 0; i < topics; i++)
        printf("%s %ld\n", argv[i + 3], seen[i]);
    return 0;
}
