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
    double *w = doubles(g, n->weight), *bias = doubles(g, n->bias);
    const bool read = w && (bias || !n->bias);
    const bool ok = read && (n->op == TT_OP_CONV ? convolve : deconvolve)(n, in, w, bias, out);
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
        case TT_OP_CLAMP:
            out->v[i] = fmin(fmax(v, (double)n->lo), (double)n->hi);
            break;
        default: /* TT_OP_ACT */
            out->v[i] = v;
        }
    }
    return n->op != TT_OP_ACT || activate(g, n, out);
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
        return linear(g, n, a, out) && activate(g, n, out);
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
        return arithmetic(g, n, a, b, out);
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
    if (!linear(g, &g->node[node], &maps[g->node[node].in[0]], &out)) {
        free(out.v);
        return NULL;
    }
    return out.v;
}
