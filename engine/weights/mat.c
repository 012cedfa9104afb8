/*
 * MATLAB level 5 (save -v6, -v7):  128 bytes of header | data elements
 *
 *     element     type u32, bytes u32, payload, padded to 8
 *     small one   bytes u16 above type u16, payload of 1 to 4 bytes in the next 4
 *     compressed  type 15: a zlib stream, not padded, that inflates to one element
 *     matrix      type 14: the elements flags (class), dimensions, name; then by class its numbers, column by
 * column, in any numeric type; or a matrix for each entry of a cell, for each field of a struct
 *
 * MathWorks, "MAT-File Format". A tensor has a variable's dimensions in reverse, the slowest first, so
 * nothing moves; those of a cell or struct are called "model.weight.0". Numbers stored as their class
 * (double, single) stay where they are, all others become doubles. Text, sparse matrices and objects are left
 * out.
 *
 * What is compressed inflates to a bound (inflate.h), all together.
 */
#include "engine/alloc.h"
#include "engine/weights.h"
#include "engine/weights/cursor.h"
#include "engine/weights/inflate.h"

#include <stdio.h>
#include <string.h>

enum {
    HEADER = 128,
    MOST_DEPTH = 16,
    MOST_ELEMENTS = 1 << 18,
    MOST_FIELD = 64, /* bytes of a field's name: MATLAB has 63 */
};

enum { MI_I8 = 1, MI_I32 = 5, MI_U32 = 6, MI_F32 = 7, MI_F64 = 9, MI_MATRIX = 14, MI_COMPRESSED = 15 };
enum { MX_CELL = 1, MX_STRUCT = 2, MX_DOUBLE = 6, MX_SINGLE = 7, MX_U64 = 15 };

typedef struct element {
    unsigned type;
    tt_cursor c; /* its payload */
} element;

typedef struct reading {
    tt_weights *w;
    const char *inside; /* " of the inflated variable", or "" */
    size_t elements;    /* read so far */
    size_t inflated;    /* bytes so far */
    tt_error *err;
} reading;

/* "FILE: byte 200 of the inflated variable: " and the reason */
#define FAIL(r, status, at, format, ...)                                                                     \
    tt_fail((r)->err, status, "%s: byte %zu%s: " format, (r)->w->path, at, (r)->inside, __VA_ARGS__)

static bool probe(const unsigned char *bytes, size_t size)
{
    static const char *const begins[] = {"MATLAB ", "\x89HDF\r\n\x1a\n"};
    for (size_t i = 0; i < 2; i++)
        if (size >= strlen(begins[i]) && !memcmp(bytes, begins[i], strlen(begins[i])))
            return true;
    /* other programs write other texts, but these four bytes */
    return size >= HEADER && (!memcmp(bytes + 124, "\0\1IM", 4) || !memcmp(bytes + 124, "\1\0MI", 4));
}

/* ---- elements ------------------------------------------------------------------------------------- */

/* The next element. Padding may be missing at the very end. */
static tt_status next_element(reading *r, tt_cursor *c, const char *what, element *e)
{
    uint32_t word, bytes;
    const size_t at = c->at;
    if (++r->elements > MOST_ELEMENTS)
        return FAIL(r, TT_ERR_FORMAT, at, "more than %d data elements", MOST_ELEMENTS);
    if (!tt_cursor_u32(c, &word) || !tt_cursor_u32(c, &bytes))
        return FAIL(r, TT_ERR_FORMAT, at, "cut short: the %s is wanted", what);
    if (word >> 16) { /* small: what was just read as bytes is the payload */
        const size_t n = word >> 16;
        tt_cursor back = {c->ptr - 4, 4, c->at - 4};
        if (n > 4)
            return FAIL(r, TT_ERR_FORMAT, at, "the %s is a small element of %zu bytes, at most 4 fit", what,
                        n);
        e->type = word & 0xffff;
        tt_cursor_sub(&back, n, &e->c);
        return TT_OK;
    }
    e->type = word;
    if (!tt_cursor_sub(c, bytes, &e->c))
        return FAIL(r, TT_ERR_FORMAT, at, "the %s has %u bytes, and %zu follow", what, (unsigned)bytes,
                    c->left);
    const size_t pad = word == MI_COMPRESSED ? 0 : (8 - bytes % 8) % 8;
    tt_cursor_skip(c, pad < c->left ? pad : c->left);
    return TT_OK;
}

/* The next element, which must be of a type. */
static tt_status wanted_element(reading *r, tt_cursor *c, const char *what, unsigned type, element *e)
{
    const size_t at = c->at;
    const tt_status st = next_element(r, c, what, e);
    if (!st && e->type != type)
        return FAIL(r, TT_ERR_FORMAT, at, "the %s is of type %u, type %u is wanted", what, e->type, type);
    return st;
}

/* ---- numbers -------------------------------------------------------------------------------------- */

static size_t storage_size(unsigned type)
{
    static const unsigned char size[] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8, 0, 0, 8, 8};
    return type < sizeof size ? size[type] : 0;
}

/* One number of a storage type. */
static double number(unsigned type, const unsigned char *p)
{
    uint64_t bits = 0;
    const size_t n = storage_size(type);
    for (size_t i = 0; i < n; i++)
        bits |= (uint64_t)p[i] << 8 * i;
    const uint32_t low = (uint32_t)bits;
    float f;
    double d;
    switch (type) {
    case 1:
        return (int8_t)low;
    case 3:
        return (int16_t)low;
    case 5:
        return (int32_t)low;
    case MI_F32:
        memcpy(&f, &low, sizeof f);
        return (double)f;
    case MI_F64:
        memcpy(&d, &bits, sizeof d);
        return d;
    case 12:
        return (double)(int64_t)bits;
    default:
        return (double)bits;
    }
}

/* Doubles of what is stored otherwise. */
static tt_status widen(reading *r, tt_tensor *t, unsigned type, const unsigned char *from)
{
    unsigned char *to = tt_weights_alloc(r->w, t->bytes, r->err);
    if (!to)
        return TT_ERR_MEMORY;
    for (size_t i = 0; i < t->count; i++) {
        const double d = number(type, from + i * storage_size(type));
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        for (size_t j = 0; j < 8; j++)
            to[8 * i + j] = (unsigned char)(bits >> 8 * j);
    }
    t->data = to;
    return TT_OK;
}

static tt_status numeric(reading *r, tt_cursor *c, const char *name, unsigned class, int rank,
                         const size_t *shape)
{
    element e;
    const size_t at = c->at;
    tt_status st = next_element(r, c, "numbers of a variable", &e);
    if (st)
        return st;
    const size_t size = storage_size(e.type);
    if (!size)
        return FAIL(r, TT_ERR_FORMAT, at, "the numbers of %.200s are of type %u, which is none", name,
                    e.type);
    const bool single = class == MX_SINGLE && e.type == MI_F32;
    st = tt_weights_add(r->w, name, single ? TT_F32 : TT_F64, rank, shape, r->err);
    if (st)
        return st;
    tt_tensor *t = &r->w->tensors[r->w->count - 1];
    if (e.c.left % size || e.c.left / size != t->count)
        return FAIL(r, TT_ERR_FORMAT, at, "%.200s has %zu bytes of numbers, its dimensions want %zu of %zu",
                    name, e.c.left, t->count, size);
    t->data = e.c.ptr;
    return single || (class == MX_DOUBLE && e.type == MI_F64) ? TT_OK : widen(r, t, e.type, e.c.ptr);
}

/* ---- matrices ------------------------------------------------------------------------------------- */

/* What every matrix begins with. */
typedef struct head {
    unsigned class;
    bool complex;
    int rank;
    size_t shape[TT_MAX_RANK]; /* reversed */
    size_t count;
    char name[MOST_FIELD];
} head;

static tt_status read_head(reading *r, tt_cursor *c, head *h)
{
    element e;
    uint32_t flags, size;
    size_t at = c->at;
    tt_status st = wanted_element(r, c, "flags of a variable", MI_U32, &e);
    if (st)
        return st;
    if (!tt_cursor_u32(&e.c, &flags))
        return FAIL(r, TT_ERR_FORMAT, at, "%s", "the flags of a variable are cut short");
    *h = (head){.class = flags & 0xff, .complex = flags >> 11 & 1, .count = 1};
    at = c->at;
    st = wanted_element(r, c, "dimensions of a variable", MI_I32, &e);
    if (st)
        return st;
    h->rank = (int)(e.c.left / 4 < 100 ? e.c.left / 4 : 100);
    if (h->rank > TT_MAX_RANK || e.c.left % 4)
        return FAIL(r, TT_ERR_FORMAT, at, "a variable of %zu dimensions, at most %d are supported",
                    e.c.left / 4, TT_MAX_RANK);
    for (int i = h->rank - 1; i >= 0; i--) {
        tt_cursor_u32(&e.c, &size);
        h->shape[i] = size;
        if (size > INT32_MAX || !tt_mul(h->count, size, &h->count))
            return FAIL(r, TT_ERR_FORMAT, at, "%s",
                        "the dimensions of a variable are larger than any memory");
    }
    at = c->at;
    st = wanted_element(r, c, "name of a variable", MI_I8, &e);
    if (st)
        return st;
    if (e.c.left >= sizeof h->name)
        return FAIL(r, TT_ERR_FORMAT, at, "a variable's name of %zu bytes, at most %d are allowed", e.c.left,
                    MOST_FIELD - 1);
    if (e.c.left)
        memcpy(h->name, e.c.ptr, e.c.left);
    return TT_OK;
}

/* The names of a struct's fields, one every `width` bytes. */
static tt_status read_fields(reading *r, tt_cursor *c, size_t *width, element *names)
{
    element e;
    uint32_t n;
    size_t at = c->at;
    tt_status st = wanted_element(r, c, "length of field names", MI_I32, &e);
    if (st)
        return st;
    tt_cursor_u32(&e.c, &n);
    if (n < 1 || n > MOST_FIELD)
        return FAIL(r, TT_ERR_FORMAT, at, "field names of %u bytes, 1 to %d are allowed", (unsigned)n,
                    MOST_FIELD);
    *width = n;
    at = c->at;
    st = wanted_element(r, c, "names of fields", MI_I8, names);
    if (!st && names->c.left % n)
        return FAIL(r, TT_ERR_FORMAT, at, "%zu bytes of field names, %u each", names->c.left, (unsigned)n);
    return st;
}

static tt_status read_matrix(reading *r, tt_cursor c, const char *prefix, int depth);

/* The entries of a cell, the fields of a struct's entries: matrices, called by number and field. */
static tt_status read_inside(reading *r, tt_cursor *c, const head *h, const char *name, int depth)
{
    size_t width = 0, fields = 1;
    element names = {0};
    if (h->class == MX_STRUCT) {
        const tt_status st = read_fields(r, c, &width, &names);
        if (st)
            return st;
        fields = names.c.left / width;
    }
    size_t n;
    if (!tt_mul(h->count, fields, &n) || !tt_cursor_holds(c, n, 8))
        return FAIL(r, TT_ERR_FORMAT, c->at, "%.200s has %zu entries of %zu fields, and %zu bytes follow",
                    name, h->count, fields, c->left);
    for (size_t i = 0; i < n; i++) {
        char inner[TT_MAX_NAME + 1], number_text[24] = "";
        element e;
        const size_t at = c->at, entry = i / fields;
        if (h->class == MX_CELL || h->count > 1)
            snprintf(number_text, sizeof number_text, ".%zu", entry);
        const char *field = width ? (const char *)names.c.ptr + i % fields * width : "";
        const int length = snprintf(inner, sizeof inner, "%s%s%s%.*s", name, number_text, width ? "." : "",
                                    (int)width, field);
        if (length >= (int)sizeof inner)
            return FAIL(r, TT_ERR_FORMAT, at, "the names inside %.60s are longer than %d bytes", name,
                        TT_MAX_NAME);
        tt_status st = wanted_element(r, c, "entry of a cell or struct", MI_MATRIX, &e);
        if (!st && e.c.left) /* 0 bytes: [] */
            st = read_matrix(r, e.c, inner, depth + 1);
        if (st)
            return st;
    }
    return TT_OK;
}

/* A matrix, called `prefix`, or where that is empty by its own name. */
static tt_status read_matrix(reading *r, tt_cursor c, const char *prefix, int depth)
{
    head h;
    if (depth > MOST_DEPTH)
        return FAIL(r, TT_ERR_FORMAT, c.at, "cells and structs nested deeper than %d", MOST_DEPTH);
    const tt_status st = read_head(r, &c, &h);
    if (st)
        return st;
    const char *name = *prefix ? prefix : h.name;
    if (h.class == MX_CELL || h.class == MX_STRUCT)
        return read_inside(r, &c, &h, name, depth);
    if (h.class < MX_DOUBLE || h.class > MX_U64)
        return TT_OK; /* text, sparse, an object, a function: no weights */
    if (h.complex)
        return FAIL(r, TT_ERR_UNSUPPORTED, c.at, "%.200s is of complex numbers, which are not supported",
                    name);
    return numeric(r, &c, name, h.class, h.rank, h.shape);
}

/* ---- compressed ----------------------------------------------------------------------------------- */

/* Inflates exactly n bytes of the element at `at`. */
static tt_status inflate_some(reading *r, z_stream *z, size_t at, unsigned char *to, size_t n)
{
    while (n) {
        const uInt ask = n < (1u << 30) ? (uInt)n : 1u << 30;
        z->next_out = to;
        z->avail_out = ask;
        const int st = inflate(z, Z_SYNC_FLUSH);
        const size_t got = ask - z->avail_out;
        to += got;
        n -= got;
        if (st == Z_MEM_ERROR)
            return tt_fail(r->err, TT_ERR_MEMORY, "%s: no memory for inflating a variable", r->w->path);
        if (n && (st != Z_OK || !got))
            return FAIL(r, TT_ERR_FORMAT, at,
                        "the compressed variable is cut short or damaged, %zu bytes before its end", n);
    }
    return TT_OK;
}

/* The variable inside a compressed element. */
static tt_status inflate_matrix(reading *r, z_stream *z, size_t at)
{
    unsigned char first[8];
    tt_status st = inflate_some(r, z, at, first, sizeof first);
    if (st)
        return st;
    tt_cursor c = tt_cursor_init(first, sizeof first);
    uint32_t type, bytes;
    tt_cursor_u32(&c, &type);
    tt_cursor_u32(&c, &bytes);
    if (type != MI_MATRIX)
        return FAIL(r, TT_ERR_FORMAT, at, "the compressed element is of type %u, a variable (%d) is wanted",
                    (unsigned)type, MI_MATRIX);
    const size_t most = tt_inflated_most(r->w->size);
    if (bytes > most - r->inflated)
        return FAIL(r, TT_ERR_FORMAT, at,
                    "the compressed variables inflate to more than %zu bytes, which no weights do", most);
    r->inflated += bytes;
    unsigned char *inside = tt_weights_alloc(r->w, bytes, r->err);
    if (!inside)
        return TT_ERR_MEMORY;
    st = inflate_some(r, z, at, inside, bytes);
    if (st)
        return st;
    unsigned char end; /* the checksum is looked at when there is nothing more */
    z->next_out = &end;
    z->avail_out = 1;
    if (inflate(z, Z_FINISH) != Z_STREAM_END || z->avail_out != 1 || z->avail_in)
        return FAIL(r, TT_ERR_FORMAT, at, "%s",
                    "the compressed variable does not end where it says, or its checksum is wrong");
    r->inside = " of an inflated variable";
    st = read_matrix(r, tt_cursor_init(inside, bytes), "", 1);
    r->inside = "";
    return st;
}

static tt_status read_compressed(reading *r, tt_cursor c)
{
    z_stream z = tt_zlib_stream(c.ptr, c.left);
    if (inflateInit(&z) != Z_OK)
        return tt_fail(r->err, TT_ERR_MEMORY, "%s: no memory for inflating a variable", r->w->path);
    const tt_status st = inflate_matrix(r, &z, c.at);
    inflateEnd(&z);
    return st;
}

static tt_status open_mat(tt_weights *w, tt_error *err)
{
    reading r = {.w = w, .inside = "", .err = err};
    tt_cursor c = tt_cursor_init(w->bytes, w->size);
    const unsigned char *header = NULL;
    const bool hdf = w->bytes[0] == 0x89;
    if (!hdf && !tt_cursor_take(&c, HEADER, &header))
        return tt_fail(err, TT_ERR_FORMAT, "%s: cut short: %zu bytes, the header of a MATLAB file has %d",
                       w->path, w->size, HEADER);
    if (hdf || (!memcmp(header + 126, "IM", 2) && header[125] == 2))
        return tt_fail(err, TT_ERR_UNSUPPORTED,
                       "%s: a MATLAB 7.3 file (HDF5), which is not supported; save it with -v7", w->path);
    if (!memcmp(header + 126, "MI", 2))
        return tt_fail(err, TT_ERR_UNSUPPORTED,
                       "%s: byte 126: a big-endian MATLAB file, which is not supported", w->path);
    if (memcmp(header + 124, "\0\1IM", 4) != 0)
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte 124: not the version and byte order of a MATLAB 5 file",
                       w->path);
    tt_status st = TT_OK;
    while (c.left && !st) {
        element e;
        const size_t at = c.at;
        st = next_element(&r, &c, "next variable", &e);
        if (st)
            break;
        if (e.type == MI_MATRIX)
            st = read_matrix(&r, e.c, "", 1);
        else if (e.type == MI_COMPRESSED)
            st = read_compressed(&r, e.c);
        else
            st = FAIL(&r, TT_ERR_FORMAT, at, "an element of type %u, a variable (%d or %d) is wanted", e.type,
                      MI_MATRIX, MI_COMPRESSED);
    }
    return st;
}

const tt_weight_reader tt_weight_reader_mat = {
    .name = "MATLAB 5",
    .probe = probe,
    .open = open_mat,
};
