/* std::thread, async, futures, condition variables, exceptions across threads, thread_local with destructors.
 * flags: -pthread -std=c++17
 * oracle: both
 */
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
static std::atomic<int> alive{0}, ended{0};
struct Counted { int value = ++alive; ~Counted() { ++ended; } };
static thread_local Counted counted;
static long fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main() {
  std::mutex m; long sum = 0; std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++) threads.emplace_back([&, i] { (void)counted.value; for (int k = 0; k < 500; k++) { std::lock_guard<std::mutex> lock(m); sum += i; } });
  for (auto &t : threads) t.join();
  std::printf("sum %ld alive %d ended %d\n", sum, alive.load(), ended.load());
  std::vector<std::future<long>> futures; for (int i = 10; i < 18; i++) futures.push_back(std::async(std::launch::async, fib, i)); std::printf("async"); for (auto &f : futures) std::printf(" %ld", f.get()); std::printf("\n");
  auto failing = std::async(std::launch::async, []() -> int { throw std::runtime_error("from a thread"); }); try { failing.get(); } catch (const std::exception &e) { std::printf("caught %s\n", e.what()); }
  std::promise<std::string> promise; auto future = promise.get_future(); std::thread setter([&] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); promise.set_value("kept"); }); std::printf("promise %s\n", future.get().c_str()); setter.join();
  std::condition_variable cv; bool ready = false; std::thread waker([&] { { std::lock_guard<std::mutex> lock(m); ready = true; } cv.notify_all(); }); { std::unique_lock<std::mutex> lock(m); cv.wait(lock, [&] { return ready; }); std::printf("ready\n"); } waker.join();
  std::shared_mutex rw; std::map<int, int> table; std::vector<std::thread> mixed; for (int i = 0; i < 4; i++) mixed.emplace_back([&, i] { for (int k = 0; k < 20; k++) { if (i == 0) { std::unique_lock lock(rw); table[k] = k * k; } else { std::shared_lock lock(rw); if (table.count(k) && table[k] != k * k) std::printf("torn\n"); } std::this_thread::yield(); } }); for (auto &t : mixed) t.join(); std::printf("table %d\n", std::accumulate(table.begin(), table.end(), 0, [](int s, const auto &p) { return s + p.second; }));
  std::once_flag once; int calls = 0; std::vector<std::thread> many; for (int i = 0; i < 6; i++) many.emplace_back([&] { std::call_once(once, [&] { calls++; }); }); for (auto &t : many) t.join(); std::printf("once %d\n", calls);
  std::packaged_task<int(int)> task([](int x) { return x * 2; }); auto result = task.get_future(); std::thread(std::move(task), 21).detach(); std::printf("task %d\n", result.get());
  try { try { throw 1; } catch (int) { std::throw_with_nested(std::logic_error("outer")); } } catch (const std::logic_error &e) { std::printf("nested %s\n", e.what()); }
  std::atomic<long> hits{0}; { std::vector<std::thread> hitters; for (int i = 0; i < 4; i++) hitters.emplace_back([&] { for (int k = 0; k < 1000; k++) hits.fetch_add(1, std::memory_order_relaxed); }); for (auto &t : hitters) t.join(); } std::printf("hits %ld\n", hits.load());
  return 0;
}
