/* Strips of rows against whole maps: the same bits, less memory. */
#include "kernels/cpu.h"
#include "tests/engine/toy.h"

#include <check.h>
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

static tt_plan *toy_plan(const tt_net *net, int h, int w, int threads, int strip, tt_plan_facts *f)
{
    tt_plan *p;
    tt_error err = {0};
    const tt_plan_options o = {.threads = threads, .strip = strip};
    ck_assert_msg(!tt_plan_new(&p, net, h, w, &o, &err), "%s", err.text);
    tt_plan_get_facts(p, f);
    return p;
}

static float *run(const tt_net *net, int h, int w, int threads, int strip, const float *in, size_t *n)
{
    tt_pool *pool;
    tt_plan_facts f;
    tt_error err = {0};
    tt_plan *p = toy_plan(net, h, w, threads, strip, &f);
    ck_assert_int_eq(tt_pool_new(&pool, threads, &err), TT_OK);
    ck_assert_int_eq(f.strip, strip < 0 ? 0 : strip);
    *n = (size_t)f.out_channels * (size_t)f.out_h * (size_t)f.out_w;
    float *out = malloc(*n * sizeof *out);
    for (int twice = 0; twice < 2; twice++) { /* what the first run left must not show */
        memset(out, 0, *n * sizeof *out);
        ck_assert_msg(!tt_plan_run(p, pool, in, out, NULL, &err), "%s", err.text);
    }
    tt_plan_free(p);
    tt_pool_free(pool);
    return out;
}

START_TEST(strips_give_the_bits_of_whole_maps)
{
    static const int threads[] = {1, 2, 3, 7};
    static const int sizes[][2] = {{42, 38}, {10, 202}, {300, 10}, {12, 12}};
    tt_net *net = toy_net(_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int h = sizes[s][0], w = sizes[s][1];
        size_t n, m;
        float *in = toy_noise(3 * (size_t)h * (size_t)w, 2), *want = run(net, h, w, 1, TT_WHOLE, in, &n);
        for (int strip = 1; strip <= 8; strip++)
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                float *got = run(net, h, w, threads[t], strip, in, &m);
                ck_assert_msg(n == m && !memcmp(want, got, n * sizeof *want),
                              "toy %d, %dx%d, strips of %d, %d threads", _i, w, h, strip, threads[t]);
                free(got);
            }
        free(in);
        free(want);
    }
    tt_net_free(net);
}
END_TEST

START_TEST(memory_grows_with_the_width_alone)
{
    for (int t = 0; t < TOYS; t++) {
        if (t == 2)
            continue; /* has a mean, and what it reads is whole */
        tt_net *net = toy_net(t);
        tt_plan_facts low, high, whole;
        tt_plan_free(toy_plan(net, 400, 64, 2, 4, &low));
        tt_plan_free(toy_plan(net, 4000, 64, 2, 4, &high));
        tt_plan_free(toy_plan(net, 4000, 64, 2, TT_WHOLE, &whole));
        ck_assert_uint_eq(low.arena_bytes, high.arena_bytes);
        ck_assert_uint_lt(4 * low.arena_bytes, whole.arena_bytes);
        tt_net_free(net);
    }
}
END_TEST

/* The plan finds by itself where strips save memory, and lower ones where it is told what there is. */
START_TEST(the_plan_chooses_strips)
{
    tt_net *net = toy_net(0);
    tt_plan_facts f, whole;
    tt_plan *p;
    tt_error err = {0};
    tt_plan_free(toy_plan(net, 32, 32, 2, 0, &f));
    ck_assert_int_eq(f.strip, 0);
    const tt_plan_options size = {.threads = 2, .only_size = true};
    ck_assert_int_eq(tt_plan_new(&p, net, 3000, 900, &size, &err), TT_OK);
    tt_plan_get_facts(p, &f);
    tt_plan_free(p);
    const tt_plan_options maps = {.threads = 2, .only_size = true, .strip = TT_WHOLE};
    ck_assert_int_eq(tt_plan_new(&p, net, 3000, 900, &maps, &err), TT_OK);
    tt_plan_get_facts(p, &whole);
    tt_plan_free(p);
    ck_assert_int_gt(f.strip, 4);
    ck_assert_uint_lt(8 * f.arena_bytes, whole.arena_bytes);
    const tt_plan_options tight = {.threads = 2, .only_size = true, .most = f.arena_bytes / 4};
    ck_assert_int_eq(tt_plan_new(&p, net, 3000, 900, &tight, &err), TT_OK);
    tt_plan_get_facts(p, &whole);
    tt_plan_free(p);
    ck_assert_int_lt(whole.strip, f.strip);
    ck_assert_uint_lt(whole.arena_bytes, f.arena_bytes);
    tt_net_free(net);
}
END_TEST

typedef struct flowing {
    const tt_plan_facts *f;
    int taken, given, fail_at;
} flowing;

static tt_status take(void *user, int y0, int y1, float *to, tt_error *err)
{
    flowing *a = user;
    ck_assert_int_eq(y0, a->taken);
    ck_assert_int_le(y1 - y0, a->f->take_rows);
    a->taken = y1;
    memset(to, 0, (size_t)a->f->in_channels * (size_t)(y1 - y0) * (size_t)a->f->in_w * sizeof *to);
    return y1 > a->fail_at ? tt_fail(err, TT_ERR_INPUT, "no more") : TT_OK;
}

static tt_status give(void *user, int y0, int y1, float *rows, tt_error *err)
{
    flowing *a = user;
    (void)rows, (void)err;
    ck_assert_int_eq(y0, a->given);
    ck_assert_int_le(y1 - y0, a->f->give_rows);
    a->given = y1;
    return TT_OK;
}

START_TEST(rows_come_and_go_in_their_order)
{
    for (int t = 0; t < TOYS; t++)
        for (int strip = -1; strip <= 5; strip++) {
            tt_net *net = toy_net(t);
            tt_plan_facts f;
            tt_pool *pool;
            tt_error err = {0};
            tt_plan *p = toy_plan(net, 42, 38, 2, strip, &f);
            flowing a = {.f = &f, .fail_at = 42};
            const tt_flow flow = {take, give, &a};
            ck_assert_int_eq(tt_pool_new(&pool, 2, &err), TT_OK);
            ck_assert_int_eq(tt_plan_stream(p, pool, &flow, NULL, &err), TT_OK);
            ck_assert_int_eq(a.taken, 42);
            ck_assert_int_eq(a.given, f.out_h);
            a = (flowing){.f = &f, .fail_at = 20};
            ck_assert_int_eq(tt_plan_stream(p, pool, &flow, NULL, &err), TT_ERR_INPUT);
            ck_assert_str_eq(err.text, "no more");
            tt_plan_free(p);
            tt_pool_free(pool);
            tt_net_free(net);
        }
}
END_TEST

Suite *suite_engine_strips(void);
Suite *suite_engine_strips(void)
{
    Suite *s = suite_create("engine/strips");
    TCase *t = tcase_create("strips");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, strips_give_the_bits_of_whole_maps, 0, TOYS);
    tcase_add_test(t, memory_grows_with_the_width_alone);
    tcase_add_test(t, the_plan_chooses_strips);
    tcase_add_test(t, rows_come_and_go_in_their_order);
    suite_add_tcase(s, t);
    return s;
}
