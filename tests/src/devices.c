#define _GNU_SOURCE /* setenv */
#include "tests/src/devices.h"

#include "tests/engine/device.h"
#include "tests/golden.h"
#include "tests/src/program.h"

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
