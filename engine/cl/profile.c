/* A run of which the time of every kernel is taken: by the device's own clock where it has one for us, else by waiting. */
#include "engine/cl/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct profile {
    tt_cl_plan *p;
    tt_cl *cl;
    cl_command_queue queue; /* of its own: events with times cost all others nothing */
    tt_cl_cost all[TT_CL_KERNEL_COUNT];
    cl_event *event; /* of what is under way */
    tt_cl_kernel *kernel;
    int events, room;
    double pending; /* seconds that should take */
    double first, last, busy, longest;
    bool own_clock;
} profile;

/* When a kernel ran, in seconds of the device's clock. */
static bool times(const profile *f, cl_event e, double *start, double *end)
{
    cl_ulong a = 0, b = 0;
    if (f->cl->api->clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_START, sizeof a, &a, NULL) != CL_SUCCESS ||
        f->cl->api->clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_END, sizeof b, &b, NULL) != CL_SUCCESS || b <= a)
        return false;
    *start = 1e-9 * (double)a;
    *end = 1e-9 * (double)b;
    return true;
}

static void add(profile *f, tt_cl_kernel kernel, double start, double end)
{
    const double seconds = end - start;
    f->all[kernel].seconds += seconds;
    f->busy += seconds;
    f->longest = seconds > f->longest ? seconds : f->longest;
    f->first = f->first > 0 && f->first < start ? f->first : start;
    f->last = end > f->last ? end : f->last;
}

/* Wait, and take the times of what ran. A device that gives some has to give all. */
static cl_int harvest(profile *f)
{
    cl_int e = f->cl->api->clFinish(f->queue);
    for (int i = 0; i < f->events; i++) {
        double start = 0, end = 0;
        if (e == CL_SUCCESS && times(f, f->event[i], &start, &end))
            add(f, f->kernel[i], start, end);
        else if (e == CL_SUCCESS)
            e = CL_PROFILING_INFO_NOT_AVAILABLE;
        f->cl->api->clReleaseEvent(f->event[i]);
    }
    f->events = 0;
    f->pending = 0;
    return e;
}

static bool more_room(profile *f)
{
    const int room = f->room ? 2 * f->room : 256;
    cl_event *e = realloc(f->event, (size_t)room * sizeof *e);
    f->event = e ? e : f->event;
    tt_cl_kernel *k = e ? realloc(f->kernel, (size_t)room * sizeof *k) : NULL;
    f->kernel = k ? k : f->kernel;
    f->room = k ? room : f->room;
    return k != NULL;
}

/* Some rows: by the host's clock with nothing else to do, by the device's behind what is under way. */
static cl_int run_rows(profile *f, const tt_cl_launch *l, int row, int rows)
{
    if (!f->own_clock) {
        const double began = tt_cl_now();
        cl_int e = tt_cl_enqueue(f->p, l, f->queue, 0, row, rows, NULL, NULL);
        e = e == CL_SUCCESS ? f->cl->api->clFinish(f->queue) : e;
        add(f, l->kernel, began, tt_cl_now());
        return e;
    }
    if (f->events == f->room && !more_room(f))
        return CL_OUT_OF_HOST_MEMORY;
    f->kernel[f->events] = l->kernel;
    const cl_int e = tt_cl_enqueue(f->p, l, f->queue, 0, row, rows, NULL, &f->event[f->events]);
    if (e != CL_SUCCESS)
        return e;
    f->events++;
    f->pending += tt_cl_pace_seconds(&l->pace, f->cl->rate[l->kernel], tt_cl_work_of(l) * rows / l->rows);
    return f->pending > TT_CL_ROUND ? harvest(f) : CL_SUCCESS;
}

static cl_int run_launch(profile *f, const tt_cl_launch *l)
{
    cl_int e = CL_SUCCESS;
    bool alone;
    for (int row = 0, rows; row < l->rows && e == CL_SUCCESS; row += rows) {
        rows = tt_cl_pace_rows(&l->pace, f->cl->rate[l->kernel], tt_cl_work_of(l) * (l->rows - row) / l->rows, l->rows - row,
                               l->group[1], &alone);
        e = run_rows(f, l, row, rows);
    }
    tt_cl_cost *k = &f->all[l->kernel];
    k->kernel = tt_cl_kernel_names[l->kernel];
    k->launches++;
    k->flops += l->flops;
    k->bytes += l->bytes;
    return e;
}

static cl_int run_all(profile *f, bool own_clock)
{
    cl_int e = CL_SUCCESS;
    memset(f->all, 0, sizeof f->all);
    f->first = f->last = f->busy = f->longest = 0;
    f->own_clock = own_clock;
    for (int i = 0; i < f->p->launches && e == CL_SUCCESS; i++)
        e = run_launch(f, &f->p->launch[i]);
    const cl_int end = harvest(f);
    return e == CL_SUCCESS ? end : e;
}

static cl_int run_profiled(profile *f)
{
    cl_int e;
    f->queue = f->cl->api->clCreateCommandQueue(f->cl->context, f->cl->device, CL_QUEUE_PROFILING_ENABLE, &e);
    const bool queue = f->queue && e == CL_SUCCESS;
    if (queue) {
        e = run_all(f, true);
        f->cl->api->clReleaseCommandQueue(f->queue);
    }
    if (!queue || e == CL_PROFILING_INFO_NOT_AVAILABLE) {
        f->queue = f->cl->queue;
        e = run_all(f, false);
    }
    return e;
}

static void give(const profile *f, tt_cl_cost *cost, tt_cl_profile *to)
{
    *to = (tt_cl_profile){.cost = cost, .own_clock = f->own_clock, .seconds = f->last - f->first, .longest = f->longest};
    to->idle = to->seconds > f->busy ? to->seconds - f->busy : 0;
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++)
        if (f->all[i].launches)
            cost[to->count++] = f->all[i];
}

tt_status tt_cl_plan_profile(tt_cl_plan *p, const float *in, float *out, tt_cl_profile *to, tt_error *err)
{
    const tt_status st = tt_cl_plan_run(p, in, out, NULL, err); /* its input stays on the device, and all rates are known */
    *to = (tt_cl_profile){0};
    if (st)
        return st;
    profile f = {.p = p, .cl = p->net->cl};
    tt_cl_cost *cost = calloc(TT_CL_KERNEL_COUNT, sizeof *cost);
    if (!cost)
        return tt_fail_memory(err, TT_CL_KERNEL_COUNT * sizeof *cost);
    pthread_mutex_lock(&f.cl->lock);
    const cl_int e = run_profiled(&f);
    pthread_mutex_unlock(&f.cl->lock);
    free(f.event);
    free(f.kernel);
    if (e != CL_SUCCESS) {
        free(cost);
        return tt_cl_fail(err, f.cl->info.name, "the work", e);
    }
    give(&f, cost, to);
    return TT_OK;
}
