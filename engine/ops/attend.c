/*
 * Attention over all N positions of a map without its N x N matrix (kernels/kernels.h, "attention"; Zhang et
 * al., "Self-Attention Generative Adversarial Networks", 2019, figure 2).
 *
 * Both matrix products are run by the convolution kernel. A tile is TILE positions j; they are its pixels:
 *
 *     scores   s[i][j] = sum over c of q[c][i] * k[c][j]    q is the weights: outputs are positions i, taps
 * channels result   o[c][j] = sum over i of v[c][i] * e[i][j]    v is the weights: outputs are channels, taps
 * positions
 *
 * q and v are packed once for all tiles. Positions i come in chunks of CHUNK, whose scores stay in the cache.
 * All chunks are gone through twice: first for the largest score of each j, then for e = exp(s - largest),
 * its sum and the products. That costs the scores a second time (an eighth of the products), and in return
 * nothing that was summed has to be scaled again. A tile belongs to one thread, and its sums go through the
 * positions in order.
 */
#include "engine/alloc.h"
#include "engine/ops/ops.h"

#include <math.h>
#include <string.h>

enum { TILE = 48, CHUNK = 256 }; /* eight tiles of pixels of the kernel; whole groups for every table */

/* The shapes of one step, and where its parts lie. Counts of positions and channels are padded to whole
 * blocks. */
typedef struct shape {
    const tt_kernels *k;
    const tt_value *q, *key, *v, *out;
    int positions, scored, channels; /* N, C', C */
    size_t padded_positions, padded_channels, padded_scored;
    /* shared */
    float *packed_q; /* as conv weights, chunk after chunk */
    float *packed_v;
    float *zeros; /* a bias */
} shape;

static shape shape_of(const tt_plan *p, const tt_step *s)
{
    shape a = {.k = &p->net->k,
               .q = &p->value[s->in[0].value],
               .key = &p->value[s->in[1].value],
               .v = &p->value[s->in[2].value],
               .out = &p->value[s->out]};
    const size_t block = (size_t)a.k->block;
    a.positions = a.out->h * a.out->w;
    a.scored = a.q->c;
    a.channels = a.v->c;
    a.padded_positions = tt_round_up((size_t)a.positions, block);
    a.padded_channels = tt_round_up((size_t)a.channels, block);
    a.padded_scored = tt_round_up((size_t)a.scored, block);
    if (p->shared) {
        a.packed_q = p->shared;
        a.packed_v = a.packed_q + tt_round_up(a.padded_positions * (size_t)a.scored, 16);
        a.zeros = a.packed_v + tt_round_up(a.padded_positions * a.padded_channels, 16);
    }
    return a;
}

static bool attend_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    int positions;
    return tt_size_same(n, in, out) && !__builtin_mul_overflow(in[0].h, in[0].w, &positions) &&
           positions < INT32_MAX - CHUNK;
}

static void attend_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    (void)n;
    *out = in[0];
    out->global = true;
}

/* The two products; in_channels are those of query, key and value. */
static double attend_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    const double positions = (double)in.h * in.w;
    (void)out;
    return 2 * positions * positions * ((in_channels - n->channels) / 2 + n->channels);
}

static size_t most_outputs(const shape *a)
{
    return a->padded_channels > CHUNK ? a->padded_channels : CHUNK;
}

static bool attend_room(const tt_plan *p, const tt_step *s, size_t *scratch, size_t *shared)
{
    const shape a = shape_of(p, s);
    size_t q, v;
    /* sums in double, largest, key, scores, result */
    *scratch = TILE * (2 * (size_t)a.k->block + 1 + a.padded_scored + CHUNK + a.padded_channels);
    return tt_mul(a.padded_positions, (size_t)a.scored, &q) &&
           tt_mul(a.padded_positions, a.padded_channels, &v) && tt_add(q, v, shared) &&
           tt_add(*shared, most_outputs(&a) + 64, shared);
}

/* ---- packing ---------------------------------------------------------------------------------------- */

/*
 * Where in weights [group][tap][blocks of the group * block] of `outputs` output blocks the lanes of a block
 * stand for tap 0; *step is the distance to the next tap.
 */
static float *weights_of(const shape *a, float *packed, int outputs, int taps, int block, ptrdiff_t *step)
{
    const int group = a->k->group, lanes = a->k->block, first = block / group * group;
    const int blocks = outputs - first < group ? outputs - first : group;
    *step = (ptrdiff_t)blocks * lanes;
    return packed + (ptrdiff_t)first * lanes * taps + (ptrdiff_t)(block - first) * lanes;
}

/* Positions in the chunk that begins at `first`, and those rounded up to blocks. */
static int chunk_count(const shape *a, int first)
{
    return a->positions - first < CHUNK ? a->positions - first : CHUNK;
}
static int chunk_blocks(const shape *a, int first)
{
    return (chunk_count(a, first) + a->k->block - 1) / a->k->block;
}

/* Position i into the weights; past the last one zeros. x is its pixel in plane 0 of q and of v. */
static void pack_position(const shape *a, int i, const float *q, const float *v)
{
    const int lanes = a->k->block, first = i / CHUNK * CHUNK, at = i - first,
              taps = chunk_blocks(a, first) * lanes;
    const int blocks = (int)(a->padded_channels / (size_t)lanes);
    ptrdiff_t step;
    float *to = weights_of(a, a->packed_q + (ptrdiff_t)first * a->scored, chunk_blocks(a, first), a->scored,
                           at / lanes, &step) +
                at % lanes;
    for (int c = 0; c < a->scored; c++)
        to[c * step] = q ? q[c / a->q->b * a->q->plane + c % a->q->b] : 0;
    for (int b = 0; b < blocks; b++) {
        to = weights_of(a, a->packed_v + (size_t)first * a->padded_channels, blocks, taps, b, &step) +
             at * step;
        const int real = a->channels - b * lanes < lanes ? a->channels - b * lanes : lanes;
        for (int l = 0; l < lanes; l++) {
            const int c = b * lanes + l;
            to[l] = v && l < real ? v[c / a->v->b * a->v->plane + c % a->v->b] : 0;
        }
    }
}

static int attend_early(const tt_plan *p, const tt_step *s, const tt_share *all)
{
    (void)all;
    return p->value[s->out].h;
}

static void attend_early_part(const tt_plan *p, const tt_step *s, const tt_share *all, int y, int thread)
{
    (void)all;
    (void)thread;
    const shape a = shape_of(p, s);
    const int w = a.out->w;
    if (y == 0)
        memset(a.zeros, 0, most_outputs(&a) * sizeof *a.zeros);
    const float *q = tt_piece_row(p, s->in[0], y), *v = tt_piece_row(p, s->in[2], y);
    for (int x = 0; x < w; x++)
        pack_position(&a, y * w + x, q + (ptrdiff_t)x * a.q->b, v + (ptrdiff_t)x * a.v->b);
    for (int i = a.positions; y == a.out->h - 1 && i < (int)a.padded_positions; i++)
        pack_position(&a, i, NULL, NULL);
}

/* ---- tiles ------------------------------------------------------------------------------------------ */

typedef struct tile {
    int first, n; /* positions j */
    double *sum;  /* [TILE][block] */
    float *most;  /* [TILE] */
    float *key;   /* blocked, planes of TILE pixels */
    float *score, *result;
    const float *key_seg[TT_MOST_SCORED / TT_BLOCK_LEAST], *score_seg[CHUNK / TT_BLOCK_LEAST];
    int key_count[TT_MOST_SCORED / TT_BLOCK_LEAST], score_count[CHUNK / TT_BLOCK_LEAST];
} tile;

static tt_work attend_work(const tt_plan *p, const tt_step *s)
{
    const tt_value *v = &p->value[s->out];
    return (tt_work){.bands = (v->h * v->w + TILE - 1) / TILE, .units = 1};
}

static void open_tile(const tt_plan *p, const tt_step *s, const shape *a, int index, int thread, tile *t)
{
    const int block = a->k->block, w = a->out->w;
    const ptrdiff_t plane = (ptrdiff_t)TILE * block;
    t->first = index * TILE;
    t->n = a->positions - t->first < TILE ? a->positions - t->first : TILE;
    float *room = p->scratch + (size_t)thread * p->scratch_floats;
    t->sum = (double *)room; /* the scratch begins on 64 bytes */
    t->key = room + 2 * plane;
    t->score = t->key + TILE * a->padded_scored;
    t->result = t->score + TILE * CHUNK;
    t->most = t->result + TILE * a->padded_channels;
    memset(t->sum, 0, (size_t)plane * sizeof *t->sum);
    memset(t->key, 0, TILE * a->padded_scored * sizeof *t->key);
    memset(t->result, 0, TILE * a->padded_channels * sizeof *t->result);
    for (int j = 0; j < t->n; j++) {
        const int y = (t->first + j) / w, x = (t->first + j) % w;
        const float *from = tt_piece_row(p, s->in[1], y) + (ptrdiff_t)x * a->key->b;
        t->most[j] = -INFINITY;
        for (int c = 0; c < a->scored; c++)
            t->key[c / block * plane + (ptrdiff_t)j * block + c % block] =
                from[c / a->key->b * a->key->plane + c % a->key->b];
    }
    for (int c = 0; c < a->scored; c += block) {
        t->key_seg[c / block] = t->key + c / block * plane;
        t->key_count[c / block] = a->scored - c < block ? a->scored - c : block;
    }
    for (int i = 0; i < CHUNK / block; i++) {
        t->score_seg[i] = t->score + i * plane;
        t->score_count[i] = block;
    }
}

/* What both products have in common. */
static tt_conv_row product(const shape *a, const tile *t, float *dst)
{
    return (tt_conv_row){.n = t->n,
                         .step = a->k->block,
                         .bias = a->zeros,
                         .dst = dst,
                         .dst_plane = (ptrdiff_t)TILE * a->k->block,
                         .dst_step = a->k->block,
                         .block = a->k->block,
                         .group = a->k->group};
}

static void scores(const shape *a, const tile *t, int first)
{
    tt_conv_row r = product(a, t, t->score);
    r.outputs = chunk_blocks(a, first);
    r.segments = (a->scored + a->k->block - 1) / a->k->block;
    r.seg = t->key_seg;
    r.count = t->key_count;
    r.weights = a->packed_q + (ptrdiff_t)first * a->scored;
    a->k->conv(&r);
}

static void results(const shape *a, const tile *t, int first)
{
    tt_conv_row r = product(a, t, t->result);
    r.outputs = (int)(a->padded_channels / (size_t)a->k->block);
    r.segments = chunk_blocks(a, first);
    r.seg = t->score_seg;
    r.count = t->score_count;
    r.weights = a->packed_v + (size_t)first * a->padded_channels;
    r.add[0] = t->result; /* what the chunks before gave */
    r.add_plane[0] = r.dst_plane;
    r.add_step[0] = r.dst_step;
    r.scale[0] = 1;
    a->k->conv(&r);
}

/* The result of position j, each channel over the sum of its weights. */
static void close_position(const tt_plan *p, const shape *a, const tile *t, int j)
{
    const int block = a->k->block, w = a->out->w, y = (t->first + j) / w, x = (t->first + j) % w;
    const ptrdiff_t plane = (ptrdiff_t)TILE * block;
    float *to = tt_row(p, a->out, y) + (ptrdiff_t)x * a->out->b;
    double sum = 0;
    for (int l = 0; l < block; l++)
        sum += t->sum[(ptrdiff_t)j * block + l];
    const float share = (float)(1 / sum);
    for (int c = 0; c < a->channels; c++)
        to[c / a->out->b * a->out->plane + c % a->out->b] =
            share * t->result[c / block * plane + (ptrdiff_t)j * block + c % block];
}

static void attend_row(const tt_plan *p, const tt_step *s, int index, int thread)
{
    const shape a = shape_of(p, s);
    const ptrdiff_t plane = (ptrdiff_t)TILE * a.k->block;
    tile t;
    open_tile(p, s, &a, index, thread, &t);
    for (int first = 0; first < a.positions; first += CHUNK) {
        scores(&a, &t, first);
        a.k->scores_max(t.most, t.score, plane, t.n, chunk_count(&a, first), a.k->block);
    }
    for (int first = 0; first < a.positions; first += CHUNK) {
        scores(&a, &t, first);
        a.k->scores_exp(t.score, t.sum, t.most, plane, t.n, chunk_count(&a, first), a.k->block);
        results(&a, &t, first);
    }
    for (int j = 0; j < t.n; j++)
        close_position(p, &a, &t, j);
}

/* Rows are shared by tiles, so their borders come last. */
static void attend_finish(const tt_plan *p, const tt_step *s, int y0, int y1)
{
    for (int y = y0; y < y1; y++)
        tt_row_border(p, &p->value[s->out], y);
}

const tt_op_def tt_op_attend = {.word = "attention",
                                .size = attend_size,
                                .reach = attend_reach,
                                .flops = attend_flops,
                                .room = attend_room,
                                .work = attend_work,
                                .row = attend_row,
                                .early = attend_early,
                                .early_part = attend_early_part,
                                .finish = attend_finish};
