/*
 * Jason Antic, "DeOldify", 2018 to 2021: colour for black-and-white photographs. No paper; the released
 * program and weights (artistic, stable, video) are what counts. A U-Net (Ronneberger et al. 2015) over a
 * ResNet (He et al. 2015), trained as the generator of a GAN (NoGAN), with the self-attention of Zhang et al.
 * 2019:
 *
 *     x -> stem ---------------------------------------------.       half size
 *           | max pool                                        \
 *          0.4 ------------------------------------.           \      a quarter
 *          0.5 --------------------------.          \           \     an eighth
 *          0.6 ----------------.          \          \           \    1/16
 *          0.7                  \          \          \           \   1/32
 *           | BN, ReLU           \          \          \           \
 *           +-> 3.0 -> 3.1 -> 4 (cat) -> 5 (cat) -> 6 (cat) -> 7 (cat) -> 8 (cat x) -> 10 -> 11 -> 12
 *                                     attention                                            sigmoid
 *
 * The released files come in two kinds, told apart by their names:
 *     artistic       "deep": ResNet-34 below, two 3x3 convolutions to a decoder block
 *     stable, video  "wide": ResNet-101 below, one 3x3 convolution to a decoder block
 * Stable and video have the same names and shapes. Widths and depths are read from the shapes and names.
 *
 * Decoder convolutions carry spectral norm (Miyato et al. 2018), used as stored; the last upsampling weight
 * norm. In the decoder batch norm comes after the ReLU, in the encoder and in the upsamplings before it.
 */
#include "models/deoldify.h"
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BLOCKS = 256 };

static bool match(const tt_weights *w)
{
    return tt_names_start(w, "layers.0.4.0.") &&
           (tt_names_start(w, "layers.4.conv.0.") || tt_names_start(w, "layers.4.conv1.0."));
}

/* ---- the encoder: ResNet -------------------------------------------------------------------------- */

/* He et al., figure 5: two 3x3, or 1x1, 3x3 and 1x1 to four times the width. Stride: the first 3x3. */
tt_val tt_deoldify_residual(tt_build *b, tt_val x, int stride)
{
    tt_val y, shortcut = x;
    if (tt_has(b, "conv3.weight") || tt_has(b, "bn3.weight")) {
        y = tt_conv(b, x, "conv1", .norm = "bn1", .act = TT_ACT_RELU, .k = 1);
        y = tt_conv(b, y, "conv2", .norm = "bn2", .act = TT_ACT_RELU, .k = 3, .stride = stride);
        y = tt_conv(b, y, "conv3", .norm = "bn3", .k = 1);
    } else {
        y = tt_conv(b, x, "conv1", .norm = "bn1", .act = TT_ACT_RELU, .k = 3, .stride = stride);
        y = tt_conv(b, y, "conv2", .norm = "bn2", .k = 3);
    }
    if (stride > 1 || tt_channels(b, x) != tt_channels(b, y))
        shortcut = tt_conv(b, x, "downsample.0", .norm = "downsample.1", .k = 1, .stride = stride);
    return tt_activate(b, tt_add_scaled(b, shortcut, 1, y), TT_ACT_RELU, 0);
}

/* Is there a block j of stage i? Any of its convolutions counts, so that a missing one can be named. */
static bool has_residual(tt_build *b, int i, int j)
{
    bool found = false;
    tt_enter(b, "%d.%d.", i, j);
    for (int k = 1; k <= 3; k++) {
        char name[32];
        snprintf(name, sizeof name, "conv%d.weight", k);
        found = found || tt_has(b, name);
    }
    tt_leave(b);
    return found;
}

/* What the decoder joins: skip[0] at half size from before the pool, skip[1..3] from the ends of stages 4,
 * 5, 6. */
static tt_val encoder(tt_build *b, tt_val x, tt_val skip[4], int blocks[4])
{
    tt_enter(b, "layers.0.");
    skip[0] = tt_conv(b, x, "0", .norm = "1", .act = TT_ACT_RELU, .k = 7, .stride = 2);
    tt_val y = tt_max_pool(b, skip[0]);
    for (int i = 0; i < 4; i++) {
        for (blocks[i] = 0; blocks[i] < MOST_BLOCKS && has_residual(b, 4 + i, blocks[i]); blocks[i]++) {
            tt_enter(b, "%d.%d.", 4 + i, blocks[i]);
            y = tt_deoldify_residual(b, y, i && !blocks[i] ? 2 : 1);
            tt_leave(b);
        }
        if (i < 3)
            skip[1 + i] = y;
    }
    tt_leave(b);
    return y;
}

/* ---- the decoder ---------------------------------------------------------------------------------- */

/* In this order. */
tt_val tt_deoldify_conv_relu_bn(tt_build *b, tt_val x)
{
    return tt_batch_norm(b, tt_conv(b, x, "0", .spectral = true, .act = TT_ACT_RELU, .k = 3), "2");
}

static tt_val conv_relu_bn(tt_build *b, tt_val x, const char *name)
{
    tt_enter(b, "%s.", name);
    x = tt_deoldify_conv_relu_bn(b, x);
    tt_leave(b);
    return x;
}

/* Zhang et al., figure 2, without a convolution behind. The softmax runs over the query's positions: what the
 * paper calls key and query have changed places. */
tt_val tt_deoldify_attention(tt_build *b, tt_val x)
{
    const tt_val q = tt_conv(b, x, "query", .spectral = true, .k = 1);
    const tt_val k = tt_conv(b, x, "key", .spectral = true, .k = 1);
    const tt_val v = tt_conv(b, x, "value", .spectral = true, .k = 1);
    return tt_add_scaled(b, x, tt_scalar(b, "gamma"), tt_attend(b, q, k, v));
}

/* Pixel shuffle: Shi et al. 2016. The row and column by which twice an odd size is too large are dropped. */
tt_val tt_deoldify_upsample(tt_build *b, tt_val x, tt_val like)
{
    x = tt_conv(b, x, "conv.0", .spectral = true, .norm = "conv.1", .act = TT_ACT_RELU, .k = 1);
    return tt_blur(b, tt_pixel_shuffle(b, x, 2), like);
}

tt_val tt_deoldify_last_upsample(tt_build *b, tt_val x)
{
    x = tt_conv(b, x, "conv.0", .weight_norm = true, .biased = true, .act = TT_ACT_RELU, .k = 1);
    x = tt_pixel_shuffle(b, x, 2);
    return tt_blur(b, x, x);
}

/* The ReLU of the original covers what comes from below, too: that has no negative values to lose. */
tt_val tt_deoldify_decoder(tt_build *b, tt_val x, tt_val skip, bool deep, bool attention)
{
    tt_enter(b, "shuf.");
    tt_val y = tt_deoldify_upsample(b, x, skip);
    tt_leave(b);
    y = tt_concat(b, y, tt_activate(b, tt_batch_norm(b, skip, "bn"), TT_ACT_RELU, 0));
    y = conv_relu_bn(b, y, deep ? "conv1" : "conv");
    if (deep)
        y = conv_relu_bn(b, y, "conv2");
    if (attention) {
        tt_enter(b, deep ? "conv2.3." : "conv.3.");
        y = tt_deoldify_attention(b, y);
        tt_leave(b);
    }
    return y;
}

tt_val tt_deoldify_tail(tt_build *b, tt_val x)
{
    const tt_conv_opt same = {.spectral = true, .biased = true, .act = TT_ACT_RELU, .k = 3};
    const tt_val y = tt_conv_(b, x, "layers.0.0", same);
    return tt_add_scaled(b, x, 1, tt_conv_(b, y, "layers.1.0", same));
}

/* Layers 8 to 12, at full size: the last upsampling, x beside it, a residual block, three colours. */
static tt_val finish(tt_build *b, tt_val y, tt_val x)
{
    tt_enter(b, "layers.8.");
    y = tt_deoldify_last_upsample(b, y);
    tt_leave(b);
    tt_enter(b, "layers.10.");
    y = tt_deoldify_tail(b, tt_concat(b, y, x));
    tt_leave(b);
    y = tt_conv(b, y, "layers.11.0", .spectral = true, .biased = true, .out = 3, .k = 1);
    y = tt_scale_shift(b, tt_activate(b, y, TT_ACT_SIGMOID, 0), 6, -3);
    return y;
}

static tt_val deoldify(tt_build *b, tt_traits *t)
{
    /* either name of the pair may be the one that is missing */
    const bool deep = tt_has(b, "layers.4.conv1.0.weight_orig") || tt_has(b, "layers.4.conv1.0.weight") ||
                      tt_has(b, "layers.4.conv1.0.weight_u");
    int blocks[4];
    tt_val skip[4];
    const tt_val x = tt_input(b, 3);
    tt_val y = encoder(b, x, skip, blocks);
    y = tt_activate(b, tt_batch_norm(b, y, "layers.1"), TT_ACT_RELU, 0);
    y = conv_relu_bn(b, conv_relu_bn(b, y, "layers.3.0"), "layers.3.1");
    for (int i = 4; i <= 7; i++) {
        tt_enter(b, "layers.%d.", i);
        y = tt_deoldify_decoder(b, y, skip[7 - i], deep, i == 5);
        tt_leave(b);
    }
    t->colours = 1;
    t->multiple = 2;
    t->least = 2;
    snprintf(t->variant, sizeof t->variant, "%s, ResNet of %d+%d+%d+%d blocks, base width %d",
             deep ? "artistic (deep)" : "stable or video (wide)", blocks[0], blocks[1], blocks[2], blocks[3],
             tt_channels(b, skip[0]));
    return finish(b, y, x);
}

const tt_model tt_model_deoldify = {
    .name = "deoldify",
    .title = "DeOldify (artistic, stable, video)",
    .paper = "Antic, DeOldify, 2018; Zhang et al., Self-Attention Generative Adversarial Networks, 2019",
    .planes = TT_PLANES_RGB,
    .match = match,
    .build = deoldify,
};
