#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/kc.h"

/* Moves are checked against their formula: every value has one place it can come from. */

START_TEST(nearest_repeats_pixels)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    static const int pixels[] = {1, 2, 3, 4, 8, 16, 24};
    for (size_t q = 0; q < KC_COUNT(pixels); q++) {
        const size_t pixel = (size_t)pixels[q];
        for (size_t r = 1; r <= 9; r++) {
            for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
                const size_t n = pixel > 3 && kc_sizes[t] > 100 ? 100 : kc_sizes[t];
                float *src = kc_buf(n * pixel), *want = kc_buf(n * r * pixel), *got = kc_buf(n * r * pixel);
                kc_fill_wild(src, n * pixel);
                for (size_t x = 0; x < n * r; x++)
                    memcpy(want + x * pixel, src + x / r * pixel, pixel * sizeof *src);
                k.nearest(got, src, (int)r, pixels[q], n);
                kc_same(want, got, n * r * pixel, KC_EXACT, "nearest, %s, r = %zu, pixel %zu, n = %zu",
                        isa->name, r, pixel, n);
            }
            kc_free_all();
        }
    }
}
END_TEST

/* One row both ways; between the planes of the output lie values that must stay. */
static void check_shuffle(const kc_isa *isa, const tt_kernels *k, tt_shuffle_row a, int with_add)
{
    const int rr = a.r * a.r, n = a.n;
    const int src_planes = (a.channels * rr + a.block - 1) / a.block;
    const int dst_planes = (a.channels + a.db - 1) / a.db;
    a.src_plane = n * a.block + kc_int(0, 40);
    a.dst_plane = n * a.r * a.db + kc_int(0, 20);
    a.add_plane = n * a.db + kc_int(0, 20);
    const size_t src_size = (size_t)((src_planes - 1) * a.src_plane + n * a.block);
    const size_t dst_size = (size_t)((dst_planes - 1) * a.dst_plane + n * a.r * a.db);
    const size_t add_size = (size_t)((dst_planes - 1) * a.add_plane + n * a.db);
    float *src = kc_buf(src_size), *add = kc_buf(add_size), *want = kc_buf(dst_size), *got = kc_buf(dst_size);
    kc_fill_wild(src, src_size);
    kc_fill_wild(add, add_size);
    kc_fill(want, dst_size);
    memcpy(got, want, dst_size * sizeof *got);
    for (int c = 0; c < a.channels; c++) {
        for (int x = 0; x < n; x++) {
            for (int dx = 0; dx < a.r; dx++) {
                const int from = c * rr + a.dy * a.r + dx;
                const float s = src[from / a.block * a.src_plane + x * a.block + from % a.block];
                const float base = add[c / a.db * a.add_plane + x * a.db + c % a.db];
                want[c / a.db * a.dst_plane + (x * a.r + dx) * a.db + c % a.db] = with_add ? s + base : s;
            }
        }
    }
    a.src = src;
    a.add = with_add ? add : NULL;
    a.dst = got;
    k->shuffle(&a);
    kc_same(want, got, dst_size, KC_EXACT,
            "shuffle, %s, r = %d, dy = %d, %d channels, block %d to %d, n = %d%s", isa->name, a.r, a.dy,
            a.channels, a.block, a.db, n, with_add ? ", added" : "");
    kc_free_all();
}

START_TEST(shuffle_follows_its_formula)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    static const int scales[] = {1, 2, 3, 4, 8, 9}, counts[] = {1, 3, 5, 16, 17, 40};
    static const int sizes[] = {1, 6, 7, 8, 9, 15, 16, 17, 33, 200};
    const int blocks[] = {k.block, k.block == 16 ? 8 : 16}; /* the table's own, and another */
    for (size_t q = 0; q < KC_COUNT(scales) * KC_COUNT(counts) * KC_COUNT(sizes); q++) {
        const int r = scales[q % KC_COUNT(scales)];
        const int channels = counts[q / KC_COUNT(scales) % KC_COUNT(counts)];
        const int n = sizes[q / (KC_COUNT(scales) * KC_COUNT(counts))];
        if (n > 33 && r * r * channels > 200)
            continue;
        for (int b = 0; b < 8; b++) {
            const int block = blocks[b & 1];
            const tt_shuffle_row a = {.n = n, .r = r, .dy = kc_int(0, r - 1), .channels = channels,
                                      .block = block, .db = b & 2 ? block : 1};
            check_shuffle(isa, &k, a, b & 4);
        }
    }
}
END_TEST

START_TEST(shuffle_of_nothing_touches_nothing)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    float *nothing = kc_buf(0);
    for (int b = 0; b < 2; b++) {
        const tt_shuffle_row a = {.n = 0, .r = 2, .channels = 3, .block = k.block, .db = b ? k.block : 1,
                                  .src = nothing, .add = nothing, .dst = nothing};
        k.shuffle(&a);
    }
}
END_TEST

START_TEST(gather_steps)
{
    const kc_isa *isa = kc_begin(_i);
    tt_kernels k;
    tt_kernels_init(&k, isa->flags);
    static const int steps[] = {1, 2, 3, 8, 16};
    for (size_t q = 0; q < KC_COUNT(steps) * KC_COUNT(steps); q++) {
        const size_t ds = (size_t)steps[q % KC_COUNT(steps)], ss = (size_t)steps[q / KC_COUNT(steps)];
        for (size_t t = 0; t < KC_COUNT(kc_sizes); t++) {
            const size_t n = kc_sizes[t];
            const size_t src_size = n ? (n - 1) * ss + 1 : 0, dst_size = n ? (n - 1) * ds + 1 : 0;
            float *src = kc_buf(src_size), *want = kc_buf(dst_size), *got = kc_buf(dst_size);
            kc_fill_wild(src, src_size);
            kc_fill(want, dst_size);
            if (n)
                memcpy(got, want, dst_size * sizeof *got);
            for (size_t i = 0; i < n; i++)
                want[i * ds] = src[i * ss];
            k.gather(got, (ptrdiff_t)ds, src, (ptrdiff_t)ss, n);
            kc_same(want, got, dst_size, KC_EXACT, "gather, %s, n = %zu, steps %zu from %zu", isa->name, n,
                    ds, ss);
            for (size_t i = 0; i < n; i++)
                want[i * ds] = src[(n - 1 - i) * ss];
            if (n)
                k.gather(got, (ptrdiff_t)ds, src + (n - 1) * ss, -(ptrdiff_t)ss, n);
            kc_same(want, got, dst_size, KC_EXACT, "gather backwards, %s, n = %zu, steps %zu from %zu",
                    isa->name, n, ds, ss);
        }
        kc_free_all();
    }
}
END_TEST

Suite *suite_kernels_move(void)
{
    Suite *s = suite_create("kernels/move");
    TCase *tc = tcase_create("move");
    kc_fixture(tc);
    const int runs = kc_runs();
    tcase_add_loop_test(tc, nearest_repeats_pixels, 0, runs);
    tcase_add_loop_test(tc, shuffle_follows_its_formula, 0, runs);
    tcase_add_loop_test(tc, shuffle_of_nothing_touches_nothing, 0, runs);
    tcase_add_loop_test(tc, gather_steps, 0, runs);
    suite_add_tcase(s, tc);
    return s;
}
