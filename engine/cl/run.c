/*
 * The run of a plan on the device: at most two pictures at a time, worked on one after the other. Launches are cut by rows
 * (engine/cl/pace.c) and go in rounds of a quarter of a second. Two rounds may be under way, so that the device has work while
 * the older one is waited for; then the caller is heard, and how long it took says how to cut the next ones. What goes to the
 * device and comes back has a queue of its own, beside the kernels.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include "engine/cl/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES_COST = 8 }; /* operations in whose time a byte is moved */

double tt_cl_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double tt_cl_work_of(const tt_cl_launch *l)
{
    return l->flops + BYTES_COST * l->bytes + 1;
}

/* ---- one enqueue --------------------------------------------------------------------------------------- */

static size_t up(int n, int to)
{
    return (size_t)((n + to - 1) / to * to);
}

/* A compiled kernel may take fewer items a group than the device promised. */
static void fit_group(const tt_cl *cl, const tt_cl_launch *l, int group[2])
{
    const size_t most = cl->most_items[l->kernel];
    group[0] = l->group[0];
    group[1] = l->group[1];
    while (group[1] > 1 && (size_t)(group[0] * group[1]) > most)
        group[1] = (group[1] + 1) / 2;
    while (group[0] > 1 && (size_t)(group[0] * group[1]) > most)
        group[0] = (group[0] + 1) / 2;
}

static cl_int set_arguments(const tt_cl_plan *p, const tt_cl_launch *l, int job, cl_int first)
{
    const tt_cl *cl = p->net->cl;
    const struct {
        size_t size;
        const void *value;
    } argument[] = {{sizeof(cl_mem), l->kernel == TT_CL_load ? &p->input[job] : &p->arena},
                    {sizeof(cl_mem), l->kernel == TT_CL_store ? &p->output[job] : &p->arena},
                    {sizeof(cl_mem), &p->net->weights},
                    {sizeof(cl_mem), &p->numbers_there},
                    {sizeof(cl_int), &(cl_int){l->at}},
                    {sizeof(cl_int), &first},
                    {(size_t)l->local, NULL}};
    cl_int e = CL_SUCCESS;
    for (cl_uint i = 0; i < (l->local ? 7u : 6u) && e == CL_SUCCESS; i++)
        e = cl->api->clSetKernelArg(cl->kernel[l->kernel], i, argument[i].size, argument[i].value);
    return e;
}

cl_int tt_cl_enqueue(const tt_cl_plan *p, const tt_cl_launch *l, cl_command_queue q, int job, int row, int rows,
                     const cl_event *after, cl_event *end)
{
    tt_cl *cl = p->net->cl;
    int group[2];
    fit_group(cl, l, group);
    const size_t local[3] = {(size_t)group[0], (size_t)group[1], 1};
    const size_t global[3] = {up(l->cols, group[0]), up(rows, group[1]), (size_t)l->blocks};
    const cl_int e = set_arguments(p, l, job, row * l->rows_an_item);
    if (row + rows == l->rows)
        atomic_fetch_add(&cl->ran[l->kernel], 1);
    if (e != CL_SUCCESS)
        return e;
    return cl->api->clEnqueueNDRangeKernel(q, cl->kernel[l->kernel], 3, NULL, global, local, after ? 1 : 0, after, end);
}

/* ---- what is under way --------------------------------------------------------------------------------- */

static tt_cl_job *job_at(tt_cl_plan *p, int i)
{
    return &p->job[(p->first_job + i) % TT_CL_JOBS];
}
static tt_cl_round *round_at(tt_cl_plan *p, int i)
{
    return &p->round[(p->first_round + i) % TT_CL_ROUNDS];
}

static void release_event(const tt_cl_plan *p, cl_event *e)
{
    if (*e)
        p->net->cl->api->clReleaseEvent(*e);
    *e = NULL;
}

void tt_cl_plan_drain(tt_cl_plan *p)
{
    const tt_cl *cl = p->net->cl;
    cl_int e = cl->api->clFinish(cl->queue);
    const cl_int other = cl->api->clFinish(cl->transfers);
    e = e != CL_SUCCESS ? e : other;
    for (; p->rounds; p->rounds--, p->first_round = (p->first_round + 1) % TT_CL_ROUNDS) {
        tt_cl_round *r = round_at(p, 0);
        tt_cl_job *job = &p->job[r->job];
        if (e != CL_SUCCESS && !job->st)
            job->st = tt_cl_fail(&job->err, cl->info.name, "the work", e);
        release_event(p, &r->end);
    }
    for (int i = 0; i < p->jobs; i++) {
        tt_cl_job *job = job_at(p, i);
        if (e != CL_SUCCESS && job->written && !job->st)
            job->st = tt_cl_fail(&job->err, cl->info.name, "writing the picture", e);
        release_event(p, &job->written);
    }
    p->began = 0;
}

/* Nothing of ours may be under way when memory is given back, so whatever fails ends with that. */
static void fail(tt_cl_plan *p, tt_cl_job *job, const char *what, cl_int e)
{
    if (!job->st)
        job->st = tt_cl_fail(&job->err, p->net->cl->info.name, what, e);
    tt_cl_plan_drain(p);
}

static void look_for_cancel(tt_cl_plan *p, tt_cl_job *job)
{
    if (job->st || !job->watch.cancel || !atomic_load_explicit(job->watch.cancel, memory_order_relaxed))
        return;
    job->st = tt_fail(&job->err, TT_ERR_CANCELLED, "stopped");
    tt_cl_plan_drain(p);
}

static void has_done(tt_cl_plan *p, tt_cl_job *job, double work)
{
    job->done += work;
    if (job->watch.progress)
        job->watch.progress(job->watch.user, job->done < p->work ? job->done / p->work : 1);
    look_for_cancel(p, job);
}

/* What the time of a round says of its launches. */
static void learn(tt_cl_plan *p, const tt_cl_round *r, double seconds)
{
    tt_cl *cl = p->net->cl;
    for (int i = r->from; i <= r->to; i++) {
        tt_cl_launch *l = &p->launch[i];
        double *kind = &cl->rate[l->kernel];
        tt_cl_pace_correct(&l->pace, kind, tt_cl_pace_seconds(&l->pace, *kind, tt_cl_work_of(l)) / r->seconds,
                           seconds / r->seconds);
    }
}

/* Has it ended before it is waited for? Then nobody knows when, only that it was before now. */
static bool ended(const tt_cl_plan *p, cl_event e)
{
    cl_int status = CL_COMPLETE;
    const cl_int bad =
        p->net->cl->api->clGetEventInfo(e, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    return bad != CL_SUCCESS || status <= CL_COMPLETE;
}

/* Wait for the older round. */
static void end_round(tt_cl_plan *p)
{
    tt_cl_round r = *round_at(p, 0);
    tt_cl_job *job = &p->job[r.job];
    const bool late = ended(p, r.end);
    const cl_int e = p->net->cl->api->clWaitForEvents(1, &r.end);
    const double t = tt_cl_now();
    if (e != CL_SUCCESS) {
        fail(p, job, "the work", e);
        return;
    }
    if (p->began > 0 && (!late || t - p->began < r.seconds))
        learn(p, &r, t - p->began);
    release_event(p, &r.end);
    p->first_round = (p->first_round + 1) % TT_CL_ROUNDS;
    p->rounds--;
    p->began = late || !p->rounds ? 0 : t;
    p->mixed = false;
    has_done(p, job, r.work);
}

static void end_rounds(tt_cl_plan *p)
{
    while (p->rounds)
        end_round(p);
}

/* ---- launches ------------------------------------------------------------------------------------------ */

/* The next rows of a launch with nothing else to do, timed. */
static void try_rows(tt_cl_plan *p, tt_cl_job *job, tt_cl_round *r, int rows)
{
    tt_cl *cl = p->net->cl;
    tt_cl_launch *l = &p->launch[job->next];
    const double work = tt_cl_work_of(l) * rows / l->rows;
    end_rounds(p);
    if (job->st)
        return;
    cl_int e = job->written ? cl->api->clWaitForEvents(1, &job->written) : CL_SUCCESS;
    if (e == CL_SUCCESS)
        e = cl->api->clFinish(cl->queue);
    const double began = tt_cl_now();
    if (e == CL_SUCCESS)
        e = tt_cl_enqueue(p, l, cl->queue, r->job, job->row, rows, NULL, NULL);
    if (e == CL_SUCCESS)
        e = cl->api->clFinish(cl->queue);
    if (e != CL_SUCCESS) {
        fail(p, job, tt_cl_kernel_names[l->kernel], e);
        return;
    }
    tt_cl_pace_tried(&l->pace, &cl->rate[l->kernel], work, tt_cl_now() - began);
    release_event(p, &job->written);
    job->row += rows;
    has_done(p, job, r->work + work);
    r->work = r->seconds = 0;
}

/* The next rows of a launch into a round, of which they may be the last. */
static void add_rows(tt_cl_plan *p, tt_cl_job *job, tt_cl_round *r, int rows)
{
    tt_cl *cl = p->net->cl;
    const tt_cl_launch *l = &p->launch[job->next];
    const double work = tt_cl_work_of(l) * rows / l->rows;
    if (r->seconds <= 0) {
        r->from = job->next;
        if (!p->rounds)
            p->began = p->mixed ? 0 : tt_cl_now();
    }
    r->to = job->next;
    r->work += work;
    r->seconds += tt_cl_pace_seconds(&l->pace, cl->rate[l->kernel], work);
    const bool last = job->next + 1 == p->launches && job->row + rows == l->rows, full = last || r->seconds > TT_CL_ROUND;
    cl_int e = tt_cl_enqueue(p, l, cl->queue, r->job, job->row, rows, job->written ? &job->written : NULL,
                             full ? &r->end : NULL);
    if (e == CL_SUCCESS && full) {
        *round_at(p, p->rounds++) = *r;
        *r = (tt_cl_round){.job = r->job};
        e = cl->api->clFlush(cl->queue);
    }
    if (e != CL_SUCCESS)
        fail(p, job, tt_cl_kernel_names[l->kernel], e);
    release_event(p, &job->written);
    job->row += rows;
}

/* Enqueue what is left of a job. Where two rounds are under way the older one is waited for or, unless `wait`, that is all
 * for now. */
static void go_on(tt_cl_plan *p, tt_cl_job *job, bool wait)
{
    tt_cl *cl = p->net->cl;
    tt_cl_round open = {.job = (int)(job - p->job)};
    while (!job->st && job->next < p->launches) {
        tt_cl_launch *l = &p->launch[job->next];
        const int left = l->rows - job->row;
        bool alone;
        if (p->rounds == TT_CL_ROUNDS) {
            if (!wait)
                return;
            end_round(p);
            continue;
        }
        const int rows = tt_cl_pace_rows(&l->pace, cl->rate[l->kernel], tt_cl_work_of(l) * left / l->rows, left,
                                         l->group[1], &alone);
        if (alone)
            try_rows(p, job, &open, rows);
        else
            add_rows(p, job, &open, rows);
        if (job->row == l->rows) {
            job->next++;
            job->row = 0;
        }
    }
}

/* ---- pictures ------------------------------------------------------------------------------------------ */

static size_t in_bytes(const tt_cl_plan *p)
{
    return sizeof(float) * (size_t)p->facts.in_channels * (size_t)p->facts.in_h * (size_t)p->facts.in_w;
}
static size_t out_bytes(const tt_cl_plan *p)
{
    return sizeof(float) * (size_t)p->facts.out_channels * (size_t)p->facts.out_h * (size_t)p->facts.out_w;
}

/* Others may have had the device since we did: then what is under way is not ours alone, and its time says nothing. */
static void take_turn(tt_cl_plan *p)
{
    tt_cl *cl = p->net->cl;
    pthread_mutex_lock(&cl->lock);
    if (cl->turn == p)
        return;
    cl->turn = p;
    p->mixed = true;
    p->began = 0;
}

static void write_input(tt_cl_plan *p, tt_cl_job *job, const float *in)
{
    const tt_cl *cl = p->net->cl;
    cl_int e = cl->api->clEnqueueWriteBuffer(cl->transfers, p->input[job - p->job], CL_FALSE, 0, in_bytes(p), in, 0, NULL,
                                             &job->written);
    if (e == CL_SUCCESS)
        e = cl->api->clFlush(cl->transfers); /* or who waits for the event waits for ever */
    if (e != CL_SUCCESS)
        fail(p, job, "writing the picture", e);
}

void tt_cl_plan_start(tt_cl_plan *p, const float *in, const tt_watch *watch)
{
    assert(p->jobs < (p->ahead ? TT_CL_JOBS : 1));
    take_turn(p);
    p->first_job = p->jobs ? p->first_job : 0; /* the only place unless `ahead` */
    tt_cl_job *job = job_at(p, p->jobs++);
    *job = (tt_cl_job){.watch = watch ? *watch : (tt_watch){0}};
    if (!p->arena)
        job->st = tt_fail(&job->err, TT_ERR_INTERNAL, "a plan of sizes cannot run");
    else
        look_for_cancel(p, job);
    if (!job->st)
        write_input(p, job, in);
    for (int i = 0; i < p->jobs; i++)
        go_on(p, job_at(p, i), i + 1 < p->jobs);
    pthread_mutex_unlock(&p->net->cl->lock);
}

/* Wait until all of the older job is done; the next one goes on meanwhile. */
static void complete(tt_cl_plan *p, tt_cl_job *job)
{
    go_on(p, job, true);
    for (;;) {
        if (p->jobs > 1)
            go_on(p, job_at(p, 1), false);
        if (!p->rounds || &p->job[round_at(p, 0)->job] != job)
            return;
        end_round(p);
    }
}

tt_status tt_cl_plan_finish(tt_cl_plan *p, float *out, tt_error *err)
{
    tt_cl *cl = p->net->cl;
    assert(p->jobs);
    take_turn(p);
    tt_cl_job *job = job_at(p, 0);
    complete(p, job);
    if (!job->st) {
        const cl_int e = cl->api->clEnqueueReadBuffer(cl->transfers, p->output[job - p->job], CL_TRUE, 0, out_bytes(p), out, 0,
                                                      NULL, NULL);
        if (e != CL_SUCCESS)
            fail(p, job, "reading the picture", e);
    }
    const tt_status st = job->st ? tt_fail(err, job->st, "%s", job->err.text) : TT_OK;
    p->first_job = (p->first_job + 1) % TT_CL_JOBS;
    p->jobs--;
    pthread_mutex_unlock(&cl->lock);
    return st;
}

tt_status tt_cl_plan_run(tt_cl_plan *p, const float *in, float *out, const tt_watch *watch, tt_error *err)
{
    tt_cl_plan_start(p, in, watch);
    return tt_cl_plan_finish(p, out, err);
}
