/* zlib for the readers: its memory from our allocator, and how much a file may inflate to. */
#ifndef TT_ENGINE_WEIGHTS_INFLATE_H
#define TT_ENGINE_WEIGHTS_INFLATE_H

#include "engine/alloc.h"

#include <stdint.h>
#include <zlib.h>

static inline voidpf tt_zlib_alloc(voidpf unused, uInt items, uInt size)
{
    (void)unused;
    return tt_aligned_zalloc((size_t)items * size);
}

static inline void tt_zlib_free(voidpf unused, voidpf p)
{
    (void)unused;
    tt_aligned_free(p);
}

/* A stream over `size` bytes (less than 4 GiB), for inflateInit(). */
static inline z_stream tt_zlib_stream(const unsigned char *bytes, size_t size)
{
    return (z_stream){.zalloc = tt_zlib_alloc,
                      .zfree = tt_zlib_free,
                      .next_in = (unsigned char *)bytes,
                      .avail_in = (uInt)size};
}

/*
 * The most bytes that what is compressed in a file of `size` bytes may inflate to, all together. Weights
 * shrink to a third at best; what shrinks to less than an eighth is there to fill the memory.
 */
static inline size_t tt_inflated_most(size_t size)
{
    size_t most;
    return tt_mul(size, 8, &most) && tt_add(most, (size_t)16 << 20, &most) ? most : SIZE_MAX;
}

#endif
