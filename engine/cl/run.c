/*
 * The run of a plan on the device. Launches are cut by rows so that none takes long (displays freeze, and watchdogs bite
 * after 2 s), and after each quarter of a second of them the device is waited for: then the caller is heard, and how fast
 * it was says how to cut the next ones.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include "engine/cl/plan.h"

#include <stdlib.h>
#include <time.h>

static const double LONGEST = 0.05, ROUND = 0.25; /* seconds of one enqueue, of a round of them: half of what they may */
enum { BYTES_COST = 8 };                          /* operations in whose time a byte is moved */

typedef struct run {
    tt_cl_plan *p;
    tt_cl *cl;
    const tt_watch *watch;
    double begun, round; /* when, and the work of the round */
    double done, all;
    tt_error *err;
} run;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double work_of(const tt_cl_launch *l)
{
    return l->flops + BYTES_COST * l->bytes;
}

static bool cancelled(const run *r)
{
    return r->watch->cancel && atomic_load_explicit(r->watch->cancel, memory_order_relaxed);
}

static tt_status fail(const run *r, const char *what, cl_int e)
{
    return tt_cl_fail(r->err, r->cl->info.name, what, e);
}

/* Wait for what is under way. */
static tt_status end_round(run *r)
{
    const cl_int e = r->cl->api->clFinish(r->cl->queue);
    if (e != CL_SUCCESS)
        return fail(r, "the work", e);
    const double seconds = now() - r->begun;
    if (r->round > 1e6 && seconds > 1e-4) {
        const double rate = r->round / seconds, least = r->cl->rate / 4, most = r->cl->rate * 4;
        r->cl->rate = rate < least ? least : rate > most ? most : rate;
    }
    r->done += r->round;
    r->round = 0;
    if (r->watch->progress)
        r->watch->progress(r->watch->user, r->done / r->all);
    r->begun = now();
    return cancelled(r) ? tt_fail(r->err, TT_ERR_CANCELLED, "stopped") : TT_OK;
}

static size_t up(int n, int to)
{
    return (size_t)((n + to - 1) / to * to);
}

static tt_status set_arguments(const run *r, const tt_cl_launch *l, cl_kernel k)
{
    const tt_cl_api *api = r->cl->api;
    const struct {
        size_t size;
        const void *value;
    } argument[] = {{sizeof(cl_mem), l->kernel == TT_CL_load ? &r->p->input : &r->p->arena},
                    {sizeof(cl_mem), l->kernel == TT_CL_store ? &r->p->output : &r->p->arena},
                    {sizeof(cl_mem), &r->p->net->weights},
                    {sizeof(cl_mem), &r->p->numbers_there},
                    {sizeof(cl_int), &(cl_int){l->at}},
                    {0, NULL}, /* the first row: of each part */
                    {(size_t)l->local, NULL}};
    for (cl_uint i = 0; i < 7; i++) {
        if (i == 5 || (i == 6 && !l->local))
            continue;
        const cl_int e = api->clSetKernelArg(k, i, argument[i].size, argument[i].value);
        if (e != CL_SUCCESS)
            return fail(r, "an argument", e);
    }
    return TT_OK;
}

/* Rows of items at a time: whole groups of them, no longer than LONGEST as far as is known. */
static int rows_at_a_time(const run *r, const tt_cl_launch *l)
{
    const double part = r->cl->rate * LONGEST / (work_of(l) + 1) * l->rows;
    const int group = l->group[1], rows = part < l->rows ? (int)part / group * group : l->rows;
    return rows < group ? group : rows;
}

/* A compiled kernel may take fewer items a group than the device promised. */
static void fit_group(const run *r, const tt_cl_launch *l, int group[2])
{
    const size_t most = r->cl->most_items[l->kernel];
    group[0] = l->group[0];
    group[1] = l->group[1];
    while (group[1] > 1 && (size_t)(group[0] * group[1]) > most)
        group[1] = (group[1] + 1) / 2;
    while (group[0] > 1 && (size_t)(group[0] * group[1]) > most)
        group[0] = (group[0] + 1) / 2;
}

static tt_status enqueue(run *r, const tt_cl_launch *l)
{
    const tt_cl_api *api = r->cl->api;
    const cl_kernel k = r->cl->kernel[l->kernel];
    tt_status st = set_arguments(r, l, k);
    const int step = rows_at_a_time(r, l);
    int group[2];
    fit_group(r, l, group);
    for (int y = 0; y < l->rows && !st; y += step) {
        const int rows = l->rows - y < step ? l->rows - y : step;
        const cl_int first = y * l->rows_an_item;
        const size_t local[3] = {(size_t)group[0], (size_t)group[1], 1};
        const size_t global[3] = {up(l->cols, group[0]), up(rows, group[1]), (size_t)l->blocks};
        cl_int e = api->clSetKernelArg(k, 5, sizeof first, &first);
        if (e == CL_SUCCESS)
            e = api->clEnqueueNDRangeKernel(r->cl->queue, k, 3, NULL, global, local, 0, NULL, NULL);
        if (e != CL_SUCCESS)
            return fail(r, tt_cl_kernel_names[l->kernel], e);
        r->round += work_of(l) * rows / l->rows;
        if (r->round > r->cl->rate * ROUND)
            st = end_round(r);
    }
    atomic_fetch_add(&r->cl->ran[l->kernel], 1);
    return st;
}

static tt_status write_input(run *r, const float *in)
{
    const tt_cl_plan_facts *f = &r->p->facts;
    const size_t bytes = sizeof *in * (size_t)f->in_channels * (size_t)f->in_h * (size_t)f->in_w;
    const cl_int e = r->cl->api->clEnqueueWriteBuffer(r->cl->queue, r->p->input, CL_TRUE, 0, bytes, in, 0, NULL, NULL);
    return e == CL_SUCCESS ? TT_OK : fail(r, "writing the picture", e);
}

static tt_status read_output(run *r, float *out)
{
    const tt_cl_plan_facts *f = &r->p->facts;
    const size_t bytes = sizeof *out * (size_t)f->out_channels * (size_t)f->out_h * (size_t)f->out_w;
    const cl_int e = r->cl->api->clEnqueueReadBuffer(r->cl->queue, r->p->output, CL_TRUE, 0, bytes, out, 0, NULL, NULL);
    return e == CL_SUCCESS ? TT_OK : fail(r, "reading the picture", e);
}

static run begin(tt_cl_plan *p, const tt_watch *watch, tt_error *err)
{
    static const tt_watch nobody;
    run r = {.p = p, .cl = p->net->cl, .watch = watch ? watch : &nobody, .err = err};
    for (int i = 0; i < p->launches; i++)
        r.all += work_of(&p->launch[i]);
    return r;
}

tt_status tt_cl_plan_run(tt_cl_plan *p, const float *in, float *out, const tt_watch *watch, tt_error *err)
{
    run r = begin(p, watch, err);
    if (!p->arena)
        return tt_fail(err, TT_ERR_INTERNAL, "a plan of sizes cannot run");
    pthread_mutex_lock(&r.cl->lock);
    tt_status st = cancelled(&r) ? tt_fail(err, TT_ERR_CANCELLED, "stopped") : write_input(&r, in);
    r.begun = now();
    for (int i = 0; i < p->launches && !st; i++)
        st = enqueue(&r, &p->launch[i]);
    if (!st)
        st = end_round(&r);
    if (!st)
        st = read_output(&r, out);
    if (st)
        r.cl->api->clFinish(r.cl->queue); /* nothing of ours may be under way when memory is given back */
    pthread_mutex_unlock(&r.cl->lock);
    return st;
}

tt_status tt_cl_plan_profile(tt_cl_plan *p, const float *in, float *out, tt_cl_cost **costs, int *count, tt_error *err)
{
    run r = begin(p, NULL, err);
    *count = 0;
    *costs = calloc(TT_CL_KERNEL_COUNT, sizeof **costs);
    if (!*costs)
        return tt_fail_memory(err, TT_CL_KERNEL_COUNT * sizeof **costs);
    tt_cl_cost *c = *costs, all[TT_CL_KERNEL_COUNT] = {{0}};
    pthread_mutex_lock(&r.cl->lock);
    tt_status st = write_input(&r, in);
    for (int i = 0; i < p->launches && !st; i++) {
        const tt_cl_launch *l = &p->launch[i];
        tt_cl_cost *k = &all[l->kernel];
        const double began = r.begun = now();
        st = enqueue(&r, l);
        st = st ? st : end_round(&r);
        k->seconds += now() - began;
        k->kernel = tt_cl_kernel_names[l->kernel];
        k->launches++;
        k->flops += l->flops;
        k->bytes += l->bytes;
    }
    if (!st)
        st = read_output(&r, out);
    pthread_mutex_unlock(&r.cl->lock);
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++)
        if (all[i].launches)
            c[(*count)++] = all[i];
    return st;
}
