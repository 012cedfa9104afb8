#define _DEFAULT_SOURCE /* mkdtemp */
/* Files of other programs: the published names they get, the graph that must be the network's, what their
 * coming from there says. */
#include "tests/models/network.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu.h"
#include "src/tintype.h"
#include "tests/engine/reader_kit.h"
#include "tests/golden.h"
#include "tests/kernels/kc.h"

Suite *suite_models_foreign(void);

/* ---- the same tensors ----------------------------------------------------------------------------- */

static const struct {
    const char *file, *beside, *expected, *variant;
} containers[] = {
    {"srvgg.param", "srvgg_f32.bin", "srvgg_f32", "SRVGGNetCompact x2, 16 features, 4 convolutions, prelu"},
    {"srvgg.param", "srvgg_f16.bin", "srvgg_f16", "SRVGGNetCompact x2, 16 features, 4 convolutions, prelu"},
    {"srvgg.param", "srvgg_table.bin", "srvgg_table",
     "SRVGGNetCompact x2, 16 features, 4 convolutions, prelu"},
    {"rrdb_fused.param", "rrdb_f16.bin", "rrdb_f16", "RRDBNet x4, 8 features, 1 block"},
    {"rrdb_split.param", "rrdb_f16.bin", "rrdb_f16", "RRDBNet x4, 8 features, 1 block"},
    {"upconv_7.json", NULL, "upconv_7", "upconv_7"},
    {"srcnn_915.mat", NULL, "srcnn_915", "9-1-5, replicate padding"},
    {"srcnn_955.mat", NULL, "srcnn_955", "9-5-5, replicate padding"},
    {"vdsr_cell.mat", NULL, "vdsr_cell", "5 layers, 4 features"},
};
enum { CONTAINERS = sizeof containers / sizeof *containers };

static unsigned char *container(const char *name, size_t *size)
{
    char rel[128];
    snprintf(rel, sizeof rel, "containers/%s", name);
    return rk_read(golden_path(rel), size);
}

/* A file in memory and, where not NULL, the one beside it, opened and adopted. */
typedef struct opened {
    nt_network n;
    unsigned char *bytes, *beside;
} opened;

static void open_pair(opened *o, unsigned char *bytes, size_t size, const char *beside)
{
    tt_error err = {0};
    size_t beside_size = 0;
    *o = (opened){.bytes = bytes, .beside = beside ? container(beside, &beside_size) : NULL};
    ck_assert_msg(!tt_weights_open_pair(&o->n.weights, bytes, size, o->beside, beside_size, "test", &err),
                  "%s", err.text);
    ck_assert_msg(!tt_model_adopt(&o->n.weights, &err), "%s", err.text);
}

static void close_pair(opened *o)
{
    nt_close(&o->n);
    free(o->bytes);
    free(o->beside);
}

START_TEST(tensors_are_exactly_those_expected)
{
    char rel[128];
    size_t size;
    opened o;
    tt_weights want;
    tt_error err = {0};
    unsigned char *bytes = container(containers[_i].file, &size);
    open_pair(&o, bytes, size, containers[_i].beside);
    snprintf(rel, sizeof rel, "containers/%s.expected.safetensors", containers[_i].expected);
    ck_assert_msg(!tt_weights_open(&want, golden_path(rel), &err), "%s", err.text);
    const tt_weights *got = &o.n.weights;
    ck_assert_uint_eq(got->count, want.count);
    for (size_t i = 0; i < want.count; i++) {
        const tt_tensor *a = &want.tensors[i], *b = &got->tensors[i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_int_eq(a->rank, b->rank);
        for (int d = 0; d < a->rank; d++)
            ck_assert_msg(a->shape[d] == b->shape[d], "%s: shape[%d] is %zu", a->name, d, b->shape[d]);
        float *x = malloc(a->count * sizeof *x), *y = malloc(a->count * sizeof *y);
        ck_assert_int_eq(tt_tensor_floats(&want, a, x, &err), TT_OK);
        ck_assert_int_eq(tt_tensor_floats(got, b, y, &err), TT_OK);
        ck_assert_msg(!memcmp(x, y, a->count * sizeof *x), "%s differs", a->name);
        free(x);
        free(y);
    }
    ck_assert_msg(!tt_model_build(got, NULL, &o.n.model, &o.n.traits, &o.n.graph, &err), "%s", err.text);
    ck_assert_str_eq(o.n.traits.variant, containers[_i].variant);
    tt_weights_clear(&want);
    close_pair(&o);
}
END_TEST

START_TEST(both_spellings_give_the_golden)
{
    for (int split = 0; split < 2; split++) {
        tt_weights w;
        tt_error err = {0};
        opened o;
        size_t size;
        char what[300];
        unsigned char *bytes = container(split ? "rrdb_split.param" : "rrdb_fused.param", &size);
        open_pair(&o, bytes, size, "rrdb_f16.bin");
        ck_assert_msg(!tt_model_build(&o.n.weights, NULL, &o.n.model, &o.n.traits, &o.n.graph, &err), "%s",
                      err.text);
        ck_assert_msg(!tt_weights_open(&w, golden_path("containers/rrdb_f16.case0.safetensors"), &err), "%s",
                      err.text);
        nt_map in = nt_tensor(&w, "input"), want = nt_tensor(&w, "output");
        tt_net *net = nt_net(&o.n, tt_cpu_detect());
        nt_map got = nt_engine(net, &in, 2);
        ck_assert_msg(nt_agree(&want, &got, false, what, sizeof what), "%s", what);
        tt_net_free(net);
        nt_free(&got);
        nt_free(&in);
        nt_free(&want);
        tt_weights_clear(&w);
        close_pair(&o);
    }
}
END_TEST

/* ---- reduced -------------------------------------------------------------------------------------- */

static double cubic(double x)
{
    x = fabs(x);
    return x < 1   ? 1.25 * x * x * x - 2.25 * x * x + 1
           : x < 2 ? -0.75 * (x * x * x - 5 * x * x + 8 * x - 4)
                   : 0;
}

/* ncnn's definition: half-pixel centres, taps clamped to the edge. */
static double reduced_at(const it_map *m, int c, double y, double x)
{
    double sum = 0;
    for (int j = (int)floor(y) - 1; j <= (int)floor(y) + 2; j++)
        for (int i = (int)floor(x) - 1; i <= (int)floor(x) + 2; i++) {
            const int v = j < 0 ? 0 : j >= m->h ? m->h - 1 : j, u = i < 0 ? 0 : i >= m->w ? m->w - 1 : i;
            sum += m->v[(c * m->h + v) * m->w + u] * cubic(y - j) * cubic(x - i);
        }
    return sum;
}

START_TEST(a_reduced_network_is_the_bicubic_of_the_whole)
{
    static const int sizes[][2] = {{1, 1}, {2, 3}, {7, 5}, {17, 21}};
    const nt_set whole = {"srvgg/x4", {NULL}, false};
    const nt_set set = {"srvgg/x4", {_i ? "reduce=3/4" : "reduce=1/2"}, false};
    const double by = _i ? 0.75 : 0.5;
    nt_network n, all;
    nt_open(&n, &set);
    nt_open(&all, &whole);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        nt_map in = nt_noise(3, sizes[s][0], sizes[s][1]);
        it_map *large = nt_interpret(&all, &in), *maps = nt_interpret(&n, &in);
        ck_assert(large && maps);
        const it_map *l = &large[all.graph->output], *r = &maps[n.graph->output];
        ck_assert_int_eq(r->h, (int)(l->h * by));
        ck_assert_int_eq(r->w, (int)(l->w * by));
        for (int c = 0, i = 0; c < r->c; c++)
            for (int y = 0; y < r->h; y++)
                for (int x = 0; x < r->w; x++, i++) {
                    const double want = reduced_at(l, c, (y + 0.5) / by - 0.5, (x + 0.5) / by - 0.5);
                    ck_assert_msg(fabs(r->v[i] - want) < 1e-6, "[%d,%d,%d]: %g where %g is wanted", c, y, x,
                                  r->v[i], want);
                }
        nt_map want = nt_floats(r);
        for (int level = 0; level < kc_isa_count(); level++) {
            char what[300];
            tt_net *net = nt_net(&n, kc_isas[level].flags);
            nt_map got = nt_engine(net, &in, 1), again = nt_engine(net, &in, 3);
            ck_assert_msg(nt_agree(&want, &got, true, what, sizeof what), "%s: %s", kc_isas[level].name,
                          what);
            ck_assert(!memcmp(got.v, again.v, (size_t)(got.c * got.h * got.w) * sizeof *got.v));
            tt_net_free(net);
            nt_free(&got);
            nt_free(&again);
        }
        nt_free(&want);
        it_free(n.graph, maps);
        it_free(all.graph, large);
        nt_free(&in);
    }
    nt_close(&n);
    nt_close(&all);
}
END_TEST

/* ---- vgg_7 ---------------------------------------------------------------------------------------- */

static const char *noted(const tt_weights *w, const char *key)
{
    for (char **m = w->metadata; m && *m; m += 2)
        if (!strcmp(*m, key))
            return m[1];
    return "";
}

START_TEST(the_name_says_what_vgg_7_is_for)
{
    static const struct {
        const char *name, *key, *value, *task;
    } tries[] = {
        {"scale2.0x_model.json", NULL, NULL, "scale"},
        {"a/noise1_model.json", NULL, NULL, "noise"},
        {"scale/model.json", NULL, NULL, ""},
        {"noise1_model.json", "resize", "true", "scale"},
        {"scale2.0x_model.json", "resize", "false", "noise"},
        {"model", "scale_factor", "2", "scale"},
        {"scale2.0x_model.json", "task", "noise", "noise"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        size_t size;
        tt_weights w;
        tt_error err = {0};
        unsigned char *bytes = rk_read(golden_path("waifu2x/vgg_7/weights.safetensors"), &size);
        ck_assert_msg(!tt_weights_open_memory(&w, bytes, size, tries[i].name, &err), "%s", err.text);
        if (tries[i].key)
            ck_assert_int_eq(tt_weights_note(&w, tries[i].key, tries[i].value, &err), TT_OK);
        ck_assert_int_eq(tt_model_adopt(&w, &err), TT_OK);
        ck_assert_msg(!strcmp(noted(&w, "task"), tries[i].task), "%s: %s", tries[i].name, noted(&w, "task"));
        tt_weights_clear(&w);
        free(bytes);
    }
}
END_TEST

static tt_error err;

static void must(tt_status st)
{
    ck_assert_msg(st == TT_OK, "%s", err.text);
}

/* As the original does it: nearest neighbour twice, the edge pixel repeated seven times, the network. */
START_TEST(vgg_7_enlarges)
{
    enum { W = 23, H = 17, PAD = 7, LW = 2 * W + 2 * PAD, LH = 2 * H + 2 * PAD };
    const char *path = golden_path("waifu2x/vgg_7/weights.safetensors");
    static const char *const noise[] = {"task=noise", NULL}, *const scale[] = {"task=scale", NULL};
    const tt_upscale_options o = {.size = sizeof o};
    unsigned char pixels[H * W * 3];
    static float in[3 * LH * LW], out[3 * 4 * W * H];
    tt_context *c;
    tt_network *bare, *n;
    tt_image *img, *got;
    for (int i = 0; i < H * W * 3; i++)
        pixels[i] = (unsigned char)(i * 37 + i / 7 * 11);
    must(tt_context_new(&c, NULL, &err));
    must(tt_network_open(&bare, path, noise, &err));
    must(tt_network_open(&n, path, scale, &err));
    must(tt_image_new(&img, W, H, 3, 8, pixels, &err));
    must(tt_upscale(c, n, img, &o, &got, &err));
    ck_assert_int_eq(tt_image_width(got), 2 * W);
    ck_assert_int_eq(tt_image_height(got), 2 * H);
    for (int p = 0, i = 0; p < 3; p++)
        for (int y = 0; y < LH; y++)
            for (int x = 0; x < LW; x++, i++) {
                const int v = y < PAD ? 0 : y - PAD >= 2 * H ? H - 1 : (y - PAD) / 2;
                const int u = x < PAD ? 0 : x - PAD >= 2 * W ? W - 1 : (x - PAD) / 2;
                in[i] = (float)pixels[(v * W + u) * 3 + p] / 255;
            }
    int oc, oh, ow;
    must(tt_network_run(c, bare, in, LH, LW, out, &oc, &oh, &ow, &err));
    ck_assert(oc == 3 && oh == 2 * H && ow == 2 * W);
    const unsigned char *bytes = tt_image_samples(got);
    for (int i = 0; i < 4 * H * W * 3; i++) {
        const double want = (double)out[i % 3 * 4 * H * W + i / 3] * 255;
        ck_assert_msg(fabs(bytes[i] - want) <= 0.501, "value %d: %d where %g is wanted", i, bytes[i], want);
    }
    tt_image_free(got);
    tt_image_free(img);
    tt_network_free(n);
    tt_network_free(bare);
    tt_context_free(c);
}
END_TEST

Suite *suite_models_foreign(void)
{
    Suite *s = suite_create("models/foreign");
    TCase *t = tcase_create("adopted");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, tensors_are_exactly_those_expected, 0, CONTAINERS);
    tcase_add_test(t, both_spellings_give_the_golden);
    tcase_add_loop_test(t, a_reduced_network_is_the_bicubic_of_the_whole, 0, 2);
    tcase_add_test(t, the_name_says_what_vgg_7_is_for);
    tcase_add_test(t, vgg_7_enlarges);
    suite_add_tcase(s, t);
    return s;
}
