/* An ncnn file must compute what the network does that we would run: every network written as such files
 * comes back, and a file that is changed anywhere is refused with the layer's name and what is wanted there.
 */
#include "tests/models/network.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "tests/engine/reader_kit.h"
#include "tests/golden.h"
#include "tests/models/to_ncnn.h"

Suite *suite_models_ncnn_graph(void);

static unsigned char *container(const char *name, size_t *size)
{
    char rel[128];
    snprintf(rel, sizeof rel, "containers/%s", name);
    return rk_read(golden_path(rel), size);
}

/* ---- every network as ncnn's files ----------------------------------------------------------------- */

static const nt_set ncnn_sets[] = {
    {"rrdb/body_x4", {NULL}, false},       {"rrdb/body_x2", {NULL}, false},
    {"rrdb/body_x1", {NULL}, false},       {"rrdb/trunk_x2", {NULL}, false},
    {"rrdb/old_x1", {NULL}, false},        {"rrdb/old_x2", {"scale=3"}, false},
    {"rrdb/old_x8", {NULL}, false},        {"rrdb/old_x2_gray", {NULL}, false},
    {"rrdb/old_x4_in12", {NULL}, false},   {"srvgg/x1", {NULL}, false},
    {"srvgg/x3", {NULL}, false},           {"srvgg/x4_relu", {"act_type=relu"}, false},
    {"srvgg/x4_leakyrelu", {NULL}, false}, {"waifu2x/vgg_7", {NULL}, false},
    {"waifu2x/vgg_7_y", {NULL}, false},    {"waifu2x/upconv_7", {NULL}, false},
    {"waifu2x/cunet", {NULL}, false},      {"waifu2x/upcunet", {NULL}, false},
};
enum { NCNN_SETS = sizeof ncnn_sets / sizeof *ncnn_sets };

START_TEST(networks_come_back_from_ncnn)
{
    const nt_set *set = &ncnn_sets[_i];
    tt_error err = {0};
    nt_network n, back = {0};
    nt_open(&n, set);
    tn_files f = tn_write(n.graph);
    ck_assert_msg(
        !tt_weights_open_pair(&back.weights, f.param, f.param_size, f.bin, f.bin_size, "test", &err), "%s",
        err.text);
    ck_assert_msg(!tt_model_adopt(&back.weights, &err), "%s", err.text);
    /* no settings: the graph says them */
    ck_assert_msg(!tt_model_build(&back.weights, NULL, &back.model, &back.traits, &back.graph, &err),
                  "%s: %s", set->folder, err.text);
    ck_assert_ptr_eq(back.model, n.model);
    ck_assert_str_eq(back.traits.variant, n.traits.variant);
    nt_map in = nt_noise(n.graph->node[n.graph->input].channels, n.traits.least > 12 ? n.traits.least : 12,
                         n.traits.least > 12 ? n.traits.least : 16);
    tt_net *a = nt_net(&n, tt_cpu_detect()), *b = nt_net(&back, tt_cpu_detect());
    nt_map x = nt_engine(a, &in, 1), y = nt_engine(b, &in, 1);
    ck_assert(x.v && y.v && x.c == y.c && x.h == y.h && x.w == y.w);
    ck_assert_msg(!memcmp(x.v, y.v, (size_t)(x.c * x.h * x.w) * sizeof *x.v), "%s gives other numbers",
                  set->folder);
    nt_free(&in);
    nt_free(&x);
    nt_free(&y);
    tt_net_free(a);
    tt_net_free(b);
    nt_close(&n);
    nt_close(&back);
    tn_free(&f);
}
END_TEST

/* What the networks of this kind do, and what we do not take for one: a clamp between, ESRGAN+. */
START_TEST(near_relations_are_refused)
{
    static const nt_set sets[] = {{"waifu2x/upcunet_clip", {"clip=yes"}, false},
                                  {"rrdb/old_x4_plus", {NULL}, false}};
    static const char *const words[] = {"clamped to 0 .. 1", ""};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        tt_error err = {0};
        const tt_model *model;
        tt_traits traits;
        tt_graph *graph;
        nt_network n;
        tt_weights w;
        nt_open(&n, &sets[i]);
        tn_files f = tn_write(n.graph);
        ck_assert_msg(!tt_weights_open_pair(&w, f.param, f.param_size, f.bin, f.bin_size, "test", &err), "%s",
                      err.text);
        ck_assert_msg(!tt_model_adopt(&w, &err), "%s", err.text);
        ck_assert_int_ne(tt_model_build(&w, NULL, &model, &traits, &graph, &err), TT_OK);
        ck_assert_ptr_null(graph);
        ck_assert_msg(strstr(err.text, words[i]), "%s", err.text);
        tt_weights_clear(&w);
        nt_close(&n);
        tn_free(&f);
    }
}
END_TEST

/* ---- the same graph ------------------------------------------------------------------------------- */

/* Text with the first `from` after `after` made `to`. */
static unsigned char *altered(const char *text, const char *after, const char *from, const char *to,
                              size_t *size)
{
    const char *at = strstr(text, after);
    at = at ? strstr(at, from) : NULL;
    ck_assert_msg(at, "no '%s' after '%s'", from, after);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    ck_assert_ptr_nonnull(made);
    *size = (size_t)sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return (unsigned char *)made;
}

static const struct {
    const char *param, *bin, *after, *from, *to;
    tt_status status;
    const char *words[3];
} changes[] = {
    /* other numbers */
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t4 ",
     "2.000000e-01",
     "0.1",
     TT_ERR_FORMAT,
     {"layer Convolution_t4: ", "slope 0.1 below zero", "slope 0.2 below zero is wanted"}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t4 ",
     "9=2",
     "9=1",
     TT_ERR_FORMAT,
     {"layer Convolution_t4: ", "slope 0 below zero", "slope 0.2 below zero is wanted"}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t4 ",
     "9=2 -23310=1,2.000000e-01",
     "",
     TT_ERR_FORMAT,
     {"layer Concat_t5: computes", "of the concat and body.0.rdb1.conv2; ",
      "of the concat and the activated body.0.rdb1.conv2 is wanted"}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Eltwise_t11",
     "2.000000e-01,1.000000e+00",
     "3.000000e-01,1.000000e+00",
     TT_ERR_FORMAT,
     {"layer Eltwise_t11: computes body.0.rdb1.conv5 times 0.3", "times 0.2 is wanted", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Eltwise_t11",
     "2.000000e-01,1.000000e+00",
     "1.0,0.2",
     TT_ERR_FORMAT,
     {"layer Eltwise_t11: ", "times 0.2", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Eltwise_t32",
     "-23301=2,2.000000e-01,1.000000e+00",
     "",
     TT_ERR_FORMAT,
     {"layer Eltwise_t32: computes the sum of", "is wanted", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Eltwise_t32",
     "0=1",
     "0=2",
     TT_ERR_UNSUPPORTED,
     {"layer Eltwise_t32: a Eltwise with 2 for key 0 is not supported", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Interp_t35",
     "1=2.0 2=2.0",
     "1=3.0 2=3.0",
     TT_ERR_FORMAT,
     {"layer Interp_t35: computes the add enlarged 3 times; the add enlarged 2 times is wanted", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Interp_t35",
     "2=2.0",
     "2=1.0",
     TT_ERR_UNSUPPORTED,
     {"layer Interp_t35: a Interp with 1 for key 2", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Interp_t35",
     "0=1",
     "0=2",
     TT_ERR_UNSUPPORTED,
     {"layer Interp_t35: a Interp with 2 for key 0", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t36 ",
     "4=1",
     "4=0",
     TT_ERR_FORMAT,
     {"layer Convolution_t36: ", "3x3, stride 1, padding 0", "3x3, stride 1, padding 1 is wanted"}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t36 ",
     "4=1",
     "4=1 14=0",
     TT_ERR_UNSUPPORTED,
     {"layer Convolution_t36: a Convolution with 0 for key 14", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t36 ",
     "4=1",
     "4=1 2=2",
     TT_ERR_UNSUPPORTED,
     {"layer Convolution_t36: a Convolution with 2 for key 2", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t36 ",
     "4=1",
     "4=1 3=2",
     TT_ERR_FORMAT,
     {"layer Convolution_t36: ", "stride 2, padding 1", "stride 1, padding 1 is wanted"}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t36 ",
     "4=1",
     "4=1 17=1",
     TT_ERR_UNSUPPORTED,
     {"layer Convolution_t36: a Convolution with 1 for key 17", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t36 ",
     "9=2",
     "9=5",
     TT_ERR_UNSUPPORTED,
     {"layer Convolution_t36: a Convolution with 5 for key 9", "", ""}},
    /* other places */
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "",
     "t1_s6 t2_s3",
     "t2_s3 t1_s6",
     TT_ERR_FORMAT,
     {"layer Concat_t3: computes the concatenation of the activated body.0.rdb1.conv1 and conv_first; ",
      "the concatenation of conv_first and the activated body.0.rdb1.conv1 is wanted", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Concat_t7",
     "t4_s1 t6_s1",
     "t6_s1 t4_s1",
     TT_ERR_FORMAT,
     {"layer Concat_t7: computes the concatenation of", "is wanted", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "",
     "3 1 t1_s5",
     "3 1 data",
     TT_ERR_FORMAT,
     {"layer Concat_t5: ", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "Eltwise_t21",
     "t11_s0",
     "t1_s2",
     TT_ERR_FORMAT,
     {"layer Eltwise_t21: computes the sum of", "is wanted", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "",
     "BinaryOp_t34 2 1 t1_s0",
     "BinaryOp_t34 2 1 t32",
     TT_ERR_FORMAT,
     {"layer BinaryOp_t34: ", "is wanted", ""}},
    /* another number of layers: the activation of the last, one too few, two results */
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t40 ",
     "6=216",
     "6=216 9=1",
     TT_ERR_FORMAT,
     {"layer Convolution_t40: computes conv_last with the slope 0 below zero", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "",
     "53 88",
     "54 89",
     TT_ERR_FORMAT,
     {"the text ends after 53", "", ""}},
    {"rrdb_fused.param",
     "rrdb_f16.bin",
     "_t39 ",
     "t38 t39",
     "t36 t39",
     TT_ERR_FORMAT,
     {"layer Convolution_t39: computes a convolution of", "conv_hr.weight", "is wanted"}},
    /* the other spelling */
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "ReLU_t6",
     "0=2.000000e-01",
     "0=0.21",
     TT_ERR_FORMAT,
     {"layer ReLU_t6: computes body.0.rdb1.conv2 with the slope 0.21", "slope 0.2 below zero is wanted", ""}},
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "BinaryOp_t15",
     "2=2.000000e-01",
     "2=0.25",
     TT_ERR_FORMAT,
     {"layer BinaryOp_t15: computes body.0.rdb1.conv5 times 0.25", "times 0.2 is wanted", ""}},
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "BinaryOp_t15",
     "0=2",
     "0=3",
     TT_ERR_UNSUPPORTED,
     {"layer BinaryOp_t15: a BinaryOp with 3 for key 0", "", ""}},
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "BinaryOp_t16",
     "0=0",
     "0=1",
     TT_ERR_UNSUPPORTED,
     {"layer BinaryOp_t16: a BinaryOp with 1 for key 0", "", ""}},
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "BinaryOp_t16",
     "2 1 t15 t1_s2",
     "1 1 t15",
     TT_ERR_FORMAT,
     {"layer BinaryOp_t16: a BinaryOp with 1 inputs where 2 are wanted", "", ""}},
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "Concat_t4",
     "0=0",
     "0=1",
     TT_ERR_UNSUPPORTED,
     {"layer Concat_t4: a Concat with 1 for key 0", "", ""}},
    {"rrdb_split.param",
     "rrdb_f16.bin",
     "",
     "Split split0 1",
     "ReLU split0 1",
     TT_ERR_FORMAT,
     {"layer split0: a ReLU with 1 inputs and 8 outputs", "", ""}},
    /* SRVGGNetCompact */
    {"srvgg.param",
     "srvgg_f16.bin",
     "conv2",
     "1 1 b1 b2",
     "1 1 b0 b2",
     TT_ERR_FORMAT,
     {"layer conv2: computes a convolution of", "body.2.weight", "is wanted"}},
    {"srvgg.param",
     "srvgg_f16.bin",
     "",
     "PixelShuffle shuf 1 1 b6 up 0=2",
     "PixelShuffle shuf 1 1 b6 up 0=2 1=1",
     TT_ERR_UNSUPPORTED,
     {"layer shuf: a PixelShuffle with 1 for key 1", "", ""}},
    {"srvgg.param",
     "srvgg_f16.bin",
     "Interp near",
     "1=2.000000e+00 2=2.000000e+00",
     "1=4 2=4",
     TT_ERR_FORMAT,
     {"layer near: computes the picture enlarged 4 times; the picture enlarged 2 times is wanted", "", ""}},
    {"srvgg.param",
     "srvgg_f16.bin",
     "BinaryOp add",
     "up base",
     "up up",
     TT_ERR_FORMAT,
     {"layer add: ", "the sum of the pixel shuffle and the nearest is wanted", ""}},
    {"srvgg.param",
     "srvgg_f16.bin",
     "PReLU act3",
     "b2 b3",
     "b1 b3",
     TT_ERR_FORMAT,
     {"layer act3: computes the activated body.0 with", "slopes body.3.weight", "is wanted"}},
};
enum { CHANGES = sizeof changes / sizeof *changes };

START_TEST(another_graph_is_refused)
{
    size_t size, bin_size;
    tt_weights w;
    tt_error err = {0};
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
    unsigned char *text = container(changes[_i].param, &size), *bin = container(changes[_i].bin, &bin_size);
    text[size] = 0;
    unsigned char *made = altered((char *)text, changes[_i].after, changes[_i].from, changes[_i].to, &size);
    tt_status st = tt_weights_open_pair(&w, made, size, bin, bin_size, "test", &err);
    if (!st)
        st = tt_model_adopt(&w, &err);
    if (!st)
        st = tt_model_build(&w, NULL, &model, &traits, &graph, &err);
    ck_assert_msg(st == changes[_i].status, "%s to %s: status %d, %s", changes[_i].from, changes[_i].to, st,
                  err.text);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(err.text, changes[_i].words[i]), "'%s' lacks '%s'", err.text,
                      changes[_i].words[i]);
    tt_weights_clear(&w);
    free(text);
    free(bin);
    free(made);
}
END_TEST

/* The user cannot make a file compute what it does not say (but enlarge the picture before, which is no part
 * of it): a setting that the graph contradicts, or that its network does not have. */
START_TEST(a_setting_against_the_graph_is_refused)
{
    static const struct {
        const char *folder, *setting;
        tt_status status;
    } tries[] = {{"srvgg/x4", "reduce=1/2", TT_ERR_FORMAT},
                 {"srvgg/x4", "act_type=relu", TT_ERR_USAGE},
                 {"waifu2x/upcunet", "clip=yes", TT_ERR_FORMAT},
                 {"waifu2x/vgg_7", "task=scale", TT_OK},
                 {"rrdb/old_x2", "scale=3", TT_ERR_FORMAT}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const nt_set set = {tries[i].folder, {NULL}, false};
        const char *const settings[] = {tries[i].setting, NULL};
        tt_error err = {0};
        const tt_model *model;
        tt_traits traits;
        tt_graph *graph;
        nt_network n;
        tt_weights w;
        nt_open(&n, &set);
        tn_files f = tn_write(n.graph);
        ck_assert_msg(!tt_weights_open_pair(&w, f.param, f.param_size, f.bin, f.bin_size, "test", &err), "%s",
                      err.text);
        ck_assert_msg(!tt_model_adopt(&w, &err), "%s", err.text);
        const tt_status st = tt_model_build(&w, settings, &model, &traits, &graph, &err);
        ck_assert_msg(st == tries[i].status, "%s: status %d, %s", tries[i].setting, st, err.text);
        ck_assert_int_eq(!graph, st != TT_OK);
        tt_graph_free(graph);
        tt_weights_clear(&w);
        nt_close(&n);
        tn_free(&f);
    }
}
END_TEST

Suite *suite_models_ncnn_graph(void)
{
    Suite *s = suite_create("models/ncnn_graph");
    TCase *t = tcase_create("graph");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, networks_come_back_from_ncnn, 0, NCNN_SETS);
    tcase_add_test(t, near_relations_are_refused);
    tcase_add_loop_test(t, another_graph_is_refused, 0, CHANGES);
    tcase_add_test(t, a_setting_against_the_graph_is_refused);
    suite_add_tcase(s, t);
    return s;
}
