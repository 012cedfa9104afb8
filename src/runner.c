#include "src/runner.h"

#include "engine/alloc.h"
#include "src/device.h"

#include <stdlib.h>
#include <string.h>

static bool usable(const tt_network *net)
{
    return net->there && tt_device_works(net->device);
}

bool tt_runner_needs_floats(const tt_network *net)
{
    return atomic_load(&net->shelf->too_large);
}

static size_t floats_in(const tt_cl_plan_facts *f)
{
    return (size_t)f->in_channels * (size_t)f->in_h * (size_t)f->in_w;
}
static size_t floats_out(const tt_cl_plan_facts *f)
{
    return (size_t)f->out_channels * (size_t)f->out_h * (size_t)f->out_w;
}

static bool by_rows(tt_runner_way way)
{
    return way != TT_WAY_HELD;
}
static uint64_t bytes_of_rows(const tt_cl_plan_facts *f, tt_runner_way way)
{
    const uint64_t inputs = way == TT_WAY_AHEAD ? TT_RUNNER_BEGUN : 1;
    return by_rows(way) ? sizeof(float) * (inputs * floats_in(f) + floats_out(f)) : 0;
}

tt_status tt_runner_measure(const tt_network *net, int h, int w, tt_runner_way way, uint64_t *host, uint64_t *device,
                            tt_error *err)
{
    const tt_cl_plan_options o = {.only_size = true, .ahead = way == TT_WAY_AHEAD};
    tt_cl_plan *plan = NULL;
    tt_cl_net *floats = NULL;
    tt_cl_plan_facts f;
    tt_status st = TT_OK;
    if (tt_runner_needs_floats(net))
        st = tt_device_floats(net->device, net->there, &floats, err);
    if (!st)
        st = tt_cl_plan_new(&plan, floats ? floats : net->there, h, w, &o, err);
    if (!st)
        tt_cl_plan_get_facts(plan, &f);
    tt_cl_plan_free(plan);
    tt_cl_net_free(floats);
    if (st)
        return st;
    *device = f.bytes;
    *host = bytes_of_rows(&f, way);
    if (tt_cl_about(net->device->cl)->unified)
        *host += f.bytes;
    return TT_OK;
}

static tt_status plan_here(tt_runner *r, tt_error *err)
{
    return r->plan ? TT_OK : tt_plan_new(&r->plan, r->net->net, r->h, r->w, &r->o, err);
}

static tt_status new_plan_there(const tt_runner *r, tt_cl_plan **plan, bool only_size, tt_error *err)
{
    const tt_cl_plan_options o = {.whole_h = r->o.whole_h, .whole_w = r->o.whole_w, .only_size = only_size,
                                  .ahead = r->way == TT_WAY_AHEAD};
    return tt_cl_plan_new(plan, r->floats ? r->floats : r->net->there, r->h, r->w, &o, err);
}

static tt_status plan_there(tt_runner *r, tt_runner_way way, tt_error *err)
{
    tt_status st = TT_OK;
    r->way = way;
    if (tt_runner_needs_floats(r->net))
        st = tt_device_floats(r->net->device, r->net->there, &r->floats, err);
    if (!st)
        st = new_plan_there(r, &r->there, false, err);
    if (st)
        return st;
    tt_cl_plan_get_facts(r->there, &r->facts);
    if (!by_rows(way))
        return TT_OK;
    const tt_cl_plan_facts f = r->facts;
    bool good = (r->out = tt_aligned_malloc(floats_out(&f) * sizeof *r->out));
    for (int i = 0; i < (way == TT_WAY_AHEAD ? TT_RUNNER_BEGUN : 1); i++)
        good = (r->begun[i].in = tt_aligned_malloc(floats_in(&f) * sizeof *r->out)) && good;
    return good ? TT_OK : tt_fail_memory(err, (size_t)bytes_of_rows(&f, way));
}

static void leave_device(tt_runner *r)
{
    tt_cl_plan_free(r->there); /* it may still read what is freed next */
    tt_cl_net_free(r->floats);
    for (int i = 0; i < TT_RUNNER_BEGUN; i++)
        tt_aligned_free(r->begun[i].in);
    tt_aligned_free(r->out);
    memset(r->begun, 0, sizeof r->begun);
    r->there = NULL;
    r->floats = NULL;
    r->out = NULL;
}

tt_status tt_runner_init(tt_runner *r, const tt_network *net, int h, int w, const tt_plan_options *o, bool device,
                         tt_runner_way way, bool excuse, tt_error *err)
{
    tt_error why = {0};
    *r = (tt_runner){.net = net, .h = h, .w = w, .o = *o};
    if (!device || !usable(net))
        return plan_here(r, err);
    const tt_status st = plan_there(r, way, &why);
    if (!st)
        return TT_OK;
    leave_device(r);
    if (st == TT_ERR_USAGE || net->device->only || (st == TT_ERR_MEMORY && !excuse))
        return tt_fail(err, st, "%s", why.text);
    tt_device_excuse(net->device, &why, "the processor does the work");
    return plan_here(r, err);
}

void tt_runner_clear(tt_runner *r)
{
    leave_device(r);
    tt_plan_free(r->plan);
    *r = (tt_runner){0};
}

/* ---- by the device ------------------------------------------------------------------------------------ */

static bool one_value(const float *p, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (p[i] != p[0])
            return false;
    return true;
}

/* Is what it made no picture? */
static tt_status look_at(const tt_runner *r, const float *in, const float *out, tt_error *err)
{
    const tt_cl_plan_facts f = r->facts;
    const char *name = tt_cl_about(r->net->device->cl)->name;
    const size_t bad = r->net->kernels.count_nonfinite(out, floats_out(&f));
    if (bad)
        return tt_fail(err, TT_ERR_NUMERIC, "%s: %zu of the values that it computed are infinite or no numbers", name, bad);
    if (floats_out(&f) > 1 && one_value(out, floats_out(&f)) && !one_value(in, floats_in(&f)))
        return tt_fail(err, TT_ERR_NUMERIC, "%s: all values that it computed are the same", name);
    return TT_OK;
}

static tt_status finish_and_look(const tt_runner *r, const float *in, float *out, tt_error *err)
{
    const tt_status st = tt_cl_plan_finish(r->there, out, err);
    return st ? st : look_at(r, in, out, err);
}

/* ---- maps of 32 bits where those of 16 do not do ------------------------------------------------------- */

/* Where the device's memory is the host's: what the budget has left for a plan of the processor, which is not needed then. */
static tt_status check_budget(const tt_runner *r, tt_error *err)
{
    tt_cl_plan *plan = NULL;
    tt_cl_plan_facts f;
    if (!tt_cl_about(r->net->device->cl)->unified || !r->o.most)
        return TT_OK;
    const tt_status st = new_plan_there(r, &plan, true, err);
    if (st)
        return st;
    tt_cl_plan_get_facts(plan, &f);
    tt_cl_plan_free(plan);
    const uint64_t bytes = f.bytes + bytes_of_rows(&f, r->way);
    if (bytes <= r->o.most)
        return TT_OK;
    return tt_fail(err, TT_ERR_MEMORY, "%s: with maps of 32 bits this takes %.0f MiB, more than the memory budget has left",
                   tt_cl_about(r->net->device->cl)->name, (double)bytes / (1 << 20));
}

/* No other plan is held meanwhile: there may be no memory for two. */
static tt_status turn_to_floats(tt_runner *r, tt_error *err)
{
    tt_cl_plan_free(r->there);
    tt_plan_free(r->plan);
    r->there = NULL;
    r->plan = NULL;
    tt_status st = tt_device_floats(r->net->device, r->net->there, &r->floats, err);
    if (st)
        return st;
    atomic_store(&r->net->shelf->too_large, true);
    st = check_budget(r, err);
    return st ? st : new_plan_there(r, &r->there, false, err);
}

/* What halves made is no picture: the same with floats, and what was begun after it. */
static tt_status finish_with_floats(tt_runner *r, const float *in, float *out, const tt_watch *watch, const tt_error *halves,
                                    tt_error *err)
{
    if (!tt_runner_needs_floats(r->net)) /* else another run has said it */
        tt_device_excuse(r->net->device, halves, "the network goes on with maps of 32 bits instead of 16");
    const tt_status st = turn_to_floats(r, err);
    if (st)
        return st;
    tt_cl_plan_start(r->there, in, watch);
    for (int i = 0; i < r->count; i++) {
        const tt_runner_begun *b = &r->begun[(r->first + i) % TT_RUNNER_BEGUN];
        if (b->there)
            tt_cl_plan_start(r->there, b->in, &b->watch);
    }
    return finish_and_look(r, in, out, err);
}

/* ---- by either ---------------------------------------------------------------------------------------- */

/* Finish what the device has. *done: the result is there, or the run is over; else it is the processor's turn, and the user
 * knows. */
static tt_status finish_there(tt_runner *r, const float *in, float *out, bool shrink, const tt_watch *watch, bool *done,
                              tt_error *err)
{
    tt_device *d = r->net->device;
    tt_error why = {0};
    *done = true;
    tt_status st = finish_and_look(r, in, out, &why);
    if (st == TT_ERR_NUMERIC && !r->floats && tt_cl_half_maps(d->cl)) {
        const tt_error halves = why;
        st = finish_with_floats(r, in, out, watch, &halves, &why);
    }
    if (!st)
        return TT_OK;
    if (st == TT_ERR_CANCELLED)
        return tt_fail(err, st, "%s", why.text);
    const int failed = atomic_fetch_add(&d->failed, 1) + 1;
    const bool last = failed >= TT_DEVICE_CHANCES;
    if (d->only || (shrink && !last && st == TT_ERR_MEMORY))
        return tt_fail(err, st, "%s", why.text);
    if (failed <= TT_DEVICE_CHANCES) /* what was begun before that is no news */
        tt_device_excuse(d, &why, last ? "it failed too often, and the processor does the rest of the work"
                             : r->there ? "the processor does this part of the work"
                                        : "the processor does the rest of the work");
    *done = false;
    return TT_OK;
}

static tt_status run_here(tt_runner *r, tt_pool *pool, const float *in, float *out, const tt_watch *watch, tt_error *err)
{
    const tt_status st = plan_here(r, err);
    return st ? st : tt_plan_run(r->plan, pool, in, out, watch, err);
}

tt_status tt_runner_run(tt_runner *r, tt_pool *pool, const float *in, float *out, bool shrink, const tt_watch *watch,
                        tt_error *err)
{
    bool done = false;
    tt_status st = TT_OK;
    if (r->there && usable(r->net)) {
        tt_cl_plan_start(r->there, in, watch);
        st = finish_there(r, in, out, shrink, watch, &done, err);
    }
    return st || done ? st : run_here(r, pool, in, out, watch, err);
}

tt_status tt_runner_begin(tt_runner *r, const tt_flow *flow, const tt_watch *watch, tt_error *err)
{
    r->first = r->count ? r->first : 0; /* the only place unless AHEAD */
    tt_runner_begun *b = &r->begun[(r->first + r->count) % TT_RUNNER_BEGUN];
    tt_status st = TT_OK;
    b->watch = watch ? *watch : (tt_watch){0};
    b->there = r->there && usable(r->net);
    if (b->there)
        st = flow->take(flow->user, 0, r->facts.in_h, b->in, err);
    if (!st && b->there)
        tt_cl_plan_start(r->there, b->in, watch);
    r->count += !st;
    return st;
}

bool tt_runner_is_busy(const tt_runner *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->begun[(r->first + i) % TT_RUNNER_BEGUN].there)
            return true;
    return false;
}

tt_status tt_runner_end(tt_runner *r, tt_pool *pool, const tt_flow *flow, bool shrink, const tt_watch *watch, tt_error *err)
{
    tt_runner_begun *b = &r->begun[r->first];
    tt_status st = TT_OK;
    bool done = false;
    r->first = (r->first + 1) % TT_RUNNER_BEGUN;
    r->count--;
    if (!b->there) {
        st = plan_here(r, err);
        return st ? st : tt_plan_stream(r->plan, pool, flow, watch, err);
    }
    if (r->there) /* else it got lost when the one before it was finished */
        st = finish_there(r, b->in, r->out, shrink, watch, &done, err);
    if (!st && !done)
        st = run_here(r, pool, b->in, r->out, watch, err);
    return st ? st : flow->give(flow->user, 0, r->facts.out_h, r->out, err);
}

tt_status tt_runner_stream(tt_runner *r, tt_pool *pool, const tt_flow *flow, bool shrink, const tt_watch *watch,
                           tt_error *err)
{
    const tt_status st = tt_runner_begin(r, flow, watch, err);
    return st ? st : tt_runner_end(r, pool, flow, shrink, watch, err);
}
