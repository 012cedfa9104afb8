/*
 * Pictures by an OpenCL device: the processor's within one level; what is said and done where there is no device, or one
 * that lies, computes wrongly, or fails at any call (tests/shim/opencl.c); compiled kernels that are damaged.
 */
#define _GNU_SOURCE /* setenv */
#include "tests/src/devices.h"
#include "tests/src/picture.h"
#include "tests/src/program.h"

#include "src/colorize.h"
#include "src/device.h"
#include "src/runner.h"
#include "tests/engine/device.h"
#include "tests/golden.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *suite_src_device(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the library ------------------------------------------------------------------------------------------ */

static void take_note(void *user, const char *sentence)
{
    snprintf(user, 1200, "%s", sentence);
}

/* Networks of every kind and route, with the device's memory where it should not do for one tile. */
static const struct {
    const char *weights;
    int w, h, channels, tta, most_tiles; /* 0: one */
    uint64_t memory;
} pictures[] = {
    {"drivers/srvgg_x4/weights.safetensors", 61, 47, 3, 0, 0, 0},
    {"drivers/realesrgan_x4/weights.safetensors", 150, 120, 3, 0, 99, 30 << 20},
    {"drivers/realesrgan_x2/weights.safetensors", 33, 21, 1, 0, 0, 0},
    {"drivers/swinir_x2/weights.safetensors", 41, 27, 3, 1, 0, 0},
    {"swinir/gray_dn/weights.safetensors", 35, 20, 3, 0, 0, 0},
    {"waifu2x/cunet/weights.safetensors", 40, 30, 3, 0, 0, 0},
    {"waifu2x/upconv_7/weights.safetensors", 40, 30, 3, 0, 0, 0},
    {"srcnn/955_zero/weights.safetensors", 60, 160, 3, 0, 99, 4 << 20},
    {"drivers/vdsr_x3_rgb/weights.safetensors", 30, 24, 3, 0, 0, 0},
};

START_TEST(pictures_are_the_processors)
{
    const char *device = device_name("pictures on a device");
    for (size_t i = 0; device && i < COUNT(pictures); i++) {
        tt_image *in = pic_new(pictures[i].w, pictures[i].h, pictures[i].channels, 8, 7);
        tt_report r;
        const int d = dv_picture_off(device, pictures[i].memory, TT_FP32, pictures[i].weights, in, pictures[i].tta, &r);
        ck_assert_msg(!pictures[i].most_tiles == (r.tiles == 1), "%s: %zu tiles", pictures[i].weights, (size_t)r.tiles);
        ck_assert_msg(d <= 1, "%s: off by %d levels", pictures[i].weights, d);
        tt_image_free(in);
    }
}
END_TEST

START_TEST(colours_are_the_processors)
{
    const char *device = device_name("colours by a device");
    if (device)
        ck_assert_int_le(dv_colours_off(device, TT_FP32), 2); /* a level of what the network makes, through U and V and back */
}
END_TEST

/* A network that sees all of the picture cannot be cut, and one whose weights alone do not fit has no tile. */
START_TEST(too_little_memory_is_said_once)
{
    static const char *const weights[] = {"waifu2x/cunet/weights.safetensors", "srcnn/955_zero/weights.safetensors"};
    const char *device = device_name("a device with little memory");
    for (size_t i = 0; device && i < COUNT(weights); i++) {
        char said[1200] = "";
        tt_context *here = pic_context(2, 0), *there = dv_context(device, (uint64_t)4 << 20, TT_FP32, take_note, said);
        tt_network *a = pic_network(weights[i], NULL), *b = dv_network(there, weights[i]);
        tt_image *in = pic_new(120, 150, 3, 8, 7);
        tt_report r;
        tt_image *want = pic_upscale(here, a, in, 2.0 * (double)i, 0, &r), *got = pic_upscale(there, b, in, 2.0 * (double)i, 0, &r);
        if (!i)
            ck_assert_msg(strstr(said, "too little memory for this network and picture; the processor does the work"),
                          "%s", said);
        else
            ck_assert_msg(!*said, "%s", said); /* tiles do */
        ck_assert_int_le(dv_difference(want, got), i ? 1 : 0);
        tt_image_free(want);
        tt_image_free(got);
        tt_image_free(in);
        tt_network_free(a);
        tt_network_free(b);
        tt_context_free(here);
        tt_context_free(there);
    }
}
END_TEST

/* ---- the program ------------------------------------------------------------------------------------------ */

START_TEST(devices_have_names)
{
    const char *device = device_name("names of devices");
    if (!device)
        return;
    dv_prepare("names");
    pg_run r = BY("--device", device, "-v");
    EXPECT(r, 0, "; on ");
    ck_assert_int_le(dv_off_by("out.png"), 1);
    ck_assert_msg(!strstr(r.err, "the processor"), "%s", r.err);
    r = BY("--device", "no such thing");
    EXPECT(r, 0, "no device is called no such thing; there is opencl:0.0");
    ck_assert_int_eq(dv_off_by("out.png"), 0);
    r = BY("--device", "no such thing", "--fallback", "none");
    EXPECT(r, 2, "no device is called no such thing");
    r = BY("--device", "opencl:7.0", "--fallback", "none");
    EXPECT(r, 2, "no device is called opencl:7.0");
    r = RUN("info", "--devices");
    EXPECT(r, 0, "");
    ck_assert_msg(strstr(r.out, "self test passed:") && strstr(r.out, "opencl:0.0"), "%s", r.out);
    r = RUN("info", "--devices", "in.png");
    EXPECT(r, 2, "--devices wants no FILE");
    r = RUN("info");
    EXPECT(r, 2, "info wants FILE... or --devices");
}
END_TEST

START_TEST(results_that_are_no_pictures_are_made_again)
{
    static const struct {
        const char *result, *said;
    } tries[] = {{"nan", "1 of the values that it computed are infinite or no numbers; the processor does this part"},
                 {"constant", "all values that it computed are the same; the processor does this part"}};
    if (!dv_use_shim("results that are no pictures"))
        return;
    dv_prepare("results");
    setenv("SHIM_GPU", "1", 1);
    pg_run r = BY("--device", "auto", "-v"); /* tested, before it begins to fail */
    EXPECT(r, 0, "; on ");
    ck_assert_int_le(dv_off_by("out.png"), 1);
    for (size_t i = 0; i < COUNT(tries); i++) {
        setenv("SHIM_RESULT", tries[i].result, 1);
        r = BY("--device", "auto");
        EXPECT(r, 0, tries[i].said);
        ck_assert_int_eq(dv_off_by("out.png"), 0);
        unlink(pg_at("out.png"));
        r = BY("--device", "auto", "--fallback", "none");
        EXPECT(r, 70, "that it computed");
        ck_assert(!pg_there("out.png"));
    }
    /* after five failures it is left alone */
    for (int i = 0; i < 7; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.png", i);
        pg_picture(name, 9, 8, 3, 8);
    }
    r = RUN("upscale", "0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "-o", "many/", "--device", "gpu");
    EXPECT(r, 0, "it failed too often, and the processor does the rest");
    int sentences = 0;
    for (const char *p = r.err; (p = strstr(p, "that it computed")); p++)
        sentences++;
    ck_assert_int_eq(sentences, 5);
}
END_TEST

START_TEST(a_device_that_computes_wrongly_is_not_used)
{
    if (!dv_use_shim("a device that computes wrongly"))
        return;
    dv_prepare("wrong");
    setenv("SHIM_GPU", "1", 1);
    setenv("SHIM_RESULT", "wrong", 1);
    pg_run r = BY("--device", "auto");
    EXPECT(r, 0, "computes wrongly and is not used");
    ck_assert_int_eq(dv_off_by("out.png"), 0);
    unsetenv("SHIM_RESULT"); /* that is remembered, until it is asked again */
    r = BY("--device", "auto");
    EXPECT(r, 0, "found before");
    r = RUN("info", "--devices");
    EXPECT(r, 0, "");
    r = BY("--device", "auto", "-v");
    EXPECT(r, 0, "; on ");
    ck_assert_int_le(dv_off_by("out.png"), 1);
}
END_TEST

START_TEST(limits_are_heeded)
{
    if (!dv_use_shim("limits of a device"))
        return;
    dv_prepare("limits");
    setenv("SHIM_GPU", "1", 1);
    setenv("SHIM_LIES", "1", 1);
    pg_run r = BY("--device", "auto", "-v");
    EXPECT(r, 0, "; on ");
    ck_assert_int_le(dv_off_by("out.png"), 1);
    pg_picture("in.png", 420, 700, 3, 8);
    r = RUN("upscale", "--dry-run", "in.png", "-o", "large.png", "--device", "auto");
    EXPECT(r, 0, "");
    ck_assert_msg(strstr(r.out, "tiles"), "%s", r.out); /* the largest buffer is 64 MB */
}
END_TEST

/* Where `what` begins for the n-th time in the trace, in lines; -1: nowhere. */
static int line_of(const char *trace, const char *what, int n)
{
    int line = 0;
    for (const char *p = trace; *p; p += strcspn(p, "\n") + 1, line++)
        if (!strncmp(p, what, strlen(what)) && p[strlen(what)] == '\n' && !--n)
            return line;
    return -1;
}

/* Of a picture in tiles the next one is on its way to the device before the last one's result is there, and not two. */
START_TEST(tiles_overlap)
{
    static const char *const weights = "srcnn/955_zero/weights.safetensors";
    const char *device = device_name("tiles that overlap");
    size_t size;
    if (!device || !dv_use_shim("tiles that overlap"))
        return;
    dv_prepare("overlap");
    pg_picture("in.png", 60, 160, 3, 8);
    pg_run r = RUN("upscale", "in.png", "-o", "whole.png", "--device", device, "-m", golden_path(weights), "--scale", "2");
    EXPECT(r, 0, "");
    setenv("SHIM_TRACE", pg_at("trace"), 1);
    r = RUN("upscale", "in.png", "-o", "out.png", "--device", device, "-m", golden_path(weights), "--scale", "2",
            "--device-memory", "4M", "-v");
    EXPECT(r, 0, "; on ");
    char *trace = pg_contents("trace", &size), *whole, *tiles;
    ck_assert_int_ge(line_of(trace, "read", 3), 0); /* three tiles at least */
    for (int i = 1; line_of(trace, "read", i) >= 0; i++) {
        const int next = line_of(trace, "write", i + 1), after = line_of(trace, "write", i + 2);
        ck_assert_msg(next < line_of(trace, "read", i), "tile %d: %s", i, trace);
        ck_assert_msg(after < 0 || after > line_of(trace, "have read", i), "tile %d: %s", i, trace);
    }
    size_t a, b;
    whole = pg_contents("whole.png", &a);
    tiles = pg_contents("out.png", &b);
    ck_assert_msg(a == b && !memcmp(whole, tiles, a), "tiles are another picture");
    free(trace);
    free(whole);
    free(tiles);
}
END_TEST

/* ... and that is in what is reckoned beforehand. */
START_TEST(tiles_that_overlap_are_reckoned_with)
{
    static const char *const weights = "srcnn/955_zero/weights.safetensors";
    const char *device = device_name("what overlap takes");
    tt_error err = {0};
    uint64_t host[3], there[3];
    if (!device)
        return;
    tt_context *c = dv_context(device, 0, TT_FP32, dv_fail_with, (void *)weights);
    tt_network *n = dv_network(c, weights);
    for (int way = 0; way < 3; way++)
        ck_assert_msg(!tt_runner_measure(n, 50, 40, (tt_runner_way)way, &host[way], &there[way], &err), "%s", err.text);
    const uint64_t plane = 50 * 40 * sizeof(float), shared = tt_cl_about(n->device->cl)->unified ? 2 * plane : 0;
    ck_assert_uint_eq(there[TT_WAY_ROWS], there[TT_WAY_HELD]);
    ck_assert_uint_eq(there[TT_WAY_AHEAD], there[TT_WAY_ROWS] + 2 * plane);
    ck_assert_uint_eq(host[TT_WAY_ROWS], host[TT_WAY_HELD] + 2 * plane);
    ck_assert_uint_eq(host[TT_WAY_AHEAD], host[TT_WAY_ROWS] + plane + shared);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/*
 * A device on which convolutions take 100 times as long as anything seen, and all else nothing: no enqueue of them takes more
 * than 100 ms. The shim reckons that from work items, so it is the same however busy the machine is.
 */
START_TEST(no_enqueue_is_long)
{
    const char *device = device_name("long enqueues");
    size_t size;
    long launches;
    long long longest;
    if (!device || !dv_use_shim("long enqueues"))
        return;
    dv_prepare("long");
    pg_picture("in.png", 48, 48, 1, 8);
    const char *weights = golden_path("srcnn/955_zero/weights.safetensors");
    pg_run r = RUN("upscale", "in.png", "-o", "first.png", "--device", device, "--scale", "2", "-m", weights);
    EXPECT(r, 0, ""); /* with the self-test, whose launches are not those that are counted */
    setenv("SHIM_ITEM_NS", "1000000", 1);
    setenv("SHIM_SLOW", "conv", 1);
    setenv("SHIM_LAUNCHES", pg_at("launches"), 1);
    r = RUN("upscale", "in.png", "-o", "out.png", "--device", device, "--scale", "2", "-m", weights);
    EXPECT(r, 0, "");
    char *text = pg_contents("launches", &size);
    ck_assert_int_eq(sscanf(text, "%ld %lld", &launches, &longest), 2);
    ck_assert_msg(longest > 1000000 && longest <= 100000000, "%lld ns, %ld launches", longest, launches);
    ck_assert_msg(launches < 100, "cut to pieces: %ld launches", launches);
    free(text);
}
END_TEST

/* A profile has its times from the device, or says that it has not. */
START_TEST(a_profile_says_whose_clock_it_has)
{
    const char *device = device_name("profiles");
    const char *weights = golden_path("srcnn/955_zero/weights.safetensors");
    if (!device || !dv_use_shim("profiles"))
        return;
    dv_prepare("profile");
    pg_run r = RUN("bench", "-m", weights, "--device", device, "--seconds", "0.1", "--size", "40x30");
    EXPECT(r, 0, "");
    ck_assert_msg(strstr(r.out, "kernels by the device's clock\n") && strstr(r.out, "no kernel"), "%s", r.out);
    setenv("SHIM_NO_TIMES", "1", 1);
    r = RUN("bench", "-m", weights, "--device", device, "--seconds", "0.1", "--size", "40x30");
    EXPECT(r, 0, "");
    ck_assert_msg(strstr(r.out, "kernels by the host's clock, which counts what waiting"), "%s", r.out);
}
END_TEST

static pg_run usual(void)
{
    return BY("--device", "gpu");
}

START_TEST(any_call_may_fail)
{
    char name[16];
    if (!dv_use_shim("calls that fail"))
        return;
    snprintf(name, sizeof name, "calls%d", _i);
    dv_prepare(name);
    setenv("SHIM_GPU", "1", 1);
    pg_run r = usual();
    EXPECT(r, 0, ""); /* tested and kept */
    dv_calls_fail(_i, 1, 50, usual, "", 1);
}
END_TEST

/* The same where two tiles are on their way at a time. */
static pg_run in_tiles(void)
{
    return RUN("upscale", "in.png", "-o", "out.png", "--device", "opencl:0.0", "-m",
               golden_path("srcnn/955_zero/weights.safetensors"), "--scale", "2", "--device-memory", "1M");
}

START_TEST(any_call_may_fail_in_tiles)
{
    char name[16];
    if (!dv_use_shim("calls that fail, in tiles"))
        return;
    snprintf(name, sizeof name, "tiles%d", _i);
    dv_prepare(name);
    pg_picture("in.png", 30, 64, 3, 8);
    pg_run r = RUN("upscale", "in.png", "-o", "cpu.png", "--overwrite", "--device", "cpu", "--scale", "2", "-m",
                   golden_path("srcnn/955_zero/weights.safetensors"));
    EXPECT(r, 0, "");
    r = in_tiles();
    EXPECT(r, 0, "");
    unlink(pg_at("out.png"));
    dv_calls_fail(_i, 3, 50, in_tiles, "", 1); /* what goes before the tiles is above */
}
END_TEST

/* ---- what is kept ------------------------------------------------------------------------------------------- */

static const char *kept_file(void)
{
    pg_run r = pg_shell("ls cache/tintype/*.clbin");
    EXPECT(r, 0, "");
    r.out[strcspn(r.out, "\n")] = 0;
    return r.out;
}

START_TEST(damaged_kernels_are_compiled_again)
{
    const char *device = device_name("damaged compiled kernels");
    if (!device)
        return;
    dv_prepare("damage");
    pg_run r = BY("--device", device);
    EXPECT(r, 0, "");
    const char *file = kept_file();
    size_t size;
    char *sound = pg_contents(file, &size), *bad = malloc(size + 1);
    unsigned seed = 99;
    ck_assert(size > 200);
    for (int i = 0; i < 100; i++) {
        size_t n = size;
        memcpy(bad, sound, size);
        seed = seed * 1664525u + 1013904223u;
        if (i < 30) /* any bit of the header, then any byte */
            bad[i * 4 % 96] ^= (char)(1 << i % 8);
        else if (i < 60)
            bad[(seed >> 8) % size] ^= (char)(1 + seed % 255);
        else if (i < 90)
            n = i < 70 ? (size_t)(i - 60) * 12 : (seed >> 8) % size; /* cut short */
        else if (i < 95)
            bad[n++] = 'x';
        else
            memset(bad, i, n);
        pg_store(file, bad, n);
        r = BY("--device", device);
        ck_assert_msg(r.code == 0 && dv_off_by("out.png") <= 1 && !strstr(r.err, "the processor"), "damage %d: %s", i, r.err);
        size_t again;
        free(pg_contents(file, &again));
        ck_assert_msg(again > 200, "damage %d: not written anew", i);
    }
    free(bad);
    free(sound);
}
END_TEST

START_TEST(a_cache_is_not_needed)
{
    const char *device = device_name("no cache");
    if (!device)
        return;
    dv_prepare("nocache");
    pg_store("cache", "a file", 6); /* where the directory should be */
    pg_run r = BY("--device", device);
    EXPECT(r, 0, "");
    ck_assert_msg(!strstr(r.err, "the processor"), "%s", r.err);
    ck_assert_int_le(dv_off_by("out.png"), 1);
}
END_TEST

/* ---- nothing there ------------------------------------------------------------------------------------------ */

START_TEST(no_driver_is_normal)
{
    if (!device_name("no driver"))
        return;
    dv_prepare("nodriver");
    mkdir(pg_at("vendors"), 0700);
    setenv("OCL_ICD_VENDORS", pg_at("vendors"), 1);
    pg_run r = BY("--device", "auto");
    EXPECT(r, 0, "");
    ck_assert_msg(!strstr(r.err, "OpenCL"), "%s", r.err);
    ck_assert_int_eq(dv_off_by("out.png"), 0);
    r = BY("--device", "gpu");
    EXPECT(r, 0, "no device gpu: OpenCL has no platform on this machine");
    r = BY("--device", "gpu", "--fallback", "none");
    EXPECT(r, 2, "no device gpu");
    r = RUN("info", "--devices");
    EXPECT(r, 0, "no device besides the processor");
}
END_TEST

/* A library of that name which is none stands for a missing one. */
START_TEST(no_library_is_normal)
{
    dv_prepare("nolibrary");
    mkdir(pg_at("lib"), 0700);
    pg_store("lib/libOpenCL.so.1", "no library", 10);
    setenv("LD_LIBRARY_PATH", pg_at("lib"), 1);
    pg_run r = BY("--device", "auto");
    EXPECT(r, 0, "");
    ck_assert_msg(!strstr(r.err, "OpenCL"), "%s", r.err);
    r = BY("--device", "gpu");
    EXPECT(r, 0, "there is no OpenCL on this machine (libOpenCL.so.1); the processor does the work");
    ck_assert_int_eq(dv_off_by("out.png"), 0);
    r = BY("--device", "gpu", "--fallback", "none");
    EXPECT(r, 2, "there is no OpenCL on this machine");
}
END_TEST

Suite *suite_src_device(void)
{
    Suite *s = suite_create("src/device");
    dv_add(s, "pictures", pictures_are_the_processors, 1);
    dv_add(s, "colours", colours_are_the_processors, 1);
    dv_add(s, "memory", too_little_memory_is_said_once, 1);
    dv_add(s, "names", devices_have_names, 1);
    dv_add(s, "results", results_that_are_no_pictures_are_made_again, 1);
    dv_add(s, "wrong", a_device_that_computes_wrongly_is_not_used, 1);
    dv_add(s, "limits", limits_are_heeded, 1);
    dv_add(s, "calls", any_call_may_fail, DV_PARTS);
    dv_add(s, "overlap", tiles_overlap, 1);
    dv_add(s, "reckoned", tiles_that_overlap_are_reckoned_with, 1);
    dv_add(s, "long", no_enqueue_is_long, 1);
    dv_add(s, "profile", a_profile_says_whose_clock_it_has, 1);
    dv_add(s, "tiles", any_call_may_fail_in_tiles, DV_PARTS);
    dv_add(s, "damage", damaged_kernels_are_compiled_again, 1);
    dv_add(s, "no cache", a_cache_is_not_needed, 1);
    dv_add(s, "no driver", no_driver_is_normal, 1);
    dv_add(s, "no library", no_library_is_normal, 1);
    return s;
}
