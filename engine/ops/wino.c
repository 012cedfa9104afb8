/*
 * Convolutions of stride 1 by Winograd's tiles (kernels.h): a step's bands are rows of tiles. All tiles of the bands that run
 * at a time, one band after the other, are cut into blocks, each of which goes through the transforms and products of all its
 * channels and outputs while it is in the second cache:
 *
 *     shared by all threads      u: the transformed weights of as many groups of outputs as a round takes
 *     a thread's scratch         v: the block's inputs     m: its outputs of one group     rows before their pixel shuffle
 *
 * Weights are kept as they are for direct convolution, and transformed each time before the step runs: the transformed ones
 * would take four times the memory, and reading them from there costs no less than making them anew.
 */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

enum { SHARED_FLOATS = 1 << 21, STEP_TILES = 12, MOST_TILES = 48, MOST_PLANES = 1024 };

/* ---- choice ----------------------------------------------------------------------------------------- */

/*
 * Multiply-adds of a vector that the work around the products costs as much as, measured: to transform a tile of one block
 * of channels in and out, and the window of one input channel and one block of outputs.
 */
static const double cost[TT_WINOS][3] = {
    [TT_WINO_4_3] = {200, 200, 160}, [TT_WINO_6_3] = {600, 600, 400}, [TT_WINO_4_5] = {600, 400, 400}};

static double cost_of(tt_wino form, int in, int out_blocks, int block, tt_extent e)
{
    const tt_wino_form *f = &tt_wino_forms[form];
    const double tiles = (double)((e.h + f->m - 1) / f->m) * ((e.w + f->m - 1) / f->m), in_blocks = (in + block - 1) / block;
    return tiles * (f->n * f->n * (double)in * out_blocks + cost[form][0] * in_blocks + cost[form][1] * out_blocks) +
           cost[form][2] * in * out_blocks;
}

/*
 * Larger tiles save a fifth of the products and cost more around them, of the cache too: measured, they are worth it (8 to
 * 12 %) for vectors of 8 lanes and layers of medium width, and for vectors of 16 not, which halve the time of products alone.
 */
static tt_wino form_of(const tt_node *n, int in, int block, tt_extent e)
{
    enum { LANES = 8, NARROW = 48, WIDE = 256, SMALL = 96 };
    if (n->k == 5)
        return TT_WINO_4_5;
    const bool large = block == LANES && in >= NARROW && n->channels >= NARROW && in + n->channels <= WIDE && e.h >= SMALL &&
                       e.w >= SMALL;
    return large ? TT_WINO_6_3 : TT_WINO_4_3;
}

tt_wino tt_wino_choose(const tt_net *net, const tt_step *s, tt_extent whole, tt_conv_choice choice)
{
    const tt_node *n = s->node;
    const int block = net->k.block, out_blocks = (n->channels + block - 1) / block;
    int in = 0;
    if (choice == TT_CONV_DIRECT || s->op != TT_OP_CONV || n->stride != 1 || (n->k != 3 && n->k != 5) ||
        n->channels <= TT_NARROW_MAX || s->taps[0].planes == 0 || s->taps[0].planes > MOST_PLANES)
        return TT_WINO_NONE;
    for (int i = 0; i < s->pieces; i++)
        in += s->in[i].channels;
    const tt_wino form = form_of(n, in, block, whole);
    const double direct = (double)n->k * n->k * in * out_blocks * whole.h * whole.w;
    if (choice == TT_CONV_TILES || cost_of(form, in, out_blocks, block, whole) < 0.9 * direct)
        return form;
    return TT_WINO_NONE;
}

/* ---- sizes ------------------------------------------------------------------------------------------ */

/* How a step's work lies. Distances and sizes in floats. */
typedef struct layout {
    const tt_wino_form *form;
    tt_way way;
    tt_extent out;        /* of the convolution */
    int across;           /* tiles in a band */
    int block, group;     /* of the kernels */
    int channels, planes; /* in */
    int blocks, groups;   /* out */
    int groups_a_round;
    int most;             /* tiles a block */
    ptrdiff_t u_size;     /* of one whole group, all frequencies */
    ptrdiff_t plane, v_freq, m_freq;
    ptrdiff_t v_size, m_size, row; /* row: of the convolution's result, before a pixel shuffle */
} layout;

static ptrdiff_t freq_of_u(const layout *a, int lanes)
{
    return (ptrdiff_t)tt_round_up((size_t)a->channels * (size_t)lanes, 16) + 16; /* see kernels.h: no multiple of a page */
}

/*
 * Tiles whose inputs and outputs take no more than a part of the second cache; the rest is for weights. Of very wide layers
 * those are few, and the weights of all frequencies, which come from beyond that cache for each block, would be waited for:
 * there it is better to let the tiles take up to twice the cache, as a frequency's alone still fit.
 */
static int tiles_in_cache(const layout *a, long cache)
{
    const int nn = a->form->n * a->form->n;
    const long tile = (long)sizeof(float) * nn * a->block * (a->planes + (a->blocks < a->group ? a->blocks : a->group));
    const long tiles = cache / 5 * 3 / tile;
    if (tiles < STEP_TILES && STEP_TILES * tile <= 2 * cache)
        return STEP_TILES;
    if (tiles < STEP_TILES)
        return tiles < TT_WINO_ROUND ? TT_WINO_ROUND : (int)(tiles / TT_WINO_ROUND) * TT_WINO_ROUND;
    return tiles > MOST_TILES ? MOST_TILES : (int)(tiles / STEP_TILES) * STEP_TILES;
}

static layout layout_of(const tt_plan *p, const tt_step *s)
{
    const tt_kernels *k = &p->net->k;
    layout a = {.way = *tt_way_of(p, s), .out = tt_conv_extent(p, s), .block = k->block, .group = k->group,
                .planes = s->taps[0].planes};
    a.form = &tt_wino_forms[a.way.form];
    a.across = (a.out.w + a.way.before + a.form->m - 1) / a.form->m;
    for (int i = 0; i < s->pieces; i++)
        a.channels += s->in[i].channels;
    a.blocks = (s->node->channels + a.block - 1) / a.block;
    a.groups = (a.blocks + a.group - 1) / a.group;
    const int nn = a.form->n * a.form->n;
    a.u_size = nn * freq_of_u(&a, a.group * a.block);
    const ptrdiff_t groups = SHARED_FLOATS / a.u_size;
    a.groups_a_round = s->shuffle || groups >= a.groups ? a.groups : groups < 1 ? 1 : (int)groups;
    a.most = tiles_in_cache(&a, p->cache);
    a.plane = (ptrdiff_t)a.most * a.block;
    a.v_freq = a.planes * a.plane + 16;
    a.m_freq = a.group * a.plane + 16;
    a.v_size = nn * a.v_freq;
    a.m_size = nn * a.m_freq;
    a.row = s->shuffle ? a.blocks * a.plane * a.form->m : 0;
    return a;
}

static bool tiles_room(const tt_plan *p, const tt_step *s, size_t *scratch, size_t *shared)
{
    const layout a = layout_of(p, s);
    const ptrdiff_t windows = s->half ? a.form->r * a.form->r * a.block * a.group * a.block : 0; /* of a part, widened */
    const ptrdiff_t tiles = a.v_size + a.m_size + a.form->m * a.row;
    *scratch = (size_t)(windows > tiles ? windows : tiles);
    return tt_mul((size_t)a.u_size, (size_t)a.groups_a_round, shared);
}

static tt_work tiles_work(const tt_plan *p, const tt_step *s)
{
    const tt_way *w = tt_way_of(p, s);
    const int m = tt_wino_forms[w->form].m, r = s->shuffle ? s->shuffle : 1;
    return (tt_work){.bands = (tt_conv_extent(p, s).h + w->before + m - 1) / m, .units = 1, .tall = m * r,
                     .before = w->before * r};
}

static int tiles_rounds(const tt_plan *p, const tt_step *s)
{
    const layout a = layout_of(p, s);
    return (a.groups + a.groups_a_round - 1) / a.groups_a_round;
}

/* The groups first..end-1 of a round. */
static int first_group(const layout *a, const tt_share *share)
{
    return share->round * a->groups_a_round;
}
static int end_group(const layout *a, const tt_share *share)
{
    const int end = first_group(a, share) + a->groups_a_round;
    return end < a->groups ? end : a->groups;
}

/* Blocks of outputs of a group: all have as many but the last. */
static int outputs_of(const layout *a, int group)
{
    const int left = a->blocks - group * a->group;
    return left < a->group ? left : a->group;
}

/* ---- weights ---------------------------------------------------------------------------------------- */

static int tiles_early(const tt_plan *p, const tt_step *s, const tt_share *share)
{
    const layout a = layout_of(p, s);
    return (end_group(&a, share) - first_group(&a, share)) * a.planes;
}

/* One block of input channels, one group of outputs. */
static void tiles_early_part(const tt_plan *p, const tt_step *s, const tt_share *share, int part, int thread)
{
    const layout a = layout_of(p, s);
    const tt_taps_class *c = &s->taps[0];
    const int plane = part % a.planes, group = first_group(&a, share) + part / a.planes;
    const int lanes = outputs_of(&a, group) * a.block, window = a.form->r * a.form->r, count = c->plane_count[plane];
    float *scratch = p->scratch + (size_t)thread * p->scratch_floats;
    ptrdiff_t before = 0;
    for (int i = 0; i < plane; i++)
        before += c->plane_count[i];
    const ptrdiff_t at = c->taps * group * a.group * a.block + before * window * lanes;
    if (s->half)
        s->widen(scratch, s->half + c->at + at, (size_t)(window * count * lanes));
    p->net->k.wino_weights(&(tt_wino_weights){
        .form = a.way.form,
        .count = count,
        .lanes = lanes,
        .w = s->half ? scratch : c->weights + at,
        .u = p->shared + a.u_size * (part / a.planes) + before * lanes,
        .u_freq = freq_of_u(&a, lanes),
    });
}

/* ---- tiles ------------------------------------------------------------------------------------------ */

/* Tiles of a block: no more than the scratch holds, and few enough for every thread to get some. */
static int block_tiles(const layout *a, const tt_share *share)
{
    enum { BLOCKS_A_THREAD = 6 };
    const int tiles = (share->to - share->from) * a->across, even = tiles / (BLOCKS_A_THREAD * share->threads);
    const int some = even < STEP_TILES ? STEP_TILES : even / STEP_TILES * STEP_TILES;
    return share->threads == 1 || some > a->most ? a->most : some;
}

static int tiles_parts(const tt_plan *p, const tt_step *s, const tt_share *share)
{
    const layout a = layout_of(p, s);
    const int most = block_tiles(&a, share);
    return ((share->to - share->from) * a.across + most - 1) / most;
}

/* Tiles of a block that lie beside each other: the first is number `at` of the block, and in its band `tile`. */
typedef struct run {
    int at, tiles, band, tile;
} run;

static run next_run(const layout *a, const tt_share *share, int first, int at, int tiles)
{
    const int i = first + at, left = a->across - i % a->across;
    return (run){at, tiles - at < left ? tiles - at : left, share->from + i / a->across, i % a->across};
}

static void transform_inputs(const tt_plan *p, const tt_step *s, const layout *a, const run *r, float *v)
{
    const float *top[TT_WINO_MOST], *row[TT_WINO_MOST];
    ptrdiff_t plane[TT_WINO_MOST];
    const int y = r->band * a->form->m - a->way.before - s->node->pad;
    v += r->at * a->block;
    for (int piece = 0; piece < s->pieces; piece++) {
        const tt_value *in = &p->value[s->in[piece].value];
        for (int i = 0; i < a->form->n; i++)
            top[i] = tt_conv_input(p, s, piece, y + i, &plane[i]);
        for (int b = 0; b * a->block < s->in[piece].channels; b++, v += a->plane) {
            for (int i = 0; i < a->form->n; i++)
                row[i] = top[i] + b * plane[i];
            p->net->k.wino_input(&(tt_wino_input){
                .form = a->way.form,
                .tiles = r->tiles,
                .block = a->block,
                .row = row,
                .x0 = r->tile * a->form->m - a->way.before - s->node->pad,
                .w = in->w - 2 * s->in[piece].crop,
                .replicate = s->node->replicate,
                .v = v,
                .v_freq = a->v_freq,
            });
        }
    }
}

/* The columns of a run that exist. */
static int first_column(const layout *a, const run *r)
{
    const int x = r->tile * a->form->m - a->way.before;
    return x < 0 ? 0 : x;
}
static int end_column(const layout *a, const run *r)
{
    const int x = (r->tile + r->tiles) * a->form->m - a->way.before;
    return x < a->out.w ? x : a->out.w;
}

/* A group's outputs of a run, into the result, or before a pixel shuffle into `rows`. */
static void transform_outputs(const tt_plan *p, const tt_step *s, const layout *a, const run *r, int group, const float *m,
                              float *rows)
{
    rows += r->at * a->form->m * a->block;
    const tt_value *v = &p->value[s->out];
    const int first = group * a->group, to = first + outputs_of(a, group);
    const int x0 = first_column(a, r), x1 = end_column(a, r), y = r->band * a->form->m - a->way.before;
    float *dst[TT_WINO_MOST];
    const float *add[2][TT_WINO_MOST];
    tt_wino_output o = {.form = a->way.form, .tiles = r->tiles, .outputs = to - first, .block = a->block,
                        .m = m + r->at * a->block, .m_freq = a->m_freq, .m_plane = a->plane,
                        .x0 = r->tile * a->form->m - a->way.before, .w = a->out.w, .bias = s->bias + first * a->block,
                        .act = s->node->act, .slope = s->slopes + first * a->block, .dst = dst};
    for (int i = 0; i < a->form->m; i++) {
        const bool exists = y + i >= 0 && y + i < a->out.h;
        if (s->shuffle)
            dst[i] = exists ? rows + i * a->row + first * (a->plane * a->form->m) : NULL;
        else
            dst[i] = exists ? tt_row(p, v, y + i) + first * v->plane : NULL;
        for (int j = 0; j < s->adds && !s->shuffle && exists; j++)
            add[j][i] = tt_piece_row(p, s->add[j], y + i) + first * p->value[s->add[j].value].plane;
    }
    if (s->shuffle) { /* columns are counted from the run's first */
        o.x0 -= x0;
        o.w = x1 - x0;
        o.dst_plane = a->plane * a->form->m;
    } else {
        o.dst_plane = v->plane;
        o.clamp = s->clamp;
        o.lo = s->lo;
        o.hi = s->hi;
        for (int j = 0; j < s->adds; j++) {
            o.add[j] = add[j];
            o.add_plane[j] = p->value[s->add[j].value].plane;
            o.scale[j] = s->scale[j];
        }
    }
    p->net->k.wino_output(&o);
    for (int i = 0; i < a->form->m && !s->shuffle; i++)
        if (dst[i])
            tt_conv_close(p, s, y + i, x0, x1, first, to);
}

static void shuffle_outputs(const tt_plan *p, const tt_step *s, const layout *a, const run *r, const float *rows)
{
    rows += r->at * a->form->m * a->block;
    const int y = r->band * a->form->m - a->way.before;
    for (int i = 0; i < a->form->m; i++)
        if (y + i >= 0 && y + i < a->out.h)
            tt_conv_shuffle(p, s, y + i, first_column(a, r), end_column(a, r), rows + i * a->row, a->plane * a->form->m);
}

static void tiles_part(const tt_plan *p, const tt_step *s, const tt_share *share, int part, int thread)
{
    const layout a = layout_of(p, s);
    const int most = block_tiles(&a, share), first = part * most, all = (share->to - share->from) * a.across;
    const int tiles = all - first < most ? all - first : most;
    float *v = p->scratch + (size_t)thread * p->scratch_floats, *m = v + a.v_size, *rows = m + a.m_size;
    run r;
    for (int at = 0; at < tiles; at += r.tiles) {
        r = next_run(&a, share, first, at, tiles);
        transform_inputs(p, s, &a, &r, v);
    }
    for (int g = first_group(&a, share); g < end_group(&a, share); g++) {
        const int outputs = outputs_of(&a, g);
        p->net->k.wino_product(&(tt_wino_product){
            .form = a.way.form,
            .tiles = tiles,
            .outputs = outputs,
            .block = a.block,
            .planes = a.planes,
            .count = s->taps[0].plane_count,
            .u = p->shared + a.u_size * (g - first_group(&a, share)),
            .v = v,
            .m = m,
            .u_freq = freq_of_u(&a, outputs * a.block),
            .v_freq = a.v_freq,
            .v_plane = a.plane,
            .m_freq = a.m_freq,
            .m_plane = a.plane,
        });
        for (int at = 0; at < tiles; at += r.tiles) {
            r = next_run(&a, share, first, at, tiles);
            transform_outputs(p, s, &a, &r, g, m, rows);
            if (s->shuffle && g == a.groups - 1)
                shuffle_outputs(p, s, &a, &r, rows);
        }
    }
}

const tt_op_def tt_op_tiles = {.word = "conv",
                               .room = tiles_room,
                               .work = tiles_work,
                               .rounds = tiles_rounds,
                               .parts = tiles_parts,
                               .part = tiles_part,
                               .early = tiles_early,
                               .early_part = tiles_early_part};
