#include "engine/plan.h"
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- values --------------------------------------------------------------------------------------- */

static bool lay_out(const tt_plan *p, tt_value *v)
{
    const int block = p->net->k.block;
    v->planes = (v->c + v->b - 1) / v->b;
    v->plane = (ptrdiff_t)(v->w + 2 * v->border) * v->b;
    size_t row, all;
    if (!tt_mul((size_t)v->plane, (size_t)v->planes, &row))
        return false;
    row = tt_round_up(row, (size_t)block);
    v->row = (ptrdiff_t)row;
    if (!tt_mul(row, (size_t)v->ring, &all) || all > PTRDIFF_MAX / sizeof(float))
        return false;
    v->floats = tt_round_up(all, 16);
    return true;
}

/* Borders that convolutions read, and the most of what else they need. */
static tt_status reckon_needs(tt_plan *p, tt_error *err)
{
    const tt_net *net = p->net;
    size_t scratch = 0, zeros = 0;
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        const tt_value *in = &p->value[s->in[0].value];
        size_t sums, own = 0, shared = 0;
        const tt_op_def *op = tt_op_of(p, s);
        if (op->room && !op->room(p, s, &own, &shared))
            return tt_fail_memory(err, SIZE_MAX);
        scratch = own > scratch ? own : scratch;
        p->shared_floats = shared > p->shared_floats ? shared : p->shared_floats;
        if (!tt_mul((size_t)in->h, tt_round_up((size_t)in->c, 16), &sums))
            return tt_fail_memory(err, sums);
        if (op->scratch && op->scratch(s) > scratch)
            scratch = op->scratch(s);
        if (s->op == TT_OP_MEAN && sums > p->sums_count)
            p->sums_count = sums;
        if (s->op != TT_OP_CONV && s->op != TT_OP_DECONV)
            continue;
        const tt_extent z = p->extent[s->node - net->graph->node];
        for (int c = 0; c < s->classes; c++)
            if (s->taps[c].segments > p->most_segments)
                p->most_segments = s->taps[c].segments;
        const size_t reads = ((size_t)z.w * (size_t)s->node->stride + (size_t)s->node->k + 1) * (size_t)in->b;
        if (reads > zeros)
            zeros = reads;
        for (int j = 0; j < s->pieces && p->way[i].form == TT_WINO_NONE; j++) { /* tiles need none */
            tt_value *v = &p->value[s->in[j].value];
            int before, behind;
            tt_conv_need(p, s, j, &before, &behind);
            if (!before && !behind)
                continue;
            if (v->border && v->replicate != s->node->replicate)
                return tt_fail(err, TT_ERR_UNSUPPORTED, "one value is padded both with zeros and with its edge (%s)",
                               s->node->name);
            v->replicate = s->node->replicate;
            v->border = before > v->border ? before : v->border;
            v->border = behind > v->border ? behind : v->border;
        }
    }
    for (int i = 0; i < net->graph->count; i++) {
        p->value[i].reads = p->value[i].border;
        p->value[i].reads_edge = p->value[i].replicate;
    }
    p->zero_floats = tt_round_up(zeros + 64, 16);
    p->scratch_floats = tt_round_up(scratch, 16);
    return TT_OK;
}

static tt_status make_values(tt_plan *p, tt_error *err)
{
    const tt_net *net = p->net;
    for (int i = 0; i < net->graph->count; i++)
        p->value[i] = (tt_value){.c = net->graph->node[i].channels,
                                 .h = p->extent[i].h,
                                 .w = p->extent[i].w,
                                 .b = tt_block_of(&net->k, net->graph->node[i].channels)};
    p->value[net->graph->input].stored = true;
    for (int i = 0; i < net->steps; i++)
        p->value[net->step[i].out].stored = true;
    return reckon_needs(p, err);
}

/* ---- the arena ------------------------------------------------------------------------------------ */

static int larger_first(const void *a, const void *b)
{
    const tt_value *x = *(tt_value *const *)a, *y = *(tt_value *const *)b;
    if (x->floats != y->floats)
        return x->floats < y->floats ? 1 : -1;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const tt_value *x = *(tt_value *const *)a, *y = *(tt_value *const *)b;
    return (x->at > y->at) - (x->at < y->at);
}

/* The smallest gap among the values alive with v; `near` is room for their list. */
static size_t find_gap(tt_value *const *placed, int count, const tt_value *v, tt_value **near)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (placed[i]->first <= v->last && v->first <= placed[i]->last)
            near[n++] = placed[i];
    qsort(near, (size_t)n, sizeof *near, by_place);
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < n; i++) {
        if (near[i]->at > end && near[i]->at - end >= v->floats && near[i]->at - end < best_size) {
            best = end;
            best_size = near[i]->at - end;
        }
        if (near[i]->at + near[i]->floats > end)
            end = near[i]->at + near[i]->floats;
    }
    return best != SIZE_MAX ? best : end;
}

static tt_status place_values(tt_plan *p, tt_error *err)
{
    const int count = p->net->graph->count;
    tt_value **list = malloc(2 * (size_t)count * sizeof *list);
    if (!list)
        return tt_fail_memory(err, 2 * (size_t)count * sizeof *list);
    int n = 0;
    size_t sum = 0;
    tt_status st = TT_OK;
    for (int i = 0; i < count; i++)
        if (p->value[i].stored) {
            if (p->value[i].place == i)
                list[n++] = &p->value[i];
            p->facts.unshared_bytes += sizeof(float) * (double)p->value[i].row * p->value[i].h;
            if (!tt_add(sum, p->value[i].floats, &sum) || sum > PTRDIFF_MAX / sizeof(float))
                st = tt_fail_memory(err, sum);
        }
    qsort(list, (size_t)n, sizeof *list, larger_first);
    for (int i = 0; i < n && !st; i++) {
        list[i]->at = find_gap(list, i, list[i], list + count);
        if (list[i]->at + list[i]->floats > p->arena_floats)
            p->arena_floats = list[i]->at + list[i]->floats;
    }
    for (int i = 0; i < count; i++)
        p->value[i].at = p->value[p->value[i].place].at;
    free(list);
    return st;
}

/* ---- whole maps or strips --------------------------------------------------------------------------- */

#define SMALL ((size_t)16 << 20) /* floats: where maps take no more, there is nothing to save */

/*
 * May the step's result lie where its input value v lay, for nobody reads that afterwards? Chains on tokens read only
 * pixels that they write themselves; a convolution may add v, if it does not convolve it too.
 */
static bool writes_over(const tt_plan *p, const tt_step *s, int task, tt_piece piece)
{
    const tt_value *v = &p->value[piece.value], *out = &p->value[s->out];
    const bool conv = (s->op == TT_OP_CONV || s->op == TT_OP_DECONV) && !s->shuffle;
    if (p->keep || v->last != task || p->task[task].group_end - p->task[task].group > 1 || out->ring != out->h ||
        piece.crop || v->c != out->c || v->h != out->h || v->w != out->w || (!conv && !s->stages))
        return false;
    const tt_value *root = &p->value[v->place]; /* its borders are those of all that lie there */
    if (root->border && out->border && root->replicate != out->replicate)
        return false;
    for (int i = 0; conv && i < s->pieces; i++)
        if (s->in[i].value == piece.value)
            return false;
    return true;
}

/* One place for values that follow each other in it; the first of them stands for all. */
static void share_places(tt_plan *p)
{
    const tt_net *net = p->net;
    for (int i = 0; i < net->graph->count; i++) {
        p->value[i].place = i;
        p->value[i].border = p->value[i].reads;
        p->value[i].replicate = p->value[i].reads_edge;
    }
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        tt_value *out = &p->value[s->out];
        for (int j = 0; j < 1 + s->adds && out->place == s->out; j++) {
            const tt_piece piece = j ? s->add[j - 1] : s->in[0];
            if ((j || s->stages) && writes_over(p, s, i + 1, piece))
                out->place = p->value[piece.value].place;
        }
        tt_value *root = &p->value[out->place];
        root->last = out->last > root->last ? out->last : root->last;
        root->replicate = out->border ? out->replicate : root->replicate;
        root->border = out->border > root->border ? out->border : root->border;
    }
    for (int i = 0; i < net->graph->count; i++) {
        p->value[i].border = p->value[p->value[i].place].border;
        p->value[i].replicate = p->value[p->value[i].place].replicate;
    }
}

/* The most floats that values take at a time with strips of `rows`; SIZE_MAX: too many to count. */
static size_t measure(tt_plan *p, int rows)
{
    const int tasks = p->net->steps + 2;
    size_t now = 0, most = 0;
    tt_strips_schedule(p, rows);
    share_places(p);
    for (int a = 0; a <= tasks; a++)
        p->task[a].change = 0;
    for (int i = 0; i < p->net->graph->count; i++) {
        tt_value *v = &p->value[i];
        if (!v->stored)
            continue;
        if (!lay_out(p, v))
            return SIZE_MAX;
        if (v->place != i)
            continue;
        p->task[v->first].change += v->floats;
        p->task[v->last + 1].change -= v->floats;
    }
    for (int a = 0; a < tasks; a++) {
        now += p->task[a].change;
        most = now > most ? now : most;
    }
    return most;
}

/* Barriers alone in any case, the others as told. */
static void set_alone(tt_plan *p, bool alone)
{
    for (int a = 0; a < p->net->steps + 2; a++) {
        p->task[a].alone = alone || tt_strips_barrier(p, a);
        p->task[a].cut = false;
    }
}

/* The end of the tasks from `from` on that make as many rows each. */
static int section_end(const tt_plan *p, int from)
{
    const tt_task *t = &p->task[from];
    int a = from + 1;
    while (a < p->net->steps + 2 && p->task[a].rate == t->rate && p->task[a].alone == t->alone)
        a++;
    return a;
}

static bool reads_weights_often(const tt_plan *p, int from, int end)
{
    for (int a = from; a < end; a++) {
        const tt_step *s = a > 0 && a <= p->net->steps ? tt_task_step(p, a) : NULL;
        if (s && (s->op == TT_OP_CONV || s->op == TT_OP_DECONV) && tt_conv_rereads(p, s))
            return true;
    }
    return false;
}

/* Where the heights change a group may end, and between such places whole maps may be smaller than all rings at once; or
 * not much larger, where strips would cost time. */
static size_t divide(tt_plan *p, int rows, size_t best)
{
    const size_t much = best / 8;
    for (int a = 0, end; a < p->net->steps + 2; a = end) {
        end = section_end(p, a);
        if (p->task[a].alone)
            continue;
        for (int i = a; i < end; i++)
            p->task[i].alone = true;
        size_t n = measure(p, rows);
        if (n < best || (n - best < much && reads_weights_often(p, a, end))) {
            best = n;
            continue;
        }
        for (int i = a; i < end; i++)
            p->task[i].alone = false;
        p->task[a].cut = true;
        n = measure(p, rows);
        p->task[a].cut = n < best;
        best = n < best ? n : best;
    }
    return best;
}

/*
 * Strips where they save memory. Low ones take less of it; high ones make fewer rounds over the weights, so they are as
 * high as costs little, but no higher than gives the threads enough to share: what a step has written should be in the cache
 * when the next one reads it.
 */
static size_t choose_strips(tt_plan *p, const tt_plan_options *o)
{
    enum { LOW = 4, HIGH = 16 /* a thread */, HIGHEST = 64 };
    const int asked = p->keep ? TT_WHOLE : o ? o->strip : 0;
    size_t most = o && o->most ? o->most / sizeof(float) : SIZE_MAX;
    set_alone(p, asked <= 0);
    const size_t whole = measure(p, asked < 0 ? 0 : asked);
    if (asked || (whole <= SMALL && whole <= most))
        return whole;
    set_alone(p, false);
    const size_t low = divide(p, LOW, measure(p, LOW));
    if (low >= whole) {
        set_alone(p, true);
        return measure(p, 0);
    }
    const size_t enough = low + low / 8 > SMALL ? low + low / 8 : SMALL;
    most = enough < most ? enough : most;
    int rows = HIGH;
    while (rows < HIGH * p->threads && rows < HIGHEST)
        rows *= 2;
    size_t n = measure(p, rows);
    for (; n > most && rows > 1; n = measure(p, rows))
        rows /= 2;
    return n;
}

/* Of the second cache, within what is usual where the system does not say; or less, where scratch of that size would take
 * more than an eighth of the memory there is. It decides about speed, not about results. */
static long cache_bytes(const tt_plan_options *o, int threads)
{
    long n = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    n = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    n = n < 1 << 18 ? 1 << 19 : n > 1 << 21 ? 1 << 21 : n;
    const size_t share = o && o->most ? o->most / 8 / (size_t)threads : SIZE_MAX;
    return share < (size_t)n ? (long)share : n;
}

/* Ways follow from the whole picture's size; p->extent in the end from the plan's own. */
static tt_status choose_ways(tt_plan *p, int h, int w, const tt_plan_options *o, tt_error *err)
{
    const bool tile = o && o->whole_h && o->whole_w;
    tt_status st = tt_net_extents(p->net, p->extent, tile ? o->whole_h : h, tile ? o->whole_w : w, err);
    if (!st)
        st = tt_net_ways(p->net, p->extent, o ? o->conv : TT_CONV_FASTEST, p->way, err);
    return st || !tile ? st : tt_net_extents(p->net, p->extent, h, w, err);
}

static tt_status arrange(tt_plan *p, const tt_plan_options *o, tt_error *err)
{
    if (choose_strips(p, o) > PTRDIFF_MAX / sizeof(float))
        return tt_fail(err, TT_ERR_MEMORY, "a picture of %d x %d pixels is too large for this machine", p->facts.in_w,
                       p->facts.in_h);
    for (int i = 0; i < p->net->graph->count && p->keep; i++) {
        p->value[i].first = 0;
        p->value[i].last = p->net->steps + 1;
    }
    return place_values(p, err);
}

/* ---- facts and life ------------------------------------------------------------------------------- */

/* What moves counts too: a value moved costs about as much as some tens of operations. */
static double moved(const tt_value *v)
{
    return 32.0 * (double)v->row * v->h;
}

double tt_step_flops(const tt_plan *p, const tt_step *s)
{
    const int node = (int)(s->node - p->net->graph->node);
    int channels = 0;
    for (int j = 0; j < s->pieces; j++)
        channels += s->in[j].channels;
    double flops = tt_ops[s->op]->flops && !s->stages
                       ? tt_ops[s->op]->flops(s->node, channels, p->extent[s->node->in[0]], p->extent[node])
                       : 0;
    for (int j = 0; j < s->stages; j++) { /* all of one size */
        const tt_node *n = s->stage[j].node;
        if (tt_ops[n->op]->flops)
            flops += tt_ops[n->op]->flops(n, channels, p->extent[node], p->extent[node]);
        channels = n->channels;
    }
    return flops;
}

static void reckon_work(tt_plan *p)
{
    const tt_net *net = p->net;
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        const double flops = tt_step_flops(p, s);
        p->facts.flops += flops;
        p->work[i] = flops + moved(&p->value[s->out]);
        p->work_sum += p->work[i];
    }
}

static void reckon_sizes(tt_plan *p)
{
    const tt_graph *g = p->net->graph;
    tt_plan_facts *f = &p->facts;
    f->in_channels = g->node[g->input].channels;
    f->in_h = p->extent[g->input].h;
    f->in_w = p->extent[g->input].w;
    f->out_channels = g->node[g->output].channels;
    f->out_h = p->extent[g->output].h;
    f->out_w = p->extent[g->output].w;
    f->steps = p->net->steps;
}

/* A row of the input is no larger than one of its value, and that was counted; of the output, too, but for views. */
static size_t take_floats(const tt_plan *p)
{
    const tt_plan_facts *f = &p->facts;
    return (size_t)f->in_channels * (size_t)f->take_rows * (size_t)f->in_w;
}
static size_t give_floats(const tt_plan *p)
{
    const tt_plan_facts *f = &p->facts;
    return (size_t)f->out_channels * (size_t)f->give_rows * (size_t)f->out_w;
}

static void reckon_memory(tt_plan *p)
{
    tt_plan_facts *f = &p->facts;
    f->strip = p->strip;
    f->take_rows = p->task[0].advance;
    f->give_rows = p->task[p->net->steps + 1].advance;
    f->arena_bytes = (p->arena_floats + p->zero_floats + p->shared_floats + take_floats(p) + give_floats(p) +
                      (size_t)p->threads * p->scratch_floats) * sizeof(float) +
                     p->sums_count * sizeof(double) +
                     (size_t)p->threads * (size_t)p->most_segments * sizeof *p->segment;
}

/* The arena is zeroed when made, so that lanes without a channel hold no denormal and no not-a-number. */
static tt_status allocate(tt_plan *p, tt_error *err)
{
    p->arena = tt_aligned_zalloc(p->arena_floats * sizeof *p->arena);
    p->zeros = tt_aligned_zalloc(p->zero_floats * sizeof *p->zeros);
    p->scratch = tt_aligned_zalloc((size_t)p->threads * p->scratch_floats * sizeof *p->scratch);
    p->shared = tt_aligned_zalloc(p->shared_floats * sizeof *p->shared);
    p->sums = tt_aligned_zalloc(p->sums_count * sizeof *p->sums);
    p->segment = tt_aligned_zalloc((size_t)p->threads * (size_t)p->most_segments * sizeof *p->segment);
    p->take = tt_aligned_zalloc(take_floats(p) * sizeof *p->take);
    p->give = tt_aligned_zalloc(give_floats(p) * sizeof *p->give);
    if (!p->arena || !p->zeros || !p->scratch || !p->shared || !p->sums || !p->segment || !p->take || !p->give)
        return tt_fail_memory(err, p->facts.arena_bytes);
    return TT_OK;
}

tt_status tt_plan_new(tt_plan **plan, const tt_net *net, int h, int w, const tt_plan_options *o, tt_error *err)
{
    *plan = NULL;
    const size_t nodes = (size_t)net->graph->count;
    tt_plan *p = calloc(1, sizeof *p);
    if (!p)
        return tt_fail_memory(err, sizeof *p);
    p->net = net;
    p->threads = o && o->threads > 0 ? o->threads : 1;
    p->cache = cache_bytes(o, p->threads);
    p->keep = o && o->keep;
    p->extent = calloc(nodes, sizeof *p->extent);
    p->way = calloc((size_t)net->steps + 1, sizeof *p->way);
    p->value = calloc(nodes, sizeof *p->value);
    p->work = calloc((size_t)net->steps + 1, sizeof *p->work);
    tt_status st = p->extent && p->way && p->value && p->work ? TT_OK : tt_fail_memory(err, nodes * sizeof *p->value);
    if (!st)
        st = choose_ways(p, h, w, o, err);
    if (!st) {
        reckon_sizes(p);
        st = make_values(p, err);
    }
    if (!st)
        st = tt_strips_init(p, err);
    if (!st)
        st = arrange(p, o, err);
    if (!st) {
        reckon_work(p);
        reckon_memory(p);
        if (!o || !o->only_size)
            st = allocate(p, err);
    }
    if (st) {
        tt_plan_free(p);
        return st;
    }
    *plan = p;
    return TT_OK;
}

void tt_plan_free(tt_plan *p)
{
    if (!p)
        return;
    tt_aligned_free(p->arena);
    tt_aligned_free(p->zeros);
    tt_aligned_free(p->scratch);
    tt_aligned_free(p->shared);
    tt_aligned_free(p->sums);
    tt_aligned_free(p->segment);
    tt_aligned_free(p->take);
    tt_aligned_free(p->give);
    free(p->task);
    free(p->use);
    free(p->work);
    free(p->value);
    free(p->extent);
    free(p->way);
    free(p);
}

void tt_plan_get_facts(const tt_plan *p, tt_plan_facts *f)
{
    *f = p->facts;
}
