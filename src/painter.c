#include "src/painter.h"

#include "engine/alloc.h"
#include "src/device.h"

static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};

static tt_status sensible(const tt_network *n, int render, tt_error *err)
{
    if (!n->traits.colours)
        return tt_fail(err, TT_ERR_USAGE, "%s: %s does not colour pictures; weights of DeOldify do", n->path,
                       n->model->title);
    if (render < 1 || render > TT_RENDER_MOST)
        return tt_fail(err, TT_ERR_USAGE, "a render factor of %d is not between 1 and %d", render,
                       TT_RENDER_MOST);
    return TT_OK;
}

static uint64_t plane_bytes(int side)
{
    return (uint64_t)side * (uint64_t)side * 3 * sizeof(float);
}

tt_status tt_painter_measure(const tt_context *c, const tt_network *n, int render, uint64_t *bytes,
                             double *flops, tt_error *err)
{
    const tt_plan_options o = {.threads = tt_pool_threads(c->pool), .only_size = true};
    const int side = TT_RENDER_UNIT * render;
    tt_plan *plan = NULL;
    tt_plan_facts f;
    tt_status st = sensible(n, render, err);
    if (!st)
        st = tt_plan_new(&plan, n->net, side, side, &o, err);
    if (st)
        return st;
    tt_plan_get_facts(plan, &f);
    tt_plan_free(plan);
    *bytes = f.arena_bytes + 2 * plane_bytes(side);
    *flops = f.flops;
    return TT_OK;
}

/* A device that shares the host's memory must keep to the budget, too. */
static bool device_fits(const tt_painter *p)
{
    uint64_t host = 0, there = 0, here = 0;
    double flops;
    tt_error why = {0};
    if (!p->n->there || !tt_device_works(p->n->device) ||
        tt_painter_measure(p->c, p->n, p->side / TT_RENDER_UNIT, &here, &flops, &why) ||
        tt_runner_measure(p->n, p->side, p->side, TT_WAY_HELD, &host, &there, &why) ||
        (here <= p->c->memory && host <= p->c->memory - here))
        return true; /* or tt_runner_init() says why not */
    tt_fail(&why, TT_ERR_MEMORY, "%s: %.0f MiB for the device are more than the memory budget has left",
            tt_cl_about(p->n->device->cl)->name, (double)host / (1 << 20));
    if (p->n->device->only)
        return true;
    tt_device_excuse(p->n->device, &why, "the processor does the work");
    return false;
}

tt_status tt_painter_init(tt_painter *p, tt_context *c, const tt_network *n, int render, tt_error *err)
{
    const tt_plan_options o = {.threads = tt_pool_threads(c->pool)};
    *p = (tt_painter){.c = c, .n = n, .side = TT_RENDER_UNIT * render};
    tt_status st = sensible(n, render, err);
    if (!st)
        st = tt_runner_init(&p->runner, n, p->side, p->side, &o, device_fits(p), TT_WAY_HELD, true, err);
    if (st)
        return st;
    const size_t bytes = (size_t)plane_bytes(p->side);
    p->in = tt_aligned_zalloc(bytes);
    p->out = tt_aligned_zalloc(bytes);
    return p->in && p->out ? TT_OK : tt_fail_memory(err, bytes);
}

void tt_painter_clear(tt_painter *p)
{
    tt_runner_clear(&p->runner);
    tt_aligned_free(p->in);
    tt_aligned_free(p->out);
    *p = (tt_painter){0};
}

void tt_painter_normalise(const uint8_t *grey, size_t n, float *in)
{
    float level[256];
    for (size_t c = 0; c < 3; c++) {
        for (int i = 0; i < 256; i++)
            level[i] = ((float)i / 255.0f - mean[c]) / deviation[c];
        for (size_t i = 0; i < n; i++)
            in[c * n + i] = level[grey[i]];
    }
}

void tt_painter_bytes(const float *out, size_t n, uint8_t *rgb)
{
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++) {
            float z = out[c * n + i] * deviation[c] + mean[c];
            z = z < 0 ? 0 : z > 1 ? 1 : z;
            rgb[3 * i + c] = (uint8_t)(z * 255.0f); /* cut off, not rounded */
        }
}

tt_status tt_painter_run(tt_painter *p, const uint8_t *grey, uint8_t *rgb, const tt_watch *watch,
                         tt_error *err)
{
    const size_t n = (size_t)p->side * (size_t)p->side;
    tt_painter_normalise(grey, n, p->in);
    const tt_status st = tt_runner_run(&p->runner, p->c->pool, p->in, p->out, false, watch, err);
    if (st)
        return st;
    const size_t bad = p->n->kernels.count_nonfinite(p->out, 3 * n);
    if (bad)
        return tt_fail(err, TT_ERR_NUMERIC,
                       "%s: %zu values that the network makes are infinite or no numbers", p->n->path, bad);
    tt_painter_bytes(p->out, n, rgb);
    return TT_OK;
}
