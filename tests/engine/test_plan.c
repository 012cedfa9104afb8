/* Fusing, the arena, and what a run may and may not do. Numbers are judged in tests/models against a plain interpreter. */
#include "engine/ops/ops.h"
#include "kernels/cpu.h"
#include "tests/engine/toy.h"
#include "tests/faults.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef tt_status toy_fn(tt_net **, unsigned, tt_error *);
static toy_fn *const toys[] = {toy_dense, toy_shuffle, toy_hourglass, toy_tokens, toy_ladder};
enum { TOYS = sizeof toys / sizeof *toys };

static tt_net *toy_net(int i)
{
    tt_net *net;
    tt_error err = {0};
    ck_assert_msg(toys[i](&net, tt_cpu_detect(), &err) == TT_OK, "%s", err.text);
    return net;
}

/* A run's output (malloc) and its size in floats. */
static float *run_tile(const tt_net *net, int h, int w, int whole_h, int whole_w, int threads, const float *in, size_t *n)
{
    tt_plan *plan;
    tt_pool *pool;
    tt_plan_facts f;
    tt_error err = {0};
    ck_assert_int_eq(tt_pool_new(&pool, threads, &err), TT_OK);
    ck_assert_msg(!tt_plan_new(&plan, net, h, w, &(tt_plan_options){.threads = threads, .whole_h = whole_h, .whole_w = whole_w},
                               &err), "%s", err.text);
    tt_plan_get_facts(plan, &f);
    *n = (size_t)f.out_channels * (size_t)f.out_h * (size_t)f.out_w;
    float *out = malloc(*n * sizeof *out);
    ck_assert_msg(!tt_plan_run(plan, pool, in, out, NULL, &err), "%s", err.text);
    tt_plan_free(plan);
    tt_pool_free(pool);
    return out;
}

static float *run(const tt_net *net, int h, int w, int threads, const float *in, size_t *n)
{
    return run_tile(net, h, w, 0, 0, threads, in, n);
}

START_TEST(fuses_what_is_exact)
{
    tt_net *net = toy_net(0);
    /* first, a, b, c, d with both residuals, nearest, last with clamp: no copy, no addition of its own */
    ck_assert_int_eq(net->steps, 7);
    int adds = 0, clamps = 0;
    for (int i = 0; i < net->steps; i++) {
        ck_assert(net->step[i].op == TT_OP_CONV || net->step[i].op == TT_OP_NEAREST);
        adds += net->step[i].adds;
        clamps += net->step[i].clamp;
    }
    ck_assert_int_eq(adds, 2);
    ck_assert_int_eq(clamps, 1);
    tt_net_free(net);

    net = toy_net(1); /* a, b with shuffle and skip */
    ck_assert_int_eq(net->steps, 2);
    ck_assert_int_eq(net->step[1].shuffle, 2);
    ck_assert_int_eq(net->step[1].nearest, 2);
    ck_assert_int_eq(net->facts.scale_num, 2);
    tt_net_free(net);
}
END_TEST

/* Chains of layers on tokens, and that what they make lies where it came from. */
START_TEST(chains_take_few_steps_and_maps)
{
    tt_net *net = toy_net(3);
    static const tt_op steps[] = {TT_OP_PAD, TT_OP_CONV, TT_OP_NORM, TT_OP_NORM, TT_OP_NORM, TT_OP_NORM, TT_OP_CONV,
                                  TT_OP_CONV};
    ck_assert_int_eq(net->steps, (int)(sizeof steps / sizeof *steps));
    for (int i = 0; i < net->steps; i++) {
        ck_assert_int_eq(net->step[i].op, steps[i]);
        ck_assert_int_eq(net->step[i].stages, steps[i] == TT_OP_NORM ? 4 : 0);
        ck_assert_int_eq(net->step[i].adds, (steps[i] == TT_OP_NORM) || i == 6);
    }
    /* of -2..5, a shifted window with what two convolutions read of the next, through -4..7, whole windows, to -5..8 */
    ck_assert(net->facts.reach_lo == -8 && net->facts.reach_hi == 8);
    ck_assert_int_eq(net->facts.multiple, 4);
    tt_plan *p;
    ck_assert(!tt_plan_new(&p, net, 64, 64, NULL, NULL));
    const int first = net->step[1].out, x = net->step[2].out;
    for (int i = 3; i < 6; i++)
        ck_assert_int_eq(p->value[net->step[i].out].place, x);
    ck_assert_int_ne(x, first);                                     /* kept for the addition at the end, */
    ck_assert_int_eq(p->value[net->step[6].out].place, first);      /* which then lies where it lay */
    tt_plan_free(p);
    tt_net_free(net);
}
END_TEST

START_TEST(values_alive_together_do_not_overlap)
{
    for (int t = 0; t < TOYS; t++) {
        tt_net *net = toy_net(t);
        tt_plan *p;
        tt_error err;
        ck_assert_int_eq(tt_plan_new(&p, net, 32, 46, NULL, &err), TT_OK);
        for (int i = 0; i < net->graph->count; i++)
            for (int j = 0; j < i; j++) {
                const tt_value *a = &p->value[i], *b = &p->value[j];
                if (!a->stored || !b->stored || a->first > b->last || b->first > a->last || a->place == b->place)
                    continue;
                ck_assert(a->at + a->floats <= b->at || b->at + b->floats <= a->at);
            }
        tt_plan_facts f;
        tt_plan_get_facts(p, &f);
        ck_assert(p->arena_floats * sizeof(float) <= f.unshared_bytes);
        ck_assert(f.flops > 0);
        tt_plan_free(p);
        tt_net_free(net);
    }
}
END_TEST

START_TEST(a_run_allocates_nothing)
{
    for (int t = 0; t < TOYS; t++) {
        tt_net *net = toy_net(t);
        tt_plan *p;
        tt_pool *pool;
        tt_error err;
        ck_assert_int_eq(tt_pool_new(&pool, 3, &err), TT_OK);
        ck_assert_int_eq(tt_plan_new(&p, net, 32, 46, &(tt_plan_options){.threads = 3}, &err), TT_OK);
        float *in = toy_noise(3 * 32 * 46, 1), *out = malloc(3 * 96 * 138 * sizeof *out);
        faults_allocations();
        const tt_status st = tt_plan_run(p, pool, in, out, NULL, &err);
        const long allocations = faults_allocations(); /* before Check's own */
        ck_assert_int_eq(st, TT_OK);
        ck_assert_int_eq(allocations, 0);
        free(in);
        free(out);
        tt_plan_free(p);
        tt_pool_free(pool);
        tt_net_free(net);
    }
}
END_TEST

START_TEST(threads_give_the_same_bytes)
{
    for (int t = 0; t < TOYS; t++) {
        tt_net *net = toy_net(t);
        size_t n, m;
        float *in = toy_noise(3 * 42 * 38, 2), *want = run(net, 42, 38, 1, in, &n);
        for (size_t i = 0; i < n; i++)
            ck_assert(isfinite(want[i]));
        const int threads[] = {2, 3, 7};
        for (int i = 0; i < 3; i++) {
            float *got = run(net, 42, 38, threads[i], in, &m);
            ck_assert(n == m && !memcmp(want, got, n * sizeof *want));
            free(got);
        }
        free(in);
        free(want);
        tt_net_free(net);
    }
}
END_TEST

/* The lower right part of a picture, with as much around it as the reach says, gives the very bits of the whole. */
START_TEST(a_tile_equals_the_whole)
{
    /* a small picture and one whose layers' tiles begin one pixel after the other */
    const int H = _i ? 420 : 124, W = _i ? 100 : 116, TOP = _i ? 240 : 48, LEFT = 32;
    for (int t = 0; t < TOYS; t++) {
        tt_net *net = toy_net(t);
        if (net->facts.global || net->facts.scale_num == 3) { /* it has a mean; it loses a border */
            tt_net_free(net);
            continue;
        }
        size_t n, m;
        float *in = toy_noise(3 * (size_t)H * (size_t)W, 3), *whole = run(net, H, W, 2, in, &n);
        const int h = H - TOP, w = W - LEFT, s = net->facts.scale_num;
        float *part = malloc(3 * (size_t)h * (size_t)w * sizeof *part);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < h; y++)
                memcpy(part + ((size_t)c * h + y) * w, in + ((size_t)c * H + TOP + y) * W + LEFT, sizeof *in * (size_t)w);
        float *tile = run_tile(net, h, w, H, W, 2, part, &m);
        tt_net_tiling reach;
        ck_assert(!tt_net_get_tiling(net, H, W, &reach, NULL));
        ck_assert(TOP % reach.grid == 0 && LEFT % reach.grid == 0);
        /* output row o reads from floor(o * step + lo): right from the first one that stays inside */
        const int skip = (int)ceil(-reach.lo / reach.step);
        ck_assert(skip > 0 && skip < w * s && skip >= ceil(-net->facts.reach_lo / net->facts.reach_step));
        for (int c = 0; c < 3; c++)
            for (int y = skip; y < h * s; y++)
                ck_assert_msg(!memcmp(tile + ((size_t)c * h * s + y) * w * s + skip,
                                      whole + ((size_t)c * H * s + TOP * s + y) * W * s + LEFT * s + skip,
                                      sizeof *tile * (size_t)(w * s - skip)),
                              "toy %d, channel %d, row %d", t, c, y);
        free(in);
        free(whole);
        free(part);
        free(tile);
        tt_net_free(net);
    }
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    tt_net *net = toy_net(2);
    tt_error err;
    tt_plan *p;
    const int bad[][2] = {{0, 9}, {9, 0}, {-3, 9}, {2, 9}, {3, 3}, {11, 12}, {1 << 25, 9}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.text[0] = 0;
        ck_assert_int_eq(tt_plan_new(&p, net, bad[i][0], bad[i][1], NULL, &err), TT_ERR_USAGE);
        ck_assert(p == NULL && err.text[0]);
    }
    tt_net_free(net);
}
END_TEST

START_TEST(cancelling_stops)
{
    tt_net *net = toy_net(0);
    tt_plan *p;
    tt_pool *pool;
    tt_error err;
    atomic_int cancel = 1;
    float *in = toy_noise(3 * 16 * 16, 1), *out = malloc(4 * 3 * 32 * 32);
    ck_assert_int_eq(tt_pool_new(&pool, 2, &err), TT_OK);
    ck_assert_int_eq(tt_plan_new(&p, net, 16, 16, &(tt_plan_options){.threads = 2}, &err), TT_OK);
    ck_assert_int_eq(tt_plan_run(p, pool, in, out, &(tt_watch){.cancel = &cancel}, &err), TT_ERR_CANCELLED);
    free(in);
    free(out);
    tt_plan_free(p);
    tt_pool_free(pool);
    tt_net_free(net);
}
END_TEST

/* Every allocation on the way from a file to a plan fails once, then all from that one on: a status, no crash, and (under
 * the address sanitizer) no leak. */
START_TEST(no_memory_is_a_status)
{
    for (int t = 0; t < TOYS; t++)
        for (int forever = 0; forever < 2; forever++)
            for (long k = 1;; k++) {
                tt_net *net;
                tt_plan *p = NULL;
                tt_error err = {0};
                faults_fail(k, forever);
                tt_status st = toys[t](&net, tt_cpu_detect(), &err);
                if (!st)
                    st = tt_plan_new(&p, net, 20, 20, NULL, &err);
                const int failed = faults_failed();
                faults_fail(0, 0);
                tt_plan_free(p);
                tt_net_free(net);
                if (!failed) {
                    ck_assert_int_eq(st, TT_OK);
                    break;
                }
                ck_assert_msg(st == TT_ERR_MEMORY, "allocation %ld of toy %d: status %d, %s", k, t, st, err.text);
                ck_assert(err.text[0]);
            }
}
END_TEST

Suite *suite_engine_plan(void);
Suite *suite_engine_plan(void)
{
    Suite *s = suite_create("engine/plan");
    TCase *t = tcase_create("plan");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, fuses_what_is_exact);
    tcase_add_test(t, chains_take_few_steps_and_maps);
    tcase_add_test(t, values_alive_together_do_not_overlap);
    tcase_add_test(t, a_run_allocates_nothing);
    tcase_add_loop_test(t, a_tile_equals_the_whole, 0, 2);
    tcase_add_test(t, impossible_sizes_are_refused);
    tcase_add_test(t, cancelling_stops);
    tcase_add_test(t, no_memory_is_a_status);
    suite_add_tcase(s, t);
    return s;
}

/* What the thread sanitizer looks at. */
static atomic_int seen[1000];

static void mark(void *arg, int unit, int thread)
{
    ck_assert(thread >= 0 && thread < *(int *)arg);
    atomic_fetch_add(&seen[unit], 1);
}

START_TEST(every_unit_runs_once)
{
    for (int threads = 1; threads <= 7; threads++) {
        tt_pool *pool;
        tt_error err;
        ck_assert_int_eq(tt_pool_new(&pool, threads, &err), TT_OK);
        int n = tt_pool_threads(pool);
        for (int round = 0; round < 200; round++) {
            const int units = round * 5 % 1000;
            for (int i = 0; i < 1000; i++)
                atomic_store(&seen[i], 0);
            tt_parallel(pool, units, mark, &n);
            for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(atomic_load(&seen[i]), i < units);
        }
        tt_pool_free(pool);
    }
}
END_TEST

START_TEST(silly_thread_counts_are_refused)
{
    tt_pool *pool;
    tt_error err;
    ck_assert_int_eq(tt_pool_new(&pool, -1, &err), TT_ERR_USAGE);
    ck_assert_int_eq(tt_pool_new(&pool, 1000000, &err), TT_ERR_USAGE);
    ck_assert_int_ge(tt_processors(), 1);
    tt_pool_free(NULL);
}
END_TEST

Suite *suite_engine_threads(void);
Suite *suite_engine_threads(void)
{
    Suite *s = suite_create("engine/threads");
    TCase *t = tcase_create("threads");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_unit_runs_once);
    tcase_add_test(t, silly_thread_counts_are_refused);
    tcase_add_test(t, threads_give_the_same_bytes);
    suite_add_tcase(s, t);
    return s;
}
