#include "src/source.h"

#include "engine/alloc.h"
#include "src/alpha.h"
#include "src/image/grey.h"
#include "src/image/icc.h"
#include "src/image/turn.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    HELD_MOST = 8 << 20, /* bytes of samples */
    BAND = 1 << 18,      /* bytes of rows that are looked at together */
};

/* ---- rows out of a file --------------------------------------------------------------------------- */

/* Bytes of a row as it is decoded. */
static size_t file_row(const tt_feed *f)
{
    return (size_t)f->head.width * tt_image_pixel_bytes(&f->head);
}

/* ... and as it goes on. */
static size_t row_bytes(const tt_feed *f)
{
    return (size_t)f->at.width * (size_t)f->at.channels * (size_t)(f->at.depth / 8);
}

static tt_status has_changed(const tt_source *s, tt_error *err)
{
    return tt_fail(err, TT_ERR_INPUT, "%s: has changed while it was worked on", s->file.name);
}

/* A decoder at the first row, and the kind of rows that will come. */
static tt_status begin(tt_feed *f, tt_source *s, tt_error *err)
{
    *f = (tt_feed){.s = s};
    tt_status st = tt_reader_open(&f->reader, &f->head, &s->file, &s->o.limits, err);
    if (st)
        return st;
    const tt_image *h = &f->head;
    if (s->known && (h->width != s->head.width || h->height != s->head.height || h->channels != s->file_channels ||
                     h->depth != s->file_depth))
        return has_changed(s, err);
    f->at = (tt_pixels){.width = h->width, .height = h->height, .channels = h->channels, .depth = h->depth};
    if (s->grey)
        f->at.channels -= 2;
    if (s->o.deep)
        f->at.depth = 16;
    if (s->o.srgb)
        st = tt_icc_rows_new(&f->icc, h, err);
    if (!st && (f->at.channels != h->channels || f->at.depth != h->depth)) {
        const size_t lines = tt_reader_whole(f->reader) ? (size_t)h->height : 1;
        f->line = malloc(lines * file_row(f));
        if (!f->line)
            st = tt_fail_memory(err, lines * file_row(f));
    }
    return st;
}

static void widen(uint16_t *to, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint16_t)(from[i] * 257); /* 255 is 65535, and each of the 256 levels comes back as itself */
}

/* A row of the file's kind becomes one of the kind that goes on; `to` and `from` may be one where that is the same. */
static void convert(tt_feed *f, unsigned char *to, unsigned char *from)
{
    const size_t n = (size_t)f->head.width;
    const bool deep = f->at.depth != f->head.depth;
    f->sum = (uint32_t)crc32_z(f->sum, from, file_row(f));
    if (f->icc)
        tt_icc_row(f->icc, from, n);
    if (f->s->grey)
        tt_grey_of_colour(deep ? from : to, from, f->head.channels, f->head.depth, n);
    if (deep)
        widen((uint16_t *)(void *)to, from, n * (size_t)f->at.channels);
}

/* The next n rows. */
static tt_status decode(tt_feed *f, unsigned char *to, int n, tt_error *err)
{
    const int at_once = f->line && !tt_reader_whole(f->reader) ? 1 : n;
    tt_status st = TT_OK;
    for (int y = 0; y < n && !st; y += at_once) {
        unsigned char *from = f->line ? f->line : to;
        st = tt_reader_rows(f->reader, from, at_once, err);
        for (int i = 0; i < at_once && !st; i++, from += file_row(f), to += row_bytes(f))
            convert(f, to, from);
    }
    return st;
}

/* After the last row: the rest of the file; f->head is complete then. */
static tt_status finish(tt_feed *f, tt_error *err)
{
    const tt_status st = tt_reader_end(f->reader, TT_OK, err);
    f->reader = NULL;
    return !st && f->s->known && f->sum != f->s->sum ? has_changed(f->s, err) : st;
}

/* ---- windows -------------------------------------------------------------------------------------- */

static int ring_of(const tt_source *s, int rows)
{
    return rows < s->head.height ? rows : s->head.height;
}

uint64_t tt_feed_bytes(const tt_source *s, int rows)
{
    if (tt_source_held(s))
        return 0;
    return (uint64_t)ring_of(s, rows) * (uint64_t)s->head.width * tt_image_pixel_bytes(&s->head) + s->decoder_bytes;
}

tt_status tt_feed_init(tt_feed *f, tt_source *s, int rows, tt_error *err)
{
    const tt_image *h = &s->head;
    *f = (tt_feed){.s = s, .at = {h->samples, h->width, h->height, h->channels, h->depth, 0}};
    if (tt_source_held(s))
        return TT_OK;
    tt_status st = begin(f, s, err);
    if (st)
        return st;
    f->at.ring = ring_of(s, rows);
    const size_t bytes = (size_t)f->at.ring * row_bytes(f);
    f->at.data = malloc(bytes);
    return f->at.data ? TT_OK : tt_fail_memory(err, bytes);
}

void tt_feed_clear(tt_feed *f)
{
    (void)tt_reader_end(f->reader, TT_ERR_CANCELLED, NULL);
    tt_icc_rows_free(f->icc);
    free(f->line);
    if (f->at.ring)
        free(f->at.data);
    tt_image_clear(&f->head);
    *f = (tt_feed){0};
}

tt_status tt_feed_need(tt_feed *f, int y0, int y1, tt_error *err)
{
    const int ring = f->at.ring;
    tt_status st = TT_OK;
    if (!ring)
        return TT_OK;
    if (y0 < f->from || y1 > f->at.height)
        return tt_fail(err, TT_ERR_INTERNAL, "rows %d to %d are wanted, and those before %d are gone", y0, y1, f->from);
    if (y1 - y0 > ring)
        return tt_fail(err, TT_ERR_INTERNAL, "%d rows are wanted where %d have their place", y1 - y0, ring);
    f->from = y0;
    while (f->to < y1 && !st) {
        const int at = f->to % ring, n = y1 - f->to < ring - at ? y1 - f->to : ring - at;
        st = decode(f, (unsigned char *)f->at.data + (size_t)at * row_bytes(f), n, err);
        f->to += n;
    }
    return !st && f->to == f->at.height && f->reader ? finish(f, err) : st;
}

/* ---- the first reading ---------------------------------------------------------------------------- */

/* What is known of the rows so far. */
static void look(tt_source *s, const tt_feed *f, const void *rows, int n)
{
    const tt_image part = {.width = f->at.width, .height = n, .channels = f->at.channels, .depth = f->at.depth,
                           .samples = (void *)(uintptr_t)rows};
    s->holes += tt_alpha_holes(&part);
    s->only_grey = s->only_grey && tt_image_only_grey(&part);
}

/* All rows, in bands that are forgotten unless `samples` keeps them. */
static tt_status look_through(tt_source *s, tt_feed *f, unsigned char *samples, tt_error *err)
{
    const size_t row = row_bytes(f);
    const int fit = row < BAND ? (int)(BAND / row) : 1, most = tt_reader_whole(f->reader) ? f->at.height : fit;
    const int band = most < f->at.height ? most : f->at.height;
    unsigned char *own = samples ? NULL : malloc((size_t)band * row), *to = samples ? samples : own;
    tt_status st = to ? TT_OK : tt_fail_memory(err, (size_t)band * row);
    s->only_grey = true;
    for (int y = 0; y < f->at.height && !st; y += band) {
        const int n = f->at.height - y < band ? f->at.height - y : band;
        st = decode(f, to, n, err);
        if (!st)
            look(s, f, to, n);
        if (samples)
            to += (size_t)n * row;
    }
    free(own);
    return st ? st : finish(f, err);
}

/* What the first reading found out, in the source; `samples` are its own from now on. */
static void keep(tt_source *s, tt_feed *f, void *samples)
{
    s->head = f->head;
    f->head = (tt_image){0};
    s->head.channels = f->at.channels;
    s->head.depth = f->at.depth;
    s->head.samples = samples;
    if (s->o.srgb)
        tt_icc_is_srgb(&s->head);
    s->sum = f->sum;
    s->known = true;
}

static void *room_for(const tt_feed *f, tt_error *err)
{
    size_t bytes = SIZE_MAX;
    void *p = tt_mul((size_t)f->at.height, row_bytes(f), &bytes) ? malloc(bytes) : NULL;
    if (!p)
        tt_fail_memory(err, bytes);
    return p;
}

static tt_status first_reading(tt_source *s, tt_error *err)
{
    tt_feed f;
    void *samples = NULL;
    tt_status st = begin(&f, s, err);
    const uint64_t bytes = st ? 0 : (uint64_t)f.at.height * row_bytes(&f);
    const uint64_t most = s->o.held_most ? s->o.held_most : HELD_MOST;
    const bool hold = !st && (bytes <= most || tt_reader_whole(f.reader) || f.head.orientation != 1);
    if (!st)
        st = tt_reader_allows(f.reader, hold, err);
    if (!st && hold && !(samples = room_for(&f, err)))
        st = TT_ERR_MEMORY;
    if (!st) {
        s->file_channels = f.head.channels;
        s->file_depth = f.head.depth;
        s->decoder_bytes = tt_reader_bytes(f.reader) + file_row(&f);
        st = look_through(s, &f, samples, err);
    }
    if (!st)
        keep(s, &f, samples);
    else
        free(samples);
    tt_feed_clear(&f);
    return st;
}

/* ---- a source ------------------------------------------------------------------------------------- */

tt_status tt_source_open(tt_source *s, const char *path, const tt_source_options *o, tt_error *err)
{
    *s = (tt_source){.o = *o};
    tt_status st = tt_image_file(&s->file, path, err);
    if (!st)
        st = first_reading(s, err);
    if (!st && s->head.orientation != 1) { /* told behind the pixels, it may be */
        st = tt_source_hold(s, err);
        if (!st)
            st = tt_image_turn(&s->head, s->head.orientation, err);
    }
    if (!st && tt_source_held(s))
        tt_file_close(&s->file);
    return st;
}

tt_source tt_source_of(const tt_image *img)
{
    return (tt_source){.head = *img, .borrowed = true, .holes = tt_alpha_holes(img)};
}

void tt_source_clear(tt_source *s)
{
    if (!s->borrowed)
        tt_image_clear(&s->head);
    tt_file_close(&s->file);
    *s = (tt_source){0};
}

tt_status tt_source_hold(tt_source *s, tt_error *err)
{
    tt_feed f;
    if (tt_source_held(s))
        return TT_OK;
    tt_status st = begin(&f, s, err);
    if (!st)
        st = tt_reader_allows(f.reader, true, err);
    void *samples = st ? NULL : room_for(&f, err);
    if (!st && !samples)
        st = TT_ERR_MEMORY;
    if (!st)
        st = decode(&f, samples, f.at.height, err);
    if (!st)
        st = finish(&f, err);
    if (st) {
        free(samples);
    } else {
        s->head.samples = samples;
        tt_file_close(&s->file);
    }
    tt_feed_clear(&f);
    return st;
}

void tt_source_to_grey(tt_source *s)
{
    if (!s->only_grey)
        return;
    s->only_grey = false;
    s->grey = true;
    if (tt_source_held(s))
        tt_image_to_grey(&s->head);
    else
        s->head.channels -= 2;
}

uint64_t tt_source_bytes(const tt_source *s)
{
    const tt_image *h = &s->head;
    const uint64_t samples = (uint64_t)h->width * (uint64_t)h->height * tt_image_pixel_bytes(h);
    return (tt_source_held(s) ? samples : 0) + tt_file_bytes(&s->file);
}
