/*
 * A network described: what models/ writes with.
 *
 * Every call adds one node to a graph and returns its value, a feature map [C,H,W] whose channels are known
 * and whose size is not yet. Weights are found by name and their shapes give widths and kernel sizes, so a
 * model file states only what the shapes cannot: strides, paddings, activations, and how the boxes join.
 * The builder keeps its first error and ignores what follows; the caller checks once, at the end.
 * Building runs nothing. Not thread-safe; a finished graph is read-only.
 */
#ifndef TT_ENGINE_BUILD_H
#define TT_ENGINE_BUILD_H

#include "engine/status.h"
#include "engine/weights.h"
#include "kernels/kernels.h"

#include <stdbool.h>

typedef struct tt_build tt_build;
typedef struct tt_graph tt_graph;
typedef struct tt_val {
    int id;
} tt_val;

/* ---- for models ----------------------------------------------------------------------------------- */

/* The input, `channels` planes. Once. */
tt_val tt_input(tt_build *b, int channels);

/* x is what the published network takes; what made it prepares the picture. Files that say what they compute (ncnn) begin
 * there. Returns x. */
tt_val tt_prepared(tt_build *b, tt_val x);

/* Everything after x below is optional and 0 is the usual value. */
typedef struct tt_conv_opt {
    bool valid;       /* no padding; else k/2 pixels on each side ("same") */
    bool replicate;   /* that padding repeats the edge pixel instead of zeros */
    int stride;       /* 0: 1 */
    int pad;          /* tt_deconv: pixels cut from each side */
    tt_act act;       /* after the bias */
    float slope;      /* TT_ACT_PRELU: the one slope of a LeakyReLU, used where `slopes` is NULL */
    const char *slopes; /* TT_ACT_PRELU: the tensor with a slope per channel */
    int out, k;       /* checked against the weight's shape where not 0 */
    bool biased;      /* the bias must be there */
    /* tt_conv, folded into the weights, in double: */
    bool spectral;    /* spectral norm: `name`.weight_orig / (u . (W v)), u and v being `name`.weight_u and _v as
                         stored; a file may hold the quotient as `name`.weight instead */
    bool weight_norm; /* weight norm: `name`.weight_v * weight_g / |weight_v|, of each output; or `name`.weight */
    const char *norm; /* the batch norm between the convolution and its activation */
} tt_conv_opt;

/*
 * Convolution with `name`.weight [out,in,k,k] and, where the file has it, `name`.bias [out]:
 *     tt_conv(b, x, "conv1", .act = TT_ACT_RELU)
 * x's channels must be `in`. Cross-correlation. k any, odd for "same".
 */
#define tt_conv(b, x, name, ...) tt_conv_(b, x, name, (tt_conv_opt){__VA_ARGS__})
tt_val tt_conv_(tt_build *b, tt_val x, const char *name, tt_conv_opt o);

/* Transposed convolution, weight [in,out,k,k]; size (n-1)*stride - 2*pad + k. */
#define tt_deconv(b, x, name, ...) tt_deconv_(b, x, name, (tt_conv_opt){__VA_ARGS__})
tt_val tt_deconv_(tt_build *b, tt_val x, const char *name, tt_conv_opt o);

tt_val tt_concat(tt_build *b, tt_val x, tt_val y);                    /* channels of x, then of y; copies nothing */
tt_val tt_add_scaled(tt_build *b, tt_val x, float scale, tt_val y);   /* x + scale * y */
tt_val tt_activate(tt_build *b, tt_val x, tt_act act, float slope);
tt_val tt_clamp(tt_build *b, tt_val x, float lo, float hi);
tt_val tt_crop(tt_build *b, tt_val x, int k);                         /* k pixels off each side; copies nothing */
tt_val tt_nearest(tt_build *b, tt_val x, int r);                      /* nearest neighbour, r times larger */
tt_val tt_pixel_shuffle(tt_build *b, tt_val x, int r);                /* [C*r*r,H,W] -> [C,H*r,W*r] */
tt_val tt_pixel_unshuffle(tt_build *b, tt_val x, int r);
/*
 * Reduced to num/den of its size, 1/2 or 3/4, by bicubic interpolation: Keys' kernel with a = -0.75, pixels counted at
 * their centres, the edge pixel repeated, no smoothing before. A convolution with fixed weights (and, for 3/4, a pixel
 * shuffle of its nine phases); sizes that den does not divide are rounded down.
 */
tt_val tt_reduce(tt_build *b, tt_val x, int num, int den);
tt_val tt_mean(tt_build *b, tt_val x);                                /* [C,1,1], over the whole map */
tt_val tt_gate(tt_build *b, tt_val x, tt_val g);                      /* x * g, g [C,1,1] */
tt_val tt_levels(tt_build *b, tt_val x, float scale, const float *offset); /* scale * x + offset[c], C up to 4 */
/* Right and below reflected, without the edge pixel (periodically where that is not enough), to a multiple of m; and
 * back: the upper left part of x, r times as large as `like`. */
tt_val tt_pad(tt_build *b, tt_val x, int m);
tt_val tt_fit(tt_build *b, tt_val x, tt_val like, int r);

/* ---- transformers: a pixel is a token, its channels are the token's vector ------------------------ */

/* Layer norm over the channels of each pixel, with `name`.weight and `name`.bias [C]. */
tt_val tt_layer_norm(tt_build *b, tt_val x, const char *name, float eps);
/* Fully connected, each pixel by itself: `name`.weight [out,in] and, where the file has it, `name`.bias [out]. out 0:
 * any number. */
tt_val tt_linear(tt_build *b, tt_val x, const char *name, int out);
tt_val tt_gelu(tt_build *b, tt_val x); /* the exact form, with erf */
/*
 * Attention within windows of window x window pixels, on a grid that begins `shift` pixels from the upper left corner;
 * what it cuts at the four edges are smaller windows. (Liu et al., "Swin Transformer", 2021, moves the picture round
 * instead and keeps apart by -100 in the scores what does not belong together: the same where exp(-100) is nothing
 * beside 1.) qkv [3C,H,W]: the queries of all heads, the keys, the values. Height and width must be multiples of the
 * window. `table` [(2*window-1)^2, heads]: the bias of a query and a key by the offset of the query from the key.
 */
tt_val tt_window_attention(tt_build *b, tt_val qkv, const char *table, int window, int shift);

/* Batch norm as it is used: (x - running_mean) / sqrt(running_var + 1e-5) * weight + bias, tensors under `name`. */
tt_val tt_batch_norm(tt_build *b, tt_val x, const char *name);
tt_val tt_scale_shift(tt_build *b, tt_val x, float scale, float shift); /* x * scale + shift */
tt_val tt_max_pool(tt_build *b, tt_val x);                            /* 3x3, stride 2, padded by 1 */
/* Mean of the 2x2 pixels that end at each, the top row and the left column repeated. Where x has one row or column
 * more than `like`, it is dropped: nearest neighbour to that size. */
tt_val tt_blur(tt_build *b, tt_val x, tt_val like);
/*
 * Attention over all positions: of position j the sum over i of v[i] * softmax_i(q[i] . k[j]). q and k [C',H,W],
 * v [C,H,W]. Not scaled, and mind the roles: the sum runs over q's positions.
 */
tt_val tt_attend(tt_build *b, tt_val q, tt_val k, tt_val v);

int tt_channels(const tt_build *b, tt_val x);

/* Prefix names until tt_leave(): tt_enter(b, "RDB%d.", i) makes "conv1" mean "RDB3.conv1". Nests. */
#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void tt_enter(tt_build *b, const char *format, ...);
void tt_leave(tt_build *b);

/* Is there such a tensor (under the prefix)? Its size along axis i; 0 where there is none. */
bool tt_has(const tt_build *b, const char *name);
size_t tt_dim(const tt_build *b, const char *name, int axis);
/* A tensor that the network does not compute with (index buffers): allowed, ignored. */
void tt_ignore(tt_build *b, const char *name);
/* The one number of a tensor; 0 after a failure. */
float tt_scalar(tt_build *b, const char *name);

/*
 * What no tensor says (padding mode, kind of activation): the user's word (--net key=value), else the file's
 * metadata, else `usual`. `words` lists the legal ones, separated by blanks; any other is an error.
 */
const char *tt_setting(tt_build *b, const char *key, const char *words, const char *usual);

/* "the weights are not those of such a network": formatted; keeps the first */
#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void tt_refuse(tt_build *b, const char *format, ...);
bool tt_failed(const tt_build *b);

/* ---- for whoever calls the model ------------------------------------------------------------------ */

/*
 * settings: "key=value", ..., NULL; or NULL. Both borrowed until tt_build_finish().
 */
tt_build *tt_build_new(const tt_weights *w, const char *const *settings);
/*
 * The graph with `out` as its result, or the first error. Every tensor of the file must have been used or
 * ignored, every setting asked for. Frees b. The graph borrows the weights until tt_net_new() has packed them.
 */
tt_status tt_build_finish(tt_build *b, tt_val out, tt_graph **graph, tt_error *err);
void tt_graph_free(tt_graph *g); /* accepts NULL */
/* Does the network compute with the file's i-th tensor? Not with those that tt_ignore() allowed. */
bool tt_graph_uses(const tt_graph *g, size_t i);

#endif
