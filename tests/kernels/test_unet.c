/* Batch norm, max pool, blur, and the softmax of attention: every instruction set against the scalar
 * reference. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include <check.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"

Suite *suite_kernels_unet(void);

static const int pixels[] = {1, 3, 4, 8, 16};
static const int widths[] = {1, 2, 3, 7, 16, 33};

START_TEST(affine_matches_scalar)
{
    static const size_t periods[] = {1, 3, 4, 8, 16, 24};
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t q = 0; q < KC_COUNT(periods); q++)
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++)
            for (int relu = 0; relu < 2; relu++) {
                const size_t n = kc_sizes[t], period = periods[q];
                float *src = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n);
                float *gain = kc_buf(period), *shift = kc_buf(period);
                kc_fill_wild(src, n);
                kc_fill(gain, period);
                kc_fill(shift, period);
                ref.affine(want, src, gain, shift, relu, period, n);
                fast.affine(got, src, gain, shift, relu, period, n);
                kc_same(want, got, n, KC_EXACT, "affine, %s, n = %zu, period %zu", isa->name, n, period);
                fast.affine(src, src, gain, shift, relu, period, n);
                kc_same(want, src, n, KC_EXACT, "affine in place, %s, n = %zu, period %zu", isa->name, n,
                        period);
            }
}
END_TEST

START_TEST(affine_known_values)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const float src[4] = {1, -2, NAN, 3}, gain = 2, shift = 1;
    const float plain[4] = {3, -3, NAN, 7}, relu[4] = {3, 0, 0, 7};
    float got[4];
    k.affine(got, src, &gain, &shift, 0, 1, 4);
    kc_same(plain, got, 4, KC_EXACT, "affine, %s", isa->name);
    k.affine(got, src, &gain, &shift, 1, 1, 4);
    kc_same(relu, got, 4, KC_EXACT, "affine and relu, %s", isa->name);
}
END_TEST

START_TEST(pool_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t p = 0; p < KC_COUNT(pixels); p++)
        for (size_t t = 0; t < KC_COUNT(widths); t++) {
            const int pixel = pixels[p], w = widths[t], n = (w + 1) / 2;
            const size_t in = (size_t)(w * pixel), out = (size_t)(n * pixel);
            float *row[3] = {kc_buf(in), kc_buf(in), kc_buf(in)}, *want = kc_buf(out), *got = kc_buf(out);
            for (int i = 0; i < 3; i++)
                kc_fill_wild(row[i], in);
            const float *const rows[3] = {row[0], row[1], row[2]};
            ref.pool(want, rows, pixel, w, n);
            fast.pool(got, rows, pixel, w, n);
            kc_same(want, got, out, KC_EXACT, "pool, %s, %d pixels of %d", isa->name, w, pixel);
        }
}
END_TEST

/* By the definition, with what lies outside left out. */
START_TEST(pool_is_the_maximum)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    for (size_t t = 0; t < KC_COUNT(widths); t++) {
        const int w = widths[t], n = (w + 1) / 2, block = k.block;
        float *row[3];
        float *got = kc_buf((size_t)(n * block));
        for (int i = 0; i < 3; i++) {
            row[i] = kc_buf((size_t)(w * block));
            kc_fill(row[i], (size_t)(w * block));
        }
        k.pool(got, (const float *const[3]){row[0], row[1], row[2]}, block, w, n);
        for (int x = 0; x < n; x++)
            for (int l = 0; l < block; l++) {
                float most = -INFINITY;
                for (int r = 0; r < 3; r++)
                    for (int u = 2 * x - 1; u <= 2 * x + 1; u++)
                        if (u >= 0 && u < w)
                            most = fmaxf(most, row[r][u * block + l]);
                ck_assert_msg(got[x * block + l] == most, "%s, %d pixels, at %d", isa->name, w, x);
            }
    }
}
END_TEST

START_TEST(blur_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t p = 0; p < KC_COUNT(pixels); p++)
        for (size_t t = 0; t <= KC_COUNT(widths); t++) {
            const size_t w = t ? (size_t)widths[t - 1] : 0, n = w * (size_t)pixels[p];
            float *above = kc_buf(n), *here = kc_buf(n), *want = kc_buf(n), *got = kc_buf(n);
            kc_fill_wild(above, n);
            kc_fill_wild(here, n);
            ref.blur(want, above, here, pixels[p], w);
            fast.blur(got, above, here, pixels[p], w);
            kc_same(want, got, n, KC_EXACT, "blur, %s, %zu pixels of %d", isa->name, w, pixels[p]);
        }
}
END_TEST

START_TEST(blur_known_values)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const float above[3] = {4, 8, 0}, here[3] = {0, 12, 4}, want[3] = {2, 6, 6};
    float got[3];
    k.blur(got, above, here, 1, 3);
    kc_same(want, got, 3, KC_EXACT, "blur, %s", isa->name);
}
END_TEST

/* Scores as conv writes them, in planes that lie apart; lanes beyond `count` hold anything. */
START_TEST(scores_match_scalar)
{
    static const int counts[] = {1, 7, 8, 9, 16, 17, 40, 256};
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t c = 0; c < KC_COUNT(counts); c++)
        for (size_t t = 0; t < KC_COUNT(widths); t++) {
            const int block = fast.block, count = counts[c], n = widths[t],
                      planes = (count + block - 1) / block;
            const size_t plane = (size_t)(n * block), all = plane * (size_t)planes;
            float *s = kc_buf(all), *same = kc_buf(all), *most = kc_buf((size_t)n),
                  *most2 = kc_buf((size_t)n);
            double *sum = kc_bytes(plane * sizeof *sum, sizeof *sum),
                   *sum2 = kc_bytes(plane * sizeof *sum, sizeof *sum);
            kc_fill_plain(s, all);
            for (size_t i = 0; i < all; i++)
                same[i] = s[i] *= 60; /* so that some of the exponentials vanish */
            for (int x = 0; x < n; x++)
                most[x] = most2[x] = x % 3 ? -INFINITY : 70;
            for (size_t i = 0; i < plane; i++)
                sum[i] = sum2[i] = (double)i / 3; /* sums go on where they stood */
            ref.scores_max(most, s, (ptrdiff_t)plane, n, count, block);
            fast.scores_max(most2, s, (ptrdiff_t)plane, n, count, block);
            kc_same(most, most2, (size_t)n, KC_EXACT, "scores_max, %s, %d of %d", isa->name, n, count);
            ref.scores_exp(s, sum, most, (ptrdiff_t)plane, n, count, block);
            fast.scores_exp(same, sum2, most, (ptrdiff_t)plane, n, count, block);
            float *each = kc_buf(all);
            for (size_t i = 0; i < all; i++)
                each[i] = 4 * FLT_EPSILON * s[i] + FLT_MIN;
            kc_same(s, same, all, KC_EACH(each), "scores_exp, %s, %d of %d", isa->name, n, count);
            for (size_t i = 0; i < plane; i++)
                ck_assert_msg(fabs(sum[i] - sum2[i]) <= 4 * FLT_EPSILON * (sum[i] + 1e-30),
                              "scores_exp's sum, %s, %d of %d: %g, not %g", isa->name, n, count, sum2[i],
                              sum[i]);
        }
}
END_TEST

START_TEST(scores_keep_what_is_no_number)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    float s[16] = {0, NAN, INFINITY}, most = INFINITY;
    double sum[16] = {0};
    k.scores_exp(s, sum, &most, k.block, 1, 3, k.block);
    ck_assert(s[0] == 0 && isnan(s[1]) && isnan(s[2]));
    ck_assert(isnan(sum[1]) && isnan(sum[2]));
    float three[16] = {-1, NAN, 2}, largest[2] = {-INFINITY, 3};
    for (int i = 0; i < 2; i++)
        k.scores_max(&largest[i], three, k.block, 1, 3, k.block);
    ck_assert(largest[0] == 2 && largest[1] == 3);
}
END_TEST

Suite *suite_kernels_unet(void)
{
    Suite *s = suite_create("kernels/unet");
    TCase *tc = tcase_create("unet");
    kc_fixture(tc);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, affine_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, affine_known_values, 0, runs);
    tcase_add_loop_test(tc, pool_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, pool_is_the_maximum, 0, runs);
    tcase_add_loop_test(tc, blur_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, blur_known_values, 0, runs);
    tcase_add_loop_test(tc, scores_match_scalar, 0, runs);
    tcase_add_loop_test(tc, scores_keep_what_is_no_number, 0, runs);
    suite_add_tcase(s, tc);
    return s;
}
