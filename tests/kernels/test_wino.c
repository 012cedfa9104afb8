#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"
#include "tests/suites.h"

/* Loops run over the forms, then over instruction sets and passes. */
static tt_wino form_of(int run)
{
    return (tt_wino)(1 + run % (TT_WINOS - 1));
}
static const kc_isa *begin(int run, tt_kernels *k)
{
    const kc_isa *isa = kc_begin(run / (TT_WINOS - 1));
    tt_kernels_init(k, isa->flags);
    return isa;
}
static int runs(void)
{
    return kc_runs() * (TT_WINOS - 1);
}

static float *filled(size_t n, size_t align)
{
    float *p = kc_bytes(n * sizeof *p, align);
    kc_fill_plain(p, n);
    return p;
}

/* The sum of magnitudes of t in t^T, t [rows][cols]: what rounding errors are measured by. */
static float magnitude(const float (*t)[TT_WINO_MOST], float in[TT_WINO_MOST][TT_WINO_MOST], int cols, int i, int j)
{
    float sum = 0;
    for (int y = 0; y < cols; y++)
        for (int x = 0; x < cols; x++)
            sum += fabsf(t[i][y]) * fabsf(in[y][x]) * fabsf(t[j][x]);
    return sum;
}

/* ---- the forms -------------------------------------------------------------------------------------- */

/* A^T [(G g) . (B^T d)] is the correlation of d with g, for one axis. */
START_TEST(matrices_convolve)
{
    const tt_wino_form *f = &tt_wino_forms[form_of(_i)];
    ck_assert_int_eq(f->n, f->m + f->r - 1);
    for (int tap = 0; tap < f->r; tap++)
        for (int in = 0; in < f->n; in++)
            for (int out = 0; out < f->m; out++) {
                double sum = 0, size = 0;
                for (int i = 0; i < f->n; i++) {
                    const double term = (double)f->at[out][i] * (double)f->g[i][tap] * (double)f->bt[i][in];
                    sum += term;
                    size += fabs(term);
                }
                ck_assert_msg(fabs(sum - (in == out + tap)) <= 4 * (double)FLT_EPSILON * (size + 1), "%d %d %d: %g", tap,
                              in, out, sum);
            }
}
END_TEST

/* The four kernels one after the other, against the convolution itself: one plane in, one group out. */
START_TEST(kernels_convolve)
{
    tt_kernels k;
    const kc_isa *isa = begin(_i, &k);
    const tt_wino form = form_of(_i);
    const tt_wino_form *f = &tt_wino_forms[form];
    enum { COUNT = TT_BLOCK_LEAST - 1, W = 11 }; /* channels of one block, not all */
    const int lanes = k.group * k.block, x0 = -1, tiles = (W - f->r + 2 + f->m - 1) / f->m, nn = f->n * f->n;
    const size_t room = TT_WINO_ROUND * (size_t)((tiles + TT_WINO_ROUND - 1) / TT_WINO_ROUND) * (size_t)k.block;
    const float *row[TT_WINO_MOST];
    float *dst[TT_WINO_MOST];
    for (int i = 0; i < f->n; i++)
        row[i] = filled((size_t)(W * k.block), 64);
    for (int i = 0; i < f->m; i++)
        dst[i] = kc_bytes((size_t)(W * lanes) * sizeof(float), 64);
    float *w = filled((size_t)(f->r * f->r * COUNT * lanes), 64), *bias = filled((size_t)lanes, 64);
    float *u = kc_bytes((size_t)(nn * COUNT * lanes) * sizeof(float), 64), *v = kc_bytes((size_t)nn * room * sizeof(float), 64);
    float *m = kc_bytes((size_t)nn * room * (size_t)k.group * sizeof(float), 64);
    const int count = COUNT, out_w = W - f->r + 2; /* one pixel of padding on the left */
    k.wino_weights(&(tt_wino_weights){form, COUNT, lanes, w, u, COUNT * lanes});
    k.wino_input(&(tt_wino_input){form, tiles, k.block, row, x0, W, 0, v, (ptrdiff_t)room});
    k.wino_product(&(tt_wino_product){.form = form, .tiles = tiles, .outputs = k.group, .block = k.block, .planes = 1,
                                      .count = &count, .u = u, .v = v, .m = m, .u_freq = COUNT * lanes,
                                      .v_freq = (ptrdiff_t)room, .v_plane = (ptrdiff_t)room,
                                      .m_freq = (ptrdiff_t)room * k.group, .m_plane = (ptrdiff_t)room});
    k.wino_output(&(tt_wino_output){.form = form, .tiles = tiles, .outputs = k.group, .block = k.block, .m = m,
                                    .m_freq = (ptrdiff_t)room * k.group, .m_plane = (ptrdiff_t)room, .x0 = 0, .w = out_w,
                                    .bias = bias, .dst = dst, .dst_plane = W * k.block});
    for (int o = 0; o < lanes; o++)
        for (int y = 0; y < f->m; y++)
            for (int x = 0; x < out_w; x++) {
                double sum = (double)bias[o];
                for (int c = 0; c < COUNT; c++)
                    for (int ky = 0; ky < f->r; ky++)
                        for (int kx = 0; kx < f->r; kx++)
                            if (x + kx + x0 >= 0 && x + kx + x0 < W)
                                sum += (double)row[y + ky][(x + kx + x0) * k.block + c] *
                                       (double)w[((ky * f->r + kx) * COUNT + c) * lanes + o];
                const double got = (double)dst[y][o / k.block * W * k.block + x * k.block + o % k.block];
                ck_assert_msg(fabs(sum - got) < 3e-4, "wino_%s, form %d, output %d, %d %d: want %g, got %g", isa->name,
                              (int)form, o, y, x, sum, got);
            }
    kc_free_all();
}
END_TEST

/* ---- each kernel against the scalar one --------------------------------------------------------------- */

START_TEST(weights_match_scalar)
{
    tt_kernels k;
    const kc_isa *isa = begin(_i, &k);
    const tt_wino form = form_of(_i);
    const tt_wino_form *f = &tt_wino_forms[form];
    for (int blocks = 1; blocks <= k.group; blocks++)
        for (int count = 1; count <= 17; count += 4) {
            const int lanes = blocks * k.block;
            const size_t taps = (size_t)(f->r * f->r * count * lanes), n = (size_t)(f->n * f->n * (count * lanes + 16));
            float *w = filled(taps, 64), *want = filled(n, 64), *got = kc_bytes(n * sizeof *got, 64), *within = kc_buf(n);
            memcpy(got, want, n * sizeof *got);
            memset(within, 0, n * sizeof *within);
            tt_wino_weights a = {form, count, lanes, w, want, count * lanes + 16};
            tt_wino_weights_c(&a);
            a.u = got;
            k.wino_weights(&a);
            for (int c = 0; c < count * lanes; c++) {
                float g[TT_WINO_MOST][TT_WINO_MOST];
                for (int i = 0; i < f->r * f->r; i++)
                    g[i / f->r][i % f->r] = w[i * count * lanes + c];
                for (int i = 0; i < f->n * f->n; i++)
                    within[i * a.u_freq + c] = 16 * FLT_EPSILON * magnitude(f->g, g, f->r, i / f->n, i % f->n);
            }
            kc_same(want, got, n, KC_EACH(within), "wino_weights_%s, form %d, %d x %d", isa->name, (int)form, count, lanes);
            kc_free_all();
        }
}
END_TEST

static void check_input(const tt_kernels *k, const kc_isa *isa, tt_wino form, int tiles, int x0, int w, int replicate)
{
    const tt_wino_form *f = &tt_wino_forms[form];
    const int block = k->block, freq = (tiles + 1) * block;
    const float *row[TT_WINO_MOST];
    for (int i = 0; i < f->n; i++)
        row[i] = filled((size_t)(w * block), 4);
    const size_t n = (size_t)(f->n * f->n * freq);
    float *want = filled(n, 64), *got = kc_bytes(n * sizeof *got, 64), *within = kc_buf(n);
    memcpy(got, want, n * sizeof *got);
    memset(within, 0, n * sizeof *within);
    tt_wino_input a = {form, tiles, block, row, x0, w, replicate, want, freq};
    tt_wino_input_c(&a);
    a.v = got;
    k->wino_input(&a);
    for (int t = 0; t < tiles * block; t++) {
        float d[TT_WINO_MOST][TT_WINO_MOST];
        for (int y = 0; y < f->n; y++)
            for (int x = 0; x < f->n; x++) {
                const int at = x0 + t / block * f->m + x, in = at < 0 ? 0 : at < w ? at : w - 1;
                d[y][x] = at == in || replicate ? row[y][in * block + t % block] : 0;
            }
        for (int i = 0; i < f->n * f->n; i++)
            within[i * freq + t] = 16 * FLT_EPSILON * magnitude(f->bt, d, f->n, i / f->n, i % f->n);
    }
    kc_same(want, got, n, KC_EACH(within), "wino_input_%s, form %d, %d tiles, x0 %d, w %d, replicate %d", isa->name, (int)form,
            tiles, x0, w, replicate);
    kc_free_all();
}

START_TEST(input_matches_scalar)
{
    tt_kernels k;
    const kc_isa *isa = begin(_i, &k);
    for (int tiles = 1; tiles <= 7; tiles++)
        for (int w = 1; w < 34; w += kc_int(1, 4))
            check_input(&k, isa, form_of(_i), tiles, kc_int(-8, 8), w, kc_int(0, 1));
}
END_TEST

START_TEST(product_matches_scalar)
{
    enum { PLANES = 3 };
    tt_kernels k;
    const kc_isa *isa = begin(_i, &k);
    const tt_wino form = form_of(_i);
    const int nn = tt_wino_forms[form].n * tt_wino_forms[form].n;
    for (int outputs = 1; outputs <= k.group; outputs++)
        for (int tiles = 1; tiles <= 33; tiles += kc_int(1, 3)) {
            const int count[PLANES] = {k.block, kc_int(1, k.block), kc_int(1, k.block)}, planes = kc_int(1, PLANES);
            const int room = (tiles + TT_WINO_ROUND - 1) / TT_WINO_ROUND * TT_WINO_ROUND * k.block;
            int channels = 0;
            for (int p = 0; p < planes; p++)
                channels += count[p];
            tt_wino_product a = {.form = form, .tiles = tiles, .outputs = outputs, .block = k.block, .planes = planes,
                                 .count = count, .u_freq = channels * outputs * k.block, .v_freq = planes * room + 16,
                                 .v_plane = room, .m_freq = outputs * room + 16, .m_plane = room};
            const size_t n = (size_t)(nn * a.m_freq);
            float *u = filled((size_t)(nn * a.u_freq), 64), *v = filled((size_t)(nn * a.v_freq), 64);
            float *want = kc_bytes(n * sizeof *want, 64), *got = kc_bytes(n * sizeof *got, 64), *within = kc_buf(n);
            a.u = u;
            a.v = v;
            memset(want, 0, n * sizeof *want);
            memset(got, 0, n * sizeof *got);
            a.m = want;
            tt_wino_product_c(&a);
            a.m = got;
            k.wino_product(&a);
            for (int i = 0; i < nn * a.u_freq; i++)
                u[i] = fabsf(u[i]);
            for (int i = 0; i < nn * a.v_freq; i++)
                v[i] = fabsf(v[i]);
            memset(within, 0, n * sizeof *within);
            a.m = within;
            tt_wino_product_c(&a);
            for (int f = 0; f < nn; f++)
                for (int i = 0; i < a.m_freq; i++) {
                    float *tolerance = &within[f * a.m_freq + i];
                    const bool tile = i < outputs * room && i % room / k.block < tiles;
                    *tolerance = tile ? *tolerance * (float)(channels + 4) * FLT_EPSILON : 0;
                    if (!tile && i < outputs * room) /* nobody's concern */
                        got[f * a.m_freq + i] = 0;
                }
            kc_same(want, got, n, KC_EACH(within), "wino_product_%s, form %d, %d tiles, %d blocks", isa->name, (int)form, tiles,
                    outputs);
            kc_free_all();
        }
}
END_TEST

/* One case of wino_output. */
static void check_output(const tt_kernels *k, const kc_isa *isa, tt_wino form, int tiles, int outputs)
{
    const tt_wino_form *f = &tt_wino_forms[form];
    const int block = k->block, plane = tiles * block, nn = f->n * f->n, w = kc_int(1, tiles * f->m + 3);
    const size_t lanes = (size_t)(outputs * block), room = (size_t)w * lanes, n = (size_t)f->m * room;
    float *m = filled((size_t)(nn * (outputs * plane + 16)), 64);
    tt_wino_output a = {.form = form, .tiles = tiles, .outputs = outputs, .block = block, .m = m,
                        .m_freq = outputs * plane + 16, .m_plane = plane, .x0 = kc_int(-f->m, 4), .w = w,
                        .bias = filled(lanes, 4), .act = (tt_act)kc_int(TT_ACT_NONE, TT_ACT_PRELU), .slope = filled(lanes, 4),
                        .clamp = kc_int(0, 1), .lo = -0.5f, .hi = (float)kc_int(0, 8), .dst_plane = w * block};
    float *want = filled(n, 4), *got = kc_buf(n), *within = kc_buf(n), *dst[3][TT_WINO_MOST];
    const float *add[2][TT_WINO_MOST];
    memcpy(got, want, n * sizeof *got);
    for (int y = 0; y < f->m; y++) {
        dst[0][y] = kc_int(0, 4) ? want + (size_t)y * room : NULL;
        dst[1][y] = dst[0][y] ? got + (size_t)y * room : NULL;
        dst[2][y] = within + (size_t)y * room;
    }
    const int adds = kc_int(0, 2), in_place = kc_int(0, 1);
    for (int j = 0; j < adds; j++) {
        a.add[j] = add[j];
        a.add_plane[j] = w * block;
        a.scale[j] = (float)kc_int(-8, 8) / 8;
        const float *other = filled(n, 4);
        for (int y = 0; y < f->m; y++)
            add[j][y] = other + (size_t)y * room;
    }
    if (adds && in_place)
        a.add[0] = (const float *const *)dst[0];
    a.dst = dst[0];
    tt_wino_output b = a;
    float largest = 0;
    for (int i = 0; i < f->m; i++) {
        float sum = 0;
        for (int j = 0; j < f->n; j++)
            sum += fabsf(f->at[i][j]);
        largest = sum > largest ? sum : largest;
    }
    for (size_t i = 0; i < n; i++) /* values are within -1..1 */
        within[i] = 16 * FLT_EPSILON * (largest * largest + 3);
    tt_wino_output_c(&a);
    b.dst = dst[1];
    if (adds && in_place)
        b.add[0] = (const float *const *)dst[1];
    k->wino_output(&b);
    kc_same(want, got, n, KC_EACH(within), "wino_output_%s, form %d, %d tiles, %d blocks, x0 %d, w %d", isa->name, (int)form,
            tiles, outputs, a.x0, w);
    kc_free_all();
}

START_TEST(output_matches_scalar)
{
    tt_kernels k;
    const kc_isa *isa = begin(_i, &k);
    for (int outputs = 1; outputs <= k.group; outputs++)
        for (int tiles = 1; tiles <= 7; tiles++)
            for (int i = 0; i < 12; i++)
                check_output(&k, isa, form_of(_i), tiles, outputs);
}
END_TEST

/* The bits of a tile do not depend on what lies beside it in the block. */
START_TEST(tiles_do_not_meet)
{
    tt_kernels k;
    const kc_isa *isa = begin(_i, &k);
    const tt_wino form = form_of(_i);
    const tt_wino_form *f = &tt_wino_forms[form];
    enum { TILES = 25 };
    const int nn = f->n * f->n, block = k.block, count[1] = {block}, cut[] = {1, 5, 6, 12, 14, TILES};
    const int room = (TILES + TT_WINO_ROUND) * block, w = 12 + TILES * f->m;
    const float *row[TT_WINO_MOST];
    for (int i = 0; i < f->n; i++)
        row[i] = filled((size_t)(w * block), 4);
    float *u = filled((size_t)(nn * block * k.group * block), 64);
    float *v[2], *m[2];
    for (int i = 0; i < 2; i++) {
        v[i] = kc_bytes((size_t)(nn * room) * sizeof(float), 64);
        m[i] = kc_bytes((size_t)(nn * room * k.group) * sizeof(float), 64);
        memset(v[i], 0, (size_t)(nn * room) * sizeof(float));
        memset(m[i], 0, (size_t)(nn * room * k.group) * sizeof(float));
    }
    for (int part = 0; part < 2; part++)
        for (int c = 0, from = 0; from < TILES; from = part ? cut[c++] : TILES) {
            const int to = part ? cut[c] : TILES;
            k.wino_input(&(tt_wino_input){form, to - from, block, row, -1 + from * f->m, w, 0, v[part] + from * block, room});
            k.wino_product(&(tt_wino_product){.form = form, .tiles = to - from, .outputs = k.group, .block = block, .planes = 1,
                                              .count = count, .u = u, .v = v[part] + from * block, .m = m[part] + from * block,
                                              .u_freq = block * k.group * block, .v_freq = room, .v_plane = room,
                                              .m_freq = room * k.group, .m_plane = room});
        }
    for (int f0 = 0; f0 < nn; f0++)
        for (int b = 0; b < k.group; b++)
            kc_same(m[0] + (f0 * k.group + b) * room, m[1] + (f0 * k.group + b) * room, TILES * (size_t)block, KC_EXACT,
                    "wino_%s, form %d, in parts", isa->name, (int)form);
    kc_free_all();
}
END_TEST

Suite *suite_kernels_wino(void)
{
    Suite *suite = suite_create("kernels/wino");
    TCase *tc = tcase_create("wino");
    kc_fixture(tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, matrices_convolve, 0, TT_WINOS - 1);
    tcase_add_loop_test(tc, kernels_convolve, 0, runs());
    tcase_add_loop_test(tc, weights_match_scalar, 0, runs());
    tcase_add_loop_test(tc, input_matches_scalar, 0, runs());
    tcase_add_loop_test(tc, product_matches_scalar, 0, runs());
    tcase_add_loop_test(tc, output_matches_scalar, 0, runs());
    tcase_add_loop_test(tc, tiles_do_not_meet, 0, runs());
    suite_add_tcase(suite, tc);
    return suite;
}
