/* Rule: pointer structures: red-black-like tree, skip list, heap, hash table, trie, linked lists keep their order. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 2024;
static uint32_t next(void) { return (seed = seed * 1664525u + 1013904223u) >> 4; }
struct tree { struct tree *left, *right; uint32_t key, rank; };
static struct tree *insert(struct tree *t, uint32_t key) {
  if (!t) {
    t = calloc(1, sizeof *t);
    t->key = key, t->rank = next();
  } else if (key < t->key) {
    t->left = insert(t->left, key);
    if (t->left->rank > t->rank) { struct tree *l = t->left; t->left = l->right, l->right = t, t = l; }
  } else if (key > t->key) {
    t->right = insert(t->right, key);
    if (t->right->rank > t->rank) { struct tree *r = t->right; t->right = r->left, r->left = t, t = r; }
  }
  return t;
}
static struct tree *merge(struct tree *a, struct tree *b) {
  if (!a || !b) return a ? a : b;
  if (a->rank > b->rank) return a->right = merge(a->right, b), a;
  return b->left = merge(a, b->left), b;
}
static struct tree *erase(struct tree *t, uint32_t key) {
  if (!t) return NULL;
  if (key == t->key) { struct tree *m = merge(t->left, t->right); free(t); return m; }
  if (key < t->key) t->left = erase(t->left, key); else t->right = erase(t->right, key);
  return t;
}
static uint32_t last;
static int ordered = 1, nodes;
static uint64_t walk(const struct tree *t) {
  if (!t) return 0;
  uint64_t h = walk(t->left);
  ordered &= !nodes || last < t->key, last = t->key, nodes++;
  return (h * 31 + t->key) ^ walk(t->right);
}
static int depth(const struct tree *t) { if (!t) return 0; int l = depth(t->left), r = depth(t->right); return 1 + (l > r ? l : r); }
struct entry { struct entry *next; char *key; long value; };
static struct entry *buckets[257];
static long *slot(const char *key) {
  unsigned h = 5381;
  for (const char *p = key; *p; p++) h = h * 33 ^ (unsigned char)*p;
  struct entry **e = &buckets[h % 257];
  while (*e && strcmp((*e)->key, key)) e = &(*e)->next;
  if (!*e) *e = calloc(1, sizeof **e), (*e)->key = strdup(key);
  return &(*e)->value;
}
struct trie { struct trie *child[10]; int count; };
struct item { struct item *next; int v; };
static struct item *sorted(struct item *list) {
  if (!list || !list->next) return list;
  struct item *slow = list, *fast = list->next, *a, *b, head, *tail = &head;
  while (fast && fast->next) slow = slow->next, fast = fast->next->next;
  b = slow->next, slow->next = NULL, a = sorted(list), b = sorted(b);
  while (a && b) { struct item **from = a->v <= b->v ? &a : &b; tail = tail->next = *from, *from = (*from)->next; }
  tail->next = a ? a : b;
  return head.next;
}

int main(void) {
  struct tree *t = NULL;
  for (int i = 0; i < 5000; i++) t = insert(t, next() % 20000);
  for (int i = 0; i < 5000; i++) t = erase(t, next() % 20000);
  uint64_t h = walk(t);
  printf("%d %d %016llx %d\n", ordered, nodes, (unsigned long long)h, depth(t) < 60);
  for (int i = 0; i < 8000; i++) {
    char key[16];
    snprintf(key, sizeof key, "key%u", next() % 700);
    *slot(key) += i;
  }
  long sum = 0, longest = 0;
  for (int i = 0; i < 257; i++) {
    long n = 0;
    for (struct entry *e = buckets[i]; e; e = e->next) sum = sum * 7 + e->value, n++;
    if (n > longest) longest = n;
  }
  printf("%ld %ld\n", sum, longest);
  struct trie *root = calloc(1, sizeof *root);
  for (int i = 0; i < 3000; i++) {
    struct trie *at = root;
    for (uint32_t v = next() % 100000; v; v /= 10) {
      if (!at->child[v % 10]) at->child[v % 10] = calloc(1, sizeof *at);
      at = at->child[v % 10], at->count++;
    }
  }
  for (int i = 0; i < 10; i++) printf("%d ", root->child[i] ? root->child[i]->count : 0);
  puts("");
  struct item *list = NULL;
  for (int i = 0; i < 4000; i++) {
    struct item *n = malloc(sizeof *n);
    n->v = (int)(next() % 1000), n->next = list, list = n;
  }
  list = sorted(list);
  int good = 1;
  uint32_t g = 0;
  for (struct item *i = list; i; i = i->next) good &= !i->next || i->v <= i->next->v, g = g * 17 + (uint32_t)i->v;
  printf("%d %u\n", good, g);
  uint32_t heap[2000];
  int size = 0;
  for (int i = 0; i < 6000; i++) {
    if (size < 2000 && next() % 3) {
      int c = size++;
      for (heap[c] = next(); c && heap[c] < heap[(c - 1) / 2]; c = (c - 1) / 2) { uint32_t x = heap[c]; heap[c] = heap[(c - 1) / 2], heap[(c - 1) / 2] = x; }
    } else if (size) {
      g = g * 31 + heap[0], heap[0] = heap[--size];
      for (int p = 0, c; (c = 2 * p + 1) < size; p = c) {
        if (c + 1 < size && heap[c + 1] < heap[c]) c++;
        if (heap[p] <= heap[c]) break;
        uint32_t x = heap[p];
        heap[p] = heap[c], heap[c] = x;
      }
    }
  }
  printf("%d %u\n", size, g);
  return 0;
}
