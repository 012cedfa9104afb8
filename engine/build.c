#include "engine/build.h"
#include "engine/alloc.h"
#include "engine/graph.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 1 << 20, MOST_SETTINGS = 64, MOST_CHANNELS = 1 << 20, MOST_KERNEL = 64, USED = 1, IGNORED = 2,
       MOST_WINDOW = 16, /* its biases are the fourth power of that */
       MOST_REDUCED = 16 /* its weights are the square of that */ };

struct tt_build {
    const tt_weights *w;
    const char *const *settings;
    uint64_t asked; /* which settings were looked at, a bit each */
    tt_graph *g;
    int room;       /* for nodes */
    unsigned char *used; /* USED or IGNORED, a tensor of the file */
    char prefix[TT_MAX_NAME + 1];
    size_t marks[64]; /* lengths of the prefix before each tt_enter() */
    int depth;
    tt_error err; /* the first */
};

tt_build *tt_build_new(const tt_weights *w, const char *const *settings)
{
    tt_build *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->w = w;
    b->settings = settings;
    b->g = calloc(1, sizeof *b->g);
    b->used = calloc(w->count ? w->count : 1, 1);
    if (!b->g || !b->used) {
        tt_graph_free(b->g);
        free(b->used);
        free(b);
        return NULL;
    }
    b->g->weights = w;
    b->g->input = b->g->output = -1;
    return b;
}

void tt_graph_free(tt_graph *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->count; i++)
        free(g->node[i].name);
    for (int i = 0; g->fixed && g->fixed[i]; i++)
        free(g->fixed[i]);
    free(g->fixed);
    free(g->node);
    free(g->used);
    free(g);
}

bool tt_graph_uses(const tt_graph *g, size_t i)
{
    return g->used[i] == USED;
}

bool tt_failed(const tt_build *b)
{
    return b->err.status != TT_OK;
}

static void refuse(tt_build *b, tt_status st, const char *format, va_list ap)
{
    if (tt_failed(b))
        return;
    char text[768];
    vsnprintf(text, sizeof text, format, ap);
    tt_fail(&b->err, st, "%s: %s", b->w->path ? b->w->path : "weights", text);
}

void tt_refuse(tt_build *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    refuse(b, TT_ERR_FORMAT, format, ap);
    va_end(ap);
}

static void refuse_as(tt_build *b, tt_status st, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    refuse(b, st, format, ap);
    va_end(ap);
}

/* ---- names ---------------------------------------------------------------------------------------- */

void tt_enter(tt_build *b, const char *format, ...)
{
    const size_t at = strlen(b->prefix);
    if (b->depth == (int)(sizeof b->marks / sizeof *b->marks)) {
        tt_refuse(b, "names nest too deep at %s", b->prefix);
        return;
    }
    b->marks[b->depth++] = at;
    va_list ap;
    va_start(ap, format);
    vsnprintf(b->prefix + at, sizeof b->prefix - at, format, ap);
    va_end(ap);
}

void tt_leave(tt_build *b)
{
    if (b->depth)
        b->prefix[b->marks[--b->depth]] = 0;
}

static const tt_tensor *find(const tt_build *b, const char *name, const char *suffix)
{
    char full[2 * TT_MAX_NAME];
    const int n = snprintf(full, sizeof full, "%s%s%s", b->prefix, name, suffix);
    return n < 0 || (size_t)n >= sizeof full ? NULL : tt_weights_find(b->w, full);
}

static void use(tt_build *b, const tt_tensor *t)
{
    if (t)
        b->used[t - b->w->tensors] = USED;
}

bool tt_has(const tt_build *b, const char *name)
{
    return find(b, name, "") != NULL;
}

size_t tt_dim(const tt_build *b, const char *name, int axis)
{
    const tt_tensor *t = find(b, name, "");
    return t && axis >= 0 && axis < t->rank ? t->shape[axis] : 0;
}

static void ignore(tt_build *b, const tt_tensor *t)
{
    if (t && !b->used[t - b->w->tensors])
        b->used[t - b->w->tensors] = IGNORED;
}

void tt_ignore(tt_build *b, const char *name)
{
    ignore(b, find(b, name, ""));
}

/* Is `word` one of the blank-separated words? */
static bool among(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = words; n && (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

const char *tt_setting(tt_build *b, const char *key, const char *words, const char *usual)
{
    const size_t n = strlen(key);
    for (int i = 0; b->settings && b->settings[i] && i < MOST_SETTINGS; i++)
        if (!strncmp(b->settings[i], key, n) && b->settings[i][n] == '=') {
            b->asked |= (uint64_t)1 << i;
            if (!among(words, b->settings[i] + n + 1))
                refuse_as(b, TT_ERR_USAGE, "the setting %s must be one of: %s", b->settings[i], words);
            usual = b->settings[i] + n + 1;
            return among(words, usual) ? usual : words;
        }
    for (char **m = b->w->metadata; m && *m; m += 2)
        if (!strcmp(m[0], key) && among(words, m[1]))
            return m[1]; /* metadata that is not ours may use the same key for something else */
    return usual;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static const tt_val NOTHING = {-1};

/* Add a node; the name is copied. NULL after a failure. The first value is id 0. */
static tt_node *add(tt_build *b, tt_op op, const char *name, tt_val x, tt_val y, int channels)
{
    if (tt_failed(b))
        return NULL;
    tt_graph *g = b->g;
    if (channels < 1 || channels > MOST_CHANNELS) {
        tt_refuse(b, "%s would have %d channels", name, channels);
        return NULL;
    }
    if (g->count == b->room) {
        const int room = b->room ? 2 * b->room : 64;
        tt_node *more = room <= MOST_NODES ? realloc(g->node, (size_t)room * sizeof *more) : NULL;
        if (!more) {
            tt_fail_memory(&b->err, (size_t)room * sizeof *more);
            return NULL;
        }
        g->node = more;
        b->room = room;
    }
    tt_node *n = &g->node[g->count];
    *n = (tt_node){.op = op, .in = {x.id, y.id}, .channels = channels, .k = 1, .stride = 1, .r = 1, .scale = 1};
    const size_t size = strlen(b->prefix) + strlen(name) + 1;
    n->name = malloc(size);
    if (!n->name) {
        tt_fail_memory(&b->err, size);
        return NULL;
    }
    const bool weighted = op == TT_OP_CONV || op == TT_OP_DECONV || op == TT_OP_NORM || op == TT_OP_LINEAR ||
                          op == TT_OP_ATTENTION || op == TT_OP_AFFINE;
    snprintf(n->name, size, "%s%s", weighted ? b->prefix : "", name);
    g->count++;
    return n;
}

static tt_val last(const tt_build *b, const tt_node *n)
{
    return n ? (tt_val){(int)(n - b->g->node)} : NOTHING;
}

/* Is x a value of this build? A model that passes on a failed value has failed before. */
static bool sound(tt_build *b, tt_val x)
{
    if (!tt_failed(b) && (x.id < 0 || x.id >= b->g->count))
        refuse_as(b, TT_ERR_INTERNAL, "a network description uses a value that does not exist");
    return !tt_failed(b);
}

int tt_channels(const tt_build *b, tt_val x)
{
    return x.id >= 0 && x.id < b->g->count ? b->g->node[x.id].channels : 0;
}

tt_val tt_input(tt_build *b, int channels)
{
    if (b->g->input >= 0)
        refuse_as(b, TT_ERR_INTERNAL, "a network description has two inputs");
    tt_node *n = add(b, TT_OP_INPUT, "input", NOTHING, NOTHING, channels);
    if (n)
        b->g->input = b->g->prepared = last(b, n).id;
    return last(b, n);
}

tt_val tt_prepared(tt_build *b, tt_val x)
{
    if (sound(b, x))
        b->g->prepared = x.id;
    return x;
}

static const char *shape_text(const tt_tensor *t, char *to, size_t room)
{
    size_t at = 0;
    to[0] = 0;
    for (int i = 0; i < t->rank && at < room; i++)
        at += (size_t)snprintf(to + at, room - at, "%s%zu", i ? "x" : "", t->shape[i]);
    return to;
}

static bool is_float(const tt_tensor *t)
{
    return t->dtype == TT_F32 || t->dtype == TT_F16 || t->dtype == TT_BF16 || t->dtype == TT_F64;
}

/* A vector of n floats, or NULL where the file has none; wrong shapes are refused. */
static const tt_tensor *vector(tt_build *b, const char *name, const char *suffix, size_t n)
{
    const tt_tensor *t = find(b, name, suffix);
    char text[256];
    if (!t)
        return NULL;
    use(b, t);
    if (t->count != n || t->rank > 4 || !is_float(t))
        tt_refuse(b, "tensor %s is %s of %s where %zu floats are wanted", t->name, shape_text(t, text, sizeof text),
                  tt_dtype_name(t->dtype), n);
    return t;
}

/* A vector that must be there. */
static const tt_tensor *needed(tt_build *b, const char *name, const char *suffix, size_t n)
{
    const tt_tensor *t = vector(b, name, suffix, n);
    if (!t)
        tt_refuse(b, "the tensor %s%s%s is missing", b->prefix, name, suffix);
    return t;
}

static void read_norm(tt_build *b, const char *name, size_t channels, const tt_tensor *norm[4])
{
    static const char *const suffix[4] = {".weight", ".bias", ".running_mean", ".running_var"};
    for (int i = 0; i < 4; i++)
        norm[i] = needed(b, name, suffix[i], channels);
    ignore(b, find(b, name, ".num_batches_tracked")); /* of training */
}

/* The tensor that holds the weight, whatever it is still to be folded with. */
static const tt_tensor *find_weight(tt_build *b, const char *name, const tt_conv_opt *o)
{
    const char *const suffix = o->spectral ? ".weight_orig" : o->weight_norm ? ".weight_v" : ".weight";
    const tt_tensor *w = find(b, name, ".weight");
    if (w) { /* folded already; what it was made of may stand beside it */
        static const char *const parts[] = {".weight_orig", ".weight_u", ".weight_v", ".weight_g"};
        for (int i = 0; i < 4 && (o->spectral || o->weight_norm); i++)
            ignore(b, find(b, name, parts[i]));
        return w;
    }
    w = find(b, name, suffix);
    if (!w)
        tt_refuse(b, "the tensor %s%s%s is missing", b->prefix, name, suffix);
    return w;
}

/* What the weight is folded with, as the options say. */
static void read_folds(tt_build *b, tt_node *n, const char *name, const tt_conv_opt *o, const tt_tensor *w)
{
    const size_t out = w->shape[0];
    if (find(b, name, ".weight") != w) {
        if (o->spectral) {
            n->spectral_u = needed(b, name, ".weight_u", out);
            n->spectral_v = needed(b, name, ".weight_v", w->count / out);
        } else if (o->weight_norm) {
            n->weight_g = needed(b, name, ".weight_g", out);
        }
    }
    if (o->norm)
        read_norm(b, o->norm, out, n->norm);
}

/* What tt_conv and tt_deconv share: find the weight, check it. `in_axis` is 1 for a convolution, 0 transposed. */
static tt_node *weighted(tt_build *b, tt_op op, tt_val x, const char *name, const tt_conv_opt *o, int in_axis)
{
    if (!sound(b, x))
        return NULL;
    const tt_tensor *w = find_weight(b, name, o);
    char text[256];
    if (!w)
        return NULL;
    use(b, w);
    const int in = tt_channels(b, x);
    /* a fully connected layer [out,in] is a 1x1 convolution, and may be described as one; so is one over a line
     * [out,in,1] */
    const bool flat = op == TT_OP_LINEAR;
    const bool square = (!flat && w->rank == 4 && w->shape[2] == w->shape[3]) || (w->rank == 2 && in_axis == 1) ||
                        (!flat && w->rank == 3 && w->shape[2] == 1 && in_axis == 1);
    const size_t k = w->rank == 4 ? w->shape[2] : 1;
    if (!square || !is_float(w) || w->shape[in_axis] != (size_t)in || k < 1 || k > MOST_KERNEL ||
        w->shape[!in_axis] < 1 || w->shape[!in_axis] > MOST_CHANNELS || (o->k && k != (size_t)o->k) ||
        (o->out && w->shape[!in_axis] != (size_t)o->out) || (op == TT_OP_CONV && !o->valid && k % 2 == 0)) {
        char want[64] = "", size[32] = "kxk";
        if (o->k)
            snprintf(size, sizeof size, "%dx%d", o->k, o->k);
        if (o->out)
            snprintf(want, sizeof want, "%d", o->out);
        tt_refuse(b, "tensor %s is %s of %s where %s %s%d%s%s is wanted", w->name, shape_text(w, text, sizeof text),
                  tt_dtype_name(w->dtype), in_axis ? (o->out ? want : "any number") : "in", in_axis ? "x " : "",
                  in, flat ? "" : in_axis ? " x " : " x any x ", flat ? "" : size);
        return NULL;
    }
    const int out = (int)w->shape[!in_axis];
    const tt_tensor *bias = (o->biased ? needed : vector)(b, name, ".bias", (size_t)out);
    const tt_tensor *slopes = NULL;
    if (o->slopes) {
        slopes = vector(b, o->slopes, "", (size_t)out);
        if (!slopes)
            tt_refuse(b, "the tensor %s%s is missing", b->prefix, o->slopes);
    }
    tt_node *n = add(b, op, name, x, NOTHING, out);
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
    return last(b, weighted(b, TT_OP_CONV, x, name, &o, 1));
}

tt_val tt_deconv_(tt_build *b, tt_val x, const char *name, tt_conv_opt o)
{
    return last(b, weighted(b, TT_OP_DECONV, x, name, &o, 0));
}

tt_val tt_concat(tt_build *b, tt_val x, tt_val y)
{
    if (!sound(b, x) || !sound(b, y))
        return NOTHING;
    return last(b, add(b, TT_OP_CONCAT, "concat", x, y, tt_channels(b, x) + tt_channels(b, y)));
}

static tt_val same_channels(tt_build *b, tt_op op, const char *name, tt_val x, tt_val y, float scale)
{
    if (!sound(b, x) || !sound(b, y))
        return NOTHING;
    if (tt_channels(b, x) != tt_channels(b, y)) {
        tt_refuse(b, "%d and %d channels meet in one %s at %s", tt_channels(b, x), tt_channels(b, y), name,
                  b->prefix[0] ? b->prefix : "the top");
        return NOTHING;
    }
    tt_node *n = add(b, op, name, x, y, tt_channels(b, x));
    if (n)
        n->scale = scale;
    return last(b, n);
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
    if (!sound(b, x))
        return NULL;
    if (r < (op == TT_OP_CROP ? 0 : 1) || r > 1024) {
        refuse_as(b, TT_ERR_INTERNAL, "a network description has a %s of %d", name, r);
        return NULL;
    }
    tt_node *n = add(b, op, name, x, NOTHING, channels);
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
    return last(b, n);
}

tt_val tt_clamp(tt_build *b, tt_val x, float lo, float hi)
{
    tt_node *n = unary(b, TT_OP_CLAMP, "clamp", x, tt_channels(b, x), 1);
    if (n) {
        n->lo = lo;
        n->hi = hi;
    }
    return last(b, n);
}

tt_val tt_crop(tt_build *b, tt_val x, int k)
{
    return last(b, unary(b, TT_OP_CROP, "crop", x, tt_channels(b, x), k));
}

tt_val tt_nearest(tt_build *b, tt_val x, int r)
{
    return last(b, unary(b, TT_OP_NEAREST, "nearest", x, tt_channels(b, x), r));
}

tt_val tt_pixel_shuffle(tt_build *b, tt_val x, int r)
{
    if (sound(b, x) && (r < 1 || r > 1024 || tt_channels(b, x) % (r * r)))
        tt_refuse(b, "%d channels cannot be shuffled into pixels by %d", tt_channels(b, x), r);
    return last(b, unary(b, TT_OP_SHUFFLE, "pixel shuffle", x, r < 1 ? 1 : tt_channels(b, x) / (r * r), r));
}

tt_val tt_pixel_unshuffle(tt_build *b, tt_val x, int r)
{
    if (sound(b, x) && (r < 1 || r > 64))
        tt_refuse(b, "pixels cannot be unshuffled by %d", r);
    return last(b, unary(b, TT_OP_UNSHUFFLE, "pixel unshuffle", x, tt_channels(b, x) * r * r, r));
}

tt_val tt_mean(tt_build *b, tt_val x)
{
    return last(b, unary(b, TT_OP_MEAN, "mean", x, tt_channels(b, x), 1));
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
    if (sound(b, x) && !(num == 1 && den == 2) && !(num == 3 && den == 4))
        refuse_as(b, TT_ERR_INTERNAL, "a network description reduces to %d/%d", num, den);
    if (tt_channels(b, x) > MOST_REDUCED)
        tt_refuse(b, "a picture of %d planes cannot be reduced; %d are the most", tt_channels(b, x), MOST_REDUCED);
    const int channels = tt_channels(b, x), k = den + 2, phases = num * num;
    tt_tensor *t = NULL;
    float *w = tt_failed(b) ? NULL : fixed_weight(b, (size_t)(channels * phases), (size_t)channels, (size_t)k, &t);
    if (!w)
        return NOTHING;
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < phases; p++)
            for (int i = 0; i < k * k; i++) {
                const double y = (double)den / num * (p / num + 0.5) - 0.5, z = (double)den / num * (p % num + 0.5) - 0.5;
                w[((c * phases + p) * channels + c) * k * k + i] = (float)(cubic(i / k - 1 - y) * cubic(i % k - 1 - z));
            }
    tt_node *n = add(b, TT_OP_CONV, "bicubic", x, NOTHING, channels * phases);
    if (!n)
        return NOTHING;
    n->k = k;
    n->stride = den;
    n->pad = 1;
    n->replicate = n->bicubic = true;
    n->r = num;
    n->weight = t;
    return tt_pixel_shuffle(b, last(b, n), num);
}

tt_val tt_levels(tt_build *b, tt_val x, float scale, const float *offset)
{
    const int channels = tt_channels(b, x);
    tt_node *n = unary(b, TT_OP_LEVELS, "levels", x, channels, 1);
    if (n && channels > 4) {
        refuse_as(b, TT_ERR_INTERNAL, "a network description has levels of %d channels", channels);
        return NOTHING;
    }
    if (n) {
        n->scale = scale;
        memcpy(n->offset, offset, (size_t)channels * sizeof *offset);
    }
    return last(b, n);
}

tt_val tt_pad(tt_build *b, tt_val x, int m)
{
    return last(b, unary(b, TT_OP_PAD, "pad", x, tt_channels(b, x), m));
}

tt_val tt_fit(tt_build *b, tt_val x, tt_val like, int r)
{
    tt_node *n = sound(b, like) ? unary(b, TT_OP_FIT, "fit", x, tt_channels(b, x), r) : NULL;
    if (n)
        n->in[1] = like.id;
    return last(b, n);
}

/* ---- transformers --------------------------------------------------------------------------------- */

tt_val tt_layer_norm(tt_build *b, tt_val x, const char *name, float eps)
{
    if (!sound(b, x))
        return NOTHING;
    const size_t channels = (size_t)tt_channels(b, x);
    const tt_tensor *weight = vector(b, name, ".weight", channels), *bias = vector(b, name, ".bias", channels);
    if (!weight || !bias)
        tt_refuse(b, "the tensor %s%s%s is missing", b->prefix, name, weight ? ".bias" : ".weight");
    tt_node *n = add(b, TT_OP_NORM, name, x, NOTHING, (int)channels);
    if (n) {
        n->weight = weight;
        n->bias = bias;
        n->eps = eps;
    }
    return last(b, n);
}

tt_val tt_linear(tt_build *b, tt_val x, const char *name, int out)
{
    const tt_conv_opt o = {.out = out};
    return last(b, weighted(b, TT_OP_LINEAR, x, name, &o, 1));
}

tt_val tt_gelu(tt_build *b, tt_val x)
{
    return tt_activate(b, x, TT_ACT_GELU, 0);
}

tt_val tt_window_attention(tt_build *b, tt_val qkv, const char *table, int window, int shift)
{
    if (!sound(b, qkv))
        return NOTHING;
    const int channels = tt_channels(b, qkv) / 3;
    const tt_tensor *t = find(b, table, "");
    char text[256];
    if (!t) {
        tt_refuse(b, "the tensor %s%s is missing", b->prefix, table);
        return NOTHING;
    }
    use(b, t);
    if (window < 1 || window > MOST_WINDOW || shift < 0 || shift >= window) {
        tt_refuse(b, "windows of %d x %d pixels, shifted by %d: up to %d are handled", window, window, shift,
                  MOST_WINDOW);
        return NOTHING;
    }
    const size_t offsets = (size_t)(2 * window - 1) * (size_t)(2 * window - 1);
    if (t->rank != 2 || !is_float(t) || t->shape[0] != offsets || t->shape[1] < 1 ||
        t->shape[1] > (size_t)channels || (size_t)channels % t->shape[1] || tt_channels(b, qkv) % 3) {
        tt_refuse(b, "tensor %s is %s of %s where %zux a divisor of %d channels is wanted", t->name,
                  shape_text(t, text, sizeof text), tt_dtype_name(t->dtype), offsets, channels);
        return NOTHING;
    }
    tt_node *n = add(b, TT_OP_ATTENTION, table, qkv, NOTHING, channels);
    if (n) {
        n->weight = t;
        n->heads = (int)t->shape[1];
        n->window = window;
        n->shift = shift;
    }
    return last(b, n);
}

/* ---- U-Nets, attention, strips --------------------------------------------------------------------- */

tt_val tt_batch_norm(tt_build *b, tt_val x, const char *name)
{
    if (!sound(b, x))
        return NOTHING;
    tt_node *n = add(b, TT_OP_AFFINE, name, x, NOTHING, tt_channels(b, x));
    if (n)
        read_norm(b, name, (size_t)n->channels, n->norm);
    return last(b, n);
}

tt_val tt_scale_shift(tt_build *b, tt_val x, float scale, float shift)
{
    if (!sound(b, x))
        return NOTHING;
    tt_node *n = add(b, TT_OP_AFFINE, "", x, NOTHING, tt_channels(b, x));
    if (n) {
        n->scale = scale;
        n->lo = shift;
    }
    return last(b, n);
}

tt_val tt_max_pool(tt_build *b, tt_val x)
{
    return last(b, unary(b, TT_OP_POOL, "max pool", x, tt_channels(b, x), 1));
}

tt_val tt_blur(tt_build *b, tt_val x, tt_val like)
{
    if (!sound(b, x) || !sound(b, like))
        return NOTHING;
    return last(b, add(b, TT_OP_BLUR, "blur", x, like, tt_channels(b, x)));
}

tt_val tt_attend(tt_build *b, tt_val q, tt_val k, tt_val v)
{
    const int c = tt_channels(b, q);
    if (!sound(b, q) || !sound(b, k) || !sound(b, v))
        return NOTHING;
    if (c != tt_channels(b, k) || c > TT_MOST_SCORED)
        tt_refuse(b, "%d and %d channels meet in the attention at %s; as many of both are wanted, at most %d", c,
                  tt_channels(b, k), b->prefix[0] ? b->prefix : "the top", TT_MOST_SCORED);
    return last(b, add(b, TT_OP_ATTEND, "attention", tt_concat(b, q, k), v, tt_channels(b, v)));
}

float tt_scalar(tt_build *b, const char *name)
{
    const tt_tensor *t = needed(b, name, "", 1);
    float value = 0;
    if (tt_failed(b))
        return 0;
    b->g->scalars++;
    return tt_tensor_floats(b->w, t, &value, &b->err) ? 0 : value;
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void check_all_used(tt_build *b)
{
    size_t unused = 0, first = 0;
    for (size_t i = b->w->count; i-- > 0;)
        if (!b->used[i]) {
            unused++;
            first = i;
        }
    if (unused == 1)
        tt_refuse(b, "the network has no place for the tensor %s", b->w->tensors[first].name);
    else if (unused)
        tt_refuse(b, "the network has no place for the tensor %s and %zu more", b->w->tensors[first].name,
                  unused - 1);
    for (int i = 0; b->settings && b->settings[i]; i++)
        if (i >= MOST_SETTINGS || !(b->asked >> i & 1))
            refuse_as(b, TT_ERR_USAGE, "this network has no setting %s", b->settings[i]);
}

tt_status tt_build_finish(tt_build *b, tt_val out, tt_graph **graph, tt_error *err)
{
    *graph = NULL;
    if (sound(b, out) && b->g->input < 0)
        refuse_as(b, TT_ERR_INTERNAL, "a network description has no input");
    if (!tt_failed(b))
        check_all_used(b);
    const tt_status st = b->err.status;
    if (st) {
        tt_fail(err, st, "%s", b->err.text);
        tt_graph_free(b->g);
    } else {
        b->g->output = out.id;
        b->g->used = b->used;
        b->used = NULL;
        *graph = b->g;
    }
    free(b->used);
    free(b);
    return st;
}
