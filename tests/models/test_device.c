/* Every network on an OpenCL device: the stored outputs of the originals, and any size against the interpreter. */
#include "tests/models/deoldify.h"
#include "tests/models/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "tests/engine/device.h"
#include "tests/golden.h"
#include "tests/kernels/kc.h"

Suite *suite_models_device(void);

/* On the device; no v where it refuses the size. */
static nt_map on_device(const tt_cl_net *n, const nt_map *in)
{
    tt_error err = {0};
    tt_cl_plan *plan = NULL;
    tt_cl_plan_facts f;
    nt_map out = {0};
    const tt_status st = tt_cl_plan_new(&plan, n, in->h, in->w, NULL, &err);
    if (st == TT_ERR_USAGE)
        return out;
    ck_assert_msg(!st, "%s", err.text);
    tt_cl_plan_get_facts(plan, &f);
    ck_assert_int_eq(f.in_channels, in->c);
    out = (nt_map){f.out_channels, f.out_h, f.out_w, NULL};
    out.v = malloc(sizeof *out.v * (size_t)out.c * (size_t)out.h * (size_t)out.w);
    ck_assert_ptr_nonnull(out.v);
    ck_assert_msg(!tt_cl_plan_run(plan, in->v, out.v, NULL, &err), "%s", err.text);
    tt_cl_plan_free(plan);
    return out;
}

typedef struct on {
    tt_net *net;
    tt_cl_net *there;
} on;

static on bring(tt_cl *cl, const nt_network *n)
{
    tt_error err = {0};
    on o = {.net = nt_net(n, 0)};
    ck_assert_msg(!tt_cl_net_new(&o.there, cl, o.net, n->graph, &err), "%s", err.text);
    return o;
}

static void drop(on *o)
{
    tt_cl_net_free(o->there);
    tt_net_free(o->net);
}

static void golden_case(const nt_set *set, int number, const on *o, const char *cut)
{
    char rel[128], what[300];
    tt_weights w;
    tt_error err = {0};
    snprintf(rel, sizeof rel, "%s/case%d.safetensors", set->folder, number);
    ck_assert_msg(!tt_weights_open(&w, golden_path(rel), &err), "%s", err.text);
    nt_map in = nt_tensor(&w, "input"), want = nt_tensor(&w, "output"), got = on_device(o->there, &in);
    ck_assert_msg(nt_agree(&want, &got, false, what, sizeof what), "%s case %d, %s: %s", set->folder, number, cut, what);
    nt_free(&in);
    nt_free(&want);
    nt_free(&got);
    tt_weights_clear(&w);
}

START_TEST(device_gives_the_goldens)
{
    tt_cl *cl = device_open(_i, "networks on a device");
    for (int i = 0; cl && i < nt_set_count; i++) {
        nt_network n;
        nt_open(&n, &nt_sets[i]);
        on o = bring(cl, &n);
        for (int c = 0; c < 2; c++)
            golden_case(&nt_sets[i], c, &o, device_cuts[_i]);
        drop(&o);
        nt_close(&n);
    }
    tt_cl_free(cl);
}
END_TEST

/* The side of n pixels with the border it needs, made one the network can take. */
static int legal(const tt_traits *t, int n)
{
    const int multiple = t->multiple ? t->multiple : 1;
    n += 2 * t->border;
    n = n < t->least ? t->least : n;
    return (n + multiple - 1) / multiple * multiple;
}

/* By the engine with scalar kernels, which other tests compare with the interpreter. */
START_TEST(device_gives_the_engines_at_any_size)
{
    static const int sizes[][2] = {{1, 1}, {2, 3}, {17, 5}, {31, 33}, {65, 9}, {3, 130}};
    tt_cl *cl = device_open(_i, "networks of any size on a device");
    for (int i = 0; cl && i < nt_set_count; i++) {
        nt_network n;
        char what[300];
        nt_open(&n, &nt_sets[i]);
        on o = bring(cl, &n);
        for (size_t s = 0; s < KC_COUNT(sizes); s++) {
            nt_map in = nt_noise(n.graph->node[n.graph->input].channels, legal(&n.traits, sizes[s][0]),
                                 legal(&n.traits, sizes[s][1]));
            nt_map want = nt_engine(o.net, &in, 2), got = on_device(o.there, &in);
            ck_assert_msg(!want.v == !got.v, "%s: %dx%d is taken by one of two", nt_sets[i].folder, in.h, in.w);
            if (want.v)
                ck_assert_msg(nt_agree(&want, &got, true, what, sizeof what), "%s %dx%d, %s: %s", nt_sets[i].folder, in.h,
                              in.w, device_cuts[_i], what);
            nt_free(&in);
            nt_free(&want);
            nt_free(&got);
        }
        drop(&o);
        nt_close(&n);
    }
    tt_cl_free(cl);
}
END_TEST

/* Tolerances as in tests/models/test_deoldify.c. */
START_TEST(device_gives_the_goldens_of_deoldify)
{
    static const struct {
        const char *weights, *input;
        double tolerance;
    } cases[] = {{"unet_deep", "unet_deep_48", 9.2e-5},
                 {"unet_deep", "unet_deep_64", 2.3e-4},
                 {"unet_wide", "unet_wide_48", 2.3e-4},
                 {"unet_wide", "unet_wide_64", 1.9e-4}};
    tt_cl *cl = device_open(_i, "DeOldify on a device");
    for (size_t i = 0; cl && i < KC_COUNT(cases); i++) {
        nt_network n = {0};
        tt_error err = {0};
        tt_weights w;
        do_open(&n.weights, cases[i].weights);
        ck_assert_msg(!tt_model_build(&n.weights, NULL, &n.model, &n.traits, &n.graph, &err), "%s", err.text);
        do_open(&w, cases[i].input);
        on o = bring(cl, &n);
        nt_map in = do_map(&w, "in"), want = do_map(&w, "out"), got = on_device(o.there, &in);
        const double d = do_difference(&want, &got);
        ck_assert_msg(d <= cases[i].tolerance, "%s, %s: off by %g", cases[i].input, device_cuts[_i], d);
        nt_free(&in);
        nt_free(&want);
        nt_free(&got);
        drop(&o);
        tt_weights_clear(&w);
        nt_close(&n);
    }
    tt_cl_free(cl);
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 600); /* the first time every kernel is compiled */
    tcase_add_loop_test(tc, test, 0, DEVICE_CUTS);
    suite_add_tcase(s, tc);
}

Suite *suite_models_device(void)
{
    Suite *s = suite_create("models/device");
    add(s, "goldens", device_gives_the_goldens);
    add(s, "sizes", device_gives_the_engines_at_any_size);
    add(s, "DeOldify", device_gives_the_goldens_of_deoldify);
    return s;
}
