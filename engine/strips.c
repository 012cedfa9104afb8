/*
 * Steps that run in strips: a few rows of the first one's result, what rows of the second's they allow, and
 * so on to the last; then the next few.
 *
 *     rows in -> ring -> step a -> ring -> step b -> ring -> step c -> rows out
 *                        0..3              0..2              0..1        strip 0
 *                        4..7              3..6              2..5        strip 1 ...
 *
 * Each task (tt_task) lags so many rows behind those it reads as its windows reach ahead, and goes on by the
 * same number of rows each strip, at the end too: so a value's ring holds the rows from the oldest that is
 * still to be read to the newest, which does not depend on the picture's height. Row y lies at y % ring.
 * Nothing is computed twice, and a row is computed by the same calls as in a whole map, so the bits are the
 * same.
 *
 * What reads a value as a whole (a mean, attention over all positions) is a barrier: it runs alone, what it
 * reads is a whole map, and the tasks before and after it are groups of their own.
 */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#define CLOSE 1e-6 /* steps are products of integers and their inverses, rows are below 2^24 */

/* ---- what reads what -------------------------------------------------------------------------------- */

static int tasks(const tt_plan *p)
{
    return p->net->steps + 2;
}

static bool is_step(const tt_plan *p, int task)
{
    return task > 0 && task <= p->net->steps;
}

/* The rows of value v that a step needs for a row of its own result, by the nodes that were fused into it. */
static bool step_reach(const tt_plan *p, const tt_step *s, int v, tt_reach *reach)
{
    const tt_graph *g = p->net->graph;
    for (int i = v; i <= s->out; i++)
        reach[i].step = 0; /* does not depend on v */
    reach[v] = (tt_reach){.step = 1};
    for (int i = v + 1; i <= s->out; i++) {
        const tt_node *n = &g->node[i];
        if (p->value[i].stored && i != s->out)
            continue;
        tt_reach in[2] = {{0}};
        for (int j = 0; j < 2; j++)
            if (n->in[j] >= v)
                in[j] = reach[n->in[j]];
        if (!(in[0].step > 0) && !(in[1].step > 0))
            continue;
        in[0] = in[0].step > 0 ? in[0] : in[1]; /* two inputs are of one size */
        in[1] = in[1].step > 0 ? in[1] : in[0];
        tt_ops[n->op]->reach(n, in, &reach[i]);
    }
    return reach[s->out].step > 0;
}

/* The values that a step reads, one after the other. */
static int inputs_of(const tt_step *s)
{
    return s->pieces + s->adds + (s->op == TT_OP_GATE);
}
static int input_of(const tt_step *s, int i)
{
    return i < s->pieces             ? s->in[i].value
           : i < s->pieces + s->adds ? s->add[i - s->pieces].value
                                     : s->gate.value;
}

static void list_uses(tt_plan *p, int *maker, tt_reach *reach)
{
    const tt_net *net = p->net;
    tt_use *u = p->use;
    for (int i = 0; i < net->graph->count; i++)
        maker[i] = i == net->graph->input ? 0 : -1;
    for (int i = 0; i < net->steps; i++)
        maker[net->step[i].out] = i + 1;
    for (int a = 0; a < tasks(p); a++) {
        p->task[a].use = (int)(u - p->use);
        for (int j = 0; is_step(p, a) && j < inputs_of(tt_task_step(p, a)); j++) {
            const int v = input_of(tt_task_step(p, a), j);
            const tt_reach *r = &reach[tt_task_step(p, a)->out];
            if (tt_task_step(p, a)->stages) /* a band of a chain on tokens reads the pixels that it writes */
                *u++ = (tt_use){maker[v], a, v, 1, 0, 0};
            else if (step_reach(p, tt_task_step(p, a), v, reach))
                *u++ = (tt_use){maker[v], a, v, r->step, r->lo, r->hi};
            if (tt_task_step(p, a)->op == TT_OP_PAD) /* what lies below the picture mirrors rows above */
                u[-1].lo -= 2 * tt_task_step(p, a)->node->r;
        }
        for (int j = 0; a == net->steps + 1 && j < net->result_pieces; j++) {
            const tt_piece piece = net->result[j];
            *u++ = (tt_use){maker[piece.value], a, piece.value, 1, piece.crop, piece.crop};
        }
    }
    p->task[tasks(p)].use = (int)(u - p->use);
}

static tt_work work_of(const tt_plan *p, int task)
{
    tt_work rows = {.units = 1, .tall = 1};
    if (!is_step(p, task)) {
        rows.bands = task ? p->facts.out_h : p->facts.in_h;
        return rows;
    }
    const tt_step *s = tt_task_step(p, task);
    rows.bands = p->value[s->out].h;
    return tt_op_of(p, s)->work ? tt_op_of(p, s)->work(p, s) : rows;
}

tt_status tt_strips_init(tt_plan *p, tt_error *err)
{
    const tt_net *net = p->net;
    size_t nodes = (size_t)net->graph->count, reads = (size_t)net->result_pieces;
    for (int i = 0; i < net->steps; i++)
        reads += (size_t)inputs_of(&net->step[i]);
    int *maker = malloc(nodes * sizeof *maker);
    tt_reach *reach = calloc(nodes, sizeof *reach);
    p->task = calloc((size_t)tasks(p) + 1, sizeof *p->task);
    p->use = calloc(reads + 1, sizeof *p->use);
    tt_status st = TT_OK;
    if (maker && reach && p->task && p->use) {
        list_uses(p, maker, reach);
        for (int a = 0; a < tasks(p); a++)
            p->task[a].work = work_of(p, a);
    } else {
        st = tt_fail_memory(err, nodes * sizeof *reach);
    }
    free(maker);
    free(reach);
    return st;
}

bool tt_strips_barrier(const tt_plan *p, int task)
{
    const tt_reach one[2] = {{.step = 1}, {.step = 1}};
    tt_reach r = {0};
    if (is_step(p, task))
        tt_ops[tt_task_step(p, task)->op]->reach(tt_task_step(p, task)->node, one, &r);
    return r.global;
}

/* ---- how far a strip goes --------------------------------------------------------------------------- */

/* Rows of the task's result. */
static int height(const tt_plan *p, int task)
{
    return is_step(p, task) ? p->value[tt_task_step(p, task)->out].h : p->task[task].work.bands;
}

int tt_rows_made(const tt_plan *p, int task, int bands)
{
    const tt_work *w = &p->task[task].work;
    const int h = height(p, task);
    if (bands == w->bands)
        return h;
    const int64_t rows = (int64_t)bands * w->tall - w->before;
    return rows < 0 ? 0 : rows > h ? h : (int)rows;
}

/* The first row that a use reads for rows from y on, and the end of what it reads for rows before y. */
static int first_read(const tt_plan *p, const tt_use *u, int y)
{
    const double row = ceil(y * u->step + u->lo - CLOSE);
    const int most = p->value[u->value].h - 1;
    return row < 0 ? 0 : row > most ? most : (int)row;
}
static int end_read(const tt_plan *p, const tt_use *u, int y)
{
    const double end = floor((y - 1) * u->step + u->hi + CLOSE) + 1;
    const int most = p->value[u->value].h;
    return end < 1 ? 1 : end > most ? most : (int)end;
}

int tt_strips_next(const tt_plan *p, int task)
{
    const tt_task *t = &p->task[task];
    int to = t->done + (t->advance < t->work.bands - t->done ? t->advance : t->work.bands - t->done);
    for (const tt_use *u = p->use + t->use; u < p->use + t[1].use; u++) {
        const int made = tt_rows_made(p, u->maker, p->task[u->maker].done);
        while (to > t->done && end_read(p, u, tt_rows_made(p, task, to)) > made)
            to--;
    }
    return to;
}

/* ---- how many rows exist ---------------------------------------------------------------------------- */

static tt_value *result_of(const tt_plan *p, int task)
{
    return &p->value[task ? tt_task_step(p, task)->out : p->net->graph->input];
}

/* Tasks beside each other that are not alone. */
static void make_groups(tt_plan *p)
{
    for (int a = 0, end; a < tasks(p); a = end) {
        end = a + 1;
        while (!p->task[a].alone && end < tasks(p) && !p->task[end].alone && !p->task[end].cut)
            end++;
        for (int b = a; b < end; b++) {
            p->task[b].group = a;
            p->task[b].group_end = end;
            p->task[b].done = 0;
        }
    }
}

/* Bands a strip: what `rows` rows of the input become, rounded up. */
static void set_advances(tt_plan *p, int rows)
{
    enum { BAND = 16 }; /* rows copied in and out at a time where there are no strips */
    for (int a = 0; a < tasks(p); a++) {
        tt_task *t = &p->task[a];
        const tt_use *u = &p->use[t->use];
        t->rate = t->use < t[1].use ? p->task[u->maker].rate / u->step : 1;
        const double bands = ceil((rows ? rows : BAND) * t->rate / (t->work.tall ? t->work.tall : 1) - CLOSE);
        const bool all = (t->alone && is_step(p, a)) || bands > t->work.bands;
        t->advance = all ? t->work.bands : bands < 1 ? 1 : (int)bands;
    }
}

/* One strip of a group, in numbers: rings become what it needs. False: nothing was left to do. steady: all
 * tasks went as far as they may. */
static bool rehearse(tt_plan *p, int first, int end, bool *steady)
{
    bool some = false;
    *steady = true;
    for (int a = first; a < end; a++) {
        tt_task *t = &p->task[a];
        t->was = t->done;
        t->done = tt_strips_next(p, a);
        *steady &= t->done - t->was == t->advance;
        some |= t->done > t->was;
        const int rows = tt_rows_made(p, a, t->done) - tt_rows_made(p, a, t->was);
        if (a <= p->net->steps && rows > result_of(p, a)->ring)
            result_of(p, a)->ring = rows;
    }
    for (const tt_use *u = p->use + p->task[first].use; u < p->use + p->task[end].use; u++) {
        const tt_task *m = &p->task[u->maker], *r = &p->task[u->reader];
        if (u->maker < first || r->was == r->work.bands)
            continue;
        const int rows =
            tt_rows_made(p, u->maker, m->done) - first_read(p, u, tt_rows_made(p, u->reader, r->was));
        if (rows > p->value[u->value].ring)
            p->value[u->value].ring = rows;
    }
    return some;
}

/* Does every task go on by as many rows as come? Then all strips are alike once the last task is under way.
 */
static bool regular(const tt_plan *p, int first, int end)
{
    for (const tt_use *u = p->use + p->task[first].use; u < p->use + p->task[end].use; u++) {
        const tt_task *m = &p->task[u->maker], *r = &p->task[u->reader];
        const double made = (double)m->work.tall * m->advance,
                     read = (double)r->work.tall * r->advance * u->step;
        if (u->maker >= first && fabs(made - read) > CLOSE)
            return false;
    }
    return true;
}

/* All strips of a group, but for those in the middle that are like the one before them. */
static void size_rings(tt_plan *p, int first, int end)
{
    const bool alike = regular(p, first, end);
    for (bool steady; rehearse(p, first, end, &steady);) {
        int skip = alike && steady ? INT_MAX : 0;
        for (int a = first; a < end && skip > 0; a++) {
            const int left = (p->task[a].work.bands - p->task[a].done) / p->task[a].advance - 2;
            skip = left < skip ? left : skip;
        }
        for (int a = first; a < end && skip > 0; a++)
            p->task[a].done += skip * p->task[a].advance;
    }
}

/* What is read outside the group that makes it must be whole; and from when to when each value is wanted: the
 * tasks of a group take turns. */
static void set_lives(tt_plan *p)
{
    for (int a = 0; a <= p->net->steps; a++) {
        tt_value *v = result_of(p, a);
        v->first = p->task[a].group;
        v->last = p->task[a].group_end - 1;
        if (p->task[a].group_end - v->first == 1)
            v->ring = v->h;
    }
    for (const tt_use *u = p->use; u < p->use + p->task[tasks(p)].use; u++) {
        tt_value *v = &p->value[u->value];
        const int last = p->task[u->reader].group_end - 1;
        if (p->task[u->maker].group != p->task[u->reader].group)
            v->ring = v->h;
        v->last = last > v->last ? last : v->last;
    }
}

void tt_strips_schedule(tt_plan *p, int rows)
{
    p->strip = rows;
    make_groups(p);
    set_advances(p, rows);
    for (int a = 0; a <= p->net->steps; a++)
        result_of(p, a)->ring = 0;
    for (int a = 0; a < tasks(p); a = p->task[a].group_end)
        if (p->task[a].group_end - a > 1)
            size_rings(p, a, p->task[a].group_end);
        else
            p->task[a].done = p->task[a].work.bands;
    set_lives(p);
}
