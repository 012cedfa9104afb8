/* Winograd convolution as the formulas have it: see kernels.h. The matrices, and the scalar kernels. */
#include "kernels/wino.h"
#include "kernels/kernels.h"

/* ---- matrices ------------------------------------------------------------------------------------- */

#define A6 TT_WINO6_A
#define B6 TT_WINO6_B
#define A8 TT_WINO8_A
#define B8 TT_WINO8_B
#define C8 TT_WINO8_C

/* Rows +-p of B^T: x (x +- p) (x^2 - q^2), coefficients from x^0 on. */
#define BT6(p, q) {0, -(p) * TT_SQUARE(q), -TT_SQUARE(q), p, 1, 0}
/* x (x +- p) (x^2 - q^2) (x^2 - r^2) */
#define BT8(p, q, r)                                                                                                     \
    {0, (p) * TT_SQUARE(q) * TT_SQUARE(r), TT_SQUARE(q) * TT_SQUARE(r), -(p) * (TT_SQUARE(q) + TT_SQUARE(r)),            \
     -(TT_SQUARE(q) + TT_SQUARE(r)), p, 1, 0}
/* The products of differences at +-p: 2 p^2 (p^2 - q^2), and (p^2 - r^2) more. */
#define N6(p, q) (2 * TT_SQUARE(p) * (TT_SQUARE(p) - TT_SQUARE(q)))
#define N8(p, q, r) (N6(p, q) * (TT_SQUARE(p) - TT_SQUARE(r)))
#define POWERS3(p, n) {1 / (n), (p) / (n), TT_SQUARE(p) / (n)}
#define POWERS5(p, n) {1 / (n), (p) / (n), TT_SQUARE(p) / (n), (p) * TT_SQUARE(p) / (n), TT_SQUARE(p) * TT_SQUARE(p) / (n)}

/* Elementary symmetric sums of the squares. */
#define E1 (TT_SQUARE(A8) + TT_SQUARE(B8) + TT_SQUARE(C8))
#define E2 (TT_SQUARE(A8 * B8) + TT_SQUARE(B8 * C8) + TT_SQUARE(A8 * C8))
#define E3 TT_SQUARE(A8 *B8 *C8)
#define BT_OF_8                                                                                                          \
    {                                                                                                                    \
        {-E3, 0, E2, 0, -E1, 0, 1, 0}, BT8(A8, B8, C8), BT8(-A8, B8, C8), BT8(B8, A8, C8), BT8(-B8, A8, C8),             \
            BT8(C8, A8, B8), BT8(-C8, A8, B8), {0, -E3, 0, E2, 0, -E1, 0, 1}                                             \
    }
#define P0(p) 1
#define P1(p) (p)
#define P2(p) TT_SQUARE(p)
#define P3(p) ((p)*TT_SQUARE(p))
#define P4(p) (TT_SQUARE(p) * TT_SQUARE(p))
#define P5(p) ((p)*TT_SQUARE(p) * TT_SQUARE(p))
#define AT6(first, P, last) {first, P(A6), P(-A6), P(B6), P(-B6), last}
#define AT8(first, P, last) {first, P(A8), P(-A8), P(B8), P(-B8), P(C8), P(-C8), last}

const tt_wino_form tt_wino_forms[TT_WINOS] = {
    [TT_WINO_4_3] = {.m = 4, .r = 3, .n = 6,
                     .at = {AT6(1, P0, 0), AT6(0, P1, 0), AT6(0, P2, 0), AT6(0, P3, 1)},
                     .bt = {{TT_SQUARE(A6 * B6), 0, -(TT_SQUARE(A6) + TT_SQUARE(B6)), 0, 1, 0},
                            BT6(A6, B6), BT6(-A6, B6), BT6(B6, A6), BT6(-B6, A6),
                            {0, TT_SQUARE(A6 * B6), 0, -(TT_SQUARE(A6) + TT_SQUARE(B6)), 0, 1}},
                     .g = {{1 / TT_SQUARE(A6 * B6)}, POWERS3(A6, N6(A6, B6)), POWERS3(-A6, N6(A6, B6)),
                           POWERS3(B6, N6(B6, A6)), POWERS3(-B6, N6(B6, A6)), {0, 0, 1}}},
    [TT_WINO_6_3] = {.m = 6, .r = 3, .n = 8,
                     .at = {AT8(1, P0, 0), AT8(0, P1, 0), AT8(0, P2, 0), AT8(0, P3, 0), AT8(0, P4, 0), AT8(0, P5, 1)},
                     .bt = BT_OF_8,
                     .g = {{-1 / E3}, POWERS3(A8, N8(A8, B8, C8)), POWERS3(-A8, N8(A8, B8, C8)),
                           POWERS3(B8, N8(B8, A8, C8)), POWERS3(-B8, N8(B8, A8, C8)), POWERS3(C8, N8(C8, A8, B8)),
                           POWERS3(-C8, N8(C8, A8, B8)), {0, 0, 1}}},
    [TT_WINO_4_5] = {.m = 4, .r = 5, .n = 8,
                     .at = {AT8(1, P0, 0), AT8(0, P1, 0), AT8(0, P2, 0), AT8(0, P3, 1)},
                     .bt = BT_OF_8,
                     .g = {{-1 / E3}, POWERS5(A8, N8(A8, B8, C8)), POWERS5(-A8, N8(A8, B8, C8)),
                           POWERS5(B8, N8(B8, A8, C8)), POWERS5(-B8, N8(B8, A8, C8)), POWERS5(C8, N8(C8, A8, B8)),
                           POWERS5(-C8, N8(C8, A8, B8)), {0, 0, 0, 0, 1}}},
};

/* ---- kernels -------------------------------------------------------------------------------------- */

typedef float square[TT_WINO_MOST][TT_WINO_MOST];

/* out [rows][rows] = t in t^T, t [rows][cols], in [cols][cols] */
static void transform(square out, const square t, const square in, int rows, int cols)
{
    square half;
    for (int i = 0; i < rows; i++)
        for (int x = 0; x < cols; x++) {
            half[i][x] = 0;
            for (int y = 0; y < cols; y++)
                half[i][x] += t[i][y] * in[y][x];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            out[i][j] = 0;
            for (int x = 0; x < cols; x++)
                out[i][j] += half[i][x] * t[j][x];
        }
}

void tt_wino_weights_c(const tt_wino_weights *a)
{
    const tt_wino_form *f = &tt_wino_forms[a->form];
    square g, u;
    for (int c = 0; c < a->count; c++)
        for (int l = 0; l < a->lanes; l++) {
            for (int y = 0; y < f->r; y++)
                for (int x = 0; x < f->r; x++)
                    g[y][x] = a->w[((y * f->r + x) * a->count + c) * a->lanes + l];
            transform(u, f->g, (const float(*)[TT_WINO_MOST])g, f->n, f->r);
            for (int i = 0; i < f->n; i++)
                for (int j = 0; j < f->n; j++)
                    a->u[(i * f->n + j) * a->u_freq + c * a->lanes + l] = u[i][j];
        }
}

static float pixel(const tt_wino_input *a, int y, int x, int l)
{
    const int inside = x < 0 ? 0 : x < a->w ? x : a->w - 1;
    return x == inside || a->replicate ? a->row[y][inside * a->block + l] : 0;
}

void tt_wino_input_c(const tt_wino_input *a)
{
    const tt_wino_form *f = &tt_wino_forms[a->form];
    square d, v;
    for (int t = 0; t < a->tiles; t++)
        for (int l = 0; l < a->block; l++) {
            for (int y = 0; y < f->n; y++)
                for (int x = 0; x < f->n; x++)
                    d[y][x] = pixel(a, y, a->x0 + t * f->m + x, l);
            transform(v, f->bt, (const float(*)[TT_WINO_MOST])d, f->n, f->n);
            for (int i = 0; i < f->n; i++)
                for (int j = 0; j < f->n; j++)
                    a->v[(i * f->n + j) * a->v_freq + t * a->block + l] = v[i][j];
        }
}

void tt_wino_product_c(const tt_wino_product *a)
{
    const int n = tt_wino_forms[a->form].n, lanes = a->outputs * a->block;
    for (int f = 0; f < n * n; f++)
        for (int o = 0; o < lanes; o++)
            for (int t = 0; t < a->tiles; t++) {
                const float *u = a->u + f * a->u_freq + o;
                float sum = 0;
                for (int p = 0; p < a->planes; p++)
                    for (int i = 0; i < a->count[p]; i++, u += lanes)
                        sum += a->v[f * a->v_freq + p * a->v_plane + t * a->block + i] * *u;
                a->m[f * a->m_freq + o / a->block * a->m_plane + t * a->block + o % a->block] = sum;
            }
}

/* z of output channel o, finished; at: from the first pixel of its row on */
static float finish(const tt_wino_output *a, float z, int o, int y, ptrdiff_t x)
{
    const int b = o / a->block, l = o % a->block;
    z += a->bias[o];
    if (a->act == TT_ACT_RELU)
        z = z > 0 ? z : 0;
    else if (a->act == TT_ACT_PRELU)
        z = z > 0 ? z : a->slope[o] * z;
    for (int j = 0; j < 2; j++)
        if (a->add[j])
            z = a->add[j][y][b * a->add_plane[j] + x * a->block + l] + a->scale[j] * z;
    if (a->clamp) {
        z = z > a->lo ? z : a->lo;
        z = z < a->hi ? z : a->hi;
    }
    return z;
}

void tt_wino_output_c(const tt_wino_output *a)
{
    const tt_wino_form *f = &tt_wino_forms[a->form];
    square m, z;
    for (int t = 0; t < a->tiles; t++)
        for (int o = 0; o < a->outputs * a->block; o++) {
            const int b = o / a->block, l = o % a->block;
            for (int i = 0; i < f->n; i++)
                for (int j = 0; j < f->n; j++)
                    m[i][j] = a->m[(i * f->n + j) * a->m_freq + b * a->m_plane + t * a->block + l];
            transform(z, f->at, (const float(*)[TT_WINO_MOST])m, f->m, f->n);
            for (int y = 0; y < f->m; y++)
                for (int i = 0; i < f->m && a->dst[y]; i++) {
                    const int x = a->x0 + t * f->m + i;
                    if (x >= 0 && x < a->w)
                        a->dst[y][b * a->dst_plane + x * a->block + l] = finish(a, z[y][i], o, y, x);
                }
        }
}
