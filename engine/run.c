/* The run of a plan on the CPU: step after step, each cut into bands of rows. */
#include "engine/ops/ops.h"

/* One step in flight, shared by the threads. */
typedef struct band {
    const tt_plan *p;
    const tt_step *s; /* NULL: the copy in or out */
    const float *in;
    float *out;
    int rows, rows_a_unit;
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
        b->row(b, y, thread);
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
    b.row = step_row;
    for (int i = 0; i < p->net->steps && !cancelled(watch->cancel); i++) {
        b.s = &p->net->step[i];
        const tt_op_def *op = tt_ops[b.s->op];
        b.rows = op->rows ? op->rows(p, b.s) : p->value[b.s->out].h;
        run_band(&b, pool);
        if (op->finish)
            op->finish(p, b.s);
        done += p->work[i];
        if (watch->progress)
            watch->progress(watch->user, done / p->work_sum);
    }
    if (cancelled(watch->cancel))
        return tt_fail(err, TT_ERR_CANCELLED, "stopped");
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
