/*
 * Frames of a film through a network that paints, one by one: Y stays, U and V are made. Everything is
 * planned for one size of frames, so that a frame costs no allocation.
 */
#ifndef TT_SRC_FILM_H
#define TT_SRC_FILM_H

#include "src/bilinear.h"
#include "src/painter.h"

#include <stdbool.h>

typedef struct tt_film {
    tt_painter painter;
    int width, height, chroma_width, chroma_height;
    bool full; /* Y of 0..255 instead of 16..235, U and V likewise */
    tt_bilinear in_across, in_down, out_across, out_down;
    uint8_t *narrow; /* [height][side]: grey after the horizontal pass */
    uint8_t *grey;   /* [side][side] */
    uint8_t *square; /* [side][side][3] */
    uint8_t *wide;   /* [side][chroma_width][3] */
    uint8_t *row;    /* of the larger of both widths, 3 bytes a pixel, for each thread */
} tt_film;

/* TT_ERR_USAGE as tt_painter_init(), TT_ERR_MEMORY also where the context's budget is too small;
 * tt_film_clear() in any case. */
tt_status tt_film_init(tt_film *f, tt_context *c, const tt_network *n, int render, int width, int height,
                       int chroma_width, int chroma_height, bool full, tt_error *err);
void tt_film_clear(tt_film *f); /* accepts zeros */
/* y [height][width] to u, v [chroma_height][chroma_width], BT.601. As tt_painter_run(). */
tt_status tt_film_frame(tt_film *f, const uint8_t *y, uint8_t *u, uint8_t *v, const tt_watch *watch,
                        tt_error *err);

#endif
