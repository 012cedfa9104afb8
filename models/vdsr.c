/*
 * Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016 (CVPR).
 *
 * Figure 2, D layers of 3x3 (20 in the paper):
 *
 *     luma -+-> input -> ReLU -> layer 0 -> ReLU -> ... -> layer D-3 -> ReLU -> output --(+)--> picture
 *           |                                                                             ^
 *           +-----------------------------------------------------------------------------+
 *
 * The luma is that of the picture enlarged by bicubic.
 *
 * Every layer pads with zeros (section 3.1); the network gives the residual alone (section 3.2), and one
 * set of weights serves every scale (section 4.3). Depth and width (64) are read from the names and shapes.
 * The paper's layers have biases, the best known retraining has none: each is used where it is there.
 */
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>

static bool match(const tt_weights *w)
{
    return tt_names_start(w, "residual_layer.");
}

static bool has_layer(tt_build *b, int i)
{
    tt_enter(b, "residual_layer.%d.", i);
    const bool has = tt_has(b, "conv.weight") || tt_has(b, "conv.bias");
    tt_leave(b);
    return has;
}

static tt_val layer(tt_build *b, tt_val x, const char *name, tt_act act, int out, bool biased)
{
    if (biased)
        tt_need_bias(b, x, name);
    return tt_conv(b, x, name, .act = act, .out = out, .k = 3);
}

static tt_val vdsr(tt_build *b, tt_traits *t)
{
    const size_t planes = tt_dim(b, "input.weight", 1);
    const bool biased = tt_has(b, "input.bias") || tt_has(b, "output.bias");
    if (planes > 1)
        tt_refuse(b, "input.weight reads %zu planes; VDSR is known for one, luma", planes);

    tt_val y = tt_input(b, 1);
    tt_val z = layer(b, y, "input", TT_ACT_RELU, 0, biased);
    int layers = 0;
    for (; has_layer(b, layers) || has_layer(b, layers + 1); layers++) { /* a gap: tt_conv() says where */
        tt_enter(b, "residual_layer.%d.", layers);
        z = layer(b, z, "conv", TT_ACT_RELU, 0, biased);
        tt_leave(b);
    }
    tt_val residual = layer(b, z, "output", TT_ACT_NONE, 1, biased);

    t->enlarge_first = 1;
    snprintf(t->variant, sizeof t->variant, "%d layers, %zu features", layers + 2,
             tt_dim(b, "input.weight", 0));
    return tt_add_scaled(b, y, 1.0f, residual);
}

const tt_model tt_model_vdsr = {
    .name = "vdsr",
    .title = "VDSR",
    .paper = "Kim et al., Accurate Image Super-Resolution Using Very Deep Convolutional Networks, 2016",
    .names = {"input residual_layer.#.conv output"},
    .planes = TT_PLANES_LUMA,
    .match = match,
    .build = vdsr,
};
