/*
 * nagadomi, "waifu2x", 2015: the plain chains vgg_7, upconv_7 and upconv_7l. There is no paper; the numbers
 * are those of the published program and weights. (Its U-Nets are in cunet.c.)
 *
 *     picture --> six times 3x3, LeakyReLU -+-> vgg_7:     3x3                              --> clamp to 0..1
 *                                           +-> upconv_7:  transposed 4x4, stride 2, cut 3  --> clamp to 0..1
 *
 *     widths   vgg_7        32  32  64  64 128 128
 *              upconv_7     16  32  64 128 128 256
 *              upconv_7l    32  64 128 192 256 512
 *
 * No layer pads: each 3x3 eats a pixel on every side, seven in all (of the input), which the picture is given
 * before. vgg_7 keeps the size; it is a denoiser, or sharpens what was enlarged by nearest neighbour before:
 * the weights are of the same form, so whoever runs it must know. Widths and planes (3, or 1 for luma) are
 * read from the shapes.
 */
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>

static bool match(const tt_weights *w)
{
    return tt_names_start(w, "net.0.") || tt_names_start(w, "net.12.");
}

static tt_val chain(tt_build *b, tt_traits *t)
{
    static const char *const layer[] = {"net.0", "net.2", "net.4", "net.6", "net.8", "net.10"};
    const size_t dim = tt_dim(b, "net.0.weight", 1);
    const int planes = dim ? (int)dim : 1; /* where it is missing, tt_conv() says so */
    /* [out,in,3,3], or transposed [in,out,4,4] */
    const bool up = tt_dim(b, "net.12.weight", 2) == 4;

    t->border = 7;
    t->least = 2 * t->border + 1;
    const size_t last = tt_dim(b, "net.10.weight", 0);
    snprintf(t->variant, sizeof t->variant, "%s%s%s", up ? "upconv_7" : "vgg_7", up && last == 512 ? "l" : "",
             planes == 1 ? ", luma" : "");

    tt_val z = tt_input(b, planes);
    for (int i = 0; i < 6; i++) {
        tt_need_bias(b, z, layer[i]);
        z = tt_conv(b, z, layer[i], .valid = true, .act = TT_ACT_PRELU, .slope = 0.1f, .k = 3);
    }
    if (!up) /* some files of upconv_7 have no bias there, some have zeros */
        tt_need_bias(b, z, "net.12");
    z = up ? tt_deconv(b, z, "net.12", .stride = 2, .pad = 3, .out = planes, .k = 4)
           : tt_conv(b, z, "net.12", .valid = true, .out = planes, .k = 3);
    return tt_clamp(b, z, 0.0f, 1.0f);
}

const tt_model tt_model_waifu2x = {
    .name = "waifu2x",
    .title = "waifu2x (vgg_7, upconv_7)",
    .paper = "nagadomi, waifu2x, 2015",
    .names = {"net.#"},
    .planes = TT_PLANES_RGB,
    .match = match,
    .build = chain,
};
