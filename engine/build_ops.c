/* The operations that a network is described with: each checks what it is given and adds a node. */
#include "engine/alloc.h"
#include "engine/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KERNEL = 64, MOST_WINDOW = 16, /* its biases are the fourth power of that */
       MOST_REDUCED = 16 /* its weights are the square of that */ };

/* ---- layers with weights ------------------------------------------------------------------------------ */

/* The tensor that holds the weight, whatever it is still to be folded with. */
static const tt_tensor *find_weight(tt_build *b, const char *name, const tt_conv_opt *o)
{
    const char *const suffix = o->spectral ? ".weight_orig" : o->weight_norm ? ".weight_v" : ".weight";
    const tt_tensor *w = tt_find_tensor(b, name, ".weight");
    if (w) { /* folded already; what it was made of may stand beside it */
        static const char *const parts[] = {".weight_orig", ".weight_u", ".weight_v", ".weight_g"};
        for (int i = 0; i < 4 && (o->spectral || o->weight_norm); i++)
            tt_ignore_tensor(b, tt_find_tensor(b, name, parts[i]));
        return w;
    }
    w = tt_find_tensor(b, name, suffix);
    if (!w)
        tt_refuse(b, "the tensor %s%s%s is missing", b->prefix, name, suffix);
    return w;
}

/* What the weight is folded with, as the options say. */
static void read_folds(tt_build *b, tt_node *n, const char *name, const tt_conv_opt *o, const tt_tensor *w)
{
    const size_t out = w->shape[0];
    if (tt_find_tensor(b, name, ".weight") != w) {
        if (o->spectral) {
            n->spectral_u = tt_needed(b, name, ".weight_u", out);
            n->spectral_v = tt_needed(b, name, ".weight_v", w->count / out);
        } else if (o->weight_norm) {
            n->weight_g = tt_needed(b, name, ".weight_g", out);
        }
    }
    if (o->norm)
        tt_read_norm(b, o->norm, out, n->norm);
}

/* What tt_conv and tt_deconv share: find the weight, check it. `in_axis` is 1 for a convolution, 0 transposed. */
static tt_node *weighted(tt_build *b, tt_op op, tt_val x, const char *name, const tt_conv_opt *o, int in_axis)
{
    if (!tt_sound(b, x))
        return NULL;
    const tt_tensor *w = find_weight(b, name, o);
    char text[256];
    if (!w)
        return NULL;
    tt_use_tensor(b, w);
    const int in = tt_channels(b, x);
    /* a fully connected layer [out,in] is a 1x1 convolution, and may be described as one; so is one over a line
     * [out,in,1] */
    const bool flat = op == TT_OP_LINEAR;
    const bool square = (!flat && w->rank == 4 && w->shape[2] == w->shape[3]) || (w->rank == 2 && in_axis == 1) ||
                        (!flat && w->rank == 3 && w->shape[2] == 1 && in_axis == 1);
    const size_t k = w->rank == 4 ? w->shape[2] : 1;
    if (!square || !tt_is_float(w) || w->shape[in_axis] != (size_t)in || k < 1 || k > MOST_KERNEL ||
        w->shape[!in_axis] < 1 || w->shape[!in_axis] > TT_MOST_CHANNELS || (o->k && k != (size_t)o->k) ||
        (o->out && w->shape[!in_axis] != (size_t)o->out) || (op == TT_OP_CONV && !o->valid && k % 2 == 0)) {
        char want[64] = "", size[32] = "kxk";
        if (o->k)
            snprintf(size, sizeof size, "%dx%d", o->k, o->k);
        if (o->out)
            snprintf(want, sizeof want, "%d", o->out);
        tt_refuse(b, "tensor %s is %s of %s where %s %s%d%s%s is wanted", w->name, tt_shape_text(w, text, sizeof text),
                  tt_dtype_name(w->dtype), in_axis ? (o->out ? want : "any number") : "in", in_axis ? "x " : "",
                  in, flat ? "" : in_axis ? " x " : " x any x ", flat ? "" : size);
        return NULL;
    }
    const int out = (int)w->shape[!in_axis];
    const tt_tensor *bias = (o->biased ? tt_needed : tt_vector)(b, name, ".bias", (size_t)out);
    const tt_tensor *slopes = NULL;
    if (o->slopes) {
        slopes = tt_vector(b, o->slopes, "", (size_t)out);
        if (!slopes)
            tt_refuse(b, "the tensor %s%s is missing", b->prefix, o->slopes);
    }
    tt_node *n = tt_add_node(b, op, name, x, TT_NOTHING, out);
    if (!n)
        return NULL;
    n->k = (int)k;
    n->stride = o->stride ? o->stride : 1;
    n->pad = op == TT_OP_DECONV ? o->pad : o->valid ? 0 : (int)k / 2;
    n->replicate = o->replicate;
    n->act = o->act;
    n->slope = o->slope;
    n->weight = w;
    n->bias = bias;
    n->slopes = slopes;
    read_folds(b, n, name, o, w);
    return n;
}

tt_val tt_conv_(tt_build *b, tt_val x, const char *name, tt_conv_opt o)
{
    return tt_last(b, weighted(b, TT_OP_CONV, x, name, &o, 1));
}

tt_val tt_deconv_(tt_build *b, tt_val x, const char *name, tt_conv_opt o)
{
    return tt_last(b, weighted(b, TT_OP_DECONV, x, name, &o, 0));
}

tt_val tt_concat(tt_build *b, tt_val x, tt_val y)
{
    if (!tt_sound(b, x) || !tt_sound(b, y))
        return TT_NOTHING;
    return tt_last(b, tt_add_node(b, TT_OP_CONCAT, "concat", x, y, tt_channels(b, x) + tt_channels(b, y)));
}

static tt_val same_channels(tt_build *b, tt_op op, const char *name, tt_val x, tt_val y, float scale)
{
    if (!tt_sound(b, x) || !tt_sound(b, y))
        return TT_NOTHING;
    if (tt_channels(b, x) != tt_channels(b, y)) {
        tt_refuse(b, "%d and %d channels meet in one %s at %s", tt_channels(b, x), tt_channels(b, y), name,
                  b->prefix[0] ? b->prefix : "the top");
        return TT_NOTHING;
    }
    tt_node *n = tt_add_node(b, op, name, x, y, tt_channels(b, x));
    if (n)
        n->scale = scale;
    return tt_last(b, n);
}

tt_val tt_add_scaled(tt_build *b, tt_val x, float scale, tt_val y)
{
    return same_channels(b, TT_OP_ADD, "add", x, y, scale);
}

tt_val tt_gate(tt_build *b, tt_val x, tt_val g)
{
    return same_channels(b, TT_OP_GATE, "gate", x, g, 1);
}

/* A node of one input; r as in tt_node. */
static tt_node *unary(tt_build *b, tt_op op, const char *name, tt_val x, int channels, int r)
{
    if (!tt_sound(b, x))
        return NULL;
    if (r < (op == TT_OP_CROP ? 0 : 1) || r > 1024) {
        tt_refuse_as(b, TT_ERR_INTERNAL, "a network description has a %s of %d", name, r);
        return NULL;
    }
    tt_node *n = tt_add_node(b, op, name, x, TT_NOTHING, channels);
    if (n)
        n->r = r;
    return n;
}

tt_val tt_activate(tt_build *b, tt_val x, tt_act act, float slope)
{
    tt_node *n = unary(b, TT_OP_ACT, "activation", x, tt_channels(b, x), 1);
    if (n) {
        n->act = act;
        n->slope = slope;
    }
    return tt_last(b, n);
}

tt_val tt_clamp(tt_build *b, tt_val x, float lo, float hi)
{
    tt_node *n = unary(b, TT_OP_CLAMP, "clamp", x, tt_channels(b, x), 1);
    if (n) {
        n->lo = lo;
        n->hi = hi;
    }
    return tt_last(b, n);
}

tt_val tt_crop(tt_build *b, tt_val x, int k)
{
    return tt_last(b, unary(b, TT_OP_CROP, "crop", x, tt_channels(b, x), k));
}

tt_val tt_nearest(tt_build *b, tt_val x, int r)
{
    return tt_last(b, unary(b, TT_OP_NEAREST, "nearest", x, tt_channels(b, x), r));
}

tt_val tt_pixel_shuffle(tt_build *b, tt_val x, int r)
{
    if (tt_sound(b, x) && (r < 1 || r > 1024 || tt_channels(b, x) % (r * r)))
        tt_refuse(b, "%d channels cannot be shuffled into pixels by %d", tt_channels(b, x), r);
    return tt_last(b, unary(b, TT_OP_SHUFFLE, "pixel shuffle", x, r < 1 ? 1 : tt_channels(b, x) / (r * r), r));
}

tt_val tt_pixel_unshuffle(tt_build *b, tt_val x, int r)
{
    if (tt_sound(b, x) && (r < 1 || r > 64))
        tt_refuse(b, "pixels cannot be unshuffled by %d", r);
    return tt_last(b, unary(b, TT_OP_UNSHUFFLE, "pixel unshuffle", x, tt_channels(b, x) * r * r, r));
}

tt_val tt_mean(tt_build *b, tt_val x)
{
    return tt_last(b, unary(b, TT_OP_MEAN, "mean", x, tt_channels(b, x), 1));
}

/* ---- reduction ------------------------------------------------------------------------------------ */

/* Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 4, with a = -0.75 */
static double cubic(double x)
{
    const double a = -0.75;
    x = x < 0 ? -x : x;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Room for a tensor [out,in,k,k] of zeros that lives as long as the graph. */
static float *fixed_weight(tt_build *b, size_t out, size_t in, size_t k, tt_tensor **made)
{
    size_t n = 0, count = 0, bytes = 0;
    while (b->g->fixed && b->g->fixed[n])
        n++;
    tt_tensor **more = realloc(b->g->fixed, (n + 2) * sizeof *more);
    if (!more) {
        tt_fail_memory(&b->err, (n + 2) * sizeof *more);
        return NULL;
    }
    b->g->fixed = more;
    more[n] = NULL;
    *made = tt_mul(out * in, k * k, &count) && tt_mul(count, sizeof(float), &bytes) &&
                    tt_add(bytes, sizeof **made, &bytes)
                ? calloc(1, bytes)
                : NULL;
    if (!*made) {
        tt_fail_memory(&b->err, bytes);
        return NULL;
    }
    static char name[] = "bicubic";
    float *values = (float *)(*made + 1);
    **made = (tt_tensor){.name = name, .dtype = TT_F32, .rank = 4, .shape = {out, in, k, k}, .count = count,
                         .data = (const unsigned char *)values, .bytes = count * sizeof(float)};
    more[n] = *made;
    more[n + 1] = NULL;
    return values;
}

/*
 * Result pixel num * m + p lies at den / num * (p + 1/2) - 1/2 from pixel den * m, and reads the four around that:
 * from den * m - 1 on for the first p, so a window that begins one pixel before serves all.
 */
tt_val tt_reduce(tt_build *b, tt_val x, int num, int den)
{
    if (tt_sound(b, x) && !(num == 1 && den == 2) && !(num == 3 && den == 4))
        tt_refuse_as(b, TT_ERR_INTERNAL, "a network description reduces to %d/%d", num, den);
    if (tt_channels(b, x) > MOST_REDUCED)
        tt_refuse(b, "a picture of %d planes cannot be reduced; %d are the most", tt_channels(b, x), MOST_REDUCED);
    const int channels = tt_channels(b, x), k = den + 2, phases = num * num;
    tt_tensor *t = NULL;
    float *w = tt_failed(b) ? NULL : fixed_weight(b, (size_t)(channels * phases), (size_t)channels, (size_t)k, &t);
    if (!w)
        return TT_NOTHING;
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < phases; p++)
            for (int i = 0; i < k * k; i++) {
                const double y = (double)den / num * (p / num + 0.5) - 0.5, z = (double)den / num * (p % num + 0.5) - 0.5;
                w[((c * phases + p) * channels + c) * k * k + i] = (float)(cubic(i / k - 1 - y) * cubic(i % k - 1 - z));
            }
    tt_node *n = tt_add_node(b, TT_OP_CONV, "bicubic", x, TT_NOTHING, channels * phases);
    if (!n)
        return TT_NOTHING;
    n->k = k;
    n->stride = den;
    n->pad = 1;
    n->replicate = n->bicubic = true;
    n->r = num;
    n->weight = t;
    return tt_pixel_shuffle(b, tt_last(b, n), num);
}

tt_val tt_levels(tt_build *b, tt_val x, float scale, const float *offset)
{
    const int channels = tt_channels(b, x);
    tt_node *n = unary(b, TT_OP_LEVELS, "levels", x, channels, 1);
    if (n && channels > 4) {
        tt_refuse_as(b, TT_ERR_INTERNAL, "a network description has levels of %d channels", channels);
        return TT_NOTHING;
    }
    if (n) {
        n->scale = scale;
        memcpy(n->offset, offset, (size_t)channels * sizeof *offset);
    }
    return tt_last(b, n);
}

tt_val tt_pad(tt_build *b, tt_val x, int m)
{
    return tt_last(b, unary(b, TT_OP_PAD, "pad", x, tt_channels(b, x), m));
}

tt_val tt_fit(tt_build *b, tt_val x, tt_val like, int r)
{
    tt_node *n = tt_sound(b, like) ? unary(b, TT_OP_FIT, "fit", x, tt_channels(b, x), r) : NULL;
    if (n)
        n->in[1] = like.id;
    return tt_last(b, n);
}

/* ---- transformers --------------------------------------------------------------------------------- */

tt_val tt_layer_norm(tt_build *b, tt_val x, const char *name, float eps)
{
    if (!tt_sound(b, x))
        return TT_NOTHING;
    const size_t channels = (size_t)tt_channels(b, x);
    const tt_tensor *weight = tt_vector(b, name, ".weight", channels), *bias = tt_vector(b, name, ".bias", channels);
    if (!weight || !bias)
        tt_refuse(b, "the tensor %s%s%s is missing", b->prefix, name, weight ? ".bias" : ".weight");
    tt_node *n = tt_add_node(b, TT_OP_NORM, name, x, TT_NOTHING, (int)channels);
    if (n) {
        n->weight = weight;
        n->bias = bias;
        n->eps = eps;
    }
    return tt_last(b, n);
}

tt_val tt_linear(tt_build *b, tt_val x, const char *name, int out)
{
    const tt_conv_opt o = {.out = out};
    return tt_last(b, weighted(b, TT_OP_LINEAR, x, name, &o, 1));
}

tt_val tt_gelu(tt_build *b, tt_val x)
{
    return tt_activate(b, x, TT_ACT_GELU, 0);
}

tt_val tt_window_attention(tt_build *b, tt_val qkv, const char *table, int window, int shift)
{
    if (!tt_sound(b, qkv))
        return TT_NOTHING;
    const int channels = tt_channels(b, qkv) / 3;
    const tt_tensor *t = tt_find_tensor(b, table, "");
    char text[256];
    if (!t) {
        tt_refuse(b, "the tensor %s%s is missing", b->prefix, table);
        return TT_NOTHING;
    }
    tt_use_tensor(b, t);
    if (window < 1 || window > MOST_WINDOW || shift < 0 || shift >= window) {
        tt_refuse(b, "windows of %d x %d pixels, shifted by %d: up to %d are handled", window, window, shift,
                  MOST_WINDOW);
        return TT_NOTHING;
    }
    const size_t offsets = (size_t)(2 * window - 1) * (size_t)(2 * window - 1);
    if (t->rank != 2 || !tt_is_float(t) || t->shape[0] != offsets || t->shape[1] < 1 ||
        t->shape[1] > (size_t)channels || (size_t)channels % t->shape[1] || tt_channels(b, qkv) % 3) {
        tt_refuse(b, "tensor %s is %s of %s where %zux a divisor of %d channels is wanted", t->name,
                  tt_shape_text(t, text, sizeof text), tt_dtype_name(t->dtype), offsets, channels);
        return TT_NOTHING;
    }
    tt_node *n = tt_add_node(b, TT_OP_ATTENTION, table, qkv, TT_NOTHING, channels);
    if (n) {
        n->weight = t;
        n->heads = (int)t->shape[1];
        n->window = window;
        n->shift = shift;
    }
    return tt_last(b, n);
}

/* ---- U-Nets, attention, strips --------------------------------------------------------------------- */

tt_val tt_batch_norm(tt_build *b, tt_val x, const char *name)
{
    if (!tt_sound(b, x))
        return TT_NOTHING;
    tt_node *n = tt_add_node(b, TT_OP_AFFINE, name, x, TT_NOTHING, tt_channels(b, x));
    if (n)
        tt_read_norm(b, name, (size_t)n->channels, n->norm);
    return tt_last(b, n);
}

tt_val tt_scale_shift(tt_build *b, tt_val x, float scale, float shift)
{
    if (!tt_sound(b, x))
        return TT_NOTHING;
    tt_node *n = tt_add_node(b, TT_OP_AFFINE, "", x, TT_NOTHING, tt_channels(b, x));
    if (n) {
        n->scale = scale;
        n->lo = shift;
    }
    return tt_last(b, n);
}

tt_val tt_max_pool(tt_build *b, tt_val x)
{
    return tt_last(b, unary(b, TT_OP_POOL, "max pool", x, tt_channels(b, x), 1));
}

tt_val tt_blur(tt_build *b, tt_val x, tt_val like)
{
    if (!tt_sound(b, x) || !tt_sound(b, like))
        return TT_NOTHING;
    return tt_last(b, tt_add_node(b, TT_OP_BLUR, "blur", x, like, tt_channels(b, x)));
}

tt_val tt_attend(tt_build *b, tt_val q, tt_val k, tt_val v)
{
    const int c = tt_channels(b, q);
    if (!tt_sound(b, q) || !tt_sound(b, k) || !tt_sound(b, v))
        return TT_NOTHING;
    if (c != tt_channels(b, k) || c > TT_MOST_SCORED)
        tt_refuse(b, "%d and %d channels meet in the attention at %s; as many of both are wanted, at most %d", c,
                  tt_channels(b, k), b->prefix[0] ? b->prefix : "the top", TT_MOST_SCORED);
    return tt_last(b, tt_add_node(b, TT_OP_ATTEND, "attention", tt_concat(b, q, k), v, tt_channels(b, v)));
}
