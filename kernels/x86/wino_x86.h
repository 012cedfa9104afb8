/*
 * Winograd convolution in vectors of one block of channels: the body of wino_avx2.c and wino_avx512.c, which say what `vec`,
 * BLOCK and the operations below are. See kernels.h for the formulas, kernels/wino.h for the points.
 *
 *     LOAD STORE SET1 ADD SUB MUL FMA(a, b, c) = a * b + c   FNMA(a, b, c) = c - a * b
 */
#include "kernels/kernels.h"
#include "kernels/wino.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32") /* -O2 alone would leave the arrays in memory */

enum { PAIRS_6 = 2, PAIRS_8 = 3 };

/* The points +-p of a pair, and the products and sums of the squares of the others: q^2 in 6, q^2 r^2 and q^2 + r^2 in 8. */
#define POINT(N, k) ((N) == 6 ? ((k) == 0 ? TT_WINO6_A : TT_WINO6_B) : (k) == 0 ? TT_WINO8_A : (k) == 1 ? TT_WINO8_B : TT_WINO8_C)
#define OTHER8(k, i) POINT(8, ((k) + 1 + (i)) % 3)

/* ---- input ------------------------------------------------------------------------------------------ */

/*
 * B^T d is made two rows at a time, as the rows of +p and -p have their even and their odd terms in common; the first row
 * (0) and the last (infinity) by themselves. Of all rows 12 operations for 6 values, 24 for 8.
 */
INLINE vec edge_row(const vec *d, const int N, const int last)
{
    const vec *e = d + last;
    if (N == 6) {
        const vec product = SET1(TT_SQUARE(TT_WINO6_A * TT_WINO6_B)), sum = SET1(TT_SQUARE(TT_WINO6_A) + TT_SQUARE(TT_WINO6_B));
        return FMA(product, e[0], FNMA(sum, e[2], e[4]));
    }
    const float a = TT_SQUARE(TT_WINO8_A), b = TT_SQUARE(TT_WINO8_B), c = TT_SQUARE(TT_WINO8_C);
    return FNMA(SET1(a * b * c), e[0], FMA(SET1(a * b + b * c + a * c), e[2], FNMA(SET1(a + b + c), e[4], e[6])));
}

INLINE void pair_rows(vec *plus, vec *minus, const vec *d, const int N, const int k)
{
    vec even, odd;
    if (N == 6) {
        const vec q = SET1(TT_SQUARE(POINT(6, !k)));
        even = FNMA(q, d[2], d[4]);
        odd = FNMA(q, d[1], d[3]);
    } else {
        const float q = TT_SQUARE(OTHER8(k, 0)), r = TT_SQUARE(OTHER8(k, 1));
        even = FMA(SET1(q * r), d[2], FNMA(SET1(q + r), d[4], d[6]));
        odd = FMA(SET1(q * r), d[1], FNMA(SET1(q + r), d[3], d[5]));
    }
    const vec p = SET1(POINT(N, k));
    *plus = FMA(p, odd, even);
    *minus = FNMA(p, odd, even);
}

/* One row of B^T d, times B, to its N frequencies. */
INLINE void store_row(float *v, ptrdiff_t freq, const vec *q, const int N)
{
    vec plus, minus;
    STORE(v, edge_row(q, N, 0));
    UNROLL for (int k = 0; k < N / 2 - 1; k++) {
        pair_rows(&plus, &minus, q, N, k);
        STORE(v + (1 + 2 * k) * freq, plus);
        STORE(v + (2 + 2 * k) * freq, minus);
    }
    STORE(v + (N - 1) * freq, edge_row(q, N, 1));
}

INLINE void column(vec *one, vec *two, const float *const *row, ptrdiff_t at, const int N, const int k)
{
    vec d[TT_WINO_MOST];
    UNROLL for (int i = 0; i < N; i++)
        d[i] = LOAD(row[i] + at);
    if (k < 0) {
        *one = edge_row(d, N, 0);
        *two = edge_row(d, N, 1);
    } else {
        pair_rows(one, two, d, N, k);
    }
}

/* The rows of one pair (or, k = -1, the first and the last row) of `tiles` tiles. Neighbouring tiles have N - M columns in
 * common, whose part is done once. */
INLINE void input_rows(const float *const *row, ptrdiff_t at, int tiles, float *v, ptrdiff_t freq, const int N, const int M,
                       const int k)
{
    vec one[TT_WINO_MOST], two[TT_WINO_MOST];
    const float *p[TT_WINO_MOST];
    float *first = v + (k < 0 ? 0 : (1 + 2 * k) * N) * freq, *second = v + (k < 0 ? N - 1 : 2 + 2 * k) * N * freq;
    UNROLL for (int i = 0; i < N; i++)
        p[i] = row[i] + at;
    UNROLL for (int j = 0; j < N - M; j++)
        column(&one[M + j], &two[M + j], p, (ptrdiff_t)j * BLOCK, N, k);
    for (int t = 0; t < tiles; t++, first += BLOCK, second += BLOCK) {
        UNROLL for (int j = 0; j < N - M; j++) {
            one[j] = one[M + j];
            two[j] = two[M + j];
        }
        UNROLL for (int j = N - M; j < N; j++)
            column(&one[j], &two[j], p, (ptrdiff_t)j * BLOCK, N, k);
        store_row(first, freq, one, N);
        store_row(second, freq, two, N);
        UNROLL for (int i = 0; i < N; i++)
            p[i] += M * BLOCK;
    }
}

INLINE void input_run(const float *const *row, ptrdiff_t at, int tiles, float *v, ptrdiff_t freq, const int N, const int M)
{
    UNROLL for (int k = -1; k < N / 2 - 1; k++)
        input_rows(row, at, tiles, v, freq, N, M, k);
}

/* A tile of which some pixels do not exist. */
INLINE void input_edge(const tt_wino_input *a, int x, float *v, const int N, const int M)
{
    float d[TT_WINO_MOST][TT_WINO_MOST * BLOCK] __attribute__((aligned(64)));
    const float *row[TT_WINO_MOST];
    for (int i = 0; i < N; i++) {
        row[i] = d[i];
        for (int j = 0; j < N; j++) {
            const int inside = x + j < 0 ? 0 : x + j < a->w ? x + j : a->w - 1;
            const int exists = inside == x + j || a->replicate;
            STORE(d[i] + j * BLOCK, exists ? LOAD(a->row[i] + (ptrdiff_t)inside * BLOCK) : SET1(0));
        }
    }
    input_run(row, 0, 1, v, a->v_freq, N, M);
}

INLINE void input(const tt_wino_input *a, const int N, const int M)
{
    int t = 0, run = 0;
    while (t < a->tiles && a->x0 + t * M < 0) {
        input_edge(a, a->x0 + t * M, a->v + (ptrdiff_t)t * BLOCK, N, M);
        t++;
    }
    while (t + run < a->tiles && a->x0 + (t + run) * M + N <= a->w)
        run++;
    if (run)
        input_run(a->row, (ptrdiff_t)(a->x0 + t * M) * BLOCK, run, a->v + (ptrdiff_t)t * BLOCK, a->v_freq, N, M);
    for (t += run; t < a->tiles; t++)
        input_edge(a, a->x0 + t * M, a->v + (ptrdiff_t)t * BLOCK, N, M);
}

static void input_4_3(const tt_wino_input *a) { input(a, 6, 4); }
static void input_6_3(const tt_wino_input *a) { input(a, 8, 6); }
static void input_4_5(const tt_wino_input *a) { input(a, 8, 4); }

void NAME(wino_input)(const tt_wino_input *a)
{
    static void (*const form[TT_WINOS])(const tt_wino_input *) = {NULL, input_4_3, input_6_3, input_4_5};
    form[a->form](a);
}

/* ---- product ---------------------------------------------------------------------------------------- */

/* NB blocks of outputs for R tiles in one frequency: an accumulator each, as in conv. */
INLINE void product_tile(const tt_wino_product *a, const float *u, const float *v, float *m, const int NB, const int R)
{
    vec acc[24];
    UNROLL for (int i = 0; i < NB * R; i++)
        acc[i] = SET1(0);
    for (int p = 0; p < a->planes; p++, v += a->v_plane) {
        const float *end = u + (ptrdiff_t)a->count[p] * NB * BLOCK;
        for (const float *x = v; u < end; u += NB * BLOCK, x++) {
            vec w[4];
            UNROLL for (int b = 0; b < NB; b++)
                w[b] = LOAD(u + b * BLOCK);
            UNROLL for (int r = 0; r < R; r++) {
                const vec value = SET1(x[r * BLOCK]);
                UNROLL for (int b = 0; b < NB; b++)
                    acc[b * R + r] = FMA(w[b], value, acc[b * R + r]);
            }
        }
    }
    UNROLL for (int b = 0; b < NB; b++)
        UNROLL for (int r = 0; r < R; r++)
            STORE(m + b * a->m_plane + r * BLOCK, acc[b * R + r]);
}

/* All tiles of one frequency, WIDE at a time; what is left in runs of FINE. */
#define PRODUCT(NB, WIDE, FINE)                                                                                          \
    static void product_##NB(const tt_wino_product *a, const float *u, const float *v, float *m)                         \
    {                                                                                                                    \
        int t = 0;                                                                                                       \
        for (; t + WIDE - FINE < a->tiles; t += WIDE)                                                                    \
            product_tile(a, u, v + (ptrdiff_t)t * BLOCK, m + (ptrdiff_t)t * BLOCK, NB, WIDE);                            \
        if (WIDE > 2 * FINE && t + FINE < a->tiles) {                                                                    \
            product_tile(a, u, v + (ptrdiff_t)t * BLOCK, m + (ptrdiff_t)t * BLOCK, NB, 2 * FINE);                        \
            t += 2 * FINE;                                                                                               \
        }                                                                                                                \
        if (t < a->tiles)                                                                                                \
            product_tile(a, u, v + (ptrdiff_t)t * BLOCK, m + (ptrdiff_t)t * BLOCK, NB, FINE);                            \
    }
PRODUCTS

void NAME(wino_product)(const tt_wino_product *a)
{
    static void (*const product[])(const tt_wino_product *, const float *, const float *, float *) = {PRODUCT_LIST};
    const int n = tt_wino_forms[a->form].n;
    for (ptrdiff_t f = 0; f < n * n; f++)
        product[a->outputs - 1](a, a->u + f * a->u_freq, a->v + f * a->v_freq, a->m + f * a->m_freq);
}

/* ---- output ----------------------------------------------------------------------------------------- */

/* M values of A^T m: even powers of the points for the sums of pairs, odd ones for their differences. */
INLINE void at(vec *y, const vec *m, const int N, const int M)
{
    vec part[2][PAIRS_8];
    UNROLL for (int k = 0; k < N / 2 - 1; k++) {
        part[0][k] = ADD(m[1 + 2 * k], m[2 + 2 * k]);
        part[1][k] = SUB(m[1 + 2 * k], m[2 + 2 * k]);
    }
    UNROLL for (int i = 0; i < M; i++) {
        float power[PAIRS_8] = {1, 1, 1};
        UNROLL for (int k = 0; k < N / 2 - 1; k++)
            UNROLL for (int e = 0; e < i; e++)
                power[k] *= POINT(N, k);
        if (i == 0)
            y[i] = ADD(ADD(m[0], part[0][0]), part[0][1]);
        else
            y[i] = FMA(SET1(power[1]), part[i % 2][1], MUL(SET1(power[0]), part[i % 2][0]));
        if (N == 8)
            y[i] = FMA(SET1(power[2]), part[i % 2][2], y[i]);
        if (i == M - 1)
            y[i] = ADD(y[i], m[N - 1]);
    }
}

/* The rest of the formula for M pixels of row y, block b, from pixel x on, of which those from..to-1 exist. The sums are
 * not fused: they have the bits of those added by the axpy kernel. */
INLINE void output_row(const tt_wino_output *a, vec *z, int b, int y, ptrdiff_t x, int from, int to, const int M)
{
    const vec bias = LOAD(a->bias + b * BLOCK);
    UNROLL for (int i = 0; i < M; i++)
        z[i] = ADD(z[i], bias);
    if (a->act == TT_ACT_RELU) {
        UNROLL for (int i = 0; i < M; i++)
            z[i] = RELU(z[i]);
    } else if (a->act == TT_ACT_PRELU) {
        const vec slope = LOAD(a->slope + b * BLOCK);
        UNROLL for (int i = 0; i < M; i++)
            z[i] = PRELU(z[i], slope);
    }
    for (int j = 0; j < 2; j++) {
        if (!a->add[j])
            continue;
        const vec scale = SET1(a->scale[j]);
        const float *add = a->add[j][y] + b * a->add_plane[j] + x * BLOCK;
        UNROLL for (int i = 0; i < M; i++)
            if (i >= from && i < to)
                z[i] = ADD(LOAD(add + i * BLOCK), MUL(scale, z[i]));
    }
    if (a->clamp) {
        const vec lo = SET1(a->lo), hi = SET1(a->hi);
        UNROLL for (int i = 0; i < M; i++)
            z[i] = MIN(MAX(z[i], lo), hi);
    }
    float *dst = a->dst[y] + b * a->dst_plane + x * BLOCK;
    UNROLL for (int i = 0; i < M; i++)
        if (i >= from && i < to)
            STORE(dst + i * BLOCK, z[i]);
}

INLINE void output_tile(const tt_wino_output *a, int b, int t, const int N, const int M)
{
    const float *m = a->m + b * a->m_plane + (ptrdiff_t)t * BLOCK;
    const int x = a->x0 + t * M, from = x < 0 ? -x : 0, to = a->w - x < M ? a->w - x : M;
    vec half[TT_WINO_MOST][TT_WINO_MOST], column[TT_WINO_MOST], z[TT_WINO_MOST];
    UNROLL for (int j = 0; j < N; j++) {
        UNROLL for (int i = 0; i < N; i++)
            column[i] = LOAD(m + (i * N + j) * a->m_freq);
        at(z, column, N, M);
        UNROLL for (int i = 0; i < M; i++)
            half[i][j] = z[i];
    }
    UNROLL for (int i = 0; i < M; i++) {
        if (!a->dst[i])
            continue;
        at(z, half[i], N, M);
        if (from == 0 && to == M)
            output_row(a, z, b, i, x, 0, M, M);
        else
            output_row(a, z, b, i, x, from, to, M);
    }
}

INLINE void output(const tt_wino_output *a, const int N, const int M)
{
    for (int b = 0; b < a->outputs; b++)
        for (int t = 0; t < a->tiles; t++)
            output_tile(a, b, t, N, M);
}

static void output_4_3(const tt_wino_output *a) { output(a, 6, 4); }
static void output_6_3(const tt_wino_output *a) { output(a, 8, 6); }
static void output_4_5(const tt_wino_output *a) { output(a, 8, 4); }

void NAME(wino_output)(const tt_wino_output *a)
{
    static void (*const form[TT_WINOS])(const tt_wino_output *) = {NULL, output_4_3, output_6_3, output_4_5};
    form[a->form](a);
}

/* ---- weights ---------------------------------------------------------------------------------------- */

/* N values of G g. */
INLINE void gain(vec *u, const vec *g, const float (*matrix)[TT_WINO_MOST], const int N, const int R)
{
    u[0] = MUL(SET1(matrix[0][0]), g[0]);
    UNROLL for (int k = 1; k < N - 1; k += 2) {
        vec even = FMA(SET1(matrix[k][2]), g[2], MUL(SET1(matrix[k][0]), g[0])), odd = MUL(SET1(matrix[k][1]), g[1]);
        if (R == 5) {
            even = FMA(SET1(matrix[k][4]), g[4], even);
            odd = FMA(SET1(matrix[k][3]), g[3], odd);
        }
        u[k] = ADD(even, odd);
        u[k + 1] = SUB(even, odd);
    }
    u[N - 1] = g[R - 1];
}

INLINE void weights(const tt_wino_weights *a, const int N, const int R)
{
    const float(*matrix)[TT_WINO_MOST] = tt_wino_forms[a->form].g;
    const ptrdiff_t tap = (ptrdiff_t)a->count * a->lanes;
    for (ptrdiff_t i = 0; i < tap; i += BLOCK) {
        vec half[TT_WINO_MOST][TT_WINO_MOST], g[TT_WINO_MOST], u[TT_WINO_MOST];
        UNROLL for (int x = 0; x < R; x++) {
            UNROLL for (int y = 0; y < R; y++)
                g[y] = LOAD(a->w + i + (y * R + x) * tap);
            gain(u, g, matrix, N, R);
            UNROLL for (int y = 0; y < N; y++)
                half[y][x] = u[y];
        }
        UNROLL for (int y = 0; y < N; y++) {
            gain(u, half[y], matrix, N, R);
            UNROLL for (int x = 0; x < N; x++)
                STORE(a->u + i + (y * N + x) * a->u_freq, u[x]);
        }
    }
}

static void weights_4_3(const tt_wino_weights *a) { weights(a, 6, 3); }
static void weights_6_3(const tt_wino_weights *a) { weights(a, 8, 3); }
static void weights_4_5(const tt_wino_weights *a) { weights(a, 8, 5); }

void NAME(wino_weights)(const tt_wino_weights *a)
{
    static void (*const form[TT_WINOS])(const tt_wino_weights *) = {NULL, weights_4_3, weights_6_3, weights_4_5};
    form[a->form](a);
}
