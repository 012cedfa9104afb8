/*
 * YUV4MPEG2 streams ("y4m", mjpegtools' and ffmpeg's): a line of the stream, then for each frame a line and
 * the planes.
 *
 *     YUV4MPEG2 W720 H576 F25:1 Ip A16:15 C420mpeg2 XCOLORRANGE=FULL\n
 *     FRAME\n  Y [H][W], U [h][w], V [h][w]
 */
#ifndef TT_SRC_Y4M_H
#define TT_SRC_Y4M_H

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TT_Y4M_LINE = 4096 }; /* bytes of a line, its end included */

typedef struct tt_y4m {
    FILE *file;                                     /* borrowed */
    const char *name;                               /* for sentences, borrowed */
    uint64_t at;                                    /* bytes read */
    uint64_t frames;                                /* whole ones read */
    char line[TT_Y4M_LINE];                         /* of the stream, with its newline */
    int width, height, chroma_width, chroma_height; /* chroma 0: mono */
    bool full;                                      /* XCOLORRANGE=FULL */
    char frame_line[TT_Y4M_LINE];
} tt_y4m;

/*
 * The stream's line. Sizes of 1 to 65535 pixels a side, 8 bits; C420*, C422, C444, Cmono.
 * TT_ERR_FORMAT with the byte, TT_ERR_UNSUPPORTED for another kind, TT_ERR_INPUT.
 */
tt_status tt_y4m_open(tt_y4m *y, FILE *file, const char *name, tt_error *err);
size_t tt_y4m_frame_bytes(const tt_y4m *y);
/* One frame's line and its planes into `planes`; *end: there was none, the stream ended where it may.
 * TT_ERR_FORMAT where it is cut short. */
tt_status tt_y4m_read(tt_y4m *y, uint8_t *planes, bool *end, tt_error *err);
/* The stream's line for the same frames in colour: mono becomes C444, all else stays. `line` has TT_Y4M_LINE
 * bytes. */
tt_status tt_y4m_colour_line(const tt_y4m *y, char *line, tt_error *err);

#endif
