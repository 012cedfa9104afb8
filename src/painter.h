/*
 * A network that paints (DeOldify) on squares of one size: grey bytes in, RGB bytes out. What a photograph
 * and a frame of a film have in common.
 */
#ifndef TT_SRC_PAINTER_H
#define TT_SRC_PAINTER_H

#include "src/context.h"
#include "src/runner.h"

#include <stdint.h>

enum { TT_RENDER_UNIT = 16, TT_RENDER_MOST = 128 }; /* pixels of a side to one step of the render factor */

typedef struct tt_painter {
    tt_context *c; /* borrowed, as is the network */
    const tt_network *n;
    int side; /* pixels */
    tt_runner runner;
    float *in, *out; /* [3][side][side] */
} tt_painter;

/* What a painter of that render factor would take: bytes without the weights, and work of one square.
 * TT_ERR_USAGE for a network that does not paint or a factor that is not 1 to TT_RENDER_MOST. */
tt_status tt_painter_measure(const tt_context *c, const tt_network *n, int render, uint64_t *bytes,
                             double *flops, tt_error *err);
/* TT_ERR_USAGE as above, TT_ERR_MEMORY. The budget is the caller's business. tt_painter_clear() in any case.
 */
tt_status tt_painter_init(tt_painter *p, tt_context *c, const tt_network *n, int render, tt_error *err);
void tt_painter_clear(tt_painter *p); /* accepts zeros */

/*
 * grey [side][side] to rgb [side][side][3]: normalised as ImageNet is, through the network, back, cut off to
 * 8 bits as the original does. watch may be NULL. TT_ERR_NUMERIC where the network gives no numbers,
 * TT_ERR_CANCELLED.
 */
tt_status tt_painter_run(tt_painter *p, const uint8_t *grey, uint8_t *rgb, const tt_watch *watch,
                         tt_error *err);

/* What stands before and behind the network, n pixels: grey to in [3][n], out [3][n] to rgb [n][3]. */
void tt_painter_normalise(const uint8_t *grey, size_t n, float *in);
void tt_painter_bytes(const float *out, size_t n, uint8_t *rgb);

#endif
