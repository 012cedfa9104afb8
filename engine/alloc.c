#include "engine/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static void *allocate(size_t bytes, bool zeroed)
{
    const bool huge = bytes >= 4 * (size_t)HUGE_PAGE;
    const size_t align = huge ? HUGE_PAGE : 64;
    if (bytes > SIZE_MAX - align)
        return NULL;
    const size_t n = tt_round_up(bytes ? bytes : 1, align);
    void *p = aligned_alloc(align, n);
    if (!p)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (huge)
        (void)madvise(p, n, MADV_HUGEPAGE); /* only ever a gain in speed: refusal is fine */
#endif
    if (zeroed)
        memset(p, 0, n);
    return p;
}

void *tt_aligned_zalloc(size_t bytes)
{
    return allocate(bytes, true);
}

void *tt_aligned_malloc(size_t bytes)
{
    return allocate(bytes, false);
}

void tt_aligned_free(void *p)
{
    free(p);
}
