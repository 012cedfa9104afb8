/*
 * Convolution and transposed convolution, with everything fused into them.
 *
 * Both are sums over segments (kernels.h). A convolution has one list of them for all output pixels; the output
 * pixels of a transposed one fall into stride * stride parity classes, each of which is a small convolution of its
 * own with a subset of the window (Dumoulin and Visin, "A guide to convolution arithmetic", 2016, section 4.6).
 */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

/* ---- sizes ---------------------------------------------------------------------------------------- */

static bool conv_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    if (in[0].h + 2 * n->pad < n->k || in[0].w + 2 * n->pad < n->k)
        return false;
    *out = (tt_extent){(in[0].h + 2 * n->pad - n->k) / n->stride + 1, (in[0].w + 2 * n->pad - n->k) / n->stride + 1};
    return true;
}

static void conv_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    out->step = in[0].step * n->stride;
    out->lo -= in[0].step * n->pad;
    out->hi += in[0].step * (n->k - 1 - n->pad);
}

static double conv_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    (void)in;
    return 2.0 * n->k * n->k * in_channels * n->channels * out.h * out.w;
}

static bool deconv_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    int64_t h = (int64_t)(in[0].h - 1) * n->stride - 2 * n->pad + n->k;
    int64_t w = (int64_t)(in[0].w - 1) * n->stride - 2 * n->pad + n->k;
    *out = (tt_extent){(int)h, (int)w};
    return h > 0 && w > 0 && h <= INT32_MAX && w <= INT32_MAX;
}

/* Row y takes rows j with y = j * stride - pad + ky, so j from (y + pad - k + 1) / stride to (y + pad) / stride. */
static void deconv_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    *out = in[0];
    out->step = in[0].step / n->stride;
    out->lo += in[0].step * (n->pad - n->k + 1) / n->stride;
    out->hi += in[0].step * n->pad / n->stride;
}

static double deconv_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    (void)out;
    return 2.0 * n->k * n->k * in_channels * n->channels * in.h * in.w;
}

/* ---- running -------------------------------------------------------------------------------------- */

static int step_in(const tt_node *n)
{
    return n->op == TT_OP_CONV ? n->stride : 1;
}
static int step_out(const tt_node *n)
{
    return n->op == TT_OP_CONV ? 1 : n->stride;
}
tt_extent tt_conv_extent(const tt_plan *p, const tt_step *s)
{
    return p->extent[s->node - p->net->graph->node];
}

void tt_conv_need(const tt_plan *p, const tt_step *s, int piece, int *before, int *behind)
{
    const tt_node *n = s->node;
    const tt_value *v = &p->value[s->in[piece].value];
    const int w = v->w - 2 * s->in[piece].crop, side = step_out(n);
    const int last = (tt_conv_extent(p, s).w - 1) / side * step_in(n); /* input pixel of the last output pixel, at most */
    *before = *behind = 0;
    for (int c = 0; c < s->classes; c++)
        for (int i = 0; i < s->taps[c].segments; i++) {
            const tt_segment *g = &s->taps[c].segment[i];
            if (g->piece != piece)
                continue;
            const int end = last + g->dx + (v->b > 1 ? 0 : g->count - 1);
            if (-g->dx > *before)
                *before = -g->dx;
            if (end - (w - 1) > *behind)
                *behind = end - (w - 1);
        }
}

const float *tt_conv_input(const tt_plan *p, const tt_step *s, int piece, int y, ptrdiff_t *plane)
{
    const tt_value *v = &p->value[s->in[piece].value];
    const int h = v->h - 2 * s->in[piece].crop;
    *plane = v->plane;
    if (y < 0 || y >= h) {
        if (!s->node->replicate) {
            *plane = 0;
            return p->zeros;
        }
        y = y < 0 ? 0 : h - 1;
    }
    return tt_piece_row(p, s->in[piece], y);
}

/* The row that the kernel reads for a segment, at the first output pixel. Zeros are so at every distance. */
static const float *segment_at(const tt_plan *p, const tt_step *s, const tt_segment *g, int y)
{
    ptrdiff_t plane;
    const float *row = tt_conv_input(p, s, g->piece, y + g->dy, &plane);
    return row == p->zeros ? row : row + g->plane * plane + (ptrdiff_t)g->dx * p->value[s->in[g->piece].value].b;
}

/* Columns x0..x1-1, output blocks from..to-1. */
typedef struct area {
    int x0, x1, from, to;
} area;

/* Some pixels of one class of one row: x = x0, x0 + side, ... < part->x1 of row y of the convolution, the outputs of
 * the part (all where the result is narrow). The first pixel of block 0 goes to dst. */
static void run_class(const tt_plan *p, const tt_step *s, int y, int x0, const area *part, float *dst,
                      ptrdiff_t dst_plane, int thread)
{
    const tt_node *n = s->node;
    const tt_kernels *k = &p->net->k;
    const int side = step_out(n), first = part->from;
    const tt_taps_class *c = &s->taps[y % side * side + x0 % side];
    const bool narrow = n->channels <= TT_NARROW_MAX;
    const int b = narrow ? 1 : k->block;
    const float **seg = p->segment + (size_t)thread * (size_t)p->most_segments;
    /* every input of one convolution has the same block, or there would be two steps: see tt_net_new() */
    const ptrdiff_t step = (ptrdiff_t)step_in(n) * p->value[s->in[0].value].b;
    if (part->x1 <= x0)
        return;
    for (int i = 0; i < c->segments; i++)
        seg[i] = segment_at(p, s, &c->segment[i], y / side * step_in(n)) + x0 / side * step;
    tt_conv_row a = {
        .n = (part->x1 - x0 + side - 1) / side,
        .outputs = narrow ? n->channels : part->to - first,
        .segments = c->segments,
        .seg = seg,
        .count = c->count,
        .step = step,
        .weights = (c->weights ? c->weights : p->shared + c->at) + c->taps * first * b,
        .bias = s->bias + first * b,
        .act = n->act,
        .slope = s->slopes + first * b,
        .clamp = s->clamp && !s->shuffle,
        .lo = s->lo,
        .hi = s->hi,
        .dst = dst + first * dst_plane,
        .dst_plane = dst_plane,
        .dst_step = (ptrdiff_t)side * b,
        .block = k->block,
        .group = k->group,
    };
    for (int i = 0; i < s->adds && !s->shuffle; i++) {
        a.add_plane[i] = p->value[s->add[i].value].plane;
        a.add[i] = tt_piece_row(p, s->add[i], y) + first * a.add_plane[i] + (ptrdiff_t)x0 * b;
        a.add_step[i] = (ptrdiff_t)side * b;
        a.scale[i] = s->scale[i];
    }
    (narrow ? k->conv_narrow : k->conv)(&a);
}

static tt_work conv_work(const tt_plan *p, const tt_step *s)
{
    return (tt_work){.bands = tt_conv_extent(p, s).h, .units = 1, .tall = s->shuffle ? s->shuffle : 1};
}

static bool conv_room(const tt_plan *p, const tt_step *s, size_t *scratch, size_t *shared)
{
    *shared = s->halves;
    return !s->shuffle || tt_mul((size_t)tt_conv_extent(p, s).w,
                                 tt_round_up((size_t)s->node->channels, (size_t)p->net->k.block), scratch);
}

/*
 * All outputs of a row are made at once as a rule. But where the weights are larger than the cache and rows are short,
 * each row would wait for the weights to come from memory: there rows of some outputs follow each other, then the others.
 */
enum { CACHE_FLOATS = 1 << 18, SHORT_ROW = 128 };
static int blocks_at_once(const tt_plan *p, const tt_step *s, int all)
{
    const int block = p->net->k.block, group = p->net->k.group;
    const ptrdiff_t taps = s->taps[0].taps;
    if (s->op != TT_OP_CONV || s->shuffle || s->node->channels <= TT_NARROW_MAX ||
        tt_conv_extent(p, s).w >= SHORT_ROW || taps * all * block <= CACHE_FLOATS)
        return all;
    const ptrdiff_t groups = CACHE_FLOATS / (taps * block * group), some = (groups ? groups : 1) * group;
    return some < all ? (int)some : all;
}

static int all_blocks(const tt_plan *p, const tt_step *s)
{
    return (s->node->channels + p->net->k.block - 1) / p->net->k.block;
}

bool tt_conv_rereads(const tt_plan *p, const tt_step *s)
{
    enum { FEW_TILES = 48 }; /* a strip should not transform weights for fewer */
    if (tt_way_of(p, s)->form != TT_WINO_NONE)
        return tt_conv_extent(p, s).w < FEW_TILES * tt_wino_forms[tt_way_of(p, s)->form].m;
    return blocks_at_once(p, s, all_blocks(p, s)) < all_blocks(p, s);
}

/*
 * How rows are divided: `rows` of them a part, and where that leaves threads without work (a strip may have fewer rows than
 * there are threads) columns, too.
 */
typedef struct split {
    int rows, columns, blocks; /* a part */
    int down, across, outputs; /* parts */
    int w, all;
} split;

static split split_rows(const tt_plan *p, const tt_step *s, const tt_share *a)
{
    enum { PARTS_A_THREAD = 4, MOST_ROWS = 16, COLUMNS = 48 /* a multiple of what kernels work in */ };
    const int h = a->to - a->from;
    split d = {.w = tt_conv_extent(p, s).w, .all = all_blocks(p, s)};
    d.blocks = blocks_at_once(p, s, d.all);
    d.outputs = (d.all + d.blocks - 1) / d.blocks;
    const int parts = h * d.outputs, least = PARTS_A_THREAD * a->threads;
    const int wanted = a->threads > 1 && parts < least ? (least + parts - 1) / parts : 1;
    d.columns = ((d.w + wanted - 1) / wanted + COLUMNS - 1) / COLUMNS * COLUMNS;
    d.across = (d.w + d.columns - 1) / d.columns;
    /* neighbouring rows have input rows in common */
    const int rows = d.across > 1 || d.outputs > 1 ? 1 : h / (2 * least);
    d.rows = rows < 1 ? 1 : rows > MOST_ROWS ? MOST_ROWS : rows;
    d.down = (h + d.rows - 1) / d.rows;
    return d;
}

enum { WIDENED = 1 << 14 }; /* at a time */
static int conv_early(const tt_plan *p, const tt_step *s, const tt_share *a)
{
    (void)p;
    (void)a;
    return (int)((s->halves + WIDENED - 1) / WIDENED);
}

static void conv_early_part(const tt_plan *p, const tt_step *s, const tt_share *a, int part, int thread)
{
    (void)a;
    (void)thread;
    const size_t at = (size_t)part * WIDENED, left = s->halves - at;
    s->widen(p->shared + at, s->half + at, left < WIDENED ? left : WIDENED);
}

static int conv_parts(const tt_plan *p, const tt_step *s, const tt_share *a)
{
    const split d = split_rows(p, s, a);
    return d.down * d.across * d.outputs;
}

void tt_conv_close(const tt_plan *p, const tt_step *s, int y, int x0, int x1, int from, int to)
{
    const tt_value *v = &p->value[s->out];
    float *row = tt_row(p, v, y) + (ptrdiff_t)x0 * v->b;
    if (s->norm || s->relu) /* while the row is in the cache */
        tt_affine_row(p, s, row, v->plane, row, x1 - x0, from, to);
    tt_row_edges(p, v, y, from, to, x0 == 0, x1 == v->w);
}

void tt_conv_shuffle(const tt_plan *p, const tt_step *s, int y, int x0, int x1, const float *from, ptrdiff_t plane)
{
    const tt_value *v = &p->value[s->out];
    const int r = s->shuffle;
    for (int dy = 0; dy < r; dy++) {
        tt_shuffle_row a = {.n = x1 - x0, .r = r, .dy = dy, .channels = v->c, .block = p->net->k.block, .db = v->b,
                            .src = from, .src_plane = plane,
                            .dst = tt_row(p, v, y * r + dy) + (ptrdiff_t)x0 * r * v->b, .dst_plane = v->plane};
        if (s->adds) {
            a.add = tt_piece_row(p, s->add[0], y) + (ptrdiff_t)x0 * v->b;
            a.add_plane = p->value[s->add[0].value].plane;
        }
        p->net->k.shuffle(&a);
        tt_row_edges(p, v, y * r + dy, 0, v->planes, x0 == 0, x1 * r == v->w);
    }
}

static void one_row(const tt_plan *p, const tt_step *s, int y, const area *part, int thread)
{
    const tt_value *v = &p->value[s->out];
    const int side = step_out(s->node), x0 = part->x0; /* a multiple of the side */
    if (!s->shuffle) {
        const int from = v->b > 1 ? part->from : 0, to = v->b > 1 ? part->to : v->planes;
        float *row = tt_row(p, v, y) + (ptrdiff_t)x0 * v->b;
        for (int rx = 0; rx < side; rx++)
            run_class(p, s, y, x0 + rx, part, row + (ptrdiff_t)rx * v->b, v->plane, thread);
        tt_conv_close(p, s, y, x0, part->x1, from, to);
        return;
    }
    float *scratch = p->scratch + (size_t)thread * p->scratch_floats;
    const ptrdiff_t plane = (ptrdiff_t)tt_conv_extent(p, s).w * p->net->k.block;
    run_class(p, s, y, x0, part, scratch, plane, thread);
    tt_conv_shuffle(p, s, y, x0, part->x1, scratch, plane);
}

/* Parts of the same outputs follow each other. */
static void conv_part(const tt_plan *p, const tt_step *s, const tt_share *a, int i, int thread)
{
    const split d = split_rows(p, s, a);
    const int x = i % d.across, y = i / d.across % d.down, o = i / d.across / d.down;
    const int end = a->from + (y + 1) * d.rows;
    area one = {x * d.columns, (x + 1) * d.columns, o * d.blocks, (o + 1) * d.blocks};
    one.x1 = one.x1 < d.w ? one.x1 : d.w;
    one.to = one.to < d.all ? one.to : d.all;
    for (int row = a->from + y * d.rows; row < end && row < a->to; row++)
        one_row(p, s, row, &one, thread);
}

#define CONVOLUTION                                                                                                      \
    .pack = tt_conv_pack, .room = conv_room, .work = conv_work, .parts = conv_parts,                 \
    .part = conv_part, .early = conv_early, .early_part = conv_early_part
const tt_op_def tt_op_conv = {
    .word = "conv", .size = conv_size, .reach = conv_reach, .flops = conv_flops, CONVOLUTION};
const tt_op_def tt_op_deconv = {
    .word = "transposed conv", .size = deconv_size, .reach = deconv_reach, .flops = deconv_flops, CONVOLUTION};
