/*
 * Matrix products of GPUs, through local memory. A group of 128 items makes MANY or FEW columns (pixels, positions) of as
 * many blocks of outputs as its row of the table below says, an item `its` columns of `own` blocks, in registers. Of what
 * is summed over, STAGED vectors of one and of the other factor an item are brought into local memory at a time; the next
 * are on their way into registers meanwhile, so nobody waits for global memory but at the beginning.
 *
 *             columns  blocks of outputs  an item's      blocks of LANES summed over at a time
 *     large   128      16                 8 columns x 2  2
 *     small   64       8                  4 columns x 1  4, for launches that would otherwise leave units idle
 *
 * Neighbours in a group of 32 items read local memory side by side: LINE items have columns beside each other, and those
 * with the same column the same vector. An item's own columns lie LINE * (a power of 2) apart.
 * A sum has the same order in both, and in conv_direct(): the same bits.
 */
#if LANES == 4 && !defined NO_PRODUCTS
#define GROUP 128
#define LINE 8
#define STAGED 2                          /* vectors of columns that an item brings; of the other factor it brings one */
#define COLUMNS_STAGED (GROUP * STAGED)   /* [block][column] */
/* a buffer: [block][column], then [block][lane][output block], rows of which are one longer: fewer bank conflicts */
#define BUFFER(wide) (COLUMNS_STAGED + GROUP + GROUP / (wide))
#define LOCAL_VECTORS 1024                /* two buffers; later what an item has made, a block of outputs at a time */

/* What both have: constants once inlined. */
#define WIDE (large ? 16 : 8)             /* blocks of outputs of a group */
#define COLUMNS (large ? 128 : 64)
#define OWN_COLUMNS (large ? 8 : 4)
#define OWN_BLOCKS (large ? 2 : 1)
#define DEEP (large ? 2 : 4)              /* blocks summed over at a time */
/* Loops over what is an item's own: bounds are numbers, or compilers unroll them too late to keep arrays in registers. */
#define EACH_COLUMN(p) _Pragma("unroll") for (int p = 0; p < 8; p++) if (p < OWN_COLUMNS)
#define EACH_BLOCK(j) _Pragma("unroll") for (int j = 0; j < 2; j++) if (j < OWN_BLOCKS)
#define EACH_DEEP(b) _Pragma("unroll") for (int b = 0; b < 4; b++) if (b < DEEP)
#define COLUMN_GROUPS 16                  /* items whose columns lie beside each other */
#define BLOCK_GROUPS 8

typedef struct seat {
    int column, block; /* the first of its own in the group */
    int brings;        /* the column it brings ... */
    int deep;          /* ... of blocks from this on */
    int lane, output;  /* of the other factor: which */
} seat;

ALWAYS_INLINE seat take_seat(const int large)
{
    const int i = (int)get_local_id(0);
    seat s;
    s.column = (i & (LINE - 1)) + (i >> 5 & 1) * LINE;
    s.block = (i >> 3 & 3) + (i >> 6) * 4;
    s.brings = i & (COLUMNS - 1);
    s.deep = large ? 0 : (i >> 6) * STAGED;
    s.lane = i & (4 * DEEP - 1);
    s.output = large ? i >> 3 : i >> 4;
    return s;
}

ALWAYS_INLINE void put_staged(__local vec *buffer, const seat *s, const vec *columns, vec weight, const int large)
{
#pragma unroll
    for (int n = 0; n < STAGED; n++)
        buffer[(s->deep + n) * COLUMNS + s->brings] = columns[n];
    buffer[COLUMNS_STAGED + s->lane * (WIDE + 1) + s->output] = weight;
}

#define ONE_LANE(l, part)                                                                                              \
    {                                                                                                                  \
        vec w[2];                                                                                                      \
        EACH_BLOCK(j)                                                                                                  \
            w[j] = others[(4 * b + l) * (WIDE + 1) + j * BLOCK_GROUPS];                                                \
        EACH_COLUMN(p)                                                                                                 \
            EACH_BLOCK(j)                                                                                              \
                acc[j][p] = MULADD((vec)(v[p].part), w[j], acc[j][p]);                                                 \
    }

ALWAYS_INLINE void add_products(vec acc[2][8], __local const vec *buffer, const seat *s, const int large)
{
    __local const vec *others = buffer + COLUMNS_STAGED + s->block;
    EACH_DEEP(b) {
        vec v[8];
        EACH_COLUMN(p)
            v[p] = buffer[b * COLUMNS + p * COLUMN_GROUPS + s->column];
        ONE_LANE(0, x)
        ONE_LANE(1, y)
        ONE_LANE(2, z)
        ONE_LANE(3, w)
    }
}

/* Where block after block of a list of pieces lies for one pixel. Blocks only go up. */
typedef struct walk {
    int piece, begins, ends; /* the blocks of this piece */
    int at, plane;           /* the pixel in its first block */
} walk;

ALWAYS_INLINE void enter(walk *w, __global const int *t, int y, int x)
{
    __global const int *piece = t + CONV_PIECE + PIECE_INTS * w->piece;
    w->begins = w->ends;
    w->ends += (piece[3] + LANES - 1) / LANES;
    w->at = place(piece, 0, y, x);
    w->plane = piece[2];
}

ALWAYS_INLINE vec fetch_block(walk *w, ARGUMENTS, int b, int y, int x)
{
    __global const int *t = table + at;
    while (b >= w->ends) {
        if (w->piece + 1 >= t[CONV_PIECES])
            return (vec)(0.0f);
        w->piece++;
        enter(w, t, y, x);
    }
    return GET(in, w->at + (b - w->begins) * w->plane);
}

/*
 * One factor after the other through two buffers, `deep` lanes summed over in all: FETCH(k) brings into columns[] and
 * weight what this item stages of those from k on.
 */
#define SUM_OF_PRODUCTS(deep, FETCH)                                                                                   \
    for (int k = -4 * DEEP, turn = 0; k < (deep); k += 4 * DEEP, turn = !turn) {                                       \
        const int next = k + 4 * DEEP;                                                                                 \
        if (next < (deep))                                                                                             \
            FETCH(next)                                                                                                \
        if (k >= 0)                                                                                                    \
            add_products(acc, buffer + turn * BUFFER(WIDE), &s, large);                                                \
        if (next < (deep))                                                                                             \
            put_staged(buffer + !turn * BUFFER(WIDE), &s, columns, weight, large);                                     \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
    }

#define FETCH_PIXEL(k)                                                                                                 \
    {                                                                                                                  \
        _Pragma("unroll") for (int n = 0; n < STAGED; n++)                                                             \
            columns[n] = fetch_block(&w, in, out, weights, table, at, first, (k) / 4 + s.deep + n, y, x);              \
        weight = (k) + s.lane < depth ? from[(k) + s.lane] : (vec)(0.0f);                                              \
    }

/* Linear layers and other convolutions of 1x1 without padding, of any stride. Columns are pixels, row after row. */
ALWAYS_INLINE void conv1_product(ARGUMENTS, __local vec *buffer, const int large)
{
    __global const int *t = table + at;
    const int n0 = ((int)get_group_id(1) + first) * COLUMNS, o0 = (int)get_group_id(2) * WIDE;
    const int all = t[ROWS] * t[COLS], last = t[BLOCKS] - 1, depth = t[CONV_WEIGHTS_STEP];
    const seat s = take_seat(large);
    int x, y = divide(min(n0 + s.brings, all - 1), t[COLS], &x);
    y *= t[CONV_STRIDE];
    x *= t[CONV_STRIDE];
    walk w = {0, 0, 0, 0, 0};
    enter(&w, t, y, x);
    __global const vec *from = weights + t[CONV_WEIGHTS] + min(o0 + s.output, last) * depth;
    vec acc[2][8], columns[STAGED], weight;
    EACH_BLOCK(j)
        EACH_COLUMN(p)
            acc[j][p] = weights[t[CONV_BIAS] + min(o0 + s.block + j * BLOCK_GROUPS, last)];
    SUM_OF_PRODUCTS(depth, FETCH_PIXEL)
    /* Through local memory, a block at a time, each item its own: what ends a convolution is long, and stands here once. */
    EACH_BLOCK(j) {
        const int o = o0 + s.block + j * BLOCK_GROUPS;
        EACH_COLUMN(p)
            buffer[p * GROUP + (int)get_local_id(0)] = acc[j][p];
#pragma unroll 1
        for (int p = 0; p < OWN_COLUMNS; p++) {
            const int n = n0 + p * COLUMN_GROUPS + s.column;
            if (n < all && o <= last) {
                int to_x;
                const int to_y = divide(n, t[COLS], &to_x);
                conv_finish(in, out, weights, table, at, first, buffer[p * GROUP + (int)get_local_id(0)], o, to_y, to_x);
            }
        }
    }
}

/* Four scores of a column, one below the other. */
ALWAYS_INLINE vec fetch_scores(__global const float *s, int i, int n, int chunk)
{
    s += (size_t)i * chunk;
    return (vec)(i < n ? s[0] : 0.0f, i + 1 < n ? s[chunk] : 0.0f, i + 2 < n ? s[2 * (size_t)chunk] : 0.0f,
                 i + 3 < n ? s[3 * (size_t)chunk] : 0.0f);
}

#define FETCH_SCORES(k)                                                                                                \
    {                                                                                                                  \
        _Pragma("unroll") for (int i = 0; i < STAGED; i++)                                                             \
            columns[i] = fetch_scores(scores, (k) + 4 * (s.deep + i), n, chunk);                                       \
        weight = (vec)(0.0f);                                                                                          \
        if ((k) + s.lane < n)                                                                                          \
            weight = GET(in, position(t + ATTEND_OTHER, width, (k) + s.lane) + block);                                  \
    }

/* weigh (kernels/cl/attend.cl): columns are positions j of the chunk, summed over are all positions i. */
ALWAYS_INLINE void weigh_product(ARGUMENTS, __local vec *buffer, const int large)
{
    __global const int *t = table + at;
    const int n = t[ATTEND_POSITIONS], chunk = t[ATTEND_CHUNK], width = t[IN_W], last = t[BLOCKS] - 1;
    const int j0 = ((int)get_group_id(1) + first) * COLUMNS, o0 = (int)get_group_id(2) * WIDE;
    const seat s = take_seat(large);
    __global const float *scores = FLOATS(in, t[X]) + min(j0 + s.brings, chunk - 1);
    const int block = min(o0 + s.output, last) * t[ATTEND_OTHER + 2];
    vec acc[2][8], columns[STAGED], weight;
    EACH_BLOCK(j)
        EACH_COLUMN(p)
            acc[j][p] = (vec)(0.0f);
    SUM_OF_PRODUCTS(n, FETCH_SCORES)
    EACH_COLUMN(p) {
        const int j = j0 + p * COLUMN_GROUPS + s.column;
        const int to = position(t + OUT, width, t[ATTEND_FIRST] + min(j, chunk - 1));
        EACH_BLOCK(b)
            if (j < chunk && o0 + s.block + b * BLOCK_GROUPS <= last)
                PUT(out, to + (o0 + s.block + b * BLOCK_GROUPS) * t[OUT + 2], acc[b][p]);
    }
}

__kernel GROUPS_OF(GROUP) void conv1_large(ARGUMENTS, __local vec *buffer)
{
    conv1_product(in, out, weights, table, at, first, buffer, 1);
}
__kernel GROUPS_OF(GROUP) void conv1_small(ARGUMENTS, __local vec *buffer)
{
    conv1_product(in, out, weights, table, at, first, buffer, 0);
}
__kernel GROUPS_OF(GROUP) void weigh_large(ARGUMENTS, __local vec *buffer)
{
    weigh_product(in, out, weights, table, at, first, buffer, 1);
}
__kernel GROUPS_OF(GROUP) void weigh_small(ARGUMENTS, __local vec *buffer)
{
    weigh_product(in, out, weights, table, at, first, buffer, 0);
}
#endif
