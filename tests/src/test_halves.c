/*
 * Pictures by an OpenCL device with maps of 16 bits: within two levels of the processor's; values that are too large for
 * them, devices that cannot compute with them, and calls that fail meanwhile; and what is said.
 */
#define _GNU_SOURCE /* setenv */
#include "tests/src/devices.h"
#include "tests/src/picture.h"
#include "tests/src/program.h"

#include "src/colorize.h"
#include "tests/engine/device.h"
#include "tests/golden.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Suite *suite_src_halves(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the library ------------------------------------------------------------------------------------------ */

/* VDSR is untrained here and amplifies: floats are off by 2.3e-6 there, halves, with 13 bits less, by up to 0.019, which is
 * 5 levels of luma and 6 of red, green and blue; of the rest two. */
static const struct {
    const char *weights;
    int w, h, channels, tta, levels;
} pictures[] = {
    {"drivers/srvgg_x4/weights.safetensors", 61, 47, 3, 0, 2},
    {"drivers/realesrgan_x4/weights.safetensors", 50, 60, 3, 0, 2},
    {"drivers/realesrgan_x2/weights.safetensors", 33, 21, 1, 0, 2},
    {"drivers/swinir_x2/weights.safetensors", 41, 27, 3, 1, 2},
    {"swinir/gray_dn/weights.safetensors", 35, 20, 3, 0, 2},
    {"waifu2x/cunet/weights.safetensors", 40, 30, 3, 0, 2},
    {"waifu2x/upconv_7/weights.safetensors", 40, 30, 3, 0, 2},
    {"srcnn/955_zero/weights.safetensors", 60, 60, 3, 0, 2},
    {"drivers/vdsr_x3_rgb/weights.safetensors", 30, 24, 3, 0, 7},
};

START_TEST(pictures_are_the_processors)
{
    const char *device = device_name("pictures by maps of 16 bits");
    for (size_t i = 0; device && i < COUNT(pictures); i++) {
        tt_image *in = pic_new(pictures[i].w, pictures[i].h, pictures[i].channels, 8, 7);
        tt_report r;
        const int d = dv_picture_off(device, 0, TT_FP16, pictures[i].weights, in, pictures[i].tta, &r);
        ck_assert_msg(d <= pictures[i].levels, "%s: off by %d levels", pictures[i].weights, d);
        tt_image_free(in);
    }
}
END_TEST

/* Untrained, too: off by 0.04 in tests/models/test_device.c, which times ImageNet's deviation are 2.3 levels, and through U and
 * V and back twice that in blue; and rounding. */
START_TEST(colours_are_the_processors)
{
    const char *device = device_name("colours by maps of 16 bits");
    if (device)
        ck_assert_int_le(dv_colours_off(device, TT_FP16), 5);
}
END_TEST

/* Half the memory of a tile, or with the same memory fewer tiles. */
START_TEST(tiles_are_larger)
{
    const char *device = device_name("tiles of maps of 16 bits");
    int tiles[2];
    for (int i = 0; device && i < 2; i++) {
        tt_context *c = dv_context(device, 30 << 20, i ? TT_FP16 : TT_FP32, dv_fail_with, (void *)"tiles");
        tt_network *n = dv_network(c, "drivers/realesrgan_x4/weights.safetensors");
        tt_image *in = pic_new(150, 120, 3, 8, 7);
        tt_report r;
        tt_image_free(pic_upscale(c, n, in, 0, 0, &r));
        tiles[i] = r.tiles;
        tt_image_free(in);
        tt_network_free(n);
        tt_context_free(c);
    }
    if (device)
        ck_assert_msg(tiles[1] < tiles[0], "%d tiles with 32 bits, %d with 16", tiles[0], tiles[1]);
}
END_TEST

/* ---- values too large ------------------------------------------------------------------------------------- */

/*
 * drivers/srvgg_x4 with its first layer's values 2^20 times as large, and the second's weights as much smaller: to floats the
 * same network, bit for bit; to halves one that overflows.
 */
static void store_swollen(const char *path)
{
    enum { MOST = 20 };
    tt_weights w;
    tt_error err = {0};
    tt_tensor_out t[MOST] = {{0}};
    unsigned char *bytes;
    size_t size;
    ck_assert(!tt_weights_open(&w, golden_path("drivers/srvgg_x4/weights.safetensors"), &err) && w.count <= MOST);
    for (size_t i = 0; i < w.count; i++) {
        const tt_tensor *from = &w.tensors[i];
        const float by = !strncmp(from->name, "body.0.", 7) ? 0x1p20f : !strcmp(from->name, "body.2.weight") ? 0x1p-20f : 1;
        float *v = malloc(from->count * sizeof *v);
        ck_assert(v && !tt_tensor_floats(&w, from, v, &err));
        for (size_t k = 0; k < from->count; k++)
            v[k] *= by;
        t[i] = (tt_tensor_out){.name = from->name, .rank = from->rank, .data = v};
        for (int d = 0; d < from->rank; d++)
            t[i].shape[d] = from->shape[d];
    }
    ck_assert_msg(!tt_safetensors_write(t, w.count, NULL, &bytes, &size, &err), "%s", err.text);
    pg_store(path, bytes, size);
    for (size_t i = 0; i < w.count; i++)
        free((void *)t[i].data);
    free(bytes);
    tt_weights_clear(&w);
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)); p++)
        n++;
    return n;
}

#define SWOLLEN "swollen.safetensors"
#define GOES_ON "infinite or no numbers; the network goes on with maps of 32 bits instead of 16"

/* Made with 32 bits, and so the very picture of 32 bits; said once a picture, however many tiles it has. */
START_TEST(values_too_large_get_32_bits)
{
    const char *device = device_name("values too large for 16 bits");
    if (!device)
        return;
    dv_prepare("swollen");
    store_swollen(SWOLLEN);
    pg_picture("in.png", 260, 200, 3, 8);
    for (int tiles = 0; tiles < 2; tiles++) {
        const char *memory = tiles ? "8M" : "1G";
        pg_run r = RUN("upscale", "-m", SWOLLEN, "--overwrite", "in.png", "-o", "cpu.png", "--device", device,
                       "--device-memory", memory, "--fallback", "none", "-q");
        EXPECT(r, 0, "");
        ck_assert_str_eq(r.err, "");
        r = BY("-m", SWOLLEN, "--device", device, "--precision", "fp16", "--device-memory", memory, "--fallback", "none");
        EXPECT(r, 0, GOES_ON);
        ck_assert_int_eq(count_of(r.err, "the network goes on"), 1);
        ck_assert_msg(!strstr(r.err, "the processor"), "%s", r.err);
        ck_assert_int_eq(dv_off_by("out.png"), 0);
    }
}
END_TEST

/* A memory that has room for a tile with 16 bits and not with 32: tiles become smaller, or where the ring of the result has
 * too few rows for those, the processor does the work. */
START_TEST(floats_need_more_memory)
{
    const char *device = device_name("room for 32 bits");
    int by_device = 0;
    if (!device)
        return;
    dv_prepare("room");
    store_swollen(SWOLLEN);
    pg_picture("in.png", 130, 110, 3, 8);
    pg_run r = RUN("upscale", "-m", SWOLLEN, "--overwrite", "in.png", "-o", "cpu.png", "--device", device);
    EXPECT(r, 0, "");
    for (int megabytes = 5; megabytes < 16; megabytes++) {
        char memory[16];
        snprintf(memory, sizeof memory, "%dM", megabytes);
        r = BY("-m", SWOLLEN, "--device", device, "--precision", "fp16", "--device-memory", memory);
        EXPECT(r, 0, GOES_ON);
        const bool took = !strstr(r.err, "; the processor does the work");
        ck_assert_msg(dv_off_by("out.png") <= !took, "%s: %s", memory, r.err);
        by_device += took;
    }
    ck_assert_int_ge(by_device, 3);
}
END_TEST

/* Of several pictures the first finds it out, and the others begin with 32 bits. */
START_TEST(it_is_found_out_once)
{
    const char *device = device_name("several pictures of values too large for 16 bits");
    if (!device)
        return;
    dv_prepare("once");
    store_swollen(SWOLLEN);
    pg_picture("b.png", 23, 17, 3, 8);
    pg_run r = RUN("upscale", "--overwrite", "-m", SWOLLEN, "in.png", "-o", "cpu.png", "--device", device);
    EXPECT(r, 0, "");
    r = RUN("upscale", "-m", SWOLLEN, "in.png", "b.png", "-o", "many/", "--device", device, "--precision", "fp16", "--tta");
    EXPECT(r, 0, GOES_ON);
    ck_assert_int_eq(count_of(r.err, "the network goes on"), 1);
}
END_TEST

/* ---- devices that cannot ---------------------------------------------------------------------------------- */

START_TEST(what_is_wrong_is_said)
{
    if (!dv_use_shim("devices without maps of 16 bits"))
        return;
    dv_prepare("cannot");
    setenv("SHIM_GPU", "1", 1);
    setenv("SHIM_NO_HALVES", "1", 1); /* cannot be compiled */
    pg_run r = BY("--device", "gpu", "--precision", "fp16", "--fallback", "none");
    EXPECT(r, 0, "its compiler fails with CL_BUILD_PROGRAM_FAILURE");
    ck_assert_msg(strstr(r.err, "; its maps are made of 32 bits") && !strstr(r.err, "the processor"), "%s", r.err);
    ck_assert_int_le(dv_off_by("out.png"), 1);
    r = RUN("info", "--devices");
    EXPECT(r, 0, "");
    ck_assert_msg(strstr(r.out, "fp16 self test passed:") && strstr(r.out, "fp16 trouble:"), "%s", r.out);
    unsetenv("SHIM_NO_HALVES");
    setenv("SHIM_RESULT", "wrong", 1); /* the first is the self-test with 16 bits */
    setenv("SHIM_LIARS", "1", 1);
    r = BY("--device", "gpu", "--precision", "fp16");
    EXPECT(r, 0, "computes wrongly with maps of 16 bits, which are not used");
    ck_assert_msg(strstr(r.err, "; its maps are made of 32 bits") && !strstr(r.err, "the processor"), "%s", r.err);
    ck_assert_int_le(dv_off_by("out.png"), 1);
    unsetenv("SHIM_RESULT"); /* that is remembered, until it is asked again */
    r = BY("--device", "gpu", "--precision", "fp16");
    EXPECT(r, 0, "found before");
    r = RUN("info", "--devices");
    EXPECT(r, 0, "");
    r = BY("-q", "--device", "gpu", "--precision", "fp16");
    EXPECT(r, 0, "");
    ck_assert_str_eq(r.err, "");
    ck_assert_int_le(dv_off_by("out.png"), 2);
    /* no picture with 16 bits, and none with 32 */
    setenv("SHIM_RESULT", "nan", 1);
    unsetenv("SHIM_LIARS");
    r = BY("--device", "gpu", "--precision", "fp16");
    EXPECT(r, 0, GOES_ON);
    ck_assert_msg(strstr(r.err, "infinite or no numbers; the processor does this part of the work"), "%s", r.err);
    ck_assert_int_eq(dv_off_by("out.png"), 0);
    unlink(pg_at("out.png"));
    r = BY("--device", "gpu", "--precision", "fp16", "--fallback", "none");
    EXPECT(r, 70, "that it computed");
    ck_assert(!pg_there("out.png"));
}
END_TEST

/* A call fails while the device turns from 16 bits to 32. */
static pg_run swollen(void)
{
    return BY("-m", SWOLLEN, "--device", "gpu", "--precision", "fp16");
}

START_TEST(any_call_may_fail)
{
    char name[16];
    if (!dv_use_shim("calls that fail with maps of 16 bits"))
        return;
    snprintf(name, sizeof name, "calls%d", _i);
    dv_prepare(name);
    store_swollen(SWOLLEN);
    setenv("SHIM_GPU", "1", 1);
    pg_run r = RUN("upscale", "--overwrite", "-m", SWOLLEN, "in.png", "-o", "cpu.png", "--device", "cpu");
    EXPECT(r, 0, "");
    r = swollen();
    EXPECT(r, 0, GOES_ON); /* tested and kept */
    dv_calls_fail(_i, 1, 100, swollen, GOES_ON, 1);
}
END_TEST

/* ---- no device -------------------------------------------------------------------------------------------- */

START_TEST(the_processor_has_32_bits)
{
    tt_error err = {0};
    tt_context *c = NULL;
    tt_context_options o = {.size = sizeof o, .precision = (tt_precision)2};
    ck_assert_int_eq(tt_context_new(&c, &o, &err), TT_ERR_USAGE);
    ck_assert_str_eq(err.text, "there is no precision 2");
    dv_prepare("processor");
    pg_run r = BY("--device", "cpu", "--precision", "fp16");
    EXPECT(r, 0, "maps of 16 bits are for devices with OpenCL; the processor computes with 32");
    ck_assert_int_eq(dv_off_by("out.png"), 0);
    r = BY("-q", "--device", "cpu", "--precision", "fp32");
    EXPECT(r, 0, "");
    ck_assert_str_eq(r.err, "");
    r = BY("--precision", "fp8");
    EXPECT(r, 2, "fp8");
    r = RUN("bench", "--precision", "fp16");
    EXPECT(r, 2, "--precision wants --device");
}
END_TEST

Suite *suite_src_halves(void)
{
    Suite *s = suite_create("src/halves");
    dv_add(s, "pictures", pictures_are_the_processors, 1);
    dv_add(s, "colours", colours_are_the_processors, 1);
    dv_add(s, "tiles", tiles_are_larger, 1);
    dv_add(s, "too large", values_too_large_get_32_bits, 1);
    dv_add(s, "memory", floats_need_more_memory, 1);
    dv_add(s, "once", it_is_found_out_once, 1);
    dv_add(s, "cannot", what_is_wrong_is_said, 1);
    dv_add(s, "calls", any_call_may_fail, DV_PARTS);
    dv_add(s, "processor", the_processor_has_32_bits, 1);
    return s;
}
