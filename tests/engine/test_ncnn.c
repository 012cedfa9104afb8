#define _DEFAULT_SOURCE /* mkdtemp */
/* The reader of ncnn's two files: what it takes, what it says of what it does not. What the layers mean is
 * tested in tests/models/test_foreign.c. */
#include "engine/weights.h"
#include "engine/weights/number.h"
#include "tests/engine/reader_kit.h"
#include "tests/golden.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Suite *suite_engine_ncnn(void);

/* The smallest network known: one plane, one feature, two times the size. */
static const char tiny[] = "7767517\n"
                           "9 10\n"
                           "Input in 0 1 data\n"
                           "Split s 1 2 data a b\n"
                           "Convolution c0 1 1 a c 0=1 1=3 4=1 5=1 6=9\n"
                           "PReLU p0 1 1 c d 0=1\n"
                           "Convolution c1 1 1 d e 0=4 1=3 4=1 5=1 6=36\n"
                           "PixelShuffle ps 1 1 e f 0=2\n"
                           "Interp n 1 1 b g 0=1 1=2.0 2=2.0e0\n"
                           "BinaryOp add 2 1 f g sum\n"
                           "Split end 1 1 sum out\n";

typedef struct bin {
    unsigned char b[8192];
    size_t n;
} bin;

static void put(bin *f, const void *bytes, size_t n)
{
    ck_assert_uint_le(f->n + n, sizeof f->b);
    memcpy(f->b + f->n, bytes, n);
    f->n += n;
}

static void put_u32(bin *f, uint32_t v)
{
    const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                                (unsigned char)(v >> 24)};
    put(f, b, 4);
}

static void put_float(bin *f, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    put_u32(f, bits);
}

static bin tiny_bin(void)
{
    bin f = {.n = 0};
    put_u32(&f, 0);
    for (int i = 0; i < 9 + 1 + 1; i++) /* weights, bias, slope */
        put_float(&f, 0.125f * (float)i);
    put_u32(&f, 0x0002C056);
    for (int i = 0; i < 36 + 4; i++)
        put_float(&f, -0.5f * (float)i);
    return f;
}

static rk_file pair(const char *text, const bin *f)
{
    return (rk_file){text, strlen(text), f->b, f->n};
}

/* `text` with the first `from` made `to` (to the end of the line where `from` ends with a newline) */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at, "'%s' is not in the text", from);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    ck_assert_ptr_nonnull(made);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return made;
}

START_TEST(a_file_is_read)
{
    const bin f = tiny_bin();
    tt_weights w;
    tt_error err;
    ck_assert_msg(!rk_open(&w, pair(tiny, &f), "tiny", &err), "%s", err.text);
    ck_assert_str_eq(w.format, "ncnn");
    ck_assert_uint_eq(w.count, 5);
    ck_assert_uint_eq(w.layer_count, 9);
    ck_assert_int_eq(w.blobs, 10);
    const tt_layer *n = &w.layers[6];
    ck_assert_str_eq(n->type, "Interp");
    ck_assert_str_eq(n->name, "n");
    ck_assert_uint_eq(n->line, 9);
    ck_assert_int_eq(n->ins, 1);
    ck_assert_int_eq(n->in[0], w.layers[1].out[1]);
    ck_assert_double_eq(tt_layer_number(n, 2, 0, 0), 2);
    ck_assert_double_eq(tt_layer_number(n, 3, 0, 7), 7);
    const tt_tensor *t = tt_weights_find(&w, "c1.weight");
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->rank, 4);
    ck_assert_uint_eq(t->shape[0], 4);
    ck_assert_uint_eq(t->shape[1], 1);
    ck_assert_uint_eq(t->shape[2], 3);
    ck_assert_uint_eq(t->layer, 5);
    float v[36];
    ck_assert_int_eq(tt_tensor_floats(&w, t, v, &err), TT_OK);
    ck_assert_float_eq(v[35], -17.5f);
    tt_weights_clear(&w);
}
END_TEST

/* Line ends, blanks, order of keys, arrays in either form. */
START_TEST(spellings_are_read)
{
    static const char *const tries[][2] = {
        {"9 10\n", "9 10\r\n\n  \t\n"},
        {"0=4 1=3 4=1 5=1 6=36", "\t6=36   5=1 4=1 1=3 0=4 "},
        {"0=4 1=3", "0=4 1=3 11=3 2=1 12=1 3=1 13=1 9=0 10=0.5,1.5"},
        {"0=4 1=3", "0=4 1=3 9=2 -23310=1,2.000000e-01"},
        {"6=36\n", "6=36 7=1e2\n"},
        {"7767517\n", "7767517\r\n"},
    };
    const bin f = tiny_bin();
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        tt_weights w;
        tt_error err;
        char *text = replaced(tiny, tries[i][0], tries[i][1]);
        ck_assert_msg(!rk_open(&w, pair(text, &f), tries[i][1], &err), "%s: %s", tries[i][1], err.text);
        tt_weights_clear(&w);
        free(text);
    }
}
END_TEST

START_TEST(a_damaged_text_is_refused)
{
    static const struct {
        const char *from, *to;
        tt_status status;
        const char *words;
    } tries[] = {
        {"7767517\n", "7767517 1\n", TT_ERR_FORMAT, "line 1: not 7767517 alone"},
        {"7767517\n", "7767518\n", TT_ERR_UNSUPPORTED, "not a weight file of a known format"},
        {"9 10\n", "9\n", TT_ERR_FORMAT, "line 2: the number of blobs is missing"},
        {"9 10\n", "9 10 1\n", TT_ERR_FORMAT, "line 2: '1' after the numbers"},
        {"9 10\n", "-9 10\n", TT_ERR_FORMAT, "the number of layers is -9"},
        {"9 10\n", "65537 10\n", TT_ERR_FORMAT, "the number of layers is 65537, a number from 0 to 65536"},
        {"9 10\n", "65536 10\n", TT_ERR_FORMAT, "65536 layers in"},
        {"9 10\n", "9 2147483648\n", TT_ERR_FORMAT, "the number of blobs is 2147483648"},
        {"9 10\n", "10 10\n", TT_ERR_FORMAT, "10 layers were announced, and the text ends after 9"},
        {"9 10\n", "8 10\n", TT_ERR_FORMAT, "line 11: more than the 8 layers"},
        {"9 10\n", "9 11\n", TT_ERR_FORMAT, "11 blobs were announced, and there are 10"},
        {"Split s 1 2", "Split s 1 3", TT_ERR_FORMAT, "line 4: ends before the name of a blob"},
        {"Split s 1 2", "Split s 1 -2", TT_ERR_FORMAT, "line 4: the number of outputs is -2"},
        {"Split s 1 2", "Split s 1 99999999999999999999", TT_ERR_FORMAT,
         "the number of outputs is 99999999999999999999"},
        {"BinaryOp add 2 1 f g sum", "BinaryOp", TT_ERR_FORMAT, "line 10: ends before the name of the layer"},
        {"b g 0=1", "q g 0=1", TT_ERR_FORMAT, "line 9: layer n: reads the blob q before any layer makes it"},
        {"c d 0=1", "c c 0=1", TT_ERR_FORMAT, "line 6: layer p0: makes the blob c, which is there already"},
        {"0=1 1=3", "0:1 1=3", TT_ERR_FORMAT, "line 5: layer c0: '0:1' is not key=value"},
        {"0=1 1=3", "0=x 1=3", TT_ERR_FORMAT, "line 5: layer c0: the value 'x' is no number"},
        {"0=1 1=3", "0= 1=3", TT_ERR_FORMAT, "line 5: layer c0: the value '' is no number"},
        {"0=1 1=3", "32=1 1=3", TT_ERR_FORMAT, "the key of '32=1' is none of 0 to 31"},
        {"0=1 1=3", "-1=1 1=3", TT_ERR_FORMAT, "the key of '-1=1' is none of 0 to 31"},
        {"0=1 1=3", "-23332=1,1 1=3", TT_ERR_FORMAT, "the key of '-23332=1,1'"},
        {"0=1 1=3", "-23300=2,1 1=3", TT_ERR_FORMAT, "'-23300=2,1' says how many values follow, and 1 do"},
        {"0=1 1=3", "0=1 0=1 1=3", TT_ERR_FORMAT, "layer c0: the key 0 stands twice"},
        {"0=1 1=3", "0=0 1=3", TT_ERR_FORMAT, "layer c0: the value of key 0 is 0"},
        {"0=1 1=3", "0=1.5 1=3", TT_ERR_FORMAT, "layer c0: the value of key 0 is 1.5"},
        {"0=1 1=3", "0=1 1=100000", TT_ERR_FORMAT, "layer c0: the value of key 1 is 100000"},
        {"0=1 1=3", "0=1 1=3 8=1", TT_ERR_UNSUPPORTED, "layer c0: key 8 makes it int8"},
        {"6=9\n", "6=10\n", TT_ERR_FORMAT,
         "layer c0: 10 weights, no multiple of 1 outputs with a window of 3x3"},
        {"6=9\n", "6=18\n", TT_ERR_FORMAT, "test.bin: byte"},
        {"6=9\n", "\n", TT_ERR_FORMAT, "layer c0: the value of key 6 is -1"},
        {"5=1 6=36\n", "5=0 6=36\n", TT_ERR_FORMAT, "bytes at the end belong to no layer"},
        {"PReLU p0", "LayerNorm p0", TT_ERR_UNSUPPORTED,
         "line 6: layer p0: its type, LayerNorm, is of no network"},
        {"BinaryOp add 2 1 f g sum", "Scale add 2 1 f g sum", TT_ERR_UNSUPPORTED, "its type, Scale,"},
        {"Interp n", "Interp \x01", TT_ERR_FORMAT, "line 9: byte 195: 1 is no letter"},
        {"PReLU p0", "PReLU c0", TT_ERR_FORMAT, "the name stands twice"},
    };
    const bin f = tiny_bin();
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char *text = replaced(tiny, tries[i].from, tries[i].to);
        rk_refused(pair(text, &f), tries[i].to, tries[i].status, tries[i].words);
        free(text);
    }
}
END_TEST

/* The same weights in every form that is known; the others by name. */
START_TEST(tags_are_told_apart)
{
    static const char text[] = "7767517\n2 2\nInput i 0 1 a\nConvolution c 1 1 a b 0=1 1=1 6=3\n";
    static const uint16_t half[] = {0x3c00, 0xc000, 0x3800}; /* 1, -2, 0.5 */
    static const uint32_t tags[] = {0, 0x0002C056, 0x01306B47, 1, 0x12345678};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        bin f = {.n = 0};
        tt_weights w;
        tt_error err;
        float v[3];
        put_u32(&f, tags[i]);
        if (i < 2) {
            put_float(&f, 1);
            put_float(&f, -2);
            put_float(&f, 0.5f);
        } else if (i == 2) {
            for (int j = 0; j < 3; j++) {
                const unsigned char b[] = {(unsigned char)half[j], (unsigned char)(half[j] >> 8)};
                put(&f, b, 2);
            }
            put(&f, "\0\0", 2);
        } else {
            for (int j = 0; j < 256; j++)
                put_float(&f, j == 200 ? -2 : j == 255 ? 0.5f : 1);
            put(&f, "\x03\xc8\xff\0", 4);
        }
        ck_assert_msg(!rk_open(&w, pair(text, &f), "tag", &err), "tag %x: %s", tags[i], err.text);
        ck_assert_int_eq(tt_tensor_floats(&w, &w.tensors[0], v, &err), TT_OK);
        ck_assert_msg(v[0] == 1 && v[1] == -2 && v[2] == 0.5f, "tag %x", tags[i]);
        tt_weights_clear(&w);
        f.n--;
        rk_refused(pair(text, &f), "cut", TT_ERR_FORMAT, "of layer c (line 4 of test) are wanted");
        f.n += 2;
        rk_refused(pair(text, &f), "longer", TT_ERR_FORMAT, "1 bytes at the end belong to no layer");
    }
    bin f = {.n = 0};
    put_u32(&f, 0x000D4B38);
    put_u32(&f, 0);
    rk_refused(pair(text, &f), "int8", TT_ERR_UNSUPPORTED,
               "test.bin: byte 0: the weights of layer c are int8");
}
END_TEST

/* ncnn has [out,in], the networks [in,out]. */
START_TEST(transposed_weights_are_turned)
{
    static const char text[] = "7767517\n2 2\nInput i 0 1 a\nDeconvolution d 1 1 a b 0=2 1=1 6=6\n";
    static const float want[] = {0, 3, 1, 4, 2, 5};
    bin f = {.n = 0};
    tt_weights w;
    tt_error err;
    float v[6];
    put_u32(&f, 0);
    for (int i = 0; i < 6; i++)
        put_float(&f, (float)i);
    ck_assert_msg(!rk_open(&w, pair(text, &f), "transposed", &err), "%s", err.text);
    ck_assert_uint_eq(w.tensors[0].shape[0], 3);
    ck_assert_uint_eq(w.tensors[0].shape[1], 2);
    ck_assert_int_eq(tt_tensor_floats(&w, &w.tensors[0], v, &err), TT_OK);
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(v[i], want[i]);
    tt_weights_clear(&w);
}
END_TEST

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(either_file_may_be_named)
{
    char dir[] = "/tmp/tintype-ncnn-XXXXXX", param[64], weights[64], want[300];
    const bin f = tiny_bin();
    tt_weights w;
    tt_error err = {0};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(param, sizeof param, "%s/a.b.param", dir);
    snprintf(weights, sizeof weights, "%s/a.b.bin", dir);
    write_file(param, tiny, strlen(tiny));
    ck_assert_int_eq(tt_weights_open(&w, param, &err), TT_ERR_INPUT);
    snprintf(want, sizeof want,
             "%s: is one of two files, and the other is missing: %s: cannot be opened: No such file", param,
             weights);
    ck_assert_msg(!strncmp(err.text, want, strlen(want)), "%s", err.text);
    write_file(weights, f.b, f.n);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(!tt_weights_open(&w, i ? weights : param, &err), "%s", err.text);
        ck_assert_uint_eq(w.count, 5);
        tt_weights_clear(&w);
    }
    /* sentences name the file that is wrong, whichever the user named */
    write_file(weights, f.b, f.n - 1);
    ck_assert_int_eq(tt_weights_open(&w, param, &err), TT_ERR_FORMAT);
    ck_assert_msg(!strncmp(err.text, weights, strlen(weights)) && strstr(err.text, param), "%s", err.text);
    write_file(param, "7767517\n1\n", 10);
    ck_assert_int_eq(tt_weights_open(&w, weights, &err), TT_ERR_FORMAT);
    ck_assert_msg(!strncmp(err.text, param, strlen(param)), "%s", err.text);
    write_file(param, "", 0);
    ck_assert_int_eq(tt_weights_open(&w, weights, &err), TT_ERR_FORMAT);
    unlink(param);
    ck_assert_int_eq(tt_weights_open(&w, weights, &err), TT_ERR_INPUT);
    ck_assert_msg(strstr(err.text, param), "%s", err.text);
    unlink(weights);
    rmdir(dir);
}
END_TEST

START_TEST(other_forms_are_refused_by_name)
{
    static const unsigned char binary[] = {0xdd, 0x85, 0x76, 0x00, 1, 0, 0, 0};
    const bin f = tiny_bin();
    rk_refused((rk_file){binary, sizeof binary, f.b, f.n}, "binary", TT_ERR_UNSUPPORTED,
               "test: the binary form of a .param");
    rk_refused((rk_file){tiny, strlen(tiny), NULL, 0}, "alone", TT_ERR_INPUT,
               "its .bin did not come with it");
    char *large = malloc(2 << 20);
    ck_assert_ptr_nonnull(large);
    memset(large, ' ', 2 << 20);
    memcpy(large, "7767517\n", 8);
    rk_refused((rk_file){large, 2 << 20, f.b, f.n}, "large", TT_ERR_FORMAT, "at most 1048576 are allowed");
    free(large);
}
END_TEST

START_TEST(damage_is_survived)
{
    const bin f = tiny_bin();
    size_t made;
    const size_t refused = rk_damage(pair(tiny, &f), &made);
    /* most changes of a weight are another weight; most of the text are not another text */
    ck_assert_uint_gt(refused, (strlen(tiny) + f.n) * 3);
    ck_assert_uint_lt(refused, made);
}
END_TEST

START_TEST(want_of_memory_is_said)
{
    const bin f = tiny_bin();
    rk_starve(pair(tiny, &f));
}
END_TEST

/* ---- numbers -------------------------------------------------------------------------------------- */

START_TEST(numbers_are_read_exactly)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "0.25",
                                       "2.000000e-01",
                                       "1e22",
                                       "1e23",
                                       "1.5E+3",
                                       "9007199254740993",
                                       "0.1",
                                       "-23300",
                                       "123456789012345678901234567890",
                                       "4.9406564584124654e-324",
                                       "1.7976931348623157e308",
                                       "0.30000000000000004",
                                       "-0.23552840948104858",
                                       "5e-1",
                                       "00.5",
                                       "1e400",
                                       "1e-400"};
    static const char *const bad[] = {"",    "-",   ".5",  "5.", "1e", "1e+",   "+1", "0x10",
                                      "nan", "inf", "1,5", "1 ", " 1", "1.2.3", "--1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double d, want = strtod(good[i], NULL);
        ck_assert_msg(tt_number(good[i], strlen(good[i]), &d), "%s", good[i]);
        ck_assert_msg(!memcmp(&d, &want, sizeof d), "%s: %.17g", good[i], d);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double d;
        ck_assert_msg(!tt_number(bad[i], strlen(bad[i]), &d), "'%s'", bad[i]);
    }
    unsigned seed = 1;
    for (int i = 0; i < 200000; i++) {
        char text[48];
        seed = seed * 1664525u + 1013904223u;
        const double v = ((double)(seed >> 1) - 1e9) * pow(10, (int)(seed >> 3 & 31) - 24);
        snprintf(text, sizeof text, i & 1 ? "%.14g" : "%.17g", v);
        double d, want = strtod(text, NULL);
        ck_assert_msg(tt_number(text, strlen(text), &d) && d == want, "%s: %.17g", text, d);
    }
}
END_TEST

START_TEST(a_comma_locale_changes_nothing)
{
    double d;
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        printf("SKIPPED: numbers under a German locale: it is not installed\n");
    ck_assert(tt_number("0.25", 4, &d) && d == 0.25);
    ck_assert(tt_number("0.12345678901234567890", 22, &d) && fabs(d - 0.1234567890123456789) < 1e-16);
    setlocale(LC_ALL, "C");
}
END_TEST

Suite *suite_engine_ncnn(void)
{
    Suite *s = suite_create("engine/ncnn");
    TCase *t = tcase_create("reader");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, a_file_is_read);
    tcase_add_test(t, spellings_are_read);
    tcase_add_test(t, a_damaged_text_is_refused);
    tcase_add_test(t, tags_are_told_apart);
    tcase_add_test(t, transposed_weights_are_turned);
    tcase_add_test(t, either_file_may_be_named);
    tcase_add_test(t, other_forms_are_refused_by_name);
    tcase_add_test(t, damage_is_survived);
    tcase_add_test(t, want_of_memory_is_said);
    tcase_add_test(t, numbers_are_read_exactly);
    tcase_add_test(t, a_comma_locale_changes_nothing);
    suite_add_tcase(s, t);
    return s;
}
