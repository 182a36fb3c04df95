/* Takes input, time and randomness, dirties memory, tells what it has. No library, so that a golden store stays small. */
typedef unsigned long u64;
static u64 state[1024];
static long call(long number, long a, long b, long c, long d) {
  register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3) : "memory");
  return a0;
}
static void tell(long out, u64 sum) {
  char line[17];
  for (int i = 15; i >= 0; i--, sum >>= 4) line[i] = "0123456789abcdef"[sum & 15];
  line[16] = '\n';
  call(64, out, (long)line, 17, 0);
}
void _start(void) {
  long out = call(56, -100, (long)"/dev/out/log", 1, 0);
  u64 sum = 7;
  char byte;
  while (call(63, 0, (long)&byte, 1, 0) == 1) {
    u64 facts[3];
    call(113, 0, (long)facts, 0, 0);
    call(278, (long)&facts[2], 8, 0, 0);
    sum = sum * 31 + (unsigned char)byte + facts[1] + facts[2];
    for (int i = 0; i < 2000; i++) { sum = sum * 6364136223846793005ul + 1; state[sum >> 54] += sum; }
    tell(1, sum);
    tell(out, state[sum >> 54]);
  }
  call(94, 0, 0, 0, 0);
}
