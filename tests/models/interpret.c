#include "tests/models/interpret.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double at(const it_map *m, int c, int y, int x)
{
    return m->v[((size_t)c * (size_t)m->h + (size_t)y) * (size_t)m->w + (size_t)x];
}

static bool make(it_map *m, int c, int h, int w)
{
    if (c < 1 || h < 1 || w < 1)
        return false;
    *m = (it_map){c, h, w, calloc((size_t)c * (size_t)h * (size_t)w, sizeof(double))};
    return m->v != NULL;
}

/* A tensor's values as doubles, NULL for none. */
static double *doubles(const tt_graph *g, const tt_tensor *t)
{
    if (!t)
        return NULL;
    float *f = malloc(t->count * sizeof *f);
    double *d = malloc(t->count * sizeof *d);
    tt_error err;
    if (f && d && tt_tensor_floats(g->weights, t, f, &err) == TT_OK) {
        for (size_t i = 0; i < t->count; i++)
            d[i] = (double)f[i];
    } else {
        free(d);
        d = NULL;
    }
    free(f);
    return d;
}

/* A batch norm of the node, by its definition. */
static bool batch_norm(const tt_graph *g, const tt_node *n, it_map *m)
{
    double *t[4] = {NULL};
    bool ok = true;
    for (int i = 0; i < 4; i++)
        ok = (t[i] = doubles(g, n->norm[i])) && ok;
    for (int i = 0; ok && i < m->c * m->h * m->w; i++) {
        const int c = i / (m->h * m->w);
        m->v[i] = (m->v[i] - t[2][c]) / sqrt(t[3][c] + 1e-5) * t[0][c] + t[1][c];
    }
    for (int i = 0; i < 4; i++)
        free(t[i]);
    return ok;
}

/* The weight that is used: of spectral norm over u . (W v), of weight norm each output's direction times its length. */
static double *used_weight(const tt_graph *g, const tt_node *n)
{
    double *w = doubles(g, n->weight), *u = doubles(g, n->spectral_u), *v = doubles(g, n->spectral_v);
    double *length = doubles(g, n->weight_g);
    const size_t all = n->weight->count, inner = all / n->weight->shape[0];
    double sigma = 0;
    for (size_t i = 0; w && u && v && i < all; i++)
        sigma += u[i / inner] * w[i] * v[i % inner];
    for (size_t i = 0; w && u && v && i < all; i++)
        w[i] /= sigma;
    for (size_t o = 0; w && length && o < all / inner; o++) {
        double sum = 0;
        for (size_t i = 0; i < inner; i++)
            sum += w[o * inner + i] * w[o * inner + i];
        for (size_t i = 0; i < inner; i++)
            w[o * inner + i] *= length[o] / sqrt(sum);
    }
    free(u);
    free(v);
    free(length);
    return w;
}

static int inside(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* z[o,y,x] = bias[o] + sum over i, ky, kx of in[i, y*s - pad + ky, x*s - pad + kx] * w[o,i,ky,kx] */
static bool convolve(const tt_node *n, const it_map *in, const double *w, const double *bias, it_map *out)
{
    const int k = n->k, s = n->stride;
    const int h = in->h + 2 * n->pad - k, v = in->w + 2 * n->pad - k;
    if (h < 0 || v < 0 || !make(out, n->channels, h / s + 1, v / s + 1))
        return false;
    double *z = out->v;
    for (int o = 0; o < out->c; o++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++) {
                double sum = bias ? bias[o] : 0;
                for (int i = 0; i < in->c; i++)
                    for (int ky = 0; ky < k; ky++)
                        for (int kx = 0; kx < k; kx++) {
                            int yy = y * s - n->pad + ky, xx = x * s - n->pad + kx;
                            if (n->replicate) {
                                yy = inside(yy, in->h);
                                xx = inside(xx, in->w);
                            } else if (yy < 0 || yy >= in->h || xx < 0 || xx >= in->w) {
                                continue; /* zero */
                            }
                            sum += at(in, i, yy, xx) * w[((o * in->c + i) * k + ky) * k + kx];
                        }
                *z++ = sum;
            }
    return true;
}

/* out[o, y*s - pad + ky, x*s - pad + kx] += in[i,y,x] * w[i,o,ky,kx]; then the bias */
static bool deconvolve(const tt_node *n, const it_map *in, const double *w, const double *bias, it_map *out)
{
    const int k = n->k, s = n->stride;
    if (!make(out, n->channels, (in->h - 1) * s - 2 * n->pad + k, (in->w - 1) * s - 2 * n->pad + k))
        return false;
    for (int i = 0; i < in->c; i++)
        for (int y = 0; y < in->h; y++)
            for (int x = 0; x < in->w; x++)
                for (int o = 0; o < out->c; o++)
                    for (int ky = 0; ky < k; ky++)
                        for (int kx = 0; kx < k; kx++) {
                            const int yy = y * s - n->pad + ky, xx = x * s - n->pad + kx;
                            if (yy < 0 || yy >= out->h || xx < 0 || xx >= out->w)
                                continue;
                            out->v[(o * out->h + yy) * out->w + xx] +=
                                at(in, i, y, x) * w[((i * out->c + o) * k + ky) * k + kx];
                        }
    const int plane = out->h * out->w;
    for (int i = 0; bias && i < out->c * plane; i++)
        out->v[i] += bias[i / plane];
    return true;
}

/* A convolution of either kind without its activation. */
static bool linear(const tt_graph *g, const tt_node *n, const it_map *in, it_map *out)
{
    double *w = used_weight(g, n), *bias = doubles(g, n->bias);
    const bool read = w && (bias || !n->bias);
    /* a linear layer is a convolution of 1x1 */
    const bool ok = read && (n->op == TT_OP_DECONV ? deconvolve : convolve)(n, in, w, bias, out) &&
                    (!n->norm[0] || batch_norm(g, n, out));
    free(w);
    free(bias);
    return ok;
}

static bool activate(const tt_graph *g, const tt_node *n, it_map *m)
{
    double *slopes = doubles(g, n->slopes);
    const int plane = m->h * m->w;
    for (int i = 0; i < m->c * plane; i++) {
        const double v = m->v[i], slope = slopes ? slopes[i / plane] : (double)n->slope;
        switch (n->act) {
        case TT_ACT_NONE:
            break;
        case TT_ACT_RELU:
            m->v[i] = v > 0 ? v : 0;
            break;
        case TT_ACT_PRELU:
            m->v[i] = v > 0 ? v : slope * v;
            break;
        case TT_ACT_SIGMOID:
            m->v[i] = 1 / (1 + exp(-v));
            break;
        case TT_ACT_GELU:
            m->v[i] = v / 2 * (1 + erf(v / sqrt(2)));
            break;
        }
    }
    const bool ok = slopes || !n->slopes;
    free(slopes);
    return ok;
}

/* The nodes whose every value is one value of an input: which? */
static double moved(const tt_node *n, const it_map *a, const it_map *b, int c, int y, int x)
{
    const int r = n->r;
    switch (n->op) {
    case TT_OP_CONCAT:
        return c < a->c ? at(a, c, y, x) : at(b, c - a->c, y, x);
    case TT_OP_CROP:
        return at(a, c, y + r, x + r);
    case TT_OP_NEAREST:
        return at(a, c, y / r, x / r);
    case TT_OP_SHUFFLE:
        return at(a, c * r * r + y % r * r + x % r, y / r, x / r);
    default: /* TT_OP_UNSHUFFLE */
        return at(a, c / (r * r), y * r + c % (r * r) / r, x * r + c % r);
    }
}

static bool move(const tt_node *n, const it_map *a, const it_map *b, it_map *out)
{
    int h = a->h, w = a->w;
    switch (n->op) {
    case TT_OP_CONCAT:
        if (a->h != b->h || a->w != b->w)
            return false;
        break;
    case TT_OP_CROP:
        h -= 2 * n->r;
        w -= 2 * n->r;
        break;
    case TT_OP_NEAREST:
    case TT_OP_SHUFFLE:
        h *= n->r;
        w *= n->r;
        break;
    default:
        if (h % n->r || w % n->r)
            return false;
        h /= n->r;
        w /= n->r;
    }
    if (!make(out, n->channels, h, w))
        return false;
    double *z = out->v;
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                *z++ = moved(n, a, b, c, y, x);
    return true;
}

/* The nodes that compute value by value, or one value a channel. */
static bool arithmetic(const tt_graph *g, const tt_node *n, const it_map *a, const it_map *b, it_map *out)
{
    const int plane = a->h * a->w;
    if (n->op == TT_OP_MEAN) {
        if (!make(out, a->c, 1, 1))
            return false;
        for (int i = 0; i < a->c * plane; i++)
            out->v[i / plane] += a->v[i] / plane;
        return true;
    }
    if (n->op == TT_OP_ADD && (a->h != b->h || a->w != b->w))
        return false;
    if (n->op == TT_OP_GATE && (b->h != 1 || b->w != 1))
        return false;
    if (!make(out, a->c, a->h, a->w))
        return false;
    for (int i = 0; i < a->c * plane; i++) {
        const double v = a->v[i];
        switch (n->op) {
        case TT_OP_ADD:
            out->v[i] = v + (double)n->scale * b->v[i];
            break;
        case TT_OP_GATE:
            out->v[i] = v * b->v[i / plane];
            break;
        case TT_OP_LEVELS:
            out->v[i] = (double)n->scale * v + (double)n->offset[i / plane];
            break;
        case TT_OP_AFFINE: /* a batch norm follows below */
            out->v[i] = n->norm[0] ? v : v * (double)n->scale + (double)n->lo;
            break;
        case TT_OP_CLAMP:
            out->v[i] = fmin(fmax(v, (double)n->lo), (double)n->hi);
            break;
        default: /* TT_OP_ACT */
            out->v[i] = v;
        }
    }
    if (n->op == TT_OP_AFFINE && n->norm[0])
        return batch_norm(g, n, out);
    return n->op != TT_OP_ACT || activate(g, n, out);
}

/* ---- transformers --------------------------------------------------------------------------------- */

/* Position i continued: the axis, back again without its ends, and so on. */
static int mirrored(int i, int n)
{
    int at = 0, step = n > 1 ? 1 : 0;
    for (; i > 0; i--) {
        if (at + step < 0 || at + step >= n)
            step = -step;
        at += step;
    }
    return at;
}

static bool pad(const tt_node *n, const it_map *a, it_map *out)
{
    int h = a->h, w = a->w;
    while (h % n->r)
        h++;
    while (w % n->r)
        w++;
    if (!make(out, a->c, h, w))
        return false;
    double *z = out->v;
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                *z++ = at(a, c, mirrored(y, a->h), mirrored(x, a->w));
    return true;
}

static bool fit(const tt_node *n, const it_map *a, const it_map *like, it_map *out)
{
    const int h = like->h * n->r, w = like->w * n->r;
    if (h > a->h || w > a->w || !make(out, a->c, h, w))
        return false;
    double *z = out->v;
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                *z++ = at(a, c, y, x);
    return true;
}

/* Ba et al. 2016, equations 3 and 4, over the channels of a pixel. */
static bool norm(const tt_graph *g, const tt_node *n, const it_map *a, it_map *out)
{
    double *weight = doubles(g, n->weight), *bias = doubles(g, n->bias);
    const int plane = a->h * a->w;
    const bool ok = weight && bias && make(out, a->c, a->h, a->w);
    for (int i = 0; ok && i < plane; i++) {
        double mean = 0, variance = 0;
        for (int c = 0; c < a->c; c++)
            mean += a->v[c * plane + i] / a->c;
        for (int c = 0; c < a->c; c++)
            variance += pow(a->v[c * plane + i] - mean, 2) / a->c;
        for (int c = 0; c < a->c; c++)
            out->v[c * plane + i] =
                (a->v[c * plane + i] - mean) / sqrt(variance + (double)n->eps) * weight[c] + bias[c];
    }
    free(weight);
    free(bias);
    return ok;
}

/* Liu et al. 2021, section 3.2: the cyclic shift, and the mask that keeps its regions apart. A position after
 * the shift is of region 0, 1 or 2: before the last window, in it, or moved round from the other end. */
static int region(int i, int length, int window, int shift)
{
    return i < length - window ? 0 : i < length - shift ? 1 : 2;
}

/* Equation 4 for the query at (y, x) of the shifted map. */
static void attend(const tt_node *n, const it_map *qkv, const double *table, int head, int y, int x,
                   double *score, it_map *out)
{
    const int w = n->window, depth = n->channels / n->heads, first = head * depth, h = qkv->h, wide = qkv->w;
    const int yy = (y + n->shift) % h, xx = (x + n->shift) % wide; /* before the shift */
    double most = -INFINITY, sum = 0;
    for (int j = 0; j < w * w; j++) {
        const int ky = y / w * w + j / w, kx = x / w * w + j % w;
        score[j] = 0;
        for (int d = 0; d < depth; d++)
            score[j] += at(qkv, first + d, yy, xx) / sqrt(depth) *
                        at(qkv, n->channels + first + d, (ky + n->shift) % h, (kx + n->shift) % wide);
        score[j] += table[((y - ky + w - 1) * (2 * w - 1) + x - kx + w - 1) * n->heads + head];
        if (n->shift && (region(y, h, w, n->shift) != region(ky, h, w, n->shift) ||
                         region(x, wide, w, n->shift) != region(kx, wide, w, n->shift)))
            score[j] -= 100;
        most = fmax(most, score[j]);
    }
    for (int j = 0; j < w * w; j++)
        sum += score[j] = exp(score[j] - most);
    for (int d = 0; d < depth; d++) {
        double z = 0;
        for (int j = 0; j < w * w; j++)
            z += score[j] / sum *
                 at(qkv, 2 * n->channels + first + d, (y / w * w + j / w + n->shift) % h,
                    (x / w * w + j % w + n->shift) % wide);
        out->v[((first + d) * h + yy) * wide + xx] = z;
    }
}

static bool attention(const tt_graph *g, const tt_node *n, const it_map *qkv, it_map *out)
{
    double *table = doubles(g, n->weight), *score = malloc((size_t)(n->window * n->window) * sizeof *score);
    const bool ok = table && score && qkv->h % n->window == 0 && qkv->w % n->window == 0 &&
                    make(out, n->channels, qkv->h, qkv->w);
    for (int head = 0; ok && head < n->heads; head++)
        for (int y = 0; y < qkv->h; y++)
            for (int x = 0; x < qkv->w; x++)
                attend(n, qkv, table, head, y, x, score, out);
    free(table);
    free(score);
    return ok;
}

/* ---- U-Nets --------------------------------------------------------------------------------------- */

/* out[y,x] = the largest of in[2y-1..2y+1, 2x-1..2x+1], what lies outside being none of them */
static bool pool(const it_map *in, it_map *out)
{
    if (!make(out, in->c, (in->h - 1) / 2 + 1, (in->w - 1) / 2 + 1))
        return false;
    double *z = out->v;
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++, z++) {
                *z = -INFINITY;
                for (int yy = 2 * y - 1; yy <= 2 * y + 1; yy++)
                    for (int xx = 2 * x - 1; xx <= 2 * x + 1; xx++)
                        if (yy >= 0 && yy < in->h && xx >= 0 && xx < in->w)
                            *z = fmax(*z, at(in, c, yy, xx));
            }
    return true;
}

/* out[y,x] = mean of in[y-1..y, x-1..x] of the map padded by its edge; then the nearest neighbour to like's size */
static bool blur(const it_map *in, const it_map *like, it_map *out)
{
    if (in->h - like->h < 0 || in->h - like->h > 1 || in->w - like->w < 0 || in->w - like->w > 1 ||
        !make(out, in->c, like->h, like->w))
        return false;
    double *z = out->v;
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++) {
                const int v = y * in->h / out->h, u = x * in->w / out->w;
                const int above = v ? v - 1 : 0, left = u ? u - 1 : 0;
                *z++ = (at(in, c, above, left) + at(in, c, above, u) + at(in, c, v, left) + at(in, c, v, u)) / 4;
            }
    return true;
}

/* out[c,j] = sum over i of v[c,i] * softmax over i of (sum over d of q[d,i] * k[d,j]) */
static bool attend_all(const it_map *both, const it_map *v, it_map *out)
{
    const int positions = v->h * v->w, d = both->c / 2;
    double *p = malloc((size_t)positions * sizeof *p);
    if (both->h != v->h || both->w != v->w || !p || !make(out, v->c, v->h, v->w)) {
        free(p);
        return false;
    }
    const double *q = both->v, *k = both->v + (size_t)d * (size_t)positions;
    for (int j = 0; j < positions; j++) {
        double most = -INFINITY, sum = 0;
        for (int i = 0; i < positions; i++) {
            p[i] = 0;
            for (int c = 0; c < d; c++)
                p[i] += q[c * positions + i] * k[c * positions + j];
            most = fmax(most, p[i]);
        }
        for (int i = 0; i < positions; i++)
            sum += p[i] = exp(p[i] - most);
        for (int c = 0; c < v->c; c++)
            for (int i = 0; i < positions; i++)
                out->v[c * positions + j] += v->v[c * positions + i] * p[i] / sum;
    }
    free(p);
    return true;
}

static bool work_out(const tt_graph *g, int id, it_map *maps, const double *input, int h, int w)
{
    const tt_node *n = &g->node[id];
    const it_map *a = n->in[0] >= 0 ? &maps[n->in[0]] : NULL, *b = n->in[1] >= 0 ? &maps[n->in[1]] : NULL;
    it_map *out = &maps[id];
    switch (n->op) {
    case TT_OP_INPUT:
        if (!make(out, n->channels, h, w))
            return false;
        memcpy(out->v, input, (size_t)n->channels * (size_t)h * (size_t)w * sizeof *input);
        return true;
    case TT_OP_CONV:
    case TT_OP_DECONV:
    case TT_OP_LINEAR:
        return linear(g, n, a, out) && activate(g, n, out);
    case TT_OP_NORM:
        return norm(g, n, a, out);
    case TT_OP_ATTENTION:
        return attention(g, n, a, out);
    case TT_OP_PAD:
        return pad(n, a, out);
    case TT_OP_FIT:
        return fit(n, a, b, out);
    case TT_OP_CONCAT:
    case TT_OP_CROP:
    case TT_OP_NEAREST:
    case TT_OP_SHUFFLE:
    case TT_OP_UNSHUFFLE:
        return move(n, a, b, out);
    case TT_OP_ADD:
    case TT_OP_ACT:
    case TT_OP_CLAMP:
    case TT_OP_MEAN:
    case TT_OP_GATE:
    case TT_OP_LEVELS:
    case TT_OP_AFFINE:
        return arithmetic(g, n, a, b, out);
    case TT_OP_POOL:
        return pool(a, out);
    case TT_OP_BLUR:
        return blur(a, b, out);
    case TT_OP_ATTEND:
        return attend_all(a, b, out);
    case TT_OPS:
        break;
    }
    return false;
}

it_map *it_run(const tt_graph *g, const double *input, int h, int w)
{
    it_map *maps = calloc((size_t)g->count, sizeof *maps);
    for (int i = 0; maps && i < g->count; i++)
        if (!work_out(g, i, maps, input, h, w)) {
            it_free(g, maps);
            return NULL;
        }
    return maps;
}

void it_free(const tt_graph *g, it_map *maps)
{
    for (int i = 0; maps && i < g->count; i++)
        free(maps[i].v);
    free(maps);
}

double *it_linear(const tt_graph *g, const it_map *maps, int node)
{
    it_map out = {0};
    if (!(g->node[node].op == TT_OP_NORM ? norm : linear)(g, &g->node[node], &maps[g->node[node].in[0]],
                                                          &out)) {
        free(out.v);
        return NULL;
    }
    return out.v;
}
