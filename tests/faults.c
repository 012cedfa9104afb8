#include "tests/faults.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_long allocations, countdown;
static atomic_int forever, failed;

long faults_allocations(void)
{
    return atomic_exchange(&allocations, 0);
}

void faults_fail(long k, int for_ever)
{
    atomic_store(&failed, 0);
    atomic_store(&forever, for_ever);
    atomic_store(&countdown, k);
}

int faults_failed(void)
{
    return atomic_load(&failed);
}

/* Count this allocation; should it fail? */
static int fails(void)
{
    atomic_fetch_add(&allocations, 1);
    if (atomic_load(&forever) && atomic_load(&failed))
        return 1;
    if (!atomic_load(&countdown) || atomic_fetch_sub(&countdown, 1) != 1)
        return 0;
    atomic_store(&failed, 1);
    return 1;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t a, size_t b);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t a, size_t b);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t a, size_t b)
{
    return fails() ? NULL : __real_calloc(a, b);
}
void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(align, n);
}
