/*
 * Word count, mapper: counts the words of /dev/in/text and sends every reducer the words that are its own (by hash), as lines "COUNT WORD".
 */
#include <ctype.h>
#include "peers.h"

#define SLOTS (1 << 18)
#define WORD_MAX 63

static struct { char word[WORD_MAX + 1]; unsigned long count; } slots[SLOTS];

static void add(const char *word, size_t length)
{
    unsigned long at = hash_bytes(word, length) % SLOTS;

    while (slots[at].count > 0 && strcmp(slots[at].word, word) != 0)
        at = (at + 1) % SLOTS;
    if (slots[at].count++ == 0)
        memcpy(slots[at].word, word, length + 1);
}

int main(void)
{
    static FILE *out[PEERS_MAX];
    int fds[PEERS_MAX], reducers = peers_open("/dev/out", "reduce", fds), c;
    FILE *in = fopen("/dev/in/text", "r");
    char word[WORD_MAX + 1];
    size_t length = 0;

    if (in == NULL || reducers == 0)
        die("a channel is missing");
    do {
        c = getc(in);
        if (c != EOF && isalpha(c)) {
            if (length < WORD_MAX)
                word[length++] = (char)tolower(c);
        } else if (length > 0) {
            word[length] = 0;
            add(word, length);
            length = 0;
        }
    } while (c != EOF);
    for (int i = 0; i < reducers; i++)
        out[i] = fdopen(fds[i], "w");
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].count > 0)
            fprintf(out[hash_bytes(slots[i].word, strlen(slots[i].word)) / SLOTS % (unsigned)reducers], "%lu %s\n", slots[i].count, slots[i].word);
    for (int i = 0; i < reducers; i++)
        if (fclose(out[i]) != 0)
            die("cannot write to a reducer");
    return 0;
}
