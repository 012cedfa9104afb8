/* The run of a plan on the CPU: step after step, or strip after strip, each cut into bands of rows. */
#include "engine/ops/ops.h"

/* One step in flight, shared by the threads. */
typedef struct band {
    const tt_plan *p;
    const tt_step *s; /* NULL: the copy in or out */
    const float *in;
    float *out;
    int from, rows, rows_a_unit; /* rows from..from+rows-1 */
    const atomic_int *cancel;
    void (*row)(const struct band *b, int y, int thread);
} band;

static bool cancelled(const atomic_int *cancel)
{
    return cancel && atomic_load_explicit(cancel, memory_order_relaxed);
}

static void run_unit(void *arg, int unit, int thread)
{
    const band *b = arg;
    const int end = (unit + 1) * b->rows_a_unit < b->rows ? (unit + 1) * b->rows_a_unit : b->rows;
    for (int y = unit * b->rows_a_unit; y < end && !cancelled(b->cancel); y++)
        b->row(b, b->from + y, thread);
}

/* Bands small enough to share out evenly and large enough to reuse what neighbouring rows have in common. */
static void run_band(band *b, tt_pool *pool)
{
    const int share = b->rows / (8 * tt_pool_threads(pool));
    b->rows_a_unit = share < 1 ? 1 : share > 16 ? 16 : share;
    tt_parallel(pool, (b->rows + b->rows_a_unit - 1) / b->rows_a_unit, run_unit, b);
}

static void step_row(const band *b, int y, int thread)
{
    tt_ops[b->s->op]->row(b->p, b->s, y, thread);
}

static void early_row(const band *b, int y, int thread)
{
    tt_ops[b->s->op]->early_row(b->p, b->s, y, thread);
}

static void tell(const band *b, const tt_watch *watch, int step, double done)
{
    if (watch->ran)
        watch->ran(watch->user, step);
    if (watch->progress)
        watch->progress(watch->user, done / b->p->work_sum);
}

/* Work units from..to-1 of a step. */
static void run_step(band *b, tt_pool *pool, const tt_step *s, int from, int to)
{
    const tt_op_def *op = tt_ops[s->op];
    b->s = s;
    if (op->early_rows) {
        b->from = 0;
        b->rows = op->early_rows(b->p, s);
        b->row = early_row;
        run_band(b, pool);
    }
    b->from = from;
    b->rows = to - from;
    b->row = step_row;
    run_band(b, pool);
    if (op->finish)
        op->finish(b->p, s);
}

/* The steps of a strip take turns; see engine/strips.c. */
static void run_strips(band *b, tt_pool *pool, const tt_strips *g, double done, const tt_watch *watch)
{
    const tt_plan *p = b->p;
    const int steps = g->last - g->first + 1;
    for (int t = 0; t < g->count && !cancelled(b->cancel); t++)
        for (int i = 0; i < steps && !cancelled(b->cancel); i++) {
            const tt_step *s = &p->net->step[g->first + i];
            const int from = t ? g->done[(t - 1) * steps + i] : 0, to = g->done[t * steps + i];
            if (to > from)
                run_step(b, pool, s, from, to);
            done += p->work[g->first + i] * (to - from) / tt_step_rows(p, s);
            if (to > from)
                tell(b, watch, g->first + i, done);
        }
}

static void copy_in_row(const band *b, int y, int thread)
{
    (void)thread;
    const tt_plan *p = b->p;
    const tt_value *v = &p->value[p->net->graph->input];
    float *to = tt_row(p, v, y);
    for (int c = 0; c < v->c; c++)
        p->net->k.gather(to + c / v->b * v->plane + c % v->b, v->b,
                         b->in + ((size_t)c * (size_t)v->h + (size_t)y) * (size_t)v->w, 1, (size_t)v->w);
    tt_row_border(p, v, y);
}

static void copy_out_row(const band *b, int y, int thread)
{
    (void)thread;
    const tt_plan *p = b->p;
    const size_t w = (size_t)p->facts.out_w, h = (size_t)p->facts.out_h;
    size_t c = 0;
    for (int i = 0; i < p->net->result_pieces; i++) {
        const tt_piece piece = p->net->result[i];
        const tt_value *v = &p->value[piece.value];
        const float *from = tt_piece_row(p, piece, y);
        for (int j = 0; j < piece.channels; j++, c++)
            p->net->k.gather(b->out + (c * h + (size_t)y) * w, 1, from + j / v->b * v->plane + j % v->b, v->b, w);
    }
}

tt_status tt_plan_run(tt_plan *p, tt_pool *pool, const float *in, float *out, const tt_watch *watch, tt_error *err)
{
    static const tt_watch nobody;
    if (!watch)
        watch = &nobody;
    if (!p->arena || tt_pool_threads(pool) > p->threads)
        return tt_fail(err, TT_ERR_INTERNAL, "a plan for %d threads cannot run on %d", p->arena ? p->threads : 0,
                       tt_pool_threads(pool));
    band b = {.p = p, .in = in, .out = out, .cancel = watch->cancel};
    b.rows = p->facts.in_h;
    b.row = copy_in_row;
    run_band(&b, pool);
    double done = 0;
    const tt_strips *g = p->strips, *const end = g + p->strips_count;
    for (int i = 0; i < p->net->steps && !cancelled(watch->cancel); i++) {
        if (g < end && g->first == i) {
            run_strips(&b, pool, g, done, watch);
            for (; i <= g->last; i++)
                done += p->work[i];
            i = g++->last;
            continue;
        }
        run_step(&b, pool, &p->net->step[i], 0, tt_step_rows(p, &p->net->step[i]));
        done += p->work[i];
        tell(&b, watch, i, done);
    }
    if (cancelled(watch->cancel))
        return tt_fail(err, TT_ERR_CANCELLED, "stopped");
    b.from = 0;
    b.rows = p->facts.out_h;
    b.row = copy_out_row;
    run_band(&b, pool);
    return cancelled(watch->cancel) ? tt_fail(err, TT_ERR_CANCELLED, "stopped") : TT_OK;
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
