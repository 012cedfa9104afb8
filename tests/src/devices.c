#define _GNU_SOURCE /* setenv */
#include "tests/src/devices.h"

#include "src/colorize.h"
#include "tests/engine/device.h"
#include "tests/golden.h"
#include "tests/src/picture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#ifndef TT_BIN
#define TT_BIN "build/tintype"
#endif

int dv_difference(const tt_image *a, const tt_image *b)
{
    int most = 0;
    if (a->width != b->width || a->height != b->height || a->channels != b->channels || a->depth != 8 || b->depth != 8)
        return 1000;
    const uint8_t *x = a->samples, *y = b->samples;
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * (size_t)a->channels; i++)
        most = abs(x[i] - y[i]) > most ? abs(x[i] - y[i]) : most;
    return most;
}

void dv_fail_with(void *user, const char *sentence)
{
    ck_abort_msg("%s: the device should have done it: %s", (const char *)user, sentence);
}

tt_context *dv_context(const char *device, uint64_t device_memory, tt_precision precision,
                       void (*note)(void *, const char *), void *user)
{
    tt_error err = {0};
    tt_context *c = NULL;
    const tt_context_options o = {.size = sizeof o, .threads = 2, .memory = (uint64_t)1 << 32, .device = device,
                                  .device_memory = device_memory, .device_cache = "", .note = note, .note_user = user,
                                  .precision = precision};
    ck_assert_msg(!tt_context_new(&c, &o, &err), "%s", err.text);
    return c;
}

tt_network *dv_network(tt_context *c, const char *golden)
{
    tt_error err = {0};
    tt_network *n = NULL;
    ck_assert_msg(!tt_network_open_for(&n, c, golden_path(golden), NULL, &err), "%s", err.text);
    return n;
}

/* A network by the processor and by a device. */
typedef struct both {
    tt_context *here, *there;
    tt_network *a, *b;
} both;

static both open_both(const char *device, uint64_t device_memory, tt_precision precision, const char *golden)
{
    both p = {.here = pic_context(2, 0), .there = dv_context(device, device_memory, precision, dv_fail_with, (void *)golden)};
    p.a = pic_network(golden, NULL);
    p.b = dv_network(p.there, golden);
    ck_assert_msg(p.b->there, "%s: is not on the device", golden);
    return p;
}

static int difference_of(both *p, tt_image *want, tt_image *got)
{
    const int d = dv_difference(want, got);
    tt_image_free(want);
    tt_image_free(got);
    tt_network_free(p->a);
    tt_network_free(p->b);
    tt_context_free(p->here);
    tt_context_free(p->there);
    return d;
}

int dv_picture_off(const char *device, uint64_t device_memory, tt_precision precision, const char *golden, const tt_image *in,
                   int tta, tt_report *r)
{
    both p = open_both(device, device_memory, precision, golden);
    tt_image *want = pic_upscale(p.here, p.a, in, 0, tta, r), *got = pic_upscale(p.there, p.b, in, 0, tta, r);
    return difference_of(&p, want, got);
}

int dv_colours_off(const char *device, tt_precision precision)
{
    both p = open_both(device, 0, precision, "deoldify/unet_deep.safetensors");
    const tt_colorize_options o = {.size = sizeof o, .render = 4};
    tt_error err = {0};
    tt_image *in = pic_new(50, 40, 1, 8, 3), *want = NULL, *got = NULL;
    ck_assert_msg(!tt_colorize(p.here, p.a, in, &o, &want, &err), "%s", err.text);
    ck_assert_msg(!tt_colorize(p.there, p.b, in, &o, &got, &err), "%s", err.text);
    tt_image_free(in);
    return difference_of(&p, want, got);
}

/* `what` beside the program. */
static void dv_beside(const char *what, char to[4200])
{
    char bin[4096] = TT_BIN;
    *strrchr(bin, '/') = 0;
    snprintf(to, 4200, "%s/%s", bin, what);
}

void dv_prepare(const char *name)
{
    char pocl[4200], leaks[4200];
    pg_within(name);
    dv_beside("tests/pocl", pocl);
    setenv("POCL_CACHE_DIR", pocl, 0);
    setenv("XDG_CACHE_HOME", pg_at("cache"), 1);
    pg_store("leaks", DEVICE_LEAKS, strlen(DEVICE_LEAKS));
    snprintf(leaks, sizeof leaks, "suppressions=%s:print_suppressions=0", pg_at("leaks"));
    setenv("LSAN_OPTIONS", leaks, 1);
    pg_picture("in.png", 23, 17, 3, 8);
    pg_run r = RUN("upscale", "--device", "cpu", "in.png", "-o", "cpu.png");
    EXPECT(r, 0, "");
}

int dv_off_by(const char *file)
{
    char a[4096], b[4096];
    tt_image *want = NULL, *got = NULL;
    tt_error err = {0};
    snprintf(a, sizeof a, "%s", pg_at("cpu.png"));
    snprintf(b, sizeof b, "%s", pg_at(file));
    ck_assert_msg(!tt_image_load(&want, a, &err) && !tt_image_load(&got, b, &err), "%s", err.text);
    const int d = dv_difference(want, got);
    tt_image_free(want);
    tt_image_free(got);
    return d;
}

bool dv_use_shim(const char *skipped)
{
    static const char *const places[] = {"/usr/lib/x86_64-linux-gnu/libOpenCL.so.1", "/usr/lib/aarch64-linux-gnu/libOpenCL.so.1",
                                         "/usr/lib64/libOpenCL.so.1", "/usr/lib/libOpenCL.so.1"};
    char shim[4200];
    if (!device_name(skipped))
        return false;
    for (size_t i = 0; i < COUNT(places); i++)
        if (!access(places[i], R_OK) && !getenv("SHIM_TRUE"))
            setenv("SHIM_TRUE", places[i], 1);
    if (!getenv("SHIM_TRUE")) {
        printf("SKIPPED, %s: libOpenCL.so.1 is not where it is looked for; SHIM_TRUE may name it\n", skipped);
        return false;
    }
    dv_beside("tests/shim/libOpenCL.so.1", shim);
    ck_assert_msg(!access(shim, R_OK), "%s: is not built", shim);
    *strrchr(shim, '/') = 0;
    setenv("LD_LIBRARY_PATH", shim, 1);
    return true;
}

void dv_calls_fail(int part, long every, long least, pg_run (*run)(void), const char *said, int tolerance)
{
    static const char *const errors[] = {"-5", "-4", "-36"}; /* memory, memory, a lost queue */
    char k[32];
    size_t size;
    setenv("SHIM_COUNT", pg_at("count"), 1);
    pg_run r = run();
    EXPECT(r, 0, said);
    char *count = pg_contents("count", &size);
    const long calls = strtol(count, NULL, 10);
    free(count);
    unsetenv("SHIM_COUNT");
    ck_assert_int_gt(calls, least);
    for (long i = 1 + part * every, n = part; i <= calls; i += DV_PARTS * every, n++) {
        snprintf(k, sizeof k, "%ld", i);
        setenv("SHIM_FAIL", k, 1);
        setenv("SHIM_ERROR", errors[n % 3], 1);
        setenv("SHIM_FOREVER", n / 3 % 2 ? "1" : "0", 1);
        unlink(pg_at("out.png"));
        r = run();
        ck_assert_msg(r.code == 0 && dv_off_by("out.png") <= tolerance, "call %ld of %ld: code %d, signal %d: %s", i, calls,
                      r.code, r.signal, r.err);
    }
}

void dv_add(Suite *s, const char *name, const TTest *test, int times)
{
    TCase *tc = tcase_create(name);
    tcase_add_unchecked_fixture(tc, pg_setup, pg_teardown);
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, test, 0, times);
    suite_add_tcase(s, tc);
}
