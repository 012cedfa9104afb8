#define _DEFAULT_SOURCE /* mkdtemp, symlink */
/*
 * The published weight files themselves, against stored outputs of the second implementation of each network
 * (tests/reference/make_published.py). The files belong to others and are not in the repository: where they
 * are not beside it, in ../shared/weights or the folder that TINTYPE_WEIGHTS names, the test says so.
 */
#include "kernels/cpu.h"
#include "tests/models/network.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/golden.h"

Suite *suite_models_published(void);

static const struct {
    const char *set, *file, *variant;
    const char *settings[2];
} files[] = {
    {"realesrgan-x4plus", "realesrgan/realesrgan-x4plus.param", "RRDBNet x4, 64 features, 23 blocks", {NULL}},
    {"animevideov3-x4",
     "realesrgan/realesr-animevideov3-x4.bin",
     "SRVGGNetCompact x4, 64 features, 18 convolutions, prelu",
     {NULL}},
    {"upscayl-lite-4x",
     "realesrgan/upscayl-lite-4x.param",
     "SRVGGNetCompact x4, 64 features, 34 convolutions, prelu",
     {NULL}},
    {"upconv_7-art", "waifu2x/models-upconv_7_anime_style_art_rgb/scale2.0x_model.bin", "upconv_7", {NULL}},
    {"upconv_7-photo", "waifu2x/models-upconv_7_photo/noise1_scale2.0x_model.param", "upconv_7", {NULL}},
    {"cunet", "waifu2x/models-cunet/scale2.0x_model.bin", "upcunet", {NULL}},
    {"vgg_7-noise", "waifu2x/vgg_7_art/scale2.0x_model.json.gz", "vgg_7", {"task=noise"}},
    {"vgg_7-scale", "waifu2x/vgg_7_art/scale2.0x_model.json.gz", "vgg_7, enlarges", {NULL}},
    {"srcnn-915-x3", "srcnn/9-1-5_91images_x3.mat", "9-1-5, replicate padding", {NULL}},
    {"srcnn-935-x3", "srcnn/9-3-5_ImageNet_x3.mat", "9-3-5, replicate padding", {NULL}},
    {"srcnn-955-x2", "srcnn/9-5-5_ImageNet_x2.mat", "9-5-5, replicate padding", {NULL}},
    {"srcnn-955-x3", "srcnn/9-5-5_ImageNet_x3.mat", "9-5-5, replicate padding", {NULL}},
    {"srcnn-955-x4", "srcnn/9-5-5_ImageNet_x4.mat", "9-5-5, replicate padding", {NULL}},
    {"vdsr", "vdsr/VDSR_Official.mat", "20 layers, 64 features", {NULL}},
};
enum { FILES = sizeof files / sizeof *files };

/* The path of a published file; NULL, said aloud, where it is not here. */
static const char *published(const char *file)
{
    static char path[4096];
    const char *dir = getenv("TINTYPE_WEIGHTS");
    if (dir && *dir)
        snprintf(path, sizeof path, "%s/%s", dir, file);
    else
        snprintf(path, sizeof path, "%s/../shared/weights/%s", TT_TOP, file);
    if (!access(path, R_OK))
        return path;
    printf("SKIPPED: %s: the published file is not here\n", file);
    return NULL;
}

static void gives(const char *path, const char *set, const char *const *settings, const char *variant)
{
    nt_network n = {0};
    tt_weights stored;
    tt_error err = {0};
    char rel[128], what[300];
    ck_assert_msg(!tt_weights_open(&n.weights, path, &err), "%s", err.text);
    ck_assert_msg(!tt_model_adopt(&n.weights, &err), "%s", err.text);
    ck_assert_msg(!tt_model_build(&n.weights, settings, &n.model, &n.traits, &n.graph, &err), "%s", err.text);
    ck_assert_str_eq(n.traits.variant, variant);
    snprintf(rel, sizeof rel, "published/%s.safetensors", set);
    ck_assert_msg(!tt_weights_open(&stored, golden_path(rel), &err), "%s", err.text);
    nt_map in = nt_tensor(&stored, "input"), want = nt_tensor(&stored, "output");
    tt_net *net = nt_net(&n, tt_cpu_detect());
    nt_map got = nt_engine(net, &in, 2);
    ck_assert_msg(nt_agree(&want, &got, false, what, sizeof what), "%s: %s", path, what);
    tt_net_free(net);
    nt_free(&in);
    nt_free(&want);
    nt_free(&got);
    tt_weights_clear(&stored);
    nt_close(&n);
}

START_TEST(published_files_give_the_stored_outputs)
{
    const char *path = published(files[_i].file);
    if (path)
        gives(path, files[_i].set, files[_i].settings, files[_i].variant);
}
END_TEST

static void copy_text(const char *from, const char *to, const char *old, const char *new)
{
    char line[4096];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    ck_assert(in && out);
    while (fgets(line, sizeof line, in)) {
        char *at;
        while (old && (at = strstr(line, old))) {
            ck_assert_uint_eq(strlen(old), strlen(new));
            memcpy(at, new, strlen(new));
        }
        fputs(line, out);
    }
    fclose(in);
    ck_assert_int_eq(fclose(out), 0);
}

/* x2 and x3: published as graphs of their own with the x4 file's weights; here they stand side by side. */
START_TEST(reduced_forms_give_the_stored_outputs)
{
    char dir[] = "/tmp/tintype-published-XXXXXX", param[64], bin[64], from[4200];
    const char *path = published("realesrgan/realesr-animevideov3-x4.bin");
    if (!path)
        return;
    snprintf(from, sizeof from, "%s", path);
    path = published("realesrgan/realesr-animevideov3-x2.param");
    if (!path)
        return;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(param, sizeof param, "%s/x.param", dir);
    snprintf(bin, sizeof bin, "%s/x.bin", dir);
    ck_assert_int_eq(symlink(from, bin), 0);
    copy_text(path, param, NULL, NULL);
    gives(param, "animevideov3-x2", NULL,
          "SRVGGNetCompact x4, 64 features, 18 convolutions, prelu, reduced to 1/2");
    copy_text(path, param, "5.000000e-01", "7.500000e-01");
    gives(bin, "animevideov3-x3", NULL,
          "SRVGGNetCompact x4, 64 features, 18 convolutions, prelu, reduced to 3/4");
    unlink(param);
    unlink(bin);
    rmdir(dir);
}
END_TEST

Suite *suite_models_published(void)
{
    Suite *s = suite_create("models/published");
    TCase *t = tcase_create("files");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, published_files_give_the_stored_outputs, 0, FILES);
    tcase_add_test(t, reduced_forms_give_the_stored_outputs);
    suite_add_tcase(s, t);
    return s;
}
