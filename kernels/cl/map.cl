/* Value by value, and values that only move. Twins: kernels/elem.c, kernels/move.c, kernels/unet.c. */

#define POSITION                                                                                                       \
    __global const int *t = table + at;                                                                                \
    const int x = (int)get_global_id(0), y = (int)get_global_id(1) + first, b = (int)get_global_id(2);                 \
    if (x >= t[COLS] || y >= t[ROWS] || b >= t[BLOCKS])                                                                \
        return;

__kernel void map(ARGUMENTS)
{
    POSITION
    vec z = GET(in, place(t + X, b, y, x));
    switch (t[MAP_MODE]) {
    case MODE_ADD:
        z = z + (vec)(NUMBER(MAP_SCALE)) * GET(in, place(t + MAP_Y, b, y, x));
        break;
    case MODE_ACT:
        z = activate(z, t[MAP_ACT], (vec)(NUMBER(MAP_SCALE)));
        break;
    case MODE_CLAMP:
        z = fmin(fmax(z, (vec)(NUMBER(MAP_LO))), (vec)(NUMBER(MAP_HI)));
        break;
    case MODE_GATE:
        z = z * GET(in, place(t + MAP_Y, b, 0, 0));
        break;
    default:
        z = weights[t[MAP_GAIN] + b] * z + weights[t[MAP_SHIFT] + b];
        if (t[MAP_RELU])
            z = relu(z);
    }
    PUT(out, place(t + OUT, b, y, x), z);
}

/* Channel c of pieces side by side; 0 beyond the last. */
static inline float of_pieces(__global const cell *in, __global const int *piece, int pieces, int c, int y, int x)
{
    for (int i = 0; i < pieces; i++, piece += PIECE_INTS) {
        if (c < piece[3])
            return lane_of(in, piece, c, y, x);
        c -= piece[3];
    }
    return 0.0f;
}

__kernel void copy(ARGUMENTS)
{
    POSITION
    const size_t to = (size_t)place(t + OUT, b, y, x) * LANES;
    for (int l = 0; l < LANES; l++)
        PUT1(out, to + l, of_pieces(in, t + COPY_PIECE, t[COPY_PIECES], b * LANES + l, y, x));
}

/* Planes of floats, as the host has them, to a map and back; BLOCKS of store counts channels. Maps that could not hold a
 * value are not-a-number all over. */
__kernel void load(ARGUMENTS)
{
    POSITION
    __global const float *from = FLOATS(in, t[X]);
    const size_t to = (size_t)place(t + OUT, b, y, x) * LANES;
    for (int l = 0; l < LANES; l++) {
        const int c = b * LANES + l;
        PUT1(out, to + l, c < t[LOAD_CHANNELS] ? from[((size_t)c * t[ROWS] + y) * t[COLS] + x] : 0.0f);
    }
}

__kernel void store(ARGUMENTS)
{
    POSITION
    FLOATS(out, t[OUT])[((size_t)b * t[ROWS] + y) * t[COLS] + x] =
        MARKED(in) ? NAN : of_pieces(in, t + COPY_PIECE, t[COPY_PIECES], b, y, x);
}

__kernel void nearest(ARGUMENTS)
{
    POSITION
    const int r = t[MOVE_R];
    PUT(out, place(t + OUT, b, y, x), GET(in, place(t + X, b, y / r, x / r)));
}

/* Shi et al. 2016, equation 4; plus, where wanted, the nearest neighbour of a small map. */
__kernel void shuffle_up(ARGUMENTS)
{
    POSITION
    const int r = t[MOVE_R];
    int dy, dx;
    const int from_y = divide(y, r, &dy), from_x = divide(x, r, &dx), k = dy * r + dx;
    const size_t to = (size_t)place(t + OUT, b, y, x) * LANES;
    for (int l = 0; l < LANES; l++) {
        const int c = b * LANES + l;
        float z = 0.0f;
        if (c < t[MOVE_CHANNELS]) {
            z = lane_of(in, t + X, c * r * r + k, from_y, from_x);
            if (t[MOVE_ADDS])
                z += lane_of(in, t + MOVE_ADD, c, from_y, from_x);
        }
        PUT1(out, to + l, z);
    }
}

__kernel void shuffle_down(ARGUMENTS)
{
    POSITION
    const int r = t[MOVE_R];
    const size_t to = (size_t)place(t + OUT, b, y, x) * LANES;
    for (int l = 0; l < LANES; l++) {
        const int k = b * LANES + l;
        int dy, dx;
        const int c = divide(divide(k, r, &dx), r, &dy);
        PUT1(out, to + l, k < t[MOVE_CHANNELS] ? lane_of(in, t + X, c, y * r + dy, x * r + dx) : 0.0f);
    }
}

/* Position i of 0..n-1 continued by mirrors at the first and the last. */
static inline int reflected(int i, int n)
{
    if (n == 1)
        return 0;
    i %= 2 * n - 2;
    return i < n ? i : 2 * n - 2 - i;
}

__kernel void reflect(ARGUMENTS)
{
    POSITION
    PUT(out, place(t + OUT, b, y, x), GET(in, place(t + X, b, reflected(y, t[IN_H]), reflected(x, t[IN_W]))));
}

/* 3x3 maximum of stride 2; outside is the edge. */
__kernel void pool(ARGUMENTS)
{
    POSITION
    vec z = GET(in, place(t + X, b, 2 * y, 2 * x));
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            z = fmax(z, GET(in, place(t + X, b, clamp(2 * y + dy, 0, t[IN_H] - 1), clamp(2 * x + dx, 0, t[IN_W] - 1))));
    PUT(out, place(t + OUT, b, y, x), z);
}

/* The mean of 2x2 pixels that end at the pixel. */
__kernel void blur(ARGUMENTS)
{
    POSITION
    const int above = max(y - 1, 0), left = max(x - 1, 0);
    const vec top = GET(in, place(t + X, b, above, left)) + GET(in, place(t + X, b, above, x));
    PUT(out, place(t + OUT, b, y, x),
        (vec)(0.25f) * (top + GET(in, place(t + X, b, y, left)) + GET(in, place(t + X, b, y, x))));
}

/*
 * The mean over a map. There are no doubles: each sum carries what it lost (Neumaier, "Rundungsfehleranalyse einiger
 * Verfahren zur Summation endlicher Summen", 1974; the branch is not needed: the sum is the larger but once or twice).
 */
typedef struct long_sum {
    vec sum, lost;
} long_sum;

static inline void add_to(long_sum *s, vec z)
{
    const vec now = s->sum + z, back = now - s->sum;
    s->lost += (s->sum - (now - back)) + (z - back);
    s->sum = now;
}

__kernel void mean_rows(ARGUMENTS)
{
    POSITION /* one column */
    long_sum s = {(vec)(0.0f), (vec)(0.0f)};
    for (int i = 0; i < t[IN_W]; i++)
        add_to(&s, GET(in, place(t + X, b, y, i)));
    JOIN(vstore, LANES)(s.sum + s.lost, (size_t)b * t[ROWS] + y, FLOATS(out, t[OUT]));
}

__kernel void mean_all(ARGUMENTS)
{
    POSITION /* one pixel */
    long_sum s = {(vec)(0.0f), (vec)(0.0f)};
    for (int i = 0; i < t[IN_H]; i++)
        add_to(&s, JOIN(vload, LANES)((size_t)b * t[IN_H] + i, FLOATS(in, t[X])));
    PUT(out, place(t + OUT, b, 0, 0), (s.sum + s.lost) / (vec)(NUMBER(MEAN_COUNT)));
}
