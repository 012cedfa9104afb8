/*
 * Dong, Loy, He, Tang, "Image Super-Resolution Using Deep Convolutional Networks", 2014 and 2016.
 *
 * Figure 2:
 *
 *     enlarged --> f1 x f1, n1 --> ReLU --> f2 x f2, n2 --> ReLU --> f3 x f3, 1 --> picture
 *     luma         patches and              non-linear               reconstruction
 *                  their features           mapping
 *
 * "9-1-5" are f1-f2-f3 (section 4.3.2), n1 = 64 and n2 = 32; all five numbers are read from the shapes. The
 * picture is enlarged by bicubic before (section 3.1), and its luma alone goes through (section 4.5).
 *
 * The weights do not say how a layer sees past the edge. The authors' program repeats the edge pixel before
 * each layer; their widespread retrainings pad with zeros. The authors alone published 9-1-5 and 9-3-5.
 */
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

static bool match(const tt_weights *w)
{
    int found = 0;
    found += tt_weights_find(w, "conv1.weight") != NULL;
    found += tt_weights_find(w, "conv2.weight") != NULL;
    found += tt_weights_find(w, "conv3.weight") != NULL;
    /* one may be missing: build() says which; but no more tensors, as such names are common */
    return found >= 2 && w->count <= 8;
}

static tt_val layer(tt_build *b, tt_val x, const char *name, tt_act act, int out, bool replicate)
{
    tt_need_bias(b, x, name);
    return tt_conv(b, x, name, .act = act, .out = out, .replicate = replicate);
}

static tt_val srcnn(tt_build *b, tt_traits *t)
{
    const size_t planes = tt_dim(b, "conv1.weight", 1), f1 = tt_dim(b, "conv1.weight", 2);
    const size_t f2 = tt_dim(b, "conv2.weight", 2), f3 = tt_dim(b, "conv3.weight", 2);
    const char *padding = tt_setting(b, "padding", "zero replicate", f2 == 5 ? "zero" : "replicate");
    const bool replicate = padding && strcmp(padding, "replicate") == 0;
    if (planes > 1)
        tt_refuse(b, "conv1.weight reads %zu planes; SRCNN is known for one, luma", planes);

    t->enlarge_first = 1;
    snprintf(t->variant, sizeof t->variant, "%zu-%zu-%zu, %s padding", f1, f2, f3,
             replicate ? "replicate" : "zero");

    tt_val y = tt_input(b, 1);
    y = layer(b, y, "conv1", TT_ACT_RELU, 0, replicate);    /* equation 1 */
    y = layer(b, y, "conv2", TT_ACT_RELU, 0, replicate);    /* equation 2 */
    return layer(b, y, "conv3", TT_ACT_NONE, 1, replicate); /* equation 3 */
}

const tt_model tt_model_srcnn = {
    .name = "srcnn",
    .title = "SRCNN",
    .paper = "Dong et al., Image Super-Resolution Using Deep Convolutional Networks, 2014",
    .names = {"conv1 conv2 conv3"},
    .planes = TT_PLANES_LUMA,
    .match = match,
    .build = srcnn,
};
