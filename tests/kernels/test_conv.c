#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"
#include "tests/suites.h"

/* The tile sizes are 1, 2, 4, 6, 8, 12 and 16 pixels: lengths on both sides of each. */
static const int lengths[] = {0, 1, 2, 5, 6, 7, 11, 12, 13, 16, 17, 24, 25, 31, 100};

/* A window over input: `full` whole blocks (blocked) or channels (planar), and `last` channels more. */
typedef struct window {
    const char *name;
    int kh, kw, planar, full, last;
} window;
static const window windows[] = {
    {"1x1 of 1", 1, 1, 0, 0, 1},        {"1x1 of 2 blocks", 1, 1, 0, 2, 0},
    {"2x2 of 3", 2, 2, 0, 0, 3},        {"3x3 of 15", 3, 3, 0, 0, 15},
    {"3x3 of 1 block", 3, 3, 0, 1, 0},  {"3x3 of 1 block + 1", 3, 3, 0, 1, 1},
    {"5x5 of 16", 5, 5, 0, 0, 16},      {"planar 1x1", 1, 1, 1, 1, 0},
    {"planar 3x3 of 3", 3, 3, 1, 3, 0}, {"planar 9x9 of 1", 9, 9, 1, 1, 0},
};

enum { SEGMENTS = 128 };

/* One case: the row as the reference sees it, and what is needed to build others like it. */
typedef struct row {
    tt_conv_row a;
    int narrow, taps;
    const float *seg[SEGMENTS];
    int count[SEGMENTS];
    size_t weights, channels, dst_size;
} row;

static int least(int a, int b) { return a < b ? a : b; }

static void list_segments(row *r, const window *w)
{
    r->a.segments = r->taps = 0;
    /* conv_narrow takes no more than a block at once: a window row of 9 becomes 8 + 1 */
    const int most = r->narrow || !w->planar ? r->a.block : w->kw;
    for (int input = 0; input <= w->full; input++) {
        const int run = w->planar ? (input < w->full ? w->kw : 0) : input < w->full ? r->a.block : w->last;
        const int runs = w->planar ? w->kh : w->kh * w->kw;
        for (int t = 0; t < runs; t++) {
            for (int left = run; left > 0; left -= most) {
                ck_assert_int_lt(r->a.segments, SEGMENTS);
                r->count[r->a.segments++] = least(left, most);
                r->taps += least(left, most);
            }
        }
    }
}

/* The floats that n pixels and `rows` rows (blocks, channels) of the output touch, and not one more. */
static size_t extent(const row *r, int rows, ptrdiff_t plane, ptrdiff_t step)
{
    return r->a.n ? (size_t)((rows - 1) * plane + (r->a.n - 1) * step + (r->narrow ? 1 : r->a.block)) : 0;
}

static float *filled(size_t n)
{
    float *p = kc_buf(n);
    kc_fill_plain(p, n);
    return p;
}

static float *weights_of(const row *r)
{
    float *w = kc_bytes(r->weights * sizeof *w, 64);
    kc_fill_plain(w, r->weights);
    if (r->narrow) /* lanes beyond the segment are zero */
        for (int s = 0, block = r->a.block; s < r->a.segments; s++)
            for (int o = 0; o < r->a.outputs; o++)
                for (int i = r->count[s]; i < block; i++)
                    w[(s * r->a.outputs + o) * block + i] = 0;
    return w;
}

/* A row of n pixels of a window, everything else drawn by chance. */
static void make_row(row *r, const tt_kernels *k, int narrow, const window *w, int n, int outputs)
{
    const int width = narrow ? 1 : k->block;
    *r = (row){.narrow = narrow, .a = {.n = n, .outputs = outputs, .block = k->block, .group = k->group}};
    tt_conv_row *a = &r->a;
    list_segments(r, w);
    a->step = w->planar ? kc_int(1, 2) : k->block * kc_int(1, 2);
    for (int s = 0; s < a->segments; s++)
        r->seg[s] = filled(n ? (size_t)((n - 1) * a->step + r->count[s]) : 0);
    a->seg = r->seg;
    a->count = r->count;
    r->channels = (size_t)outputs * (size_t)width;
    r->weights = narrow ? (size_t)(a->segments * outputs * k->block) : (size_t)r->taps * r->channels;
    a->weights = weights_of(r);
    a->bias = filled(r->channels);
    a->act = (tt_act)kc_int(TT_ACT_NONE, TT_ACT_PRELU);
    a->slope = a->act == TT_ACT_PRELU ? filled(r->channels) : NULL;
    a->dst_step = width * kc_int(1, 2);
    a->dst_plane = n * a->dst_step + kc_int(0, 3);
    r->dst_size = extent(r, outputs, a->dst_plane, a->dst_step);
    const int adds = kc_int(0, 2);
    for (int j = 0; j < adds; j++) {
        a->add_step[j] = width * kc_int(1, 2);
        a->add_plane[j] = n * a->add_step[j] + kc_int(0, 3);
        a->add[j] = filled(extent(r, outputs, a->add_plane[j], a->add_step[j]));
        a->scale[j] = (float)kc_int(-8, 8) / 8;
    }
    a->clamp = kc_int(0, 1);
    a->lo = -0.5f;
    a->hi = (float)kc_int(0, 8);
}

static const float *magnitudes(const float *p, size_t n)
{
    float *m = kc_buf(n);
    for (size_t i = 0; i < n; i++)
        m[i] = fabsf(p[i]);
    return m;
}

/* How far each value of dst may be from the reference, by the contract; nothing where nothing is written. */
static const float *tolerance(const row *r, tt_conv_fn *reference)
{
    tt_conv_row m = r->a;
    const float *seg[SEGMENTS];
    float *sum = kc_buf(r->dst_size);
    for (size_t i = 0; i < r->dst_size; i++)
        sum[i] = 0;
    for (int s = 0; s < m.segments; s++)
        seg[s] = magnitudes(m.seg[s], m.n ? (size_t)((m.n - 1) * m.step + m.count[s]) : 0);
    m.seg = seg;
    float *w = kc_bytes(r->weights * sizeof *w, 64);
    for (size_t i = 0; i < r->weights; i++)
        w[i] = fabsf(m.weights[i]);
    m.weights = w;
    m.bias = magnitudes(m.bias, r->channels);
    m.act = TT_ACT_NONE; /* no slope here is steeper than 1 */
    for (int j = 0; j < 2; j++) {
        if (m.add[j])
            m.add[j] = magnitudes(m.add[j], extent(r, m.outputs, m.add_plane[j], m.add_step[j]));
        m.scale[j] = fabsf(m.scale[j]);
    }
    m.clamp = 0;
    m.dst = sum;
    reference(&m);
    for (size_t i = 0; i < r->dst_size; i++)
        sum[i] *= (float)(r->taps + 4) * FLT_EPSILON;
    return sum;
}

static void check_row(row *r, const tt_kernels *fast, const kc_isa *isa, const char *name, int in_place)
{
    tt_conv_fn *reference = r->narrow ? tt_conv_narrow_c : tt_conv_c;
    float *want = filled(r->dst_size), *got = kc_buf(r->dst_size);
    if (in_place && r->a.add[0]) {
        r->a.add_plane[0] = r->a.dst_plane;
        r->a.add_step[0] = r->a.dst_step;
        r->a.add[0] = want;
    }
    if (r->dst_size)
        memcpy(got, want, r->dst_size * sizeof *got);
    const float *within = tolerance(r, reference);
    r->a.dst = want;
    reference(&r->a);
    if (r->a.add[0] == want)
        r->a.add[0] = got;
    r->a.dst = got;
    (r->narrow ? fast->conv_narrow : fast->conv)(&r->a);
    kc_same(want, got, r->dst_size, KC_EACH(within),
            "conv%s_%s, %s, n = %d, outputs %d, step %d, dst_step %d%s", r->narrow ? "_narrow" : "",
            isa->name, name, r->a.n, r->a.outputs, (int)r->a.step, (int)r->a.dst_step,
            in_place ? ", in place" : "");
}

static void check_all(int run, int narrow, int outputs)
{
    const kc_isa *isa = kc_begin(run);
    tt_kernels fast;
    row r;
    tt_kernels_init(&fast, isa->flags);
    for (int o = 1; o <= outputs; o++) {
        for (size_t w = 0; w < KC_COUNT(windows); w++) {
            for (size_t i = 0; i < KC_COUNT(lengths); i++) {
                make_row(&r, &fast, narrow, &windows[w], lengths[i], o);
                check_row(&r, &fast, isa, windows[w].name, kc_int(0, 2) == 0);
                kc_free_all();
            }
        }
    }
}

START_TEST(conv_matches_scalar) { check_all(_i, 0, 5); }
END_TEST

START_TEST(narrow_matches_scalar) { check_all(_i, 1, TT_NARROW_MAX); }
END_TEST

/* The bits of a pixel are the same wherever the row is cut. */
static void check_cuts(int run, int narrow, int outputs)
{
    static const int cuts[] = {0, 1, 4, 11, 12, 31, 57, 100};
    const kc_isa *isa = kc_begin(run);
    tt_kernels k;
    row r;
    tt_kernels_init(&k, isa->flags);
    tt_conv_fn *fn = narrow ? k.conv_narrow : k.conv;
    for (size_t w = 0; w < KC_COUNT(windows); w++) {
        for (int o = 1; o <= outputs; o++) {
            make_row(&r, &k, narrow, &windows[w], 100, o);
            float *whole = kc_buf(r.dst_size), *parts = kc_buf(r.dst_size);
            r.a.dst = whole;
            fn(&r.a);
            for (size_t c = 0; c + 1 < KC_COUNT(cuts); c++) {
                const float *seg[SEGMENTS];
                tt_conv_row part = r.a;
                for (int s = 0; s < part.segments; s++)
                    seg[s] = r.seg[s] + cuts[c] * part.step;
                part.seg = seg;
                part.n = cuts[c + 1] - cuts[c];
                part.dst = parts + cuts[c] * part.dst_step;
                for (int j = 0; j < 2; j++)
                    if (part.add[j])
                        part.add[j] += cuts[c] * part.add_step[j];
                fn(&part);
            }
            kc_same(whole, parts, r.dst_size, KC_EXACT, "conv%s_%s in parts, %s, outputs %d",
                    narrow ? "_narrow" : "", isa->name, windows[w].name, o);
            kc_free_all();
        }
    }
}

START_TEST(conv_ignores_place) { check_cuts(_i, 0, 5); }
END_TEST

START_TEST(narrow_ignores_place) { check_cuts(_i, 1, TT_NARROW_MAX); }
END_TEST

/*
 * The reference itself, against a 3x3 convolution written from planes and weights [cout,cin,3,3], for
 * blocks and groups that no table has: it shows how segments and packed weights are meant.
 */
enum { CIN = 5, COUT = 7, W = 9, TAPS = CIN * 9 };

static double plane_sum(float in[CIN][3][W + 2], float w[COUT][CIN][3][3], int o, int x)
{
    double z = 0;
    for (int c = 0; c < CIN; c++)
        for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
                z += (double)in[c][ky][x + kx] * (double)w[o][c][ky][kx];
    return z;
}

/* rows[ky]: the blocks of one input row behind each other, each (W + 2) * block floats */
static void store_blocked(float *const rows[3], float in[CIN][3][W + 2], int block)
{
    for (int ky = 0; ky < 3; ky++)
        for (int c = 0; c < CIN; c++)
            for (int x = 0; x < W + 2; x++)
                rows[ky][(c / block * (W + 2) + x) * block + c % block] = in[c][ky][x];
}

static void check_formula(int block, int group)
{
    float in[CIN][3][W + 2], w[COUT][CIN][3][3], bias[COUT + 16] = {0}, zeros[(CIN + 16) * (W + 2)] = {0};
    const float *seg[TAPS];
    int count[TAPS], segments = 0, tap = 0;
    const int inputs = (CIN + block - 1) / block, outputs = (COUT + block - 1) / block;
    const size_t row_size = (size_t)(inputs * (W + 2) * block);
    float *packed = kc_bytes(sizeof *packed * (size_t)(TAPS * outputs * block), 64);
    float *rows[3], *dst = kc_buf((size_t)(outputs * W * block));
    kc_fill_plain(&in[0][0][0], sizeof in / sizeof(float));
    kc_fill_plain(&w[0][0][0][0], sizeof w / sizeof(float));
    kc_fill_plain(bias, COUT);
    for (int ky = 0; ky < 3; ky++) {
        rows[ky] = kc_buf(row_size);
        memcpy(rows[ky], zeros, row_size * sizeof(float));
    }
    store_blocked(rows, in, block);
    for (int ib = 0; ib < inputs; ib++) {
        for (int ky = 0; ky < 3; ky++) {
            for (int kx = 0; kx < 3; kx++, segments++) {
                seg[segments] = rows[ky] + (ib * (W + 2) + kx) * block;
                count[segments] = least(CIN - ib * block, block);
                for (int i = 0; i < count[segments]; i++, tap++) {
                    for (int o = 0; o < outputs * block; o++) {
                        const int b = o / block, first = b - b % group, gb = least(outputs - first, group);
                        const int at = (first * TAPS + tap * gb + b - first) * block + o % block;
                        packed[at] = o < COUT ? w[o][ib * block + i][ky][kx] : 0;
                    }
                }
            }
        }
    }
    tt_conv_c(&(tt_conv_row){.n = W,
                             .outputs = outputs,
                             .segments = segments,
                             .seg = seg,
                             .count = count,
                             .step = block,
                             .weights = packed,
                             .bias = bias,
                             .dst = dst,
                             .dst_plane = W * block,
                             .dst_step = block,
                             .block = block,
                             .group = group});
    for (int o = 0; o < outputs * block; o++) {
        for (int x = 0; x < W; x++) {
            const double want = o < COUT ? plane_sum(in, w, o, x) + (double)bias[o] : 0;
            const double got = (double)dst[(o / block * W + x) * block + o % block];
            ck_assert_msg(fabs(want - got) <= TAPS * (TAPS + 4) * (double)FLT_EPSILON,
                          "block %d, group %d, output %d, x %d: want %g, got %g", block, group, o, x, want,
                          got);
        }
    }
    kc_free_all();
}

START_TEST(scalar_follows_formula)
{
    kc_begin(_i);
    for (int block = 1; block <= 16; block++)
        for (int group = 1; group <= 4; group++)
            check_formula(block, group);
}
END_TEST

/* One pixel of a planar 2x2 window worked out by hand, for the order of what follows the sum. */
START_TEST(narrow_by_hand)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    float *above = kc_buf(2), *below = kc_buf(2), *dst = kc_buf(1);
    above[0] = 1, above[1] = 2, below[0] = 3, below[1] = 4;
    const float *const seg[] = {above, below};
    const int count[] = {2, 2};
    float *w = kc_bytes(2 * (size_t)k.block * sizeof *w, 64);
    memset(w, 0, 2 * (size_t)k.block * sizeof *w);
    w[0] = 1, w[1] = -1, w[k.block] = 2, w[k.block + 1] = -4;
    const float bias = 1, slope = 0.5f, ten = 10, hundred = 100;
    /* 1 - 2 + 6 - 16 + 1 = -10; PReLU -5; 10 + 2 * -5 = 0; 100 + 3 * 0 = 100; clamped 50 */
    k.conv_narrow(&(tt_conv_row){.n = 1,
                                 .outputs = 1,
                                 .segments = 2,
                                 .seg = seg,
                                 .count = count,
                                 .step = 1,
                                 .weights = w,
                                 .bias = &bias,
                                 .act = TT_ACT_PRELU,
                                 .slope = &slope,
                                 .add = {&ten, &hundred},
                                 .add_step = {1, 1},
                                 .scale = {2, 3},
                                 .clamp = 1,
                                 .lo = 0,
                                 .hi = 50,
                                 .dst = dst,
                                 .dst_step = 1,
                                 .block = k.block,
                                 .group = k.group});
    kc_same(&(float){50}, dst, 1, KC_EXACT, "conv_narrow_%s by hand", isa->name);
}
END_TEST

Suite *suite_kernels_conv(void)
{
    Suite *suite = suite_create("kernels/conv");
    TCase *tc = tcase_create("conv");
    kc_fixture(tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, conv_matches_scalar, 0, kc_runs());
    tcase_add_loop_test(tc, narrow_matches_scalar, 0, kc_runs());
    tcase_add_loop_test(tc, conv_ignores_place, 0, kc_runs());
    tcase_add_loop_test(tc, narrow_ignores_place, 0, kc_runs());
    tcase_add_loop_test(tc, scalar_follows_formula, 0, 2);
    tcase_add_loop_test(tc, narrow_by_hand, 0, kc_runs());
    suite_add_tcase(suite, tc);
    return suite;
}
