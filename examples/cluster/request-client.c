/*
 * Request and reply, client: asks the server for the squares of COUNT numbers, one message each, and checks every reply. Usage: request-client COUNT.
 */
#include "peers.h"

int main(int argc, char **argv)
{
    int ask[PEERS_MAX], answer[PEERS_MAX];
    long count = argc == 2 ? atol(argv[1]) : 0, sum = 0;

    if (peers_open("/dev/out", "server", ask) != 1 || peers_open("/dev/in", "server", answer) != 1)
        die("there is no server");
    for (long number = 1; number <= count; number++) {
        char text[64];
        int length = snprintf(text, sizeof text, "%s square %ld", argv[0], number);
        ssize_t got;
        long square;

        put(ask[0], text, (size_t)length);
        got = read(answer[0], text, sizeof text - 1);
        if (got <= 0)
            die("the server is gone");
        text[got] = 0;
        if (sscanf(text, "is %ld", &square) != 1 || square != number * number)
            die("a wrong reply");
        sum += square;
    }
    printf("%s: %ld replies, sum %ld\n", argv[0], count, sum);
    return 0;
}
