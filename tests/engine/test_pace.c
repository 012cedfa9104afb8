/*
 * How launches are cut, on devices that are played: of any speed, with kernels a hundred times slower than others, shapes of
 * work that suit them ten times worse, and rates that were believed wrongly. No clock is read, so a busy machine changes nothing.
 */
#include "engine/cl/pace.h"

#include <check.h>
#include <stdlib.h>

Suite *suite_engine_pace(void);

enum { KINDS = 4, LAUNCHES = 24, ROWS = 4096, GROUP = 4 };

/* A device: what it truly does in a second, and what a wait takes. */
typedef struct device {
    double rate[KINDS], latency;
    double believed[KINDS];
    double slower; /* all of it, from now on */
} device;

typedef struct launch {
    int kind;
    double work, suits; /* a share of the kernel's rate */
    tt_cl_pace pace;
} launch;

typedef struct outcome {
    double longest, all; /* seconds */
    int enqueues, waits;
} outcome;

static double takes(const device *d, const launch *l, int rows)
{
    return l->work * rows / ROWS / (d->rate[l->kind] * l->suits) * d->slower;
}

/* As engine/cl/run.c goes through a plan: rounds, and trials between them. */
static outcome play(device *d, launch *l, int launches)
{
    outcome o = {0};
    double expected = 0, took = 0, share[LAUNCHES] = {0};
    for (int i = 0; i < launches; i++) {
        for (int row = 0; row < ROWS;) {
            bool alone;
            double *kind = &d->believed[l[i].kind];
            const int rows = tt_cl_pace_rows(&l[i].pace, *kind, l[i].work * (ROWS - row) / ROWS, ROWS - row, GROUP, &alone);
            const double seconds = takes(d, &l[i], rows), part = l[i].work * rows / ROWS;
            ck_assert_msg(rows > 0 && rows <= ROWS - row && (rows % GROUP == 0 || rows == ROWS - row), "%d rows", rows);
            o.longest = seconds > o.longest && rows > GROUP ? seconds : o.longest;
            o.all += seconds;
            o.enqueues++;
            row += rows;
            if (alone) {
                o.waits++;
                tt_cl_pace_tried(&l[i].pace, kind, part, seconds + d->latency);
                continue;
            }
            share[i] += tt_cl_pace_seconds(&l[i].pace, *kind, part);
            expected += tt_cl_pace_seconds(&l[i].pace, *kind, part);
            took += seconds;
            if (expected > TT_CL_ROUND) {
                o.waits++;
                for (int j = 0; j < launches; j++)
                    if (share[j] > 0)
                        tt_cl_pace_correct(&l[j].pace, &d->believed[l[j].kind], share[j] / expected, took / expected);
                for (int j = 0; j < launches; j++)
                    share[j] = 0;
                expected = took = 0;
            }
        }
    }
    return o;
}

/* 0..n-1 */
static unsigned roll(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static device any_device(unsigned *seed, double rate)
{
    device d = {.latency = 2e-5 + 1e-4 * roll(seed, 10), .slower = 1};
    for (int i = 0; i < KINDS; i++) {
        d.rate[i] = rate / (1 + roll(seed, 100));
        d.believed[i] = TT_CL_FIRST_RATE;
    }
    return d;
}

/* Launches of a second at most, were they of a kernel's own speed; some are nothing. */
static void any_launches(launch *l, const device *d, unsigned *seed)
{
    for (int i = 0; i < LAUNCHES; i++) {
        const double part = 1e-3 * roll(seed, 1000);
        l[i] = (launch){.kind = (int)roll(seed, KINDS), .suits = 1.0 / (1 + roll(seed, 10))};
        l[i].work = 1 + d->rate[l[i].kind] * (roll(seed, 3) ? part : 1e-3 * part);
    }
}

static const double rates[] = {1e10, 3e10, 1e11, 1e12, 1e13, 5e13};
enum { RATES = sizeof rates / sizeof *rates, PLAYS = 200 };

START_TEST(no_enqueue_is_long_on_a_device_never_seen)
{
    unsigned seed = 11;
    launch l[LAUNCHES];
    for (int i = 0; i < PLAYS; i++) {
        device d = any_device(&seed, rates[_i]);
        any_launches(l, &d, &seed);
        for (int run = 0; run < 3; run++) {
            const outcome o = play(&d, l, LAUNCHES);
            ck_assert_msg(o.longest <= 0.1, "rate %g, play %d, run %d: %.3f s", rates[_i], i, run, o.longest);
        }
    }
}
END_TEST

/* Short ones only make work for the host: not more than ten times as many as are needed, and few waits. */
START_TEST(not_all_is_cut_to_pieces)
{
    unsigned seed = 12;
    launch l[LAUNCHES];
    for (int i = 0; i < PLAYS; i++) {
        device d = any_device(&seed, rates[_i]);
        any_launches(l, &d, &seed);
        play(&d, l, LAUNCHES);
        const outcome o = play(&d, l, LAUNCHES);
        ck_assert_msg(o.enqueues <= LAUNCHES + 10 * o.all / TT_CL_LONGEST, "rate %g, play %d: %d for %.2f s", rates[_i], i,
                      o.enqueues, o.all);
        ck_assert_msg(o.waits <= LAUNCHES + 10 * o.all / TT_CL_ROUND, "rate %g, play %d: %d waits", rates[_i], i, o.waits);
    }
}
END_TEST

/* Another shape of work made a kernel look up to ten times faster than it is for this one. */
START_TEST(a_rate_believed_ten_times_too_high_does_no_harm)
{
    unsigned seed = 13;
    launch l[LAUNCHES];
    for (int i = 0; i < PLAYS; i++) {
        device d = any_device(&seed, rates[_i]);
        any_launches(l, &d, &seed);
        for (int k = 0; k < KINDS; k++)
            d.believed[k] = d.rate[k];
        const outcome o = play(&d, l, LAUNCHES);
        ck_assert_msg(o.longest <= 0.1, "rate %g, play %d: %.3f s", rates[_i], i, o.longest);
    }
}
END_TEST

/* Eight times slower from one moment to the next, as when it gets hot: the second run is cut for that. */
START_TEST(a_device_may_become_slower_and_fast_again)
{
    unsigned seed = 14;
    for (int i = 0; i < PLAYS; i++) {
        device d = any_device(&seed, rates[_i]);
        launch one = {.kind = 0, .work = 2 * d.rate[0], .suits = 1};
        play(&d, &one, 1);
        d.slower = 8;
        play(&d, &one, 1);
        const outcome slow = play(&d, &one, 1);
        ck_assert_msg(slow.longest <= 0.1, "rate %g: %.3f s", rates[_i], slow.longest);
        d.slower = 1;
        for (int run = 0; run < 3; run++)
            play(&d, &one, 1);
        const outcome fast = play(&d, &one, 1);
        ck_assert_msg(fast.longest > 0.02, "rate %g: still cut to %.3f s", rates[_i], fast.longest);
    }
}
END_TEST

/* A round is most of one launch's: what ran beside it keeps its rate. */
START_TEST(who_took_the_time_is_blamed)
{
    double kind = 1e10, other = 1e10;
    tt_cl_pace big = {.rate = 1e10}, small = {.rate = 1e10};
    tt_cl_pace_correct(&big, &kind, 0.98, 3);
    tt_cl_pace_correct(&small, &other, 0.02, 3);
    ck_assert(big.rate < 0.35e10 && small.rate > 0.97e10);
    ck_assert(kind == 1e10 && other == 1e10); /* they have rates of their own */
    tt_cl_pace none = {0};
    tt_cl_pace_correct(&none, &kind, 1, 1e9);
    ck_assert(kind > 0.24e10 && kind < 0.26e10); /* one round is no proof of so much */
}
END_TEST

Suite *suite_engine_pace(void)
{
    Suite *s = suite_create("engine/pace");
    TCase *tc = tcase_create("pace");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, no_enqueue_is_long_on_a_device_never_seen, 0, RATES);
    tcase_add_loop_test(tc, not_all_is_cut_to_pieces, 0, RATES);
    tcase_add_loop_test(tc, a_rate_believed_ten_times_too_high_does_no_harm, 0, RATES);
    tcase_add_loop_test(tc, a_device_may_become_slower_and_fast_again, 0, RATES);
    tcase_add_test(tc, who_took_the_time_is_blamed);
    suite_add_tcase(s, tc);
    return s;
}
