#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"

/* IEEE 754 binary16, straight from its definition. */
static float half_value(unsigned h)
{
    const int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
    double v;
    if (exponent == 31)
        v = fraction ? NAN : INFINITY;
    else
        v = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return (float)(h & 0x8000 ? -v : v);
}

START_TEST(f16_all_values)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const size_t n = 1 << 16;
    uint16_t *src = kc_bytes(n * sizeof *src, sizeof *src);
    float *want = kc_buf(n), *got = kc_buf(n);
    for (size_t i = 0; i < n; i++) {
        src[i] = (uint16_t)i;
        want[i] = half_value((unsigned)i);
    }
    k.from_f16(got, src, n);
    kc_same(want, got, n, KC_EXACT, "from_f16, %s", isa->name);
}
END_TEST

START_TEST(bf16_all_values)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    const size_t n = 1 << 16;
    uint16_t *src = kc_bytes(n * sizeof *src, sizeof *src);
    float *want = kc_buf(n), *got = kc_buf(n);
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)i << 16;
        src[i] = (uint16_t)i;
        memcpy(&want[i], &bits, sizeof bits);
    }
    k.from_bf16(got, src, n);
    kc_same(want, got, n, KC_EXACT, "from_bf16, %s", isa->name);
}
END_TEST

START_TEST(halves_of_any_count)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels ref, fast;
    tt_kernels_init(&ref, 0);
    tt_kernels_init(&fast, isa->flags);
    for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
        const size_t n = kc_sizes[t];
        uint16_t *src = kc_bytes(n * sizeof *src, sizeof *src);
        float *want = kc_buf(n), *got = kc_buf(n);
        for (size_t i = 0; i < n; i++)
            src[i] = (uint16_t)kc_random();
        ref.from_f16(want, src, n);
        fast.from_f16(got, src, n);
        kc_same(want, got, n, KC_EXACT, "from_f16, %s, n = %zu", isa->name, n);
        ref.from_bf16(want, src, n);
        fast.from_bf16(got, src, n);
        kc_same(want, got, n, KC_EXACT, "from_bf16, %s, n = %zu", isa->name, n);
    }
}
END_TEST

/* What the definition says of one value: the nearest of all halves, by trying those that might be. */
static unsigned nearest_half(float v)
{
    unsigned lo = 0, hi = 0x7c00; /* of magnitudes: half_value(lo) <= |v| < half_value(hi) */
    const double size = fabs((double)v);
    if (size >= 65520) /* half a step past the largest */
        return 0x7c00;
    while (hi - lo > 1) {
        const unsigned mid = (lo + hi) / 2;
        if ((double)half_value(mid) <= size)
            lo = mid;
        else
            hi = mid;
    }
    const double up = hi == 0x7c00 ? 65536 : (double)half_value(hi), down = (double)half_value(lo);
    return size - down < up - size || (size - down == up - size && !(lo & 1)) ? lo : hi;
}

START_TEST(to_f16_is_the_nearest)
{
    uint16_t got;
    float v;
    for (unsigned h = 0; h < 0x7c00; h++) {
        const double here = (double)half_value(h), next = h == 0x7bff ? 65536 : (double)half_value(h + 1);
        const float tries[] = {(float)here, (float)((here + next) / 2), nextafterf((float)((here + next) / 2), 0),
                               nextafterf((float)((here + next) / 2), INFINITY)};
        for (int i = 0; i < 8; i++) {
            v = i & 4 ? -tries[i & 3] : tries[i & 3];
            tt_to_f16_c(&got, &v, 1);
            ck_assert_msg(got == (nearest_half(v) | (i & 4 ? 0x8000 : 0)), "%a became %04x", (double)v, got);
        }
    }
    for (int i = 0; i < 300000; i++) {
        const uint32_t bits = kc_random();
        memcpy(&v, &bits, sizeof v);
        if (isnan(v))
            continue;
        tt_to_f16_c(&got, &v, 1);
        ck_assert_msg(got == (nearest_half(v) | (signbit(v) ? 0x8000 : 0)), "%a became %04x", (double)v, got);
    }
    v = NAN;
    tt_to_f16_c(&got, &v, 1);
    ck_assert(isnan(half_value(got)));
}
END_TEST

START_TEST(to_bf16_is_the_nearest)
{
    for (int i = 0; i < 300000; i++) {
        float v, below, above;
        uint16_t got;
        uint32_t bits = kc_random();
        if (i & 1) /* in the middle, every second time */
            bits = (bits & 0xffff0000u) | 0x8000u;
        memcpy(&v, &bits, sizeof v);
        tt_to_bf16_c(&got, &v, 1);
        const uint16_t down = (uint16_t)(bits >> 16), up = (uint16_t)(down + 1);
        tt_from_bf16_c(&below, &down, 1);
        tt_from_bf16_c(&above, &up, 1);
        if (isnan(v)) {
            tt_from_bf16_c(&above, &got, 1);
            ck_assert(isnan(above));
        } else if ((bits & 0x7fffffffu) < 0x7f000000u) {
            const double to_down = fabs((double)v - (double)below), to_up = fabs((double)above - (double)v);
            const uint16_t want = to_down < to_up || (to_down == to_up && !(down & 1)) ? down : up;
            ck_assert_msg(got == want, "%a became %04x, not %04x", (double)v, got, want);
        }
    }
    const float largest = 3.4028235e38f;
    uint16_t got;
    tt_to_bf16_c(&got, &largest, 1);
    ck_assert_uint_eq(got, 0x7f80);
}
END_TEST

Suite *suite_kernels_half(void)
{
    Suite *s = suite_create("kernels/half");
    TCase *tc = tcase_create("half");
    kc_fixture(tc);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, f16_all_values, 0, runs);
    tcase_add_loop_test(tc, bf16_all_values, 0, runs);
    tcase_add_loop_test(tc, halves_of_any_count, 0, runs);
    tcase_add_test(tc, to_f16_is_the_nearest);
    tcase_add_test(tc, to_bf16_is_the_nearest);
    suite_add_tcase(s, tc);
    return s;
}
