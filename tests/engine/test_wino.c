/* Convolutions by Winograd's tiles beside direct ones: in every form, at sizes that are no multiples of the tiles. */
#include "engine/ops/ops.h"
#include "tests/engine/toy.h"
#include "tests/kernels/kc.h"
#include "tests/suites.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct shape {
    int channels, k, h, w;
} shapes[] = {
    {17, 3, 23, 37},   {17, 5, 22, 41},  {48, 3, 97, 101}, {33, 3, 330, 21},
    {64, 3, 21, 333},  {464, 3, 13, 15}, {40, 5, 9, 321},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static float *run(const tt_net *net, const struct shape *s, tt_conv_choice conv, int strip, int threads, const float *in,
                  size_t *n, int *forms)
{
    tt_plan *p;
    tt_pool *pool;
    tt_plan_facts f;
    tt_error err = {0};
    const tt_plan_options o = {.threads = threads, .strip = strip, .conv = conv};
    ck_assert_msg(!tt_plan_new(&p, net, s->h, s->w, &o, &err), "%s", err.text);
    ck_assert(!tt_pool_new(&pool, threads, NULL));
    tt_plan_get_facts(p, &f);
    *n = (size_t)f.out_channels * (size_t)f.out_h * (size_t)f.out_w;
    float *out = malloc(*n * sizeof *out);
    ck_assert_msg(!tt_plan_run(p, pool, in, out, NULL, &err), "%s", err.text);
    *forms = 0;
    for (int i = 0; i < net->steps; i++)
        *forms |= 1 << p->way[i].form;
    tt_plan_free(p);
    tt_pool_free(pool);
    return out;
}

/* Tiles are within rounding of direct sums, and have the same bits for every strip and number of threads. */
START_TEST(tiles_equal_direct_sums)
{
    const struct shape *s = &shapes[_i % SHAPES];
    static const int strip[] = {4, 7, 12, 64}, threads[] = {1, 2, 3, 5};
    const kc_isa *isa = &kc_isas[_i / SHAPES];
    tt_net *net;
    tt_error err = {0};
    ck_assert_msg(!toy_windows(&net, isa->flags, s->channels, s->k, &err), "%s", err.text);
    size_t n, m;
    int forms, none;
    float *in = toy_noise(3 * (size_t)s->h * (size_t)s->w, 4);
    float *want = run(net, s, TT_CONV_DIRECT, TT_WHOLE, 1, in, &n, &none);
    float *got = run(net, s, TT_CONV_TILES, TT_WHOLE, 2, in, &m, &forms);
    ck_assert_int_eq(none, 1 << TT_WINO_NONE);
    ck_assert_int_eq(forms, 1 << TT_WINO_NONE | (s->k == 5 ? 1 << TT_WINO_4_5
                                                : s->channels == 48 && net->k.block == 8
                                                    ? 1 << TT_WINO_6_3 | 1 << TT_WINO_4_3
                                                    : 1 << TT_WINO_4_3));
    double size = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)want[i] - (double)got[i]);
        size += (double)want[i] * (double)want[i] / (double)n;
        most = d > most || isnan(d) ? d : most;
    }
    ck_assert_msg(n == m && size > 1e-6 && most < 3e-5 * sqrt(size), "%s, shape %d: off by %g of %g", isa->name, _i % SHAPES, most,
                  sqrt(size));
    free(want);
    for (int i = 0; i < 4; i++) {
        want = run(net, s, TT_CONV_TILES, strip[i], threads[i], in, &m, &forms);
        ck_assert_msg(!memcmp(want, got, n * sizeof *got), "%s, shape %d, strips of %d, %d threads", isa->name, _i % SHAPES,
                      strip[i], threads[i]);
        free(want);
    }
    free(in);
    free(got);
    tt_net_free(net);
}
END_TEST

/* Weights that come in 16 bits stay in them, and give the bits of the same weights as floats; directly and by tiles. */
START_TEST(half_weights_stay_half)
{
    const kc_isa *isa = &kc_isas[_i];
    const struct shape s = {40, 3, 30, 35};
    float *in = toy_noise(3 * 30 * 35, 4);
    for (int type = 0; type < 2; type++) {
        tt_net *half, *wide;
        tt_net_facts small, large;
        tt_error err = {0};
        ck_assert_msg(!toy_rounded(&half, isa->flags, 40, type ? TT_BF16 : TT_F16, false, &err), "%s", err.text);
        ck_assert_msg(!toy_rounded(&wide, isa->flags, 40, type ? TT_BF16 : TT_F16, true, &err), "%s", err.text);
        tt_net_get_facts(half, &small);
        tt_net_get_facts(wide, &large);
        ck_assert_uint_lt(3 * small.packed_bytes, 2 * large.packed_bytes);
        for (int conv = TT_CONV_DIRECT; conv <= TT_CONV_TILES; conv++)
            for (int threads = 1; threads < 4; threads += 2) {
                size_t n, m;
                int forms;
                float *got = run(half, &s, (tt_conv_choice)conv, threads == 1 ? TT_WHOLE : 8, threads, in, &n, &forms);
                float *want = run(wide, &s, (tt_conv_choice)conv, TT_WHOLE, 1, in, &m, &forms);
                ck_assert_msg(n == m && !memcmp(got, want, n * sizeof *got), "%s, type %d, way %d", isa->name, type, conv);
                free(got);
                free(want);
            }
        tt_net_free(half);
        tt_net_free(wide);
    }
    free(in);
}
END_TEST

Suite *suite_engine_wino(void)
{
    Suite *suite = suite_create("engine/wino");
    TCase *tc = tcase_create("wino");
    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, tiles_equal_direct_sums, 0, SHAPES * kc_isa_count());
    tcase_add_loop_test(tc, half_weights_stay_half, 0, kc_isa_count());
    suite_add_tcase(suite, tc);
    return suite;
}
