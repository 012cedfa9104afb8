#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/kernels/kc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernels/cpu.h"

const kc_isa kc_isas[] = {
    {"scalar", 0},
#if defined __aarch64__
    {"neon", TT_CPU_NEON},
#else
    {"avx2", TT_CPU_AVX2},
    {"avx512", TT_CPU_AVX2 | TT_CPU_AVX512},
#endif
};
const size_t kc_sizes[KC_SIZES] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 1000};
int kc_pass;

int kc_isa_count(void)
{
    const unsigned cpu = tt_cpu_detect();
    int n = 1;
    while (n < (int)KC_COUNT(kc_isas) && (kc_isas[n].flags & ~cpu) == 0)
        n++;
    return n;
}

/* ---- values --------------------------------------------------------------------------------------- */

static uint32_t seed;
static int seeded;
static uint64_t state;

static void start_random(void)
{
    if (!seeded) {
        const char *word = getenv("KC_SEED");
        seed = word && *word ? (uint32_t)strtoul(word, NULL, 10) : (uint32_t)time(NULL);
        seeded = 1;
    }
    state = seed;
}

/* Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014 (SplitMix64). */
uint32_t kc_random(void)
{
    if (!seeded)
        start_random();
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

int kc_int(int lo, int hi)
{
    return lo + (int)(kc_random() % (unsigned)(hi - lo + 1));
}

static float plain(void)
{
    return (float)(kc_random() >> 8) * 0x1p-23f - 1;
}

static float hard(void)
{
    switch (kc_random() % 12) {
    case 0:
        return 0.0f;
    case 1:
        return -0.0f;
    case 2:
        return plain() * 0x1p-127f; /* denormal */
    case 3:
        return plain() * 0x1p100f;
    case 4:
        return plain() * 300;
    case 5:
        return (float)kc_int(-4, 4); /* where comparisons tie */
    default:
        return plain();
    }
}

void kc_fill(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = hard();
}

void kc_fill_plain(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = plain();
}

void kc_fill_wild(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (kc_random() % 16) {
        case 0:
            p[i] = INFINITY;
            break;
        case 1:
            p[i] = -INFINITY;
            break;
        case 2:
            p[i] = NAN;
            break;
        case 3:
            p[i] = -NAN;
            break;
        default:
            p[i] = hard();
        }
    }
}

/* ---- buffers -------------------------------------------------------------------------------------- */

enum { PATTERN = 0xa5 };

/* map: one page without access, the pages of the buffer, one page without access */
typedef struct buffer {
    struct buffer *next;
    unsigned char *map;
    size_t map_size, page;
    unsigned char *begin, *end; /* what the test may touch, inside the pages */
} buffer;
static buffer *buffers;

void *kc_bytes(size_t bytes, size_t align)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t size = (bytes + page - 1) / page * page; /* nothing for nothing: any access is a crash */
    buffer *b = malloc(sizeof *b);
    ck_assert_ptr_nonnull(b);
    b->page = page;
    b->map_size = size + 2 * page;
    b->map = mmap(NULL, b->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(b->map, MAP_FAILED);
    ck_assert_int_eq(mprotect(b->map, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(b->map + page + size, page, PROT_NONE), 0);

    const size_t offset = kc_pass ? 0 : (size - bytes) / align * align;
    b->begin = b->map + page + offset;
    b->end = b->begin + bytes;
    memset(b->map + page, PATTERN, size);
    b->next = buffers;
    buffers = b;
    return b->begin;
}

float *kc_buf(size_t n)
{
    float *p = kc_bytes(n * sizeof *p, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = NAN;
    return p;
}

static int untouched(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p == PATTERN)
        p++;
    return p == end;
}

void kc_free_all(void)
{
    int before = 0, behind = 0;
    while (buffers) {
        buffer *b = buffers;
        buffers = b->next;
        before += !untouched(b->map + b->page, b->begin);
        behind += !untouched(b->end, b->map + b->map_size - b->page);
        munmap(b->map, b->map_size);
        free(b);
    }
    if (before)
        ck_abort_msg("written before the beginning of %d buffer(s) (pass %d, KC_SEED=%u)", before, kc_pass,
                     seed);
    if (behind)
        ck_abort_msg("written behind the end of %d buffer(s) (pass %d, KC_SEED=%u)", behind, kc_pass,
                     seed);
}

/* ---- tests ---------------------------------------------------------------------------------------- */

int kc_runs(void)
{
    return 2 * kc_isa_count();
}

const kc_isa *kc_begin(int run)
{
    start_random();
    kc_pass = run % 2;
    return &kc_isas[run / 2];
}

void kc_fixture(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, kc_free_all);
}

static int same(float want, float got, kc_tolerance tolerance, size_t i)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (tolerance.kind == KC_BITS)
        return memcmp(&want, &got, sizeof want) == 0;
    if (isinf(want) || isinf(got))
        return want == got;
    const double distance = tolerance.each ? tolerance.each[i] : tolerance.all;
    return fabs((double)want - (double)got) <= distance;
}

void kc_same(const float *want, const float *got, size_t n, kc_tolerance tolerance, const char *format,
             ...)
{
    size_t first = n, bad = 0;
    for (size_t i = 0; i < n; i++) {
        if (!same(want[i], got[i], tolerance, i)) {
            first = first < i ? first : i;
            bad++;
        }
    }
    if (bad == 0)
        return;
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const double allowed = tolerance.each ? tolerance.each[first] : tolerance.all;
    ck_abort_msg("%s: %zu of %zu differ, first [%zu]: want %.9g (%a), got %.9g (%a), allowed %g "
                 "(pass %d, KC_SEED=%u)",
                 what, bad, n, first, want[first], want[first], got[first], got[first], allowed, kc_pass,
                 seed);
}

void kc_same_bytes(const void *want, const void *got, size_t bytes, const char *format, ...)
{
    const unsigned char *w = want, *g = got;
    size_t i = 0;
    while (i < bytes && w[i] == g[i])
        i++;
    if (i == bytes)
        return;
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    ck_abort_msg("%s: byte %zu of %zu: want %u, got %u (pass %d, KC_SEED=%u)", what, i, bytes, w[i], g[i],
                 kc_pass, seed);
}
