/*
 * DeOldify: both reduced networks layer by layer, what strips promise, what is refused; and, where
 * TINTYPE_DEOLDIFY names a folder that has them, the networks at full size.
 */
#include "tests/models/deoldify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "engine/plan.h"
#include "tests/kernels/kc.h"

Suite *suite_models_deoldify(void);

/* ---- the reduced networks ------------------------------------------------------------------------- */

static const struct {
    const char *weights;
    double at_48, at_64, trace; /* tolerances of index.json */
    const char *variant;
    size_t tensors;
} nets[] = {
    {"unet_deep", 9.2e-5, 2.3e-4, 2.2e-4, "artistic (deep), ResNet of 3+4+6+3 blocks, base width 3", 378},
    {"unet_wide", 2.3e-4, 1.9e-4, 7.6e-4, "stable or video (wide), ResNet of 3+4+23+3 blocks, base width 2",
     754},
};

static void open_net(nt_network *n, int i)
{
    tt_error err = {0};
    *n = (nt_network){0};
    do_open(&n->weights, nets[i].weights);
    ck_assert_msg(tt_model_build(&n->weights, NULL, &n->model, &n->traits, &n->graph, &err) == TT_OK, "%s",
                  err.text);
}

START_TEST(networks_give_the_goldens)
{
    nt_network n;
    open_net(&n, _i / 2);
    char file[64];
    tt_weights w;
    snprintf(file, sizeof file, "%s_%d", nets[_i / 2].weights, _i % 2 ? 64 : 48);
    do_open(&w, file);
    nt_map in = do_map(&w, "in"), want = do_map(&w, "out");
    do_check(&n, &in, &want, _i % 2 ? nets[_i / 2].at_64 : nets[_i / 2].at_48, file);
    nt_free(&in);
    nt_free(&want);
    tt_weights_clear(&w);
    nt_close(&n);
}
END_TEST

/* The node with the value of "out.layers.NAME": the last one before the next layer's first, whose name is
 * known. */
static int layer_node(const tt_graph *g, const char *name)
{
    static const char *const next[][2] = {
        {"0.3", "layers.0.4."}, {"0.4", "layers.0.5."}, {"0.5", "layers.0.6."}, {"0.6", "layers.0.7."},
        {"0.7", "layers.1"},    {"3", "layers.4."},     {"4", "layers.5."},     {"5", "layers.6."},
        {"6", "layers.7."},     {"7", "layers.8."},     {"8", "layers.10."},    {"10", "layers.11."}};
    for (int i = 0; i < g->count; i++) {
        const char *node = g->node[i].name;
        if ((!strcmp(name, "0.2") && !strcmp(node, "layers.0.0")) ||
            (!strcmp(name, "11") && !strcmp(node, "layers.11.0")))
            return i;
        for (size_t j = 0; j < KC_COUNT(next); j++)
            if (!strcmp(next[j][0], name) && !strncmp(node, next[j][1], strlen(next[j][1])))
                return g->node[i - 1].op == TT_OP_CONCAT ? g->node[i - 1].in[0] : i - 1;
    }
    return -1;
}

/* Every traced layer, in the order of the network, by the interpreter and by the engine. */
START_TEST(layers_give_the_trace)
{
    static const char *const layers[] = {"0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "3",
                                         "4",   "5",   "6",   "7",   "8",   "10",  "11"};
    nt_network n;
    char file[64];
    tt_weights w, trace;
    tt_error err = {0};
    open_net(&n, _i);
    snprintf(file, sizeof file, "%s_48", nets[_i].weights);
    do_open(&w, file);
    snprintf(file, sizeof file, "%s_48_trace", nets[_i].weights);
    do_open(&trace, file);
    ck_assert_uint_eq(trace.count, KC_COUNT(layers));
    nt_map in = do_map(&w, "in");
    it_map *maps = nt_interpret(&n, &in);
    ck_assert_ptr_nonnull(maps);
    for (int level = 0; level < kc_isa_count(); level++) {
        tt_net *net = nt_net(&n, kc_isas[level].flags);
        tt_pool *pool;
        tt_plan *plan;
        float *out = malloc((size_t)(3 * in.h * in.w) * sizeof *out);
        ck_assert_int_eq(tt_pool_new(&pool, 2, &err), TT_OK);
        ck_assert_int_eq(
            tt_plan_new(&plan, net, in.h, in.w, &(tt_plan_options){.threads = 2, .keep = true}, &err), TT_OK);
        ck_assert_int_eq(tt_plan_run(plan, pool, in.v, out, NULL, &err), TT_OK);
        for (size_t i = 0; i < KC_COUNT(layers); i++) {
            char name[64];
            snprintf(name, sizeof name, "out.layers.%s", layers[i]);
            nt_map want = do_map(&trace, name), got = {0};
            const int node = layer_node(n.graph, layers[i]);
            ck_assert_msg(node >= 0 && tt_plan_value(plan, node, NULL, &got.c, &got.h, &got.w), "no layer %s",
                          layers[i]);
            got.v = malloc((size_t)(got.c * got.h * got.w) * sizeof *got.v);
            tt_plan_value(plan, node, got.v, &got.c, &got.h, &got.w);
            nt_map judge = nt_floats(&maps[node]);
            ck_assert_msg(do_difference(&want, &judge) <= nets[_i].trace / 10,
                          "interpreter: layer %s is off by %g", layers[i], do_difference(&want, &judge));
            ck_assert_msg(do_difference(&want, &got) <= nets[_i].trace,
                          "%s: the first wrong layer is %s, off by %g", kc_isas[level].name, layers[i],
                          do_difference(&want, &got));
            nt_free(&judge);
            nt_free(&want);
            nt_free(&got);
        }
        free(out);
        tt_plan_free(plan);
        tt_pool_free(pool);
        tt_net_free(net);
    }
    it_free(n.graph, maps);
    nt_free(&in);
    tt_weights_clear(&w);
    tt_weights_clear(&trace);
    nt_close(&n);
}
END_TEST

/* Strips of other heights, rings of other lengths, whole maps: the same bits, at sizes odd within the network
 * too. */
START_TEST(strips_change_nothing)
{
    static const int sizes[][2] = {{64, 64}, {80, 48}, {146, 34}, {2, 2}, {16, 230}};
    nt_network n;
    open_net(&n, _i);
    for (int level = 0; level < kc_isa_count(); level++) {
        tt_net *net = nt_net(&n, kc_isas[level].flags);
        for (size_t s = 0; s < KC_COUNT(sizes); s++) {
            tt_error err = {0};
            nt_map in = nt_noise(3, sizes[s][0], sizes[s][1]), whole = {3, in.h, in.w, NULL};
            tt_pool *pool;
            tt_plan *plan;
            tt_plan_facts kept, strips;
            ck_assert_int_eq(tt_pool_new(&pool, 2, &err), TT_OK);
            ck_assert_int_eq(
                tt_plan_new(&plan, net, in.h, in.w, &(tt_plan_options){.threads = 2, .keep = true}, &err),
                TT_OK);
            tt_plan_get_facts(plan, &kept);
            whole.v = malloc((size_t)(3 * in.h * in.w) * sizeof *whole.v);
            ck_assert_int_eq(tt_plan_run(plan, pool, in.v, whole.v, NULL, &err), TT_OK);
            tt_plan_free(plan);
            tt_pool_free(pool);
            for (size_t t = 0; t < DO_THREADS; t++) {
                nt_map got = nt_engine(net, &in, do_threads[t]);
                ck_assert_msg(do_same(&whole, &got), "%s, %d x %d, %d threads: other bytes in strips",
                              kc_isas[level].name, in.w, in.h, do_threads[t]);
                nt_free(&got);
            }
            ck_assert_int_eq(tt_plan_new(&plan, net, in.h, in.w, &(tt_plan_options){.only_size = true}, &err),
                             TT_OK);
            tt_plan_get_facts(plan, &strips);
            tt_plan_free(plan);
            ck_assert_msg(strips.arena_bytes < kept.arena_bytes, "strips take %zu bytes, whole maps %zu",
                          strips.arena_bytes, kept.arena_bytes);
            nt_free(&in);
            nt_free(&whole);
        }
        tt_net_free(net);
    }
    nt_close(&n);
}
END_TEST

START_TEST(traits_follow_from_the_weights)
{
    nt_network n;
    open_net(&n, _i);
    ck_assert_str_eq(n.model->name, "deoldify");
    ck_assert_str_eq(n.traits.variant, nets[_i].variant);
    ck_assert_int_eq(n.traits.colours, 1);
    ck_assert_uint_eq(n.weights.count, nets[_i].tensors);
    nt_close(&n);
}
END_TEST

START_TEST(odd_sizes_are_refused)
{
    nt_network n;
    open_net(&n, 0);
    tt_net *net = nt_net(&n, 0);
    for (int h = 1; h < 20; h++) {
        nt_map in = nt_noise(3, h, 16), got = nt_engine(net, &in, 1);
        it_map *maps = nt_interpret(&n, &in);
        ck_assert_msg(!got.v == !maps && (got.v != NULL) == (h % 2 == 0), "height %d", h);
        it_free(n.graph, maps);
        nt_free(&in);
        nt_free(&got);
    }
    tt_net_free(net);
    nt_close(&n);
}
END_TEST

/* ---- refused -------------------------------------------------------------------------------------- */

static tt_status describe(const tt_weights *w, tt_error *err)
{
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
    const tt_status st = tt_model_build(w, NULL, &model, &traits, &graph, err);
    tt_graph_free(graph);
    return st;
}

/* A copy of the list of tensors, to be altered. */
static tt_weights altered(const tt_weights *w)
{
    tt_weights a = *w;
    a.tensors = malloc((w->count + 1) * sizeof *a.tensors);
    ck_assert_ptr_nonnull(a.tensors);
    memcpy(a.tensors, w->tensors, w->count * sizeof *a.tensors);
    return a;
}

START_TEST(a_missing_tensor_is_named)
{
    nt_network n;
    open_net(&n, _i);
    for (size_t i = 0; i < n.weights.count; i++) {
        const char *name = n.weights.tensors[i].name;
        tt_error err = {0};
        tt_weights a = altered(&n.weights);
        memmove(a.tensors + i, a.tensors + i + 1, (a.count - i - 1) * sizeof *a.tensors);
        a.count--;
        const tt_status st = describe(&a, &err);
        if (strstr(name, "num_batches_tracked"))
            ck_assert_msg(st == TT_OK, "without %s: %s", name, err.text);
        else
            ck_assert_msg(st == TT_ERR_FORMAT && strstr(err.text, name), "without %s: %s", name, err.text);
        free(a.tensors);
    }
    nt_close(&n);
}
END_TEST

START_TEST(a_wrong_tensor_is_refused)
{
    nt_network n;
    open_net(&n, _i);
    for (size_t i = 0; i < n.weights.count; i++)
        for (int kind = 0; kind < 3; kind++) {
            tt_error err = {0};
            tt_weights a = altered(&n.weights);
            tt_tensor *t = &a.tensors[i];
            if (!strstr(t->name, "num_batches_tracked")) {
                if (kind == 0) {
                    t->count = t->count / t->shape[0] * (t->shape[0] + 1);
                    t->shape[0]++;
                } else if (kind == 1) {
                    t->dtype = TT_I32;
                } else {
                    t->rank = 5;
                    t->count *= t->shape[4] = 2;
                }
                ck_assert_msg(describe(&a, &err) == TT_ERR_FORMAT, "takes %s changed (%d)", t->name, kind);
                ck_assert_msg(kind != 1 || strstr(err.text, t->name), "%s changed: %s", t->name, err.text);
            }
            free(a.tensors);
        }
    nt_close(&n);
}
END_TEST

START_TEST(extra_tensors_are_named)
{
    static char extra[] = "layers.7.conv9.0.weight_orig";
    nt_network n;
    open_net(&n, _i);
    tt_error err = {0};
    tt_weights a = altered(&n.weights);
    a.tensors[a.count] = a.tensors[0];
    a.tensors[a.count++].name = extra;
    qsort(a.tensors, a.count, sizeof *a.tensors, do_by_name);
    ck_assert_int_eq(describe(&a, &err), TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, extra), "%s", err.text);
    free(a.tensors);
    nt_close(&n);
}
END_TEST

/* Norms that cannot be: a zero u, a negative variance, a weight that is no number. All by name, before the
 * first run. */
START_TEST(senseless_norms_are_named)
{
    static const struct {
        const char *name, *said; /* the tensor changed, and the one that the sentence names */
        float value;
    } tries[] = {{"layers.3.0.0.weight_u", "layers.3.0.0.weight_orig", 0},
                 {"layers.0.1.running_var", "layers.0.1.running_var", -1},
                 {"layers.7.bn.running_var", "layers.7.bn.running_var", -1},
                 {"layers.8.conv.0.weight_v", "layers.8.conv.0.weight_v", 0},
                 {"layers.5.conv2.3.key.weight_v", "layers.5.conv2.3.key.weight_v", NAN}};
    nt_network n;
    open_net(&n, 0);
    tt_error err = {0};
    tt_weights a = altered(&n.weights);
    tt_tensor *t = NULL;
    for (size_t i = 0; i < a.count; i++)
        if (!strcmp(a.tensors[i].name, tries[_i].name))
            t = &a.tensors[i];
    ck_assert_ptr_nonnull(t);
    float *values = malloc(t->bytes);
    for (size_t i = 0; i < t->count; i++)
        values[i] = tries[_i].value;
    t->data = (const unsigned char *)values;
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
    tt_kernels k;
    tt_net *net;
    tt_kernels_init(&k, 0);
    ck_assert_int_eq(tt_model_build(&a, NULL, &model, &traits, &graph, &err), TT_OK);
    ck_assert_int_eq(tt_net_new(&net, graph, &k, &err), TT_ERR_NUMERIC);
    ck_assert_msg(strstr(err.text, tries[_i].said), "%s", err.text);
    tt_graph_free(graph);
    free(values);
    free(a.tensors);
    nt_close(&n);
}
END_TEST

/* ---- full size ------------------------------------------------------------------------------------ */

/*
 *     python3 tests/reference/make_golden_deoldify.py full FOLDER --model artistic --render-factor 3
 *     python3 tests/reference/make_golden_deoldify.py full FOLDER --model stable --render-factor 3
 *     TINTYPE_DEOLDIFY=FOLDER SUITE=models_deoldify build/tests/runner
 */
START_TEST(full_size_gives_the_goldens)
{
    static const char *const models[] = {"artistic", "stable"};
    static const size_t parameters[] = {63646881, 218222197};
    const char *folder = getenv("TINTYPE_DEOLDIFY");
    char path[1024];
    tt_error err = {0};
    tt_weights w;
    nt_network n = {0};
    snprintf(path, sizeof path, "%s/deoldify_%s.safetensors", folder ? folder : "", models[_i]);
    FILE *there = folder && *folder ? fopen(path, "rb") : NULL;
    if (!there) {
        printf("SKIPPED: DeOldify %s at full size: TINTYPE_DEOLDIFY names no folder with "
               "deoldify_%s.safetensors\n",
               models[_i], models[_i]);
        return;
    }
    fclose(there);
    ck_assert_msg(tt_weights_open(&n.weights, path, &err) == TT_OK, "%s", err.text);
    ck_assert_msg(tt_model_build(&n.weights, NULL, &n.model, &n.traits, &n.graph, &err) == TT_OK, "%s",
                  err.text);
    snprintf(path, sizeof path, "%s/deoldify_%s_rf3.safetensors", folder, models[_i]);
    ck_assert_msg(tt_weights_open(&w, path, &err) == TT_OK, "%s", err.text);
    double tolerance = 0;
    for (char **m = w.metadata; m && *m; m += 2)
        if (!strcmp(m[0], "tolerance"))
            tolerance = atof(m[1]);
    nt_map in = do_map(&w, "in"), want = do_map(&w, "out");
    for (int level = kc_isa_count() - 1; level >= 0; level--) {
        tt_net *net = nt_net(&n, kc_isas[level].flags);
        tt_net_facts f;
        tt_plan *plan;
        tt_plan_facts p;
        tt_net_get_facts(net, &f);
        ck_assert_uint_eq(f.parameters, parameters[_i]);
        nt_map got = nt_engine(net, &in, 2);
        printf("DeOldify %s, %s: off by %.2g, %.2g is allowed\n", models[_i], kc_isas[level].name,
               do_difference(&want, &got), tolerance);
        ck_assert_msg(do_difference(&want, &got) <= tolerance, "%s: off by %g", models[_i],
                      do_difference(&want, &got));
        ck_assert_int_eq(
            tt_plan_new(&plan, net, 560, 560, &(tt_plan_options){.threads = 2, .only_size = true}, &err),
            TT_OK);
        tt_plan_get_facts(plan, &p);
        ck_assert_msg(p.arena_bytes < 300000000, "render factor 35 takes %zu bytes", p.arena_bytes);
        tt_plan_free(plan);
        nt_free(&got);
        tt_net_free(net);
    }
    nt_free(&in);
    nt_free(&want);
    tt_weights_clear(&w);
    nt_close(&n);
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test, int times)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 600); /* the interpreter is slow on purpose, and slower under a sanitizer */
    tcase_add_loop_test(tc, test, 0, times);
    suite_add_tcase(s, tc);
}

Suite *suite_models_deoldify(void)
{
    Suite *s = suite_create("models/deoldify");
    add(s, "networks", networks_give_the_goldens, 4);
    add(s, "trace", layers_give_the_trace, 2);
    add(s, "strips", strips_change_nothing, 2);
    add(s, "traits", traits_follow_from_the_weights, 2);
    add(s, "odd sizes", odd_sizes_are_refused, 1);
    add(s, "missing tensor", a_missing_tensor_is_named, 2);
    add(s, "wrong tensor", a_wrong_tensor_is_refused, 2);
    add(s, "extra tensor", extra_tensors_are_named, 2);
    add(s, "senseless norms", senseless_norms_are_named, 5);
    add(s, "full size", full_size_gives_the_goldens, 2);
    return s;
}
