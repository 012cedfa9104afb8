#include "engine/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

void *tt_aligned_zalloc(size_t bytes)
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
    memset(p, 0, n);
    return p;
}

void tt_aligned_free(void *p)
{
    free(p);
}
