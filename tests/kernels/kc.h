/*
 * What the kernel tests share: buffers between unreadable pages, hard values to fill them with,
 * and comparisons that name the first value that differs.
 *
 *     START_TEST(clamp_matches_scalar)
 *     {
 *         const kc_isa *isa = kc_begin(_i);
 *         ...
 *     }
 *     tcase_add_loop_test(tc, clamp_matches_scalar, 0, kc_runs());   and once:  kc_fixture(tc);
 */
#ifndef TT_TESTS_KERNELS_KC_H
#define TT_TESTS_KERNELS_KC_H

#include <stddef.h>
#include <stdint.h>

#include <check.h>

#define KC_COUNT(array) (sizeof(array) / sizeof(array)[0])

/*
 * The levels of instruction set there are, lowest first, and how many of them this machine has once
 * TINTYPE_CPU has lowered it. Number 0 is the scalar table: it is compared with itself, for the sake
 * of the guard pages.
 */
typedef struct kc_isa {
    const char *name;
    unsigned flags; /* for tt_kernels_init() */
} kc_isa;
extern const kc_isa kc_isas[];
int kc_isa_count(void);

/* Lengths on both sides of every vector width, the empty one and a long one. */
enum { KC_SIZES = 15 };
extern const size_t kc_sizes[KC_SIZES];

/*
 * Each test runs once per level and pass: kc_runs() of them. kc_begin(_i) sets kc_pass, starts the
 * random numbers at the seed and returns the level.
 */
int kc_runs(void);
const kc_isa *kc_begin(int run);

/* Free the buffers after each test of tc, whether it passed or not. */
void kc_fixture(TCase *tc);

/*
 * Buffers. In pass 0 the end lies against an unreadable page (kc_bytes: as near as `align`, a power of
 * two up to 4096, lets it), in pass 1 the beginning follows one. What is left of the pages on the other
 * side holds a pattern, and kc_free_all() fails the test if it was written to. New floats are NaN, new
 * bytes 0xa5.
 */
extern int kc_pass;
float *kc_buf(size_t n);
void *kc_bytes(size_t bytes, size_t align);
void kc_free_all(void);

/*
 * Values. KC_SEED in the environment brings a failure back; without it the seed is the time.
 *   kc_fill        finite: ordinary ones mixed with zeros of both signs, denormals and large ones
 *   kc_fill_plain  -1..1, for sums whose tolerance is argued from magnitudes
 *   kc_fill_wild   as kc_fill, and infinities and NaN
 *   kc_int         lo..hi, both included
 */
void kc_fill(float *p, size_t n);
void kc_fill_plain(float *p, size_t n);
void kc_fill_wild(float *p, size_t n);
uint32_t kc_random(void);
int kc_int(int lo, int hi);

/*
 * Fail unless got is want, value by value: bit for bit, or within a distance, or each within its own.
 * Any NaN is the same as any NaN, and no other value is; infinities must be equal. The format says
 * what was compared.
 */
typedef struct kc_tolerance {
    enum { KC_BITS, KC_DISTANCE } kind;
    float all;
    const float *each; /* n distances, or NULL: `all` */
} kc_tolerance;
#define KC_EXACT ((kc_tolerance){KC_BITS, 0, NULL})
#define KC_WITHIN(distance) ((kc_tolerance){KC_DISTANCE, (distance), NULL})
#define KC_EACH(distances) ((kc_tolerance){KC_DISTANCE, 0, (distances)})

void kc_same(const float *want, const float *got, size_t n, kc_tolerance tolerance, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same for bytes: pictures, and samples between which nothing may be written. */
void kc_same_bytes(const void *want, const void *got, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
