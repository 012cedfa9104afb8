/* Sizes with overflow checked, multiples, and aligned memory. */
#ifndef TT_ENGINE_ALLOC_H
#define TT_ENGINE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* *out = a * b, a + b; false (and *out = SIZE_MAX) where that does not fit. */
static inline bool tt_mul(size_t a, size_t b, size_t *out)
{
    if (!__builtin_mul_overflow(a, b, out))
        return true;
    *out = (size_t)-1;
    return false;
}
static inline bool tt_add(size_t a, size_t b, size_t *out)
{
    if (!__builtin_add_overflow(a, b, out))
        return true;
    *out = (size_t)-1;
    return false;
}
static inline size_t tt_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The smallest number above zero that both divide; a, b > 0. */
static inline int tt_common_multiple(int a, int b)
{
    int x = a, y = b;
    while (y) {
        const int t = x % y;
        x = y;
        y = t;
    }
    return a / x * b;
}

/* `bytes` of zeroed memory on a 64-byte boundary (2 MiB pages asked for when large), or NULL. tt_aligned_free() it. */
void *tt_aligned_zalloc(size_t bytes);
/* The same, not zeroed: for what is filled at once, as each page is touched once less. */
void *tt_aligned_malloc(size_t bytes);
void tt_aligned_free(void *p);

#endif
