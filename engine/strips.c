/*
 * Steps that run in strips: a few rows of the last one's result, with what the others need for them, then the
 * next.
 *
 *     whole map        ring        ring        whole map
 *     rows 0..      -> step a   -> step b   -> step c
 *     all there        +5          +4          +3 rows     strip 0
 *                      +3          +3          +3 rows     strip 1 ...
 *
 * A value made and read only by such steps keeps as many rows as lie between the oldest one still to be read
 * and the newest, in a ring: row y at y % ring. Nothing is computed twice, and a row is computed by the same
 * calls as in a whole map, so the bits are the same.
 */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <math.h>
#include <stdlib.h>

/* Rows of the last result a strip: enough for all threads, few enough to be small. */
static int strip_rows(const tt_plan *p)
{
    const int rows = 4 * p->threads;
    return rows < 16 ? 16 : rows > 64 ? 64 : rows;
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

typedef struct use {
    int maker, reader; /* steps, counted from the first */
    int value;
    tt_reach reach;
} use;

typedef struct scheming {
    tt_plan *p;
    tt_strips *g;
    use *uses;
    int count;
    int *maker;    /* of each node: the step within the strips that makes it, or -1 */
    bool *outside; /* of each node: read by others, too */
    tt_reach *reach;
    int *need; /* rows of each step's result that a strip wants */
} scheming;

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

static void find_uses(scheming *m)
{
    const tt_net *net = m->p->net;
    for (int i = 0; i < net->graph->count; i++) {
        m->maker[i] = -1;
        m->outside[i] = i == net->graph->input;
    }
    for (int i = m->g->first; i <= m->g->last; i++)
        m->maker[net->step[i].out] = i - m->g->first;
    for (int i = 0; i < net->result_pieces; i++)
        m->outside[net->result[i].value] = true;
    for (int i = 0; i < net->steps; i++)
        for (int j = 0; j < inputs_of(&net->step[i]); j++) {
            const int v = input_of(&net->step[i], j);
            if (i < m->g->first || i > m->g->last) {
                m->outside[v] = true;
            } else if (m->maker[v] >= 0) {
                use *u = &m->uses[m->count];
                *u = (use){.maker = m->maker[v], .reader = i - m->g->first, .value = v};
                if (step_reach(m->p, &net->step[i], v, m->reach)) {
                    u->reach = m->reach[net->step[i].out];
                    m->count++;
                }
            }
        }
}

/* Rows of the result of step i when `units` of its work are done. */
static int rows_done(const scheming *m, int i, int units)
{
    const tt_step *s = &m->p->net->step[m->g->first + i];
    const int h = m->p->value[s->out].h;
    return (int)((int64_t)h * units / tt_step_rows(m->p, s));
}

/* Units of each step at the end of strip t. */
static void schedule(scheming *m, int t, int last_rows)
{
    const tt_net *net = m->p->net;
    const int steps = m->g->last - m->g->first + 1;
    int *done = m->g->done + (size_t)t * (size_t)steps;
    const bool all = t == m->g->count - 1;
    for (int i = 0; i < steps; i++)
        m->need[i] = all ? m->p->value[net->step[m->g->first + i].out].h : 0;
    if (!all)
        m->need[steps - 1] = last_rows;
    for (int i = steps - 1; i >= 0; i--) {
        const tt_step *s = &net->step[m->g->first + i];
        const int h = m->p->value[s->out].h, units = tt_step_rows(m->p, s);
        done[i] = (int)(((int64_t)m->need[i] * units + h - 1) / h);
        if (t && done[i] < done[i - steps])
            done[i] = done[i - steps];
        const int rows = rows_done(m, i, done[i]);
        for (int j = 0; j < m->count && rows; j++) {
            const use *u = &m->uses[j];
            if (u->reader != i)
                continue;
            const int most = m->p->value[u->value].h;
            const double end = ceil((rows - 1) * u->reach.step + u->reach.hi) + 1;
            const int wanted = end > most ? most : end < 0 ? 0 : (int)end;
            if (wanted > m->need[u->maker])
                m->need[u->maker] = wanted;
        }
    }
}

/* The most rows of each value between the oldest still wanted and the newest made. */
static void size_rings(scheming *m)
{
    const int steps = m->g->last - m->g->first + 1;
    for (int j = 0; j < m->count; j++)
        if (!m->outside[m->uses[j].value])
            m->p->value[m->uses[j].value].ring = 1;
    for (int t = 0; t < m->g->count; t++)
        for (int j = 0; j < m->count; j++) {
            const use *u = &m->uses[j];
            tt_value *v = &m->p->value[u->value];
            if (m->outside[u->value])
                continue;
            const int *now = m->g->done + (size_t)t * (size_t)steps, *before = t ? now - steps : NULL;
            const int made = rows_done(m, u->maker, now[u->maker]);
            const int made_before = before ? rows_done(m, u->maker, before[u->maker]) : 0;
            const int read = before ? rows_done(m, u->reader, before[u->reader]) : 0;
            double oldest = floor(read * u->reach.step + u->reach.lo);
            oldest = oldest < 0 ? 0 : oldest > made_before ? made_before : oldest;
            const int rows = made - (int)oldest;
            v->ring = rows > v->ring ? rows : v->ring;
            v->ring = v->ring < v->h ? v->ring : v->h;
        }
}

static tt_status plan_group(tt_plan *p, tt_strips *g, tt_error *err)
{
    const tt_net *net = p->net;
    const size_t nodes = (size_t)net->graph->count, steps = (size_t)(g->last - g->first + 1);
    const int h = p->value[net->step[g->last].out].h, rows = strip_rows(p);
    size_t reads = 0;
    for (int i = g->first; i <= g->last; i++)
        reads += (size_t)inputs_of(&net->step[i]);
    g->count = (h + rows - 1) / rows;
    scheming m = {.p = p, .g = g};
    m.uses = calloc(reads + 1, sizeof *m.uses);
    m.maker = calloc(nodes, sizeof *m.maker);
    m.outside = calloc(nodes, sizeof *m.outside);
    m.reach = calloc(nodes, sizeof *m.reach);
    m.need = calloc(steps, sizeof *m.need);
    g->done = calloc((size_t)g->count * steps, sizeof *g->done);
    tt_status st = TT_OK;
    if (m.uses && m.maker && m.outside && m.reach && m.need && g->done) {
        find_uses(&m);
        for (int t = 0; t < g->count; t++)
            schedule(&m, t, (t + 1) * rows);
        size_rings(&m);
    } else {
        st = tt_fail_memory(err, nodes * sizeof *m.reach);
    }
    free(m.uses);
    free(m.maker);
    free(m.outside);
    free(m.reach);
    free(m.need);
    return st;
}

tt_status tt_strips_plan(tt_plan *p, tt_error *err)
{
    const tt_net *net = p->net;
    p->strips = calloc((size_t)net->steps + 1, sizeof *p->strips);
    if (!p->strips)
        return tt_fail_memory(err, (size_t)net->steps * sizeof *p->strips);
    tt_status st = TT_OK;
    for (int i = 0, last; i < net->steps && !st; i = last + 1) {
        last = i;
        while (net->step[i].strips && last + 1 < net->steps &&
               net->step[last + 1].strips == net->step[i].strips)
            last++;
        if (last == i)
            continue;
        tt_strips *g = &p->strips[p->strips_count++];
        g->first = i;
        g->last = last;
        st = plan_group(p, g, err);
    }
    return st;
}
