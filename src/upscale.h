/* The path of one picture: planes, tiles through a network, resampling, bytes. Behind tt_upscale() of
 * tintype.h. */
#ifndef TT_SRC_UPSCALE_H
#define TT_SRC_UPSCALE_H

#include "src/context.h"
#include "src/source.h"

/* How it was, or would be, done. */
typedef struct tt_report {
    int width, height;         /* of the result */
    int passes;                /* times through the network; 0: resampling only */
    int tiles;                 /* in all passes */
    int tile_width, tile_height; /* input pixels, overlap included, first pass */
    int overlap;               /* input pixels on each side */
    uint64_t planned_bytes;    /* most memory beside the program: pictures, planes, arena, weights */
    double flops;
    double network_seconds;    /* in which there was work for it; 0 for an estimate */
} tt_report;

/* Who takes the result: first its size and metadata (no samples; they stay until the last row), then its rows from the top. */
typedef struct tt_upscale_to {
    tt_status (*begin)(void *user, const tt_image *head, tt_error *err);
    tt_status (*rows)(void *user, const void *samples, int rows, tt_error *err);
    /* Bytes that it takes while the rows come, for a result of that size; or NULL: none worth counting. */
    uint64_t (*takes)(void *user, int width, int height);
    void *user;
} tt_upscale_to;

/* Everything but the work of tt_upscale_rows(): sizes, tiles, memory, or the reason why not. to may be NULL. */
tt_status tt_upscale_estimate(tt_context *c, const tt_network *n, const tt_source *in, const tt_upscale_options *o,
                              const tt_upscale_to *to, tt_report *r, tt_error *err);
/*
 * tt_upscale() whose picture comes row by row and whose result goes on so, and neither exists as a whole. The picture is
 * held where colour must be put under its transparent pixels, and pictures between two passes are. What came before an
 * error is of no use. r may be NULL.
 */
tt_status tt_upscale_rows(tt_context *c, const tt_network *n, tt_source *in, const tt_upscale_options *o,
                          const tt_upscale_to *to, tt_report *r, tt_error *err);
/* tt_upscale() with a report (may be NULL). */
tt_status tt_upscale_report(tt_context *c, const tt_network *n, const tt_image *in, const tt_upscale_options *o,
                            tt_image **out, tt_report *r, tt_error *err);

#endif
