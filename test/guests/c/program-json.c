/* Rule: a JSON reader and writer: nesting, escapes, numbers, and errors with their place.
 * stdin: {"name":"still\\u0041point","list":[1,-2.5,3e2,true,false,null,[],{}],"deep":{"a":{"b":{"c":[[["x"]]]}}},"text":"tab\\tquote\\"end"}\n
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT };
struct value { enum kind kind; double number; char *text; struct value **items; char **names; int count; };
static const char *start, *at;
static const char *error;
static struct value *parse(void);
static void space(void) { while (isspace((unsigned char)*at)) at++; }
static struct value *make(enum kind kind) { struct value *v = calloc(1, sizeof *v); v->kind = kind; return v; }
static void *fail(const char *what) { if (!error) error = what; return NULL; }
static char *string(void) {
  char *out = malloc(strlen(at) + 1), *p = out;
  for (at++; *at != '"'; at++) {
    if (!*at) return fail("string without end");
    if (*at != '\\') { *p++ = *at; continue; }
    at++;
    const char *found = strchr("n\nt\tr\rb\bf\f\"\"\\\\//", *at);
    if (*at == 'u') {
      unsigned code;
      if (sscanf(at + 1, "%4x", &code) != 1) return fail("bad escape");
      if (code < 0x80) *p++ = (char)code;
      else if (code < 0x800) *p++ = (char)(0xc0 | code >> 6), *p++ = (char)(0x80 | (code & 63));
      else *p++ = (char)(0xe0 | code >> 12), *p++ = (char)(0x80 | (code >> 6 & 63)), *p++ = (char)(0x80 | (code & 63));
      at += 4;
    } else if (found) *p++ = found[1];
    else return fail("bad escape");
  }
  at++, *p = 0;
  return out;
}
static struct value *collection(enum kind kind, char close) {
  struct value *v = make(kind);
  at++, space();
  if (*at == close) { at++; return v; }
  for (;;) {
    v->items = realloc(v->items, sizeof *v->items * (size_t)(v->count + 1)), v->names = realloc(v->names, sizeof *v->names * (size_t)(v->count + 1));
    space();
    v->names[v->count] = NULL;
    if (kind == OBJECT) {
      if (*at != '"') return fail("a name is wanted");
      v->names[v->count] = string(), space();
      if (*at++ != ':') return fail("a colon is wanted");
    }
    if (!(v->items[v->count++] = parse())) return NULL;
    space();
    if (*at == close) { at++; return v; }
    if (*at++ != ',') return fail("a comma is wanted");
  }
}
static struct value *parse(void) {
  space();
  struct value *v;
  if (*at == '{') return collection(OBJECT, '}');
  if (*at == '[') return collection(ARRAY, ']');
  if (*at == '"') { v = make(STRING); v->text = string(); return error ? NULL : v; }
  if (!strncmp(at, "true", 4)) { at += 4, v = make(BOOLEAN), v->number = 1; return v; }
  if (!strncmp(at, "false", 5)) { at += 5; return make(BOOLEAN); }
  if (!strncmp(at, "null", 4)) { at += 4; return make(NUL); }
  char *end;
  double d = strtod(at, &end);
  if (end == at) return fail("a value is wanted");
  at = end, v = make(NUMBER), v->number = d;
  return v;
}
static void print(const struct value *v, int depth) {
  switch (v->kind) {
    case NUL: printf("null"); break;
    case BOOLEAN: printf(v->number ? "true" : "false"); break;
    case NUMBER: printf("%.17g", v->number); break;
    case STRING: putchar('"'); for (const char *p = v->text; *p; p++) if (*p == '"' || *p == '\\') printf("\\%c", *p); else if ((unsigned char)*p < 32) printf("\\u%04x", *p); else putchar(*p); putchar('"'); break;
    default:
      putchar(v->kind == ARRAY ? '[' : '{');
      for (int i = 0; i < v->count; i++) {
        printf("%s\n%*s", i ? "," : "", depth * 2 + 2, "");
        if (v->names[i]) printf("\"%s\": ", v->names[i]);
        print(v->items[i], depth + 1);
      }
      if (v->count) printf("\n%*s", depth * 2, "");
      putchar(v->kind == ARRAY ? ']' : '}');
  }
}
static void run(const char *text) {
  start = at = text, error = NULL;
  struct value *v = parse();
  space();
  if (v && *at) v = fail("something is left over");
  if (v) print(v, 0), puts("");
  else printf("error at %d: %s\n", (int)(at - start), error);
}

int main(void) {
  static char text[4096];
  size_t n = fread(text, 1, sizeof text - 1, stdin);
  text[n] = 0;
  run(text);
  run("[1, 2"), run("{\"a\" 1}"), run("[tru]"), run("\"open"), run("[1] x"), run("{1:2}"), run("[0.1, 1e400, -0, 12345678901234567890]"), run("");
  char deep[401];
  memset(deep, '[', 200), memset(deep + 200, ']', 200), deep[400] = 0;
  start = at = deep;
  struct value *v = parse();
  int depth = 0;
  while (v && v->count) v = v->items[0], depth++;
  printf("%d\n", depth);
  return 0;
}
