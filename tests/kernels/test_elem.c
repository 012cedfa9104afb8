#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"

/* Below, at and above the vector widths; a period that divides them and some that do not. */
static const size_t periods[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 40, 1001};

static float *copy(const float *src, size_t n)
{
    float *p = kc_buf(n);
    if (n)
        memcpy(p, src, n * sizeof *p);
    return p;
}

START_TEST(act_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    static const tt_act acts[] = {TT_ACT_NONE, TT_ACT_RELU, TT_ACT_SIGMOID};
    for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
        const size_t n = kc_sizes[t];
        float *src = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n);
        kc_fill_wild(src, n);
        for (size_t k = 0; k < KC_COUNT(acts); k++) {
            const kc_tolerance tolerance =
                acts[k] == TT_ACT_SIGMOID ? KC_WITHIN(4 * FLT_EPSILON) : KC_EXACT;
            ref.act(want, src, acts[k], NULL, 1, n);
            fast.act(got, src, acts[k], NULL, 1, n);
            kc_same(want, got, n, tolerance, "act %d, %s, n = %zu", (int)acts[k], isa->name, n);
            float *same = copy(src, n);
            fast.act(same, same, acts[k], NULL, 1, n);
            kc_same(want, same, n, tolerance, "act %d in place, %s, n = %zu", (int)acts[k], isa->name, n);
        }
    }
}
END_TEST

START_TEST(prelu_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t q = 0; q < KC_COUNT(periods); q++) {
        const size_t period = periods[q];
        float *slope = kc_buf(period);
        kc_fill(slope, period);
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t];
            float *src = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n);
            kc_fill_wild(src, n);
            ref.act(want, src, TT_ACT_PRELU, slope, period, n);
            fast.act(got, src, TT_ACT_PRELU, slope, period, n);
            kc_same(want, got, n, KC_EXACT, "prelu, %s, n = %zu, period %zu", isa->name, n, period);
            fast.act(src, src, TT_ACT_PRELU, slope, period, n);
            kc_same(want, src, n, KC_EXACT, "prelu in place, %s, n = %zu, period %zu", isa->name, n, period);
        }
    }
}
END_TEST

START_TEST(act_known_values)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const float src[] = {-2, -0.0f, 0, 3, NAN, -INFINITY, INFINITY}, slope[] = {0.25f};
    const float none[] = {-2, -0.0f, 0, 3, NAN, -INFINITY, INFINITY};
    const float relu[] = {0, 0, 0, 3, 0, 0, INFINITY};
    const float prelu[] = {-0.5f, -0.0f, 0, 3, NAN, -INFINITY, INFINITY};
    const float sigmoid[] = {0.119202922f, 0.5f, 0.5f, 0.952574127f, NAN, 0, 1};
    float got[7];
    k.act(got, src, TT_ACT_NONE, NULL, 1, 7);
    kc_same(none, got, 7, KC_EXACT, "none, %s", isa->name);
    k.act(got, src, TT_ACT_RELU, NULL, 1, 7);
    kc_same(relu, got, 7, KC_EXACT, "relu, %s", isa->name);
    k.act(got, src, TT_ACT_PRELU, slope, 1, 7);
    kc_same(prelu, got, 7, KC_EXACT, "prelu, %s", isa->name);
    k.act(got, src, TT_ACT_SIGMOID, NULL, 1, 7);
    kc_same(sigmoid, got, 7, KC_WITHIN(4 * FLT_EPSILON), "sigmoid, %s", isa->name);
}
END_TEST

START_TEST(axpy_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
        const size_t n = kc_sizes[t];
        float *a = kc_buf(n), *b = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n), scale;
        kc_fill_wild(a, n);
        kc_fill_wild(b, n);
        kc_fill_plain(&scale, 1); /* with all its bits: a fused multiply-add would show */
        ref.axpy(want, a, b, scale, n);
        fast.axpy(got, a, b, scale, n);
        kc_same(want, got, n, KC_EXACT, "axpy, %s, n = %zu", isa->name, n);
        float *a2 = copy(a, n);
        fast.axpy(a2, a2, b, scale, n);
        kc_same(want, a2, n, KC_EXACT, "axpy onto a, %s, n = %zu", isa->name, n);
        fast.axpy(b, a, b, scale, n);
        kc_same(want, b, n, KC_EXACT, "axpy onto b, %s, n = %zu", isa->name, n);
    }
}
END_TEST

START_TEST(clamp_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    static const float bounds[][2] = {{0, 1}, {-0.5f, 0.25f}, {-0.0f, 0}, {-INFINITY, INFINITY}};
    for (size_t q = 0; q < KC_COUNT(bounds); q++) {
        const float lo = bounds[q][0], hi = bounds[q][1];
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t];
            float *src = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n);
            kc_fill_wild(src, n);
            ref.clamp(want, src, lo, hi, n);
            fast.clamp(got, src, lo, hi, n);
            kc_same(want, got, n, KC_EXACT, "clamp to %g..%g, %s, n = %zu", lo, hi, isa->name, n);
            for (size_t i = 0; i < n; i++) {
                ck_assert(got[i] >= lo && got[i] <= hi);
                ck_assert(!isnan(src[i]) || got[i] == lo);
            }
            fast.clamp(src, src, lo, hi, n);
            kc_same(want, src, n, KC_EXACT, "clamp in place, %s, n = %zu", isa->name, n);
        }
    }
}
END_TEST

START_TEST(mul_period_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t q = 0; q < KC_COUNT(periods); q++) {
        const size_t period = periods[q];
        float *g = kc_buf(period);
        kc_fill(g, period);
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t];
            float *src = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n);
            kc_fill_wild(src, n);
            ref.mul_period(want, src, g, period, n);
            fast.mul_period(got, src, g, period, n);
            kc_same(want, got, n, KC_EXACT, "mul_period, %s, n = %zu, period %zu", isa->name, n, period);
            fast.mul_period(src, src, g, period, n);
            kc_same(want, src, n, KC_EXACT, "mul_period in place, %s, n = %zu, period %zu", isa->name, n,
                    period);
        }
    }
}
END_TEST

START_TEST(sum_period_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t period = 1; period <= 16; period++) {
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t] * period;
            float *src = kc_buf(n);
            double *want = kc_bytes(period * sizeof *want, sizeof *want);
            double *got = kc_bytes(period * sizeof *got, sizeof *got);
            kc_fill(src, n);
            for (size_t l = 0; l < period; l++)
                want[l] = got[l] = (double)l / 3; /* sums go on where they stood */
            ref.sum_period(want, src, period, n);
            fast.sum_period(got, src, period, n);
            kc_same_bytes(want, got, period * sizeof *want, "sum_period, %s, n = %zu, period %zu", isa->name,
                          n, period);
        }
    }
}
END_TEST

START_TEST(count_nonfinite_counts)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
        const size_t n = kc_sizes[t];
        float *src = kc_buf(n);
        kc_fill(src, n);
        if (n > 1) {
            src[0] = FLT_MAX;
            src[n - 1] = -FLT_MAX;
        }
        ck_assert_uint_eq(k.count_nonfinite(src, n), 0);
        kc_fill_wild(src, n);
        size_t want = 0;
        for (size_t i = 0; i < n; i++)
            want += !isfinite(src[i]);
        ck_assert_uint_eq(k.count_nonfinite(src, n), want);
        for (size_t i = 0; i < n; i++)
            src[i] = i % 2 ? NAN : -INFINITY;
        ck_assert_uint_eq(k.count_nonfinite(src, n), n);
    }
}
END_TEST

Suite *suite_kernels_elem(void)
{
    Suite *s = suite_create("kernels/elem");
    TCase *tc = tcase_create("elem");
    kc_fixture(tc);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, act_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, prelu_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, act_known_values, 0, runs);
    tcase_add_loop_test(tc, axpy_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, clamp_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, mul_period_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, sum_period_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, count_nonfinite_counts, 0, runs);
    suite_add_tcase(s, tc);
    return s;
}
