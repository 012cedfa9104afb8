#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "engine/weights.h"

#include "engine/alloc.h"
#include "engine/weights/cursor.h"
#include "kernels/cpu.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* No file for a network is near this; /dev/zero and a pipe that never ends are beyond it. */
static const uint64_t max_file = (uint64_t)8 << 30;

/* ---- dtypes --------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [TT_F32] = {"F32", 4}, [TT_F16] = {"F16", 2},   [TT_BF16] = {"BF16", 2}, [TT_F64] = {"F64", 8},
    [TT_I64] = {"I64", 8}, [TT_I32] = {"I32", 4},   [TT_I16] = {"I16", 2},   [TT_I8] = {"I8", 1},
    [TT_U8] = {"U8", 1},   [TT_BOOL] = {"BOOL", 1},
};

const char *tt_dtype_name(tt_dtype d)
{
    return dtypes[d].name;
}

size_t tt_dtype_size(tt_dtype d)
{
    return dtypes[d].size;
}

/* ---- the file ------------------------------------------------------------------------------------- */

static bool ends_with(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && !strcmp(path + n - m, ending);
}

const tt_weight_reader *tt_weights_reader(const char *path, const unsigned char *head, size_t size)
{
    for (int i = 0; tt_weight_readers[i]; i++)
        if (tt_weight_readers[i]->probe(head, size))
            return tt_weight_readers[i];
    for (int i = 0; tt_weight_readers[i]; i++)
        if (tt_weight_readers[i]->ending && ends_with(path, tt_weight_readers[i]->ending))
            return tt_weight_readers[i];
    return NULL;
}

static tt_status pick_reader(const tt_weights *w, const unsigned char *head, size_t size,
                             const tt_weight_reader **reader, tt_error *err)
{
    if (!size)
        return tt_fail(err, TT_ERR_FORMAT, "%s: the file is empty", w->path);
    *reader = tt_weights_reader(w->path, head, size);
    if (*reader)
        return TT_OK;
    char known[256] = "";
    for (int i = 0; tt_weight_readers[i]; i++) {
        strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, tt_weight_readers[i]->name, sizeof known - strlen(known) - 1);
    }
    return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: not a weight file of a known format (%s), or cut short",
                   w->path, known);
}

static tt_status read_failed(const tt_weights *w, tt_error *err)
{
    return tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", w->path, strerror(errno));
}

/*
 * Up to `want` bytes into `to`; *got says how many came: fewer only at the end of the file. `at` is the place
 * in a regular file, or -1 to read on in a stream.
 */
static bool read_some(int fd, unsigned char *to, size_t want, off_t at, size_t *got)
{
    *got = 0;
    while (*got < want) {
        const size_t left = want - *got, ask = left < (1u << 30) ? left : 1u << 30;
        const ssize_t n = at < 0 ? read(fd, to + *got, ask) : pread(fd, to + *got, ask, at + (off_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

/* A pipe, a device: read to its end, into memory that doubles. The first bytes are looked at before more is
 * read, so what is no weight file at all costs nothing. */
static tt_status read_stream(tt_weights *w, int fd, const tt_weight_reader **reader, tt_error *err)
{
    size_t room = 1 << 16;
    for (;;) {
        unsigned char *grown = tt_aligned_malloc(room);
        if (!grown)
            return tt_fail_memory(err, room);
        if (w->bytes) /* nothing yet on the first round */
            memcpy(grown, w->bytes, w->size);
        tt_aligned_free(w->bytes);
        w->bytes = grown;
        size_t got;
        if (!read_some(fd, w->bytes + w->size, room - w->size, -1, &got))
            return read_failed(w, err);
        w->size += got;
        if (!*reader) {
            const tt_status st = pick_reader(w, w->bytes, w->size, reader, err);
            if (st)
                return st;
        }
        if (w->size < room)
            return TT_OK;
        if (room >= max_file || room > SIZE_MAX / 2)
            return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: more than %zu bytes", w->path, room);
        room *= 2;
    }
}

/* The size is asked once. Who writes to the file meanwhile can spoil the contents, never the bounds. */
static tt_status read_regular(tt_weights *w, int fd, off_t size, const tt_weight_reader **reader,
                              tt_error *err)
{
    unsigned char head[512];
    size_t got;
    if ((uint64_t)size > max_file || (uint64_t)size > SIZE_MAX / 2)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %llu bytes, more than any network has", w->path,
                       (unsigned long long)size);
    const size_t n = (size_t)size;
    if (!read_some(fd, head, n < sizeof head ? n : sizeof head, 0, &got))
        return read_failed(w, err);
    const tt_status st = *reader ? TT_OK : pick_reader(w, head, got, reader, err);
    if (st)
        return st;
    w->bytes = tt_aligned_malloc(n);
    if (!w->bytes)
        return tt_fail_memory(err, n);
    if (!read_some(fd, w->bytes, n, 0, &got))
        return read_failed(w, err);
    if (got < n)
        return tt_fail(err, TT_ERR_INPUT, "%s: byte %zu: the file was cut short while it was read", w->path,
                       got);
    w->size = n;
    return TT_OK;
}

/* All of w->path. *reader, where NULL, becomes the one that knows it. */
static tt_status read_file(tt_weights *w, const tt_weight_reader **reader, tt_error *err)
{
    const int fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return tt_fail(err, TT_ERR_INPUT, "%s: cannot be opened: %s", w->path, strerror(errno));
    struct stat s;
    tt_status st;
    if (fstat(fd, &s))
        st = read_failed(w, err);
    else if (S_ISDIR(s.st_mode))
        st = tt_fail(err, TT_ERR_INPUT, "%s: is a directory, not a weight file", w->path);
    else if (S_ISREG(s.st_mode))
        st = read_regular(w, fd, s.st_size, reader, err);
    else
        st = read_stream(w, fd, reader, err);
    close(fd); /* only read from: nothing it says matters */
    return st;
}

/* ---- open, find, clear ---------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const tt_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Where every name begins with `prefix`, as the names of a network trained on several cards do: without it. */
static void take_off(tt_weights *w, const char *prefix)
{
    const size_t n = strlen(prefix);
    for (size_t i = 0; i < w->count; i++)
        if (strncmp(w->tensors[i].name, prefix, n) || !w->tensors[i].name[n])
            return;
    for (size_t i = 0; i < w->count; i++)
        memmove(w->tensors[i].name, w->tensors[i].name + n, strlen(w->tensors[i].name + n) + 1);
}

tt_status tt_weights_sort(tt_weights *w, tt_error *err)
{
    if (w->count) /* tensors may be NULL else */
        qsort(w->tensors, w->count, sizeof *w->tensors, by_name);
    for (size_t i = 1; i < w->count; i++) {
        if (!strcmp(w->tensors[i - 1].name, w->tensors[i].name))
            return tt_fail(err, TT_ERR_FORMAT, "%s: tensor '%s': the name stands twice", w->path,
                           w->tensors[i].name);
    }
    return TT_OK;
}

static tt_status parse(tt_weights *w, const tt_weight_reader *reader, tt_error *err)
{
    w->format = reader->name;
    const tt_status st = reader->open(w, err);
    if (st)
        return st;
    take_off(w, "module.");
    take_off(w, "netG.");
    return tt_weights_sort(w, err);
}

tt_status tt_weights_open(tt_weights *w, const char *path, tt_error *err)
{
    const tt_weight_reader *reader = NULL;
    tt_status st;
    *w = (tt_weights){.path = strdup(path)};
    if (!w->path)
        return tt_fail_memory(err, strlen(path) + 1);
    st = read_file(w, &reader, err);
    if (!st)
        st = parse(w, reader, err);
    if (st)
        tt_weights_clear(w);
    return st;
}

tt_status tt_weights_open_memory(tt_weights *w, const void *bytes, size_t size, const char *label,
                                 tt_error *err)
{
    return tt_weights_open_pair(w, bytes, size, NULL, 0, label, err);
}

tt_status tt_weights_open_pair(tt_weights *w, const void *bytes, size_t size, const void *beside,
                               size_t beside_size, const char *label, tt_error *err)
{
    const tt_weight_reader *reader = NULL;
    tt_status st;
    *w = (tt_weights){.path = strdup(label)};
    if (!w->path)
        return tt_fail_memory(err, strlen(label) + 1);
    w->bytes = (unsigned char *)bytes; /* borrowed: neither written nor freed */
    w->size = size;
    w->borrowed = true;
    w->beside = beside;
    w->beside_size = beside_size;
    st = pick_reader(w, bytes, size, &reader, err);
    if (!st)
        st = parse(w, reader, err);
    if (st)
        tt_weights_clear(w);
    return st;
}

void tt_weights_clear(tt_weights *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->tensors[i].name);
    free(w->tensors);
    for (size_t i = 0; w->metadata && w->metadata[i]; i++)
        free(w->metadata[i]);
    free(w->metadata);
    for (size_t i = 0; i < w->made_count; i++)
        tt_aligned_free(w->made[i]);
    free(w->made);
    if (!w->borrowed)
        tt_aligned_free(w->bytes);
    free(w->path);
    *w = (tt_weights){0};
}

/* Into the list of what is freed with w; `p` is freed at once where the list cannot grow. */
static bool keep(tt_weights *w, void *p, tt_error *err)
{
    const size_t n = w->made_count;
    if (!(n & (n - 1))) { /* full: at powers of two it doubles */
        const size_t room = n ? 2 * n : 1;
        void **more = realloc(w->made, room * sizeof *more);
        if (!more) {
            tt_aligned_free(p);
            tt_fail_memory(err, room * sizeof *more);
            return false;
        }
        w->made = more;
    }
    w->made[w->made_count++] = p;
    return true;
}

void *tt_weights_alloc(tt_weights *w, size_t bytes, tt_error *err)
{
    void *p = tt_aligned_zalloc(bytes);
    if (!p)
        tt_fail_memory(err, bytes);
    return p && keep(w, p, err) ? p : NULL;
}

/* a path with another ending, the dot with it */
static char *path_beside(tt_weights *w, const char *ending, tt_error *err)
{
    const char *slash = strrchr(w->path, '/'), *dot = strrchr(slash ? slash : w->path, '.');
    const size_t stem = dot ? (size_t)(dot - w->path) : strlen(w->path);
    char *path = tt_weights_alloc(w, stem + strlen(ending) + 1, err);
    if (path) {
        memcpy(path, w->path, stem);
        strcpy(path + stem, ending);
    }
    return path;
}

tt_status tt_weights_beside(tt_weights *w, const char *ending, const char **path, tt_error *err)
{
    tt_error why = {0};
    *path = path_beside(w, ending, err);
    if (!*path)
        return TT_ERR_MEMORY;
    if (w->beside)
        return TT_OK;
    if (w->borrowed)
        return tt_fail(err, TT_ERR_INPUT, "%s: is one of two files, and its %s did not come with it", w->path,
                       ending);
    tt_weights other = {.path = strdup(*path)};
    if (!other.path)
        return tt_fail_memory(err, strlen(*path) + 1);
    const tt_weight_reader *known = tt_weight_readers[0]; /* any: what the file is has been decided */
    tt_status st = read_file(&other, &known, &why);
    if (st == TT_ERR_INPUT)
        st = tt_fail(err, st, "%s: is one of two files, and the other is missing: %s", w->path, why.text);
    else if (st)
        st = tt_fail(err, st, "%s", why.text);
    if (!st) {
        w->beside = other.bytes;
        w->beside_size = other.size;
        other.bytes = NULL;
        st = keep(w, (void *)w->beside, err) ? TT_OK : TT_ERR_MEMORY;
    }
    tt_weights_clear(&other);
    return st;
}

tt_status tt_weights_add(tt_weights *w, const char *name, tt_dtype dtype, int rank, const size_t *shape,
                         tt_error *err)
{
    const size_t length = strlen(name);
    if (!length || length > TT_MAX_NAME)
        return tt_fail(err, TT_ERR_FORMAT, "%s: a tensor's name has %zu bytes, 1 to %d are allowed", w->path,
                       length, TT_MAX_NAME);
    if (rank < 0 || rank > TT_MAX_RANK)
        return tt_fail(err, TT_ERR_FORMAT, "%s: tensor '%s': %d dimensions, at most %d are supported", w->path,
                       name, rank, TT_MAX_RANK);
    if (w->count >= TT_MAX_TENSORS)
        return tt_fail(err, TT_ERR_FORMAT, "%s: more than %d tensors", w->path, TT_MAX_TENSORS);
    tt_tensor t = {.dtype = dtype, .rank = rank};
    /* zeros left out: an empty tensor's other dimensions must not overflow either */
    size_t product = 1;
    bool empty = false, fits = true;
    for (int i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
        empty |= !shape[i];
        fits = fits && tt_mul(product, shape[i] ? shape[i] : 1, &product);
    }
    if (!fits || !tt_mul(product, tt_dtype_size(dtype), &t.bytes))
        return tt_fail(err, TT_ERR_FORMAT, "%s: tensor '%s': its shape makes it larger than any memory",
                       w->path, name);
    t.count = empty ? 0 : product;
    t.bytes = empty ? 0 : t.bytes;
    if (w->count >= w->room) {
        const size_t room = w->count ? 2 * w->count : 64;
        tt_tensor *more = realloc(w->tensors, room * sizeof *more);
        if (!more)
            return tt_fail_memory(err, room * sizeof *more);
        w->tensors = more;
        w->room = room;
    }
    t.name = malloc(length + 1);
    if (!t.name)
        return tt_fail_memory(err, length + 1);
    memcpy(t.name, name, length + 1);
    w->tensors[w->count++] = t;
    return TT_OK;
}

tt_status tt_weights_note(tt_weights *w, const char *key, const char *value, tt_error *err)
{
    size_t n = 0;
    while (w->metadata && w->metadata[n] && strcmp(w->metadata[n], key))
        n += 2;
    const bool there = w->metadata && w->metadata[n];
    char *v = strdup(value);
    if (there && v) {
        free(w->metadata[n + 1]);
        w->metadata[n + 1] = v;
        return TT_OK;
    }
    char *k = strdup(key);
    char **more = k && v ? realloc(w->metadata, (n + 3) * sizeof *more) : NULL;
    if (!more) {
        free(k);
        free(v);
        return tt_fail_memory(err, strlen(key) + strlen(value) + 2 + (n + 3) * sizeof *more);
    }
    w->metadata = more;
    more[n] = k;
    more[n + 1] = v;
    more[n + 2] = NULL;
    return TT_OK;
}

const char *tt_weights_said(const tt_weights *w, const char *key)
{
    for (char **m = w->metadata; m && *m; m += 2)
        if (!strcmp(m[0], key))
            return m[1];
    return NULL;
}

const tt_tensor *tt_weights_find(const tt_weights *w, const char *name)
{
    size_t lo = 0, hi = w->count;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int order = strcmp(name, w->tensors[mid].name);
        if (!order)
            return &w->tensors[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

double tt_layer_number(const tt_layer *l, int key, int i, double usual)
{
    for (int j = 0; j < l->value_count; j++)
        if (l->values[j].key == key)
            return i < l->values[j].count ? l->values[j].value[i] : usual;
    return usual;
}

/* ---- values --------------------------------------------------------------------------------------- */

/* Elements converted at a time: they pass through aligned memory, as t->data may lie at any address. */
enum { CHUNK = 1024 };

static void read_f32(float *dst, tt_cursor *c, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const unsigned char *p;
    if (tt_cursor_take(c, n * 4, &p))
        memcpy(dst, p, n * 4);
#else
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        tt_cursor_u32(c, &bits);
        memcpy(&dst[i], &bits, 4);
    }
#endif
}

static void read_half(float *dst, tt_cursor *c, size_t n, tt_from_half_fn *convert)
{
    uint16_t half[CHUNK];
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const unsigned char *p;
    if (tt_cursor_take(c, n * 2, &p))
        memcpy(half, p, n * 2);
#else
    for (size_t i = 0; i < n; i++)
        tt_cursor_u16(c, &half[i]);
#endif
    convert(dst, half, n);
}

static void read_f64(float *dst, tt_cursor *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        double d;
        tt_cursor_u64(c, &bits);
        memcpy(&d, &bits, 8);
        /* out of range is undefined in C, so it is said: the caller refuses it with the infinite ones */
        dst[i] = d > FLT_MAX ? INFINITY : d < -FLT_MAX ? -INFINITY : (float)d;
    }
}

tt_status tt_tensor_floats(const tt_weights *w, const tt_tensor *t, float *dst, tt_error *err)
{
    tt_kernels k;
    size_t bad = 0, first = 0;
    if (t->dtype != TT_F32 && t->dtype != TT_F16 && t->dtype != TT_BF16 && t->dtype != TT_F64)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: tensor '%s': holds %s, wanted F32, F16, BF16 or F64",
                       w->path, t->name, tt_dtype_name(t->dtype));
    tt_kernels_init(&k, tt_cpu_detect());
    tt_cursor c = tt_cursor_init(t->data, t->bytes);
    for (size_t i = 0; i < t->count;) {
        const size_t n = t->count - i < CHUNK ? t->count - i : CHUNK;
        switch (t->dtype) {
        case TT_F16:
            read_half(dst + i, &c, n, k.from_f16);
            break;
        case TT_BF16:
            read_half(dst + i, &c, n, k.from_bf16);
            break;
        case TT_F64:
            read_f64(dst + i, &c, n);
            break;
        default:
            read_f32(dst + i, &c, n);
            break;
        }
        /* while the chunk is still in the cache */
        const size_t here = k.count_nonfinite(dst + i, n);
        for (size_t j = 0; here && !bad && j < n; j++) {
            if (k.count_nonfinite(dst + i + j, 1)) {
                first = i + j;
                break;
            }
        }
        bad += here;
        i += n;
    }
    if (bad)
        return tt_fail(
            err, TT_ERR_NUMERIC,
            "%s: tensor '%s': %zu of %zu values are infinite, not a number or too large, first [%zu]",
            w->path, t->name, bad, t->count, first);
    return TT_OK;
}
