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
 * before. vgg_7 keeps the size. It is a denoiser, or makes good what was enlarged twice by nearest neighbour
 * before: the weights are of the same form, and task=scale|noise says which. Widths and planes (3, or 1 for
 * luma) are read from the shapes.
 */
#include "models/foreign.h"
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

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

    const char *word = up ? NULL : tt_setting(b, "task", "noise scale", "noise");
    const bool enlarge = word && strcmp(word, "scale") == 0;

    /* enlarged, four pixels are eight: the eighth is cut off */
    t->border = enlarge ? 4 : 7;
    t->least = 2 * t->border + 1;
    const size_t last = tt_dim(b, "net.10.weight", 0);
    snprintf(t->variant, sizeof t->variant, "%s%s%s%s", up ? "upconv_7" : "vgg_7",
             up && last == 512 ? "l" : "", planes == 1 ? ", luma" : "", enlarge ? ", enlarges" : "");

    tt_val z = tt_input(b, planes);
    if (enlarge)
        z = tt_prepared(b, tt_crop(b, tt_nearest(b, z, 2), 1));
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

static void name_conv(char *to, size_t room, size_t i, const void *arg)
{
    (void)arg;
    snprintf(to, room, "net.%zu", 2 * i);
}

/* Is this vgg_7 an enlarger? The JSON's configuration says so, or the file's name; else it is not known. */
static const char *task(const tt_weights *w)
{
    const char *slash = strrchr(w->path, '/'), *name = slash ? slash + 1 : w->path;
    const char *resize = tt_weights_said(w, "resize"), *factor = tt_weights_said(w, "scale_factor");
    if (resize)
        return !strcmp(resize, "true") ? "scale" : "noise";
    if (factor && !strcmp(factor, "2"))
        return "scale";
    return strstr(name, "noise") ? "noise" : strstr(name, "scale") ? "scale" : NULL;
}

static tt_status adopt(tt_weights *w, tt_error *err)
{
    const bool listed = !strcmp(w->format, "ncnn") || !strcmp(w->format, "waifu2x JSON");
    tt_status st = TT_OK;
    if (listed && tt_foreign_convs(w) == 7 && !tt_foreign_layers(w, "PixelShuffle") &&
        !tt_foreign_layers(w, "PReLU"))
        st = tt_foreign_name(w, name_conv, NULL, NULL, err);
    /* what the name says is good for any format */
    const tt_tensor *last = tt_weights_find(w, "net.12.weight");
    const bool vgg = last && last->rank == 4 && last->shape[2] == 3;
    return st || !vgg || tt_weights_said(w, "task") || !task(w) ? st : tt_weights_note(w, "task", task(w), err);
}

const tt_model tt_model_waifu2x = {
    .name = "waifu2x",
    .title = "waifu2x (vgg_7, upconv_7)",
    .paper = "nagadomi, waifu2x, 2015",
    .names = {"net.#"},
    .planes = TT_PLANES_RGB,
    .match = match,
    .build = chain,
    .adopt = adopt,
};
