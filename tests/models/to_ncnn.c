#include "tests/models/to_ncnn.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writing {
    const tt_graph *g;
    tn_files f;
    size_t room, lines;
} writing;

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static void
line(writing *w, const char *format, ...)
{
    va_list ap;
    w->f.param = realloc(w->f.param, w->f.param_size + 400);
    ck_assert_ptr_nonnull(w->f.param);
    va_start(ap, format);
    w->f.param_size += (size_t)vsnprintf(w->f.param + w->f.param_size, 400, format, ap);
    va_end(ap);
    w->lines++;
}

static void put(writing *w, const float *v, size_t n, bool tagged)
{
    const size_t size = w->f.bin_size + (tagged ? 4 : 0) + 4 * n;
    w->f.bin = realloc(w->f.bin, size);
    ck_assert_ptr_nonnull(w->f.bin);
    if (tagged)
        memset(w->f.bin + w->f.bin_size, 0, 4);
    memcpy(w->f.bin + size - 4 * n, v, 4 * n); /* the tests' machine is little endian */
    w->f.bin_size = size;
}

static float *floats(const writing *w, const tt_tensor *t)
{
    tt_error err;
    float *v = malloc(t->count * sizeof *v);
    ck_assert(v && !tt_tensor_floats(w->g->weights, t, v, &err));
    return v;
}

static void put_tensor(writing *w, const tt_tensor *t, bool tagged, bool turn)
{
    float *v = floats(w, t);
    if (turn) { /* [in,out,...] to [out,in,...] */
        const size_t in = t->shape[0], out = t->shape[1], k = t->count / in / out;
        float *u = malloc(t->count * sizeof *u);
        ck_assert_ptr_nonnull(u);
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                memcpy(u + (o * in + i) * k, v + (i * out + o) * k, k * sizeof *u);
        free(v);
        v = u;
    }
    put(w, v, t->count, tagged);
    free(v);
}

static void convolution(writing *w, const tt_node *n, int id)
{
    char act[64] = "";
    if (n->act == TT_ACT_RELU)
        strcpy(act, " 9=1");
    else if (n->act == TT_ACT_PRELU && !n->slopes)
        snprintf(act, sizeof act, " 9=2 -23310=1,%e", (double)n->slope);
    const bool transposed = n->op == TT_OP_DECONV;
    line(w, "%s c%d 1 1 v%d %s%d 0=%d 1=%d 3=%d 4=%d 5=%d 6=%zu%s\n",
         transposed ? "Deconvolution" : "Convolution", id, n->in[0], n->slopes ? "u" : "v", id, n->channels,
         n->k, n->stride, n->pad, n->bias != NULL, n->weight->count, act);
    put_tensor(w, n->weight, true, transposed);
    if (n->bias)
        put_tensor(w, n->bias, false, false);
    if (n->slopes) {
        line(w, "PReLU p%d 1 1 u%d v%d 0=%d\n", id, id, id, n->channels);
        put_tensor(w, n->slopes, false, false);
    }
}

static void node(writing *w, int id)
{
    const tt_node *n = &w->g->node[id];
    const int x = n->in[0], y = n->in[1];
    switch (n->op) {
    case TT_OP_INPUT:
        line(w, "Input i%d 0 1 v%d\n", id, id);
        break;
    case TT_OP_CONV:
    case TT_OP_DECONV:
        convolution(w, n, id);
        break;
    case TT_OP_CONCAT:
        line(w, "Concat j%d 2 1 v%d v%d v%d 0=0\n", id, x, y, id);
        break;
    case TT_OP_ADD:
        for (int i = 0; i < 2; i++) /* a crop is told its size by the map it meets */
            if (w->g->node[n->in[i]].op == TT_OP_CROP) {
                const tt_node *crop = &w->g->node[n->in[i]];
                line(w, "Crop k%d 2 1 v%d v%d v%d 0=%d 1=%d\n", n->in[i], crop->in[0], n->in[!i], n->in[i],
                     crop->r, crop->r);
            }
        if (n->scale == 1)
            line(w, "BinaryOp a%d 2 1 v%d v%d v%d 0=0\n", id, x, y, id);
        else
            line(w, "Eltwise a%d 2 1 v%d v%d v%d 0=1 -23301=2,1.0,%e\n", id, x, y, id, (double)n->scale);
        break;
    case TT_OP_ACT:
        line(w, "Sigmoid s%d 1 1 v%d v%d\n", id, x, id); /* the only one that stands alone */
        break;
    case TT_OP_CLAMP:
        if (id != w->g->output)
            line(w, "Clip t%d 1 1 v%d v%d 0=%e 1=%e\n", id, x, id, (double)n->lo, (double)n->hi);
        break;
    case TT_OP_NEAREST:
        line(w, "Interp n%d 1 1 v%d v%d 0=1 1=%d.0 2=%d.0\n", id, x, id, n->r, n->r);
        break;
    case TT_OP_SHUFFLE:
        line(w, "PixelShuffle h%d 1 1 v%d v%d 0=%d\n", id, x, id, n->r);
        break;
    case TT_OP_UNSHUFFLE:
        line(w, "Reorg h%d 1 1 v%d v%d 0=%d\n", id, x, id, n->r);
        break;
    case TT_OP_MEAN:
        line(w, "Pooling m%d 1 1 v%d v%d 0=1 4=1\n", id, x, id);
        break;
    case TT_OP_GATE:
        line(w, "Scale g%d 2 1 v%d v%d v%d 0=-233\n", id, x, y, id);
        break;
    default: /* a crop: with the sum that reads it */
        break;
    }
}

tn_files tn_write(const tt_graph *g)
{
    writing w = {.g = g};
    for (int i = 0; i < g->count; i++)
        node(&w, i);
    int blobs = g->count - (g->node[g->output].op == TT_OP_CLAMP);
    for (int i = 0; i < g->count; i++)
        blobs += g->node[i].slopes != NULL;
    char *whole = malloc(w.f.param_size + 64);
    ck_assert_ptr_nonnull(whole);
    const int head = sprintf(whole, "7767517\n%zu %d\n", w.lines, blobs);
    memcpy(whole + head, w.f.param, w.f.param_size);
    free(w.f.param);
    w.f.param = whole;
    w.f.param_size += (size_t)head;
    return w.f;
}

void tn_free(tn_files *f)
{
    free(f->param);
    free(f->bin);
}
