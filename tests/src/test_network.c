/* tt_network_run(): what it keeps between two runs shows in no result, and its memory is given back. */
#include "tests/faults.h"
#include "tests/src/picture.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SCALE = 4, LARGE = 40, SMALL = 24 };

static tt_network *open_net(void)
{
    return pic_network("rrdb/body_x4/weights.safetensors", NULL);
}

static float *noise(int side)
{
    float *v = malloc(3 * sizeof *v * (size_t)(side * side));
    for (int i = 0; i < 3 * side * side; i++)
        v[i] = (float)(i * 7919 % 256) / 255;
    return v;
}

static size_t out_bytes(int side)
{
    return 3 * sizeof(float) * (size_t)(side * side * SCALE * SCALE);
}

static float *run(tt_context *c, const tt_network *n, int side)
{
    tt_error err = {0};
    float *in = noise(side), *out = malloc(out_bytes(side));
    ck_assert_msg(!tt_network_run(c, n, in, side, side, out, NULL, NULL, NULL, &err), "%s", err.text);
    free(in);
    return out;
}

/* By a network that has not run before. */
static float *alone(int side)
{
    tt_network *n = open_net();
    tt_context *c = pic_context(1, 0);
    float *out = run(c, n, side);
    tt_network_free(n);
    tt_context_free(c);
    return out;
}

static void expect(tt_context *c, const tt_network *n, int side, const float *want)
{
    float *got = run(c, n, side);
    ck_assert(!memcmp(want, got, out_bytes(side)));
    free(got);
}

static const tt_kept *kept(const tt_network *n)
{
    return atomic_load(&n->shelf->kept);
}

START_TEST(runs_of_any_order_give_the_same)
{
    tt_network *n = open_net();
    tt_context *c = pic_context(2, 0), *other = pic_context(3, 0);
    float *large = alone(LARGE), *small = alone(SMALL);
    expect(c, n, LARGE, large);
    expect(c, n, LARGE, large);
    expect(c, n, SMALL, small);
    expect(c, n, LARGE, large);
    expect(other, n, LARGE, large); /* more threads than the plan has scratch for */
    expect(c, n, LARGE, large);
    free(large);
    free(small);
    tt_network_free(n);
    tt_context_free(c);
    tt_context_free(other);
}
END_TEST

START_TEST(the_second_run_plans_nothing)
{
    tt_network *n = open_net();
    tt_context *c = pic_context(2, 0);
    float *in = noise(LARGE), *out = malloc(out_bytes(LARGE));
    ck_assert(!tt_network_run(c, n, in, LARGE, LARGE, out, NULL, NULL, NULL, NULL));
    const tt_kept *first = kept(n);
    ck_assert(first);
    faults_allocations();
    const tt_status st = tt_network_run(c, n, in, LARGE, LARGE, out, NULL, NULL, NULL, NULL);
    const long allocations = faults_allocations();
    ck_assert(!st);
    ck_assert_int_le(allocations, 1); /* the shapes, to say how large the output is */
    ck_assert_ptr_eq(kept(n), first);
    free(in);
    free(out);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

START_TEST(the_budget_counts_for_what_is_kept)
{
    tt_network *n = open_net();
    tt_context *rich = pic_context(1, 0), *poor = pic_context(1, 1 << 20);
    float *want = alone(LARGE), *in = noise(LARGE), *out = malloc(out_bytes(LARGE));
    tt_error err = {0};
    expect(rich, n, LARGE, want);
    ck_assert_int_eq(tt_network_run(poor, n, in, LARGE, LARGE, out, NULL, NULL, NULL, &err), TT_ERR_MEMORY);
    ck_assert_msg(strstr(err.text, "the memory budget is 1048576"), "%s", err.text);
    expect(rich, n, LARGE, want);
    free(in);
    free(out);
    free(want);
    tt_network_free(n);
    tt_context_free(rich);
    tt_context_free(poor);
}
END_TEST

START_TEST(other_work_has_the_memory)
{
    tt_network *n = open_net();
    tt_context *c = pic_context(1, 0);
    tt_image *in = pic_new(20, 15, 3, 8, 1);
    free(run(c, n, SMALL));
    ck_assert(kept(n));
    tt_image_free(pic_upscale(c, n, in, 0, 0, NULL));
    ck_assert(!kept(n));
    tt_image_free(in);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

START_TEST(a_run_that_was_stopped_leaves_nothing)
{
    tt_network *n = open_net();
    tt_context *c = pic_context(2, 0);
    float *want = alone(LARGE), *in = noise(LARGE), *out = malloc(out_bytes(LARGE));
    expect(c, n, LARGE, want);
    tt_context_cancel(c);
    ck_assert_int_eq(tt_network_run(c, n, in, LARGE, LARGE, out, NULL, NULL, NULL, NULL), TT_ERR_CANCELLED);
    ck_assert(!kept(n));
    expect(c, n, LARGE, want);
    free(in);
    free(out);
    free(want);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

START_TEST(want_of_memory_is_said)
{
    tt_network *n = open_net();
    tt_context *c = pic_context(1, 0);
    float *want = alone(SMALL), *in = noise(SMALL), *out = malloc(out_bytes(SMALL));
    int failed = 1;
    for (long k = 1; failed; k++) {
        tt_network_forget(n);
        faults_fail(k, 0);
        const tt_status st = tt_network_run(c, n, in, SMALL, SMALL, out, NULL, NULL, NULL, NULL);
        failed = faults_failed();
        faults_fail(0, 0);
        ck_assert_int_eq(st, failed ? TT_ERR_MEMORY : TT_OK);
        ck_assert(failed || !memcmp(want, out, out_bytes(SMALL)));
    }
    free(in);
    free(out);
    free(want);
    tt_network_free(n);
    tt_context_free(c);
}
END_TEST

/* ---- at the same time ------------------------------------------------------------------------------- */

typedef struct runner {
    const tt_network *n;
    const float *want[2]; /* of the large and the small input */
    int first, wrong;
} runner;

static void *keep_running(void *p)
{
    runner *r = p;
    tt_context *c = pic_context(1 + r->first, 0);
    for (int i = 0; i < 6; i++) {
        const int which = (i + r->first) % 2, side = which ? SMALL : LARGE;
        float *got = run(c, r->n, side);
        r->wrong += memcmp(r->want[which], got, out_bytes(side)) != 0;
        free(got);
    }
    tt_context_free(c);
    return NULL;
}

START_TEST(runs_at_the_same_time)
{
    enum { RUNNERS = 4 };
    tt_network *n = open_net();
    float *large = alone(LARGE), *small = alone(SMALL);
    runner r[RUNNERS];
    pthread_t thread[RUNNERS];
    for (int i = 0; i < RUNNERS; i++) {
        r[i] = (runner){.n = n, .want = {large, small}, .first = i % 2};
        ck_assert(!pthread_create(&thread[i], NULL, keep_running, &r[i]));
    }
    for (int i = 0; i < RUNNERS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(r[i].wrong, 0);
    }
    free(large);
    free(small);
    tt_network_free(n);
}
END_TEST

Suite *suite_src_network(void);
Suite *suite_src_network(void)
{
    Suite *s = suite_create("src/network");
    TCase *t = tcase_create("network");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, runs_of_any_order_give_the_same);
    tcase_add_test(t, the_second_run_plans_nothing);
    tcase_add_test(t, the_budget_counts_for_what_is_kept);
    tcase_add_test(t, other_work_has_the_memory);
    tcase_add_test(t, a_run_that_was_stopped_leaves_nothing);
    tcase_add_test(t, want_of_memory_is_said);
    tcase_add_test(t, runs_at_the_same_time);
    suite_add_tcase(s, t);
    return s;
}
