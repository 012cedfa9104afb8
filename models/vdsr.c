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
#include "models/foreign.h"
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

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

enum { MOST_LAYERS = 256 };

/*
 * The authors' file, MATLAB's: model.weight and model.bias, cells with an entry a layer, the weights with
 * dimensions row, column, in, out. Here they come in reverse (the row moves fastest), and MATLAB drops the
 * last layer's one output.
 */
static tt_status adopt_layer(tt_weights *w, int i, const char *name, tt_error *err)
{
    char old[32], whole[64];
    snprintf(old, sizeof old, "model.weight.%d", i);
    const tt_tensor *t = tt_weights_find(w, old);
    const size_t *s = t->shape + (t->rank == 4);
    if (t->rank < 3 || t->rank > 4 || s[1] != s[2] || s[1] > 64)
        return tt_fail(err, TT_ERR_FORMAT, "%s: %s: the dimensions k x k x in x out are wanted", w->path,
                       old);
    const size_t out = t->rank == 4 ? t->shape[0] : 1, in = s[0], k = s[1];
    snprintf(whole, sizeof whole, "%s.weight", name);
    const tt_status st = tt_foreign_turn(w, old, whole, 4, (size_t[]){out, in, k, k},
                                         (size_t[]){in * k * k, k * k, 1, k}, err);
    snprintf(old, sizeof old, "model.bias.%d", i);
    snprintf(whole, sizeof whole, "%s.bias", name);
    return st || !tt_weights_find(w, old)
               ? st
               : tt_foreign_turn(w, old, whole, 1, (size_t[]){out}, (size_t[]){1}, err);
}

static tt_status adopt(tt_weights *w, tt_error *err)
{
    char name[40];
    int layers = 0;
    if (strcmp(w->format, "MATLAB 5") != 0 ||
        w->count > 4 * MOST_LAYERS) /* each is found, turned, sorted in */
        return TT_OK;
    for (; layers < MOST_LAYERS; layers++) {
        snprintf(name, sizeof name, "model.weight.%d", layers);
        if (!tt_weights_find(w, name))
            break;
    }
    tt_status st = TT_OK;
    for (int i = 0; i < layers && layers >= 3 && !st; i++) {
        snprintf(name, sizeof name, "residual_layer.%d.conv", i - 1);
        st = adopt_layer(w, i, i == 0 ? "input" : i == layers - 1 ? "output" : name, err);
    }
    return st;
}

const tt_model tt_model_vdsr = {
    .name = "vdsr",
    .title = "VDSR",
    .paper = "Kim et al., Accurate Image Super-Resolution Using Very Deep Convolutional Networks, 2016",
    .names = {"input residual_layer.#.conv output"},
    .planes = TT_PLANES_LUMA,
    .match = match,
    .build = vdsr,
    .adopt = adopt,
};
