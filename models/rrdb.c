/*
 * Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", 2018 (ECCV workshops),
 * and what kept its network: ESRGAN+ (Rakotonirina and Rasoanaivo 2020), RealSR (Ji et al. 2020), BSRGAN
 * (Zhang et al. 2021), Real-ESRGAN (Wang et al. 2021).
 *
 * Figure 3 with the blocks of figure 4:
 *
 *     LR --> first -+--> RRDB --> ... --> RRDB --> after --(+)--> up --> ... --> up --> hr --> last --> SR
 *                   |                                       ^
 *                   +---------------------------------------+
 *
 *     RRDB   x -+--> RDB --> RDB --> RDB --*0.2--(+)-->
 *               +---------------------------------^
 *     up     nearest neighbour times 2, convolution, LeakyReLU
 *
 * All convolutions are 3x3 with zero padding and bias; LeakyReLU has slope 0.2. No batch normalisation
 * (section 3.1). Published: 64 features, growth 32, 23 blocks (6 for anime); all read from names and shapes,
 * as is the scale, 2 to the number of up steps.
 *
 * Real-ESRGAN x2 and x1 first fold the picture, 2x2 or 4x4 pixels into channels (section 3.4), and keep both
 * up steps; told by a first layer with 4 or 16 times as many inputs as the last has outputs.
 *
 * Three sets of names are about, one after the other code bases. One thing no tensor says: a file with a
 * single up step may enlarge by 2 or, rarely, by 3 (nearest neighbour times 3): scale=3.
 */
#include "models/foreign.h"
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

typedef struct layout {
    const char *word;
    const char *block, *rdb, *conv; /* prefixes of RRDB i and of its RDB j; the RDB's convolution k */
    const char *first, *after, *up, *hr, *last;
    int up_stride, hr_index, last_index; /* `old` counts all modules in one row */
} layout;

static const layout layouts[] = {
    {"old", "model.1.sub.%d.", "RDB%d.", "conv%d.0", "model.0", "model.1.sub.%d", "model.%d", "model.%d",
     "model.%d", .up_stride = 3, .hr_index = 2, .last_index = 4},
    {"trunk", "RRDB_trunk.%d.", "RDB%d.", "conv%d", "conv_first", "trunk_conv", "upconv%d", "HRconv",
     "conv_last", .up_stride = 1},
    {"body", "body.%d.", "rdb%d.", "conv%d", "conv_first", "conv_body", "conv_up%d", "conv_hr", "conv_last",
     .up_stride = 1},
};
enum { MOST_STEPS = 4 }; /* x16 */

static bool match(const tt_weights *w)
{
    return tt_names_start(w, "model.1.sub.0.RDB") || tt_names_start(w, "RRDB_trunk.0.RDB") ||
           tt_names_start(w, "body.0.rdb");
}

/* Of the tensor `format`, with at most one number in it, .weight: the size along an axis, 0 where there is
 * none. */
static size_t dim(tt_build *b, const char *format, int number, int axis)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    strcat(name, ".weight");
    return tt_dim(b, name, axis);
}

/* The weight or the bias: of a file that lacks one of them, tt_conv() says which. */
static bool has(tt_build *b, const char *format, int number)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    strcat(name, ".bias");
    return tt_has(b, name) || dim(b, format, number, 0);
}

static tt_val conv(tt_build *b, tt_val x, const char *format, int number, tt_act act)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    tt_need_bias(b, x, name);
    return tt_conv(b, x, name, .act = act, .slope = 0.2f, .k = 3);
}

/*
 * Figure 4, right, one dense block: each convolution reads all that came before it; beta = 0.2.
 * ESRGAN+ adds conv1x1 of the block's input to the second result and the second to the fourth,
 * after their activation; its noise is for training only.
 */
static tt_val dense_block(tt_build *b, const layout *l, bool plus, tt_val x)
{
    tt_val seen = x, x2 = x;
    for (int k = 1; k <= 4; k++) {
        tt_val y = conv(b, seen, l->conv, k, TT_ACT_PRELU);
        if (plus && k == 2)
            y = x2 = tt_add_scaled(b, tt_conv(b, x, "conv1x1", .k = 1), 1.0f, y);
        if (plus && k == 4)
            y = tt_add_scaled(b, x2, 1.0f, y);
        seen = tt_concat(b, seen, y);
    }
    return tt_add_scaled(b, x, 0.2f, conv(b, seen, l->conv, 5, TT_ACT_NONE));
}

/* Figure 4, right, the whole: residual in residual. */
static tt_val rrdb(tt_build *b, const layout *l, bool plus, int i, tt_val x)
{
    tt_val y = x;
    tt_enter(b, l->block, i);
    for (int j = 1; j <= 3; j++) {
        tt_enter(b, l->rdb, j);
        y = dense_block(b, l, plus, y);
        tt_leave(b);
    }
    tt_leave(b);
    return tt_add_scaled(b, x, 0.2f, y);
}

/* Any convolution of its first RDB counts. */
static bool has_block(tt_build *b, const layout *l, int i)
{
    tt_enter(b, l->block, i);
    tt_enter(b, l->rdb, 1);
    bool found = false;
    for (int k = 1; k <= 5; k++)
        found = found || has(b, l->conv, k);
    tt_leave(b);
    tt_leave(b);
    return found;
}

static const layout *find_layout(tt_build *b)
{
    for (int i = 0; i < 3; i++)
        if (has_block(b, &layouts[i], 0))
            return &layouts[i];
    return NULL;
}

/* ESRGAN+ in all RDBs or none; two are asked, so that one may be missing and be named. */
static bool has_plus(tt_build *b, const layout *l)
{
    bool found = false;
    tt_enter(b, l->block, 0);
    for (int j = 1; j <= 2; j++) {
        tt_enter(b, l->rdb, j);
        found = found || tt_has(b, "conv1x1.weight");
        tt_leave(b);
    }
    tt_leave(b);
    return found;
}

static int count_steps(tt_build *b, const layout *l)
{
    /* `old`: the last convolution's number tells: 4, 7, 10, 13 or 16 */
    if (l->last_index)
        for (int u = MOST_STEPS; u >= 0; u--)
            if (has(b, l->last, l->up_stride * u + l->last_index))
                return u;
    for (int u = MOST_STEPS; u > 0; u--)
        if (has(b, l->up, l->up_stride * u))
            return u;
    return 0;
}

static tt_val rrdbnet(tt_build *b, tt_traits *t)
{
    const layout *l = find_layout(b);
    if (!l) {
        tt_refuse(b, "the first block has none of the convolutions of an RDB");
        return tt_input(b, 1);
    }
    const bool plus = has_plus(b, l);
    const int steps = count_steps(b, l), last = l->up_stride * steps + l->last_index;
    const size_t features = dim(b, l->first, 0, 0);
    const size_t in = dim(b, l->first, 0, 1), out = dim(b, l->last, last, 0);
    const int fold = !in ? 1 : in == 4 * out ? 2 : in == 16 * out ? 4 : 1;
    const int planes = in ? (int)in / (fold * fold) : 1; /* where a tensor is missing, conv() says so */
    if (strcmp(l->word, "old") == 0 && dim(b, "model.2", 0, 0) == 4 * features && features)
        tt_refuse(b, "model.2.weight is for a pixel shuffle, a form of ESRGAN that nobody published");

    int each = 2; /* what an up step multiplies by */
    if (steps == 1 && fold == 1) {
        const char *scale = tt_setting(b, "scale", "2 3", "2");
        each = scale && strcmp(scale, "3") == 0 ? 3 : 2;
    }
    t->multiple = fold;

    tt_val x = tt_input(b, planes);
    if (fold > 1)
        x = tt_pixel_unshuffle(b, x, fold);
    tt_val f = conv(b, x, l->first, 0, TT_ACT_NONE), y = f;
    int blocks = 0;
    for (; has_block(b, l, blocks); blocks++)
        y = rrdb(b, l, plus, blocks, y);
    y = tt_add_scaled(b, f, 1.0f, conv(b, y, l->after, blocks, TT_ACT_NONE));
    for (int u = 1; u <= steps; u++)
        y = conv(b, tt_nearest(b, y, each), l->up, l->up_stride * u, TT_ACT_PRELU);
    y = conv(b, y, l->hr, l->up_stride * steps + l->hr_index, TT_ACT_PRELU);

    snprintf(t->variant, sizeof t->variant, "%sRRDBNet x%d, %zu features, %d block%s", plus ? "ESRGAN+ " : "",
             each == 3 ? 3 : (1 << steps) / fold, features, blocks, blocks == 1 ? "" : "s");
    return conv(b, y, l->last, last, TT_ACT_NONE);
}

/* ncnn's files hold the convolutions in the order of figure 4: all blocks, then up to the picture. */
typedef struct sizes {
    size_t blocks, steps;
} sizes;

static void name_conv(char *to, size_t room, size_t i, const void *arg)
{
    const sizes *s = arg;
    const size_t inner = i - 1, tail = i - 1 - 15 * s->blocks;
    if (i == 0)
        snprintf(to, room, "conv_first");
    else if (inner < 15 * s->blocks)
        snprintf(to, room, "body.%zu.rdb%zu.conv%zu", inner / 15, inner % 15 / 5 + 1, inner % 5 + 1);
    else if (tail == 0)
        snprintf(to, room, "conv_body");
    else if (tail <= s->steps)
        snprintf(to, room, "conv_up%zu", tail);
    else
        snprintf(to, room, "%s", tail == s->steps + 1 ? "conv_hr" : "conv_last");
}

/* Told by their concatenations. 15 convolutions a block, one an up step, and four. */
static tt_status adopt(tt_weights *w, tt_error *err)
{
    const size_t n = tt_foreign_convs(w);
    if (strcmp(w->format, "ncnn") != 0 || !tt_foreign_layers(w, "Concat") || n < 4 + 15)
        return TT_OK;
    const sizes s = {(n - 4) / 15, (n - 4) % 15};
    tt_status st = s.steps <= MOST_STEPS ? tt_foreign_name(w, name_conv, NULL, &s, err) : TT_OK;
    for (size_t i = 0; i < w->layer_count && !st && s.steps == 1; i++)
        if (!strcmp(w->layers[i].type, "Interp") && tt_layer_number(&w->layers[i], 1, 0, 1) == 3)
            st = tt_weights_note(w, "scale", "3", err);
    return st;
}

const tt_model tt_model_rrdb = {
    .name = "esrgan",
    .title = "ESRGAN, Real-ESRGAN, BSRGAN, RealSR (RRDBNet)",
    .paper = "Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, 2018",
    .names = {"model.# model.#.sub.#.RDB#.conv#.# model.#.sub.#",
              "conv_first RRDB_trunk.#.RDB#.conv# trunk_conv upconv# HRconv conv_last",
              "conv_first body.#.rdb#.conv# conv_body conv_up# conv_hr conv_last"},
    .planes = TT_PLANES_RGB,
    .match = match,
    .build = rrdbnet,
    .adopt = adopt,
};
