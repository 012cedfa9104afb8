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

Suite *suite_kernels_half(void)
{
    Suite *s = suite_create("kernels/half");
    TCase *tc = tcase_create("half");
    kc_fixture(tc);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, f16_all_values, 0, runs);
    tcase_add_loop_test(tc, bf16_all_values, 0, runs);
    tcase_add_loop_test(tc, halves_of_any_count, 0, runs);
    suite_add_tcase(s, tc);
    return s;
}
