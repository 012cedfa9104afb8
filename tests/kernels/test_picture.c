#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"

/* Planes, then pixels of two, three and four samples, one that has no fast path, and the other direction. */
static const ptrdiff_t steps[] = {1, 2, 3, 4, 5, 9, -3};

/* A load takes several pixels at once, so how near the end it may come depends on n and the step: every n. */
enum { MANY = 70 };

/* n samples of `size` bytes, `step` apart, take this many bytes; the first is at the far end if step < 0. */
static size_t span(size_t n, ptrdiff_t step, size_t size)
{
    return n ? ((n - 1) * (size_t)(step < 0 ? -step : step) + 1) * size : 0;
}

static ptrdiff_t first(size_t n, ptrdiff_t step)
{
    return step < 0 && n ? (ptrdiff_t)(n - 1) * -step : 0;
}

/* ---- samples to floats ---------------------------------------------------------------------------- */

/* A quotient of floats rounded to double and then to float is the correctly rounded one: 53 >= 2 * 24 + 2. */
static float quotient(unsigned v, unsigned range)
{
    return (float)((double)v / (double)range);
}

START_TEST(from_u8_divides)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    for (size_t q = 0; q < KC_COUNT(steps); q++) {
        for (size_t t = 0; t <= MANY; t++) {
            const size_t n = t < MANY ? t : 1000, bytes = span(n, steps[q], 1);
            uint8_t *src = kc_bytes(bytes, 1);
            float *want = kc_buf(n), *got = kc_buf(n);
            for (size_t i = 0; i < bytes; i++)
                src[i] = (uint8_t)(i ^ 0x55); /* all 256 values, with neighbours that differ */
            const uint8_t *from = src + first(n, steps[q]);
            for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
                want[i] = quotient(from[i * steps[q]], 255);
            k.from_u8(got, from, steps[q], n);
            kc_same(want, got, n, KC_EXACT, "from_u8, %s, step %td, n = %zu", isa->name, steps[q], n);
        }
    }
}
END_TEST

START_TEST(from_u16_divides)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    for (size_t q = 0; q < KC_COUNT(steps); q++) {
        for (size_t t = 0; t <= MANY; t++) {
            const size_t n = t < MANY ? t : 65536, bytes = span(n, steps[q], 2);
            uint16_t *src = kc_bytes(bytes, 2);
            float *want = kc_buf(n), *got = kc_buf(n);
            for (size_t i = 0; i < bytes / 2; i++)
                src[i] = (uint16_t)kc_random();
            uint16_t *from = src + first(n, steps[q]);
            for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++) {
                if (n == 65536)
                    from[i * steps[q]] = (uint16_t)i; /* all values */
                want[i] = quotient(from[i * steps[q]], 65535);
            }
            k.from_u16(got, from, steps[q], n);
            kc_same(want, got, n, KC_EXACT, "from_u16, %s, step %td, n = %zu", isa->name, steps[q], n);
        }
        kc_free_all();
    }
}
END_TEST

/* ---- floats to samples ---------------------------------------------------------------------------- */

static int exact_halves;

static unsigned half_even(float v, float range)
{
    if (!(v > 0))
        return 0;
    const float product = (v < 1 ? v : 1) * range;
    const unsigned whole = (unsigned)product;
    const float rest = product - (float)whole;
    exact_halves += rest == 0.5f;
    return whole + (rest > 0.5f || (rest == 0.5f && whole % 2));
}

/* Values whose products lie at and beside each half between two levels, and some of every other kind. */
static size_t fill_levels(float *p, size_t levels)
{
    static const float near[] = {0, -0.0f, NAN, -NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0x1p-149f,
                                 -0x1p-149f, 0x1.fffffep-127f, 0.5f, 0x1.fffffep-1f, 1, 0x1.000002p0f, 2,
                                 -1, 1e9f, 1e19f};
    size_t n = 0;
    for (size_t i = 0; i < KC_COUNT(near); i++)
        p[n++] = near[i];
    for (size_t level = 0; level < levels; level++) {
        float v = (float)(((double)level + 0.5) / (double)levels);
        v = nextafterf(nextafterf(v, 0), 0);
        for (int i = 0; i < 5; i++, v = nextafterf(v, 1))
            p[n++] = v;
    }
    return n;
}

START_TEST(to_u8_rounds_half_to_even)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const size_t room = 5 * 255 + 100;
    float *all = kc_buf(room);
    exact_halves = 0;
    const size_t all_n = fill_levels(all, 255);
    for (size_t q = 0; q < KC_COUNT(steps); q++) {
        for (size_t t = 0; t <= KC_COUNT(kc_sizes); t++) {
            const size_t n = t < KC_COUNT(kc_sizes) ? kc_sizes[t] : all_n, bytes = span(n, steps[q], 1);
            float *src = kc_buf(n);
            uint8_t *want = kc_bytes(bytes, 1), *got = kc_bytes(bytes, 1);
            if (n == all_n)
                memcpy(src, all, n * sizeof *src);
            else
                kc_fill_wild(src, n);
            for (size_t i = 0; i < bytes; i++)
                want[i] = got[i] = (uint8_t)kc_random(); /* other channels, to be left alone */
            const ptrdiff_t at = first(n, steps[q]);
            for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
                want[at + i * steps[q]] = (uint8_t)half_even(src[i], 255);
            k.to_u8(got + at, steps[q], src, n);
            kc_same_bytes(want, got, bytes, "to_u8, %s, step %td, n = %zu", isa->name, steps[q], n);
        }
    }
    ck_assert_int_gt(exact_halves, 100); /* else the values above test nothing */
}
END_TEST

START_TEST(to_u16_rounds_half_to_even)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const size_t room = 5 * 65535 + 100;
    float *all = kc_buf(room);
    exact_halves = 0;
    const size_t all_n = fill_levels(all, 65535);
    for (size_t q = 0; q < KC_COUNT(steps); q++) {
        for (size_t t = 0; t <= KC_COUNT(kc_sizes); t++) {
            const size_t n = t < KC_COUNT(kc_sizes) ? kc_sizes[t] : all_n, bytes = span(n, steps[q], 2);
            float *src = kc_buf(n);
            uint16_t *want = kc_bytes(bytes, 2), *got = kc_bytes(bytes, 2);
            if (n == all_n)
                memcpy(src, all, n * sizeof *src);
            else
                kc_fill_wild(src, n);
            for (size_t i = 0; i < bytes / 2; i++)
                want[i] = got[i] = (uint16_t)kc_random();
            const ptrdiff_t at = first(n, steps[q]);
            for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++)
                want[at + i * steps[q]] = (uint16_t)half_even(src[i], 65535);
            k.to_u16(got + at, steps[q], src, n);
            kc_same_bytes(want, got, bytes, "to_u16, %s, step %td, n = %zu", isa->name, steps[q], n);
        }
    }
    ck_assert_int_gt(exact_halves, 1000);
}
END_TEST

START_TEST(levels_come_back)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const size_t n = 65536;
    uint16_t *src = kc_bytes(n * sizeof *src, 2), *back = kc_bytes(n * sizeof *back, 2);
    uint8_t *src8 = kc_bytes(256, 1), *back8 = kc_bytes(256, 1);
    float *value = kc_buf(n);
    for (size_t i = 0; i < n; i++)
        src[i] = (uint16_t)i;
    for (size_t i = 0; i < 256; i++)
        src8[i] = (uint8_t)i;
    k.from_u16(value, src, 1, n);
    k.to_u16(back, 1, value, n);
    kc_same_bytes(src, back, n * sizeof *src, "u16 there and back, %s", isa->name);
    k.from_u8(value, src8, 1, 256);
    k.to_u8(back8, 1, value, 256);
    kc_same_bytes(src8, back8, 256, "u8 there and back, %s", isa->name);
}
END_TEST

/* ---- colour --------------------------------------------------------------------------------------- */

START_TEST(affine3_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    float m[3][4];
    for (int i = 0; i < 3; i++)
        kc_fill_plain(m[i], 4);
    for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
        const size_t n = kc_sizes[t];
        float *src[3], *want[3], *got[3], *allowed[3];
        for (int i = 0; i < 3; i++) {
            src[i] = kc_buf(n);
            want[i] = kc_buf(n);
            got[i] = kc_buf(n);
            allowed[i] = kc_buf(n);
            kc_fill_plain(src[i], n);
        }
        for (int i = 0; i < 3; i++)
            for (size_t x = 0; x < n; x++)
                allowed[i][x] = 4 * FLT_EPSILON * (fabsf(m[i][0] * src[0][x]) + fabsf(m[i][1] * src[1][x]) +
                                                   fabsf(m[i][2] * src[2][x]) + fabsf(m[i][3]));
        const float *const from[3] = {src[0], src[1], src[2]};
        ref.affine3(want, from, m, n);
        fast.affine3(got, from, m, n);
        for (int i = 0; i < 3; i++)
            kc_same(want[i], got[i], n, KC_EACH(allowed[i]), "affine3, %s, row %d, n = %zu", isa->name, i, n);
        if (n > 5) { /* a value does not know its place */
            const float *const later[3] = {src[0] + 5, src[1] + 5, src[2] + 5};
            fast.affine3(want, later, m, n - 5);
            for (int i = 0; i < 3; i++)
                kc_same(got[i] + 5, want[i], n - 5, KC_EXACT, "affine3 from 5 on, %s, n = %zu", isa->name, n);
        }
        fast.affine3(src, from, m, n);
        for (int i = 0; i < 3; i++)
            kc_same(got[i], src[i], n, KC_EXACT, "affine3 in place, %s, row %d, n = %zu", isa->name, i, n);
    }
}
END_TEST

/* ---- resampling ----------------------------------------------------------------------------------- */

static const int tap_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 24, 33};
enum { TAPS_MAX = 33 };

START_TEST(resize_v_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t q = 0; q < KC_COUNT(tap_counts); q++) {
        const int taps = tap_counts[q];
        float *w = kc_buf((size_t)taps);
        kc_fill_plain(w, (size_t)taps);
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t];
            const float *rows[TAPS_MAX];
            float *want = kc_buf(n), *got = kc_buf(n), *allowed = kc_buf(n);
            for (size_t x = 0; x < n; x++)
                allowed[x] = 0;
            for (int i = 0; i < taps; i++) {
                float *row = kc_buf(n);
                kc_fill_plain(row, n);
                for (size_t x = 0; x < n; x++)
                    allowed[x] += (float)taps * FLT_EPSILON * fabsf(w[i] * row[x]);
                rows[i] = row;
            }
            ref.resize_v(want, rows, w, taps, n);
            fast.resize_v(got, rows, w, taps, n);
            kc_same(want, got, n, KC_EACH(allowed), "resize_v, %s, %d taps, n = %zu", isa->name, taps, n);
            if (n > 5) { /* a value does not know its place */
                for (int i = 0; i < taps; i++)
                    rows[i] += 5;
                fast.resize_v(want, rows, w, taps, n - 5);
                kc_same(got + 5, want, n - 5, KC_EXACT, "resize_v from 5 on, %s, %d taps, n = %zu", isa->name,
                        taps, n);
            }
        }
        kc_free_all();
    }
}
END_TEST

/* Windows that climb through the source and stay inside it, as an enlargement has; or any samples at all. */
static void fill_index(int32_t *index, size_t n, int taps, int width, int any)
{
    for (size_t x = 0; x < n; x++) {
        for (int t = 0; t < taps; t++) {
            int at = (int)(x * (size_t)width / n) + t - taps / 2;
            at = at < 0 ? 0 : at >= width ? width - 1 : at;
            index[x * (size_t)taps + (size_t)t] = any ? kc_int(0, width - 1) : at;
        }
    }
}

START_TEST(resize_h_matches_scalar)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t q = 0; q < 2 * KC_COUNT(tap_counts); q++) {
        const int taps = tap_counts[q / 2];
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t], terms = n * (size_t)taps;
            const int width = (int)n / 2 + 1;
            float *src = kc_buf((size_t)width), *w = kc_buf(terms);
            int32_t *index = kc_bytes(terms * sizeof *index, sizeof *index);
            float *want = kc_buf(n), *got = kc_buf(n), *allowed = kc_buf(n);
            kc_fill_plain(src, (size_t)width);
            kc_fill_plain(w, terms);
            fill_index(index, n, taps, width, q % 2);
            for (size_t x = 0; x < n; x++) {
                allowed[x] = 0;
                for (size_t i = x * (size_t)taps; i < (x + 1) * (size_t)taps; i++)
                    allowed[x] += (float)taps * FLT_EPSILON * fabsf(w[i] * src[index[i]]);
            }
            ref.resize_h(want, src, index, w, taps, n);
            fast.resize_h(got, src, index, w, taps, n);
            kc_same(want, got, n, KC_EACH(allowed), "resize_h, %s, %d taps, n = %zu", isa->name, taps, n);
            if (n > 5) { /* a value does not know its place */
                fast.resize_h(want, src, index + 5 * taps, w + 5 * taps, taps, n - 5);
                kc_same(got + 5, want, n - 5, KC_EXACT, "resize_h from 5 on, %s, %d taps, n = %zu", isa->name,
                        taps, n);
            }
        }
        kc_free_all();
    }
}
END_TEST

/* The same samples in a row and scattered: the load a kernel chooses must not show. */
START_TEST(resize_h_runs_and_scattered_agree)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    for (size_t q = 0; q < KC_COUNT(tap_counts); q++) {
        const int taps = tap_counts[q];
        const size_t width = (size_t)taps;
        float *src = kc_buf(width), *mirrored = kc_buf(width), *w = kc_buf(width);
        int32_t index[TAPS_MAX], backwards[TAPS_MAX];
        float want, got;
        kc_fill_plain(src, width);
        kc_fill_plain(w, width);
        for (int t = 0; t < taps; t++) {
            index[t] = t;
            backwards[t] = taps - 1 - t;
            mirrored[taps - 1 - t] = src[t];
        }
        k.resize_h(&want, src, index, w, taps, 1);
        k.resize_h(&got, mirrored, backwards, w, taps, 1);
        kc_same(&want, &got, 1, KC_EXACT, "resize_h backwards, %s, %d taps", isa->name, taps);
    }
}
END_TEST

Suite *suite_kernels_picture(void)
{
    Suite *s = suite_create("kernels/picture");
    TCase *tc = tcase_create("picture");
    kc_fixture(tc);
    tcase_set_timeout(tc, 60);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, from_u8_divides, 0, runs);
    tcase_add_loop_test(tc, from_u16_divides, 0, runs);
    tcase_add_loop_test(tc, to_u8_rounds_half_to_even, 0, runs);
    tcase_add_loop_test(tc, to_u16_rounds_half_to_even, 0, runs);
    tcase_add_loop_test(tc, levels_come_back, 0, runs);
    tcase_add_loop_test(tc, affine3_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, resize_v_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, resize_h_matches_scalar, 0, runs);
    tcase_add_loop_test(tc, resize_h_runs_and_scattered_agree, 0, runs);
    suite_add_tcase(s, tc);
    return s;
}
