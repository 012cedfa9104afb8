/*
 * The thread pool. tt_parallel() is the only way to go wide. A unit of work writes outputs of its own and sums
 * each of them alone, in one order, so results do not depend on the number of threads.
 */
#ifndef TT_ENGINE_POOL_H
#define TT_ENGINE_POOL_H

#include "engine/status.h"

typedef struct tt_pool tt_pool;

/* Processors this process may use (affinity respected), at least 1. */
int tt_processors(void);

/*
 * `threads` in all, the caller among them; 0 means tt_processors(). Threads that cannot be made are done
 * without, down to the caller alone: the pool then is smaller, the results are the same.
 */
tt_status tt_pool_new(tt_pool **pool, int threads, tt_error *err);
void tt_pool_free(tt_pool *pool); /* accepts NULL */
int tt_pool_threads(const tt_pool *pool);

/*
 * Call fn(arg, unit, thread) for each unit in 0..units-1, in any order, on any of the pool's threads (thread
 * 0..threads-1, never the same at once), and return when all are done. One tt_parallel() of a pool at a time.
 * Allocates nothing. Threads without work look for some for less than a tenth of a millisecond, then sleep.
 */
typedef void tt_unit_fn(void *arg, int unit, int thread);
void tt_parallel(tt_pool *pool, int units, tt_unit_fn *fn, void *arg);

#endif
