#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"

/* Buffers that begin on 64 bytes, as the contracts ask. */
static float *aligned(size_t n)
{
    float *p = kc_bytes(n * sizeof *p, 64);
    for (size_t i = 0; i < n; i++)
        p[i] = NAN;
    return p;
}

static float *plain(size_t n)
{
    float *p = aligned(n);
    kc_fill_plain(p, n);
    return p;
}

static const int channel_counts[] = {1, 3, 5, 8, 15, 16, 17, 24, 30, 33, 60};

START_TEST(tokens_move_exactly)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k, ref;
    tt_kernels_init(&k, isa->flags);
    tt_kernels_init(&ref, 0);
    static const int widths[] = {0, 1, 2, 7, 8, 9, 15, 16, 21, 32};
    for (size_t q = 0; q < KC_COUNT(channel_counts); q++)
        for (size_t t = 0; t < KC_COUNT(widths); t++)
            for (int shift = 0; shift < 4;
                 shift += 3) { /* from another token on: the lanes before are others' */
                const int c = channel_counts[q], n = widths[t], row = (n + shift + 15) / 16 * 16;
                const int planes = (c + k.block - 1) / k.block;
                const ptrdiff_t plane = (ptrdiff_t)n * k.block + (_i % 2 ? 0 : 5);
                const size_t blocked = n ? (size_t)((planes - 1) * plane + n * k.block) : 0,
                             all = (size_t)(c * row);
                float *map = kc_buf(blocked), *add = kc_buf(blocked), *want = kc_buf(blocked),
                      *got = kc_buf(blocked);
                float *tokens = aligned(all), *again = aligned(all);
                kc_fill_wild(map, blocked);
                kc_fill(add, blocked);
                ref.tokens_load(tokens + shift, row, map, plane, k.block, c, n);
                k.tokens_load(again + shift, row, map, plane, k.block, c, n);
                kc_same(tokens, again, all, KC_EXACT, "load, %s, %d channels, %d pixels", isa->name, c, n);
                ref.tokens_store(want, plane, NULL, 0, k.block, tokens + shift, row, c, n);
                k.tokens_store(got, plane, NULL, 0, k.block, tokens + shift, row, c, n);
                kc_same(want, got, blocked, KC_EXACT, "store, %s, %d channels, %d pixels", isa->name, c, n);
                for (int i = 0; i < planes * k.block; i++)
                    for (int x = 0; x < n; x++) {
                        const ptrdiff_t at = i / k.block * plane + x * k.block + i % k.block;
                        ck_assert(!memcmp(&got[at], i < c ? &map[at] : &(float){0}, sizeof *got));
                    }
                ref.tokens_store(want, plane, add, plane, k.block, tokens + shift, row, c, n);
                k.tokens_store(got, plane, add, plane, k.block, tokens + shift, row, c, n);
                kc_same(want, got, blocked, KC_EXACT, "store and add, %s, %d channels, %d pixels", isa->name,
                        c, n);
                float *dense = kc_buf((size_t)(planes * n * k.block)); /* planes of another distance */
                k.tokens_store(dense, n * k.block, add, plane, k.block, tokens + shift, row, c, n);
                for (int p = 0; p < planes; p++)
                    kc_same(want + p * plane, dense + p * n * k.block, (size_t)(n * k.block), KC_EXACT,
                            "other planes, %s, %d channels, %d pixels", isa->name, c, n);
                k.tokens_store(add, plane, add, plane, k.block, tokens + shift, row, c, n);
                for (int p = 0; p < planes;
                     p++) /* between the planes nothing is written: those bytes are add's own */
                    kc_same(want + p * plane, add + p * plane, (size_t)(n * k.block), KC_EXACT,
                            "add in place, %s, %d channels, %d pixels", isa->name, c, n);
            }
}
END_TEST

START_TEST(layer_norm_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    for (size_t q = 0; q < KC_COUNT(channel_counts); q++)
        for (int n = 0; n <= 80; n += 16) {
            const int c = channel_counts[q], row = n + 16 * (_i % 3);
            const size_t all = n ? (size_t)((c - 1) * row + n) : 0;
            float *want = plain(all), *got = aligned(all), *weight = kc_buf((size_t)c),
                  *bias = kc_buf((size_t)c);
            kc_fill_plain(weight, (size_t)c);
            kc_fill_plain(bias, (size_t)c);
            memcpy(got, want, all * sizeof *got);
            tt_layer_norm_c(want, row, c, weight, bias, 1e-5f, n);
            k.layer_norm(got, row, c, weight, bias, 1e-5f, n);
            /* no value is further from the mean than sqrt(channels) deviations, nor weight and bias above 1
             */
            kc_same(want, got, all, KC_WITHIN((float)(c + 8) * FLT_EPSILON * (sqrtf((float)c) + 1)),
                    "layer_norm, %s, %d channels, n = %d", isa->name, c, n);
        }
}
END_TEST

START_TEST(linear_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    static const int outs[] = {1, 5, 6, 7, 13, 36};
    for (size_t q = 0; q < KC_COUNT(channel_counts); q++)
        for (size_t o = 0; o < KC_COUNT(outs); o++)
            for (int n = 0; n <= 144; n += n < 80 ? 16 : 64) {
                const int in = channel_counts[q], out = outs[o], row = n + 16 * (_i % 3);
                const int groups = (out + TT_LINEAR_GROUP - 1) / TT_LINEAR_GROUP;
                const size_t result = n ? (size_t)((out - 1) * row + n) : 0;
                float *src = plain(n ? (size_t)((in - 1) * row + n) : 0), *want = aligned(result),
                      *got = aligned(result);
                float *w = plain((size_t)(groups * in * TT_LINEAR_GROUP)), *bias = kc_buf((size_t)out);
                kc_fill_plain(bias, (size_t)out);
                tt_linear_c(want, src, row, w, bias, in, out, n);
                k.linear(got, src, row, w, bias, in, out, n);
                kc_same(want, got, result, KC_WITHIN((float)(in + 4) * FLT_EPSILON * (float)(in + 1)),
                        "linear, %s, %d -> %d, n = %d", isa->name, in, out, n);
            }
}
END_TEST

START_TEST(attention_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    static const int tokens[] = {1, 2, 9, 16, 21, 32, 49, 64, 70, 100},
                     depths[] = {1, 2, 5, 6, 10, 16, 23, 30};
    for (size_t q = 0; q < KC_COUNT(tokens); q++)
        for (size_t e = 0; e < KC_COUNT(depths); e++)
            for (int sharp = 1; sharp <= 40;
                 sharp += 39) { /* and scores so far apart that one key takes all */
                const int n = tokens[q], d = depths[e], lanes = (n + 15) / 16 * 16,
                          row = lanes + 16 * (_i % 3);
                const size_t all = (size_t)((d - 1) * row + lanes);
                tt_attention a = {.q = plain(all),
                                  .k = plain(all),
                                  .v = plain(all),
                                  .row = row,
                                  .tokens = n,
                                  .depth = d,
                                  .scale = (float)sharp,
                                  .bias = plain((size_t)(n * lanes)),
                                  .scores = aligned((size_t)(n * TT_ATTENTION_QUERIES))};
                float *want = aligned(all), *got = aligned(all);
                a.dst = want;
                tt_attention_c(&a);
                a.dst = got;
                k.attention(&a);
                const float s = (float)sharp * (float)d + 1;
                const float within = ((2 * (float)d + 8) * s + 2 * (float)n + 16) * FLT_EPSILON;
                for (int c = 0; c < d; c++)
                    kc_same(want + c * row, got + c * row, (size_t)n, KC_WITHIN(within),
                            "attention, %s, %d tokens, depth %d", isa->name, n, d);
            }
}
END_TEST

/* With equal scores the mean, with one that stands out its value: known without a reference. */
START_TEST(attention_known_values)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    enum { N = 49, LANES = 64 };
    tt_attention a = {.q = plain(LANES),
                      .k = plain(LANES),
                      .v = plain(LANES),
                      .dst = aligned(LANES),
                      .row = LANES,
                      .tokens = N,
                      .depth = 1,
                      .scale = 0,
                      .scores = aligned(N * TT_ATTENTION_QUERIES)};
    float *bias = aligned(N * LANES);
    a.bias = bias;
    double mean = 0;
    for (int j = 0; j < N; j++)
        mean += (double)a.v[j] / N;
    for (int i = 0; i < N * LANES; i++)
        bias[i] = -77;
    k.attention(&a);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol((double)a.dst[i], mean, 1e-6);
    for (int j = 0; j < N; j++)
        bias[j * LANES + (N - 1 - j)] = 200; /* query i: key N - 1 - i */
    k.attention(&a);
    for (int i = 0; i < N; i++)
        ck_assert_msg(a.dst[i] == a.v[N - 1 - i], "%s: query %d: %g, not %g", isa->name, i, (double)a.dst[i],
                      (double)a.v[N - 1 - i]);
}
END_TEST

/* Every float from -8 to 8 in steps of 2^-16, and some beyond, against the formula in double. */
START_TEST(gelu_is_exact_to_its_contract)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    enum { N = 1 << 12 };
    float *src = kc_buf(N), *got = kc_buf(N);
    double worst = 0;
    for (int from = -128; from < 128; from++) {
        for (int i = 0; i < N; i++)
            src[i] = (float)from / 16 + (float)i / 65536;
        k.act(got, src, TT_ACT_GELU, NULL, 1, N);
        for (int i = 0; i < N; i++) {
            const double x = (double)src[i], want = 0.5 * x * erfc(-x * sqrt(0.5));
            worst = fmax(worst, fabs((double)got[i] - want) / fmax(1, fabs(x)));
        }
    }
    ck_assert_msg(worst <= 1.5 * (double)FLT_EPSILON, "gelu, %s: off by %g", isa->name, worst);
    const float far[] = {9, 1e10f, INFINITY, NAN, -9, -1e10f, -INFINITY, 0, -0.0f, 1e-40f};
    const float want[] = {9, 1e10f, INFINITY, NAN, -0.0f, -0.0f, NAN, 0, -0.0f, 5e-41f};
    k.act(got, far, TT_ACT_GELU, NULL, 1, 10);
    kc_same(want, got, 10, KC_WITHIN(2e-18f), "gelu far out, %s", isa->name);
}
END_TEST

Suite *suite_kernels_tokens(void)
{
    Suite *s = suite_create("kernels/tokens");
    TCase *tc = tcase_create("tokens");
    kc_fixture(tc);
    tcase_set_timeout(tc, 120);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, tokens_move_exactly, 0, runs);
    tcase_add_loop_test(tc, layer_norm_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, linear_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, attention_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, attention_known_values, 0, runs);
    tcase_add_loop_test(tc, gelu_is_exact_to_its_contract, 0, runs);
    suite_add_tcase(s, tc);
    return s;
}
