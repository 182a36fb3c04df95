/*
 * Word count, reducer: adds up the lines "COUNT WORD" of all mappers and writes them sorted by word to /dev/out/counts.
 */
#include "peers.h"

#define SLOTS (1 << 18)
#define WORD_MAX 63

struct entry { char word[WORD_MAX + 1]; unsigned long count; };
static struct entry slots[SLOTS];

static int by_word(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->word, ((const struct entry *)b)->word);
}

int main(void)
{
    int fds[PEERS_MAX], mappers = peers_open("/dev/in", "map", fds);
    FILE *out = fopen("/dev/out/counts", "w");
    size_t used = 0;
    char word[WORD_MAX + 1];
    unsigned long count;

    if (out == NULL || mappers == 0)
        die("a channel is missing");
    for (int i = 0; i < mappers; i++) {
        FILE *in = fdopen(fds[i], "r");

        while (fscanf(in, "%lu %63s", &count, word) == 2) {
            unsigned long at = hash_bytes(word, strlen(word)) % SLOTS;

            while (slots[at].count > 0 && strcmp(slots[at].word, word) != 0)
                at = (at + 1) % SLOTS;
            if (slots[at].count == 0)
                strcpy(slots[at].word, word);
            slots[at].count += count;
        }
        fclose(in);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].count > 0)
            slots[used++] = slots[i];
    qsort(slots, used, sizeof *slots, by_word);
    for (size_t i = 0; i < used; i++)
        fprintf(out, "%lu %s\n", slots[i].count, slots[i].word);
    return fclose(out) == 0 ? 0 : 2;
}
