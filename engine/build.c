/* A network being described: its names, its nodes, the tensors of the file; the end, where all must have found its place. */
#include "engine/alloc.h"
#include "engine/builder.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 1 << 20, MOST_SETTINGS = 64, USED = 1, IGNORED = 2 };

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

void tt_refuse_as(tt_build *b, tt_status st, const char *format, ...)
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

const tt_tensor *tt_find_tensor(const tt_build *b, const char *name, const char *suffix)
{
    char full[2 * TT_MAX_NAME];
    const int n = snprintf(full, sizeof full, "%s%s%s", b->prefix, name, suffix);
    return n < 0 || (size_t)n >= sizeof full ? NULL : tt_weights_find(b->w, full);
}

void tt_use_tensor(tt_build *b, const tt_tensor *t)
{
    if (t)
        b->used[t - b->w->tensors] = USED;
}

bool tt_has(const tt_build *b, const char *name)
{
    return tt_find_tensor(b, name, "") != NULL;
}

size_t tt_dim(const tt_build *b, const char *name, int axis)
{
    const tt_tensor *t = tt_find_tensor(b, name, "");
    return t && axis >= 0 && axis < t->rank ? t->shape[axis] : 0;
}

void tt_ignore_tensor(tt_build *b, const tt_tensor *t)
{
    if (t && !b->used[t - b->w->tensors])
        b->used[t - b->w->tensors] = IGNORED;
}

void tt_ignore(tt_build *b, const char *name)
{
    tt_ignore_tensor(b, tt_find_tensor(b, name, ""));
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
                tt_refuse_as(b, TT_ERR_USAGE, "the setting %s must be one of: %s", b->settings[i], words);
            usual = b->settings[i] + n + 1;
            return among(words, usual) ? usual : words;
        }
    const char *said = tt_weights_said(b->w, key);
    return said && among(words, said) ? said : usual; /* metadata not ours may use the same key for something else */
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

/* Add a node; the name is copied. NULL after a failure. The first value is id 0. */
tt_node *tt_add_node(tt_build *b, tt_op op, const char *name, tt_val x, tt_val y, int channels)
{
    if (tt_failed(b))
        return NULL;
    tt_graph *g = b->g;
    if (channels < 1 || channels > TT_MOST_CHANNELS) {
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

tt_val tt_last(const tt_build *b, const tt_node *n)
{
    return n ? (tt_val){(int)(n - b->g->node)} : TT_NOTHING;
}

/* Is x a value of this build? A model that passes on a failed value has failed before. */
bool tt_sound(tt_build *b, tt_val x)
{
    if (!tt_failed(b) && (x.id < 0 || x.id >= b->g->count))
        tt_refuse_as(b, TT_ERR_INTERNAL, "a network description uses a value that does not exist");
    return !tt_failed(b);
}

int tt_channels(const tt_build *b, tt_val x)
{
    return x.id >= 0 && x.id < b->g->count ? b->g->node[x.id].channels : 0;
}

tt_val tt_input(tt_build *b, int channels)
{
    if (b->g->input >= 0)
        tt_refuse_as(b, TT_ERR_INTERNAL, "a network description has two inputs");
    tt_node *n = tt_add_node(b, TT_OP_INPUT, "input", TT_NOTHING, TT_NOTHING, channels);
    if (n)
        b->g->input = b->g->prepared = tt_last(b, n).id;
    return tt_last(b, n);
}

tt_val tt_prepared(tt_build *b, tt_val x)
{
    if (tt_sound(b, x))
        b->g->prepared = x.id;
    return x;
}

const char *tt_shape_text(const tt_tensor *t, char *to, size_t room)
{
    size_t at = 0;
    to[0] = 0;
    for (int i = 0; i < t->rank && at < room; i++)
        at += (size_t)snprintf(to + at, room - at, "%s%zu", i ? "x" : "", t->shape[i]);
    return to;
}

bool tt_is_float(const tt_tensor *t)
{
    return t->dtype == TT_F32 || t->dtype == TT_F16 || t->dtype == TT_BF16 || t->dtype == TT_F64;
}

/* A vector of n floats, or NULL where the file has none; wrong shapes are refused. */
const tt_tensor *tt_vector(tt_build *b, const char *name, const char *suffix, size_t n)
{
    const tt_tensor *t = tt_find_tensor(b, name, suffix);
    char text[256];
    if (!t)
        return NULL;
    tt_use_tensor(b, t);
    if (t->count != n || t->rank > 4 || !tt_is_float(t))
        tt_refuse(b, "tensor %s is %s of %s where %zu floats are wanted", t->name, tt_shape_text(t, text, sizeof text),
                  tt_dtype_name(t->dtype), n);
    return t;
}

/* A vector that must be there. */
const tt_tensor *tt_needed(tt_build *b, const char *name, const char *suffix, size_t n)
{
    const tt_tensor *t = tt_vector(b, name, suffix, n);
    if (!t)
        tt_refuse(b, "the tensor %s%s%s is missing", b->prefix, name, suffix);
    return t;
}

void tt_read_norm(tt_build *b, const char *name, size_t channels, const tt_tensor *norm[4])
{
    static const char *const suffix[4] = {".weight", ".bias", ".running_mean", ".running_var"};
    for (int i = 0; i < 4; i++)
        norm[i] = tt_needed(b, name, suffix[i], channels);
    tt_ignore_tensor(b, tt_find_tensor(b, name, ".num_batches_tracked")); /* of training */
}

float tt_scalar(tt_build *b, const char *name)
{
    const tt_tensor *t = tt_needed(b, name, "", 1);
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
            tt_refuse_as(b, TT_ERR_USAGE, "this network has no setting %s", b->settings[i]);
}

tt_status tt_build_finish(tt_build *b, tt_val out, tt_graph **graph, tt_error *err)
{
    *graph = NULL;
    if (tt_sound(b, out) && b->g->input < 0)
        tt_refuse_as(b, TT_ERR_INTERNAL, "a network description has no input");
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
