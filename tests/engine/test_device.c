/*
 * The OpenCL back end by itself: its self-test, small networks against the scalar engine; and, with TINTYPE_OCLGRIND
 * (`make oclgrind`), every kernel on a simulator that sees reads and writes out of bounds, races, and values that nobody
 * wrote.
 */
#define _GNU_SOURCE /* setenv */
#include "tests/engine/device.h"
#include "tests/engine/toy.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *suite_engine_device(void);

START_TEST(self_test_passes_and_uses_every_kernel)
{
    tt_error err = {0};
    tt_cl *cl = device_open(_i, "the self-test");
    if (cl)
        ck_assert_msg(!tt_cl_self_test(cl, &err), "%s: %s", device_ways[_i], err.text);
    tt_cl_free(cl);
}
END_TEST

START_TEST(devices_are_told_by_name_and_number)
{
    tt_error err = {0};
    tt_cl_info *list = NULL;
    const char *why = NULL;
    int count = 0;
    ck_assert_msg(!tt_cl_list(&list, &count, &why, &err), "%s", err.text);
    ck_assert_msg(count || why, "no device, and nothing says why");
    for (int i = 0; i < count; i++) {
        const tt_cl_options o = {.untested = true};
        tt_cl *cl = NULL;
        ck_assert_msg(!tt_cl_open(&cl, list[i].id, &o, &err), "%s", err.text);
        ck_assert_str_eq(tt_cl_about(cl)->id, list[i].id);
        tt_cl_free(cl);
        ck_assert_msg(!tt_cl_open(&cl, list[i].name, &o, &err), "%s", err.text);
        ck_assert_str_eq(tt_cl_about(cl)->name, list[i].name);
        tt_cl_free(cl);
    }
    free(list);
}
END_TEST

/* A run may be stopped from outside, and progress goes to 1. */
typedef struct watcher {
    atomic_int cancel;
    double last;
} watcher;

static void on_progress(void *user, double done)
{
    watcher *w = user;
    ck_assert(done >= w->last && done <= 1.000001);
    w->last = done;
}

enum { H = 20, W = 30, IN = 3 * H * W, OUT = 4 * IN };

/* A convolution, twice as large, a convolution; 3 -> 3 channels. */
static tt_val small(tt_build *b)
{
    return tt_conv(b, tt_nearest(b, tt_conv(b, tt_input(b, 3), "a"), 2), "a");
}

/* false where there is no device. */
static bool small_open(device_net *n, int cut, const char *skipped)
{
    float *values = toy_noise(81, 1);
    const tt_tensor_out t = {.name = "a.weight", .rank = 4, .shape = {3, 3, 3, 3}, .data = values};
    const bool there = device_net_open(n, device_open(cut, skipped), &t, 1, small);
    free(values);
    return there;
}

static tt_cl_plan *small_plan(const device_net *n, bool ahead)
{
    const tt_cl_plan_options o = {.ahead = ahead};
    tt_cl_plan *plan = NULL;
    tt_error err = {0};
    ck_assert_msg(!tt_cl_plan_new(&plan, n->there, H, W, &o, &err), "%s", err.text);
    return plan;
}

START_TEST(a_run_is_watched_and_stopped)
{
    tt_error err = {0};
    device_net n;
    if (!small_open(&n, _i, "watching a device"))
        return;
    tt_cl_plan *plan = small_plan(&n, false);
    float *in = toy_noise(IN, 2), *out = toy_noise(OUT, 3);
    watcher me = {.last = 0};
    tt_watch watch = {.cancel = &me.cancel, .progress = on_progress, .user = &me};
    ck_assert_msg(!tt_cl_plan_run(plan, in, out, &watch, &err), "%s", err.text);
    ck_assert(fabs(me.last - 1) < 1e-6);
    atomic_store(&me.cancel, 1);
    ck_assert_int_eq(tt_cl_plan_run(plan, in, out, &watch, &err), TT_ERR_CANCELLED);
    atomic_store(&me.cancel, 0);
    me.last = 0;
    ck_assert_msg(!tt_cl_plan_run(plan, in, out, &watch, &err), "after it was stopped: %s", err.text);
    free(in);
    free(out);
    tt_cl_plan_free(plan);
    device_net_close(&n);
}
END_TEST

START_TEST(a_picture_is_started_before_the_last_is_finished)
{
    enum { PICTURES = 5 };
    tt_error err = {0};
    device_net n;
    float *in[PICTURES], *want[PICTURES], *out = toy_noise(OUT, 3);
    if (!small_open(&n, _i, "pictures one after the other"))
        return;
    tt_cl_plan *one = small_plan(&n, false), *plan = small_plan(&n, true);
    tt_cl_plan_facts f, g;
    tt_cl_plan_get_facts(one, &f);
    tt_cl_plan_get_facts(plan, &g);
    ck_assert_int_eq(g.bytes - f.bytes, (IN + OUT) * sizeof(float)); /* what goes in and out, once more */
    for (unsigned i = 0; i < PICTURES; i++) {
        in[i] = toy_noise(IN, 10 + i);
        want[i] = toy_noise(OUT, 3);
        ck_assert_msg(!tt_cl_plan_run(one, in[i], want[i], NULL, &err), "%s", err.text);
    }
    ck_assert(memcmp(want[0], want[1], OUT * sizeof *out));
    tt_cl_plan_start(plan, in[0], NULL);
    for (int i = 0; i < PICTURES; i++) {
        if (i + 1 < PICTURES)
            tt_cl_plan_start(plan, in[i + 1], NULL);
        ck_assert_msg(!tt_cl_plan_finish(plan, out, &err), "%s", err.text);
        ck_assert_msg(!memcmp(out, want[i], OUT * sizeof *out), "picture %d", i);
    }
    /* the second is stopped, the first is not; and a plan is left while it has both */
    atomic_int cancel = 1;
    const tt_watch stopped = {.cancel = &cancel};
    tt_cl_plan_start(plan, in[0], NULL);
    tt_cl_plan_start(plan, in[1], &stopped);
    ck_assert_msg(!tt_cl_plan_finish(plan, out, &err), "%s", err.text);
    ck_assert(!memcmp(out, want[0], OUT * sizeof *out));
    ck_assert_int_eq(tt_cl_plan_finish(plan, out, &err), TT_ERR_CANCELLED);
    tt_cl_plan_start(plan, in[2], NULL);
    tt_cl_plan_start(plan, in[3], NULL);
    tt_cl_plan_free(plan);
    tt_cl_plan_free(one);
    for (int i = 0; i < PICTURES; i++) {
        free(in[i]);
        free(want[i]);
    }
    free(out);
    device_net_close(&n);
}
END_TEST

static const tt_cl_cost *cost_of(const tt_cl_profile *p, const char *kernel)
{
    for (int i = 0; i < p->count; i++)
        if (!strcmp(p->cost[i].kernel, kernel))
            return &p->cost[i];
    ck_abort_msg("no %s in the profile", kernel);
}

START_TEST(a_profile_counts_what_is_moved)
{
    const double lanes = _i ? 4 : 16, plane = H * W * sizeof(float); /* three channels are one block of so many */
    tt_error err = {0};
    tt_cl_profile p;
    device_net n;
    if (!small_open(&n, _i, "a profile"))
        return;
    tt_cl_plan *plan = small_plan(&n, false);
    float *in = toy_noise(IN, 2), *out = toy_noise(OUT, 3);
    ck_assert_msg(!tt_cl_plan_profile(plan, in, out, &p, &err), "%s", err.text);
    ck_assert_int_eq(p.count, 4); /* load, convolutions, nearest, store */
    ck_assert(cost_of(&p, "load")->bytes == 3 * plane + lanes * plane);
    ck_assert(cost_of(&p, "nearest")->bytes == lanes * plane + 4 * lanes * plane);
    ck_assert(cost_of(&p, "store")->bytes == 4 * lanes * plane + 3 * 4 * plane);
    double busy = 0;
    for (int i = 0; i < p.count; i++)
        busy += p.cost[i].seconds;
    ck_assert(busy > 0 && p.longest > 0 && p.longest <= busy * 1.000001);
    ck_assert(p.seconds >= busy * 0.999999 && fabs(p.idle - (p.seconds - busy)) <= 1e-6 * p.seconds);
    free(p.cost);
    free(in);
    free(out);
    tt_cl_plan_free(plan);
    device_net_close(&n);
}
END_TEST

/* ---- tuning ---------------------------------------------------------------------------------------------- */

/* A store in memory, for the one file that is asked about. */
typedef struct shelf {
    char name[128];
    unsigned char *bytes;
    size_t size;
    int lines;
} shelf;

static bool shelf_get(void *user, const char *name, unsigned char **bytes, size_t *size)
{
    const shelf *s = user;
    if (!s->bytes || strcmp(name, s->name) || !(*bytes = malloc(s->size)))
        return false;
    memcpy(*bytes, s->bytes, s->size);
    *size = s->size;
    return true;
}

static void shelf_put(void *user, const char *name, const void *bytes, size_t size)
{
    shelf *s = user;
    if (!strstr(name, ".tuned"))
        return;
    snprintf(s->name, sizeof s->name, "%s", name);
    free(s->bytes);
    s->bytes = malloc(size);
    ck_assert_ptr_nonnull(s->bytes);
    memcpy(s->bytes, bytes, size);
    s->size = size;
}

static void count_line(void *user, const char *line)
{
    shelf *s = user;
    s->lines++;
    ck_assert_msg(strstr(line, "GFLOP/s"), "%s", line);
}

START_TEST(tuning_is_kept_and_damage_is_no_harm)
{
    const char *name = device_name("tuning");
    tt_error err = {0};
    shelf s = {{0}, NULL, 0, 0};
    const tt_cl_store store = {shelf_get, shelf_put, &s, "test"};
    const tt_cl_options o = {.store = &store, .untested = true};
    if (!name)
        return;
    ck_assert_msg(!tt_cl_tune(name, &o, count_line, &s, &err), "%s", err.text);
    ck_assert(s.lines > 2 && s.bytes);
    for (size_t i = 0; i <= s.size; i += 7) {
        tt_cl *cl = NULL;
        if (i)
            s.bytes[i - 1] ^= 0x5a;
        ck_assert_msg(!tt_cl_open(&cl, name, &o, &err), "byte %zu: %s", i, err.text);
        if (i == 0)
            ck_assert_msg(!tt_cl_self_test(cl, &err), "%s", err.text);
        tt_cl_free(cl);
        if (i)
            s.bytes[i - 1] ^= 0x5a;
    }
    free(s.bytes);
}
END_TEST

/* ---- on the simulator ------------------------------------------------------------------------------------ */

static bool simulator(char *log, size_t room)
{
    static const char library[] = "/usr/lib/oclgrind/liboclgrind-rt-icd.so";
    char directory[] = "/tmp/tintype-oclgrind-XXXXXX", path[64];
    if (!getenv("TINTYPE_OCLGRIND"))
        return false;
    if (access(library, R_OK)) {
        printf("SKIPPED, kernels on a simulator: %s is not there\n", library);
        return false;
    }
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/o.icd", directory);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "%s\n", library);
    fclose(f);
    snprintf(log, room, "%s/log", directory);
    setenv("OCL_ICD_VENDORS", directory, 1);
    setenv("OCLGRIND_LOG", log, 1);
    setenv("OCLGRIND_DATA_RACES", "1", 1);
    setenv("OCLGRIND_UNINITIALIZED", "1", 1);
    setenv("OCLGRIND_CHECK_API", "1", 1);
    setenv("OCLGRIND_MAX_ERRORS", "5", 1);
    return true;
}

START_TEST(kernels_keep_to_what_is_theirs)
{
    const int way = _i / TT_CL_TEST_CASES, which = _i % TT_CL_TEST_CASES;
    char log[128], said[4000] = "", *slash;
    if (!simulator(log, sizeof log))
        return;
    const tt_cl_options o = {.cut = TT_CL_CUT_CPU + way % DEVICE_CUTS, .half_maps = way >= DEVICE_CUTS, .untested = true};
    tt_error err = {0};
    tt_cl *cl = NULL;
    ck_assert_msg(!tt_cl_open(&cl, "opencl:0.0", &o, &err), "%s", err.text);
    ck_assert_str_eq(tt_cl_about(cl)->platform, "Oclgrind");
    const tt_status st = tt_cl_self_test_case(cl, which, 12, 13, &err);
    tt_cl_free(cl);
    FILE *f = fopen(log, "r");
    if (f) {
        said[fread(said, 1, sizeof said - 1, f)] = 0;
        fclose(f);
        unlink(log);
    }
    slash = strrchr(log, '/');
    strcpy(slash, "/o.icd");
    unlink(log);
    *slash = 0;
    rmdir(log);
    ck_assert_msg(!st && !*said, "case %d, %s: %s%s", which, device_ways[way], err.text, said);
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test, int times, double seconds)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, seconds);
    tcase_add_loop_test(tc, test, 0, times);
    suite_add_tcase(s, tc);
}

/* wish: NULL for none of it, "gpu": maps of floats and the GPUs' cut, else everything. */
static void add_simulator(Suite *s, const char *wish)
{
    const bool few = wish && !strcmp(wish, "gpu");
    const int gpu = TT_CL_CUT_GPU - TT_CL_CUT_CPU;
    if (!wish)
        return;
    TCase *tc = tcase_create("simulator");
    tcase_set_timeout(tc, 1800);
    tcase_add_loop_test(tc, kernels_keep_to_what_is_theirs, few ? gpu * TT_CL_TEST_CASES : 0,
                        (few ? gpu + 1 : DEVICE_WAYS) * TT_CL_TEST_CASES);
    suite_add_tcase(s, tc);
}

Suite *suite_engine_device(void)
{
    Suite *s = suite_create("engine/device");
    add(s, "self-test", self_test_passes_and_uses_every_kernel, DEVICE_WAYS, 600); /* kernels are compiled the first time */
    add(s, "names", devices_are_told_by_name_and_number, 1, 600);
    add(s, "tune", tuning_is_kept_and_damage_is_no_harm, 1, 600);
    add(s, "watch", a_run_is_watched_and_stopped, DEVICE_CUTS, 600);
    add(s, "ahead", a_picture_is_started_before_the_last_is_finished, DEVICE_CUTS, 600);
    add(s, "profile", a_profile_counts_what_is_moved, DEVICE_CUTS, 600);
    add_simulator(s, getenv("TINTYPE_OCLGRIND"));
    return s;
}
