/*
 * The one way bytes of a file are read: a cursor that knows how many are left. Every function says
 * false, moves nothing and gives zero where the bytes do not suffice, so no length from a file can
 * lead a read past the end. Numbers are little endian, at any alignment.
 */
#ifndef TT_ENGINE_WEIGHTS_CURSOR_H
#define TT_ENGINE_WEIGHTS_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tt_cursor {
    const unsigned char *ptr;
    size_t left;
    size_t at; /* bytes before ptr, counted from the start of the file: for messages */
} tt_cursor;

static inline tt_cursor tt_cursor_init(const void *bytes, size_t size)
{
    return (tt_cursor){.ptr = bytes, .left = size};
}

/* *p = the next n bytes (NULL on false), and past them. */
static inline bool tt_cursor_take(tt_cursor *c, size_t n, const unsigned char **p)
{
    *p = NULL;
    if (n > c->left)
        return false;
    *p = c->ptr;
    if (n) /* ptr may be NULL where nothing is left, and NULL + 0 is undefined */
        c->ptr += n;
    c->left -= n;
    c->at += n;
    return true;
}

static inline bool tt_cursor_skip(tt_cursor *c, size_t n)
{
    const unsigned char *p;
    return tt_cursor_take(c, n, &p);
}

/* A cursor over the next n bytes, and past them: what is inside cannot read beyond its own record. */
static inline bool tt_cursor_sub(tt_cursor *c, size_t n, tt_cursor *sub)
{
    const size_t at = c->at;
    const unsigned char *p;
    *sub = (tt_cursor){0};
    if (!tt_cursor_take(c, n, &p))
        return false;
    *sub = (tt_cursor){.ptr = p, .left = n, .at = at};
    return true;
}

/* Whether `count` items of at least `item` bytes (not zero) can still come: ask before allocating for them.
 */
static inline bool tt_cursor_holds(const tt_cursor *c, uint64_t count, size_t item)
{
    return count <= c->left / item;
}

static inline bool tt_cursor_u8(tt_cursor *c, uint8_t *out)
{
    const unsigned char *p;
    const bool ok = tt_cursor_take(c, 1, &p);
    *out = ok ? p[0] : 0;
    return ok;
}

static inline bool tt_cursor_u16(tt_cursor *c, uint16_t *out)
{
    const unsigned char *p;
    const bool ok = tt_cursor_take(c, 2, &p);
    *out = 0;
    if (ok)
        *out = (uint16_t)(p[0] | p[1] << 8);
    return ok;
}

static inline bool tt_cursor_u32(tt_cursor *c, uint32_t *out)
{
    const unsigned char *p;
    const bool ok = tt_cursor_take(c, 4, &p);
    *out = 0;
    for (int i = 0; ok && i < 4; i++)
        *out |= (uint32_t)p[i] << 8 * i;
    return ok;
}

static inline bool tt_cursor_u64(tt_cursor *c, uint64_t *out)
{
    const unsigned char *p;
    const bool ok = tt_cursor_take(c, 8, &p);
    *out = 0;
    for (int i = 0; ok && i < 8; i++)
        *out |= (uint64_t)p[i] << 8 * i;
    return ok;
}

#endif
