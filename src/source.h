/*
 * Where the pixels of a picture come from: rows from top to bottom, as often as wanted. The samples, where they are held;
 * else the file, decoded anew each time, of which only the rows exist that are being worked on. The mirror of src/sink.h.
 */
#ifndef TT_SRC_SOURCE_H
#define TT_SRC_SOURCE_H

#include "engine/planes.h"

#include "src/image/image.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct tt_source_options {
    tt_image_limits limits;
    bool srgb; /* samples are converted to sRGB */
    bool deep; /* and become 16 bits */
    uint64_t held_most; /* bytes of samples up to which they are held; 0: 8 MiB, decoding them twice would save little */
} tt_source_options;

typedef struct tt_source {
    tt_image head;  /* the picture as its rows come, converted and upright; samples where they are held, else NULL */
    bool borrowed;  /* head is another's */
    bool only_grey; /* three colours that are equal in every pixel */
    size_t holes;   /* pixels with alpha 0 */
    /* for reading the file again: */
    tt_file file;
    tt_source_options o;
    int file_channels, file_depth; /* of the rows that the decoder gives */
    bool grey;                     /* of three equal colours one is kept */
    bool known;                    /* it was read to its end once, and `sum` is what the samples came to */
    uint32_t sum;
    uint64_t decoder_bytes;
} tt_source;

/*
 * The file is read to its end once, so that damage shows before there is work, and what stands behind the pixels is known.
 * Small pictures are held from then on, and those that cannot be had row by row: interlaced ones, and those that lie on
 * their side or head. Statuses as of tt_image_read(). tt_source_clear() in any case.
 */
tt_status tt_source_open(tt_source *s, const char *path, const tt_source_options *o, tt_error *err);
/* A picture in memory, borrowed. */
tt_source tt_source_of(const tt_image *img);
void tt_source_clear(tt_source *s); /* accepts zeros */

static inline bool tt_source_held(const tt_source *s)
{
    return s->head.samples;
}
/* From now on it is. */
tt_status tt_source_hold(tt_source *s, tt_error *err);
/* Where it is only grey, one of the three colours is kept. Metadata stays, a profile for RGB too. */
void tt_source_to_grey(tt_source *s);
/* What it has in memory while no feed is open: samples, and what came through a pipe. */
uint64_t tt_source_bytes(const tt_source *s);

/* One reading of a source, through a window that moves down. */
typedef struct tt_feed {
    tt_source *s;
    tt_pixels at; /* the rows that are there: all, or `ring` of them */
    int from, to; /* ... which are these */
    tt_image head;
    tt_reader *reader; /* NULL where nothing is decoded (any more) */
    struct tt_icc_rows *icc;
    unsigned char *line; /* rows as they are decoded, where their kind changes */
    uint32_t sum;
} tt_feed;

/* `rows`: most rows of a window. */
tt_status tt_feed_init(tt_feed *f, tt_source *s, int rows, tt_error *err);
void tt_feed_clear(tt_feed *f); /* accepts zeros */
/* What tt_feed_init() takes. */
uint64_t tt_feed_bytes(const tt_source *s, int rows);
/* Rows y0..y1-1 are there from now on, until the next call; no later one begins above y0. TT_ERR_INPUT where the file is
 * not what it was. */
tt_status tt_feed_need(tt_feed *f, int y0, int y1, tt_error *err);

#endif
