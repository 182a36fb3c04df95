/* JSON: a generated document is parsed into a tree and printed again, over and over; numbers with a fraction go through strtod and printf.
   Argument: rounds. Prints the size and a checksum of the printed text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NOTHING, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT };
struct value { enum kind kind; char *name, *string; double number; struct value *first, *next; };
enum { TEXT_MAX = 1 << 21 };
static char text[TEXT_MAX], printed[TEXT_MAX];
static const char *cursor;
static char *writer;

static void fail(const char *why) { printf("json: %s at %ld\n", why, (long)(cursor - text)); exit(1); }
static void *allocate(size_t size) { void *memory = calloc(1, size); if (memory == NULL) fail("no memory"); return memory; }
static void skip(void) { while (*cursor == ' ' || *cursor == '\n' || *cursor == '\t' || *cursor == '\r') cursor++; }
static void expect(char c) { skip(); if (*cursor++ != c) fail("unexpected letter"); }

static char *parse_string(void) {
  expect('"');
  size_t length = 0;
  for (const char *at = cursor; *at != '"'; at++, length++) if (*at == '\\') at++;
  char *result = allocate(length + 1), *to = result;
  for (; *cursor != '"'; cursor++) {
    if (*cursor != '\\') { *to++ = *cursor; continue; }
    cursor++;
    *to++ = *cursor == 'n' ? '\n' : *cursor == 't' ? '\t' : *cursor;
  }
  cursor++;
  return result;
}

static struct value *parse(void) {
  struct value *value = allocate(sizeof *value), **last = &value->first;
  skip();
  if (*cursor == '"') value->kind = STRING, value->string = parse_string();
  else if (*cursor == '[' || *cursor == '{') {
    char close = *cursor++ == '[' ? ']' : '}';
    value->kind = close == ']' ? ARRAY : OBJECT;
    for (skip(); *cursor != close; skip()) {
      char *name = NULL;
      if (value->kind == OBJECT) name = parse_string(), expect(':');
      *last = parse();
      (*last)->name = name, last = &(*last)->next;
      skip();
      if (*cursor == ',') cursor++;
    }
    cursor++;
  } else if (strncmp(cursor, "true", 4) == 0) value->kind = BOOLEAN, value->number = 1, cursor += 4;
  else if (strncmp(cursor, "false", 5) == 0) value->kind = BOOLEAN, cursor += 5;
  else if (strncmp(cursor, "null", 4) == 0) cursor += 4;
  else {
    char *end;
    value->kind = NUMBER, value->number = strtod(cursor, &end);
    if (end == cursor) fail("no value");
    cursor = end;
  }
  return value;
}

static void put_string(const char *string) {
  *writer++ = '"';
  for (; *string != 0; string++) {
    if (*string == '"' || *string == '\\' || *string == '\n' || *string == '\t') {
      *writer++ = '\\';
      *writer++ = *string == '\n' ? 'n' : *string == '\t' ? 't' : *string;
    } else *writer++ = *string;
  }
  *writer++ = '"';
}

static void print(const struct value *value) {
  switch (value->kind) {
    case NOTHING: memcpy(writer, "null", 4), writer += 4; return;
    case BOOLEAN: writer += sprintf(writer, "%s", value->number != 0 ? "true" : "false"); return;
    case NUMBER: writer += sprintf(writer, "%.10g", value->number); return;
    case STRING: put_string(value->string); return;
    default: break;
  }
  *writer++ = value->kind == ARRAY ? '[' : '{';
  for (const struct value *item = value->first; item != NULL; item = item->next) {
    if (item != value->first) *writer++ = ',';
    if (item->name != NULL) put_string(item->name), *writer++ = ':';
    print(item);
  }
  *writer++ = value->kind == ARRAY ? ']' : '}';
}

static void release(struct value *value) {
  for (struct value *item = value->first, *next; item != NULL; item = next) next = item->next, release(item);
  free(value->name), free(value->string), free(value);
}

static uint32_t next(uint64_t *seed) { return (uint32_t)((*seed = *seed * 6364136223846793005u + 1442695040888963407u) >> 33); }

static void generate(uint64_t *seed) {
  char *to = text;
  to += sprintf(to, "[\n");
  for (int i = 0; i < 3000; i++) {
    unsigned r[11];
    for (int k = 0; k < 11; k++) r[k] = next(seed);
    to += sprintf(to, "%s  {\"id\": %d, \"name\": \"item %u \\\"%c\\\"\", \"price\": %u.%02u, \"rate\": -%u.%ue-%u, \"tags\": [", i == 0 ? "" : ",\n", i, r[0] % 100000,
      (char)('a' + r[1] % 26), r[2] % 1000, r[3] % 100, 1 + r[4] % 9, r[5] % 1000000, r[6] % 12);
    for (uint32_t left = next(seed) % 6; left > 0; left--) to += sprintf(to, "\"t%u\"%s", (unsigned)next(seed) % 50, left > 1 ? ", " : "");
    to += sprintf(to, "], \"size\": {\"w\": %u, \"h\": %u}, \"open\": %s, \"note\": %s}", r[7] % 500, r[8] % 500, r[9] % 2 == 0 ? "true" : "false",
      r[10] % 3 == 0 ? "\"a line\\nand a tab\\t.\"" : "null");
  }
  sprintf(to, "\n]\n");
}

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  uint64_t seed = 3, digest = 0, total = 0;
  generate(&seed);
  for (int round = 0; round < rounds; round++) {
    cursor = text, writer = printed;
    struct value *document = parse();
    print(document);
    *writer = 0;
    release(document);
    for (const char *at = printed; at < writer; at++) digest = digest * 31 + (unsigned char)*at;
    total += (uint64_t)(writer - printed);
    memcpy(text, printed, (size_t)(writer - printed) + 1); /* What was printed is parsed in the next round. */
  }
  printf("json %llu %016llx\n", (unsigned long long)total, (unsigned long long)digest);
  return 0;
}
