/* The table of official files, `tintype models` without the network, and names for -m. */
#define _GNU_SOURCE
#include "engine/weights.h"
#include "src/cli.h"
#include "src/digest.h"
#include "src/registry.h"
#include "tests/golden.h"
#include "tests/src/program.h"

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TT_TOP
#define TT_TOP "."
#endif

static void begin(const char *name)
{
    static const char *const unwanted[] = {"TINTYPE_OFFLINE", "TINTYPE_MIRROR", "XDG_DATA_HOME"};
    pg_within(name);
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        unsetenv(unwanted[i]);
    setenv("TINTYPE_MODELS", pg_at("models"), 1);
    setenv("HOME", pg_at("home"), 1);
    ck_assert_int_eq(mkdir(pg_at("models"), 0777), 0);
}

static void copy(const char *from, const char *name)
{
    FILE *f = fopen(from, "rb");
    ck_assert_msg(f != NULL, "%s: %s", from, strerror(errno));
    char *bytes = malloc(8 << 20);
    const size_t n = fread(bytes, 1, 8 << 20, f);
    fclose(f);
    pg_store(name, bytes, n);
    free(bytes);
}

static const char *network(void) /* a small one */
{
    return golden_path("rrdb/body_x2/weights.safetensors");
}

/* ---- the table ------------------------------------------------------------------------------------ */

START_TEST(the_table_is_sound)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (const tt_official *o = tt_officials; o->name; o++) {
        char sum[TT_SHA256_TEXT];
        ck_assert_msg(o->name[strspn(o->name, plain)] == 0 && o->name[0] != '.' && o->name[0] != '-' &&
                          strrchr(o->name, '.'),
                      "%s: is no file name", o->name);
        ck_assert_msg(!o->sha256 || (tt_sha256_parse(o->sha256, sum) && !strcmp(sum, o->sha256)),
                      "%s: is no SHA-256: %s", o->name, o->sha256);
        ck_assert_msg(!o->url != !o->where, "%s: has an address and none", o->name);
        ck_assert_msg(!o->url || !strncmp(o->url, "https://", 8), "%s: %s", o->name, o->url);
        ck_assert_msg(!o->url || !strpbrk(o->url, " \"<>\\"), "%s: %s", o->name, o->url);
        ck_assert(o->network && *o->network && o->scale >= 0 && o->scale <= 16);
        ck_assert_msg(o->licence || o->commercial != TT_COMMERCIAL_YES, "%s: who allows that?", o->name);
        char *uses = strdup(o->uses);
        for (char *word = strtok(uses, " "); word; word = strtok(NULL, " "))
            ck_assert_msg(tt_word_among(TT_USES, word), "%s: is for %s", o->name, word);
        free(uses);
        for (const tt_official *p = o + 1; p->name; p++) {
            ck_assert_msg(strcmp(o->name, p->name), "%s stands twice", o->name);
            /* graphs may be the same for several networks, weights may not */
            ck_assert_msg(!o->sha256 || !p->sha256 || strcmp(o->sha256, p->sha256) ||
                              strstr(o->name, ".param"),
                          "%s and %s are one file", o->name, p->name);
        }
        ck_assert_ptr_eq(tt_official_named(o->name), o);
        ck_assert(tt_official_is(o, o->name));
    }
}
END_TEST

START_TEST(names_are_found_with_and_without_ending)
{
    const tt_official *o = tt_official_next(NULL, "waifu2x-cunet-scale2.0x_model");
    ck_assert_ptr_nonnull(o);
    ck_assert_str_eq(o->name, "waifu2x-cunet-scale2.0x_model.param");
    o = tt_official_next(o, "waifu2x-cunet-scale2.0x_model");
    ck_assert_str_eq(o->name, "waifu2x-cunet-scale2.0x_model.bin");
    ck_assert_ptr_null(tt_official_next(o, "waifu2x-cunet-scale2.0x_model"));
    ck_assert_ptr_null(tt_official_next(NULL, "waifu2x-cunet-scale2"));
    ck_assert_ptr_null(tt_official_next(NULL, "REALESRGAN_X4PLUS"));
    ck_assert_ptr_null(tt_official_next(NULL, ""));
    ck_assert_ptr_null(tt_official_summed("4fa0"));
    ck_assert_str_eq(
        tt_official_summed("4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1")->name,
        "RealESRGAN_x4plus.pth");
}
END_TEST

/* ---- list, path ----------------------------------------------------------------------------------- */

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

START_TEST(lists_are_filtered)
{
    begin("list");
    int all = 0, colour = 0, forbidden = 0;
    for (const tt_official *o = tt_officials; o->name; o++) {
        all++;
        colour += tt_word_among(o->uses, "colour");
        forbidden += o->commercial == TT_COMMERCIAL_NO;
    }
    pg_run list = RUN("models", "list"), some = RUN("models", "list", "--for", "colour"),
           no = RUN("models", "list", "--license", "noncommercial"),
           yes = RUN("models", "list", "--license", "commercial", "--for", "faces"),
           none = RUN("models", "list", "--installed"), json = RUN("models", "list", "--json"),
           wrong = RUN("models", "list", "--for", "cats"), extra = RUN("models", "list", "x");
    EXPECT(list, 0, "");
    ck_assert_int_eq(lines(list.out), all + 1);
    ck_assert_int_eq(lines(some.out), colour + 1);
    ck_assert_int_eq(lines(no.out), forbidden + 1);
    ck_assert_ptr_null(strstr(yes.out, "shape_predictor"));
    ck_assert_ptr_nonnull(strstr(yes.out, "yunet"));
    EXPECT(none, 0, "no official file is known to be like that");
    ck_assert_uint_eq(none.out_size, 0);
    EXPECT(wrong, 2, "--for is cats; it can be one of: photo");
    EXPECT(extra, 2, "one argument too many");
    ck_assert_int_eq(lines(json.out), all);
    for (char *line = strtok(json.out, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *o = json_loads(line, 0, NULL);
        ck_assert_msg(o != NULL, "%s", line);
        ck_assert(json_is_string(json_object_get(o, "name")));
        ck_assert(json_is_string(json_object_get(o, "commercial_use")));
        ck_assert(json_is_null(json_object_get(o, "installed")));
        json_decref(o);
    }
    /* by name and size: one of another size is not it */
    pg_store("models/ColorizeArtistic_gen.pth", "x", 1);
    pg_store("models/BSRGAN.pth.x", "x", 1);
    pg_store("models/RealSR_JPEG.pth", "x", 1); /* nobody says its size */
    pg_run here = RUN("models", "list", "--installed");
    ck_assert_int_eq(lines(here.out), 2);
    ck_assert_ptr_nonnull(strstr(here.out, "\n* RealSR_JPEG.pth "));
}
END_TEST

START_TEST(a_terminal_gets_what_fits)
{
    begin("narrow");
    pg_run r = pg_terminal((const char *const[]){"models", "list", NULL});
    ck_assert_int_eq(r.code, 0);
    ck_assert_ptr_nonnull(strstr(r.out, "COMMERCIAL USE"));
    ck_assert_ptr_null(strstr(r.out, "NETWORK"));
    ck_assert_ptr_nonnull(strstr(r.out, "tintype models fetch NAME"));
    for (char *line = strtok(r.out, "\r\n"); line; line = strtok(NULL, "\r\n"))
        ck_assert_msg(strlen(line) < 100, "%zu columns: %s", strlen(line), line);
}
END_TEST

START_TEST(directories_are_in_order)
{
    char want[2048];
    begin("path");
    pg_run r = RUN("models", "path");
    snprintf(
        want, sizeof want,
        "%s\n%s/.local/share/tintype/models\n/usr/local/share/tintype/models\n/usr/share/tintype/models\n",
        pg_at("models"), pg_at("home"));
    ck_assert_str_eq(r.out, want);
    setenv("TINTYPE_MODELS", ":/a::/b:", 1);
    setenv("XDG_DATA_HOME", "relative", 1); /* does not count */
    unsetenv("HOME");
    pg_run bare = RUN("models", "path");
    ck_assert_str_eq(bare.out, "/a\n/b\n/usr/local/share/tintype/models\n/usr/share/tintype/models\n");
    setenv("XDG_DATA_HOME", "/x", 1);
    pg_run json = RUN("models", "path", "--json");
    ck_assert_ptr_nonnull(
        strstr(json.out, "{\"directory\":\"/x/tintype/models\",\"exists\":false,\"writable\":false}"));
}
END_TEST

/* ---- names for -m --------------------------------------------------------------------------------- */

START_TEST(a_name_is_looked_up)
{
    begin("names");
    pg_picture("a.png", 8, 8, 3, 8);
    copy(network(), "models/mine.safetensors");
    ck_assert_int_eq(mkdir(pg_at("home"), 0777), 0);
    static const char *const by[] = {"mine", "mine.safetensors", "models/mine.safetensors"};
    for (size_t i = 0; i < 3; i++) {
        pg_run r = RUN("upscale", "-m", by[i], "--overwrite", "a.png", "-o", "b.png"),
               info = RUN("info", by[i]);
        EXPECT(r, 0, "mine.safetensors");
        EXPECT(info, 0, "");
        ck_assert_ptr_nonnull(strstr(info.out, "esrgan"));
    }
    pg_run convert = RUN("convert", "mine", "-o", "again.safetensors");
    EXPECT(convert, 0, "mine -> again.safetensors: ");
    /* an official name for a converted file */
    copy(network(), "models/RealESRGAN_x2plus.safetensors");
    pg_run converted = RUN("upscale", "-m", "RealESRGAN_x2plus", "a.png", "-o", "c.png");
    EXPECT(converted, 0, "RealESRGAN_x2plus.safetensors");
    /* what is there goes first, good or bad */
    pg_store("mine", "no weights", 10);
    pg_run first = RUN("upscale", "-m", "mine", "a.png", "-o", "d.png");
    EXPECT(first, 65, "mine: ");
    /* known and not there */
    pg_run absent = RUN("upscale", "-m", "RealESRGAN_x4plus", "a.png", "-o", "e.png"),
           elsewhere = RUN("run", "-m", "RRDB_ESRGAN_x4.pth", "a", "b"),
           in_info = RUN("info", "VDSR_Official"),
           unknown = RUN("upscale", "-m", "nothing", "a.png", "-o", "e.png"),
           way = RUN("upscale", "-m", "./RealESRGAN_x4plus", "a.png", "-o", "e.png"),
           embedded = RUN("upscale", "-m", "default", "a.png", "-o", "f.png"),
           help = RUN("upscale", "-m", "RealESRGAN_x4plus", "--help");
    EXPECT(absent, 66,
           "RealESRGAN_x4plus: this official file is not on this machine; get it with: tintype models fetch "
           "RealESRGAN_x4plus.pth\n");
    EXPECT(elsewhere, 66,
           "tintype cannot fetch it; it is to be had in the authors' cloud folder, linked from https://");
    EXPECT(in_info, 66, "tintype models fetch VDSR_Official.mat");
    EXPECT(unknown, 66, "nothing: ");
    EXPECT(way, 66, "./RealESRGAN_x4plus: ");
    EXPECT(embedded, 0, "");
    EXPECT(help, 0, "");
    ck_assert(!pg_there("e.png"));
}
END_TEST

/* ---- info, verify --------------------------------------------------------------------------------- */

START_TEST(info_tells_what_is_known)
{
    begin("info");
    copy(network(), "mine.safetensors");
    pg_run official = RUN("models", "info", "ColorizeStable_gen"),
           both = RUN("models", "info", "waifu2x-cunet-scale2.0x_model"),
           json = RUN("models", "info", "--json", "BSRGAN"), file = RUN("models", "info", "mine.safetensors"),
           embedded = RUN("models", "info", "default"), none = RUN("models", "info", "nothing"),
           two = RUN("models", "info", "nothing", "BSRGAN"), directory = RUN("models", "info", "models/");
    EXPECT(official, 0, "");
    ck_assert_ptr_nonnull(strstr(official.out, "bytes:          874066230"));
    ck_assert_ptr_nonnull(strstr(official.out, "licence:        MIT"));
    ck_assert_ptr_nonnull(strstr(official.out, "installed:      no"));
    ck_assert_ptr_nonnull(strstr(both.out, "model.param\n"));
    ck_assert_ptr_nonnull(strstr(both.out, "model.bin\n"));
    ck_assert_ptr_nonnull(strstr(json.out, "\"bytes\":67046751"));
    EXPECT(file, 0, "");
    ck_assert_ptr_nonnull(strstr(file.out, "network:         esrgan"));
    ck_assert_ptr_nonnull(strstr(file.out, "no official file is known to be this"));
    EXPECT(embedded, 0, "");
    EXPECT(none, 66, "nothing: cannot be opened");
    EXPECT(two, 1, "nothing: ");
    ck_assert_ptr_nonnull(strstr(two.out, "BSRGAN.pth"));
    EXPECT(directory, 66, "is a directory");
    /* a converted file says where it is from, and what is known of that is told */
    const char *const pair[] = {"tintype.source_sha256", tt_official_named("BSRGAN.pth")->sha256, NULL};
    const float one = 1;
    const tt_tensor_out t = {.name = "t", .rank = 1, .shape = {1}, .data = &one};
    unsigned char *bytes;
    size_t size;
    tt_error e;
    ck_assert(!tt_safetensors_write(&t, 1, pair, &bytes, &size, &e));
    pg_store("converted.safetensors", bytes, size);
    free(bytes);
    pg_run converted = RUN("models", "info", "converted.safetensors");
    EXPECT(converted, 0, "");
    ck_assert_ptr_nonnull(strstr(converted.out, "converted from:"));
    ck_assert_ptr_nonnull(strstr(converted.out, "BSRGAN.pth"));
}
END_TEST

START_TEST(verify_tells_right_from_wrong)
{
    begin("verify");
    copy(network(), "mine.safetensors");
    copy(network(), "BSRGAN.pth");
    copy(network(), "RealSR_JPEG.pth");
    pg_store("damaged.safetensors", "\x10\0\0\0\0\0\0\0{", 9);
    char sum[TT_SHA256_TEXT];
    tt_error e;
    ck_assert(!tt_sha256_file(network(), sum, NULL, &e));
    static const char other[] = "0000000000000000000000000000000000000000000000000000000000000000";
    pg_run mine = RUN("models", "verify", "mine.safetensors"), fake = RUN("models", "verify", "BSRGAN.pth"),
           unsummed = RUN("models", "verify", "RealSR_JPEG.pth"),
           damaged = RUN("models", "verify", "damaged.safetensors"), none = RUN("models", "verify", "none"),
           both = RUN("models", "verify", "mine.safetensors", "BSRGAN.pth"),
           asked = RUN("models", "verify", "--sha256", sum, "BSRGAN.pth"),
           wrong = RUN("models", "verify", "--sha256", other, "mine.safetensors"),
           json = RUN("models", "verify", "--json", "mine.safetensors"),
           quiet = RUN("models", "verify", "-q", "mine.safetensors");
    EXPECT(mine, 0, "");
    ck_assert_ptr_nonnull(strstr(mine.out, sum));
    ck_assert_ptr_nonnull(strstr(mine.out, "no official file that is known, opens as "));
    EXPECT(fake, 65, "BSRGAN.pth: has ");
    ck_assert_ptr_nonnull(strstr(fake.err, "the official BSRGAN.pth has 67046751"));
    EXPECT(unsummed, 0, "");
    ck_assert_ptr_nonnull(strstr(unsummed.out, "no SHA-256 of the official RealSR_JPEG.pth is published"));
    EXPECT(damaged, 65, "damaged.safetensors: ");
    EXPECT(none, 66, "none: cannot be opened");
    EXPECT(both, 1, "BSRGAN.pth: has ");
    ck_assert_ptr_nonnull(strstr(both.out, "mine.safetensors: "));
    EXPECT(asked, 0, "");
    ck_assert_ptr_nonnull(strstr(asked.out, ", as asked, opens as "));
    EXPECT(wrong, 65, "and 0000000000000000000000000000000000000000000000000000000000000000 is asked for");
    ck_assert_ptr_nonnull(strstr(json.out, "\"official\":null"));
    EXPECT(quiet, 0, "");
    ck_assert_uint_eq(quiet.out_size, 0);
}
END_TEST

/* Real files, where they are. */
START_TEST(official_files_are_recognised_whatever_their_name)
{
    static const char *const files[][2] = {
        {"waifu2x/models-cunet/scale2.0x_model.bin", "waifu2x-cunet-scale2.0x_model.bin"},
        {"waifu2x/models-upconv_7_photo/noise1_scale2.0x_model.bin",
         "waifu2x-upconv_7_photo-noise1_scale2.0x_model.bin"},
        {"realesrgan/realesr-animevideov3-x4.bin", "realesr-animevideov3-x4.bin"},
        {"srcnn/9-1-5_91images_x3.mat", "SRCNN-9-1-5-x3.mat"},
        {"srcnn/9-5-5_ImageNet_x4.mat", "SRCNN-9-5-5-x4.mat"},
        {"vdsr/VDSR_Official.mat", "VDSR_Official.mat"},
        {"esrgan/4x-NMKD-YandereNeo-Superlite.pth", "4x-NMKD-YandereNeo-Superlite.pth"},
    };
    begin("official");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4096], want[256];
        snprintf(path, sizeof path, "%s/../shared/weights/%s", TT_TOP, files[i][0]);
        if (access(path, R_OK)) {
            printf("skipped: no %s\n", path);
            continue;
        }
        copy(path, "models/renamed.weights");
        pg_run verify = RUN("models", "verify", "models/renamed.weights"),
               info = RUN("models", "info", "models/renamed.weights");
        EXPECT(verify, 0, "");
        snprintf(want, sizeof want, ", the official %s, ", files[i][1]);
        ck_assert_msg(strstr(verify.out, want), "%s", verify.out);
        EXPECT(info, 0, "");
        ck_assert_msg(strstr(info.out, files[i][1]), "%s", info.out);
    }
}
END_TEST

START_TEST(the_group_explains_itself)
{
    pg_run bare = RUN("models"), help = RUN("models", "--help"), wrong = RUN("models", "lits"),
           of = RUN("help", "models", "list"), none = RUN("help", "models", "nothing");
    EXPECT(bare, 2, "models verify");
    EXPECT(help, 0, "");
    ck_assert_ptr_nonnull(strstr(help.out, "models fetch "));
    EXPECT(wrong, 2, "did you mean: tintype models list?");
    EXPECT(of, 0, "");
    ck_assert_ptr_nonnull(strstr(of.out, "--license"));
    EXPECT(none, 2, "models nothing is no command");
}
END_TEST

Suite *suite_src_models(void);
Suite *suite_src_models(void)
{
    Suite *s = suite_create("src/models");
    TCase *tc = tcase_create("models");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, pg_setup, pg_teardown);
    tcase_add_test(tc, the_table_is_sound);
    tcase_add_test(tc, names_are_found_with_and_without_ending);
    tcase_add_test(tc, lists_are_filtered);
    tcase_add_test(tc, a_terminal_gets_what_fits);
    tcase_add_test(tc, directories_are_in_order);
    tcase_add_test(tc, a_name_is_looked_up);
    tcase_add_test(tc, info_tells_what_is_known);
    tcase_add_test(tc, verify_tells_right_from_wrong);
    tcase_add_test(tc, official_files_are_recognised_whatever_their_name);
    tcase_add_test(tc, the_group_explains_itself);
    suite_add_tcase(s, tc);
    return s;
}
