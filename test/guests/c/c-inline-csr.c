/* Rule: the float status register is visible and writable; fence and counters are there and deterministic in type.
 * oracle: qemu
 */
#include <stdint.h>
#include <stdio.h>

int main(void) {
#ifdef __riscv
  unsigned long v, w;
  __asm__ volatile("csrrw %0, fcsr, %1" : "=r"(v) : "r"(0xffUL));
  __asm__ volatile("csrr %0, fcsr" : "=r"(w));
  printf("%lx %lx\n", v, w);
  __asm__ volatile("csrrwi %0, fflags, 0" : "=r"(v));
  __asm__ volatile("csrr %0, frm" : "=r"(w));
  printf("%lx %lx\n", v, w);
  __asm__ volatile("csrrsi %0, fflags, 5" : "=r"(v));
  __asm__ volatile("csrrci %0, fflags, 1" : "=r"(w));
  printf("%lx %lx\n", v, w);
  __asm__ volatile("csrwi frm, 0\n\tcsrr %0, fcsr" : "=r"(v));
  printf("%lx\n", v);
  __asm__ volatile("csrwi fcsr, 0");
  double d = 1.0, t = 3.0, r;
  __asm__ volatile("fdiv.d %0, %1, %2, rtz" : "=f"(r) : "f"(d), "f"(t));
  printf("%a ", r);
  __asm__ volatile("fdiv.d %0, %1, %2, rup" : "=f"(r) : "f"(d), "f"(t));
  printf("%a ", r);
  __asm__ volatile("frflags %0" : "=r"(v));
  printf("%lx\n", v);
  long l;
  __asm__ volatile("fcvt.w.d %0, %1, rmm" : "=r"(l) : "f"(2.5));
  printf("%ld ", l);
  __asm__ volatile("fcvt.l.d %0, %1, rdn" : "=r"(l) : "f"(-1e300));
  printf("%ld ", l);
  __asm__ volatile("fcvt.wu.d %0, %1, rtz" : "=r"(l) : "f"(4294967295.0));
  printf("%ld ", l);
  __asm__ volatile("fclass.d %0, %1" : "=r"(l) : "f"(-0.0));
  printf("%ld\n", l);
  uint64_t bits = 0x3f800000;
  __asm__ volatile("fmv.d.x %0, %1" : "=f"(r) : "r"(bits));
  float f;
  __asm__ volatile("fadd.s %0, %1, %1" : "=f"(f) : "f"(r));
  __asm__ volatile("fmv.x.d %0, %1" : "=r"(v) : "f"(f));
  printf("%lx\n", v);
  __asm__ volatile("fence iorw, iorw\n\tfence.i");
  uint64_t i1, i2;
  __asm__ volatile("rdcycle %0" : "=r"(i1));
  __asm__ volatile("rdcycle %0" : "=r"(i2));
  printf("%d\n", i2 >= i1);
  __asm__ volatile("rdtime %0" : "=r"(i1));
  __asm__ volatile("rdtime %0" : "=r"(i2));
  printf("%d\n", i2 >= i1);
  uint32_t word = 7;
  int failed = 1;
  while (failed) __asm__ volatile("lr.w %0, (%2)\n\taddi %0, %0, 5\n\tsc.w %1, %0, (%2)" : "=&r"(v), "=&r"(failed) : "r"(&word) : "memory");
  printf("%u\n", word);
  __asm__ volatile("sc.w %0, %1, (%2)" : "=&r"(l) : "r"(99), "r"(&word) : "memory");
  printf("%d %u\n", l != 0, word);
  uint64_t m = 10;
  __asm__ volatile("amomax.d %0, %1, (%2)" : "=&r"(l) : "r"(-5L), "r"(&m) : "memory");
  printf("%ld %lu ", l, m);
  __asm__ volatile("amomaxu.d %0, %1, (%2)" : "=&r"(l) : "r"(-5L), "r"(&m) : "memory");
  printf("%ld %lx\n", l, m);
  __asm__ volatile("div %0, %1, zero" : "=r"(v) : "r"(42L));
  __asm__ volatile("rem %0, %1, zero" : "=r"(w) : "r"(42L));
  printf("%lx %lx ", v, w);
  __asm__ volatile("div %0, %1, %2" : "=r"(v) : "r"(INT64_MIN), "r"(-1L));
  __asm__ volatile("divuw %0, %1, zero" : "=r"(w) : "r"(1L));
  printf("%lx %lx\n", v, w);
#endif
  return 0;
}
