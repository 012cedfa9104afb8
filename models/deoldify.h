/* The boxes of models/deoldify.c, each testable alone. Names are taken under the builder's prefix. Internal.
 */
#ifndef TT_MODELS_DEOLDIFY_H
#define TT_MODELS_DEOLDIFY_H

#include "engine/build.h"

/* ResNet's block: bottleneck where there is a third convolution, a shortcut convolution where the shape
 * changes. */
tt_val tt_deoldify_residual(tt_build *b, tt_val x, int stride);
/* 3x3 convolution with spectral norm, ReLU, batch norm: "0", "2". */
tt_val tt_deoldify_conv_relu_bn(tt_build *b, tt_val x);
/* Self-attention with its residual: "query", "key", "value", "gamma". */
tt_val tt_deoldify_attention(tt_build *b, tt_val x);
/* 1x1 convolution with spectral norm "conv.0", batch norm "conv.1", ReLU, shuffle, blur; cut to the size of
 * `like`. */
tt_val tt_deoldify_upsample(tt_build *b, tt_val x, tt_val like);
/* The same with weight norm and no batch norm, not cut. */
tt_val tt_deoldify_last_upsample(tt_build *b, tt_val x);
/* "shuf", "bn", "conv1" and "conv2" or "conv". */
tt_val tt_deoldify_decoder(tt_build *b, tt_val x, tt_val skip, bool deep, bool attention);
/* x + ReLU(conv(ReLU(conv(x)))): "layers.0.0", "layers.1.0". */
tt_val tt_deoldify_tail(tt_build *b, tt_val x);

#endif
