/*
 * A plan: places in the arena, buffers, what it takes; engine/cl/emit.c makes its launches. Values are whole maps,
 * channels in blocks of the device's lanes:
 *     [block][row][pixel][lane]
 * in one arena, in which those that are not alive at a time share places. What a step needs beside its result (a map
 * before its pixel shuffle, the layers of a chain on tokens, scores) is a region that lives for the step.
 */
#include "engine/cl/emit.h"

#include "engine/alloc.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* channels x h x w as a map; SIZE_MAX: too many to count. */
static size_t map_vectors(const tt_cl_plan *p, int channels, tt_extent e)
{
    size_t n;
    if (!tt_mul((size_t)e.h, (size_t)e.w, &n) || !tt_mul(n, (size_t)tt_cl_blocks(p->net->cl, channels), &n))
        return SIZE_MAX;
    return n;
}

/* What stays floats where maps are halves. */
static size_t float_vectors(const tt_cl_plan *p, size_t floats)
{
    const size_t vector = (size_t)p->net->cl->cut.lanes * tt_cl_cell(p->net->cl);
    size_t bytes;
    return tt_mul(floats, sizeof(float), &bytes) && bytes < SIZE_MAX - vector ? (bytes + vector - 1) / vector : SIZE_MAX;
}

static void want_temps(tt_cl_plan *p, int step)
{
    const tt_step *s = &p->net->net->step[step];
    const tt_extent e = tt_cl_extent_of(p, s->node);
    size_t want[TT_CL_TEMPS] = {0};
    if (s->stages) {
        for (int i = 0, now = 0; i < s->stages; i++) {
            if (tt_cl_in_place_stage(s, i))
                continue;
            const size_t n = map_vectors(p, s->stage[i].node->channels, e);
            want[now] = n > want[now] ? n : want[now];
            now = !now;
        }
    } else if (s->shuffle) {
        want[0] = map_vectors(p, s->node->channels, e);
    } else if (s->op == TT_OP_MEAN) {
        const tt_extent from = p->shapes->extent[s->node->in[0]];
        const size_t sums = map_vectors(p, s->in[0].channels, (tt_extent){from.h, 1});
        want[0] = sums > INT_MAX ? sums : float_vectors(p, sums * (size_t)p->net->cl->cut.lanes);
    } else if (s->op == TT_OP_ATTEND) {
        size_t floats;
        tt_mul((size_t)e.h * (size_t)e.w, (size_t)tt_cl_attend_chunk(e), &floats);
        want[0] = float_vectors(p, floats);
    }
    for (int i = 0; i < TT_CL_TEMPS; i++)
        *tt_cl_temp_of(p, step, i) = (tt_cl_region){.vectors = want[i], .first = step + 1, .last = step + 1};
}

static void read_at(tt_cl_plan *p, tt_piece piece, int task)
{
    tt_cl_region *r = tt_cl_value_of(p, piece.value);
    r->last = task > r->last ? task : r->last;
}

static void want_regions(tt_cl_plan *p)
{
    const tt_net *net = p->net->net;
    const tt_graph *g = net->graph;
    *tt_cl_value_of(p, g->input) = (tt_cl_region){
        .vectors = map_vectors(p, g->node[g->input].channels, p->shapes->extent[g->input])};
    for (int i = 0; i < net->steps; i++) {
        const tt_step *s = &net->step[i];
        *tt_cl_value_of(p, s->out) = (tt_cl_region){
            .vectors = map_vectors(p, g->node[s->out].channels, p->shapes->extent[s->out]), .first = i + 1, .last = i + 1};
        want_temps(p, i);
        for (int j = 0; j < s->pieces; j++)
            read_at(p, s->in[j], i + 1);
        for (int j = 0; j < s->adds; j++)
            read_at(p, s->add[j], i + 1);
        if (s->op == TT_OP_GATE)
            read_at(p, s->gate, i + 1);
    }
    for (int i = 0; i < net->result_pieces; i++)
        read_at(p, net->result[i], net->steps + 1);
}

static int larger_first(const void *a, const void *b)
{
    const tt_cl_region *x = *(tt_cl_region *const *)a, *y = *(tt_cl_region *const *)b;
    if (x->vectors != y->vectors)
        return x->vectors < y->vectors ? 1 : -1;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const tt_cl_region *x = *(tt_cl_region *const *)a, *y = *(tt_cl_region *const *)b;
    return (x->at > y->at) - (x->at < y->at);
}

/* As the CPU's plan does: the largest first, each into the smallest gap among those alive with it. */
static size_t find_gap(tt_cl_region *const *placed, int count, const tt_cl_region *r, tt_cl_region **near, size_t begin)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (placed[i]->first <= r->last && r->first <= placed[i]->last)
            near[n++] = placed[i];
    qsort(near, (size_t)n, sizeof *near, by_place);
    size_t end = begin, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)near[i]->at;
        if (at > end && at - end >= r->vectors && at - end < best_size) {
            best = end;
            best_size = at - end;
        }
        end = at + near[i]->vectors > end ? at + near[i]->vectors : end;
    }
    return best != SIZE_MAX ? best : end;
}

static tt_status too_large(const tt_cl_plan *p, tt_error *err)
{
    return tt_fail(err, TT_ERR_MEMORY, "%s: a picture of %d x %d pixels is too large for the device",
                   p->net->cl->info.name, p->shapes->facts.in_w, p->shapes->facts.in_h);
}

/* Before all maps of halves is room for the mark that a value was too large for one; as much as keeps maps where loads of
 * GPUs like them. */
static size_t mark_vectors(const tt_cl_plan *p)
{
    return p->net->cl->half_maps ? 16 : 0;
}

static tt_status place_regions(tt_cl_plan *p, tt_error *err)
{
    const int room = p->regions;
    tt_cl_region **list = malloc(2 * (size_t)room * sizeof *list);
    if (!list)
        return tt_fail_memory(err, 2 * (size_t)room * sizeof *list);
    int n = 0;
    for (int i = 0; i < room; i++)
        if (p->region[i].vectors)
            list[n++] = &p->region[i];
    qsort(list, (size_t)n, sizeof *list, larger_first);
    tt_status st = TT_OK;
    for (int i = 0; i < n && !st; i++) {
        if (list[i]->vectors > INT_MAX) {
            st = too_large(p, err);
            break;
        }
        const size_t at = find_gap(list, i, list[i], list + room, mark_vectors(p)), end = at + list[i]->vectors;
        if (end > INT_MAX) /* kernels count in ints */
            st = too_large(p, err);
        list[i]->at = (int)at;
        p->vectors = end > p->vectors ? end : p->vectors;
    }
    free(list);
    return st;
}

static size_t input_bytes(const tt_cl_plan *p)
{
    const tt_plan_facts *f = &p->shapes->facts;
    return sizeof(float) * (size_t)f->in_channels * (size_t)f->in_h * (size_t)f->in_w;
}
static size_t output_bytes(const tt_cl_plan *p)
{
    const tt_plan_facts *f = &p->shapes->facts;
    return sizeof(float) * (size_t)f->out_channels * (size_t)f->out_h * (size_t)f->out_w;
}
static size_t arena_bytes(const tt_cl_plan *p)
{
    return p->vectors * (size_t)p->net->cl->cut.lanes * tt_cl_cell(p->net->cl);
}
static size_t table_bytes(const tt_cl_plan *p)
{
    return (size_t)p->numbers * sizeof *p->table;
}

static tt_status make_buffers(tt_cl_plan *p, tt_error *err)
{
    tt_cl *cl = p->net->cl;
    const struct {
        cl_mem *to;
        cl_mem_flags kind;
        size_t bytes;
    } wanted[] = {{&p->arena, CL_MEM_READ_WRITE, arena_bytes(p)},
                  {&p->numbers_there, CL_MEM_READ_ONLY, table_bytes(p)},
                  {&p->input[0], CL_MEM_READ_ONLY, input_bytes(p)},
                  {&p->output[0], CL_MEM_WRITE_ONLY, output_bytes(p)},
                  {&p->input[1], CL_MEM_READ_ONLY, input_bytes(p)},
                  {&p->output[1], CL_MEM_WRITE_ONLY, output_bytes(p)}};
    const size_t count = sizeof wanted / sizeof *wanted - (p->ahead ? 0 : 2);
    cl_int e = CL_SUCCESS;
    tt_status st = TT_OK;
    pthread_mutex_lock(&cl->lock);
    for (size_t i = 0; i < count && !st; i++) {
        *wanted[i].to = cl->api->clCreateBuffer(cl->context, wanted[i].kind, wanted[i].bytes, NULL, &e);
        if (!*wanted[i].to || e != CL_SUCCESS)
            st = tt_cl_fail(err, cl->info.name, "making room for the maps", e);
    }
    if (!st && (e = cl->api->clEnqueueWriteBuffer(cl->queue, p->numbers_there, CL_TRUE, 0, table_bytes(p), p->table, 0,
                                                  NULL, NULL)))
        st = tt_cl_fail(err, cl->info.name, "writing the launches", e);
    pthread_mutex_unlock(&cl->lock);
    return st;
}

/* What the device has of memory, in one piece and besides the weights. */
static tt_status check_memory(const tt_cl_plan *p, tt_error *err)
{
    const tt_cl *cl = p->net->cl;
    const uint64_t left = cl->memory > p->net->bytes ? cl->memory - p->net->bytes : 0;
    const uint64_t most = left < cl->info.most_at_once ? left : cl->info.most_at_once;
    if (p->facts.bytes <= left && arena_bytes(p) <= most && output_bytes(p) <= most)
        return TT_OK;
    return tt_fail(err, TT_ERR_MEMORY, "%s: %d x %d pixels take %.0f MiB, and the device has %.0f MiB for them",
                   cl->info.name, p->facts.in_w, p->facts.in_h, ceil((double)p->facts.bytes / (1 << 20)),
                   floor((double)most / (1 << 20)));
}

static void reckon(tt_cl_plan *p)
{
    const tt_plan_facts *f = &p->shapes->facts;
    const uint64_t to_and_fro = (uint64_t)input_bytes(p) + output_bytes(p);
    for (int i = 0; i < p->launches; i++)
        p->work += tt_cl_work_of(&p->launch[i]);
    p->facts = (tt_cl_plan_facts){.bytes = (uint64_t)arena_bytes(p) + table_bytes(p) + (p->ahead ? 2 : 1) * to_and_fro,
                                  .flops = f->flops,
                                  .in_channels = f->in_channels,
                                  .in_h = f->in_h,
                                  .in_w = f->in_w,
                                  .out_channels = f->out_channels,
                                  .out_h = f->out_h,
                                  .out_w = f->out_w,
                                  .launches = p->launches};
}

/* Where the grids of Winograd's tiles lie follows from the size of the whole picture. */
static tt_status find_ways(tt_cl_plan *p, int h, int w, tt_error *err)
{
    const tt_net *net = p->net->net;
    tt_extent *whole = malloc((size_t)net->graph->count * sizeof *whole);
    p->way = calloc((size_t)net->steps + 1, sizeof *p->way);
    tt_status st = whole && p->way ? tt_net_extents(net, whole, h, w, err)
                                   : tt_fail_memory(err, (size_t)net->graph->count * sizeof *whole);
    for (int i = 0; i < net->steps && !st; i++)
        p->way[i].form = tt_cl_form_of(p->net, i);
    if (!st)
        st = tt_net_skew(net, whole, p->way, err);
    free(whole);
    return st;
}

tt_status tt_cl_plan_new(tt_cl_plan **plan, const tt_cl_net *n, int h, int w, const tt_cl_plan_options *o, tt_error *err)
{
    const tt_plan_options sizes = {.strip = TT_WHOLE, .only_size = true};
    const tt_net *net = n->net;
    *plan = NULL;
    tt_cl_plan *p = calloc(1, sizeof *p);
    if (!p)
        return tt_fail_memory(err, sizeof *p);
    p->net = n;
    p->ahead = o && o->ahead;
    p->regions = net->graph->count + net->steps * TT_CL_TEMPS;
    p->region = calloc((size_t)p->regions, sizeof *p->region);
    tt_status st = p->region ? tt_plan_new(&p->shapes, net, h, w, &sizes, err)
                             : tt_fail_memory(err, (size_t)p->regions * sizeof *p->region);
    if (!st)
        st = find_ways(p, o && o->whole_h ? o->whole_h : h, o && o->whole_w ? o->whole_w : w, err);
    if (!st) {
        want_regions(p);
        st = place_regions(p, err);
    }
    if (!st)
        st = tt_cl_emit(p, err);
    if (!st) {
        reckon(p);
        st = check_memory(p, err);
    }
    if (!st && !(o && o->only_size))
        st = make_buffers(p, err);
    if (st)
        tt_cl_plan_free(p);
    else
        *plan = p;
    return st;
}

void tt_cl_plan_free(tt_cl_plan *p)
{
    if (!p)
        return;
    const cl_mem held[] = {p->arena, p->numbers_there, p->input[0], p->output[0], p->input[1], p->output[1]};
    tt_cl *cl = p->net->cl;
    if (p->arena) {
        pthread_mutex_lock(&cl->lock);
        if (p->jobs)
            tt_cl_plan_drain(p);
        cl->turn = cl->turn == p ? NULL : cl->turn;
        pthread_mutex_unlock(&cl->lock);
    }
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            p->net->cl->api->clReleaseMemObject(held[i]);
    tt_plan_free(p->shapes);
    free(p->way);
    free(p->region);
    free(p->table);
    free(p->launch);
    free(p);
}

void tt_cl_plan_get_facts(const tt_cl_plan *p, tt_cl_plan_facts *f)
{
    *f = p->facts;
}
