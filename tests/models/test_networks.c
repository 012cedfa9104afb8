/* Every network against the stored outputs of the original, layer by layer where one differs; and what is
 * refused. */
#include "tests/models/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "engine/plan.h"
#include "tests/golden.h"
#include "tests/kernels/kc.h"

Suite *suite_models_networks(void);

/* The case files of a set; fails the test when there is no such case. */
static void open_case(const nt_set *set, int number, nt_map *in, nt_map *want)
{
    char rel[128];
    tt_weights w;
    tt_error err = {0};
    snprintf(rel, sizeof rel, "%s/case%d.safetensors", set->folder, number);
    ck_assert_msg(tt_weights_open(&w, golden_path(rel), &err) == TT_OK, "%s", err.text);
    *in = nt_tensor(&w, "input");
    *want = nt_tensor(&w, "output");
    tt_weights_clear(&w);
}

static bool same(const nt_map *a, const nt_map *b)
{
    return a->c == b->c && a->h == b->h && a->w == b->w &&
           memcmp(a->v, b->v, (size_t)a->c * (size_t)a->h * (size_t)a->w * sizeof *a->v) == 0;
}

/* ---- right ---------------------------------------------------------------------------------------- */

START_TEST(interpreter_gives_the_goldens)
{
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    for (int c = 0; c < 2; c++) {
        nt_map in, want;
        char what[300], blame[300] = "no trace to say which layer";
        open_case(set, c, &in, &want);
        it_map *maps = nt_interpret(&n, &in);
        ck_assert_msg(maps, "%s case %d: the size is not taken", set->folder, c);
        nt_map got = nt_floats(&maps[n.graph->output]);
        if (!nt_agree(&want, &got, false, what, sizeof what)) {
            if (set->traced && nt_trace_agrees(&n, set, blame, sizeof blame))
                snprintf(blame, sizeof blame, "the trace agrees in every layer");
            ck_abort_msg("%s case %d: %s; %s", set->folder, c, what, blame);
        }
        nt_free(&got);
        it_free(n.graph, maps);
        nt_free(&in);
        nt_free(&want);
    }
    nt_close(&n);
}
END_TEST

START_TEST(interpreter_gives_the_traces)
{
    const nt_set *set = &nt_sets[_i];
    if (!set->traced)
        return;
    char what[300];
    nt_network n;
    nt_open(&n, set);
    ck_assert_msg(nt_trace_agrees(&n, set, what, sizeof what), "%s: %s", set->folder, what);
    nt_close(&n);
}
END_TEST

START_TEST(engine_gives_the_goldens)
{
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    for (int level = 0; level < kc_isa_count(); level++) {
        const kc_isa *isa = &kc_isas[level];
        tt_net *net = nt_net(&n, isa->flags);
        for (int c = 0; c < 2; c++) {
            nt_map in, want;
            char what[300], blame[300];
            open_case(set, c, &in, &want);
            nt_map got = nt_engine_strips(net, &in, 1, TT_WHOLE);
            ck_assert_msg(got.v, "%s case %d: the size is not taken", set->folder, c);
            if (!nt_agree(&want, &got, false, what, sizeof what)) {
                nt_blame_engine(&n, &in, isa->flags, blame, sizeof blame);
                ck_abort_msg("%s case %d, %s: %s; %s", set->folder, c, isa->name, what, blame);
            }
            static const int threads[] = {2, 3, 7};
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                nt_map again = nt_engine_strips(net, &in, threads[t], TT_WHOLE);
                ck_assert_msg(same(&got, &again), "%s case %d, %s: %d threads give other bytes than one",
                              set->folder, c, isa->name, threads[t]);
                nt_free(&again);
            }
            for (int strip = 1; strip <= 8; strip++) {
                nt_map again = nt_engine_strips(net, &in, threads[strip % 3], strip);
                ck_assert_msg(same(&got, &again), "%s case %d, %s: strips of %d rows give other bytes than whole maps",
                              set->folder, c, isa->name, strip);
                nt_free(&again);
            }
            nt_free(&got);
            nt_free(&in);
            nt_free(&want);
        }
        tt_net_free(net);
    }
    nt_close(&n);
}
END_TEST

/* What a run leaves in the arena, not-a-number even, has no say in the next. */
START_TEST(a_used_plan_gives_the_bytes_of_a_new_one)
{
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    nt_map in, want;
    open_case(set, 0, &in, &want);
    const size_t size = (size_t)in.c * (size_t)in.h * (size_t)in.w;
    nt_map dirt = nt_noise(in.c, in.h, in.w);
    for (size_t i = 0; i < size; i += 3)
        dirt.v[i] = NAN;
    for (int level = 0; level < kc_isa_count(); level++)
        for (int strip = TT_WHOLE; strip <= 3; strip += 4) {
            tt_net *net = nt_net(&n, kc_isas[level].flags);
            nt_map first = nt_engine_strips(net, &in, 2, strip), later = nt_engine_after(net, &dirt, &in, 2, strip);
            ck_assert_msg(same(&first, &later), "%s, %s: the run before shows, strips of %d", set->folder,
                          kc_isas[level].name, strip);
            nt_free(&first);
            nt_free(&later);
            tt_net_free(net);
        }
    nt_free(&dirt);
    nt_free(&in);
    nt_free(&want);
    nt_close(&n);
}
END_TEST

/* The side of n pixels with the border it needs, made one the network can take. */
static int legal(const tt_traits *t, int n)
{
    const int multiple = t->multiple ? t->multiple : 1;
    n += 2 * t->border;
    if (n < t->least)
        n = t->least;
    return (n + multiple - 1) / multiple * multiple;
}

START_TEST(engine_gives_the_interpreters_at_any_size)
{
    static const int sizes[][2] = {{1, 1}, {2, 3}, {17, 5}, {31, 33}, {64, 9}};
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    const int planes = n.graph->node[n.graph->input].channels;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        nt_map in = nt_noise(planes, legal(&n.traits, sizes[s][0]), legal(&n.traits, sizes[s][1]));
        it_map *maps = nt_interpret(&n, &in);
        ck_assert_msg(maps, "%s: %dx%d is not taken", set->folder, in.h, in.w);
        nt_map want = nt_floats(&maps[n.graph->output]);
        for (int level = 0; level < kc_isa_count(); level++) {
            const kc_isa *isa = &kc_isas[level];
            char what[300], blame[300];
            tt_net *net = nt_net(&n, isa->flags);
            nt_map got = nt_engine(net, &in, 3);
            ck_assert_msg(got.v, "%s: the engine does not take %dx%d", set->folder, in.h, in.w);
            if (!nt_agree(&want, &got, true, what, sizeof what)) {
                nt_blame_engine(&n, &in, isa->flags, blame, sizeof blame);
                ck_abort_msg("%s %dx%d, %s: %s; %s", set->folder, in.h, in.w, isa->name, what, blame);
            }
            nt_free(&got);
            tt_net_free(net);
        }
        nt_free(&want);
        it_free(n.graph, maps);
        nt_free(&in);
    }
    nt_close(&n);
}
END_TEST

START_TEST(engine_refuses_the_sizes_the_interpreter_refuses)
{
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    const tt_traits *t = &n.traits;
    tt_net *net = nt_net(&n, 0);
    const int planes = n.graph->node[n.graph->input].channels;
    for (int h = 1; h <= (t->least > 1 ? t->least : 4) + 1; h++) {
        nt_map in = nt_noise(planes, h, legal(t, 1));
        it_map *maps = nt_interpret(&n, &in);
        nt_map got = nt_engine_strips(net, &in, 1, TT_WHOLE);
        /* the traits promise a size at least where they say so */
        ck_assert_msg(!maps == !got.v, "%s: the engine %s height %d", set->folder,
                      got.v ? "takes" : "refuses", h);
        ck_assert_msg(maps || h < t->least || h % t->multiple, "%s: refuses height %d", set->folder, h);
        nt_free(&got);
        it_free(n.graph, maps);
        nt_free(&in);
    }
    tt_net_free(net);
    nt_close(&n);
}
END_TEST

/* ---- told by the weights -------------------------------------------------------------------------- */

static const struct {
    const char *folder, *model, *variant;
    int border, multiple, least, block, enlarge_first;
} facts[] = {
    {"srcnn/915", "srcnn", "9-1-5, replicate padding", 0, 0, 0, 0, 1},
    {"srcnn/935", "srcnn", "9-3-5, replicate padding", 0, 0, 0, 0, 1},
    {"srcnn/955_zero", "srcnn", "9-5-5, zero padding", 0, 0, 0, 0, 1},
    {"vdsr/bias", "vdsr", "20 layers, 16 features", 0, 0, 0, 0, 1},
    {"waifu2x/vgg_7", "waifu2x", "vgg_7", 7, 0, 15, 0, 0},
    {"waifu2x/vgg_7_y", "waifu2x", "vgg_7, luma", 7, 0, 15, 0, 0},
    {"waifu2x/upconv_7", "waifu2x", "upconv_7", 7, 0, 15, 0, 0},
    {"waifu2x/cunet", "cunet", "cunet", 28, 4, 60, 256, 0},
    {"waifu2x/upcunet", "cunet", "upcunet", 18, 2, 40, 256, 0},
    {"rrdb/body_x4", "esrgan", "RRDBNet x4, 16 features, 2 blocks", 0, 1, 0, 0, 0},
    {"rrdb/body_x2", "esrgan", "RRDBNet x2, 16 features, 1 block", 0, 2, 0, 0, 0},
    {"rrdb/body_x1", "esrgan", "RRDBNet x1, 12 features, 1 block", 0, 4, 0, 0, 0},
    {"rrdb/trunk_x2", "esrgan", "RRDBNet x2, 12 features, 1 block", 0, 1, 0, 0, 0},
    {"rrdb/old_x8", "esrgan", "RRDBNet x8, 12 features, 1 block", 0, 1, 0, 0, 0},
    {"rrdb/old_x4_in12", "esrgan", "RRDBNet x2, 12 features, 1 block", 0, 2, 0, 0, 0},
    {"rrdb/old_x4_plus", "esrgan", "ESRGAN+ RRDBNet x4, 16 features, 1 block", 0, 1, 0, 0, 0},
    {"srvgg/x3", "srvgg", "SRVGGNetCompact x3, 16 features, 5 convolutions, prelu", 0, 0, 0, 0, 0},
    {"swinir/classical_x4", "swinir", "SwinIR x4, pixel shuffle, 24 channels, 2 x 2 layers, window 8", 0, 8, 0, 0, 0},
    {"swinir/light_x3", "swinir", "SwinIR x3, lightweight, 24 channels, 1 x 2 layers, window 8", 0, 8, 0, 0, 0},
    {"swinir/real_l_x4", "swinir", "SwinIR x4, nearest neighbour, 24 channels, 2 x 2 layers, window 8", 0, 8, 0, 0, 0},
    {"swinir/fold2_x2", "swinir", "SwinIR x2, nearest neighbour, 24 channels, 1 x 2 layers, window 8", 0, 16, 0, 0, 0},
    {"swinir/jpeg_gray", "swinir", "SwinIR x1, 24 channels, 2 x 2 layers, window 7", 0, 7, 0, 0, 0},
    {"srvgg/x4_leakyrelu", "srvgg", "SRVGGNetCompact x4, 16 features, 5 convolutions, leakyrelu", 0, 0, 0, 0,
     0},
};

START_TEST(traits_follow_from_the_weights)
{
    const nt_set set = {facts[_i].folder, {NULL}, false};
    nt_network n;
    nt_open(&n, &set);
    ck_assert_str_eq(n.model->name, facts[_i].model);
    ck_assert_str_eq(n.traits.variant, facts[_i].variant);
    ck_assert_int_eq(n.traits.border, facts[_i].border);
    ck_assert_int_eq(n.traits.multiple, facts[_i].multiple);
    ck_assert_int_eq(n.traits.least, facts[_i].least);
    ck_assert_int_eq(n.traits.block, facts[_i].block);
    ck_assert_int_eq(n.traits.enlarge_first, facts[_i].enlarge_first);
    nt_close(&n);
}
END_TEST

/* Weights whose list of tensors can be altered; the bytes stay those of the file. */
typedef struct altered {
    tt_weights w;
    tt_tensor *mine;
} altered;

static altered alter(const tt_weights *w)
{
    altered a = {*w, malloc((w->count + 1) * sizeof *a.mine)};
    ck_assert_ptr_nonnull(a.mine);
    memcpy(a.mine, w->tensors, w->count * sizeof *a.mine);
    a.w.tensors = a.mine;
    return a;
}

static tt_status describe(const tt_weights *w, const char *const *settings, tt_error *err)
{
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
    const tt_status st = tt_model_build(w, settings, &model, &traits, &graph, err);
    ck_assert(!graph == (st != TT_OK));
    tt_graph_free(graph);
    return st;
}

START_TEST(metadata_is_heard_and_the_user_more)
{
    const nt_set set = {"rrdb/old_x2", {NULL}, false};
    static char key[] = "scale", word[] = "3", other[] = "three";
    char *scale3[] = {key, word, NULL}, *scale_odd[] = {key, other, NULL};
    const char *const user[] = {"scale=2", NULL};
    nt_network n;
    nt_open(&n, &set);
    altered a = alter(&n.weights);
    tt_error err = {0};
    const struct {
        char **metadata;
        const char *const *settings;
        const char *variant;
    } tries[] = {{NULL, NULL, "RRDBNet x2, 12 features, 1 block"},
                 {scale3, NULL, "RRDBNet x3, 12 features, 1 block"},
                 {scale3, user, "RRDBNet x2, 12 features, 1 block"},
                 {scale_odd, NULL, "RRDBNet x2, 12 features, 1 block"}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const tt_model *model;
        tt_traits traits;
        tt_graph *graph;
        a.w.metadata = tries[i].metadata;
        ck_assert_int_eq(tt_model_build(&a.w, tries[i].settings, &model, &traits, &graph, &err), TT_OK);
        ck_assert_str_eq(traits.variant, tries[i].variant);
        tt_graph_free(graph);
    }
    free(a.mine);
    nt_close(&n);
}
END_TEST

/* ---- refused -------------------------------------------------------------------------------------- */

/* Buffers that SwinIR's files carry and its network works out: whatever they are. */
static bool ignored(const char *name)
{
    return strstr(name, "attn_mask") || strstr(name, "relative_position_index");
}

/* May a file of this set do without that tensor? */
static bool optional(const char *folder, const char *name)
{
    if (ignored(name))
        return true;
    /* transposed convolutions come with and without; the depth of a VDSR is what is there */
    return (strncmp(folder, "waifu2x/up", 10) == 0 &&
            (!strcmp(name, "net.12.bias") || !strcmp(name, "unet1.conv_bottom.bias"))) ||
           (strstr(name, "_up.bias") && strstr(folder, "cunet")) ||
           (!strcmp(folder, "vdsr/nobias") && !strcmp(name, "residual_layer.17.conv.weight"));
}

START_TEST(a_missing_tensor_is_named)
{
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    for (size_t i = 0; i < n.weights.count; i++) {
        tt_error err = {0};
        altered a = alter(&n.weights);
        const char *name = n.weights.tensors[i].name;
        memmove(a.mine + i, a.mine + i + 1, (a.w.count - i - 1) * sizeof *a.mine);
        a.w.count--;
        const tt_status st = describe(&a.w, set->settings, &err);
        if (optional(set->folder, name)) {
            ck_assert_msg(st == TT_OK, "%s without %s: %s", set->folder, name, err.text);
        } else {
            ck_assert_msg(st == TT_ERR_FORMAT, "%s is taken without %s", set->folder, name);
            ck_assert_msg(strstr(err.text, name), "%s without %s: %s", set->folder, name, err.text);
        }
        free(a.mine);
    }
    nt_close(&n);
}
END_TEST

START_TEST(an_extra_tensor_is_named)
{
    static char names[][32] = {"Aa.weight", "zz.weight"};
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    for (int end = 0; end < 2; end++) {
        tt_error err = {0};
        altered a = alter(&n.weights);
        if (end == 0)
            memmove(a.mine + 1, a.mine, a.w.count * sizeof *a.mine);
        tt_tensor *extra = &a.mine[end ? a.w.count : 0];
        *extra = a.mine[1];
        extra->name = names[end];
        a.w.count++;
        ck_assert_msg(describe(&a.w, set->settings, &err) == TT_ERR_FORMAT, "%s with %s", set->folder,
                      names[end]);
        ck_assert_msg(strstr(err.text, names[end]), "%s with %s: %s", set->folder, names[end], err.text);
        free(a.mine);
    }
    nt_close(&n);
}
END_TEST

/* One more output channel, an integer type, a rank too many: the tensor or one that meets it is named. */
START_TEST(a_wrong_shape_is_named)
{
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    for (size_t i = 0; i < n.weights.count; i++)
        for (int kind = 0; kind < 3; kind++) {
            tt_error err = {0};
            altered a = alter(&n.weights);
            tt_tensor *t = &a.mine[i];
            if (kind == 0) {
                t->count = t->count / t->shape[0] * (t->shape[0] + 1);
                t->shape[0]++;
            } else if (kind == 1) {
                t->dtype = TT_I32;
            } else {
                t->rank = 5;
                t->count *= t->shape[4] = 2;
            }
            const tt_status st = describe(&a.w, set->settings, &err);
            if (ignored(t->name)) {
                ck_assert_msg(st == TT_OK, "%s: %s", set->folder, err.text);
                free(a.mine);
                continue;
            }
            ck_assert_msg(st == TT_ERR_FORMAT, "%s: takes %s changed (%d): %s", set->folder, t->name, kind,
                          err.text);
            const char *named = kind ? t->name : strstr(t->name, "bias") ? t->name : ".";
            ck_assert_msg(strstr(err.text + strlen(n.weights.path), named), "%s: %s changed (%d): %s",
                          set->folder, t->name, kind, err.text);
            free(a.mine);
        }
    nt_close(&n);
}
END_TEST

START_TEST(unknown_settings_are_refused)
{
    static const char *const tries[] = {
        "paddding=zero", "colour=3", "padding=mirror", "act_type=gelu", "clip=maybe",
        "scale=5",       "=",        "padding"};
    const nt_set *set = &nt_sets[_i];
    nt_network n;
    nt_open(&n, set);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const char *const settings[] = {tries[i], NULL};
        tt_error err = {0};
        ck_assert_msg(describe(&n.weights, settings, &err) == TT_ERR_USAGE, "%s: %s", set->folder, tries[i]);
        ck_assert_msg(strstr(err.text, tries[i]), "%s: %s: %s", set->folder, tries[i], err.text);
    }
    nt_close(&n);
}
END_TEST

/* A table of biases of which no window is the side, absolute positions, pixels that cannot be shuffled. */
START_TEST(other_swinirs_are_refused)
{
    static const struct {
        const char *tensor, *as; /* under another name; or NULL: with other sizes */
        size_t rows, columns;
        const char *says;
    } tries[] = {
        {"conv_last.bias", "absolute_pos_embed", 0, 0, "absolute"},
        {"layers.0.residual_group.blocks.1.attn.relative_position_bias_table", NULL, 169, 2, "169x2"},
        {"layers.0.residual_group.blocks.0.attn.relative_position_bias_table", NULL, 224, 2, "224x2"},
        {"layers.0.residual_group.blocks.0.attn.relative_position_bias_table", NULL, 225, 5, "225x5"},
        {"layers.0.residual_group.blocks.0.attn.relative_position_bias_table", NULL, 39 * 39, 2, "up to 16"},
        {"upsample.0.weight", NULL, 65, 16, "upsample.0.weight makes 65 channels of 16"},
        {"conv_first.weight", NULL, 24, 5, "5 planes"},
    };
    const nt_set set = {"swinir/classical_x4", {NULL}, false};
    nt_network n;
    nt_open(&n, &set);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        tt_error err = {0};
        altered a = alter(&n.weights);
        for (size_t j = 0; j < a.w.count; j++) {
            tt_tensor *t = &a.mine[j];
            if (strcmp(t->name, tries[i].tensor))
                continue;
            if (tries[i].as) { /* before all others: the names stay sorted */
                memmove(a.mine + 1, a.mine, j * sizeof *a.mine);
                a.mine[0] = n.weights.tensors[j];
                a.mine[0].name = (char *)tries[i].as;
                break;
            }
            t->count = t->count / t->shape[0] / t->shape[1] * tries[i].rows * tries[i].columns;
            t->shape[0] = tries[i].rows;
            t->shape[1] = tries[i].columns;
        }
        ck_assert_msg(describe(&a.w, NULL, &err) == TT_ERR_FORMAT, "%zu: %s", i, err.text);
        ck_assert_msg(strstr(err.text, tries[i].says), "%zu: %s", i, err.text);
        free(a.mine);
    }
    nt_close(&n);
}
END_TEST

/* Every name of a set behind a prefix, or other names altogether. */
START_TEST(other_networks_are_told_what_was_found)
{
    const nt_set set = {"rrdb/trunk_x4", {NULL}, false};
    nt_network n;
    nt_open(&n, &set);
    altered a = alter(&n.weights);
    char(*names)[64] = calloc(n.weights.count, sizeof *names);
    ck_assert_ptr_nonnull(names);
    for (int inside = 0; inside < 2; inside++) {
        tt_error err = {0};
        for (size_t i = 0; i < a.w.count; i++) {
            snprintf(names[i], sizeof *names, "%s.%s", inside ? "netG" : "q",
                     inside ? n.weights.tensors[i].name : "w");
            a.mine[i].name = names[i];
        }
        ck_assert_int_eq(describe(&a.w, NULL, &err), TT_ERR_UNSUPPORTED);
        char tensors[32];
        snprintf(tensors, sizeof tensors, "%zu", a.w.count);
        ck_assert_msg(strstr(err.text, tensors), "%s", err.text);
        ck_assert_msg(strstr(err.text, names[0]), "%s", err.text);
        ck_assert_msg(strstr(err.text, inside ? "\"netG.\" look like ESRGAN" : "known are srcnn, vdsr"), "%s",
                      err.text);
    }
    tt_error err = {0};
    a.w.count = 0;
    ck_assert_int_eq(describe(&a.w, NULL, &err), TT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "no tensors"), "%s", err.text);
    free(names);
    free(a.mine);
    nt_close(&n);
}
END_TEST

/* Names of DnCNN, of half an RRDBNet, of nothing that is known. */
START_TEST(what_comes_closest_is_said)
{
    static const struct {
        const char *names[6];
        const char *said; /* NULL: no network comes near */
    } tries[] = {
        {{"model.0.weight", "model.2.weight", "model.32.weight"},
         "ESRGAN, Real-ESRGAN, BSRGAN, RealSR (RRDBNet) comes closest: 3 of the names could be its, but none is like "
         "model.N.sub.N.RDBN.convN.N"},
        {{"body.1.rdb2.conv1.weight", "conv_body.bias", "conv_first.weight", "other"},
         "3 of the names could be its, but none is like conv_upN"},
        {{"a", "b.weight", "body.x.weight", "body.2x.weight", "conv1.2.weight"}, NULL},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        tt_tensor t[6] = {{0}};
        tt_weights w = {.path = (char *)"file", .tensors = t};
        tt_error err = {0};
        while (w.count < 6 && tries[i].names[w.count]) {
            t[w.count] = (tt_tensor){.name = (char *)tries[i].names[w.count], .count = 1};
            w.count++;
        }
        ck_assert_int_eq(describe(&w, NULL, &err), TT_ERR_UNSUPPORTED);
        const char *found = strstr(err.text, tries[i].said ? tries[i].said : "comes closest");
        ck_assert_msg(!found == !tries[i].said, "%s", err.text);
    }
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test, int times)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 300); /* the interpreter is slow on purpose, and slower under a sanitizer */
    tcase_add_loop_test(tc, test, 0, times);
    suite_add_tcase(s, tc);
}

Suite *suite_models_networks(void)
{
    Suite *s = suite_create("models/networks");
    add(s, "interpreter, goldens", interpreter_gives_the_goldens, nt_set_count);
    add(s, "interpreter, traces", interpreter_gives_the_traces, nt_set_count);
    add(s, "engine, goldens", engine_gives_the_goldens, nt_set_count);
    add(s, "engine, used plans", a_used_plan_gives_the_bytes_of_a_new_one, nt_set_count);
    add(s, "engine, sizes", engine_gives_the_interpreters_at_any_size, nt_set_count);
    add(s, "engine, refused sizes", engine_refuses_the_sizes_the_interpreter_refuses, nt_set_count);
    add(s, "traits", traits_follow_from_the_weights, (int)(sizeof facts / sizeof *facts));
    add(s, "metadata", metadata_is_heard_and_the_user_more, 1);
    add(s, "missing tensor", a_missing_tensor_is_named, nt_set_count);
    add(s, "extra tensor", an_extra_tensor_is_named, nt_set_count);
    add(s, "wrong shape", a_wrong_shape_is_named, nt_set_count);
    add(s, "unknown setting", unknown_settings_are_refused, nt_set_count);
    add(s, "other SwinIRs", other_swinirs_are_refused, 1);
    add(s, "unknown network", other_networks_are_told_what_was_found, 1);
    add(s, "closest network", what_comes_closest_is_said, 1);
    return s;
}
