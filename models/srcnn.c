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
 * each layer; their widespread retrainings pad with zeros. The authors alone published 9-1-5 and 9-3-5, and
 * files of MATLAB's.
 */
#include "models/foreign.h"
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

static tt_status adopt_bias(tt_weights *w, const char *old, const char *name, size_t n, tt_error *err)
{
    return tt_foreign_turn(w, old, name, 1, (size_t[]){n}, (size_t[]){1}, err);
}

/*
 * The authors' files, MATLAB's, in which a window of k x k is one dimension of k^2, column by column (value r
 * + k * c is row r, column c):
 *
 *     weights_conv1 [k^2,n1]   weights_conv2 [n1,k^2,n2]   weights_conv3 [n2,k^2]   biases_conv1 to 3
 *
 * with the dimension that moves fastest first; ours stand in reverse. Their program repeats the edge pixel.
 */
static tt_status adopt(tt_weights *w, tt_error *err)
{
    const tt_tensor *const t1 = tt_weights_find(w, "weights_conv1"),
                           *const t2 = tt_weights_find(w, "weights_conv2"),
                           *const t3 = tt_weights_find(w, "weights_conv3");
    if (strcmp(w->format, "MATLAB 5") != 0 || !t1 || !t2 || !t3)
        return TT_OK;
    size_t n1 = t1->rank == 2 ? t1->shape[0] : 0, n2 = t3->rank == 2 ? t3->shape[1] : 0, k[3] = {1, 1, 1};
    const size_t area[] = {t1->shape[t1->rank > 1], n1 && n2 ? t2->count / n1 / n2 : 0, t3->shape[0]};
    for (int i = 0; i < 3; i++) {
        while (k[i] < 64 && k[i] * k[i] < area[i])
            k[i]++;
        if (k[i] * k[i] != area[i] || !n1 || !n2)
            return tt_fail(err, TT_ERR_FORMAT,
                           "%s: weights_conv1 to 3 are not those of SRCNN: dimensions k*k x n1, n1 x k*k x "
                           "n2, n2 x k*k are wanted",
                           w->path);
    }
    const size_t a = k[0], b = k[1], c = k[2];
    tt_status st = tt_foreign_turn(w, "weights_conv1", "conv1.weight", 4, (size_t[]){n1, 1, a, a},
                                   (size_t[]){a * a, 0, 1, a}, err);
    if (!st)
        st = tt_foreign_turn(w, "weights_conv2", "conv2.weight", 4, (size_t[]){n2, n1, b, b},
                             (size_t[]){n1 * b * b, 1, n1, n1 * b}, err);
    if (!st)
        st = tt_foreign_turn(w, "weights_conv3", "conv3.weight", 4, (size_t[]){1, n2, c, c},
                             (size_t[]){0, 1, n2, n2 * c}, err);
    if (!st)
        st = adopt_bias(w, "biases_conv1", "conv1.bias", n1, err);
    if (!st)
        st = adopt_bias(w, "biases_conv2", "conv2.bias", n2, err);
    if (!st)
        st = adopt_bias(w, "biases_conv3", "conv3.bias", 1, err);
    return st ? st : tt_weights_note(w, "padding", "replicate", err);
}

const tt_model tt_model_srcnn = {
    .name = "srcnn",
    .title = "SRCNN",
    .paper = "Dong et al., Image Super-Resolution Using Deep Convolutional Networks, 2014",
    .names = {"conv1 conv2 conv3"},
    .planes = TT_PLANES_LUMA,
    .match = match,
    .build = srcnn,
    .adopt = adopt,
};
