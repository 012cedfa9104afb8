/*
 * Liang et al., "SwinIR: Image Restoration Using Swin Transformer", 2021 (ICCV workshops); the layers inside
 * are those of Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", 2021.
 *
 * Figure 2:
 *
 *     LQ --> first -+--> norm --> RSTB --> ... --> RSTB --> norm --> conv --(+)--> reconstruction --> HQ
 *                   |  shallow features                                      ^
 *                   +--------------------------------------------------------+
 *
 *     RSTB   x -+--> STL --> ... --> STL --> conv --(+)-->       residual Swin transformer block, figure 2
 * (a)
 *               +-----------------------------------^
 *     STL    x -+-> norm -> attention -(+)-+-> norm -> MLP -(+)-->    Swin transformer layer, figure 2 (b),
 * equation 5
 *               +-----------------------^  +---------------^
 *
 * Every other layer's windows are shifted by half of their side. The convolution at the end of an RSTB is one
 * of 3x3, or (large models) three through a bottleneck of a quarter of the channels.
 *
 * Four reconstructions, by what a file is for: shuffled pixels (classical), the same in one step
 * (lightweight), nearest neighbour and convolutions (real world, trained as a GAN), or a convolution whose
 * result is added to the picture (denoising, JPEG). All told by the names, all numbers by the shapes, but for
 * two that the published files go by: the values run to 255 where windows are of 7 pixels (JPEG models), and
 * the mean of DIV2K is taken off where there are three planes. A `conv_first.1`, which others have trained,
 * follows a folding of the picture by 2 or 4.
 */
#include "models/models.h"
#include "models/names.h"

#include <math.h>
#include <stdio.h>

enum { MOST_UPS = 4 };

static bool match(const tt_weights *w)
{
    return tt_names_start(w, "layers.0.residual_group.blocks.0.");
}

static tt_val conv(tt_build *b, tt_val x, const char *name, int k, float slope)
{
    tt_need_bias(b, x, name);
    return tt_conv(b, x, name, .k = k, .act = slope > 0 ? TT_ACT_PRELU : TT_ACT_NONE, .slope = slope);
}

static tt_val linear(tt_build *b, tt_val x, const char *name, int out)
{
    tt_need_bias(b, x, name);
    return tt_linear(b, x, name, out);
}

/* Equation 5 with equation 4's attention; the windows on a grid that begins at `shift`. */
static tt_val layer(tt_build *b, tt_val x, int window, int shift)
{
    const int channels = tt_channels(b, x);
    tt_val y = tt_layer_norm(b, x, "norm1", 1e-5f);
    y = linear(b, y, "attn.qkv", 3 * channels);
    y = tt_window_attention(b, y, "attn.relative_position_bias_table", window, shift);
    x = tt_add_scaled(b, x, 1, linear(b, y, "attn.proj", channels));
    y = tt_layer_norm(b, x, "norm2", 1e-5f);
    y = tt_gelu(b, linear(b, y, "mlp.fc1", 0));
    return tt_add_scaled(b, x, 1, linear(b, y, "mlp.fc2", channels));
}

/* "1conv": one of 3x3. "3conv": 3x3 to a quarter, 1x1, 3x3 back. */
static tt_val after(tt_build *b, tt_val x, const char *name)
{
    char each[64];
    snprintf(each, sizeof each, "%s.weight", name);
    if (tt_has(b, each))
        return conv(b, x, name, 3, 0);
    snprintf(each, sizeof each, "%s.bias", name);
    if (tt_has(b, each))
        return conv(b, x, name, 3, 0); /* which says what is missing */
    snprintf(each, sizeof each, "%s.0", name);
    x = conv(b, x, each, 3, 0.2f);
    snprintf(each, sizeof each, "%s.2", name);
    x = conv(b, x, each, 1, 0.2f);
    snprintf(each, sizeof each, "%s.4", name);
    return conv(b, x, each, 3, 0);
}

/* Any tensor of a layer counts, so that the one that is missing can be named. */
static bool has_layer(tt_build *b, int i)
{
    static const char *const names[] = {"norm1.weight",
                                        "norm1.bias",
                                        "attn.qkv.weight",
                                        "attn.qkv.bias",
                                        "attn.proj.weight",
                                        "attn.proj.bias",
                                        "norm2.weight",
                                        "norm2.bias",
                                        "mlp.fc1.weight",
                                        "mlp.fc1.bias",
                                        "mlp.fc2.weight",
                                        "mlp.fc2.bias",
                                        "attn.relative_position_bias_table"};
    bool found = false;
    tt_enter(b, "residual_group.blocks.%d.", i);
    for (size_t j = 0; j < sizeof names / sizeof *names; j++)
        found = found || tt_has(b, names[j]);
    tt_leave(b);
    return found;
}

/* Figure 2 (a). */
static tt_val rstb(tt_build *b, tt_val x, int window, int *layers)
{
    tt_val y = x;
    int i = 0;
    for (; has_layer(b, i); i++) {
        tt_enter(b, "residual_group.blocks.%d.", i);
        y = layer(b, y, window, i % 2 ? window / 2 : 0);
        tt_ignore(b, "attn_mask"); /* of the training size; and what follows from the window */
        tt_ignore(b, "attn.relative_position_index");
        tt_leave(b);
    }
    *layers = i;
    return tt_add_scaled(b, x, 1, after(b, y, "conv"));
}

static bool has_rstb(tt_build *b, int i)
{
    tt_enter(b, "layers.%d.", i);
    const bool found = has_layer(b, 0) || has_layer(b, 1);
    tt_leave(b);
    return found;
}

/* The side of the windows, from the first table of biases there is: its height is (2 * side - 1)^2. 0: none.
 */
static int find_window(tt_build *b)
{
    char name[96];
    for (int i = 0; i < 4; i++) { /* one may be missing, and is named later */
        snprintf(name, sizeof name, "layers.%d.residual_group.blocks.%d.attn.relative_position_bias_table",
                 i / 2, i % 2);
        const size_t rows = tt_dim(b, name, 0), side = (size_t)lrint((sqrt((double)rows) + 1) / 2);
        if (rows && rows < 1 << 20 && (2 * side - 1) * (2 * side - 1) == rows)
            return (int)side;
    }
    return 0;
}

/* `name`.weight or .bias */
static bool has(tt_build *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    const bool found = tt_has(b, full);
    snprintf(full, sizeof full, "%s.bias", name);
    return found || tt_has(b, full);
}

static size_t dim(tt_build *b, const char *name, int axis)
{
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    return tt_dim(b, full, axis);
}

/* Pixels are shuffled by the square root of what the channels become more by; 0: that is none. */
static int shuffle_of(size_t out, size_t in)
{
    for (int r = 1; in && r <= 16; r++)
        if (out == in * (size_t)r * (size_t)r)
            return r;
    return 0;
}

/* The kinds of reconstruction, section 3.2, and how far they enlarge. */
typedef enum kind { RESIDUAL, SHUFFLE, DIRECT, NEAREST } kind;

typedef struct tail {
    kind kind;
    int ups; /* NEAREST, SHUFFLE: steps */
    int scale;
} tail;

static tail find_tail(tt_build *b, int planes)
{
    tail t = {.scale = 1};
    char name[32];
    const bool before = has(b, "conv_before_upsample.0");
    if (before && (has(b, "conv_up1") || has(b, "conv_hr"))) {
        t.kind = NEAREST;
        for (int u = 1; u <= MOST_UPS; u++) {
            snprintf(name, sizeof name, "conv_up%d", u);
            if (has(b, name))
                t.ups = u;
        }
        t.scale = 1 << t.ups;
    } else if (before) {
        t.kind = SHUFFLE;
        for (int u = 0; u < MOST_UPS; u++) {
            snprintf(name, sizeof name, "upsample.%d", 2 * u);
            if (has(b, name))
                t.ups = u + 1;
        }
        for (int u = 0; u < t.ups; u++) {
            snprintf(name, sizeof name, "upsample.%d", 2 * u);
            const int r = shuffle_of(dim(b, name, 0), dim(b, name, 1));
            if (!r && dim(b, name, 0))
                tt_refuse(b, "%s.weight makes %zu channels of %zu: no pixels can be shuffled so", name,
                          dim(b, name, 0), dim(b, name, 1));
            t.scale *= r ? r : 1; /* where it is missing, conv() says so */
        }
    } else if (has(b, "upsample.0")) {
        t.kind = DIRECT;
        t.scale = shuffle_of(dim(b, "upsample.0", 0), (size_t)planes);
        if (!t.scale && dim(b, "upsample.0", 0))
            tt_refuse(b, "upsample.0.weight makes %zu channels, which cannot be shuffled into %d planes",
                      dim(b, "upsample.0", 0), planes);
        t.scale = t.scale ? t.scale : 1;
    }
    return t;
}

static tt_val reconstruct(tt_build *b, const tail *t, tt_val x, tt_val f)
{
    char name[32];
    if (t->kind == RESIDUAL)
        return tt_add_scaled(b, x, 1, conv(b, f, "conv_last", 3, 0));
    if (t->kind == DIRECT)
        return tt_pixel_shuffle(b, conv(b, f, "upsample.0", 3, 0), t->scale);
    tt_val y =
        conv(b, f, "conv_before_upsample.0", 3, 0.01f); /* LeakyReLU's own slope here, and 0.2 elsewhere */
    for (int u = 0; u < t->ups; u++) {
        snprintf(name, sizeof name, t->kind == SHUFFLE ? "upsample.%d" : "conv_up%d",
                 t->kind == SHUFFLE ? 2 * u : u + 1);
        if (t->kind == SHUFFLE) {
            const int r = shuffle_of(dim(b, name, 0), dim(b, name, 1));
            y = tt_pixel_shuffle(b, conv(b, y, name, 3, 0), r ? r : 1);
        } else {
            y = conv(b, tt_nearest(b, y, 2), name, 3, 0.2f);
        }
    }
    if (t->kind == NEAREST)
        y = conv(b, y, "conv_hr", 3, 0.2f);
    return conv(b, y, "conv_last", 3, 0);
}

static tt_val swinir(tt_build *b, tt_traits *t)
{
    const bool folds = has(b, "conv_first.1");
    const char *first = folds ? "conv_first.1" : "conv_first";
    const int window = find_window(b);
    size_t in = dim(b, first, 1);
    int fold = 1;
    if (tt_has(b, "absolute_pos_embed"))
        tt_refuse(b, "absolute_pos_embed: a SwinIR with absolute positions fits one size of picture only");
    if (!window)
        tt_refuse(b, "no relative_position_bias_table tells the size of the windows");
    if (!in) /* missing: which says so */
        return conv(b, tt_input(b, 1), first, 3, 0);
    if (folds) { /* of planes that the end tells */
        const size_t out = dim(b, "conv_last", 0) ? dim(b, "conv_last", 0) : 3;
        fold = shuffle_of(in, out);
        if (!fold)
            tt_refuse(b, "%s.weight takes %zu channels, which is no folding of %zu planes", first, in, out);
        fold = fold ? fold : 1;
        in = out;
    }
    if (in > 4)
        tt_refuse(b, "%s.weight takes %zu planes; pictures have up to 4", first, in);
    const int planes = in <= 4 ? (int)in : 1;
    const tail end = find_tail(b, planes);
    if (end.scale % fold)
        tt_refuse(b, "the picture is folded by %d and enlarged by %d: that is no whole factor", fold,
                  end.scale);
    if (tt_failed(b))
        return (tt_val){-1};

    const float range = window == 7 ? 255 : 1;
    static const float mean[] = {0.4488f, 0.4371f, 0.4040f, 0};
    const bool centred = planes == 3;
    float down[4] = {0}, up[4] = {0};
    for (int c = 0; c < planes && centred; c++) {
        down[c] = -mean[c] * range;
        up[c] = mean[c];
    }

    const tt_val lq = tt_input(b, planes);
    const tt_val x = tt_levels(b, tt_pad(b, lq, window * fold), range, down);
    const tt_val f = conv(b, fold > 1 ? tt_pixel_unshuffle(b, x, fold) : x, first, 3, 0);
    tt_val y = tt_layer_norm(b, f, "patch_embed.norm", 1e-5f);
    int stages = 0, layers = 0, most = 0;
    for (; has_rstb(b, stages); stages++) {
        tt_enter(b, "layers.%d.", stages);
        y = rstb(b, y, window, &layers);
        tt_leave(b);
        most = layers > most ? layers : most;
    }
    y = tt_layer_norm(b, y, "norm", 1e-5f);
    y = tt_add_scaled(b, f, 1, after(b, y, "conv_after_body"));
    y = tt_levels(b, reconstruct(b, &end, x, y), 1 / range, up);

    static const char *const words[] = {"", ", pixel shuffle", ", lightweight", ", nearest neighbour"};
    snprintf(t->variant, sizeof t->variant, "SwinIR x%d%s, %d channels, %d x %d layers, window %d",
             end.scale / fold, words[end.kind], tt_channels(b, f), stages, most, window);
    /* what a network of one plane does with colour: section 4.3's grey denoisers took noise of their strength
     * in every channel, the JPEG ones the luma of JPEG files as MATLAB has it */
    if (end.kind == RESIDUAL)
        t->grey = window == 7 ? TT_GREY_MATLAB : TT_GREY_EACH;
    t->multiple = window * fold;
    t->mirrored = 1;
    return tt_fit(b, y, lq, end.scale / fold);
}

const tt_model tt_model_swinir = {
    .name = "swinir",
    .title = "SwinIR",
    .paper = "Liang et al., SwinIR: Image Restoration Using Swin Transformer, 2021",
    .planes = TT_PLANES_RGB,
    .names = {"conv_first patch_embed.norm layers.#.residual_group.blocks.#.norm# "
              "layers.#.residual_group.blocks.#.attn.qkv "
              "layers.#.residual_group.blocks.#.attn.proj layers.#.residual_group.blocks.#.mlp.fc# "
              "layers.#.conv norm "
              "conv_after_body conv_last"},
    .match = match,
    .build = swinir,
};
