/* A photograph through a network that paints: behind tt_colorize() of tintype.h. */
#ifndef TT_SRC_COLORIZE_H
#define TT_SRC_COLORIZE_H

#include "src/context.h"
#include "src/image/image.h"

typedef struct tt_colour_report {
    int render, side;       /* the factor, and the pixels of the square the network saw */
    uint64_t planned_bytes; /* most memory beside the program: pictures, arena, weights */
    double flops;
    double network_seconds; /* 0 for an estimate */
} tt_colour_report;

/* The render factor where none is asked for: 21 for weights whose file name speaks of video, else 35. Only
 * the name tells the stable from the video weights. */
int tt_colorize_usual(const tt_network *n);

/* Everything but the work: memory, or the reason why not. */
tt_status tt_colorize_estimate(tt_context *c, const tt_network *n, const tt_image *in, int render,
                               tt_colour_report *r, tt_error *err);
/* tt_colorize() with a report (may be NULL). */
tt_status tt_colorize_report(tt_context *c, const tt_network *n, const tt_image *in,
                             const tt_colorize_options *o, tt_image **out, tt_colour_report *r,
                             tt_error *err);

#endif
