/*
 * The known-answer test: small networks that together use every kernel and every way through it, on the device and by the
 * scalar table. Compilers and drivers get arithmetic wrong, and one that does is found here, not in a picture.
 */
#include "engine/cl/cl.h"

#include "engine/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_TENSORS = 40, HIGH = 22, WIDE = 38 }; /* more than a tile each way, and no multiple of anything */

/* of the input, and of the picture that it is a tile of: in large ones grids are skewed */
typedef struct size {
    int h, w, whole;
} size;

/* A weight file in the making. */
typedef struct kit {
    tt_tensor_out t[MOST_TENSORS];
    char name[MOST_TENSORS][32];
    int count;
    bool failed;
    unsigned seed;
} kit;

/* Numerical Recipes' generator; its upper bits will do. -1..1 */
static float noise(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

static void tensor(kit *k, const char *name, const char *suffix, int rank, size_t a, size_t b, size_t c, size_t d,
                   float scale, float middle)
{
    tt_tensor_out *t = &k->t[k->count];
    const size_t shape[4] = {a, b, c, d};
    size_t n = 1;
    for (int i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        n *= shape[i];
    }
    float *v = malloc(n * sizeof *v);
    snprintf(k->name[k->count], sizeof k->name[0], "%s%s", name, suffix);
    t->name = k->name[k->count];
    t->rank = rank;
    t->data = v;
    k->failed |= !v;
    for (size_t i = 0; v && i < n; i++)
        v[i] = middle + scale * noise(&k->seed);
    k->count++;
}

/* Weights [a,b,n,n] scaled so that sums stay about as large as what is summed; and a bias for `outputs`. */
static void window(kit *k, const char *name, size_t a, size_t b, size_t n, size_t outputs)
{
    tensor(k, name, ".weight", 4, a, b, n, n, 1.5f / sqrtf((float)((outputs == a ? b : a) * n * n)), 0);
    tensor(k, name, ".bias", 1, outputs, 0, 0, 0, 0.2f, 0);
}

static void batch_norm(kit *k, const char *name, size_t n)
{
    tensor(k, name, ".weight", 1, n, 0, 0, 0, 0.5f, 1);
    tensor(k, name, ".bias", 1, n, 0, 0, 0, 0.3f, 0);
    tensor(k, name, ".running_mean", 1, n, 0, 0, 0, 0.3f, 0);
    tensor(k, name, ".running_var", 1, n, 0, 0, 0, 0.5f, 1);
}

static void flat(kit *k, const char *name, size_t out, size_t in)
{
    tensor(k, name, ".weight", in ? 2 : 1, out, in, 0, 0, in ? 1.5f / sqrtf((float)in) : 0.5f, in ? 0 : 1);
    tensor(k, name, ".bias", 1, out, 0, 0, 0, 0.2f, 0);
}

/* ---- the networks -------------------------------------------------------------------------------------- */

/* 3x3 over pieces side by side, both residuals, clamp, nearest neighbours; few outputs and many. */
static void dense_weights(kit *k)
{
    window(k, "first", 30, 3, 3, 30);
    window(k, "a", 70, 30, 3, 70);
    window(k, "b", 8, 100, 3, 8);
    tensor(k, "slopes", "", 1, 8, 0, 0, 0, 0.5f, 0);
    window(k, "c", 30, 108, 3, 30);
    window(k, "last", 3, 30, 3, 3);
}
static tt_val dense(tt_build *b)
{
    const tt_val x = tt_conv(b, tt_input(b, 3), "first");
    tt_val seen = tt_concat(b, x, tt_conv(b, x, "a", .act = TT_ACT_PRELU, .slope = 0.2f));
    seen = tt_concat(b, seen, tt_conv(b, seen, "b", .act = TT_ACT_PRELU, .slopes = "slopes"));
    tt_val y = tt_add_scaled(b, x, 0.2f, tt_conv(b, seen, "c"));
    y = tt_add_scaled(b, x, 0.7f, y);
    return tt_clamp(b, tt_conv(b, tt_nearest(b, y, 2), "last"), -0.5f, 0.5f);
}

/* Other windows, strides, edges that repeat, 1x1, no padding, a crop that is padded; narrow results too. */
static void windows_weights(kit *k)
{
    window(k, "nine", 18, 3, 9, 18);
    window(k, "five", 33, 18, 5, 33);
    window(k, "seven", 20, 33, 7, 20);
    window(k, "one", 37, 20, 1, 37);
    window(k, "cut", 62, 37, 3, 62);
    window(k, "edge", 30, 62, 3, 30);
    window(k, "two", 3, 30, 2, 3);
    window(k, "few", 3, 3, 5, 3);
    window(k, "point", 4, 3, 1, 4);
    window(k, "valid", 5, 4, 3, 5);
}
static tt_val windows(tt_build *b)
{
    tt_val x = tt_conv(b, tt_input(b, 3), "nine", .replicate = true, .act = TT_ACT_RELU);
    x = tt_conv(b, x, "five", .act = TT_ACT_PRELU, .slope = 0.1f);
    x = tt_conv(b, x, "seven", .stride = 2);
    x = tt_conv(b, x, "one", .act = TT_ACT_RELU);
    x = tt_conv(b, tt_conv(b, tt_crop(b, x, 1), "cut"), "edge", .replicate = true);
    x = tt_conv(b, tt_conv(b, x, "two", .valid = true, .stride = 2), "few");
    x = tt_conv(b, x, "point");
    return tt_conv(b, tt_pad(b, x, 3), "valid", .valid = true);
}

/* 1x1 with many outputs, of few pixels and of many: pieces side by side, a crop among them, both residuals, a stride. */
static void points_weights(kit *k)
{
    window(k, "first", 66, 3, 3, 66);
    window(k, "a", 70, 66, 1, 70);
    window(k, "b", 66, 139, 1, 66);
    window(k, "two", 37, 66, 1, 37);
    tensor(k, "slopes", "", 1, 37, 0, 0, 0, 0.5f, 0);
    window(k, "last", 3, 37, 3, 3);
}
static tt_val points(tt_build *b)
{
    const tt_val in = tt_input(b, 3), x = tt_conv(b, in, "first"), small = tt_crop(b, x, 1);
    const tt_val seen = tt_concat(b, small, tt_crop(b, tt_concat(b, tt_conv(b, x, "a", .act = TT_ACT_RELU), in), 1));
    tt_val y = tt_add_scaled(b, small, 0.3f, tt_conv(b, seen, "b"));
    y = tt_add_scaled(b, small, 0.7f, y);
    return tt_conv(b, tt_conv(b, y, "two", .stride = 2, .act = TT_ACT_PRELU, .slopes = "slopes"), "last");
}

/* Transposed convolutions, a crop, a gate by the mean, batch norms behind sums and activations, pool. */
static void hourglass_weights(kit *k)
{
    window(k, "a", 17, 3, 3, 17);
    window(k, "down", 17, 17, 2, 17);
    batch_norm(k, "norm", 17);
    batch_norm(k, "norm2", 17);
    window(k, "gate", 17, 17, 1, 17);
    tensor(k, "up", ".weight", 4, 17, 18, 2, 2, 0.25f, 0);
    tensor(k, "up", ".bias", 1, 18, 0, 0, 0, 0.2f, 0);
    tensor(k, "up4", ".weight", 4, 18, 6, 4, 4, 0.12f, 0);
    tensor(k, "up4", ".bias", 1, 6, 0, 0, 0, 0.2f, 0);
    tensor(k, "up3", ".weight", 4, 6, 3, 3, 3, 0.2f, 0);
    tensor(k, "up3", ".bias", 1, 3, 0, 0, 0, 0.2f, 0);
}
static tt_val hourglass(tt_build *b)
{
    const tt_val x = tt_conv(b, tt_input(b, 3), "a", .act = TT_ACT_RELU);
    tt_val y = tt_activate(b, tt_batch_norm(b, tt_max_pool(b, x), "norm"), TT_ACT_RELU, 0);
    y = tt_batch_norm(b, tt_conv(b, y, "down", .valid = true, .stride = 2, .act = TT_ACT_RELU), "norm2");
    y = tt_gate(b, y, tt_activate(b, tt_conv(b, tt_mean(b, tt_crop(b, y, 1)), "gate"), TT_ACT_SIGMOID, 0));
    y = tt_deconv(b, y, "up", .stride = 2, .act = TT_ACT_PRELU, .slope = 0.1f);
    y = tt_deconv(b, y, "up4", .stride = 2, .pad = 1);
    return tt_deconv(b, y, "up3", .stride = 1, .pad = 1);
}

/* Pixel shuffles, fused and not, with the skip and without; blur; levels; sums, clamps and activations by themselves. */
static void shuffles_weights(kit *k)
{
    window(k, "a", 24, 3, 3, 24);
    window(k, "b", 12, 24, 3, 12);
    window(k, "c", 20, 12, 3, 20);
    window(k, "d", 3, 5, 3, 3);
}
static tt_val shuffles(tt_build *b)
{
    static const float offset[3] = {0.1f, -0.2f, 0.3f};
    const tt_val in = tt_input(b, 3), x = tt_levels(b, in, 0.5f, offset);
    tt_val y = tt_conv(b, tt_conv(b, x, "a", .act = TT_ACT_RELU), "b");
    y = tt_add_scaled(b, tt_pixel_shuffle(b, y, 2), 1, tt_nearest(b, x, 2));      /* fused */
    y = tt_activate(b, tt_pixel_unshuffle(b, y, 2), TT_ACT_PRELU, 0.3f);
    tt_val z = tt_pixel_shuffle(b, tt_clamp(b, tt_activate(b, tt_conv(b, y, "c"), TT_ACT_GELU, 0), -1, 1), 2);
    z = tt_blur(b, z, z);
    z = tt_conv(b, z, "d");
    const tt_val large = tt_nearest(b, x, 2);
    return tt_scale_shift(b, tt_add_scaled(b, z, 0.25f, tt_add_scaled(b, large, -1, tt_clamp(b, z, 0, 1))), 2, 0.1f);
}

/* Attention over all positions, of few channels and of many. */
static void attention_weights(kit *k)
{
    window(k, "q", 5, 18, 1, 5);
    window(k, "k", 5, 18, 1, 5);
    window(k, "v", 18, 18, 1, 18);
    window(k, "many", 70, 18, 1, 70);
    window(k, "back", 18, 70, 1, 18);
    window(k, "first", 18, 3, 3, 18);
}
static tt_val attention(tt_build *b)
{
    const tt_val x = tt_conv(b, tt_input(b, 3), "first");
    const tt_val y = tt_attend(b, tt_conv(b, x, "q"), tt_conv(b, x, "k"), tt_conv(b, x, "v"));
    const tt_val z = tt_attend(b, tt_conv(b, y, "q"), tt_conv(b, y, "k"), tt_conv(b, y, "many"));
    return tt_add_scaled(b, x, 0.5f, tt_conv(b, z, "back"));
}

/* Two layers of a transformer, the second with shifted windows; and a chain that ends otherwise. */
static void tokens_weights(kit *k)
{
    window(k, "first", 18, 3, 3, 18);
    flat(k, "norm", 18, 0);
    flat(k, "qkv", 54, 18);
    tensor(k, "table", "", 2, 49, 3, 0, 0, 1, 0);
    flat(k, "proj", 18, 18);
    flat(k, "fc1", 36, 18);
    flat(k, "fc2", 18, 36);
    window(k, "last", 3, 18, 3, 3);
}
static tt_val tokens(tt_build *b)
{
    const tt_val in = tt_input(b, 3);
    tt_val x = tt_conv(b, tt_pad(b, in, 4), "first");
    for (int i = 0; i < 2; i++) {
        tt_val y = tt_linear(b, tt_layer_norm(b, x, "norm", 1e-5f), "qkv", 54);
        y = tt_linear(b, tt_window_attention(b, y, "table", 4, 2 * i), "proj", 18);
        x = tt_add_scaled(b, x, 1, y);
        y = tt_gelu(b, tt_linear(b, tt_layer_norm(b, x, "norm", 1e-5f), "fc1", 0));
        x = tt_add_scaled(b, x, 1, tt_linear(b, y, "fc2", 18));
    }
    x = tt_add_scaled(b, x, 1, tt_layer_norm(b, x, "norm", 1e-5f));
    return tt_fit(b, tt_conv(b, x, "last"), in, 1);
}

/* Heads that begin anywhere in a block of channels; windows that are cut at all edges; one head too deep for a
 * group. */
static void heads_weights(kit *k)
{
    window(k, "first", 51, 3, 3, 51);
    flat(k, "qkv", 153, 51);
    tensor(k, "seven", "", 2, 169, 3, 0, 0, 1, 0);
    tensor(k, "deep", "", 2, 169, 1, 0, 0, 1, 0);
    flat(k, "proj", 51, 51);
    window(k, "last", 3, 51, 3, 3);
}
static tt_val heads(tt_build *b)
{
    const tt_val in = tt_input(b, 3);
    tt_val x = tt_conv(b, tt_pad(b, in, 7), "first");
    x = tt_linear(b, tt_window_attention(b, tt_linear(b, x, "qkv", 153), "seven", 7, 3), "proj", 51);
    x = tt_linear(b, tt_window_attention(b, tt_linear(b, x, "qkv", 153), "deep", 7, 0), "proj", 51);
    return tt_fit(b, tt_conv(b, x, "last"), in, 1);
}

static const struct {
    const char *name;
    void (*weights)(kit *k);
    tt_val (*describe)(tt_build *b);
    int whole;
} cases[TT_CL_TEST_CASES] = {{"dense block", dense_weights, dense, 1000},
             {"windows", windows_weights, windows, 0},
             {"points", points_weights, points, 0},
             {"hourglass", hourglass_weights, hourglass, 0},
             {"shuffles", shuffles_weights, shuffles, 0},
             {"attention", attention_weights, attention, 0},
             {"tokens", tokens_weights, tokens, 0},
             {"heads", heads_weights, heads, 0},
             {"too large", dense_weights, dense, 1000}}; /* the last: too_large() */

/* ---- both ways ----------------------------------------------------------------------------------------- */

static tt_status on_host(const tt_net *net, size e, const float *in, float **out, size_t *n, tt_error *err)
{
    tt_plan *plan = NULL;
    tt_pool *pool = NULL;
    tt_plan_facts f = {0};
    tt_status st = tt_plan_new(&plan, net, e.h, e.w, NULL, err);
    if (!st)
        st = tt_pool_new(&pool, 1, err);
    if (!st) {
        tt_plan_get_facts(plan, &f);
        *n = (size_t)f.out_channels * (size_t)f.out_h * (size_t)f.out_w;
        *out = malloc(*n * sizeof **out);
        st = *out ? tt_plan_run(plan, pool, in, *out, NULL, err) : tt_fail_memory(err, *n * sizeof **out);
    }
    tt_pool_free(pool);
    tt_plan_free(plan);
    return st;
}

/* *stores: how often the network stores a map. */
static tt_status on_device(tt_cl *cl, const tt_net *net, const tt_graph *g, size e, const float *in, float *out, int *stores,
                           tt_error *err)
{
    const tt_cl_plan_options o = {.whole_h = e.whole, .whole_w = e.whole};
    tt_cl_plan_facts f = {0};
    tt_cl_net *n = NULL;
    tt_cl_plan *plan = NULL;
    tt_status st = tt_cl_net_new(&n, cl, net, g, err);
    if (!st)
        st = tt_cl_plan_new(&plan, n, e.h, e.w, &o, err);
    if (!st)
        st = tt_cl_plan_run(plan, in, out, NULL, err);
    if (!st)
        tt_cl_plan_get_facts(plan, &f);
    *stores = f.launches;
    tt_cl_plan_free(plan);
    tt_cl_net_free(n);
    return st;
}

/*
 * Of floats 5e-5 of the largest value, many times what sums in another order come to. Halves have 11 bits, so a store
 * leaves a value off by up to 2^-11 of itself. The weights here keep what a layer makes about as large as what it reads, and
 * so what it was off by; then the whole is off by at most as many times that as there are stores one after another.
 */
static float tolerance(const tt_cl *cl, int stores)
{
    return cl->half_maps ? (float)stores / 2048 : 5e-5f;
}

static tt_status compare(const tt_cl *cl, const char *name, const float *want, const float *got, size_t n, int stores,
                         tt_error *err)
{
    const float off = tolerance(cl, stores);
    float most = 1;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= off * most)) /* not-a-number, too */
            return tt_fail(err, TT_ERR_UNSUPPORTED,
                           "%s (driver %s) computes wrongly%s not used: its self-test gives %g for %g in the network '%s'",
                           cl->info.name, cl->info.driver, cl->half_maps ? " with maps of 16 bits, which are" : " and is",
                           (double)got[i], (double)want[i], name);
    return TT_OK;
}

static tt_status both(tt_cl *cl, const char *name, const tt_net *net, const tt_graph *g, size e, tt_error *err)
{
    unsigned seed = 5;
    const size_t values = 3 * (size_t)e.h * (size_t)e.w;
    size_t n = 0;
    int stores = 0;
    float *in = malloc(values * sizeof *in), *want = NULL, *got = NULL;
    for (size_t i = 0; in && i < values; i++)
        in[i] = 0.5f + 0.5f * noise(&seed);
    tt_status st = in ? on_host(net, e, in, &want, &n, err) : tt_fail_memory(err, values * sizeof *in);
    if (!st && !(got = calloc(n, sizeof *got)))
        st = tt_fail_memory(err, n * sizeof *got);
    if (!st)
        st = on_device(cl, net, g, e, in, got, &stores, err);
    if (!st)
        st = compare(cl, name, want, got, n, stores, err);
    free(in);
    free(want);
    free(got);
    return st;
}

/* Where a clamp and ReLUs hide that values were too large for halves, it must be seen all the same. */
static tt_status too_large(tt_cl *cl, const char *name, const tt_net *net, const tt_graph *g, size e, tt_error *err)
{
    unsigned seed = 5;
    int h, w, stores;
    tt_net_facts f;
    tt_net_get_facts(net, &f);
    tt_status st = tt_net_size(net, e.h, e.w, &h, &w, err);
    if (st)
        return st;
    const size_t values = 3 * (size_t)e.h * (size_t)e.w, n = (size_t)f.out_channels * (size_t)h * (size_t)w;
    float *in = malloc((values + n) * sizeof *in), *out = in + values;
    if (!in)
        return tt_fail_memory(err, (values + n) * sizeof *in);
    for (size_t i = 0; i < values; i++)
        in[i] = 60000 * noise(&seed); /* halves go to 65504, and a layer makes some more of it */
    st = on_device(cl, net, g, e, in, out, &stores, err);
    for (size_t i = 0; i < n && !st; i++)
        if (!isnan(out[i]))
            st = tt_fail(err, TT_ERR_UNSUPPORTED,
                         "%s (driver %s) does not say where values are too large for maps of 16 bits, which are not used: its "
                         "self-test gives %g in the network '%s'",
                         cl->info.name, cl->info.driver, (double)out[i], name);
    free(in);
    return st;
}

tt_status tt_cl_self_test_case(tt_cl *cl, int i, int high, int wide, tt_error *err)
{
    kit k = {.seed = 17u * (unsigned)i + 1};
    tt_kernels scalar;
    tt_weights w = {0};
    unsigned char *bytes = NULL;
    size_t length = 0;
    const int busy = cl->busy;
    tt_graph *g = NULL;
    tt_net *net = NULL;
    cl->busy = 4; /* so that among maps as small as these there are large ones */
    cases[i].weights(&k);
    tt_kernels_init(&scalar, 0);
    tt_status st = k.failed ? tt_fail_memory(err, 0)
                            : tt_safetensors_write(k.t, (size_t)k.count, NULL, &bytes, &length, err);
    if (!st)
        st = tt_weights_open_memory(&w, bytes, length, "self-test", err);
    if (!st) {
        tt_build *b = tt_build_new(&w, NULL);
        st = b ? tt_build_finish(b, cases[i].describe(b), &g, err) : tt_fail_memory(err, 0);
    }
    if (!st)
        st = tt_net_new(&net, g, &scalar, err);
    const size e = {high, wide, cases[i].whole};
    if (!st && i + 1 < TT_CL_TEST_CASES)
        st = both(cl, cases[i].name, net, g, e, err);
    else if (!st && cl->half_maps)
        st = too_large(cl, cases[i].name, net, g, e, err);
    cl->busy = busy;
    tt_net_free(net);
    tt_graph_free(g);
    tt_weights_clear(&w);
    free(bytes);
    for (int t = 0; t < k.count; t++)
        free((void *)k.t[t].data);
    return st;
}

tt_status tt_cl_self_test(tt_cl *cl, tt_error *err)
{
    tt_status st = TT_OK;
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++)
        atomic_store(&cl->ran[i], 0);
    for (int i = 0; i < TT_CL_TEST_CASES && !st; i++)
        st = tt_cl_self_test_case(cl, i, HIGH, WIDE, err);
    /* A kernel that no network here uses is not tested: our own mistake. Where all convolutions are of one block an item,
     * or all go through tiles, or sums by groups, the others have nothing to do. */
    for (int i = TT_CL_conv; i < TT_CL_KERNEL_COUNT && !st; i++) {
        const bool wide = i == TT_CL_conv || i == TT_CL_conv3 || i == TT_CL_conv1;
        const bool untiled = i == TT_CL_conv || i == TT_CL_conv_one || i == TT_CL_conv3 || i == TT_CL_conv3_one;
        const bool alone = i == TT_CL_softmax || i == TT_CL_weigh;
        if (cl->kernel[i] && !atomic_load(&cl->ran[i]) && !(wide && cl->cut.outputs == 1) && !(untiled && cl->cut.tile_x) &&
            !(alone && cl->products))
            st = tt_fail(err, TT_ERR_INTERNAL, "the self-test leaves out the kernel %s", tt_cl_kernel_names[i]);
    }
    return st;
}
