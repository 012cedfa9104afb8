/* The halves of `tintype colorize`. */
#ifndef TT_SRC_CMD_COLORIZE_H
#define TT_SRC_CMD_COLORIZE_H

#include "src/cli_batch.h"

/* A YUV4MPEG2 stream coloured at one render factor, from the one operand to --output. Counted as one picture
 * of the batch. */
tt_status tt_colorize_stream(tt_batch *b, int render, tt_error *err);

#endif
