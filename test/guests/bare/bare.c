/* A bare image: no C library, its own system call stubs, linked wherever the linker is told. Prints its arguments and some arithmetic. */
typedef unsigned long word;
static word call3(word number, word a, word b, word c) {
  register word a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
static void print(const char *text) {
  word length = 0;
  while (text[length]) length++;
  call3(64, 1, (word)text, length);
}
static char zeros[100000];
static int initialised = 42;
int main(int count, char **arguments) {
  for (int index = 0; index < count; index++) {
    print(arguments[index]);
    print("\n");
  }
  char digits[24];
  word value = 1;
  for (int step = 1; step <= 20; step++) value *= (word)step;
  for (unsigned at = 0; at < sizeof zeros; at++) value += (word)zeros[at];
  int at = 23;
  for (digits[at] = 0; value; value /= 10) digits[--at] = (char)('0' + value % 10);
  print(digits + at);
  print("\n");
  return initialised;
}
