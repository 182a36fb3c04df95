/* Named cases of C++ concurrency: futures, async, shared and timed mutexes, jthread, latches, barriers, counting semaphores, atomics that wait.
 * No time-outs of condition variables: they are over when the clock says so, and the tests' clock stands still.
 * flags: -pthread -std=c++20
 * oracle: host
 */
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <future>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>
using namespace std::chrono_literals;
#define CASE(name) static void name()
#define RUN(name) do { std::printf("%s:", #name); name(); std::printf("\n"); } while (0)
static void show(long value) { std::printf(" %ld", value); }
CASE(async_both_ways) { auto a = std::async(std::launch::async, [] { return std::this_thread::get_id(); }); auto d = std::async(std::launch::deferred, [] { return std::this_thread::get_id(); }); show(d.wait_for(0s) == std::future_status::deferred); show(a.get() != std::this_thread::get_id()); show(d.get() == std::this_thread::get_id()); }
CASE(async_many) { std::vector<std::future<long>> all; for (long i = 0; i < 20; i++) all.push_back(std::async(std::launch::async, [i] { std::vector<long> v(1000); std::iota(v.begin(), v.end(), i); return std::accumulate(v.begin(), v.end(), 0L); })); long sum = 0; for (auto &f : all) sum += f.get(); show(sum); }
CASE(exceptions_travel) { auto f = std::async(std::launch::async, []() -> int { throw std::string("far"); }); try { f.get(); } catch (const std::string &s) { std::printf(" %s", s.c_str()); } std::promise<int> p; auto g = p.get_future(); p.set_exception(std::make_exception_ptr(5)); try { g.get(); } catch (int v) { show(v); } }
CASE(promises) { std::promise<int> p; auto f = p.get_future(); std::thread t([&] { std::this_thread::sleep_for(2ms); p.set_value(8); }); show(f.wait_for(0ms) == std::future_status::timeout); show(f.get()); t.join(); try { p.set_value(9); } catch (const std::future_error &e) { show(e.code() == std::future_errc::promise_already_satisfied); } std::future<int> broken; { std::promise<int> q; broken = q.get_future(); } try { broken.get(); } catch (const std::future_error &e) { show(e.code() == std::future_errc::broken_promise); } }
CASE(shared_future) { std::promise<int> p; std::shared_future<int> f = p.get_future().share(); std::atomic<int> sum{0}; std::vector<std::thread> t; for (int i = 0; i < 5; i++) t.emplace_back([&, f] { sum += f.get(); }); p.set_value(4); for (auto &x : t) x.join(); show(sum); }
CASE(packaged_task) { std::packaged_task<int(int)> task([](int x) { return x * 2; }); auto f = task.get_future(); std::thread(std::move(task), 21).join(); show(f.get()); }
CASE(set_at_thread_exit) { std::promise<int> p; auto f = p.get_future(); std::thread([&] { p.set_value_at_thread_exit(3); show(f.wait_for(0s) == std::future_status::timeout); }).join(); show(f.get()); }
CASE(mutexes) { std::timed_mutex m; std::recursive_timed_mutex r; m.lock(); std::thread([&] { show(m.try_lock()); show(m.try_lock_for(2ms)); show(m.try_lock_until(std::chrono::steady_clock::now() + 2ms)); show(m.try_lock_until(std::chrono::system_clock::now() + 2ms)); }).join(); m.unlock(); r.lock(); show(r.try_lock()); r.unlock(); std::thread([&] { show(r.try_lock_for(1ms)); }).join(); r.unlock(); }
CASE(locks_together) { std::mutex a, b, c; long n = 0; auto work = [&](bool turn) { for (int i = 0; i < 200; i++) { if (turn) { std::scoped_lock l(a, b, c); n++; } else { std::unique_lock x(c, std::defer_lock), y(a, std::defer_lock), z(b, std::defer_lock); std::lock(x, y, z); n++; } } }; std::thread t(work, true), u(work, false); t.join(); u.join(); show(n); }
CASE(shared_mutex) { std::shared_timed_mutex m; std::map<int, int> table; std::atomic<int> bad{0}; std::vector<std::thread> t; for (int i = 0; i < 3; i++) t.emplace_back([&, i] { for (int k = 0; k < 30; k++) { std::unique_lock l(m); table[k % 7] = i; } }); for (int i = 0; i < 3; i++) t.emplace_back([&] { for (int k = 0; k < 30; k++) { std::shared_lock l(m); for (auto &[key, value] : table) if (key > 6 || value > 2) bad++; } }); for (auto &x : t) x.join(); show(bad); m.lock_shared(); std::thread([&] { show(m.try_lock_for(1ms)); show(m.try_lock_shared()); m.unlock_shared(); }).join(); m.unlock_shared(); }
CASE(condition_any) { std::shared_mutex m; std::condition_variable_any c; bool go = false; std::thread t([&] { std::shared_lock l(m); c.wait(l, [&] { return go; }); show(1); }); { std::unique_lock l(m); go = true; } c.notify_all(); t.join(); }
CASE(notify_at_thread_exit) { std::mutex m; std::condition_variable c; bool done = false; std::thread t([&] { std::unique_lock l(m); done = true; std::notify_all_at_thread_exit(c, std::move(l)); }); { std::unique_lock l(m); c.wait(l, [&] { return done; }); } t.join(); show(done); }
CASE(stops) { int turns = 0; { std::jthread t([&](std::stop_token s) { std::mutex m; std::condition_variable_any c; std::unique_lock l(m); show(c.wait(l, s, [] { return false; })); turns++; }); std::stop_callback called(t.get_stop_token(), [&] { turns += 10; }); std::this_thread::sleep_for(1ms); show(t.request_stop()); show(t.request_stop()); } show(turns); std::stop_source s; show(s.stop_possible()); s.request_stop(); std::stop_callback late(s.get_token(), [&] { show(7); }); }
CASE(latch) { std::latch l(4), all(1); std::atomic<int> n{0}; std::vector<std::jthread> t; for (int i = 0; i < 4; i++) t.emplace_back([&] { n++; l.count_down(); all.wait(); n++; }); l.wait(); show(n); show(l.try_wait()); all.count_down(); t.clear(); show(n); }
CASE(barrier) { int phases = 0; auto end = [&]() noexcept { phases++; }; std::barrier b(3, end); std::vector<std::jthread> t; for (int i = 0; i < 3; i++) t.emplace_back([&, i] { for (int k = 0; k < 5; k++) b.arrive_and_wait(); if (i == 0) b.arrive_and_drop(); else b.arrive_and_wait(); }); t.clear(); show(phases); }
CASE(counting) { std::counting_semaphore<3> s(3); std::atomic<int> inside{0}, most{0}; std::vector<std::jthread> t; for (int i = 0; i < 8; i++) t.emplace_back([&] { for (int k = 0; k < 10; k++) { s.acquire(); int now = ++inside; int seen = most; while (now > seen && !most.compare_exchange_weak(seen, now)) ; std::this_thread::yield(); inside--; s.release(); } }); t.clear(); show(most <= 3 && most >= 1); std::binary_semaphore b(0); show(b.try_acquire()); b.release(); show(b.try_acquire()); }
CASE(atomics_that_wait) { std::atomic<int> a{0}; std::jthread t([&] { a.wait(0); show(a); a = 2; a.notify_one(); }); a = 1; a.notify_all(); a.wait(1); show(a); std::atomic_flag f; std::jthread u([&] { std::this_thread::sleep_for(1ms); f.test_and_set(); f.notify_all(); }); f.wait(false); show(f.test()); auto p = std::make_shared<int>(5); std::atomic<std::shared_ptr<int>> s(p); s.store(std::make_shared<int>(6)); show(*s.load()); }
static thread_local std::unique_ptr<int, void (*)(int *)> kept(nullptr, [](int *p) { show(*p); delete p; });
CASE(locals_are_destroyed) { std::thread([] { kept.reset(new int(4)); }).join(); std::jthread([] { kept.reset(new int(5)); }).join(); }
CASE(statics_once) { static std::atomic<int> made{0}; auto get = [] { static int v = [] { made++; std::this_thread::sleep_for(1ms); return 3; }(); return v; }; std::vector<std::future<int>> all; for (int i = 0; i < 6; i++) all.push_back(std::async(std::launch::async, get)); int sum = 0; for (auto &f : all) sum += f.get(); show(sum); show(made); std::once_flag once; int tries = 0; for (int i = 0; i < 3; i++) try { std::call_once(once, [&] { if (++tries < 2) throw 1; }); } catch (int) { } show(tries); }
CASE(pool) { struct { std::mutex m; std::condition_variable c; std::vector<std::function<void()>> jobs; bool ends = false; } q; std::atomic<long> sum{0}; { std::vector<std::jthread> t; for (int i = 0; i < 4; i++) t.emplace_back([&] { for (;;) { std::function<void()> job; { std::unique_lock l(q.m); q.c.wait(l, [&] { return q.ends || !q.jobs.empty(); }); if (q.jobs.empty()) return; job = std::move(q.jobs.back()); q.jobs.pop_back(); } job(); } }); for (int i = 1; i <= 100; i++) { std::lock_guard l(q.m); q.jobs.push_back([&, i] { sum += i; }); q.c.notify_one(); } { std::lock_guard l(q.m); q.ends = true; } q.c.notify_all(); } show(sum); }
CASE(threads_themselves) { std::thread t; show(t.joinable()); t = std::thread([] {}); show(t.joinable()); std::thread u = std::move(t); u.join(); try { u.join(); } catch (const std::system_error &e) { show(e.code() == std::errc::invalid_argument); } show(std::thread::hardware_concurrency() >= 1); std::this_thread::sleep_until(std::chrono::steady_clock::now() + 1ms); auto move_only = std::make_unique<int>(6); std::thread([](std::unique_ptr<int> p) { show(*p); }, std::move(move_only)).join(); }
int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  RUN(async_both_ways); RUN(async_many); RUN(exceptions_travel); RUN(promises); RUN(shared_future); RUN(packaged_task); RUN(set_at_thread_exit); RUN(mutexes); RUN(locks_together); RUN(shared_mutex); RUN(condition_any); RUN(notify_at_thread_exit);
  RUN(stops); RUN(latch); RUN(barrier); RUN(counting); RUN(atomics_that_wait); RUN(locals_are_destroyed); RUN(statics_once); RUN(pool); RUN(threads_themselves);
}
