/* Reads blocks of at most SIZE bytes from send-0 to the end and prints how many bytes there were. Usage: channel-receive SIZE. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char block[1 << 20];
    int in = open("/dev/in/send-0", O_RDONLY);
    long size = argc == 2 ? atol(argv[1]) : 0, total = 0;
    ssize_t got;

    while ((got = read(in, block, (size_t)size)) > 0)
        total += got;
    printf("%ld\n", total);
    return got < 0 ? 2 : 0;
}
