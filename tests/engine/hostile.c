#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/engine/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guard {
    unsigned char *map;
    size_t bytes; /* readable; a page that is not follows */
    size_t page;
} guard;

static guard guard_new(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guard g = {.bytes = (size / page + 1) * page, .page = page};
    g.map = mmap(NULL, g.bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + g.bytes, page, PROT_NONE)) {
        perror("hostile: a guarded buffer");
        abort();
    }
    return g;
}

static void guard_free(guard *g)
{
    munmap(g->map, g->bytes + g->page);
}

/* Where `size` bytes end at the unreadable page. */
static unsigned char *guard_put(const guard *g, const void *bytes, size_t size)
{
    unsigned char *at = g->map + g->bytes - size;
    if (size)
        memcpy(at, bytes, size);
    return at;
}

void hostile_plain(const void *bytes, size_t size, const char *what, hostile_fn *fn, void *arg)
{
    guard g = guard_new(size);
    fn(guard_put(&g, bytes, size), size, what, arg);
    guard_free(&g);
}

size_t hostile_prefixes(const void *bytes, size_t size, hostile_fn *fn, void *arg)
{
    guard g = guard_new(size);
    for (size_t n = 0; n < size; n++) {
        char what[64];
        snprintf(what, sizeof what, "cut to %zu of %zu bytes", n, size);
        fn(guard_put(&g, bytes, n), n, what, arg);
    }
    guard_free(&g);
    return size;
}

size_t hostile_bits(const void *bytes, size_t size, size_t from, size_t to, hostile_fn *fn, void *arg)
{
    guard g = guard_new(size);
    unsigned char *at = guard_put(&g, bytes, size);
    size_t made = 0;
    for (size_t i = from; i < to && i < size; i++) {
        const unsigned char was = at[i];
        for (int v = 0; v < 10; v++, made++) {
            char what[64];
            at[i] = (unsigned char)(v < 8 ? was ^ 1u << v : v == 8 ? 0u : 255u);
            snprintf(what, sizeof what, "byte %zu changed from %u to %u", i, was, at[i]);
            fn(at, size, what, arg);
        }
        at[i] = was;
    }
    guard_free(&g);
    return made;
}
