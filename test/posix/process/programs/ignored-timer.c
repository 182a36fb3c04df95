// A timer whose signal is ignored, one whose signal is blocked and one that sends none go on for ever beside a thread that waits for itself. With an
// argument it waits for input instead.
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    signal(SIGALRM, SIG_IGN);
    struct itimerval often = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &often, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    struct itimerspec seldom = {{3600, 0}, {3600, 0}};
    timer_t blocked, silent;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_create(CLOCK_MONOTONIC, &event, &blocked);
    timer_settime(blocked, 0, &seldom, 0);
    event.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_MONOTONIC, &event, &silent);
    timer_settime(silent, 0, &seldom, 0);
    if (argc > 1) {
        char byte;
        while (read(0, &byte, 1) == 1) write(1, &byte, 1);
        return 0;
    }
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&mutex);
    return 1;
}
