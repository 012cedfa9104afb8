/*
 * nagadomi, "waifu2x", 2018: cunet and upcunet, two U-Nets one after the other, with the
 * squeeze-and-excitation of Hu et al., "Squeeze-and-Excitation Networks", 2018 (section 3). There is no paper
 * of its own; the numbers are those of the published program and weights.
 *
 *     picture --> unet1 --+------------> crop 20 --(+)--> clamp to 0..1
 *                         +--> unet2 --------------^
 *
 * upcunet's first U-Net ends with a transposed convolution and so doubles the size; nothing else differs, and
 * that kernel's size (4, not 3) tells the two apart. Widths are read from the shapes.
 *
 * No layer pads. cunet eats 28 pixels on each side, upcunet 18 (36 of the enlarged picture). The stride-2
 * layers must meet even sizes.
 *
 * The squeeze is a mean over the whole map, so what a pixel becomes depends on the block it is computed in.
 * The published program cuts a picture into squares of 256 input pixels, border included: that is part of the
 * result.
 *
 * The weights do not say whether what lies between the U-Nets is clamped to 0..1: the first program and its
 * weights do not (clip=no); a later port of the author does, for some files (clip=yes).
 */
#include "models/foreign.h"
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

static bool match(const tt_weights *w)
{
    return tt_names_start(w, "unet1.") && tt_names_start(w, "unet2.");
}

/* The convolutions of both U-Nets: no padding, LeakyReLU 0.1. */
static tt_val conv(tt_build *b, tt_val x, const char *name, int k, int stride)
{
    tt_need_bias(b, x, name);
    return tt_conv(b, x, name, .valid = true, .stride = stride, .act = TT_ACT_PRELU, .slope = 0.1f, .k = k);
}

static tt_val down(tt_build *b, tt_val x, const char *name) /* n -> n / 2 */
{
    return conv(b, x, name, 2, 2);
}

static tt_val up(tt_build *b, tt_val x, const char *name) /* n -> 2n */
{
    return tt_deconv(b, x, name, .stride = 2, .act = TT_ACT_PRELU, .slope = 0.1f, .k = 2);
}

/* Two 3x3; n -> n - 4. */
static tt_val twice_3x3(tt_build *b, tt_val x, const char *name)
{
    tt_enter(b, "%s.conv.", name);
    x = conv(b, conv(b, x, "0", 3, 1), "2", 3, 1);
    tt_leave(b);
    return x;
}

/* Hu et al., figure 1: each channel times a number in 0..1 that follows from all means (equations 2 to 4). */
static tt_val squeeze_excite(tt_build *b, tt_val x)
{
    tt_val s = tt_mean(b, x);
    tt_need_bias(b, s, "conv1");
    s = tt_conv(b, s, "conv1", .act = TT_ACT_RELU, .k = 1);
    tt_need_bias(b, s, "conv2");
    s = tt_conv(b, s, "conv2", .k = 1);
    return tt_gate(b, x, tt_activate(b, s, TT_ACT_SIGMOID, 0.0f));
}

static tt_val excited(tt_build *b, tt_val x, const char *name)
{
    x = twice_3x3(b, x, name);
    tt_enter(b, "%s.seblock.", name);
    x = squeeze_excite(b, x);
    tt_leave(b);
    return x;
}

/*
 *     n        n-4                                                  n-14      cunet n-16, upcunet 2n-32
 *     conv1 -+---------------- crop 4 ------------------(+)-> conv3 -> conv_bottom
 *            +-> conv1_down -> conv2, excited -> conv2_up-^ n-12
 */
static tt_val unet1(tt_build *b, tt_val x, int planes, bool enlarge)
{
    tt_val a = twice_3x3(b, x, "conv1");
    tt_val c = excited(b, down(b, a, "conv1_down"), "conv2");
    c = up(b, c, "conv2_up"); /* a line of its own: nodes have an order, arguments of a call have none */
    c = tt_add_scaled(b, tt_crop(b, a, 4), 1.0f, c);
    c = conv(b, c, "conv3", 3, 1);
    if (enlarge)
        return tt_deconv(b, c, "conv_bottom", .stride = 2, .pad = 3, .out = planes, .k = 4);
    tt_need_bias(b, c, "conv_bottom");
    return tt_conv(b, c, "conv_bottom", .valid = true, .out = planes, .k = 3);
}

/*
 *     m        m-4                                                                      m-38     m-40
 *     conv1 -+------------------------------ crop 16 ----------------------------(+)-> conv5 -> conv_bottom
 *            |             m/2-6                                                  ^ m-36
 *            +-> conv1_down -> conv2 -+----------- crop 4 ---------(+)-> conv4 -> conv4_up
 *                                     |                             ^ m/2-14
 *                                     +-> conv2_down -> conv3 -> conv3_up
 */
static tt_val unet2(tt_build *b, tt_val x, int planes)
{
    tt_val a = twice_3x3(b, x, "conv1");
    tt_val c = excited(b, down(b, a, "conv1_down"), "conv2");
    tt_val d = excited(b, down(b, c, "conv2_down"), "conv3");
    d = up(b, d, "conv3_up");
    d = tt_add_scaled(b, tt_crop(b, c, 4), 1.0f, d);
    d = excited(b, d, "conv4");
    d = up(b, d, "conv4_up");
    d = tt_add_scaled(b, tt_crop(b, a, 16), 1.0f, d);
    d = conv(b, d, "conv5", 3, 1);
    tt_need_bias(b, d, "conv_bottom");
    return tt_conv(b, d, "conv_bottom", .valid = true, .out = planes, .k = 3);
}

static tt_val cunet(tt_build *b, tt_traits *t)
{
    const size_t dim = tt_dim(b, "unet1.conv1.conv.0.weight", 1);
    const int planes = dim ? (int)dim : 1; /* where it is missing, tt_conv() says so */
    const bool enlarge = tt_dim(b, "unet1.conv_bottom.weight", 2) == 4;
    const char *word = tt_setting(b, "clip", "no yes", "no");
    const bool clip = word && strcmp(word, "yes") == 0;

    t->border = enlarge ? 18 : 28;
    t->multiple = enlarge ? 2 : 4;
    t->least = enlarge ? 40 : 60;
    t->block = 256;
    snprintf(t->variant, sizeof t->variant, "%s%s%s", enlarge ? "upcunet" : "cunet",
             planes == 1 ? ", luma" : "", clip ? ", clamped between" : "");

    tt_val x = tt_input(b, planes);
    tt_enter(b, "unet1.");
    tt_val z1 = unet1(b, x, planes, enlarge);
    tt_leave(b);
    if (clip)
        z1 = tt_clamp(b, z1, 0.0f, 1.0f);
    tt_enter(b, "unet2.");
    tt_val z2 = unet2(b, z1, planes);
    tt_leave(b);
    return tt_clamp(b, tt_add_scaled(b, tt_crop(b, z1, 20), 1.0f, z2), 0.0f, 1.0f);
}

/* All files hold them in this order, whatever program they are for. */
static const char *const in_order[] = {
    "unet1.conv1.conv.0",        "unet1.conv1.conv.2",        "unet1.conv1_down",          "unet1.conv2.conv.0",
    "unet1.conv2.conv.2",        "unet1.conv2.seblock.conv1", "unet1.conv2.seblock.conv2", "unet1.conv2_up",
    "unet1.conv3",               "unet1.conv_bottom",         "unet2.conv1.conv.0",        "unet2.conv1.conv.2",
    "unet2.conv1_down",          "unet2.conv2.conv.0",        "unet2.conv2.conv.2",        "unet2.conv2.seblock.conv1",
    "unet2.conv2.seblock.conv2", "unet2.conv2_down",          "unet2.conv3.conv.0",        "unet2.conv3.conv.2",
    "unet2.conv3.seblock.conv1", "unet2.conv3.seblock.conv2", "unet2.conv3_up",            "unet2.conv4.conv.0",
    "unet2.conv4.conv.2",        "unet2.conv4.seblock.conv1", "unet2.conv4.seblock.conv2", "unet2.conv4_up",
    "unet2.conv5",               "unet2.conv_bottom",
};
enum { LAYERS = sizeof in_order / sizeof *in_order };

static void name_conv(char *to, size_t room, size_t i, const void *arg)
{
    (void)arg;
    snprintf(to, room, "%s", in_order[i]);
}

static tt_status adopt(tt_weights *w, tt_error *err)
{
    const bool ncnn = !strcmp(w->format, "ncnn") && tt_foreign_layers(w, "Scale");
    if ((!ncnn && strcmp(w->format, "waifu2x JSON") != 0) || tt_foreign_convs(w) != LAYERS)
        return TT_OK;
    return tt_foreign_name(w, name_conv, NULL, NULL, err);
}

const tt_model tt_model_cunet = {
    .name = "cunet",
    .title = "waifu2x (cunet, upcunet)",
    .paper = "nagadomi, waifu2x, 2018",
    .names = {"unet#.conv#.conv.# unet#.conv#.seblock.conv# unet#.conv#_down unet#.conv#_up unet#.conv# unet#.conv_bottom"},
    .planes = TT_PLANES_RGB,
    .match = match,
    .build = cunet,
    .adopt = adopt,
};
