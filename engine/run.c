/* The run of a plan on the CPU: task after task or strip after strip, each task's units shared out to the
 * threads. */
#include "engine/ops/ops.h"

#include <string.h>

/* A run, and the task in flight, shared by the threads. */
typedef struct run {
    tt_plan *p;
    tt_pool *pool;
    const tt_flow *flow;
    const tt_watch *watch;
    double work;                 /* done */
    const tt_step *s;            /* NULL: the copy in or out */
    tt_share share;
    int from, rows, rows_a_unit; /* rows from..from+rows-1 */
    void (*row)(const struct run *r, int y, int thread);
} run;

static bool cancelled(const run *r)
{
    return r->watch->cancel && atomic_load_explicit(r->watch->cancel, memory_order_relaxed);
}

static void run_unit(void *arg, int unit, int thread)
{
    const run *r = arg;
    const int end = (unit + 1) * r->rows_a_unit < r->rows ? (unit + 1) * r->rows_a_unit : r->rows;
    for (int y = unit * r->rows_a_unit; y < end && !cancelled(r); y++)
        r->row(r, r->from + y, thread);
}

static void run_part(void *arg, int part, int thread)
{
    const run *r = arg;
    if (!cancelled(r))
        tt_op_of(r->p, r->s)->part(r->p, r->s, &r->share, part, thread);
}

static void early_part(void *arg, int part, int thread)
{
    const run *r = arg;
    if (!cancelled(r))
        tt_op_of(r->p, r->s)->early_part(r->p, r->s, &r->share, part, thread);
}

/* Rows from..to-1 in bands small enough to share out evenly and large enough to reuse what neighbouring rows
 * have in common. */
static void run_rows(run *r, int from, int to, void (*row)(const run *, int, int))
{
    const int share = (to - from) / (8 * tt_pool_threads(r->pool));
    r->from = from;
    r->rows = to - from;
    r->row = row;
    r->rows_a_unit = share < 1 ? 1 : share > 16 ? 16 : share;
    tt_parallel(r->pool, (r->rows + r->rows_a_unit - 1) / r->rows_a_unit, run_unit, r);
}

static void step_row(const run *r, int y, int thread)
{
    tt_op_of(r->p, r->s)->row(r->p, r->s, y, thread);
}

static void copy_in_row(const run *r, int y, int thread)
{
    (void)thread;
    const tt_plan *p = r->p;
    const tt_value *v = &p->value[p->net->graph->input];
    float *to = tt_row(p, v, y);
    for (int c = 0; c < v->c; c++)
        p->net->k.gather(to + c / v->b * v->plane + c % v->b, v->b,
                         p->take + ((size_t)c * (size_t)r->rows + (size_t)(y - r->from)) * (size_t)v->w, 1,
                         (size_t)v->w);
    tt_row_border(p, v, y);
}

static void copy_out_row(const run *r, int y, int thread)
{
    (void)thread;
    const tt_plan *p = r->p;
    const size_t w = (size_t)p->facts.out_w, h = (size_t)r->rows;
    size_t c = 0;
    for (int i = 0; i < p->net->result_pieces; i++) {
        const tt_piece piece = p->net->result[i];
        const tt_value *v = &p->value[piece.value];
        const float *from = tt_piece_row(p, piece, y);
        for (int j = 0; j < piece.channels; j++, c++)
            p->net->k.gather(p->give + (c * h + (size_t)(y - r->from)) * w, 1,
                             from + j / v->b * v->plane + j % v->b, v->b, w);
    }
}

static void run_step(run *r, int task, int from, int to)
{
    const tt_step *s = tt_task_step(r->p, task);
    const tt_op_def *op = tt_op_of(r->p, s);
    const int units = r->p->task[task].work.units, rounds = op->rounds ? op->rounds(r->p, s) : 1;
    r->s = s;
    r->share = (tt_share){.from = from, .to = to, .threads = tt_pool_threads(r->pool)};
    for (; r->share.round < rounds; r->share.round++) {
        if (op->early)
            tt_parallel(r->pool, op->early(r->p, s, &r->share), early_part, r);
        if (op->parts)
            tt_parallel(r->pool, op->parts(r->p, s, &r->share), run_part, r);
        else
            run_rows(r, from * units, to * units, step_row);
    }
    if (op->finish)
        op->finish(r->p, s, tt_rows_made(r->p, task, from), tt_rows_made(r->p, task, to));
}

/* Bands from..to-1 of a task. */
static tt_status run_task(run *r, int task, int from, int to, tt_error *err)
{
    tt_plan *p = r->p;
    tt_status st = TT_OK;
    if (task == 0) {
        st = r->flow->take(r->flow->user, from, to, p->take, err);
        if (!st)
            run_rows(r, from, to, copy_in_row);
    } else if (task == p->net->steps + 1) {
        run_rows(r, from, to, copy_out_row);
        st = cancelled(r) ? TT_OK : r->flow->give(r->flow->user, from, to, p->give, err);
    } else {
        run_step(r, task, from, to);
        r->work += p->work[task - 1] * (to - from) / p->task[task].work.bands;
        if (r->watch->ran)
            r->watch->ran(r->watch->user, task - 1);
        if (r->watch->progress)
            r->watch->progress(r->watch->user, r->work / p->work_sum);
    }
    p->task[task].done = to;
    return !st && cancelled(r) ? tt_fail(err, TT_ERR_CANCELLED, "stopped") : st;
}

/* Strip after strip of the tasks first..end-1; see engine/strips.c. */
static tt_status run_group(run *r, int first, int end, tt_error *err)
{
    tt_status st = TT_OK;
    for (bool some = true; some && !st;) {
        some = false;
        for (int a = first; a < end && !st; a++) {
            const int to = tt_strips_next(r->p, a);
            if (to == r->p->task[a].done)
                continue;
            some = true;
            st = run_task(r, a, r->p->task[a].done, to, err);
        }
    }
    return st;
}

tt_status tt_plan_stream(tt_plan *p, tt_pool *pool, const tt_flow *flow, const tt_watch *watch, tt_error *err)
{
    static const tt_watch nobody;
    run r = {.p = p, .pool = pool, .flow = flow, .watch = watch ? watch : &nobody};
    const int tasks = p->net->steps + 2;
    if (!p->arena || tt_pool_threads(pool) > p->threads)
        return tt_fail(err, TT_ERR_INTERNAL, "a plan for %d threads cannot run on %d",
                       p->arena ? p->threads : 0, tt_pool_threads(pool));
    for (int a = 0; a < tasks; a++)
        p->task[a].done = 0;
    tt_status st = cancelled(&r) ? tt_fail(err, TT_ERR_CANCELLED, "stopped") : TT_OK;
    for (int a = 0; a < tasks && !st; a = p->task[a].group_end) {
        st = run_group(&r, a, p->task[a].group_end, err);
        for (int b = a; b < p->task[a].group_end && !st; b++)
            if (p->task[b].done < p->task[b].work.bands)
                st = tt_fail(err, TT_ERR_INTERNAL, "step %d waits for rows that never come", b);
    }
    return st;
}

/* ---- whole pictures --------------------------------------------------------------------------------- */

typedef struct whole {
    const tt_plan *p;
    const float *in;
    float *out;
} whole;

static tt_status take_whole(void *user, int y0, int y1, float *to, tt_error *err)
{
    const whole *a = user;
    const size_t w = (size_t)a->p->facts.in_w, h = (size_t)a->p->facts.in_h, n = (size_t)(y1 - y0) * w;
    (void)err;
    for (size_t c = 0; c < (size_t)a->p->facts.in_channels; c++)
        memcpy(to + c * n, a->in + (c * h + (size_t)y0) * w, n * sizeof *to);
    return TT_OK;
}

static tt_status give_whole(void *user, int y0, int y1, float *rows, tt_error *err)
{
    const whole *a = user;
    const size_t w = (size_t)a->p->facts.out_w, h = (size_t)a->p->facts.out_h, n = (size_t)(y1 - y0) * w;
    (void)err;
    for (size_t c = 0; c < (size_t)a->p->facts.out_channels; c++)
        memcpy(a->out + (c * h + (size_t)y0) * w, rows + c * n, n * sizeof *rows);
    return TT_OK;
}

tt_status tt_plan_run(tt_plan *p, tt_pool *pool, const float *in, float *out, const tt_watch *watch,
                      tt_error *err)
{
    whole a = {p, in, out};
    const tt_flow flow = {take_whole, give_whole, &a};
    return tt_plan_stream(p, pool, &flow, watch, err);
}

bool tt_plan_value(const tt_plan *p, int node, float *dst, int *c, int *h, int *w)
{
    if (!p->keep || node < 0 || node >= p->net->graph->count || !p->value[node].stored)
        return false;
    const tt_value *v = &p->value[node];
    *c = v->c;
    *h = v->h;
    *w = v->w;
    for (int y = 0; dst && y < v->h; y++)
        for (int i = 0; i < v->c; i++)
            p->net->k.gather(dst + ((size_t)i * (size_t)v->h + (size_t)y) * (size_t)v->w, 1,
                             tt_row(p, v, y) + i / v->b * v->plane + i % v->b, v->b, (size_t)v->w);
    return true;
}
