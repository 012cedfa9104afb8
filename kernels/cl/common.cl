/*
 * What all kernels share. Every kernel has the same arguments:
 *     in, out   the arena, both of them (load reads what the host wrote, store writes what it will read): values lie there,
 *               channels in blocks of LANES, [block][row][pixel][lane]
 *     weights   everything the network knows
 *     table     the launch's numbers (kernels/cl/params.h), from place `at` on
 *     first     row of the result that global row 0 is: long launches come in parts
 * and runs over (pixel, row, block of channels). Lanes beyond the last channel hold something finite, never nothing.
 */
#ifndef LANES
#define LANES 4
#endif
#ifndef PIXELS /* of one work item of conv, scores, weigh */
#define PIXELS 4
#endif
#ifndef OUTPUTS /* blocks of one work item of conv: at most 4 */
#define OUTPUTS 4
#endif
#ifndef TILE_X /* work items of a group of the tiled convolution */
#define TILE_X 16
#endif
#ifndef TILE_Y
#define TILE_Y 8
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, LANES) vec;

/* For functions with numbers in registers that must not go through memory, or with arguments that are to become constants.
 * A compiler that knows no such attribute leaves it out, as the language says. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * How many items a group has, in one dimension. A compiler that gives each item all the registers it could use leaves room
 * for a group or two in a unit, which wait at their barriers; with FREE_GROUPS the host has told it how many to use, which
 * such a compiler heeds only where the kernel does not say how large its groups are.
 */
#ifdef FREE_GROUPS
#define GROUPS_OF(items)
#else
#define GROUPS_OF(items) __attribute__((reqd_work_group_size(items, 1, 1)))
#endif

#ifdef FP_FAST_FMAF
#define MULADD(a, b, c) fma(a, b, c)
#else
#define MULADD(a, b, c) ((a) * (b) + (c))
#endif

/*
 * What maps are made of: floats, or halves with HALF_MAPS. Sums are floats either way. Places are counted in vectors of
 * LANES cells.
 *     GET(p, i), PUT(p, i, v)     vector number i of the maps p, as vec; p is the arena, in or out as the kernel is given it
 *     GET1(p, i), PUT1(p, i, f)   one cell: vector * LANES + lane, which may be too many for an int
 *     FLOATS(p, i)                from vector number i on, what is floats always: scores, sums, the planes of the host
 * What halves cannot hold becomes infinite, and a ReLU or a clamp would hide it again. So it leaves a mark where the arena
 * begins, and where that is, store makes no picture.
 */
#ifdef HALF_MAPS
#define MOST_HALF 65520.0f /* from here on halves are infinite */
#define MARKED(p) (*(__global const int *)(p))
typedef half cell;
static inline void put_vector(__global cell *p, size_t i, vec v)
{
    JOIN(JOIN(vstorea_half, LANES), _rte)(v, i, p);
    if (!all(fabs(v) < (vec)(MOST_HALF))) /* not-a-number, too */
        atomic_or((volatile __global int *)p, 1);
}
static inline void put_cell(__global cell *p, size_t i, float f)
{
    vstore_half_rte(f, i, p);
    if (!(fabs(f) < MOST_HALF))
        atomic_or((volatile __global int *)p, 1);
}
#define CELLS_A_VECTOR LANES
#define GET(p, i) JOIN(vloada_half, LANES)((size_t)(i), p)
#define PUT(p, i, v) put_vector(p, (size_t)(i), v)
#define GET1(p, i) vload_half(i, p)
#define PUT1(p, i, f) put_cell(p, i, f)
#else
#define MARKED(p) 0
typedef vec cell;
#define CELLS_A_VECTOR 1
#define GET(p, i) ((p)[i])
#define PUT(p, i, v) ((p)[i] = (v))
#define GET1(p, i) (((__global const float *)(p))[i])
#define PUT1(p, i, f) (((__global float *)(p))[i] = (f))
#endif
#define FLOATS(p, i) ((__global float *)((p) + (size_t)(i) * CELLS_A_VECTOR))

#define ARGUMENTS                                                                                                      \
    __global const cell *in, __global cell *out, __global const vec *weights, __global const int *table, int at, int first
#define NUMBER(i) as_float(t[i])

static inline vec relu(vec z)
{
    return z > (vec)(0.0f) ? z : (vec)(0.0f);
}

static inline vec activate(vec z, int act, vec slope)
{
    switch (act) {
    case ACT_RELU:
        return relu(z);
    case ACT_PRELU:
        return z > (vec)(0.0f) ? z : slope * z;
    case ACT_SIGMOID:
        return (vec)(1.0f) / ((vec)(1.0f) + exp(-z));
    case ACT_GELU:
        return (vec)(0.5f) * z * ((vec)(1.0f) + erf(z * (vec)(0.70710678118654752f)));
    default:
        return z;
    }
}

static inline int place(__global const int *map, int block, int y, int x)
{
    return map[0] + block * map[2] + y * map[1] + x;
}

/* n / d and what is left of it, of numbers from 0 to 2^30: GPUs have no division of integers, but one of floats, which is
 * off by one at most. */
static inline int divide(int n, int d, int *rest)
{
    int q = (int)((float)n / (float)d), left = n - q * d;
    if (left < 0) {
        q--;
        left += d;
    } else if (left >= d) {
        q++;
        left -= d;
    }
    *rest = left;
    return q;
}

/* The cell of one channel, and its value. */
static inline size_t lane_at(__global const int *map, int c, int y, int x)
{
    return (size_t)place(map, c / LANES, y, x) * LANES + (c & (LANES - 1));
}
static inline float lane_of(__global const cell *in, __global const int *map, int c, int y, int x)
{
    return GET1(in, lane_at(map, c, y, x));
}
