#include "tests/fuzz/fuzz.h"

#include "engine/build.h"
#include "engine/weights.h"
#include "models/models.h"
#include "tests/faults.h"

#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FLOATS = 1 << 16 }; /* of a tensor that are converted to floats */

void fuzz_found(const char *file, int line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

/* ---- opening -------------------------------------------------------------------------------------- */

/* A failure is one clean sentence that begins with the file; nothing is held afterwards. */
static void check_failure(const tt_weights *w, tt_status st, const tt_error *err)
{
    FUZZ_CHECK(err->status == st, "status %d, the error says %d", st, err->status);
    FUZZ_CHECK(strlen(err->text) > 10 && !strpbrk(err->text, "\n\r\t"), "no sentence: '%s'", err->text);
    FUZZ_CHECK(st == TT_ERR_MEMORY || !strncmp(err->text, "test", 4), "does not begin with the file: '%s'",
               err->text);
    FUZZ_CHECK(!w->path && !w->tensors && !w->count && !w->metadata && !w->bytes && !w->made, "not cleared");
}

static void check_tensor(const tt_weights *w, const tt_tensor *t)
{
    size_t count = 1;
    const size_t name = strlen(t->name);
    FUZZ_CHECK(name <= TT_MAX_NAME, "a name of %zu bytes", name);
    FUZZ_CHECK(tt_weights_find(w, t->name) == t, "%s is not found", t->name);
    FUZZ_CHECK(t->rank >= 0 && t->rank <= TT_MAX_RANK && (int)t->dtype >= TT_F32 && t->dtype <= TT_BOOL,
               "%s: rank %d, type %d", t->name, t->rank, t->dtype);
    for (int i = 0; i < t->rank; i++)
        FUZZ_CHECK(!__builtin_mul_overflow(count, t->shape[i], &count) || !t->count, "%s: overflow", t->name);
    FUZZ_CHECK(count == t->count || !t->count, "%s: %zu values, the shape has %zu", t->name, t->count, count);
    FUZZ_CHECK(t->bytes == t->count * tt_dtype_size(t->dtype), "%s: %zu bytes", t->name, t->bytes);
    FUZZ_CHECK(!t->bytes || (t->data && !__asan_region_is_poisoned((void *)t->data, t->bytes)),
               "%s: its data is neither in the file nor made", t->name);
}

static void check_weights(const tt_weights *w)
{
    FUZZ_CHECK(w->count <= TT_MAX_TENSORS, "%zu tensors", w->count);
    for (size_t i = 0; i < w->count; i++) {
        FUZZ_CHECK(!i || strcmp(w->tensors[i - 1].name, w->tensors[i].name) < 0, "%s stands wrong",
                   w->tensors[i].name);
        check_tensor(w, &w->tensors[i]);
    }
    for (size_t i = 0; w->metadata && w->metadata[i]; i += 2)
        FUZZ_CHECK(w->metadata[i + 1], "metadata %s has no value", w->metadata[i]);
}

static bool same_bytes(const void *a, const void *b, size_t n)
{
    return !n || !memcmp(a, b, n);
}

static void check_same(const tt_weights *a, const tt_weights *b)
{
    FUZZ_CHECK(a->count == b->count && !strcmp(a->format, b->format), "%zu tensors, then %zu", a->count,
               b->count);
    for (size_t i = 0; i < a->count; i++) {
        const tt_tensor *x = &a->tensors[i], *y = &b->tensors[i];
        FUZZ_CHECK(!strcmp(x->name, y->name) && x->dtype == y->dtype && x->rank == y->rank &&
                       x->bytes == y->bytes && same_bytes(x->shape, y->shape, sizeof x->shape) &&
                       same_bytes(x->data, y->data, x->bytes),
                   "%s is another the second time", x->name);
    }
    size_t i = 0;
    for (; a->metadata && a->metadata[i]; i++)
        FUZZ_CHECK(b->metadata && b->metadata[i] && !strcmp(a->metadata[i], b->metadata[i]),
                   "other metadata the second time");
    FUZZ_CHECK(!b->metadata || !b->metadata[i], "more metadata the second time");
}

/* Floats of each tensor that is not huge: finite, or refused by its name. */
static void convert(const tt_weights *w)
{
    static float floats[MOST_FLOATS];
    for (size_t i = 0; i < w->count; i++) {
        const tt_tensor *t = &w->tensors[i];
        tt_error err = {0};
        if (t->count > MOST_FLOATS)
            continue;
        const tt_status st = tt_tensor_floats(w, t, floats, &err);
        FUZZ_CHECK(st == TT_OK || st == TT_ERR_NUMERIC || st == TT_ERR_UNSUPPORTED, "%s: status %d", t->name,
                   st);
        FUZZ_CHECK(st == TT_OK || strlen(err.text) > 10, "%s: no sentence", t->name);
        for (size_t j = 0; st == TT_OK && j < t->count; j++)
            FUZZ_CHECK(floats[j] - floats[j] == 0, "%s: [%zu] is not finite", t->name, j);
    }
}

long fuzz_pick(const uint8_t *data, size_t size, long most)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * 1099511628211u;
    return most ? 1 + (long)((h ^ h >> 32) % (uint64_t)most) : 0;
}

/* Which network is it? */
static tt_status describe(tt_weights *w, tt_error *err)
{
    const tt_model *model = NULL;
    tt_traits traits;
    tt_graph *graph = NULL;
    tt_status st = tt_model_adopt(w, err);
    if (!st)
        st = tt_model_build(w, NULL, &model, &traits, &graph, err);
    FUZZ_CHECK(st ? !graph : graph && model, "status %d, %s graph", st, graph ? "a" : "no");
    tt_graph_free(graph);
    return st;
}

static void check_network(tt_weights *w)
{
    tt_error err = {0};
    const tt_status st = describe(w, &err);
    FUZZ_CHECK(st == TT_OK || st == TT_ERR_FORMAT || st == TT_ERR_UNSUPPORTED || st == TT_ERR_NUMERIC,
               "status %d: %s", st, err.text);
    FUZZ_CHECK(!st || (err.status == st && strlen(err.text) > 10), "no sentence");
    check_weights(w);
}

static tt_status open_file(tt_weights *w, const fuzz_file *f, tt_error *err)
{
    return f->beside ? tt_weights_open_pair(w, f->data, f->size, f->beside, f->beside_size, "test.param", err)
                     : tt_weights_open_memory(w, f->data, f->size, "test", err);
}

/* Like the first time, but that an allocation fails. */
static void open_starved(const fuzz_file *f, tt_status before, long allocations)
{
    tt_weights w;
    tt_error err = {0};
    faults_fail(fuzz_pick(f->data, f->size, allocations), f->size & 1);
    const tt_status st = open_file(&w, f, &err);
    faults_fail(0, 0);
    FUZZ_CHECK(st == before || st == TT_ERR_MEMORY, "without memory: status %d, %d with it: %s", st, before,
               err.text);
    if (st)
        check_failure(&w, st, &err);
    else
        check_weights(&w);
    tt_weights_clear(&w);
}

void fuzz_open(const fuzz_file *f)
{
    tt_weights w[2];
    tt_error err[2];
    tt_status st[2];
    long allocations = 0;
    memset(w, 0x55, sizeof w); /* what was there must not be looked at */
    memset(err, 0, sizeof err);
    for (int i = 0; i < 2; i++) {
        faults_allocations();
        st[i] = open_file(&w[i], f, &err[i]);
        allocations = faults_allocations();
        if (st[i])
            check_failure(&w[i], st[i], &err[i]);
        else
            check_weights(&w[i]);
    }
    FUZZ_CHECK(st[0] == st[1] && !strcmp(err[0].text, err[1].text), "'%s', and then '%s'", err[0].text,
               err[1].text);
    FUZZ_CHECK(st[0] != TT_ERR_INTERNAL && st[0] != TT_ERR_MEMORY, "%s", err[0].text);
    if (!st[0]) {
        check_same(&w[0], &w[1]);
        if (!strcmp(w[0].format, f->format)) {
            convert(&w[0]);
            check_network(&w[0]);
        }
    }
    for (int i = 0; i < 2; i++)
        tt_weights_clear(&w[i]);
    open_starved(f, st[0], allocations);
}

/* ---- mutators ------------------------------------------------------------------------------------- */

fuzz_random fuzz_seed(unsigned seed)
{
    return (fuzz_random){.state = seed * 2654435761u + 88172645463325252u};
}

uint64_t fuzz_next(fuzz_random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state * 2685821657736338717u;
}

size_t fuzz_below(fuzz_random *r, size_t n)
{
    return n ? (size_t)((fuzz_next(r) >> 16) % n) : 0;
}

uint64_t fuzz_number(fuzz_random *r, uint64_t size)
{
    const uint64_t near = fuzz_below(r, 5) - 2;
    switch (fuzz_below(r, 4)) {
    case 0:
        return fuzz_below(r, 20);
    case 1:
        return ((uint64_t)1 << fuzz_below(r, 64)) + near;
    case 2:
        return size + near;
    default:
        return fuzz_below(r, (size_t)size + 1);
    }
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

void fuzz_append(fuzz_bytes *b, const void *data, size_t size)
{
    if (b->room - b->size < size) {
        b->room = 2 * (b->size + size) + 64;
        b->data = must(realloc(b->data, b->room));
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void fuzz_append_number(fuzz_bytes *b, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++, n >>= 8)
        fuzz_append(b, &(uint8_t){(uint8_t)n}, 1);
}

uint64_t fuzz_le(const uint8_t *at, int bytes)
{
    uint64_t n = 0;
    while (bytes--)
        n = n << 8 | at[bytes];
    return n;
}

void fuzz_mutate_part(fuzz_bytes *to, const uint8_t *part, size_t size, fuzz_random *r)
{
    const size_t most = size + 64;
    to->size = 0;
    if (to->room < most) {
        to->room = most;
        to->data = must(realloc(to->data, most));
    }
    if (size)
        memcpy(to->data, part, size);
    to->size = size;
    for (size_t times = 1 + fuzz_below(r, 3); times--;)
        to->size = LLVMFuzzerMutate(to->data, to->size, most);
}

size_t fuzz_give(fuzz_bytes *b, uint8_t *data, size_t size, size_t most)
{
    const bool fits = b->size && b->size <= most;
    if (fits) {
        memcpy(data, b->data, b->size);
        size = b->size;
    }
    free(b->data);
    *b = (fuzz_bytes){0};
    return fits ? size : LLVMFuzzerMutate(data, size, most);
}
