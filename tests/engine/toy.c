#include "tests/engine/toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40 };

/* A weight file under construction. */
typedef struct toy {
    tt_tensor_out t[MOST];
    char name[MOST][32];
    int count;
} toy;

float *toy_noise(size_t n, unsigned seed)
{
    float *p = malloc((n ? n : 1) * sizeof *p);
    for (size_t i = 0; p && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return p;
}

static void tensor(toy *y, const char *name, const char *suffix, int rank, size_t a, size_t b, size_t k, float scale)
{
    tt_tensor_out *t = &y->t[y->count];
    snprintf(y->name[y->count], sizeof y->name[0], "%s%s", name, suffix);
    t->name = y->name[y->count];
    t->rank = rank;
    t->shape[0] = a;
    t->shape[1] = b;
    t->shape[2] = t->shape[3] = k;
    const size_t n = rank == 1 ? a : a * b * k * k;
    float *v = toy_noise(n, 17u * (unsigned)y->count + 1);
    for (size_t i = 0; v && i < n; i++)
        v[i] *= scale;
    t->data = v;
    y->count++;
}

static void layer(toy *y, const char *name, size_t a, size_t b, size_t k)
{
    tensor(y, name, ".weight", 4, a, b, k, 0.3f);
    tensor(y, name, ".bias", 1, a, 0, 0, 0.1f);
}

static tt_val dense(tt_build *b)
{
    const tt_val x = tt_conv(b, tt_input(b, 3), "first");
    tt_val seen = x;
    const char *const name[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        seen = tt_concat(b, seen, tt_conv(b, seen, name[i], .act = TT_ACT_PRELU, .slope = 0.2f));
    tt_val y = tt_add_scaled(b, x, 0.2f, tt_conv(b, seen, "d"));
    y = tt_add_scaled(b, x, 0.2f, y);
    return tt_clamp(b, tt_conv(b, tt_nearest(b, y, 2), "last"), 0, 1);
}

static tt_val shuffle(tt_build *b)
{
    const tt_val x = tt_input(b, 3);
    const tt_val y = tt_conv(b, tt_conv(b, x, "a", .act = TT_ACT_RELU), "b");
    return tt_add_scaled(b, tt_pixel_shuffle(b, y, 2), 1, tt_nearest(b, x, 2));
}

static tt_val hourglass(tt_build *b)
{
    const tt_val x = tt_conv(b, tt_input(b, 3), "a", .valid = true, .act = TT_ACT_PRELU, .slope = 0.1f);
    tt_val y = tt_conv(b, x, "down", .valid = true, .stride = 2);
    y = tt_gate(b, y, tt_activate(b, tt_mean(b, y), TT_ACT_SIGMOID, 0));
    y = tt_conv(b, y, "c", .valid = true);
    y = tt_deconv(b, y, "up", .stride = 2, .act = TT_ACT_PRELU, .slope = 0.1f);
    return tt_conv(b, tt_add_scaled(b, tt_crop(b, x, 2), 1, y), "last", .valid = true);
}

static tt_val tokens(tt_build *b)
{
    const tt_val in = tt_input(b, 3), first = tt_conv(b, tt_pad(b, in, 4), "first");
    tt_val x = first;
    for (int i = 0; i < 2; i++) {
        tt_val y = tt_linear(b, tt_layer_norm(b, x, "norm", 1e-5f), "qkv", 54);
        y = tt_linear(b, tt_window_attention(b, y, "table", 4, 2 * i), "proj", 18);
        x = tt_add_scaled(b, x, 1, y);
        y = tt_gelu(b, tt_linear(b, tt_layer_norm(b, x, "norm", 1e-5f), "fc1", 0));
        x = tt_add_scaled(b, x, 1, tt_linear(b, y, "fc2", 18));
    }
    x = tt_add_scaled(b, first, 1, tt_conv(b, x, "after"));
    return tt_fit(b, tt_conv(b, x, "last"), in, 1);
}

static void flat(toy *y, const char *name, size_t a, size_t b)
{
    tensor(y, name, ".weight", b ? 2 : 1, a, b, 1, 0.3f);
    tensor(y, name, ".bias", 1, a, 0, 0, 0.1f);
}

/* A skip over all the others, strides and their inverse, views, a view that must be copied; even sides. */
static tt_val ladder(tt_build *b)
{
    const tt_val in = tt_input(b, 3), x = tt_conv(b, in, "first");
    tt_val y = x;
    const char *const name[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++)
        y = tt_conv(b, y, name[i], .act = TT_ACT_PRELU, .slope = 0.2f);
    tt_val z = tt_conv(b, y, "down", .valid = true, .stride = 2, .act = TT_ACT_RELU);
    z = tt_deconv(b, tt_conv(b, z, "low"), "up", .stride = 2);
    z = tt_conv(b, tt_concat(b, tt_add_scaled(b, y, 0.5f, z), x), "mix", .act = TT_ACT_RELU);
    z = tt_conv(b, tt_crop(b, tt_nearest(b, z, 3), 2), "cut");
    z = tt_pixel_unshuffle(b, tt_conv(b, tt_concat(b, z, tt_crop(b, tt_nearest(b, in, 3), 2)), "last"), 2);
    return tt_pixel_shuffle(b, tt_conv(b, z, "wide", .replicate = true), 2);
}

static tt_val windows(tt_build *b)
{
    const tt_val x = tt_conv(b, tt_input(b, 3), "first");
    tt_val y = tt_add_scaled(b, x, 0.2f, tt_conv(b, x, "a", .act = TT_ACT_PRELU, .slope = 0.2f));
    y = tt_add_scaled(b, x, -0.5f, y);
    y = tt_conv(b, tt_concat(b, x, y), "b", .valid = true, .act = TT_ACT_RELU);
    y = tt_clamp(b, tt_conv(b, y, "c", .replicate = true), -1, 1);
    return tt_conv(b, tt_pixel_shuffle(b, tt_conv(b, y, "d"), 2), "last");
}

static tt_status make(toy *y, tt_val (*describe)(tt_build *), tt_net **net, unsigned cpu, tt_error *err)
{
    unsigned char *bytes = NULL;
    size_t size;
    tt_weights w = {0};
    tt_graph *g = NULL;
    tt_kernels k;
    *net = NULL;
    tt_kernels_init(&k, cpu);
    tt_status st = TT_OK;
    for (int i = 0; i < y->count && !st; i++)
        st = y->t[i].data ? TT_OK : tt_fail_memory(err, 0);
    if (!st)
        st = tt_safetensors_write(y->t, (size_t)y->count, NULL, &bytes, &size, err);
    if (!st)
        st = tt_weights_open_memory(&w, bytes, size, "toy", err);
    if (!st) {
        tt_build *b = tt_build_new(&w, NULL);
        st = b ? tt_build_finish(b, describe(b), &g, err) : tt_fail_memory(err, 0);
    }
    if (!st)
        st = tt_net_new(net, g, &k, err);
    tt_graph_free(g);
    tt_weights_clear(&w);
    free(bytes);
    for (int i = 0; i < y->count; i++)
        free((void *)y->t[i].data);
    return st;
}

tt_status toy_dense(tt_net **net, unsigned cpu, tt_error *err)
{
    toy y = {0};
    layer(&y, "first", 20, 3, 3);
    layer(&y, "a", 8, 20, 3);
    layer(&y, "b", 8, 28, 3);
    layer(&y, "c", 8, 36, 3);
    layer(&y, "d", 20, 44, 3);
    layer(&y, "last", 3, 20, 3);
    return make(&y, dense, net, cpu, err);
}

tt_status toy_shuffle(tt_net **net, unsigned cpu, tt_error *err)
{
    toy y = {0};
    layer(&y, "a", 24, 3, 3);
    layer(&y, "b", 12, 24, 5);
    return make(&y, shuffle, net, cpu, err);
}

tt_status toy_hourglass(tt_net **net, unsigned cpu, tt_error *err)
{
    toy y = {0};
    layer(&y, "a", 17, 3, 3);
    layer(&y, "down", 17, 17, 2);
    layer(&y, "c", 17, 17, 3);
    tensor(&y, "up", ".weight", 4, 17, 17, 2, 0.3f);
    tensor(&y, "up", ".bias", 1, 17, 0, 0, 0.1f);
    layer(&y, "last", 2, 17, 3);
    return make(&y, hourglass, net, cpu, err);
}

tt_status toy_tokens(tt_net **net, unsigned cpu, tt_error *err)
{
    toy y = {0};
    layer(&y, "first", 18, 3, 3);
    flat(&y, "norm", 18, 0);
    flat(&y, "qkv", 54, 18);
    tensor(&y, "table", "", 2, 49, 3, 1, 0.5f);
    flat(&y, "proj", 18, 18);
    flat(&y, "fc1", 31, 18);
    flat(&y, "fc2", 18, 31);
    layer(&y, "after", 18, 18, 3);
    layer(&y, "last", 3, 18, 3);
    return make(&y, tokens, net, cpu, err);
}

tt_status toy_ladder(tt_net **net, unsigned cpu, tt_error *err)
{
    toy y = {0};
    layer(&y, "first", 18, 3, 3);
    const char *const name[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++)
        layer(&y, name[i], 18, 18, i == 2 ? 5 : 3);
    layer(&y, "down", 24, 18, 2);
    layer(&y, "low", 24, 24, 3);
    tensor(&y, "up", ".weight", 4, 24, 18, 2, 0.3f);
    tensor(&y, "up", ".bias", 1, 18, 0, 0, 0.1f);
    layer(&y, "mix", 9, 36, 1);
    layer(&y, "cut", 7, 9, 3);
    layer(&y, "last", 6, 10, 3);
    layer(&y, "wide", 12, 24, 3);
    return make(&y, ladder, net, cpu, err);
}

static void windows_toy(toy *y, size_t c, size_t size)
{
    const float scale = 1.0f / (float)(c * size); /* values keep their order of magnitude */
    tensor(y, "first", ".weight", 4, c, 3, 1, 1);
    tensor(y, "a", ".weight", 4, c, c, size, 3 * scale);
    tensor(y, "b", ".weight", 4, c, 2 * c, size, 2 * scale);
    tensor(y, "b", ".bias", 1, c, 0, 0, 0.1f);
    tensor(y, "c", ".weight", 4, c, c, size, 3 * scale);
    tensor(y, "c", ".bias", 1, c, 0, 0, 0.1f);
    tensor(y, "d", ".weight", 4, 20, c, size, 3 * scale);
    tensor(y, "last", ".weight", 4, 3, 5, 1, 1);
}

tt_status toy_windows(tt_net **net, unsigned cpu, int channels, int k, tt_error *err)
{
    toy y = {0};
    windows_toy(&y, (size_t)channels, (size_t)k);
    return make(&y, windows, net, cpu, err);
}

static tt_val rounded(tt_build *b)
{
    return tt_deconv(b, windows(b), "up", .stride = 2);
}

tt_status toy_rounded(tt_net **net, unsigned cpu, int channels, tt_dtype type, bool wide, tt_error *err)
{
    toy y = {0};
    windows_toy(&y, (size_t)channels, 3);
    tt_kernels k;
    tt_kernels_init(&k, 0);
    tensor(&y, "up", ".weight", 4, 3, 400, 2, 1);
    for (int i = 0; i < y.count; i++) {
        size_t n = 1;
        for (int j = 0; j < y.t[i].rank; j++)
            n *= y.t[i].shape[j];
        uint16_t *half = malloc(n * sizeof *half);
        if (!half || !y.t[i].data)
            return tt_fail_memory(err, n * sizeof *half);
        (type == TT_F16 ? tt_to_f16_c : tt_to_bf16_c)(half, y.t[i].data, n);
        (type == TT_F16 ? k.from_f16 : k.from_bf16)((float *)y.t[i].data, half, n);
        free(half);
        y.t[i].dtype = wide ? TT_F32 : type;
    }
    return make(&y, rounded, net, cpu, err);
}
