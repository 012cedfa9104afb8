/*
 * Every case. A group is a file that defines `const tt_bench_case tt_bench_<group>[]`, ended by a case
 * without a name; groups run in this order.
 */
#ifndef TT_BENCH_LIST_H
#define TT_BENCH_LIST_H

#define BENCH_GROUPS(X) X(kernels_conv) X(layers) X(kernels_tokens) X(kernels_misc) X(networks)

/* X(name, shape): one layer, "same" padding. Up to 4 channels are planar, more are blocked. .up = 2 is a
 * transposed convolution of window 4 and stride 2; w and h are those of the input. */
#define BENCH_CONV(X)                                                                                        \
    X("conv3x3 64->64 @256x256", .k = 3, .in = 64, .out = 64, .w = 256, .h = 256)                            \
    X("conv3x3 32->32 @256x256", .k = 3, .in = 32, .out = 32, .w = 256, .h = 256)                            \
    X("conv3x3 3->64 @256x256", .k = 3, .in = 3, .out = 64, .w = 256, .h = 256)                              \
    X("conv3x3 64->3 @256x256", .k = 3, .in = 64, .out = 3, .w = 256, .h = 256)                              \
    X("conv1x1 64->64 @256x256", .k = 1, .in = 64, .out = 64, .w = 256, .h = 256)                            \
    X("conv5x5 32->32 @256x256", .k = 5, .in = 32, .out = 32, .w = 256, .h = 256)                            \
    X("conv9x9 1->64 @256x256", .k = 9, .in = 1, .out = 64, .w = 256, .h = 256)                              \
    X("deconv4x4 64->3 @128x128", .k = 4, .in = 64, .out = 3, .w = 128, .h = 128, .up = 2)

/* X(name, shape): one layer of the engine by Winograd's tiles, beside direct */
#define BENCH_LAYERS(X)                                                                                      \
    X("tiles3x3 64->64 @256x256", .k = 3, .in = 64, .out = 64, .w = 256, .h = 256)                           \
    X("tiles3x3 64->64 @64x64", .k = 3, .in = 64, .out = 64, .w = 64, .h = 64)                               \
    X("tiles3x3 64->32 @128x128", .k = 3, .in = 64, .out = 32, .w = 128, .h = 128)                           \
    X("tiles3x3 160->32 @128x128", .k = 3, .in = 160, .out = 32, .w = 128, .h = 128)                         \
    X("tiles3x3 192->64 @128x128", .k = 3, .in = 192, .out = 64, .w = 128, .h = 128)                         \
    X("tiles3x3 512->512 @32x32", .k = 3, .in = 512, .out = 512, .w = 32, .h = 32)                           \
    X("tiles5x5 64->32 @256x256", .k = 5, .in = 64, .out = 32, .w = 256, .h = 256)
/* X(name, stage, shape): on 24 tiles and one group of outputs (64, 16 or 4 x 4 by instruction set) */
#define BENCH_STAGES(X)                                                                                      \
    X("wino_input 64, 24 tiles 4x4", input, .k = 3, .in = 64)                                                \
    X("wino_product 64, 24 tiles 4x4", product, .k = 3, .in = 64)                                            \
    X("wino_output, 24 tiles 4x4", output, .k = 3, .in = 64)

/* X(name, function of kernels_tokens.c, shape): work on 64 tokens (a window of 8 x 8), as the steps of a
 * transformer do it; medium is 180 channels in 6 heads, light 60 in 6. */
#define BENCH_TOKENS(X)                                                                                      \
    X("linear 180->540", linear, .in = 180, .out = 540, .tokens = 64)                                        \
    X("linear 180->360", linear, .in = 180, .out = 360, .tokens = 64)                                        \
    X("linear 360->180", linear, .in = 360, .out = 180, .tokens = 64)                                        \
    X("linear 60->180", linear, .in = 60, .out = 180, .tokens = 64)                                          \
    X("linear 60->120", linear, .in = 60, .out = 120, .tokens = 64)                                          \
    X("attention 8x8, depth 30", attention, .in = 30, .tokens = 64)                                          \
    X("attention 8x8, depth 10", attention, .in = 10, .tokens = 64)                                          \
    X("attention 7x7, depth 30", attention, .in = 30, .tokens = 49)                                          \
    X("layer_norm 180", layer_norm, .in = 180, .tokens = 64)                                                 \
    X("gelu 360", gelu, .in = 360, .tokens = 64)                                                             \
    X("tokens_load 180", load, .in = 180, .tokens = 64)                                                      \
    X("tokens_store 180", store, .in = 180, .tokens = 64)

/* X(name, function of kernels_misc.c, bytes per value of its row, taps or 0) */
#define BENCH_MISC(X)                                                                                        \
    X("prelu", prelu, 8, 0)                                                                                  \
    X("axpy", axpy, 12, 0)                                                                                   \
    X("clamp", clamp, 8, 0)                                                                                  \
    X("mul_period", mul_period, 8, 0)                                                                        \
    X("sum_period", sum_period, 4, 0)                                                                        \
    X("count_nonfinite", count_nonfinite, 4, 0)                                                              \
    X("nearest x2, planar", nearest_planar, 12, 0)                                                           \
    X("nearest x2, blocked", nearest_blocked, 12, 0)                                                         \
    X("shuffle x4, planar", shuffle_planar, 8, 0)                                                            \
    X("shuffle x2, blocked", shuffle_blocked, 8, 0)                                                          \
    X("from_u8, 3 channels", from_u8, 5, 0)                                                                  \
    X("to_u8, 3 channels", to_u8, 5, 0)                                                                      \
    X("from_u16, 3 channels", from_u16, 6, 0)                                                                \
    X("to_u16, 3 channels", to_u16, 6, 0)                                                                    \
    X("affine3", affine3, 6, 0)                                                                              \
    X("resize_v, 4 taps", resize_v, 5, 4)                                                                    \
    X("resize_h, 4 taps", resize_h, 10, 4)                                                                   \
    X("resize_h, 6 taps", resize_h, 14, 6)                                                                   \
    X("resize_h, 10 taps", resize_h, 22, 10)                                                                 \
    X("from_f16", from_f16, 6, 0)

/* X(name, a tt_bench_network of bench/weights.h) */
#define BENCH_NETWORKS(X)                                                                                    \
    X("default x2 @640x427", .w = 640, .h = 427)                                                             \
    X("rrdb 6 blocks x4 @64x64", .make = tt_bench_rrdb, .depth = 6, .w = 64, .h = 64)                        \
    X("rrdb 6 blocks x4 @256x256", .make = tt_bench_rrdb, .depth = 6, .w = 256, .h = 256)                    \
    X("srvgg 16 layers x4 @256x256", .make = tt_bench_srvgg, .depth = 16, .w = 256, .h = 256)                \
    X("upconv_7 x2 @256x256", .make = tt_bench_upconv_7, .w = 256, .h = 256)                                 \
    X("cunet x2 @256x256", .make = tt_bench_cunet, .w = 256, .h = 256)                                       \
    X("srcnn 9-5-5 @512x512", .make = tt_bench_srcnn, .w = 512, .h = 512)                                    \
    X("swinir light x2 @128x128", .make = tt_bench_swinir, .depth = 4, .channels = 60, .w = 128, .h = 128)   \
    X("swinir medium x4 @128x128", .make = tt_bench_swinir, .depth = 6, .channels = 180, .w = 128, .h = 128)

#endif
