#define _GNU_SOURCE
#include "engine/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_THREADS = 1024 };

/*
 * Between two steps of a network pass microseconds, and to fall asleep and be woken takes tens of them. So who waits looks a
 * moment before he sleeps; nobody does where there are more threads than processors.
 */
enum { LOOKS = 2000 };

struct tt_pool {
    int threads; /* with the caller */
    int looks;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    atomic_uint round; /* counts tt_parallel() calls; a worker joins each once. Changed under the lock, as is stop */
    atomic_int busy;   /* workers still in this round */
    atomic_bool stop;
    tt_unit_fn *fn;
    void *arg;
    int units;
    atomic_int next; /* the next unclaimed unit */
    struct tt_worker {
        pthread_t thread;
        tt_pool *pool;
        int index;
    } *worker; /* threads - 1 of them, of thread numbers 1.. */
};

int tt_processors(void)
{
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) {
        const int n = CPU_COUNT(&set);
        if (n > 0)
            return n;
    }
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < MOST_THREADS ? (int)n : 1;
}

/* Claim units until none is left. */
static void claim(tt_pool *p, int thread)
{
    for (;;) {
        const int unit = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (unit >= p->units)
            return;
        p->fn(p->arg, unit, thread);
    }
}

static void look_away(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* Until there is another round than the one seen; false: there will be none. */
static bool next_round(tt_pool *p, unsigned *seen)
{
    for (int i = 0; i < p->looks && atomic_load_explicit(&p->round, memory_order_acquire) == *seen; i++)
        look_away();
    if (atomic_load_explicit(&p->round, memory_order_acquire) == *seen) {
        pthread_mutex_lock(&p->lock);
        while (!p->stop && p->round == *seen)
            pthread_cond_wait(&p->work, &p->lock);
        pthread_mutex_unlock(&p->lock);
    }
    *seen = atomic_load_explicit(&p->round, memory_order_acquire);
    return !p->stop;
}

static void *worker_main(void *arg)
{
    const struct tt_worker *w = arg;
    tt_pool *p = w->pool;
    for (unsigned seen = 0; next_round(p, &seen);) {
        claim(p, w->index);
        if (atomic_fetch_sub_explicit(&p->busy, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
    return NULL;
}

tt_status tt_pool_new(tt_pool **pool, int threads, tt_error *err)
{
    *pool = NULL;
    if (threads < 0 || threads > MOST_THREADS)
        return tt_fail(err, TT_ERR_USAGE, "%d threads: must be 1 to %d, or 0 for one a processor", threads,
                       MOST_THREADS);
    if (!threads)
        threads = tt_processors();
    tt_pool *p = calloc(1, sizeof *p);
    if (!p)
        return tt_fail_memory(err, sizeof *p);
    p->worker = calloc((size_t)threads, sizeof *p->worker);
    if (!p->worker) {
        free(p);
        return tt_fail_memory(err, (size_t)threads * sizeof *p->worker);
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    p->looks = threads <= tt_processors() ? LOOKS : 0;
    /* signals belong to the program's own threads */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->threads = 1;
    while (p->threads < threads) {
        struct tt_worker *w = &p->worker[p->threads - 1];
        *w = (struct tt_worker){.pool = p, .index = p->threads};
        if (pthread_create(&w->thread, NULL, worker_main, w))
            break; /* fewer threads give the same result, later */
        p->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    *pool = p;
    return TT_OK;
}

void tt_pool_free(tt_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    p->round++;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads - 1; i++)
        pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->worker);
    free(p);
}

int tt_pool_threads(const tt_pool *p)
{
    return p->threads;
}

void tt_parallel(tt_pool *p, int units, tt_unit_fn *fn, void *arg)
{
    if (units <= 0)
        return;
    if (p->threads == 1 || units == 1) { /* waking others would cost more than it brings */
        for (int i = 0; i < units; i++)
            fn(arg, i, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->units = units;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store_explicit(&p->busy, p->threads - 1, memory_order_relaxed);
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add_explicit(&p->round, 1, memory_order_release);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    claim(p, 0);
    for (int i = 0; i < p->looks && atomic_load_explicit(&p->busy, memory_order_acquire); i++)
        look_away();
    if (atomic_load_explicit(&p->busy, memory_order_acquire)) {
        pthread_mutex_lock(&p->lock);
        while (atomic_load_explicit(&p->busy, memory_order_acquire))
            pthread_cond_wait(&p->done, &p->lock);
        pthread_mutex_unlock(&p->lock);
    }
}
