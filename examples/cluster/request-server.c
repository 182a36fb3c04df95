/*
 * Request and reply, server: answers whoever asks, in the order in which requests arrive (poll), until all clients have ended. Which order that was is in
 * this node's journal: its replay gives the same log.
 */
#include <poll.h>
#include "peers.h"

int main(void)
{
    int ask[PEERS_MAX], answer[PEERS_MAX], clients = peers_open("/dev/in", "client", ask), open_count = clients;
    struct pollfd polled[PEERS_MAX];

    peers_open("/dev/out", "client", answer);
    for (int i = 0; i < clients; i++)
        polled[i] = (struct pollfd){ .fd = ask[i], .events = POLLIN };
    while (open_count > 0) {
        if (poll(polled, (nfds_t)clients, -1) < 0)
            die("poll");
        for (int i = 0; i < clients; i++) {
            char text[128], name[64];
            long number;
            ssize_t got;

            if (polled[i].fd < 0 || !(polled[i].revents & (POLLIN | POLLHUP)))
                continue;
            got = read(polled[i].fd, text, sizeof text - 1);
            if (got <= 0) {
                polled[i].fd = -1;
                open_count--;
                continue;
            }
            text[got] = 0;
            if (sscanf(text, "%63s square %ld", name, &number) != 2)
                die("a request that nobody understands");
            printf("%s %ld\n", name, number);
            got = snprintf(text, sizeof text, "is %ld", number * number);
            put(answer[i], text, (size_t)got);
        }
    }
    return 0;
}
