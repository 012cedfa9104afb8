/* The reader of MATLAB's level-5 files. */
#include "engine/weights.h"
#include "tests/engine/reader_kit.h"
#include "tests/golden.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

Suite *suite_engine_mat(void);

/* A file being made. */
typedef struct out {
    unsigned char *b;
    size_t n;
} out;

static void put(out *o, const void *bytes, size_t n)
{
    o->b = realloc(o->b, o->n + n + 8);
    ck_assert_ptr_nonnull(o->b);
    if (n)
        memcpy(o->b + o->n, bytes, n);
    o->n += n;
}

static void put_u32(out *o, uint32_t v)
{
    const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                                (unsigned char)(v >> 24)};
    put(o, b, 4);
}

static void put_header(out *o)
{
    char head[129];
    snprintf(head, sizeof head, "%-124s", "MATLAB 5.0 MAT-file, for a test");
    memcpy(head + 124, "\0\1IM", 4);
    put(o, head, 128);
}

static void put_element(out *o, unsigned type, const void *bytes, size_t n)
{
    put_u32(o, type);
    put_u32(o, (uint32_t)n);
    put(o, bytes, n);
    put(o, "\0\0\0\0\0\0\0", (8 - n % 8) % 8);
}

/* The inside of a matrix up to its numbers. */
static out begin_matrix(unsigned class, const char *name, int rank, const uint32_t *dims)
{
    out m = {NULL, 0}, d = {NULL, 0};
    const unsigned char flags[8] = {(unsigned char)class, (unsigned char)(class >> 8)};
    put_element(&m, 6, flags, 8);
    for (int i = 0; i < rank; i++)
        put_u32(&d, dims[i]);
    put_element(&m, 5, d.b, d.n);
    put_element(&m, 1, name, strlen(name));
    free(d.b);
    return m;
}

static void put_matrix(out *o, out m, bool compressed)
{
    out e = {NULL, 0};
    put_element(&e, 14, m.b, m.n);
    if (compressed) {
        uLongf n = compressBound(e.n);
        unsigned char *z = malloc(n);
        ck_assert_int_eq(compress(z, &n, e.b, e.n), Z_OK);
        put_u32(o, 15);
        put_u32(o, (uint32_t)n);
        put(o, z, n); /* not padded */
        free(z);
    } else {
        put(o, e.b, e.n);
    }
    free(e.b);
    free(m.b);
}

static rk_file file(const out *o)
{
    return (rk_file){o->b, o->n, NULL, 0};
}

/* One variable x of 2 x 3, of a class, stored as a type. */
static out variable(unsigned class, unsigned type, const void *numbers, size_t bytes, bool compressed)
{
    out o = {NULL, 0}, m = begin_matrix(class, "x", 2, (uint32_t[]){2, 3});
    put_header(&o);
    put_element(&m, type, numbers, bytes);
    put_matrix(&o, m, compressed);
    return o;
}

START_TEST(every_storage_is_read)
{
    static const int8_t i8[] = {-1, 2, -3, 4, -5, 6};
    static const uint8_t u8[] = {255, 2, 3, 4, 5, 6};
    static const int16_t i16[] = {-300, 2, 3, 4, 5, 6};
    static const uint16_t u16[] = {65535, 2, 3, 4, 5, 6};
    static const int32_t i32[] = {-70000, 2, 3, 4, 5, 6};
    static const uint32_t u32[] = {4000000000u, 2, 3, 4, 5, 6};
    static const int64_t i64[] = {-5000000000, 2, 3, 4, 5, 6};
    static const uint64_t u64[] = {5000000000, 2, 3, 4, 5, 6};
    static const float f32[] = {0.5f, 2, 3, 4, 5, 6};
    static const double f64[] = {0.1, 2, 3, 4, 5, 6};
    static const struct {
        unsigned type;
        const void *numbers;
        size_t size;
        double first;
    } tries[] = {
        {1, i8, 1, -1},      {2, u8, 1, 255},          {3, i16, 2, -300},          {4, u16, 2, 65535},
        {5, i32, 4, -70000}, {6, u32, 4, 4000000000.}, {12, i64, 8, -5000000000.}, {13, u64, 8, 5000000000.},
        {7, f32, 4, 0.5},    {9, f64, 8, 0.1}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        for (unsigned class = 6; class <= 15; class ++)
            for (int compressed = 0; compressed < 2; compressed++) {
                out o = variable(class, tries[i].type, tries[i].numbers, 6 * tries[i].size, compressed);
                tt_weights w;
                tt_error err;
                float v[6];
                ck_assert_msg(!rk_open(&w, file(&o), "storage", &err), "type %u: %s", tries[i].type,
                              err.text);
                ck_assert_uint_eq(w.count, 1);
                ck_assert_str_eq(w.tensors[0].name, "x");
                ck_assert_int_eq(w.tensors[0].rank, 2);
                ck_assert_uint_eq(w.tensors[0].shape[0], 3); /* columns move slowest */
                ck_assert_uint_eq(w.tensors[0].shape[1], 2);
                ck_assert_int_eq(w.tensors[0].dtype, class == 7 && tries[i].type == 7 ? TT_F32 : TT_F64);
                ck_assert_int_eq(tt_tensor_floats(&w, &w.tensors[0], v, &err), TT_OK);
                ck_assert_float_eq(v[0], (float)tries[i].first);
                ck_assert_float_eq(v[1], tries[i].type == 1 ? 2 : 2);
                tt_weights_clear(&w);
                free(o.b);
            }
}
END_TEST

/* A struct of cells: numbers, an empty matrix, text (left out), a small element. */
static out nested(bool compressed)
{
    static const double two[] = {7, 8};
    out o = {NULL, 0}, s = begin_matrix(2, "model", 2, (uint32_t[]){1, 1});
    out cell = begin_matrix(1, "", 2, (uint32_t[]){1, 4}), a = begin_matrix(6, "", 2, (uint32_t[]){1, 2});
    out text = begin_matrix(4, "", 2, (uint32_t[]){1, 2}), small = begin_matrix(6, "", 2, (uint32_t[]){1, 2});
    put_header(&o);
    put_u32(&s, 4u << 16 | 5);
    put_u32(&s, 32);
    char fields[64] = "weight";
    strcpy(fields + 32, "name");
    put_element(&s, 1, fields, 64);
    put_element(&a, 9, two, 16);
    put_matrix(&cell, a, false);
    put_element(&cell, 14, "", 0);
    put_element(&text, 4, "h\0i", 4);
    out copy = {NULL, 0};
    put(&copy, text.b, text.n);
    put_matrix(&cell, copy, false);
    put_u32(&small, 2u << 16 | 2);
    put(&small, "\x09\x0a\0\0", 4);
    put_matrix(&cell, small, false);
    put_matrix(&s, cell, false);
    put_matrix(&s, text, false);
    put_matrix(&o, s, compressed);
    return o;
}

START_TEST(cells_and_structs_are_read)
{
    for (int compressed = 0; compressed < 2; compressed++) {
        out o = nested(compressed);
        tt_weights w;
        tt_error err;
        float v[2];
        ck_assert_msg(!rk_open(&w, file(&o), "nested", &err), "%s", err.text);
        ck_assert_uint_eq(w.count, 2);
        ck_assert_str_eq(w.tensors[0].name, "model.weight.0");
        ck_assert_str_eq(w.tensors[1].name, "model.weight.3");
        ck_assert_int_eq(tt_tensor_floats(&w, &w.tensors[0], v, &err), TT_OK);
        ck_assert(v[0] == 7 && v[1] == 8);
        ck_assert_int_eq(tt_tensor_floats(&w, &w.tensors[1], v, &err), TT_OK);
        ck_assert(v[0] == 9 && v[1] == 10);
        tt_weights_clear(&w);
        free(o.b);
    }
}
END_TEST

static void refused_at(out o, size_t at, const char *bytes, size_t n, tt_status status, const char *words)
{
    ck_assert_uint_le(at + n, o.n);
    memcpy(o.b + at, bytes, n);
    rk_refused(file(&o), words, status, words);
    free(o.b);
}

START_TEST(what_is_wrong_is_said)
{
    static const double six[] = {1, 2, 3, 4, 5, 6};
#define PLAIN variable(6, 9, six, sizeof six, false)
    refused_at(PLAIN, 124, "\1\0MI", 4, TT_ERR_UNSUPPORTED, "byte 126: a big-endian MATLAB file");
    refused_at(PLAIN, 124, "\0\2IM", 4, TT_ERR_UNSUPPORTED, "a MATLAB 7.3 file (HDF5)");
    refused_at(PLAIN, 0, "\x89HDF\r\n\x1a\n", 8, TT_ERR_UNSUPPORTED, "a MATLAB 7.3 file (HDF5)");
    refused_at(PLAIN, 124, "\0\3IM", 4, TT_ERR_FORMAT, "byte 124: not the version and byte order");
    refused_at(PLAIN, 128, "\x07", 1, TT_ERR_FORMAT,
               "byte 128: an element of type 7, a variable (14 or 15) is wanted");
    refused_at(PLAIN, 132, "\xff", 1, TT_ERR_FORMAT,
               "byte 128: the next variable has 255 bytes, and 104 follow");
    refused_at(PLAIN, 130, "\x05", 1, TT_ERR_FORMAT,
               "byte 128: the next variable is a small element of 5 bytes");
    refused_at(PLAIN, 136, "\x05", 1, TT_ERR_FORMAT,
               "byte 136: the flags of a variable is of type 5, type 6 is wanted");
    refused_at(PLAIN, 145, "\x08", 1, TT_ERR_UNSUPPORTED, "x is of complex numbers");
    refused_at(PLAIN, 160, "\xff\xff\xff\xff", 4, TT_ERR_FORMAT,
               "byte 152: the dimensions of a variable are larger");
    refused_at(PLAIN, 160, "\x03", 1, TT_ERR_FORMAT,
               "byte 184: x has 48 bytes of numbers, its dimensions want 9 of 8");
    refused_at(PLAIN, 184, "\x08", 1, TT_ERR_FORMAT, "byte 184: the numbers of x are of type 8");
    refused_at(PLAIN, 184, "\x0e", 1, TT_ERR_FORMAT, "byte 184: the numbers of x are of type 14");
    /* of a compressed one: the stream, its length, its checksum, what is inside */
#define SMALL variable(6, 9, six, sizeof six, true)
    out o = SMALL;
    const size_t end = o.n;
    free(o.b);
    refused_at(SMALL, 136, "\xff\xff", 2, TT_ERR_FORMAT,
               "byte 136: the compressed variable is cut short or damaged");
    refused_at(SMALL, end - 1, "\x55", 1, TT_ERR_FORMAT, "its checksum is wrong");
    out wrong = {NULL, 0}, m = begin_matrix(6, "x", 2, (uint32_t[]){2, 3});
    put_header(&wrong);
    put_element(&m, 9, six, 40);
    put_matrix(&wrong, m, true);
    rk_refused(file(&wrong), "inside", TT_ERR_FORMAT,
               "byte 48 of an inflated variable: x has 40 bytes of numbers");
    free(wrong.b);
    o = PLAIN;
    rk_refused((rk_file){o.b, 100, NULL, 0}, "header", TT_ERR_FORMAT,
               "cut short: 100 bytes, the header of a MATLAB file has 128");
    free(o.b);
}
END_TEST

/* Few bytes that would become many: refused before the memory is taken. */
START_TEST(bombs_are_refused)
{
    out o = {NULL, 0}, m = begin_matrix(9, "x", 2, (uint32_t[]){1 << 26, 1});
    unsigned char *zeros = calloc(1 << 26, 1);
    ck_assert_ptr_nonnull(zeros);
    put_header(&o);
    put_element(&m, 2, zeros, 1 << 26);
    put_matrix(&o, m, true);
    free(zeros);
    ck_assert_uint_lt(o.n, 1 << 17);
    rk_refused(file(&o), "bomb", TT_ERR_FORMAT, "the compressed variables inflate to more than");
    free(o.b);

    /* cells in cells */
    o = (out){NULL, 0};
    m = begin_matrix(1, "", 2, (uint32_t[]){1, 0});
    for (int i = 0; i < 40; i++) {
        out next = begin_matrix(1, i == 39 ? "deep" : "", 2, (uint32_t[]){1, 1});
        put_matrix(&next, m, false);
        m = next;
    }
    put_header(&o);
    put_matrix(&o, m, false);
    rk_refused(file(&o), "deep", TT_ERR_FORMAT, "nested deeper than 16");
    free(o.b);

    /* entries that are announced and do not come */
    o = (out){NULL, 0};
    m = begin_matrix(1, "c", 2, (uint32_t[]){1 << 30, 1});
    put_header(&o);
    put_matrix(&o, m, false);
    rk_refused(file(&o), "many", TT_ERR_FORMAT, "c has 1073741824 entries of 1 fields, and 0 bytes follow");
    free(o.b);
}
END_TEST

/* SRCNN of one feature and windows of one pixel. */
static out smallest_srcnn(void)
{
    static const char *const names[] = {"weights_conv1", "biases_conv1",  "weights_conv2",
                                        "biases_conv2",  "weights_conv3", "biases_conv3"};
    static const double one = 1;
    out o = {NULL, 0};
    put_header(&o);
    for (int i = 0; i < 6; i++) {
        out m = begin_matrix(6, names[i], 2, (uint32_t[]){1, 1});
        put_element(&m, 9, &one, 8);
        put_matrix(&o, m, false);
    }
    return o;
}

START_TEST(damage_is_survived)
{
    size_t size, made;
    unsigned char *bytes = rk_read(golden_path("containers/vdsr_cell.mat"), &size);
    const size_t refused = rk_damage((rk_file){bytes, size, NULL, 0}, &made);
    ck_assert_uint_gt(refused, size);
    free(bytes);
    for (int i = 0; i < 2; i++) {
        out o = i ? smallest_srcnn() : nested(false);
        rk_damage(file(&o), &made);
        free(o.b);
    }
}
END_TEST

START_TEST(want_of_memory_is_said)
{
    static const char *const goldens[] = {"containers/vdsr_cell.mat", "containers/srcnn_955.mat"};
    for (int i = 0; i < 2; i++) {
        size_t size;
        unsigned char *bytes = rk_read(golden_path(goldens[i]), &size);
        rk_starve((rk_file){bytes, size, NULL, 0});
        free(bytes);
    }
}
END_TEST

Suite *suite_engine_mat(void)
{
    Suite *s = suite_create("engine/mat");
    TCase *t = tcase_create("reader");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, every_storage_is_read);
    tcase_add_test(t, cells_and_structs_are_read);
    tcase_add_test(t, what_is_wrong_is_said);
    tcase_add_test(t, bombs_are_refused);
    tcase_add_test(t, damage_is_survived);
    tcase_add_test(t, want_of_memory_is_said);
    suite_add_tcase(s, t);
    return s;
}
