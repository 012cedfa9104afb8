#include "engine/plan.h"
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- shapes --------------------------------------------------------------------------------------- */

static tt_status infer(const tt_net *net, tt_extent *extent, int h, int w, tt_error *err)
{
    const tt_graph *g = net->graph;
    if (h < 1 || w < 1 || h > 1 << 24 || w > 1 << 24)
        return tt_fail(err, TT_ERR_USAGE, "the network cannot take %d x %d pixels", w, h);
    for (int i = 0; i < g->count; i++) {
        const tt_node *n = &g->node[i];
        tt_extent in[2] = {{0}};
        for (int j = 0; j < 2; j++)
            if (n->in[j] >= 0)
                in[j] = extent[n->in[j]];
        if (i == g->input)
            extent[i] = (tt_extent){h, w};
        else if (!tt_ops[n->op]->size(n, in, &extent[i]))
            return tt_fail(err, TT_ERR_USAGE, "the network cannot take %d x %d pixels: they become %d x %d at %s",
                           w, h, in[0].w, in[0].h, n->name);
    }
    return TT_OK;
}

tt_status tt_net_size(const tt_net *net, int h, int w, int *out_h, int *out_w, tt_error *err)
{
    tt_extent *extent = malloc((size_t)net->graph->count * sizeof *extent);
    if (!extent)
        return tt_fail_memory(err, (size_t)net->graph->count * sizeof *extent);
    const tt_status st = infer(net, extent, h, w, err);
    if (!st) {
        *out_h = extent[net->graph->output].h;
        *out_w = extent[net->graph->output].w;
    }
    free(extent);
    return st;
}

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

static void used_at(tt_plan *p, tt_piece piece, int step)
{
    tt_value *v = &p->value[piece.value];
    if (step > v->last)
        v->last = step;
}

/* Lifetimes: from the step that writes to the last one that reads. */
static void reckon_lives(tt_plan *p)
{
    const tt_net *net = p->net;
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        p->value[s->out].first = p->value[s->out].last = i;
        for (int j = 0; j < s->pieces; j++)
            used_at(p, s->in[j], i);
        for (int j = 0; j < s->adds; j++)
            used_at(p, s->add[j], i);
        if (s->op == TT_OP_GATE)
            used_at(p, s->gate, i);
    }
    for (int i = 0; i < net->result_pieces; i++)
        used_at(p, net->result[i], net->steps);
    for (int i = 0; i < net->graph->count && p->keep; i++) {
        p->value[i].first = -1;
        p->value[i].last = net->steps;
    }
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
        if (tt_ops[s->op]->room && !tt_ops[s->op]->room(p, s, &own, &shared))
            return tt_fail_memory(err, SIZE_MAX);
        scratch = own > scratch ? own : scratch;
        p->shared_floats = shared > p->shared_floats ? shared : p->shared_floats;
        if (!tt_mul((size_t)in->h, tt_round_up((size_t)in->c, 16), &sums))
            return tt_fail_memory(err, sums);
        if (tt_ops[s->op]->scratch && tt_ops[s->op]->scratch(s) > scratch)
            scratch = tt_ops[s->op]->scratch(s);
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
        const size_t row = (size_t)z.w * tt_round_up((size_t)s->node->channels, (size_t)net->k.block);
        if (s->shuffle && row > scratch)
            scratch = row;
        for (int j = 0; j < s->pieces; j++) {
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
    p->zero_floats = tt_round_up(zeros + 64, 16);
    p->scratch_floats = tt_round_up(scratch, 16);
    return TT_OK;
}

/*
 * May the step's result lie where its input value v lay, for nobody reads that afterwards? Chains on tokens read only
 * pixels that they write themselves; a convolution may add v, if it does not convolve it too.
 */
static bool writes_over(const tt_plan *p, const tt_step *s, int step, tt_piece piece)
{
    const tt_value *v = &p->value[piece.value], *out = &p->value[s->out];
    const bool conv = (s->op == TT_OP_CONV || s->op == TT_OP_DECONV) && !s->shuffle;
    if (p->keep || s->strips || v->last != step || piece.crop || v->c != out->c || v->h != out->h || v->w != out->w ||
        (!conv && !s->stages))
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
    for (int i = 0; i < net->graph->count; i++)
        p->value[i].place = i;
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        tt_value *out = &p->value[s->out];
        for (int j = 0; j < 1 + s->adds && out->place == s->out; j++) {
            const tt_piece piece = j ? s->add[j - 1] : s->in[0];
            if ((j || s->stages) && writes_over(p, s, i, piece))
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

/* The steps of a strip take turns, so their values live together. */
static void take_turns(tt_plan *p)
{
    for (int i = 0; i < p->net->graph->count; i++)
        for (int j = 0; j < p->strips_count; j++) {
            const tt_strips *g = &p->strips[j];
            tt_value *v = &p->value[i];
            if (v->first >= g->first && v->first <= g->last)
                v->first = g->first;
            if (v->last >= g->first && v->last <= g->last)
                v->last = g->last;
        }
}

static tt_status make_values(tt_plan *p, tt_error *err)
{
    const tt_net *net = p->net;
    for (int i = 0; i < net->graph->count; i++)
        p->value[i] = (tt_value){.c = net->graph->node[i].channels,
                                 .h = p->extent[i].h,
                                 .w = p->extent[i].w,
                                 .ring = p->extent[i].h,
                                 .b = tt_block_of(&net->k, net->graph->node[i].channels),
                                 .first = -1,
                                 .last = -1};
    p->value[net->graph->input].stored = true;
    for (int i = 0; i < net->steps; i++)
        p->value[net->step[i].out].stored = true;
    reckon_lives(p);
    tt_status st = reckon_needs(p, err);
    if (!st && !p->keep)
        st = tt_strips_plan(p, err);
    take_turns(p);
    share_places(p);
    for (int i = 0; i < net->graph->count && !st; i++)
        if (p->value[i].stored && !lay_out(p, &p->value[i]))
            st = tt_fail(err, TT_ERR_MEMORY, "a picture of %d x %d pixels is too large for this machine",
                         p->extent[net->graph->input].w, p->extent[net->graph->input].h);
    return st;
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
    p->facts.unshared_bytes = sum * sizeof(float);
    free(list);
    return st;
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

static void reckon_plan_facts(tt_plan *p)
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
    f->arena_bytes = (p->arena_floats + p->zero_floats + p->shared_floats +
                      (size_t)p->threads * p->scratch_floats) * sizeof(float) +
                     p->sums_count * sizeof(double) +
                     (size_t)p->threads * (size_t)p->most_segments * sizeof *p->segment;
    reckon_work(p);
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
    if (!p->arena || !p->zeros || !p->scratch || !p->shared || !p->sums || !p->segment)
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
    p->keep = o && o->keep;
    p->extent = calloc(nodes, sizeof *p->extent);
    p->value = calloc(nodes, sizeof *p->value);
    p->work = calloc((size_t)net->steps + 1, sizeof *p->work);
    tt_status st = p->extent && p->value && p->work ? TT_OK : tt_fail_memory(err, nodes * sizeof *p->value);
    if (!st)
        st = infer(net, p->extent, h, w, err);
    if (!st)
        st = make_values(p, err);
    if (!st)
        st = place_values(p, err);
    if (!st) {
        reckon_plan_facts(p);
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
    for (int i = 0; i < p->strips_count; i++)
        free(p->strips[i].done);
    free(p->strips);
    free(p->work);
    free(p->value);
    free(p->extent);
    free(p);
}

void tt_plan_get_facts(const tt_plan *p, tt_plan_facts *f)
{
    *f = p->facts;
}

/* ---- for people ----------------------------------------------------------------------------------- */

static const char *act_word(tt_act act)
{
    static const char *const word[] = {"", "+relu", "+prelu", "+sigmoid", "+gelu"};
    return word[act];
}

/* "layer norm+linear+gelu+linear" */
static void chain_text(const tt_step *s, char *to, size_t room)
{
    size_t at = 0;
    for (int i = 0; i < s->stages && at < room; i++) {
        const tt_node *n = s->stage[i].node;
        const char *word = n->op == TT_OP_ACT ? act_word(n->act) + 1 : tt_ops[n->op]->word;
        at += (size_t)snprintf(to + at, room - at, "%s%s", i ? "+" : "", word);
    }
}

static void print_step(const tt_plan *p, int i, FILE *to)
{
    const tt_step *s = &p->net->step[i];
    const tt_node *n = s->node;
    const tt_value *v = &p->value[s->out];
    const bool conv = s->op == TT_OP_CONV || s->op == TT_OP_DECONV;
    char what[96], fused[96];
    int channels = 0;
    for (int j = 0; j < s->pieces; j++)
        channels += s->in[j].channels;
    if (conv)
        snprintf(what, sizeof what, n->stride > 1 ? "%s %dx%d /%d" : "%s %dx%d", tt_ops[s->op]->word, n->k, n->k,
                 n->stride);
    else
        snprintf(what, sizeof what, "%s", tt_ops[s->op]->word);
    snprintf(fused, sizeof fused, "%s%s%s%s%s%s%s%s%s", conv || s->op == TT_OP_ACT ? act_word(n->act) : "",
             s->shuffle ? "+shuffle" : "", s->adds ? "+add" : "", s->adds > 1 ? "+add" : "",
             s->nearest ? "(nearest)" : "", s->clamp ? "+clamp" : "", conv && s->norm ? "+norm" : "",
             s->relu ? "+relu" : "", s->strips && !p->keep ? " in strips" : "");
    if (conv && s->pieces > 1)
        snprintf(what + strlen(what), sizeof what - strlen(what), " of %d", s->pieces);
    if (s->stages) { /* over both columns */
        chain_text(s, what, sizeof what);
        snprintf(what + strlen(what), sizeof what - strlen(what), "%s", fused);
        fused[0] = 0;
    }
    const int wide = s->stages ? 49 : 24;
    const char *name = conv || s->stages ? n->name : "";
    const size_t length = strlen(name); /* the end of a long name tells more than its beginning */
    fprintf(to, "%4d  %-*.*s%s%-*.24s %-24s %4d -> %4d  %6d x %-6d %10.1f %9.2f %9.2f\n", i, wide, wide, what,
            s->stages ? "" : " ", s->stages ? 0 : 24, fused, name + (length > 24 ? length - 24 : 0), channels, v->c,
            v->w, v->h, 1e-6 * (p->work[i] - moved(v)),
            (double)v->floats * 4 / 1048576, (double)v->at * 4 / 1048576);
}

void tt_plan_print(const tt_plan *p, FILE *to)
{
    fprintf(to, "%4s  %-24s %-24s %-24s %4s    %4s  %6s   %-6s %10s %9s %9s\n", "step", "operation", "fused", "weights",
            "in", "out", "width", "height", "MFLOP", "MiB", "at MiB");
    for (int i = 0; i < p->net->steps; i++)
        print_step(p, i, to);
    const tt_net_facts *f = &p->net->facts;
    if (f->global)
        fprintf(to, "every output pixel depends on every input pixel, ");
    else
        fprintf(to, "receptive field %d x %d, ", f->receptive_field, f->receptive_field);
    fprintf(to, "weights %.1f MiB\n", (double)f->packed_bytes / 1048576);
    fprintf(to, "input %d x %d x %d, output %d x %d x %d, %.3f GFLOP, arena %.1f MiB (%.1f MiB without reuse)\n",
            p->facts.in_channels, p->facts.in_w, p->facts.in_h, p->facts.out_channels, p->facts.out_w,
            p->facts.out_h, p->facts.flops / 1e9, (double)p->facts.arena_bytes / 1048576,
            (double)p->facts.unshared_bytes / 1048576);
}
