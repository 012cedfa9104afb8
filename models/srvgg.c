/*
 * Wang et al., "Real-ESRGAN", 2021: the small network of the same project, SRVGGNetCompact
 * (realesr-animevideov3, realesr-general-x4v3). It came after the paper; the numbers are those of the
 * published class. What it is made of: the pixel shuffle of Shi et al. 2016 (equation 4), the PReLU of He et
 * al. 2015 (equation 1).
 *
 *     LR -+--> conv, act --> n times conv, act --> conv --> pixel shuffle s --(+)--> SR
 *         +-----------------------------> nearest neighbour times s -----------^
 *
 * All 3x3, zero padding, bias. Convolutions are body.0, body.2, ...; their PReLU slopes, one a channel,
 * body.1, body.3, ...  The class can be made with ReLU or LeakyReLU (0.1) instead, which leave nothing in the
 * file: then act_type=relu tells, and leakyrelu is taken without it.
 *
 * realesr-animevideov3 x2 and x3 are the x4 network, its result reduced by bicubic: reduce=1/2, reduce=3/4.
 */
#include "models/foreign.h"
#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <string.h>

static bool match(const tt_weights *w)
{
    return tt_weights_find(w, "body.0.weight") || tt_weights_find(w, "body.2.weight");
}

static size_t dim(tt_build *b, int i, int axis)
{
    char name[32];
    snprintf(name, sizeof name, "body.%d.weight", i);
    return tt_dim(b, name, axis);
}

/* Anything of convolution i counts: of a file that lacks one tensor, tt_conv() says which. */
static bool has(tt_build *b, int i)
{
    char name[32];
    snprintf(name, sizeof name, "body.%d.bias", i);
    return dim(b, i, 0) || tt_has(b, name);
}

/* The last layer makes s * s values for each plane of the picture; 0 where that cannot be. */
static int scale_of(size_t made, size_t planes)
{
    for (size_t s = 1; s <= 16; s++)
        if (s * s * planes == made)
            return (int)s;
    return 0;
}

static tt_val layer(tt_build *b, tt_val x, int i, tt_act act, bool slopes)
{
    char name[32], prelu[32];
    snprintf(name, sizeof name, "body.%d", i);
    snprintf(prelu, sizeof prelu, "body.%d.weight", i + 1);
    tt_need_bias(b, x, name);
    return tt_conv(b, x, name, .act = act, .slope = 0.1f, .slopes = slopes ? prelu : NULL, .k = 3);
}

static tt_val srvgg(tt_build *b, tt_traits *t)
{
    const bool slopes = tt_has(b, "body.1.weight") || tt_has(b, "body.3.weight");
    const char *word = slopes ? tt_setting(b, "act_type", "prelu", "prelu")
                              : tt_setting(b, "act_type", "leakyrelu relu", "leakyrelu");
    const tt_act act = word && strcmp(word, "relu") == 0 ? TT_ACT_RELU : TT_ACT_PRELU;

    int last = 0;
    while (has(b, last + 2))
        last += 2;
    const size_t planes = dim(b, 0, 1), made = dim(b, last, 0);
    const int s = planes && made ? scale_of(made, planes) : 1; /* a missing weight: tt_conv() says so */
    if (!s)
        tt_refuse(b, "body.%d.weight makes %zu values a pixel, no square times the picture's %zu planes",
                  last, made, planes);
    const char *reduce = s == 4 ? tt_setting(b, "reduce", "no 1/2 3/4", "no") : NULL;
    if (reduce && !strcmp(reduce, "no"))
        reduce = NULL;
    snprintf(t->variant, sizeof t->variant, "SRVGGNetCompact x%d, %zu features, %d convolutions, %s%s%s", s,
             dim(b, 0, 0), last / 2 + 1, word ? word : "", reduce ? ", reduced to " : "",
             reduce ? reduce : "");

    tt_val x = tt_input(b, planes ? (int)planes : 1), z = x;
    for (int i = 0; i < last; i += 2)
        z = layer(b, z, i, act, slopes);
    z = layer(b, z, last, TT_ACT_NONE, false);
    if (s == 1)
        return tt_add_scaled(b, x, 1.0f, z);
    z = tt_pixel_shuffle(b, z, s); /* a line of its own: nodes have an order, arguments of a call have none */
    z = tt_add_scaled(b, tt_nearest(b, x, s), 1.0f, z);
    return reduce ? tt_reduce(b, z, reduce[0] - '0', reduce[2] - '0') : z;
}

static void name_conv(char *to, size_t room, size_t i, const void *arg)
{
    (void)arg;
    snprintf(to, room, "body.%zu", 2 * i);
}

static void name_prelu(char *to, size_t room, size_t i, const void *arg)
{
    (void)arg;
    snprintf(to, room, "body.%zu", 2 * i + 1);
}

/* Of ncnn's files the one with a pixel shuffle or PReLUs and no concatenation. Where it lists ReLUs, it is
 * made with them. A bicubic Interp at the end is the reduction. */
static tt_status adopt(tt_weights *w, tt_error *err)
{
    if (strcmp(w->format, "ncnn") != 0 || tt_foreign_layers(w, "Concat") ||
        (!tt_foreign_layers(w, "PixelShuffle") && !tt_foreign_layers(w, "PReLU")))
        return TT_OK;
    bool relu = false;
    const char *reduce = NULL;
    for (size_t i = 0; i < w->layer_count; i++) {
        const tt_layer *l = &w->layers[i];
        if (!strcmp(l->type, "Interp") && tt_layer_number(l, 0, 0, 0) == 3)
            reduce = tt_layer_number(l, 1, 0, 1) == 0.5 ? "1/2" : "3/4";
        relu = relu || tt_layer_number(l, 9, 0, 0) == 1 ||
               (!strcmp(l->type, "ReLU") && tt_layer_number(l, 0, 0, 0) == 0);
    }
    tt_status st = relu ? tt_weights_note(w, "act_type", "relu", err) : TT_OK;
    if (!st && reduce)
        st = tt_weights_note(w, "reduce", reduce, err);
    return st ? st : tt_foreign_name(w, name_conv, name_prelu, NULL, err);
}

const tt_model tt_model_srvgg = {
    .name = "srvgg",
    .title = "Real-ESRGAN, small (SRVGGNetCompact)",
    .paper = "Wang et al., Real-ESRGAN, 2021",
    .names = {"body.#"},
    .planes = TT_PLANES_RGB,
    .match = match,
    .build = srvgg,
    .adopt = adopt,
};
