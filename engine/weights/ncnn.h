/*
 * What ncnn's .param says beyond names and weights: which layer reads what. (The reader of both files is the
 * tt_weight_reader in ncnn.c.)
 */
#ifndef TT_ENGINE_WEIGHTS_NCNN_H
#define TT_ENGINE_WEIGHTS_NCNN_H

#include "engine/build.h"
#include "engine/status.h"
#include "engine/weights.h"

/*
 * Do the layers of w compute what `g` does, with the same weights in the same places? g was built from w,
 * whose tensors have the published names by now. Ways of spelling that make no difference are the same:
 * copies, an activation inside the convolution or after it, a sum with coefficients or a product and a sum. A
 * clamp to 0..1 at g's end may be missing from w: the programs that run such files clamp when they write
 * bytes. TT_ERR_FORMAT (TT_ERR_UNSUPPORTED for a kind of layer that is not handled) names the first layer
 * that differs, its line, what it computes and what is wanted there. TT_OK where w lists no blobs.
 */
tt_status tt_ncnn_check(const tt_weights *w, const tt_graph *g, tt_error *err);

#endif
