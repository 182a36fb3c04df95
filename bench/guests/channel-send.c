/* Writes COUNT blocks of SIZE bytes to receive-0. Usage: channel-send COUNT SIZE. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char block[1 << 20];
    int out = open("/dev/out/receive-0", O_WRONLY);
    long count = argc == 3 ? atol(argv[1]) : 0, size = argc == 3 ? atol(argv[2]) : 0;

    for (long i = 0; i < count; i++) {
        block[0] = (char)i;
        if (write(out, block, (size_t)size) != size)
            return 2;
    }
    return 0;
}
