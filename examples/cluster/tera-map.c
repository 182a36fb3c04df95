/*
 * Sort of records, mapper: reads records of 100 bytes with a key of 10 from /dev/in/part and sends each to the reducer of its key's range.
 */
#include "peers.h"

#define RECORD 100

int main(void)
{
    static char record[RECORD];
    static FILE *out[PEERS_MAX];
    int fds[PEERS_MAX], reducers = peers_open("/dev/out", "reduce", fds);
    FILE *in = fopen("/dev/in/part", "r");

    if (in == NULL || reducers == 0)
        die("a channel is missing");
    for (int i = 0; i < reducers; i++)
        out[i] = fdopen(fds[i], "w");
    while (fread(record, RECORD, 1, in) == 1) {
        unsigned prefix = (unsigned)(unsigned char)record[0] << 8 | (unsigned char)record[1];

        fwrite(record, RECORD, 1, out[prefix * (unsigned)reducers >> 16]);
    }
    for (int i = 0; i < reducers; i++)
        if (fclose(out[i]) != 0)
            die("cannot write to a reducer");
    return 0;
}
