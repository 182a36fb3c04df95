/* Rule: stdatomic.h on every width: fetch operations, exchange, compare-exchange, flags, fences (C11 7.17).
 * flags: -latomic
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#define EXERCISE(type, format) do { \
    _Atomic type v = 5; \
    type e; \
    printf(#type); \
    printf(" " format, atomic_fetch_add(&v, 10)); printf(" " format, atomic_fetch_sub(&v, 3)); printf(" " format, atomic_fetch_or(&v, 0x61)); \
    printf(" " format, atomic_fetch_and(&v, 0x3f)); printf(" " format, atomic_fetch_xor(&v, 0x15)); printf(" " format, atomic_exchange(&v, 77)); \
    e = 77; printf(" %d", atomic_compare_exchange_strong(&v, &e, 78)); printf(" " format, e); \
    e = 1; printf(" %d", atomic_compare_exchange_strong(&v, &e, 79)); printf(" " format, e); \
    e = 78; int tries = 0; while (!atomic_compare_exchange_weak_explicit(&v, &e, 80, memory_order_acq_rel, memory_order_relaxed)) tries++, e = 78; \
    printf(" " format, atomic_load_explicit(&v, memory_order_acquire)); atomic_store_explicit(&v, (type)-1, memory_order_release); \
    printf(" " format, (type)(v += 2)); printf(" " format "\n", (type)(v *= 3)); \
  } while (0)

struct two { uint64_t a, b; };

int main(void) {
  EXERCISE(int8_t, "%d");
  EXERCISE(uint8_t, "%u");
  EXERCISE(int16_t, "%d");
  EXERCISE(uint16_t, "%u");
  EXERCISE(int32_t, "%d");
  EXERCISE(uint32_t, "%u");
  EXERCISE(int64_t, "%ld");
  EXERCISE(uint64_t, "%lu");
  atomic_flag flag = ATOMIC_FLAG_INIT;
  int first = atomic_flag_test_and_set(&flag), second = atomic_flag_test_and_set(&flag);
  atomic_flag_clear(&flag);
  printf("%d %d %d\n", first, second, atomic_flag_test_and_set(&flag));
  atomic_thread_fence(memory_order_seq_cst), atomic_signal_fence(memory_order_acquire);
  int array[4] = {1, 2, 3, 4};
  int *_Atomic pointer = array;
  int *before = atomic_fetch_add(&pointer, 2);
  printf("%d %d\n", *before, *pointer);
  _Atomic double d = 1.5;
  d += 2.25;
  printf("%g %d %d\n", d, atomic_is_lock_free(&(_Atomic int){0}), atomic_is_lock_free(&(_Atomic long){0}));
  long counter = 0;
  for (int i = 0; i < 100000; i++) __atomic_add_fetch(&counter, i, __ATOMIC_SEQ_CST), __sync_fetch_and_xor(&counter, i);
  printf("%ld", counter);
  printf(" %ld\n", __sync_val_compare_and_swap(&counter, counter, 9));
  long minimum = 50;
  __atomic_store_n(&minimum, 49, __ATOMIC_RELEASE);
  printf("%ld", __atomic_nand_fetch(&minimum, 0xf, __ATOMIC_RELAXED));
  printf(" %d\n", __atomic_test_and_set(&minimum, __ATOMIC_ACQUIRE));
  return 0;
}
