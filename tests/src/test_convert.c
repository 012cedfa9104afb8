#define _XOPEN_SOURCE 700 /* realpath */
/* tintype convert: the same network afterwards, the same bytes each time, and what it says of itself. */
#include "engine/weights.h"
#include "tests/engine/reader_kit.h"
#include "tests/golden.h"
#include "tests/src/program.h"
#include "tests/suites.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tt_weights open_weights(const char *path)
{
    tt_weights w;
    tt_error e;
    ck_assert_msg(!tt_weights_open(&w, path, &e), "%s", e.text);
    return w;
}

static float *floats(const tt_weights *w, const tt_tensor *t)
{
    tt_error e;
    float *v = malloc((t->count ? t->count : 1) * sizeof *v);
    ck_assert_ptr_nonnull(v);
    ck_assert_msg(!tt_tensor_floats(w, t, v, &e), "%s", e.text);
    return v;
}

static const char *said(const tt_weights *w, const char *key)
{
    for (size_t i = 0; w->metadata && w->metadata[i]; i += 2)
        if (!strcmp(w->metadata[i], key))
            return w->metadata[i + 1];
    return "";
}

static const char *weights_of(const char *set)
{
    static char path[4096];
    char rel[128];
    snprintf(rel, sizeof rel, "%s/weights.safetensors", set);
    char *full = realpath(golden_path(rel), NULL); /* the program runs elsewhere */
    ck_assert_ptr_nonnull(full);
    snprintf(path, sizeof path, "%s", full);
    free(full);
    return path;
}

static const char *const sets[] = {"srcnn/915", "vdsr/bias", "rrdb/old_x4_plus", "srvgg/x2", "waifu2x/upcunet"};
static const char *const scales[] = {"1", "1", "4", "2", "2"};

START_TEST(the_same_network)
{
    char folder[16];
    const char *in = weights_of(sets[_i]);
    snprintf(folder, sizeof folder, "same%d", _i);
    pg_within(folder);
    pg_run r = RUN("convert", in, "-o", "a.safetensors"), again = RUN("convert", in, "-o", "b.safetensors"),
           twice = RUN("convert", "a.safetensors", "-o", "c.safetensors");
    EXPECT(r, 0, "weights.safetensors -> a.safetensors: ");
    EXPECT(again, 0, "");
    EXPECT(twice, 0, "");
    ck_assert(pg_same("a.safetensors", "b.safetensors"));
    ck_assert(pg_same("a.safetensors", "c.safetensors"));
    tt_weights a = open_weights(in), b = open_weights(pg_at("a.safetensors"));
    ck_assert_uint_eq(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        ck_assert_str_eq(a.tensors[i].name, b.tensors[i].name);
        ck_assert_int_eq(a.tensors[i].dtype, b.tensors[i].dtype);
        ck_assert_uint_eq(a.tensors[i].bytes, b.tensors[i].bytes);
        ck_assert_mem_eq(a.tensors[i].data, b.tensors[i].data, a.tensors[i].bytes);
    }
    char sha[80];
    char line[4300];
    snprintf(line, sizeof line, "sha256sum <'%s' | cut -c1-64", in);
    pg_run sum = pg_shell(line);
    snprintf(sha, sizeof sha, "%.64s", sum.out);
    ck_assert_str_eq(said(&b, "tintype.source_sha256"), sha);
    ck_assert_str_eq(said(&b, "tintype.source"), "weights.safetensors");
    ck_assert_str_eq(said(&b, "tintype.scale"), scales[_i]);
    ck_assert_str_ne(said(&b, "tintype.architecture"), "");
    tt_weights_clear(&a);
    tt_weights_clear(&b);
}
END_TEST

/* A golden file under another name in the folder of the test. */
static void bring(const char *golden, const char *name)
{
    size_t size;
    unsigned char *bytes = rk_read(golden_path(golden), &size);
    pg_store(name, bytes, size);
    free(bytes);
}

/* Files of other programs, and what goes through the network before and after. */
static const struct {
    const char *file, *name, *beside, *beside_name, *input, *key, *value;
} foreign[] = {
    {"rrdb_split.param", "a.param", "rrdb_f16.bin", "a.bin", "containers/rrdb_f16.case0", "tintype.source_format", "ncnn"},
    {"srvgg_table.bin", "b.bin", "srvgg.param", "b.param", "srvgg/x2/case0", "tintype.architecture", "srvgg"},
    {"srcnn_955.mat", "c.mat", NULL, NULL, "srcnn/955/case0", "padding", "replicate"},
    {"vdsr_cell.mat", "d.mat", NULL, NULL, "vdsr/bias/case0", "tintype.source_format", "MATLAB 5"},
    {"upconv_7.json", "e.json", NULL, NULL, "waifu2x/upconv_7/case0", "arch_name", "upconv_7"},
};

START_TEST(foreign_files_become_the_same_network)
{
    char folder[16], rel[128];
    snprintf(folder, sizeof folder, "foreign%d", _i);
    pg_within(folder);
    snprintf(rel, sizeof rel, "containers/%s", foreign[_i].file);
    bring(rel, foreign[_i].name);
    snprintf(rel, sizeof rel, "containers/%s", foreign[_i].beside);
    if (foreign[_i].beside)
        bring(rel, foreign[_i].beside_name);
    snprintf(rel, sizeof rel, "%s.safetensors", foreign[_i].input);
    bring(rel, "in");
    pg_run made = RUN("convert", foreign[_i].name, "-o", "converted"), a = RUN("run", "-m", foreign[_i].name, "in", "x"),
           b = RUN("run", "-m", "converted", "in", "y");
    EXPECT(made, 0, "");
    EXPECT(a, 0, "");
    EXPECT(b, 0, "");
    ck_assert(pg_same("x", "y"));
    tt_weights w = open_weights(pg_at("converted"));
    ck_assert_str_eq(said(&w, foreign[_i].key), foreign[_i].value);
    tt_weights_clear(&w);
}
END_TEST

START_TEST(half_the_size)
{
    const char *in = weights_of("srvgg/x2");
    for (int bf = 0; bf < 2; bf++) {
        pg_run r = RUN("convert", "--dtype", bf ? "bf16" : "f16", in, "-o", "half", "--overwrite");
        EXPECT(r, 0, "");
        tt_weights a = open_weights(in), b = open_weights(pg_at("half"));
        ck_assert_uint_eq(a.count, b.count);
        for (size_t i = 0; i < a.count; i++) {
            ck_assert_int_eq(b.tensors[i].dtype, bf ? TT_BF16 : TT_F16);
            float *x = floats(&a, &a.tensors[i]), *y = floats(&b, &b.tensors[i]);
            /* half a step of 10 or 7 bits of fraction; halves below 2^-14 are 2^-24 apart */
            for (size_t j = 0; j < a.tensors[i].count; j++)
                ck_assert(fabsf(x[j] - y[j]) <= fabsf(x[j]) * (bf ? 0x1p-8f : 0x1p-11f) + (bf ? 0 : 0x1p-25f));
            free(x);
            free(y);
        }
        tt_weights_clear(&a);
        tt_weights_clear(&b);
        pg_run info = RUN("info", "half");
        EXPECT(info, 0, "");
    }
}
END_TEST

START_TEST(settings_go_along)
{
    pg_run r = RUN("convert", weights_of("srcnn/915"), "-o", "zero", "--net", "padding=zero");
    EXPECT(r, 0, "");
    tt_weights w = open_weights(pg_at("zero"));
    ck_assert_str_eq(said(&w, "padding"), "zero");
    tt_weights_clear(&w);
    pg_run none = RUN("convert", weights_of("srcnn/915"), "-o", "no", "--net", "colour=red");
    EXPECT(none, 2, "no setting colour=red");
    ck_assert(!pg_there("no"));
}
END_TEST

/* A one-layer chain that no network is, and a network with one value that is too large for f16, or is none. */
static void altered(const char *set, const char *name, float value)
{
    tt_weights w = open_weights(weights_of(set));
    tt_tensor_out *t = calloc(w.count, sizeof *t);
    unsigned char *bytes;
    size_t size;
    for (size_t i = 0; i < w.count; i++) {
        float *v = floats(&w, &w.tensors[i]);
        t[i] = (tt_tensor_out){.name = w.tensors[i].name, .rank = w.tensors[i].rank, .data = v};
        memcpy(t[i].shape, w.tensors[i].shape, sizeof t[i].shape);
        if (i == w.count / 2)
            v[w.tensors[i].count / 2] = value;
    }
    ck_assert(!tt_safetensors_write(t, w.count, NULL, &bytes, &size, NULL));
    pg_store(name, bytes, size);
    free(bytes);
    for (size_t i = 0; i < w.count; i++)
        free((float *)t[i].data);
    free(t);
    tt_weights_clear(&w);
}

START_TEST(what_is_refused)
{
    altered("srvgg/x2", "large", 70000);
    altered("srvgg/x2", "infinite", INFINITY);
    pg_store("text", "not a weight file", 17);
    pg_run f32 = RUN("convert", "large", "-o", "f32"), f16 = RUN("convert", "large", "-o", "no", "--dtype", "f16"),
           inf = RUN("convert", "infinite", "-o", "no"), text = RUN("convert", "text", "-o", "no"),
           gone = RUN("convert", "none", "-o", "no"), unnamed = RUN("convert", "large"),
           there = RUN("convert", "large", "-o", "f32"), bad = RUN("convert", "large", "-o", "no", "--dtype", "f8"),
           nodir = RUN("convert", "large", "-o", "no/where"),
           pipe = pg_shell("\"$T\" convert large -o - | cmp - f32 && \"$T\" convert large -o - >/dev/full");
    EXPECT(f32, 0, "");
    EXPECT(f16, 70, "not finite as F16");
    EXPECT(inf, 70, "infinite");
    EXPECT(text, 65, "text: not a weight file");
    EXPECT(gone, 66, "none: ");
    EXPECT(unnamed, 2, "-o names the file");
    EXPECT(there, 73, "f32: exists already");
    EXPECT(bad, 2, "f8");
    EXPECT(nodir, 73, "no/where");
    EXPECT(pipe, 75, "");
    ck_assert(!pg_there("no"));
}
END_TEST

Suite *suite_src_convert(void)
{
    Suite *s = suite_create("src/convert");
    TCase *t = tcase_create("convert");
    tcase_add_unchecked_fixture(t, pg_setup, pg_teardown);
    tcase_add_loop_test(t, the_same_network, 0, (int)(sizeof sets / sizeof *sets));
    tcase_add_loop_test(t, foreign_files_become_the_same_network, 0, (int)(sizeof foreign / sizeof *foreign));
    tcase_add_test(t, half_the_size);
    tcase_add_test(t, settings_go_along);
    tcase_add_test(t, what_is_refused);
    suite_add_tcase(s, t);
    return s;
}
