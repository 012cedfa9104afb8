/* DeOldify's boxes one by one against the published ones, its norms, and attention of any size. */
#include "tests/models/deoldify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "engine/ops/ops.h"
#include "models/deoldify.h"
#include "tests/kernels/kc.h"

Suite *suite_models_deoldify_blocks(void);

/* ---- blocks --------------------------------------------------------------------------------------- */

static tt_val spectral(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_conv(b, x, "conv", .spectral = true);
}
static tt_val weight_norm(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_conv(b, x, "conv", .weight_norm = true);
}
static tt_val residual(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_deoldify_residual(b, x, 1);
}
static tt_val residual_down(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_deoldify_residual(b, x, 2);
}
static tt_val conv_relu_bn(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_deoldify_conv_relu_bn(b, x);
}
static tt_val attention(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_deoldify_attention(b, x);
}
static tt_val tail(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_deoldify_tail(b, x);
}
static tt_val upsample(tt_build *b, tt_val x, tt_val skip)
{
    (void)skip;
    return tt_has(b, "conv.0.weight_g") ? tt_deoldify_last_upsample(b, x)
                                        : tt_deoldify_upsample(b, x, tt_nearest(b, x, 2));
}
static tt_val decoder(tt_build *b, tt_val x, tt_val skip)
{
    const bool deep = tt_has(b, "conv1.0.weight_orig");
    return tt_deoldify_decoder(b, x, skip, deep, tt_has(b, deep ? "conv2.3.gamma" : "conv.3.gamma"));
}

/* Tolerances are those of index.json. */
static const struct {
    const char *file;
    double tolerance;
    tt_val (*describe)(tt_build *b, tt_val x, tt_val skip);
} blocks[] = {
    {"spectral_conv3", 1.2e-5, spectral},
    {"spectral_conv3_bias", 9.2e-6, spectral},
    {"spectral_conv1d", 1e-5, spectral},
    {"weight_norm_conv", 1.9e-5, weight_norm},
    {"conv_relu_bn", 2e-5, conv_relu_bn},
    {"upsample_bn", 7.9e-6, upsample},
    {"upsample_weight_norm", 8.7e-6, upsample},
    {"attention", 1.4e-5, attention},
    {"unet_block_deep", 3.3e-5, decoder},
    {"unet_block_deep_odd", 4.6e-5, decoder},
    {"unet_block_wide", 3e-5, decoder},
    {"unet_block_wide_odd", 2.9e-5, decoder},
    {"basic", 1.3e-5, residual},
    {"basic_down", 1.2e-5, residual_down},
    {"bottleneck", 1.5e-5, residual},
    {"bottleneck_widen", 1.4e-5, residual},
    {"bottleneck_down", 1.5e-5, residual_down},
    {"tail", 1.4e-5, tail},
};

/*
 * A block with two inputs of different sizes gets both from one: x lies in every second pixel, above the
 * channels of the skip connection, and two convolutions of ones pick them out.
 */
typedef struct pair {
    nt_map both;
    float *pick_x, *pick_skip;
    int channels, skips;
} pair;

static pair join(const nt_map *x, const nt_map *skip)
{
    pair p = {.channels = x->c, .skips = skip->c};
    const int all = x->c + skip->c, h = skip->h, w = skip->w;
    p.both = (nt_map){all, h, w, calloc((size_t)(all * h * w), sizeof(float))};
    p.pick_x = calloc((size_t)(x->c * all), sizeof *p.pick_x);
    p.pick_skip = calloc((size_t)(skip->c * all), sizeof *p.pick_skip);
    ck_assert(p.both.v && p.pick_x && p.pick_skip);
    memcpy(p.both.v, skip->v, (size_t)(skip->c * h * w) * sizeof *skip->v);
    for (int c = 0; c < x->c; c++)
        for (int y = 0; y < x->h; y++)
            for (int u = 0; u < x->w; u++)
                p.both.v[((skip->c + c) * h + 2 * y) * w + 2 * u] = x->v[(c * x->h + y) * x->w + u];
    for (int c = 0; c < x->c; c++)
        p.pick_x[c * all + skip->c + c] = 1;
    for (int c = 0; c < skip->c; c++)
        p.pick_skip[c * all + c] = 1;
    return p;
}

/* The block's tensors of a file, and those of the pair; names without "w.", a bare convolution's under
 * "conv.". */
static tt_weights block_weights(const tt_weights *w, const pair *p, char names[][64])
{
    static char pick_x[] = "pick.x.weight", pick_skip[] = "pick.skip.weight";
    tt_weights mine = *w;
    mine.tensors = calloc(w->count + 2, sizeof *mine.tensors);
    ck_assert_ptr_nonnull(mine.tensors);
    mine.count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (strncmp(w->tensors[i].name, "w.", 2) == 0) {
            tt_tensor *t = &mine.tensors[mine.count];
            *t = w->tensors[i];
            snprintf(names[mine.count], 64, "%s%s",
                     strchr(t->name + 2, '.') || !strcmp(t->name, "w.gamma") ? "" : "conv.", t->name + 2);
            t->name = names[mine.count++];
        }
    const size_t all = (size_t)(p->channels + p->skips);
    if (p->pick_x) {
        const tt_tensor x = {
            .name = pick_x, .dtype = TT_F32, .rank = 4, .shape = {(size_t)p->channels, all, 1, 1}};
        const tt_tensor skip = {
            .name = pick_skip, .dtype = TT_F32, .rank = 4, .shape = {(size_t)p->skips, all, 1, 1}};
        mine.tensors[mine.count] = x;
        mine.tensors[mine.count++].data = (const unsigned char *)p->pick_x;
        mine.tensors[mine.count] = skip;
        mine.tensors[mine.count++].data = (const unsigned char *)p->pick_skip;
        for (size_t i = mine.count - 2; i < mine.count; i++) {
            tt_tensor *t = &mine.tensors[i];
            t->count = t->shape[0] * t->shape[1];
            t->bytes = t->count * sizeof(float);
        }
    }
    qsort(mine.tensors, mine.count, sizeof *mine.tensors, do_by_name);
    return mine;
}

START_TEST(blocks_give_the_goldens)
{
    char names[64][64];
    tt_weights w;
    tt_error err = {0};
    pair p = {0};
    do_open(&w, blocks[_i].file);
    nt_map in = do_map(&w, "in"), want = do_map(&w, "out");
    if (tt_weights_find(&w, "in.skip")) {
        nt_map skip = do_map(&w, "in.skip");
        p = join(&in, &skip);
        nt_free(&skip);
    }
    tt_weights mine = block_weights(&w, &p, names);
    nt_network n = {.weights = mine};
    tt_build *b = tt_build_new(&mine, NULL);
    ck_assert_ptr_nonnull(b);
    tt_val x = tt_input(b, p.pick_x ? p.channels + p.skips : in.c), skip = x;
    if (p.pick_x) {
        skip = tt_conv(b, x, "pick.skip");
        x = tt_conv(b, x, "pick.x", .stride = 2);
    }
    const tt_val out = blocks[_i].describe(b, x, skip);
    ck_assert_msg(tt_build_finish(b, out, &n.graph, &err) == TT_OK, "%s: %s", blocks[_i].file, err.text);
    do_check(&n, p.pick_x ? &p.both : &in, &want, blocks[_i].tolerance, blocks[_i].file);
    tt_graph_free(n.graph);
    free(mine.tensors);
    free(p.pick_x);
    free(p.pick_skip);
    nt_free(&p.both);
    nt_free(&in);
    nt_free(&want);
    tt_weights_clear(&w);
}
END_TEST

/* The weights as they are used: the division rounds once, so an error of a few ulp is all there may be. */
START_TEST(folded_weights_are_the_goldens)
{
    static const char *const files[] = {"spectral_conv3", "spectral_conv3_bias", "spectral_conv1d",
                                        "weight_norm_conv"};
    char names[64][64];
    tt_weights w;
    tt_error err = {0};
    const pair none = {0};
    do_open(&w, files[_i]);
    tt_weights mine = block_weights(&w, &none, names);
    const tt_tensor *t = tt_weights_find(&w, "out.folded");
    tt_build *b = tt_build_new(&mine, NULL);
    tt_graph *g;
    ck_assert(t && b);
    const tt_val x = tt_input(b, (int)t->shape[1]);
    const tt_val out = _i == 3 ? weight_norm(b, x, x) : spectral(b, x, x);
    ck_assert_msg(tt_build_finish(b, out, &g, &err) == TT_OK, "%s", err.text);
    float *want = malloc(t->count * sizeof *want), *got = malloc(t->count * sizeof *got), bias[64] = {0};
    ck_assert(want && got);
    ck_assert_int_eq(tt_tensor_floats(&w, t, want, &err), TT_OK);
    ck_assert_msg(tt_fold(&mine, &g->node[g->output], got, bias, &err) == TT_OK, "%s", err.text);
    for (size_t i = 0; i < t->count; i++)
        ck_assert_msg(fabsf(want[i] - got[i]) <= 2e-7f * fabsf(want[i]), "%s: weight %zu is %g, not %g",
                      files[_i], i, (double)got[i], (double)want[i]);
    free(want);
    free(got);
    tt_graph_free(g);
    free(mine.tensors);
    tt_weights_clear(&w);
}
END_TEST

/* ---- attention ------------------------------------------------------------------------------------ */

/* Query and key by convolutions, the input itself is the value. */
static tt_graph *attention_graph(const tt_weights *w, int scored, int channels)
{
    tt_error err = {0};
    tt_graph *g;
    tt_build *b = tt_build_new(w, NULL);
    ck_assert_ptr_nonnull(b);
    const tt_val x = tt_input(b, channels);
    const tt_val q = tt_conv(b, x, "q", .out = scored), k = tt_conv(b, x, "k", .out = scored);
    const tt_val out = tt_attend(b, q, k, x);
    ck_assert_msg(tt_build_finish(b, out, &g, &err) == TT_OK, "%s", err.text);
    return g;
}

/*
 * At positions up to 20,000, odd ones, of which some results are worked out by the definition in double: the
 * products of all would take minutes. Scores reach tens, so that the softmax is far from flat.
 */
START_TEST(attention_of_any_size)
{
    static const struct {
        int h, w, scored, channels;
    } tries[] = {{1, 1, 1, 5},     {3, 5, 3, 24},    {16, 16, 4, 33},
                 {19, 27, 17, 40}, {70, 70, 12, 48}, {142, 141, 9, 20}};
    const int h = tries[_i].h, w = tries[_i].w, d = tries[_i].scored, channels = tries[_i].channels,
              n = h * w;
    nt_map in = nt_noise(channels, h, w), weights = nt_noise(2 * d, channels, 1);
    for (int i = 0; i < 2 * d * channels; i++)
        weights.v[i] = (weights.v[i] - 0.5f) * 3;
    static char name[2][16] = {"k.weight", "q.weight"};
    tt_tensor tensor[2];
    for (int i = 0; i < 2; i++)
        tensor[i] = (tt_tensor){.name = name[i],
                                .dtype = TT_F32,
                                .rank = 4,
                                .shape = {(size_t)d, (size_t)channels, 1, 1},
                                .count = (size_t)(d * channels),
                                .bytes = (size_t)(d * channels) * sizeof(float),
                                .data = (const unsigned char *)(weights.v + i * d * channels)};
    static char path[] = "attention";
    const tt_weights file = {.path = path, .tensors = tensor, .count = 2};
    nt_network net = {.graph = attention_graph(&file, d, channels)};
    double *q = malloc((size_t)(n * d) * sizeof *q), *k = malloc((size_t)(n * d) * sizeof *k),
           *p = malloc((size_t)n * sizeof *p);
    ck_assert(q && k && p);
    for (int c = 0; c < d; c++)
        for (int i = 0; i < n; i++) {
            q[c * n + i] = k[c * n + i] = 0;
            for (int j = 0; j < channels; j++) {
                k[c * n + i] += (double)weights.v[c * channels + j] * (double)in.v[j * n + i];
                q[c * n + i] += (double)weights.v[(d + c) * channels + j] * (double)in.v[j * n + i];
            }
        }
    for (int level = 0; level < kc_isa_count(); level++) {
        if (level == 0 && n > 5000)
            continue; /* the scalar kernels would take minutes, and work as they do on fewer positions */
        tt_net *ready = nt_net(&net, kc_isas[level].flags);
        nt_map one = nt_engine(ready, &in, 1);
        for (int j = 0; j<n; j += n> 300 ? n / 41 : 1) {
            double most = -INFINITY, sum = 0;
            for (int i = 0; i < n; i++) {
                p[i] = 0;
                for (int c = 0; c < d; c++)
                    p[i] += q[c * n + i] * k[c * n + j];
                most = fmax(most, p[i]);
            }
            for (int i = 0; i < n; i++)
                sum += p[i] = exp(p[i] - most);
            for (int c = 0; c < channels; c++) {
                double want = 0;
                for (int i = 0; i < n; i++)
                    want += (double)in.v[c * n + i] * p[i] / sum;
                ck_assert_msg(fabs(want - (double)one.v[c * n + j]) <= 2e-5,
                              "%s, %d x %d: [%d,%d] is %g, not %g", kc_isas[level].name, w, h, c, j,
                              (double)one.v[c * n + j], want);
            }
        }
        for (size_t t = 1; t < DO_THREADS && n < 6000; t++) {
            nt_map many = nt_engine(ready, &in, do_threads[t]);
            ck_assert_msg(do_same(&one, &many), "%s, %d x %d: %d threads give other bytes",
                          kc_isas[level].name, w, h, do_threads[t]);
            nt_free(&many);
        }
        nt_free(&one);
        tt_net_free(ready);
    }
    free(q);
    free(k);
    free(p);
    tt_graph_free(net.graph);
    nt_free(&in);
    nt_free(&weights);
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test, int times)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 600); /* the interpreter is slow on purpose, and slower under a sanitizer */
    tcase_add_loop_test(tc, test, 0, times);
    suite_add_tcase(s, tc);
}

Suite *suite_models_deoldify_blocks(void)
{
    Suite *s = suite_create("models/deoldify_blocks");
    add(s, "blocks", blocks_give_the_goldens, KC_COUNT(blocks));
    add(s, "folded weights", folded_weights_are_the_goldens, 4);
    add(s, "attention", attention_of_any_size, 6);
    return s;
}
