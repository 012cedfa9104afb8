#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* mkdtemp */
#include "engine/weights.h"
#include "tests/engine/hostile.h"
#include "tests/golden.h"

#include <check.h>
#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_engine_safetensors(void);

/* ---- tools ---------------------------------------------------------------------------------------- */

/* A file being made: the header's text, a length before it, `data` bytes 0, 1, 2, ... after it. */
typedef struct file {
    unsigned char *bytes;
    size_t size;
} file;

static file file_of(const char *header, size_t n, uint64_t claimed, size_t data)
{
    file f = {.size = 8 + n + data};
    f.bytes = malloc(f.size);
    ck_assert_ptr_nonnull(f.bytes);
    for (int i = 0; i < 8; i++)
        f.bytes[i] = (unsigned char)(claimed >> 8 * i);
    memcpy(f.bytes + 8, header, n);
    for (size_t i = 0; i < data; i++)
        f.bytes[8 + n + i] = (unsigned char)i;
    return f;
}

/* A failure is one clean sentence about the right file; a success is sound in every number. */
static void check_result(const tt_weights *w, tt_status st, const tt_error *err, const char *what)
{
    if (st) {
        ck_assert_msg(err->status == st, "%s: status %d, error says %d", what, st, err->status);
        ck_assert_msg(strlen(err->text) > 10 && !strpbrk(err->text, "\n\r\t"), "%s: '%s'", what, err->text);
        ck_assert_msg(!strncmp(err->text, "test: ", 6), "%s: does not begin with the file: '%s'", what,
                      err->text);
        ck_assert_msg(!w->path && !w->tensors && !w->count && !w->metadata && !w->bytes, "%s: not cleared",
                      what);
        return;
    }
    size_t total = 0;
    for (size_t i = 0; i < w->count; i++) {
        const tt_tensor *t = &w->tensors[i];
        size_t count = 1;
        ck_assert_msg(strlen(t->name) <= TT_MAX_NAME, "%s", what);
        ck_assert_msg(i == 0 || strcmp(w->tensors[i - 1].name, t->name) < 0, "%s: order of names", what);
        ck_assert_msg(tt_weights_find(w, t->name) == t, "%s: %s is not found", what, t->name);
        ck_assert_msg(t->rank >= 0 && t->rank <= TT_MAX_RANK && t->dtype <= TT_BOOL, "%s", what);
        for (int d = 0; d < t->rank; d++)
            count *= t->shape[d];
        ck_assert_msg(count == t->count && t->bytes == count * tt_dtype_size(t->dtype), "%s: %s", what,
                      t->name);
        ck_assert_msg(t->data >= w->bytes && t->bytes <= w->size &&
                          t->data <= w->bytes + (w->size - t->bytes),
                      "%s: %s: data outside the file", what, t->name);
        total += t->bytes;
        volatile unsigned char sum = 0; /* every byte can be read */
        for (size_t b = 0; b < t->bytes; b++)
            sum = (unsigned char)(sum + t->data[b]);
    }
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)w->bytes[i] << 8 * i;
    ck_assert_msg(8 + n + total == w->size, "%s: the tensors do not cover the data", what);
    for (size_t i = 0; w->metadata && w->metadata[i]; i++)
        ck_assert_msg(i % 2 || w->metadata[i + 1], "%s: a metadata key without a value", what);
}

static tt_status try_open(const unsigned char *bytes, size_t size, const char *what, tt_error *err)
{
    tt_weights w;
    memset(&w, 0x55, sizeof w); /* open must not look at what was there */
    memset(err, 0, sizeof *err);
    const tt_status st = tt_weights_open_memory(&w, bytes, size, "test", err);
    check_result(&w, st, err, what);
    tt_weights_clear(&w);
    return st;
}

typedef struct tally {
    size_t good, bad;
} tally;

static void survives(const unsigned char *bytes, size_t size, const char *what, void *arg)
{
    tally *t = arg;
    tt_error err;
    if (try_open(bytes, size, what, &err))
        t->bad++;
    else
        t->good++;
}

/* What a header, followed by so many bytes of data, leads to; "" among the words: nothing more is asked. */
typedef struct expectation {
    tt_status status;
    const char *words; /* stands in the message */
    tt_error err;
} expectation;

static void meets(const unsigned char *bytes, size_t size, const char *what, void *arg)
{
    expectation *e = arg;
    const tt_status st = try_open(bytes, size, what, &e->err);
    ck_assert_msg(st == e->status, "%s: status %d, wanted %d: %s", what, st, e->status,
                  st ? e->err.text : "no error");
    ck_assert_msg(!st || strstr(e->err.text, e->words), "%s: '%s' lacks '%s'", what, e->err.text, e->words);
}

static void expect_bytes(const char *header, size_t n, uint64_t claimed, size_t data, tt_status status,
                         const char *words)
{
    file f = file_of(header, n, claimed, data);
    expectation e = {.status = status, .words = words};
    char what[128];
    snprintf(what, sizeof what, "%.100s", header);
    hostile_plain(f.bytes, f.size, what, meets, &e);
    free(f.bytes);
}

static void expect(const char *header, size_t data, tt_status status, const char *words)
{
    expect_bytes(header, strlen(header), strlen(header), data, status, words);
}

/* Text that grows. */
typedef struct text {
    char *s;
    size_t n, room;
} text;

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static void
say(text *t, const char *format, ...)
{
    va_list ap;
    if (t->room - t->n < 2048) {
        t->room = 2 * t->room + 4096;
        t->s = realloc(t->s, t->room);
        ck_assert_ptr_nonnull(t->s);
    }
    va_start(ap, format);
    const int n = vsnprintf(t->s + t->n, t->room - t->n, format, ap);
    va_end(ap);
    ck_assert(n >= 0 && (size_t)n < t->room - t->n);
    t->n += (size_t)n;
}

/* A folder for one test; "" until made. */
static char folder[4096];

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tintype-test-XXXXXX", tmp && *tmp ? tmp : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *in_folder(const char *name)
{
    static char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void)
{
    unlink(in_folder("file"));
    rmdir(folder);
}

static void save(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

static const char small[] =
    "{\"__metadata__\":{\"format\":\"pt\"},\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":["
    "4,28]},"
    "\"b\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[2,4]},\"e\":{\"dtype\":\"I64\",\"shape\":[0,4],"
    "\"data_offsets\":[4,4]},\"\xc3\xbc\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}  ";

/* ---- sound files ---------------------------------------------------------------------------------- */

START_TEST(reads_every_dtype)
{
    tt_weights w;
    tt_error err;
    ck_assert_msg(!tt_weights_open(&w, golden_path("containers/dtypes.safetensors"), &err), "%s", err.text);
    ck_assert_str_eq(w.format, "safetensors");
    ck_assert_uint_eq(w.count, 5);
    ck_assert_ptr_nonnull(w.metadata);
    ck_assert_str_eq(w.metadata[0], "format");
    ck_assert_str_eq(w.metadata[1], "pt");
    ck_assert_ptr_null(w.metadata[2]);

    const tt_tensor *f32 = tt_weights_find(&w, "f32"), *f16 = tt_weights_find(&w, "f16"),
                    *bf16 = tt_weights_find(&w, "bf16"), *i64 = tt_weights_find(&w, "i64"),
                    *scalar = tt_weights_find(&w, "scalar");
    ck_assert(f32 && f16 && bf16 && i64 && scalar);
    ck_assert_ptr_null(tt_weights_find(&w, "f"));
    ck_assert_ptr_null(tt_weights_find(&w, "zzz"));
    ck_assert_ptr_null(tt_weights_find(&w, ""));
    ck_assert_ptr_null(tt_weights_find(&w, "__metadata__"));
    ck_assert(f32->dtype == TT_F32 && f16->dtype == TT_F16 && bf16->dtype == TT_BF16 && i64->dtype == TT_I64);
    ck_assert(f32->rank == 2 && f32->shape[0] == 6 && f32->shape[1] == 8 && f32->count == 48);
    ck_assert(scalar->rank == 0 && scalar->count == 1 && scalar->bytes == 4);

    float a[48], b[48], c[48], s;
    ck_assert(!tt_tensor_floats(&w, f32, a, &err) && !tt_tensor_floats(&w, f16, b, &err));
    ck_assert(!tt_tensor_floats(&w, bf16, c, &err) && !tt_tensor_floats(&w, scalar, &s, &err));
    ck_assert(s == 2.5f);
    ck_assert(a[0] == -0x1.868d74p+0f && b[0] == -0x1.868p+0f && c[0] == -0x1.86p+0f);
    ck_assert(a[1] == -0x1.801e62p-1f && b[1] == -0x1.8p-1f && c[1] == -0x1.8p-1f);
    ck_assert(a[47] == -0x1.427b56p-1f && b[47] == -0x1.428p-1f && c[47] == -0x1.42p-1f);
    for (int i = 0; i < 48; i++) { /* the halves were made from a by rounding: half a unit of 11, of 8 bits */
        ck_assert_msg(fabsf(b[i] - a[i]) <= ldexpf(fabsf(a[i]), -11), "f16[%d] = %g, f32 %g", i, b[i], a[i]);
        ck_assert_msg(fabsf(c[i] - a[i]) <= ldexpf(fabsf(a[i]), -8), "bf16[%d] = %g, f32 %g", i, c[i], a[i]);
    }
    for (int i = 0; i < 3; i++)
        ck_assert(i64->data[8 * i] == i && i64->data[8 * i + 1] == 0);
    ck_assert_int_eq(tt_tensor_floats(&w, i64, a, &err), TT_ERR_UNSUPPORTED);
    ck_assert(strstr(err.text, "i64") && strstr(err.text, "I64"));
    tt_weights_clear(&w);
    ck_assert_ptr_null(w.tensors);
    tt_weights_clear(&w); /* zeros are accepted */
}
END_TEST

START_TEST(reads_the_small_one)
{
    file f = file_of(small, sizeof small - 1, sizeof small - 1, 28);
    tt_weights w;
    tt_error err;
    tally t = {0};
    ck_assert_msg(!tt_weights_open_memory(&w, f.bytes, f.size, "test", &err), "%s", err.text);
    ck_assert_uint_eq(w.count, 4);
    ck_assert(w.bytes == f.bytes && w.borrowed);
    const tt_tensor *a = tt_weights_find(&w, "a.weight"), *e = tt_weights_find(&w, "e"),
                    *u = tt_weights_find(&w, "\xc3\xbc");
    ck_assert(a && e && u);
    ck_assert(a->data == f.bytes + f.size - 24 && a->count == 6 && a->bytes == 24);
    ck_assert(e->rank == 2 && e->count == 0 && e->bytes == 0 && e->shape[1] == 4);
    ck_assert(u->data[0] == 0 && u->data[1] == 1);
    tt_weights_clear(&w);
    hostile_plain(f.bytes, f.size, "as it is", survives, &t);
    ck_assert_uint_eq(t.good, 1);
    free(f.bytes);
}
END_TEST

START_TEST(empty_headers_are_sound)
{
    expect("{}", 0, TT_OK, "");
    expect("{}      ", 0, TT_OK, "");
    expect("{ \n\t}", 0, TT_OK, "");
    expect("{\"__metadata__\":{}}", 0, TT_OK, "");
    expect("{\"__metadata__\":{\"a\":\"\",\"\":\"b\"}}", 0, TT_OK, "");
    expect("{\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, TT_OK, "");
    expect("{\"x\":{\"data_offsets\":[0,1],\"shape\":[1,1,1,1,1,1,1,1],\"dtype\":\"I8\"}}", 1, TT_OK, "");
    expect("{\"\\u00fc\\n\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, TT_OK, "");
}
END_TEST

/* ---- values --------------------------------------------------------------------------------------- */

/* One tensor of n values, `item` bytes each, at an odd address. */
static tt_status floats_of(tt_dtype d, const void *values, size_t n, float *dst, tt_error *err)
{
    const size_t item = tt_dtype_size(d);
    text t = {0};
    say(&t, "{\"layer.%s\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", tt_dtype_name(d),
        tt_dtype_name(d), n, n * item);
    while (t.n % 2 == 0)
        say(&t, " ");
    file f = file_of(t.s, t.n, t.n, n * item);
    memcpy(f.bytes + 8 + t.n, values, n * item);
    tt_weights w;
    ck_assert_msg(!tt_weights_open_memory(&w, f.bytes, f.size, "test", err), "%s", err->text);
    const tt_status st = tt_tensor_floats(&w, &w.tensors[0], dst, err);
    tt_weights_clear(&w);
    free(f.bytes);
    free(t.s);
    return st;
}

START_TEST(converts_values)
{
    tt_error err;
    float got[8];
    /* little endian bytes, so the test means the same on every machine */
    const unsigned char f32[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x80, 1, 0, 0, 0, 0xff, 0xff, 0x7f, 0xff};
    ck_assert(!floats_of(TT_F32, f32, 4, got, &err));
    ck_assert(got[0] == 1 && got[1] == 0 && signbit(got[1]) && got[2] == ldexpf(1, -149) &&
              got[3] == -FLT_MAX);
    const unsigned char f16[] = {0, 0x3c, 1, 0, 0xff, 0x03, 0, 0x04, 0xff, 0x7b, 0, 0x80, 0x55, 0xb5};
    ck_assert(!floats_of(TT_F16, f16, 7, got, &err));
    ck_assert(got[0] == 1 && got[1] == ldexpf(1, -24) && got[2] == ldexpf(1023, -24) &&
              got[3] == ldexpf(1, -14));
    ck_assert(got[4] == 65504 && got[5] == 0 && signbit(got[5]) && got[6] == ldexpf(-1365, -12));
    const unsigned char bf16[] = {0x80, 0x3f, 0x49, 0xc0, 1, 0, 0x7f, 0x7f};
    ck_assert(!floats_of(TT_BF16, bf16, 4, got, &err));
    ck_assert(got[0] == 1 && got[1] == -3.140625f && got[2] == ldexpf(1, -133) && got[3] == ldexpf(255, 120));
    const unsigned char f64[] = {0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f, /* 0.1 */
                                 0,    0,    0,    0xe0, 0xff, 0xff, 0xef, 0xc7, /* -FLT_MAX */
                                 1,    0,    0,    0,    0,    0,    0,    0};
    ck_assert(!floats_of(TT_F64, f64, 3, got, &err));
    ck_assert(got[0] == 0.1f && got[1] == -FLT_MAX && got[2] == 0);
}
END_TEST

START_TEST(refuses_values_that_are_no_number)
{
    enum { N = 3000 };
    static const struct {
        tt_dtype dtype;
        unsigned char bytes[8];
    } bad[] = {
        {TT_F32, {0, 0, 0x80, 0x7f}},
        {TT_F32, {1, 0, 0x80, 0xff}},
        {TT_F16, {0, 0x7c}},
        {TT_F16, {1, 0xfc}},
        {TT_BF16, {0x80, 0xff}},
        {TT_BF16, {0xc0, 0x7f}},
        {TT_F64, {0, 0, 0, 0, 0, 0, 0xf0, 0x7f}},
        {TT_F64, {1, 0, 0, 0, 0, 0, 0xf0, 0xff}},
        {TT_F64, {1, 0, 0, 0xe0, 0xff, 0xff, 0xef, 0x47}}, /* the double after FLT_MAX */
        {TT_F64, {0, 0, 0, 0, 0, 0, 0xe0, 0xff}},
    };
    static const size_t places[] = {0, 1, 1023, 1024, 2047, 2048, N - 1};
    float *got = malloc(N * sizeof *got);
    unsigned char *v = calloc(N, 8);
    ck_assert(got && v);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
            const size_t item = tt_dtype_size(bad[k].dtype);
            tt_error err;
            char where[32];
            memset(v, 0, N * 8);
            ck_assert(!floats_of(bad[k].dtype, v, N, got, &err));
            memcpy(v + places[p] * item, bad[k].bytes, item);
            memcpy(v + (N - 1) * item, bad[k].bytes, item);
            ck_assert_int_eq(floats_of(bad[k].dtype, v, N, got, &err), TT_ERR_NUMERIC);
            snprintf(where, sizeof where, "[%zu]", places[p]);
            ck_assert_msg(strstr(err.text, tt_dtype_name(bad[k].dtype)) && strstr(err.text, where), "%s",
                          err.text);
            ck_assert_msg(strstr(err.text, places[p] == N - 1 ? ": 1 of 3000" : ": 2 of 3000"), "%s",
                          err.text);
        }
    }
    free(got);
    free(v);
}
END_TEST

/* ---- writing -------------------------------------------------------------------------------------- */

START_TEST(writes_what_it_reads)
{
    enum { N = 2520 };
    static const char *const meta[] = {"architecture", "sr\xc3\xa9seau \"x\"\n", "", "empty key", NULL};
    float data[N];
    for (int i = 0; i < N; i++)
        data[i] = (float)(i - 700) * 0.125f;
    data[1] = -0.0f;
    data[2] = ldexpf(1, -149);
    tt_tensor_out t[TT_MAX_RANK + 3] = {
        {"z.scalar", 0, {0}, data, TT_F32},
        {"empty", 3, {4, 0, 5}, NULL, TT_F32},
        {"all/of\\it.\xe2\x82\xac", 8, {1, 2, 3, 2, 1, 5, 7, 6}, data, TT_F32},
    };
    size_t n = 3;
    char names[TT_MAX_RANK][16];
    for (int r = 1; r <= TT_MAX_RANK; r++, n++) { /* [1], [1,2], [1,2,3], [1,2,3,1], ... */
        snprintf(names[r - 1], sizeof names[0], "rank%d", r);
        t[n] = (tt_tensor_out){.name = names[r - 1], .rank = r, .data = data + r};
        for (int d = 0; d < r; d++)
            t[n].shape[d] = (size_t)(d % 3 + 1);
    }
    unsigned char *out, *again;
    size_t size, size2;
    tt_error err;
    tt_weights w;
    ck_assert_msg(!tt_safetensors_write(t, n, meta, &out, &size, &err), "%s", err.text);
    ck_assert(!tt_safetensors_write(t, n, meta, &again, &size2, &err));
    ck_assert(size == size2 && !memcmp(out, again, size)); /* same input, same bytes */
    ck_assert_uint_eq(out[0] % 8, 0);                      /* data on 8 bytes */
    ck_assert_msg(!tt_weights_open_memory(&w, out, size, "test", &err), "%s", err.text);
    check_result(&w, TT_OK, &err, "written");
    ck_assert_uint_eq(w.count, n);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(w.metadata[i], meta[i]);
    ck_assert_ptr_null(w.metadata[4]);
    const unsigned char *end = NULL;
    for (size_t i = 0; i < n; i++) {
        const tt_tensor *r = tt_weights_find(&w, t[i].name);
        float got[N];
        ck_assert_ptr_nonnull(r);
        ck_assert(r->dtype == TT_F32 && r->rank == t[i].rank);
        ck_assert(!memcmp(r->shape, t[i].shape, sizeof r->shape));
        ck_assert_msg(!end || r->data == end, "%s: not in the order given", r->name);
        end = r->data + r->bytes;
        ck_assert(!tt_tensor_floats(&w, r, got, &err));
        ck_assert(!r->count || !memcmp(got, t[i].data, r->count * sizeof *got));
    }
    tt_weights_clear(&w);

    /* and through a file, in memory of its own */
    make_folder();
    const char *path = in_folder("file");
    save(path, out, size);
    ck_assert_msg(!tt_weights_open(&w, path, &err), "%s", err.text);
    ck_assert(!truncate(path, 0)); /* someone cuts it: no harm */
    ck_assert(w.size == size && !memcmp(w.bytes, out, size) && !w.borrowed);
    ck_assert_str_eq(w.path, path);
    tt_weights_clear(&w);
    remove_folder();
    free(out);
    free(again);

    ck_assert(!tt_safetensors_write(NULL, 0, NULL, &out, &size, &err));
    ck_assert(size == 16 && !memcmp(out + 8, "{}      ", 8));
    free(out);
    ck_assert(!tt_safetensors_write(NULL, 0, meta + 4, &out, &size, &err));
    ck_assert_uint_eq(size, 16);
    free(out);
}
END_TEST

START_TEST(refuses_to_write_nonsense)
{
    static char name[TT_MAX_NAME + 2];
    const float x = 1;
    memset(name, 'n', TT_MAX_NAME + 1);
    const tt_tensor_out bad[] = {
        {"__metadata__", 0, {0}, &x, TT_F32},
        {"\xff", 0, {0}, &x, TT_F32},
        {name, 0, {0}, &x, TT_F32},
        {"rank", -1, {0}, &x, TT_F32},
        {"rank", TT_MAX_RANK + 1, {1, 1, 1, 1, 1, 1, 1, 1}, &x, TT_F32},
        {"huge", 1, {SIZE_MAX}, &x, TT_F32},
        {"huge", 1, {SIZE_MAX / 4}, &x, TT_F32},
        {"huge", 2, {SIZE_MAX / 2, 3}, &x, TT_F32},
        {"huge", 3, {0, SIZE_MAX / 2, 3}, &x, TT_F32},
    };
    unsigned char *out;
    size_t size;
    tt_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        out = (unsigned char *)name;
        ck_assert_msg(tt_safetensors_write(&bad[i], 1, NULL, &out, &size, &err) == TT_ERR_USAGE, "%zu", i);
        ck_assert(!out && !size && strlen(err.text) > 10);
    }
    const tt_tensor_out twice[] = {{"a", 0, {0}, &x, TT_F32}, {"b", 0, {0}, &x, TT_F32}, {"a", 0, {0}, &x, TT_F32}};
    ck_assert_int_eq(tt_safetensors_write(twice, 3, NULL, &out, &size, &err), TT_ERR_USAGE);
    static const char *const odd[] = {"key", NULL}, *const same[] = {"key", "1", "key", "2", NULL},
                             *const latin[] = {"key", "\xe9t\xe9", NULL};
    ck_assert_int_eq(tt_safetensors_write(twice, 2, odd, &out, &size, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_safetensors_write(twice, 2, same, &out, &size, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_safetensors_write(twice, 2, latin, &out, &size, &err), TT_ERR_USAGE);
    name[TT_MAX_NAME] = 0; /* the longest legal one */
    const tt_tensor_out longest = {name, 0, {0}, &x, TT_F32};
    ck_assert(!tt_safetensors_write(&longest, 1, NULL, &out, &size, NULL));
    ck_assert_int_eq(try_open(out, size, "the longest name", &err), TT_OK);
    free(out);
}
END_TEST

/* ---- damaged files -------------------------------------------------------------------------------- */

START_TEST(no_prefix_is_a_file)
{
    file f = file_of(small, sizeof small - 1, sizeof small - 1, 28);
    tally t = {0};
    ck_assert_uint_eq(hostile_prefixes(f.bytes, f.size, survives, &t), f.size);
    ck_assert_uint_eq(t.good, 0);
    /* the same, each with a length that fits what is left: the JSON itself is cut */
    for (size_t n = 0; n + 2 < sizeof small - 1; n++) { /* two spaces end it */
        expectation e = {.status = n ? TT_ERR_FORMAT : TT_ERR_UNSUPPORTED, .words = ""};
        file cut = file_of(small, n, n, 0);
        hostile_plain(cut.bytes, cut.size, "header cut", meets, &e);
        free(cut.bytes);
    }
    free(f.bytes);
}
END_TEST

START_TEST(every_bit_of_the_header)
{
    file f = file_of(small, sizeof small - 1, sizeof small - 1, 28);
    tally t = {0};
    const size_t made = hostile_bits(f.bytes, f.size, 0, 8 + sizeof small - 1, survives, &t);
    ck_assert_uint_eq(made, 10 * (8 + sizeof small - 1));
    ck_assert_uint_eq(t.good + t.bad, made);
    ck_assert_msg(t.bad > made / 2, "only %zu of %zu refused", t.bad, made);
    free(f.bytes);
    /* data is data: nothing there can matter */
    f = file_of(small, sizeof small - 1, sizeof small - 1, 28);
    t = (tally){0};
    hostile_bits(f.bytes, f.size, f.size - 28, f.size, survives, &t);
    ck_assert_uint_eq(t.bad, 0);
    free(f.bytes);
}
END_TEST

START_TEST(every_number_replaced)
{
    static const char *const numbers[] = {
        "0",
        "1",
        "2",
        "3",
        "27",
        "28",
        "29",
        "1073741823",
        "2147483647",
        "4294967295",
        "4294967296",
        "2305843009213693951",
        "2305843009213693952",
        "4611686018427387904",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999",
        "-1",
        "-0",
        "-9223372036854775808",
        "-9223372036854775809",
        "0.0",
        "1.5",
        "1e0",
        "1e999",
        "2.0",
        "01",
        "+1",
        "0x1",
        "NaN",
        "null",
        "true",
        "\"1\"",
        "[1]",
        "{}",
        "",
    };
    const char *beside_zero = strstr(small, "[0,4],\"") + 3;
    size_t made = 0, good = 0;
    for (const char *p = small; *p; p++) {
        if (*p < '0' || *p > '9' || (p[-1] != '[' && p[-1] != ',')) /* the digits of F32 are none */
            continue;
        const char *end = p + strspn(p, "0123456789");
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++, made++) {
            text t = {0};
            tally one = {0};
            say(&t, "%.*s%s%s", (int)(p - small), small, numbers[i], end);
            file f = file_of(t.s, t.n, t.n, 28);
            hostile_plain(f.bytes, f.size, t.s, survives, &one);
            /* right are the number itself, -0 for 0, and any number beside a 0 in a shape */
            const bool same =
                strlen(numbers[i]) == (size_t)(end - p) && !strncmp(numbers[i], p, (size_t)(end - p));
            const bool zero = *p == '0' && !strcmp(numbers[i], "-0");
            ck_assert_msg(one.good || !same, "refused: %s", t.s);
            ck_assert_msg(one.bad || same || zero || p == beside_zero, "accepted: %s", t.s);
            good += one.good;
            free(f.bytes);
            free(t.s);
        }
    }
    ck_assert_uint_gt(made, 400);
    ck_assert_uint_gt(good, 8);

    /* the length of the header */
    static const uint64_t n = sizeof small - 1;
    const uint64_t lengths[] = {
        0,
        1,
        n - 3,
        n - 1,
        n + 1,
        n + 27,
        n + 28,
        n + 29,
        n + 36,
        16 << 20,
        (16 << 20) + 1,
        INT32_MAX,
        UINT32_MAX,
        (uint64_t)UINT32_MAX + 1 + n,
        INT64_MAX,
        (uint64_t)INT64_MAX + 1,
        UINT64_MAX - 8,
        UINT64_MAX - 7,
        UINT64_MAX - 6,
        UINT64_MAX - 1,
        UINT64_MAX,
    };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        expect_bytes(small, n, lengths[i], 28, TT_ERR_FORMAT, i == 0 || lengths[i] > n + 28 ? "header" : "");
}
END_TEST

#define T(name, dtype, shape, range)                                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"

START_TEST(ranges_tile_the_data)
{
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[4,8]") "}", 8, TT_OK, "");
    expect("{" T("a", "U8", "[4]", "[4,8]") "," T("b", "U8", "[4]", "[0,4]") "}", 8, TT_OK, "");
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[3,7]") "}", 7, TT_ERR_FORMAT,
           "overlap");
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[0,4]") "}", 4, TT_ERR_FORMAT,
           "overlap");
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[2]", "[1,3]") "}", 4, TT_ERR_FORMAT,
           "overlap");
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[5,9]") "}", 9, TT_ERR_FORMAT, "follow");
    expect("{" T("a", "U8", "[4]", "[1,5]") "}", 5, TT_ERR_FORMAT, "follow");
    expect("{" T("a", "U8", "[4]", "[0,4]") "}", 5, TT_ERR_FORMAT, "1 bytes at the end");
    expect("{" T("a", "U8", "[4]", "[0,4]") "}", 3, TT_ERR_FORMAT, "data_offsets end at 4");
    expect("{" T("a", "U8", "[4]", "[4,0]") "}", 4, TT_ERR_FORMAT, "before their start");
    expect("{" T("a", "U8", "[3]", "[0,4]") "}", 4, TT_ERR_FORMAT, "needs 3 bytes");
    expect("{" T("a", "F64", "[1]", "[0,4]") "}", 4, TT_ERR_FORMAT, "needs 8 bytes");
    expect("{}", 1, TT_ERR_FORMAT, "belong to no tensor");
    /* empty tensors: anywhere between others, not inside them, not past the end */
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("e", "U8", "[0]", "[0,0]") "," T(
               "f", "F32", "[2,0]", "[4,4]") "," T("g", "F32", "[0,9]", "[4,4]") "}",
           4, TT_OK, "");
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("e", "U8", "[0]", "[2,2]") "}", 4, TT_ERR_FORMAT, "'e'");
    expect("{" T("a", "U8", "[4]", "[0,4]") "," T("e", "U8", "[0]", "[5,5]") "}", 4, TT_ERR_FORMAT, "'e'");
}
END_TEST

START_TEST(headers_of_the_wrong_shape)
{
    expect("[]", 0, TT_ERR_UNSUPPORTED, "safetensors");
    expect(" {}", 0, TT_ERR_UNSUPPORTED, "safetensors");
    expect("{}}", 0, TT_ERR_FORMAT, "JSON");
    expect("{} {}", 0, TT_ERR_FORMAT, "JSON");
    expect("{},{}", 0, TT_ERR_FORMAT, "JSON");
    expect("{},0", 0, TT_ERR_FORMAT, "JSON");
    expect("{}],[{}", 0, TT_ERR_FORMAT, "JSON");
    expect("{}]", 0, TT_ERR_FORMAT, "JSON");
    expect("{\"a\":\"", 0, TT_ERR_FORMAT, "JSON");
    expect("{},", 0, TT_ERR_FORMAT, "JSON");
    expect("{'a':1}", 0, TT_ERR_FORMAT, "JSON");
    expect("{/**/}", 0, TT_ERR_FORMAT, "JSON");
    expect("{\"a\":{},}", 0, TT_ERR_FORMAT, "JSON");
    expect_bytes("{}\0", 3, 3, 0, TT_ERR_FORMAT, "JSON");
    expect_bytes("{}\0\0\0\0\0", 8, 8, 0, TT_ERR_FORMAT, "JSON");
    expect("{\"a\":1}", 0, TT_ERR_FORMAT, "not an object");
    expect("{\"a\":null}", 0, TT_ERR_FORMAT, "'a'");
    expect("{\"a\":{}}", 0, TT_ERR_FORMAT, "no dtype");
    expect("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0, TT_ERR_FORMAT, "no data_offsets");
    expect("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, TT_ERR_FORMAT, "no shape");
    expect("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"x\":0}}", 1, TT_ERR_FORMAT,
           "field 'x'");
    expect("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"Shape\":[]}}", 1, TT_ERR_FORMAT,
           "'Shape'");
    expect("{" T("a", "U8", "[]", "[0]") "}", 1, TT_ERR_FORMAT, "array of two");
    expect("{" T("a", "U8", "[]", "[0,1,1]") "}", 1, TT_ERR_FORMAT, "array of two");
    expect("{" T("a", "U8", "[]", "{}") "}", 1, TT_ERR_FORMAT, "array of two");
    expect("{" T("a", "U8", "1", "[0,1]") "}", 1, TT_ERR_FORMAT, "shape is not an array");
    expect("{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, TT_ERR_UNSUPPORTED, "9 dimensions");
    expect("{" T("a", "U8", "[-1]", "[0,1]") "}", 1, TT_ERR_FORMAT, "shape[0]");
    expect("{" T("a", "U8", "[1,1.0]", "[0,1]") "}", 1, TT_ERR_FORMAT, "shape[1]");
    expect("{" T("a", "U8", "[1]", "[0.0,1]") "}", 1, TT_ERR_FORMAT, "data_offsets[0]");
    expect("{" T("a", "U8", "[1]", "[0,1e0]") "}", 1, TT_ERR_FORMAT, "data_offsets[1]");
    expect("{" T("a", "U8", "[1]", "[-1,0]") "}", 1, TT_ERR_FORMAT, "data_offsets[0]");
    expect("{\"a\":{\"dtype\":3,\"shape\":[],\"data_offsets\":[0,1]}}", 1, TT_ERR_FORMAT,
           "dtype is not a string");
    static const char *const others[] = {"F8_E4M3", "F8_E5M2", "U16", "U32",  "U64",
                                         "C64",     "F4",      "f32", "F32 ", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        text t = {0};
        char words[32];
        say(&t, "{\"a\":{\"dtype\":\"%s\",\"shape\":[],\"data_offsets\":[0,4]}}", others[i]);
        snprintf(words, sizeof words, "'%s' is unsupported", others[i]);
        expect(t.s, 4, TT_ERR_UNSUPPORTED, words);
        free(t.s);
    }
    expect("{\"__metadata__\":[]}", 0, TT_ERR_FORMAT, "__metadata__");
    expect("{\"__metadata__\":null}", 0, TT_ERR_FORMAT, "__metadata__");
    expect("{\"__metadata__\":{\"steps\":3}}", 0, TT_ERR_FORMAT, "'steps'");
    expect("{\"__metadata__\":{\"a\":\"b\",\"c\":{}}}", 0, TT_ERR_FORMAT, "'c'");
}
END_TEST

START_TEST(names)
{
    text t = {0};
    /* the same twice, also where one of them is written with an escape */
    expect("{" T("a", "U8", "[0]", "[0,0]") "," T("a", "U8", "[0]", "[0,0]") "}", 0, TT_ERR_FORMAT,
           "duplicate");
    expect("{" T("a", "U8", "[0]", "[0,0]") "," T("\\u0061", "U8", "[0]", "[0,0]") "}", 0, TT_ERR_FORMAT,
           "duplicate");
    expect("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
           TT_ERR_FORMAT, "duplicate");
    expect("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, TT_ERR_FORMAT, "duplicate");
    expect("{\"__metadata__\":{},\"__metadata__\":{}}", 0, TT_ERR_FORMAT, "duplicate");
    /* NUL would end the name early for some and not for others */
    expect("{" T("a\\u0000b", "U8", "[0]", "[0,0]") "}", 0, TT_ERR_FORMAT, "JSON");
    static const char nul[] = "{\"a\0b\":{}}";
    expect_bytes(nul, sizeof nul - 1, sizeof nul - 1, 0, TT_ERR_FORMAT, "JSON");
    /* bytes that are not UTF-8: alone, cut, too long, surrogates, past the last character */
    static const char *const bad[] = {"\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\\ud800",
                                      "\\udc00\\ud800",
                                      "\\x",
                                      "\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t.n = 0;
        say(&t, "{\"n%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", bad[i]);
        expect(t.s, 0, TT_ERR_FORMAT, "JSON");
        t.n = 0;
        say(&t, "{\"__metadata__\":{\"a\":\"%s\"}}", bad[i]);
        expect(t.s, 0, TT_ERR_FORMAT, "JSON");
    }
    /* as long as may be, and one more */
    for (int n = TT_MAX_NAME; n <= TT_MAX_NAME + 1; n++) {
        t.n = 0;
        say(&t, "{\"%0*d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", n, 7);
        expect(t.s, 0, n > TT_MAX_NAME ? TT_ERR_FORMAT : TT_OK, "513 bytes");
    }
    /* what would upset a terminal is shown escaped */
    t.n = 0;
    say(&t, "{\"\\u001b[31m\\n\":{}}");
    expect(t.s, 0, TT_ERR_FORMAT, "\\x1b[31m\\x0a");
    free(t.s);
}
END_TEST

START_TEST(shapes_that_overflow)
{
    static const char *const shapes[] = {
        "[9223372036854775807]",
        "[4611686018427387904,4]",
        "[4294967296,4294967296]",
        "[4294967296,4294967296,0]",
        "[0,4294967296,4294967296]",
        "[3,3074457345618258603,2]",
        "[2147483648,2147483648,2147483648]",
        "[65536,65536,65536,65536,0,0,0,0]",
        "[1,1,1,1,1,1,1,4611686018427387904]",
        "[9223372036854775808]",
        "[18446744073709551616]",
        "[18446744073709551617]",
        "[1e400]",
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        text t = {0};
        say(&t, "{\"a\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,0]}}", shapes[i]);
        expect(t.s, 0, TT_ERR_FORMAT, "");
        t.n = 0;
        say(&t, "{\"a\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,4]}}", shapes[i]);
        expect(t.s, 4, TT_ERR_FORMAT, "");
        free(t.s);
    }
}
END_TEST

/* Peak memory in KiB so far. */
static long peak(void)
{
    struct rusage r;
    ck_assert(!getrusage(RUSAGE_SELF, &r));
    return r.ru_maxrss;
}

START_TEST(claims_cost_nothing)
{
    const long before = peak();
    static const uint64_t claims[] = {1 << 20,           16 << 20,          1u << 31,
                                      (uint64_t)1 << 40, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        expect_bytes("{}", 2, claims[i], 0, TT_ERR_FORMAT, "only 2 follow");
    expect("{" T("a", "F32", "[1073741824]", "[0,4294967296]") "}", 0, TT_ERR_FORMAT, "the file's data at 0");
    expect("{" T("a", "F32", "[0,4294967295]", "[0,0]") "}", 0, TT_OK, "");
    ck_assert_msg(peak() - before < 16 << 10, "%ld KiB more", peak() - before);
}
END_TEST

START_TEST(deep_and_wide)
{
    enum { N = 4 << 20 };
    char *s = malloc(N);
    ck_assert_ptr_nonnull(s);
    memset(s, '[', N);
    memcpy(s, "{\"a\":", 5);
    const long before = peak();
    expect_bytes(s, N, N, 0, TT_ERR_FORMAT, "deeper");
    for (int i = 5; i + 5 <= N; i += 5)
        memcpy(s + i, "{\"a\":", 5);
    expect_bytes(s, N, N, 0, TT_ERR_FORMAT, "deeper");
    for (int i = 6; i + 2 <= N; i += 2)
        memcpy(s + i, "1,", 2);
    memcpy(s, "{\"a\":[", 6);
    expect_bytes(s, N, N, 0, TT_ERR_FORMAT, "more values");
    for (int i = 6; i + 3 <= N; i += 3)
        memcpy(s + i, "[],", 3);
    expect_bytes(s, N, N, 0, TT_ERR_FORMAT, "more objects");
#if !defined __SANITIZE_THREAD__ /* whose shadow of the same bytes would be counted */
    ck_assert_msg(peak() - before < 24 << 10, "%ld KiB more", peak() - before); /* the test's own copies */
#else
    (void)before;
#endif
    /* strings and numbers have a length, too */
    memset(s, '7', N);
    memcpy(s, "{\"a\":", 5);
    expect_bytes(s, N, N, 0, TT_ERR_FORMAT, "string or number longer");
    s[5] = '"';
    expect_bytes(s, N, N, 0, TT_ERR_FORMAT, "string or number longer");
    /* brackets in a string are text */
    memset(s, '[', 4096);
    memcpy(s, "{\"__metadata__\":{\"a\\\"[[\":\"", 26);
    memcpy(s + 4096 - 3, "\"}}", 3);
    expect_bytes(s, 4096, 4096, 0, TT_OK, "");
    free(s);
}
END_TEST

/* `n` empty tensors */
static text crowd(size_t n)
{
    text t = {0};
    say(&t, "{");
    for (size_t i = 0; i < n; i++)
        say(&t, "%s\"%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? "," : "", i);
    say(&t, "}");
    return t;
}

START_TEST(crowds)
{
    text t = crowd(TT_MAX_TENSORS);
    expect_bytes(t.s, t.n, t.n, 0, TT_OK, "");
    free(t.s);
    t = crowd(TT_MAX_TENSORS + 1);
    expect_bytes(t.s, t.n, t.n, 0, TT_ERR_FORMAT, "more objects");
    free(t.s);
    t = crowd(1000000);
    expect_bytes(t.s, t.n, t.n, 0, TT_ERR_FORMAT, "at most 16777216");
    free(t.s);
}
END_TEST

/* The JSON library's malloc that fails at call fail_at, and at all later ones if fail_on. */
static long calls, fail_at;
static bool fail_on;

static void *failing_malloc(size_t n)
{
    const long i = calls++;
    if (fail_at >= 0 && (i == fail_at || (fail_on && i > fail_at))) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(n);
}

/* With names around the sizes at which its buffer grows: it is then that letters get lost. */
START_TEST(no_memory)
{
    static const int lengths[] = {1, 13, 14, 15, 29, 30, 31, 62, 63, 200, 512};
    const float x[2] = {1, 2};
    json_set_alloc_funcs(failing_malloc, free); /* only in this process: each test has its own */
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        char name[TT_MAX_NAME + 1];
        snprintf(name, sizeof name, "%0*d", lengths[l], 0);
        const char *const meta[] = {"a key that is longer than sixteen bytes", name, NULL};
        const tt_tensor_out t = {name, 2, {1, 2}, x, TT_F32};
        for (int round = 0; round < 2; round++) {
            unsigned char *out = NULL;
            size_t size = 0;
            tt_error err;
            tt_status st;
            fail_on = round;
            fail_at = -1;
            do {
                fail_at++;
                calls = 0;
                st = tt_safetensors_write(&t, 1, meta, &out, &size, &err);
                ck_assert_msg(!st || (st == TT_ERR_MEMORY && !out && !size), "call %ld: %s", fail_at,
                              err.text);
            } while (st);
            ck_assert_int_gt(fail_at, 10);
            fail_at = -1;
            do {
                tt_weights w;
                fail_at++;
                calls = 0;
                st = tt_weights_open_memory(&w, out, size, "test", &err);
                ck_assert_msg(!st || st == TT_ERR_MEMORY, "call %ld: %s", fail_at, err.text);
                check_result(&w, st, &err, name);
                if (!st) {
                    ck_assert_str_eq(w.tensors[0].name, name);
                    ck_assert_str_eq(w.metadata[0], meta[0]);
                    ck_assert_str_eq(w.metadata[1], name);
                }
                tt_weights_clear(&w);
            } while (st);
            ck_assert_int_gt(fail_at, 10);
            free(out);
        }
    }
    json_set_alloc_funcs(malloc, free);
}
END_TEST

/* ---- kinds of files ------------------------------------------------------------------------------- */

START_TEST(files_that_are_none)
{
    tt_weights w;
    tt_error err;
    make_folder();
    ck_assert_int_eq(tt_weights_open(&w, in_folder("none"), &err), TT_ERR_INPUT);
    ck_assert_msg(strstr(err.text, "/none: cannot be opened: "), "%s", err.text);
    ck_assert_ptr_null(w.path);
    ck_assert_int_eq(tt_weights_open(&w, folder, &err), TT_ERR_INPUT);
    ck_assert_msg(strstr(err.text, "directory"), "%s", err.text);
    ck_assert_int_eq(tt_weights_open(&w, "", &err), TT_ERR_INPUT);
    for (size_t n = 0; n <= 9; n++) { /* 7 bytes among them */
        save(in_folder("file"), "\2\0\0\0\0\0\0\0{}", n);
        const tt_status st = tt_weights_open(&w, in_folder("file"), &err);
        ck_assert_int_eq(st, n == 0 || n == 9 ? TT_ERR_FORMAT : TT_ERR_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, n ? "/file: " : "/file: the file is empty"), "%s", err.text);
        ck_assert(!strchr(err.text, '\n'));
    }
    save(in_folder("file"), "Dear all{ this is a letter}", 27);
    ck_assert_int_eq(tt_weights_open(&w, in_folder("file"), &err), TT_ERR_UNSUPPORTED);
    ck_assert_int_eq(tt_weights_open(&w, "/dev/zero", &err), TT_ERR_UNSUPPORTED); /* not read to its end */
    ck_assert_int_eq(tt_weights_open(&w, "/dev/null", &err), TT_ERR_FORMAT);
    /* a file with a hole of 9 GiB */
    if (!truncate(in_folder("file"), (off_t)9 << 30)) {
        ck_assert_int_eq(tt_weights_open(&w, in_folder("file"), &err), TT_ERR_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, "9663676416 bytes"), "%s", err.text);
    }
    remove_folder();
}
END_TEST

START_TEST(reads_a_pipe)
{
    static float x[100000];
    static const size_t counts[] = {1,     1000,  16372, 16373,
                                    16374, 16375, 16376, 100000}; /* 64 KiB among them */
    make_folder();
    const char *path = in_folder("file");
    for (int i = 0; i < 100000; i++)
        x[i] = (float)i;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const tt_tensor_out t = {"x", 1, {counts[i]}, x, TT_F32};
        unsigned char *out;
        size_t size;
        tt_error err;
        tt_weights w;
        ck_assert(!tt_safetensors_write(&t, 1, NULL, &out, &size, &err));
        unlink(path);
        ck_assert(!mkfifo(path, 0600));
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
            FILE *f = fopen(path, "wb");
            const int bad = !f || fwrite(out, 1, size, f) != size || fclose(f);
            _exit(bad);
        }
        const tt_status st = tt_weights_open(&w, path, &err);
        int status;
        ck_assert(waitpid(child, &status, 0) == child && status == 0);
        ck_assert_msg(!st, "%s", err.text);
        ck_assert(w.size == size && !memcmp(w.bytes, out, size));
        tt_weights_clear(&w);
        free(out);
    }
    remove_folder();
}
END_TEST

Suite *suite_engine_safetensors(void)
{
    Suite *s = suite_create("engine/safetensors");
    TCase *sound = tcase_create("sound"), *hostile = tcase_create("hostile");
    tcase_add_test(sound, reads_every_dtype);
    tcase_add_test(sound, reads_the_small_one);
    tcase_add_test(sound, empty_headers_are_sound);
    tcase_add_test(sound, converts_values);
    tcase_add_test(sound, refuses_values_that_are_no_number);
    tcase_add_test(sound, writes_what_it_reads);
    tcase_add_test(sound, refuses_to_write_nonsense);
    tcase_add_test(sound, reads_a_pipe);
    suite_add_tcase(s, sound);
    tcase_set_timeout(hostile, 60); /* sanitizers are slow */
    tcase_add_test(hostile, no_prefix_is_a_file);
    tcase_add_test(hostile, every_bit_of_the_header);
    tcase_add_test(hostile, every_number_replaced);
    tcase_add_test(hostile, ranges_tile_the_data);
    tcase_add_test(hostile, headers_of_the_wrong_shape);
    tcase_add_test(hostile, names);
    tcase_add_test(hostile, shapes_that_overflow);
    tcase_add_test(hostile, claims_cost_nothing);
    tcase_add_test(hostile, deep_and_wide);
    tcase_add_test(hostile, crowds);
    tcase_add_test(hostile, no_memory);
    tcase_add_test(hostile, files_that_are_none);
    suite_add_tcase(s, hostile);
    return s;
}
