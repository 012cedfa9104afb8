/* Weight files of published architectures for the bench, made in memory: the values are seeded, the time does not depend on
 * them. */
#ifndef TT_BENCH_WEIGHTS_H
#define TT_BENCH_WEIGHTS_H

#include <stddef.h>

typedef struct tt_bench_network tt_bench_network;
/* A safetensors file, the caller's to free; NULL: no memory. */
typedef unsigned char *tt_bench_make_fn(const tt_bench_network *s, size_t *size);

struct tt_bench_network {
    tt_bench_make_fn *make; /* NULL: the network inside the program */
    int depth;              /* blocks, layers or stages of 6 layers */
    int channels;
    int h, w; /* of the input */
};

tt_bench_make_fn tt_bench_rrdb;     /* x4 in the body layout, 64 features, growth 32; depth in blocks */
tt_bench_make_fn tt_bench_srvgg;    /* x4, 64 features; depth in layers */
tt_bench_make_fn tt_bench_upconv_7; /* waifu2x, x2 */
tt_bench_make_fn tt_bench_cunet;    /* waifu2x, x2 */
tt_bench_make_fn tt_bench_srcnn;    /* 9-5-5, one plane */
tt_bench_make_fn tt_bench_swinir;   /* lightweight x2 with 60 channels, else classical x4; depth in stages */

#endif
