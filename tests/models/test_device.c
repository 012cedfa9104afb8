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

/* On the device; no v where it refuses the size. *stores: how many maps are stored on the way. */
static nt_map on_device(const tt_cl_net *n, const nt_map *in, int *stores)
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
    *stores = f.launches;
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

/*
 * Maps of halves. Each time a map is stored its values are rounded to 11 bits: off by up to 2^-11 of themselves, evenly, so
 * 2^-11 / sqrt(3) in the mean of squares. What n maps are off by does not add up but in squares, and the worst of some ten
 * thousand values is off by four to five times the mean: 3 sqrt(n) 2^-11 of the largest, in a network that neither damps nor
 * amplifies. For the eye two levels of 255 are the most that is allowed in any case.
 */
static bool halves_agree(const nt_map *want, const nt_map *got, int stores, char *what, size_t room)
{
    const double derived = 3 * sqrt(stores) / 2048, most = derived < 2.0 / 255 ? derived : 2.0 / 255;
    const size_t n = (size_t)want->c * (size_t)want->h * (size_t)want->w;
    double unit = 1, off = 0;
    if (want->c != got->c || want->h != got->h || want->w != got->w) {
        snprintf(what, room, "another shape");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)got->v[i] - (double)want->v[i]);
        unit = fmax(unit, fabs((double)want->v[i]));
        off = d <= off ? off : isnan(d) ? INFINITY : d;
    }
    snprintf(what, room, "off by %g, %g of %g is allowed", off, most, unit);
    return off <= most * unit;
}

static bool agree(const nt_map *want, const nt_map *got, bool relative, int way, int stores, char *what, size_t room)
{
    return way < DEVICE_CUTS ? nt_agree(want, got, relative, what, room) : halves_agree(want, got, stores, what, room);
}

static void golden_case(const nt_set *set, int number, const on *o, int way)
{
    int stores = 0;
    char rel[128], what[300];
    tt_weights w;
    tt_error err = {0};
    snprintf(rel, sizeof rel, "%s/case%d.safetensors", set->folder, number);
    ck_assert_msg(!tt_weights_open(&w, golden_path(rel), &err), "%s", err.text);
    nt_map in = nt_tensor(&w, "input"), want = nt_tensor(&w, "output"), got = on_device(o->there, &in, &stores);
    ck_assert_msg(agree(&want, &got, false, way, stores, what, sizeof what), "%s case %d, %s: %s", set->folder, number,
                  device_ways[way], what);
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
            golden_case(&nt_sets[i], c, &o, _i);
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
        int stores = 0;
        nt_open(&n, &nt_sets[i]);
        on o = bring(cl, &n);
        for (size_t s = 0; s < KC_COUNT(sizes); s++) {
            nt_map in = nt_noise(n.graph->node[n.graph->input].channels, legal(&n.traits, sizes[s][0]),
                                 legal(&n.traits, sizes[s][1]));
            nt_map want = nt_engine(o.net, &in, 2), got = on_device(o.there, &in, &stores);
            ck_assert_msg(!want.v == !got.v, "%s: %dx%d is taken by one of two", nt_sets[i].folder, in.h, in.w);
            if (want.v)
                ck_assert_msg(agree(&want, &got, true, _i, stores, what, sizeof what), "%s %dx%d, %s: %s",
                              nt_sets[i].folder, in.h, in.w, device_ways[_i], what);
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

/*
 * Tolerances as in tests/models/test_deoldify.c: ten times what floats are off by in the original. These weights are no
 * trained ones and amplify what is off, so halves are measured by that: 11 bits where floats have 24 are off by 2^13 times as
 * much.
 */
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
        int stores = 0;
        do_open(&n.weights, cases[i].weights);
        ck_assert_msg(!tt_model_build(&n.weights, NULL, &n.model, &n.traits, &n.graph, &err), "%s", err.text);
        do_open(&w, cases[i].input);
        on o = bring(cl, &n);
        nt_map in = do_map(&w, "in"), want = do_map(&w, "out"), got = on_device(o.there, &in, &stores);
        const double d = do_difference(&want, &got);
        const double most = _i < DEVICE_CUTS ? cases[i].tolerance : 8192 * cases[i].tolerance / 10;
        ck_assert_msg(d <= most, "%s, %s: off by %g", cases[i].input, device_ways[_i], d);
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
    tcase_add_loop_test(tc, test, 0, DEVICE_WAYS);
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
