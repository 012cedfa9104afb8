#include "tests/models/network.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "engine/plan.h"
#include "engine/pool.h"
#include "tests/golden.h"

const nt_set nt_sets[] = {
    {"srcnn/915", {NULL}, false},
    {"srcnn/935", {NULL}, false},
    {"srcnn/955", {"padding=replicate"}, true},
    {"srcnn/955_zero", {NULL}, true},
    {"vdsr/nobias", {NULL}, true},
    {"vdsr/bias", {NULL}, false},
    {"waifu2x/vgg_7", {NULL}, true},
    {"waifu2x/vgg_7_y", {NULL}, false},
    {"waifu2x/upconv_7", {NULL}, true},
    {"waifu2x/cunet", {NULL}, true},
    {"waifu2x/upcunet", {NULL}, true},
    {"waifu2x/upcunet_clip", {"clip=yes"}, false},
    {"rrdb/body_x4", {NULL}, true},
    {"rrdb/body_x2", {NULL}, true},
    {"rrdb/body_x1", {NULL}, false},
    {"rrdb/trunk_x4", {NULL}, false},
    {"rrdb/trunk_x2", {NULL}, true},
    {"rrdb/old_x1", {NULL}, false},
    {"rrdb/old_x2", {NULL}, false},
    {"rrdb/old_x4", {NULL}, false},
    {"rrdb/old_x8", {NULL}, false},
    {"rrdb/old_x2_gray", {NULL}, false},
    {"rrdb/old_x4_in12", {NULL}, false},
    {"rrdb/old_x4_plus", {NULL}, true},
    {"srvgg/x1", {NULL}, false},
    {"srvgg/x2", {NULL}, false},
    {"srvgg/x3", {NULL}, false},
    {"srvgg/x4", {NULL}, true},
    {"srvgg/x4_relu", {"act_type=relu"}, false},
    {"srvgg/x4_leakyrelu", {NULL}, false},
    {"swinir/classical_x2", {NULL}, false},
    {"swinir/classical_x3", {NULL}, false},
    {"swinir/classical_x4", {NULL}, true},
    {"swinir/classical_x8", {NULL}, false},
    {"swinir/light_x2", {NULL}, false},
    {"swinir/light_x3", {NULL}, false},
    {"swinir/light_x4", {NULL}, false},
    {"swinir/real_m_x2", {NULL}, false},
    {"swinir/real_m_x4", {NULL}, false},
    {"swinir/real_l_x4", {NULL}, true},
    {"swinir/fold2_x2", {NULL}, false},
    {"swinir/gray_dn", {NULL}, false},
    {"swinir/color_dn", {NULL}, false},
    {"swinir/jpeg_gray", {NULL}, false},
    {"swinir/jpeg_color", {NULL}, true},
};
const int nt_set_count = sizeof nt_sets / sizeof nt_sets[0];

void nt_open(nt_network *n, const nt_set *set)
{
    char rel[128];
    tt_error err = {0};
    *n = (nt_network){0};
    snprintf(rel, sizeof rel, "%s/weights.safetensors", set->folder);
    ck_assert_msg(tt_weights_open(&n->weights, golden_path(rel), &err) == TT_OK, "%s", err.text);
    ck_assert_msg(tt_model_build(&n->weights, set->settings, &n->model, &n->traits, &n->graph, &err) == TT_OK,
                  "%s", err.text);
}

void nt_close(nt_network *n)
{
    tt_graph_free(n->graph);
    tt_weights_clear(&n->weights);
}

void nt_free(nt_map *m)
{
    free(m->v);
    *m = (nt_map){0};
}

static size_t count(const nt_map *m)
{
    return (size_t)m->c * (size_t)m->h * (size_t)m->w;
}

static nt_map map_new(int c, int h, int w)
{
    nt_map m = {c, h, w, NULL};
    m.v = malloc(count(&m) * sizeof(float));
    ck_assert_ptr_nonnull(m.v);
    return m;
}

nt_map nt_tensor(const tt_weights *w, const char *name)
{
    tt_error err = {0};
    const tt_tensor *t = tt_weights_find(w, name);
    ck_assert_msg(t && t->rank == 4 && t->shape[0] == 1, "%s: no map %s", w->path, name);
    nt_map m = map_new((int)t->shape[1], (int)t->shape[2], (int)t->shape[3]);
    ck_assert_msg(tt_tensor_floats(w, t, m.v, &err) == TT_OK, "%s", err.text);
    return m;
}

nt_map nt_noise(int c, int h, int w)
{
    nt_map m = map_new(c, h, w);
    uint32_t state = 1;
    for (size_t i = 0; i < count(&m); i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator; its upper bits will do */
        m.v[i] = (float)(state >> 8) * (1.4f / 0x1p24f) - 0.2f;
    }
    return m;
}

it_map *nt_interpret(const nt_network *n, const nt_map *in)
{
    double *v = malloc(count(in) * sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < count(in); i++)
        v[i] = (double)in->v[i];
    it_map *maps = it_run(n->graph, v, in->h, in->w);
    free(v);
    return maps;
}

nt_map nt_floats(const it_map *m)
{
    nt_map f = map_new(m->c, m->h, m->w);
    for (size_t i = 0; i < count(&f); i++)
        f.v[i] = (float)m->v[i];
    return f;
}

/* ---- the engine ----------------------------------------------------------------------------------- */

tt_net *nt_net(const nt_network *n, unsigned cpu)
{
    tt_error err = {0};
    tt_kernels k;
    tt_net *net = NULL;
    tt_kernels_init(&k, cpu);
    ck_assert_msg(tt_net_new(&net, n->graph, &k, &err) == TT_OK, "%s", err.text);
    return net;
}

static tt_pool *pool_new(int threads)
{
    tt_error err = {0};
    tt_pool *pool = NULL;
    ck_assert_msg(tt_pool_new(&pool, threads, &err) == TT_OK, "%s", err.text);
    return pool;
}

/* Run and leave the plan for questions; NULL where the size is refused. */
static tt_plan *run(const tt_net *net, const nt_map *in, tt_pool *pool, int strip, bool keep, nt_map *out)
{
    tt_error err = {0};
    tt_plan *plan = NULL;
    const tt_plan_options o = {.threads = tt_pool_threads(pool), .strip = strip, .keep = keep};
    const tt_status st = tt_plan_new(&plan, net, in->h, in->w, &o, &err);
    if (st == TT_ERR_USAGE)
        return NULL;
    ck_assert_msg(st == TT_OK, "%s", err.text);
    tt_plan_facts f;
    tt_plan_get_facts(plan, &f);
    ck_assert_int_eq(f.in_channels, in->c);
    *out = map_new(f.out_channels, f.out_h, f.out_w);
    ck_assert_msg(tt_plan_run(plan, pool, in->v, out->v, NULL, &err) == TT_OK, "%s", err.text);
    return plan;
}

nt_map nt_engine_strips(const tt_net *net, const nt_map *in, int threads, int strip)
{
    nt_map out = {0};
    tt_pool *pool = pool_new(threads);
    tt_plan_free(run(net, in, pool, strip, false, &out));
    tt_pool_free(pool);
    return out;
}

nt_map nt_engine_after(const tt_net *net, const nt_map *before, const nt_map *in, int threads, int strip)
{
    nt_map out = {0};
    tt_error err = {0};
    tt_pool *pool = pool_new(threads);
    tt_plan *plan = run(net, before, pool, strip, false, &out);
    ck_assert_msg(tt_plan_run(plan, pool, in->v, out.v, NULL, &err) == TT_OK, "%s", err.text);
    tt_plan_free(plan);
    tt_pool_free(pool);
    return out;
}

nt_map nt_engine(const tt_net *net, const nt_map *in, int threads)
{
    return nt_engine_strips(net, in, threads, 0);
}

/* ---- comparing ------------------------------------------------------------------------------------ */

bool nt_agree(const nt_map *want, const nt_map *got, bool relative, char *what, size_t room)
{
    if (want->c != got->c || want->h != got->h || want->w != got->w) {
        snprintf(what, room, "%dx%dx%d where %dx%dx%d is wanted", got->c, got->h, got->w, want->c, want->h,
                 want->w);
        return false;
    }
    size_t worst = 0;
    double most = 0;
    for (size_t i = 0; i < count(want); i++) {
        const double w = (double)want->v[i], unit = relative ? fmax(1, fabs(w)) : 1;
        const double d = fabs((double)got->v[i] - w) / unit;
        if (!(d <= most)) { /* not-a-number too */
            most = d;
            worst = i;
            if (isnan(d))
                break;
        }
    }
    const size_t row = (size_t)want->w, plane = row * (size_t)want->h;
    snprintf(what, room, "%g where %g is wanted, at [%zu,%zu,%zu], off by %g", (double)got->v[worst],
             (double)want->v[worst], worst / plane, worst % plane / row, worst % row, most);
    return most <= 2e-5;
}

/* As nt_agree(), but 2e-5 of the layer's largest value: sums of large numbers of both signs are not off by
 * less. */
static bool layer_agrees(const nt_map *want, const nt_map *got, char *what, size_t room)
{
    double unit = 1;
    for (size_t i = 0; i < count(want); i++)
        unit = fmax(unit, fabs((double)want->v[i]));
    for (size_t i = 0; i < count(want); i++)
        if (!(fabs((double)got->v[i] - (double)want->v[i]) <= 2e-5 * unit)) {
            nt_agree(want, got, false, what, room);
            return false;
        }
    return true;
}

bool nt_trace_agrees(const nt_network *n, const nt_set *set, char *what, size_t room)
{
    char rel[128];
    tt_weights trace;
    tt_error err = {0};
    snprintf(rel, sizeof rel, "traces/%s.safetensors", set->folder);
    *strrchr(rel, '/') = '_';
    ck_assert_msg(tt_weights_open(&trace, golden_path(rel), &err) == TT_OK, "%s", err.text);
    nt_map in = nt_tensor(&trace, "case.input"), out = nt_tensor(&trace, "case.output");
    it_map *maps = nt_interpret(n, &in);
    ck_assert_ptr_nonnull(maps);

    size_t layers = 0;
    bool good = true;
    for (int i = 0; good && i < n->graph->count; i++) {
        const tt_node *node = &n->graph->node[i];
        const bool conv = node->op == TT_OP_CONV || node->op == TT_OP_DECONV;
        const bool tokens = node->op == TT_OP_NORM || node->op == TT_OP_LINEAR; /* of which some are traced */
        if (!conv && !(tokens && tt_weights_find(&trace, node->name)))
            continue;
        nt_map want = nt_tensor(&trace, node->name);
        it_map linear = maps[i];
        linear.v = it_linear(n->graph, maps, i);
        ck_assert_ptr_nonnull(linear.v);
        if (want.c < linear.c)
            linear.c = want.c; /* of large layers the trace has only the first channels */
        nt_map got = nt_floats(&linear);
        char text[200];
        good = want.h == got.h && want.w == got.w && layer_agrees(&want, &got, text, sizeof text);
        if (!good)
            snprintf(what, room, "the first wrong layer is %s: %s", node->name,
                     want.h == got.h && want.w == got.w ? text : "another size");
        layers++;
        free(linear.v);
        nt_free(&got);
        nt_free(&want);
    }
    if (good && layers + 2 != trace.count) {
        snprintf(what, room, "the trace has %zu layers, the description %zu", trace.count - 2, layers);
        good = false;
    }
    nt_map end = nt_floats(&maps[n->graph->output]);
    if (good)
        good = nt_agree(&out, &end, false, what, room);
    nt_free(&end);
    it_free(n->graph, maps);
    nt_free(&in);
    nt_free(&out);
    tt_weights_clear(&trace);
    return good;
}

void nt_blame_engine(const nt_network *n, const nt_map *in, unsigned cpu, char *what, size_t room)
{
    nt_map out = {0};
    tt_net *net = nt_net(n, cpu);
    tt_pool *pool = pool_new(1);
    tt_plan *plan = run(net, in, pool, 0, true, &out);
    it_map *maps = nt_interpret(n, in);
    snprintf(what, room, "in every layer the engine does what the description says");
    for (int i = 0; plan && maps && i < n->graph->count; i++) {
        int c, h, w;
        if (!tt_plan_value(plan, i, NULL, &c, &h, &w))
            continue;
        nt_map got = map_new(c, h, w), want = nt_floats(&maps[i]);
        tt_plan_value(plan, i, got.v, &c, &h, &w);
        char text[200] = "another size";
        const bool good =
            c == want.c && h == want.h && w == want.w && layer_agrees(&want, &got, text, sizeof text);
        nt_free(&got);
        nt_free(&want);
        if (!good) {
            snprintf(what, room, "the first wrong layer is node %d, %s: %s", i, n->graph->node[i].name, text);
            break;
        }
    }
    it_free(n->graph, maps);
    tt_plan_free(plan);
    tt_pool_free(pool);
    tt_net_free(net);
    nt_free(&out);
}
