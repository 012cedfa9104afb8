#include "src/image/image.h"

#include "engine/alloc.h"
#include "src/image/exif.h"
#include "src/image/icc.h"
#include "src/image/meta.h"
#include "src/image/turn.h"
#include "src/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SIDE_MOST = 1000000, PROBED = 64 }; /* PROBED: first bytes, by which a format is told */
#define PIXELS_MOST ((uint64_t)1 << 30)
#define FILE_MOST ((size_t)1 << 33) /* bytes; beyond 8 to a pixel no file is a sensible picture */

void tt_blob_clear(tt_blob *b)
{
    free(b->data);
    *b = (tt_blob){0};
}

tt_status tt_blob_set(tt_blob *to, const void *bytes, size_t size, tt_error *err)
{
    unsigned char *p = NULL;
    if (size) {
        p = malloc(size);
        if (!p)
            return tt_fail_memory(err, size);
        memcpy(p, bytes, size);
    }
    tt_blob_clear(to);
    *to = (tt_blob){p, size};
    return TT_OK;
}

void tt_image_clear(tt_image *img)
{
    free(img->samples);
    tt_blob_clear(&img->icc);
    tt_blob_clear(&img->exif);
    tt_blob_clear(&img->xmp);
    tt_blob_clear(&img->iptc);
    *img = (tt_image){0};
}

/* False where the bytes cannot even be counted. */
static bool count_bytes(int width, int height, int channels, int depth, size_t *bytes)
{
    size_t pixels;
    return width > 0 && height > 0 && channels >= 1 && channels <= 4 && (depth == 8 || depth == 16) &&
           tt_mul((size_t)width, (size_t)height, &pixels) &&
           tt_mul(pixels, (size_t)channels * (size_t)(depth / 8), bytes) && *bytes <= PTRDIFF_MAX;
}

tt_status tt_image_init(tt_image *img, int width, int height, int channels, int depth, tt_error *err)
{
    size_t bytes;
    *img = (tt_image){0};
    if (!count_bytes(width, height, channels, depth, &bytes))
        return tt_fail(err, TT_ERR_MEMORY, "a picture of %d x %d pixels, %d x %d bits, cannot be had", width, height,
                       channels, depth);
    img->samples = calloc(1, bytes);
    if (!img->samples)
        return tt_fail_memory(err, bytes);
    img->width = width;
    img->height = height;
    img->channels = channels;
    img->depth = depth;
    img->orientation = 1;
    return TT_OK;
}

tt_status tt_image_measure(tt_image *img, uint64_t width, uint64_t height, int channels, int depth,
                           const char *label, const tt_image_limits *limits, tt_error *err)
{
    const uint64_t most = limits && limits->max_pixels ? limits->max_pixels : PIXELS_MOST;
    size_t bytes;
    if (!width || !height)
        return tt_fail(err, TT_ERR_FORMAT, "%s: the picture has no pixels", label);
    if (width > SIDE_MOST || height > SIDE_MOST || width > most / height)
        return tt_fail(err, TT_ERR_MEMORY,
                       "%s: %llu x %llu pixels are more than allowed (%llu pixels, %d a side)", label,
                       (unsigned long long)width, (unsigned long long)height, (unsigned long long)most, SIDE_MOST);
    if (!count_bytes((int)width, (int)height, channels, depth, &bytes))
        return tt_fail(err, TT_ERR_MEMORY, "%s: %llu x %llu pixels, %d x %d bits, are more bytes than allowed", label,
                       (unsigned long long)width, (unsigned long long)height, channels, depth);
    img->width = (int)width;
    img->height = (int)height;
    img->channels = channels;
    img->depth = depth;
    img->orientation = 1;
    return TT_OK;
}

static const tt_image_format *probe(const unsigned char *bytes, size_t size)
{
    for (const tt_image_format *const *f = tt_image_formats; *f; f++)
        if ((*f)->probe(bytes, size))
            return *f;
    return NULL;
}

static bool is_known(const unsigned char *head, size_t n)
{
    return probe(head, n);
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct tt_reader {
    const tt_image_format *format;
    tt_decoding d;
    tt_image *head;
    tt_file *in;
    tt_image_limits limits;
};

/* What conversions go by while rows come: a profile that can be used, or gamma and primaries. */
static tt_status settle_colour(tt_image *head, tt_error *err)
{
    tt_exif e;
    const tt_status st = tt_icc_check(&head->icc, head->channels, err);
    if (st)
        return st;
    if (head->icc.size) {
        head->gamma = 0;
        memset(head->chrm, 0, sizeof head->chrm);
    }
    if (tt_exif_read(&e, &head->exif))
        head->orientation = e.orientation;
    return TT_OK;
}

/* Metadata sound and true of the picture when it stands upright; then the size is still that of the rows. */
static tt_status settle(tt_image *head, tt_error *err)
{
    tt_exif e;
    if (!tt_exif_read(&e, &head->exif))
        tt_blob_clear(&head->exif);
    if (!(head->dpi_x > 0 && head->dpi_y > 0)) {
        head->dpi_x = e.dpi_x;
        head->dpi_y = e.dpi_y;
    }
    if (!(head->dpi_x > 0 && head->dpi_y > 0))
        head->dpi_x = head->dpi_y = 0;
    head->orientation = e.orientation;
    const bool lies = e.orientation > 4;
    const int w = lies ? head->height : head->width, h = lies ? head->width : head->height;
    tt_exif_settle(&head->exif, w, h, lies ? head->dpi_y : head->dpi_x, lies ? head->dpi_x : head->dpi_y);
    return tt_meta_settle_xmp(&head->xmp, w, h, e.orientation != 1, err);
}

/* What cannot be read from the disk looks like a truncated file to a decoder. */
static tt_status true_reason(tt_file *in, tt_status st, tt_error *err)
{
    const tt_status fault = st ? tt_file_fault(in, err) : TT_OK;
    return fault ? fault : st;
}

tt_status tt_reader_open(tt_reader **reader, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err)
{
    unsigned char first[PROBED];
    *reader = NULL;
    *head = (tt_image){0};
    if (!in->size)
        return tt_fail(err, TT_ERR_FORMAT, "%s: is empty", in->name);
    const size_t n = tt_file_read(in, 0, first, sizeof first);
    const tt_image_format *f = probe(first, n);
    if (!f) {
        const tt_status st = tt_fail(err, TT_ERR_FORMAT, "%s: is no picture of a known kind (PNG, JPEG)", in->name);
        return true_reason(in, st, err);
    }
    tt_reader *r = calloc(1, sizeof *r);
    if (!r)
        return tt_fail_memory(err, sizeof *r);
    *r = (tt_reader){.format = f, .head = head, .in = in};
    if (limits)
        r->limits = *limits;
    tt_status st = f->open(&r->d, head, in, &r->limits, err);
    if (st) {
        free(r);
        tt_image_clear(head);
        return true_reason(in, st, err);
    }
    st = settle_colour(head, err);
    if (st) {
        st = tt_reader_end(r, st, err);
        tt_image_clear(head);
        return st;
    }
    *reader = r;
    return TT_OK;
}

bool tt_reader_whole(const tt_reader *r)
{
    return r->d.whole;
}

uint64_t tt_reader_bytes(const tt_reader *r)
{
    /* libjpeg has some twenty rows of each colour at hand, libpng a few, and both their tables */
    return r->d.held + ((uint64_t)1 << 19) + 32 * (uint64_t)r->head->width * tt_image_pixel_bytes(r->head);
}

tt_status tt_reader_allows(const tt_reader *r, bool held, tt_error *err)
{
    const tt_image *h = r->head;
    const uint64_t most = r->limits.max_bytes;
    const uint64_t samples = held ? (uint64_t)h->width * (uint64_t)h->height * tt_image_pixel_bytes(h) : 0;
    if (!most || samples + r->d.held <= most)
        return TT_OK;
    if (!r->d.held)
        return tt_fail(err, TT_ERR_MEMORY, "%s: %d x %d pixels, %d x %d bits, are more bytes than allowed",
                       r->in->name, h->width, h->height, h->channels, h->depth);
    return tt_fail(err, TT_ERR_MEMORY,
                   "%s: a progressive JPEG of %d x %d pixels takes %.0f MiB to decode, more than the %.0f MiB allowed",
                   r->in->name, h->width, h->height, ceil((double)(samples + r->d.held) / (1 << 20)),
                   floor((double)most / (1 << 20)));
}

tt_status tt_reader_rows(tt_reader *r, void *samples, int rows, tt_error *err)
{
    return true_reason(r->in, r->format->read(r->d.decoder, samples, rows, err), err);
}

tt_status tt_reader_end(tt_reader *r, tt_status so_far, tt_error *err)
{
    if (!r)
        return so_far;
    tt_status st = r->format->close(r->d.decoder, !so_far, err);
    st = so_far ? so_far : true_reason(r->in, st, err);
    if (!st)
        st = settle(r->head, err);
    free(r);
    return st;
}

/* Decoded, all of it. */
static tt_status read_whole(tt_image *img, tt_file *in, const tt_image_limits *limits, tt_error *err)
{
    tt_image head;
    tt_reader *r;
    *img = (tt_image){0};
    tt_status st = tt_reader_open(&r, &head, in, limits, err);
    if (st)
        return st;
    st = tt_reader_allows(r, true, err);
    if (!st)
        st = tt_image_init(img, head.width, head.height, head.channels, head.depth, err);
    if (!st)
        st = tt_reader_rows(r, img->samples, head.height, err);
    st = tt_reader_end(r, st, err);
    head.samples = img->samples;
    *img = head;
    if (!st)
        st = tt_image_turn(img, img->orientation, err);
    if (st)
        tt_image_clear(img);
    return st;
}

tt_status tt_image_read_memory(tt_image *img, const void *bytes, size_t size, const char *label,
                               const tt_image_limits *limits, tt_error *err)
{
    tt_file in = tt_file_of(bytes, size, label);
    return read_whole(img, &in, limits, err);
}

tt_status tt_image_file(tt_file *in, const char *path, tt_error *err)
{
    return tt_file_open(in, path, FILE_MOST, is_known, err);
}

tt_status tt_image_read(tt_image *img, const char *path, const tt_image_limits *limits, tt_error *err)
{
    tt_file in;
    *img = (tt_image){0};
    tt_status st = tt_image_file(&in, path, err);
    if (!st)
        st = read_whole(img, &in, limits, err);
    tt_file_close(&in);
    return st;
}

/* ---- writing -------------------------------------------------------------------------------------- */

tt_status tt_image_copy_metadata(tt_image *to, const tt_image *from, tt_error *err)
{
    tt_status st = TT_OK;
    tt_blob none = {0};
    const tt_blob *icc = tt_icc_fits(&from->icc, to->channels) ? &from->icc : &none;
    if ((st = tt_blob_set(&to->icc, icc->data, icc->size, err)) ||
        (st = tt_blob_set(&to->exif, from->exif.data, from->exif.size, err)) ||
        (st = tt_blob_set(&to->xmp, from->xmp.data, from->xmp.size, err)) ||
        (st = tt_blob_set(&to->iptc, from->iptc.data, from->iptc.size, err)))
        return st;
    to->dpi_x = from->dpi_x;
    to->dpi_y = from->dpi_y;
    to->gamma = from->gamma;
    to->srgb = from->srgb;
    memcpy(to->chrm, from->chrm, sizeof to->chrm);
    to->format = from->format;
    to->file_depth = from->file_depth;
    to->file_colour = from->file_colour;
    to->orientation = from->orientation;
    to->jpeg_quality = from->jpeg_quality;
    to->missing = from->missing;
    tt_exif_settle(&to->exif, to->width, to->height, to->dpi_x, to->dpi_y);
    return tt_meta_settle_xmp(&to->xmp, to->width, to->height, false, err);
}

static const tt_image_format *find_format(const char *path, const tt_write_options *o, tt_error *err)
{
    const char *ending = o ? o->format : NULL;
    if (!ending) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
        ending = !strcmp(path, "-") ? "png" : dot ? dot + 1 : "";
    }
    for (const tt_image_format *const *f = tt_image_formats; *f; f++) {
        if (!strcasecmp((*f)->name, ending))
            return *f;
        for (const char *const *e = (*f)->endings; *e; e++)
            if (!strcasecmp(*e, ending))
                return *f;
    }
    if (o && o->format)
        tt_fail(err, TT_ERR_USAGE, "\"%s\" is no format that can be written (png, jpeg)", ending);
    else
        tt_fail(err, TT_ERR_USAGE, "%s: its ending names no format that can be written (.png, .jpg)", path);
    return NULL;
}

tt_status tt_image_can_write(int channels, int depth, const char *path, const tt_write_options *o, tt_error *err)
{
    const tt_image_format *f = find_format(path, o, err);
    if (!f)
        return TT_ERR_USAGE;
    if (o && (o->jpeg_quality < 0 || o->jpeg_quality > 100))
        return tt_fail(err, TT_ERR_USAGE, "%d is no JPEG quality (1 to 100)", o->jpeg_quality);
    if (o && (o->png_level < 0 || o->png_level > 9))
        return tt_fail(err, TT_ERR_USAGE, "%d is no PNG level (1 to 9)", o->png_level);
    const char *why = f->refuses(channels, depth);
    return why ? tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %s", path, why) : TT_OK;
}

tt_status tt_image_can_hold(int width, int height, const char *path, const tt_write_options *o, tt_error *err)
{
    const tt_image_format *f = find_format(path, o, err);
    if (!f)
        return TT_ERR_USAGE;
    if (width > f->max_side || height > f->max_side)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %d x %d pixels are too many for %s (%d a side)%s", path, width,
                       height, f->name, f->max_side, strcmp(f->name, "png") ? ": write PNG" : "");
    return TT_OK;
}

uint64_t tt_image_writing_bytes(int width, int height, int channels, const char *path, const tt_write_options *o)
{
    const tt_image_format *f = find_format(path, o, NULL);
    return f && f->writing_bytes ? f->writing_bytes(width, height, channels) : 0;
}

struct tt_writer {
    const tt_image_format *format;
    void *encoder;
    tt_image shown; /* metadata that was true of another size or depth is corrected: exif and xmp are copies */
    tt_output *out;
    bool failed; /* nothing more can be put */
    int rows;    /* so far */
};

static bool put(void *to, const void *bytes, size_t n)
{
    tt_writer *w = to;
    if (!w->failed)
        w->failed = !tt_output_put(w->out, bytes, n);
    return !w->failed;
}

static tt_status correct_metadata(tt_image *shown, const tt_image *img, tt_error *err)
{
    *shown = *img;
    shown->samples = NULL;
    shown->exif = shown->xmp = (tt_blob){0};
    tt_status st = tt_blob_set(&shown->exif, img->exif.data, img->exif.size, err);
    if (!st)
        st = tt_blob_set(&shown->xmp, img->xmp.data, img->xmp.size, err);
    if (!st)
        st = tt_meta_settle_xmp(&shown->xmp, img->width, img->height, false, err);
    if (st)
        return st;
    tt_exif_settle(&shown->exif, img->width, img->height, img->dpi_x, img->dpi_y);
    if (!tt_icc_fits(&shown->icc, img->channels))
        shown->icc = (tt_blob){0}; /* borrowed */
    return TT_OK;
}

tt_status tt_writer_begin(tt_writer **writer, const tt_image *img, const char *path, const tt_write_options *o,
                          tt_error *err)
{
    static const tt_write_options defaults;
    *writer = NULL;
    o = o ? o : &defaults;
    tt_status st = tt_image_can_write(img->channels, img->depth, path, o, err);
    if (!st)
        st = tt_image_can_hold(img->width, img->height, path, o, err);
    if (st)
        return st;
    if (img->width < 1 || img->height < 1)
        return tt_fail(err, TT_ERR_INTERNAL, "%s: there is no picture to write", path);
    tt_writer *w = calloc(1, sizeof *w);
    if (!w)
        return tt_fail_memory(err, sizeof *w);
    w->format = find_format(path, o, err);
    st = correct_metadata(&w->shown, img, err);
    if (!st)
        st = tt_output_open(&w->out, path, o->overwrite, err);
    if (!st)
        st = w->format->begin(&w->encoder, &w->shown, o, put, w, err);
    if (st) {
        st = tt_writer_end(w, st, err);
        return st;
    }
    *writer = w;
    return TT_OK;
}

tt_status tt_writer_rows(tt_writer *w, const void *samples, int rows, tt_error *err)
{
    w->rows += rows;
    return w->format->rows(w->encoder, samples, rows, err);
}

tt_status tt_writer_end(tt_writer *w, tt_status st, tt_error *err)
{
    if (!w)
        return st;
    if (!st && w->rows != w->shown.height)
        st = tt_fail(err, TT_ERR_INTERNAL, "%d rows of %d were written", w->rows, w->shown.height);
    if (w->encoder) {
        const tt_status closed = w->format->end(w->encoder, !st, err);
        st = st ? st : closed;
    }
    if (!st || w->failed)
        st = tt_output_commit(w->out, err); /* its sentence tells why nothing could be put */
    else
        tt_output_abort(w->out);
    tt_blob_clear(&w->shown.exif);
    tt_blob_clear(&w->shown.xmp);
    free(w);
    return st;
}

tt_status tt_image_write(const tt_image *img, const char *path, const tt_write_options *o, tt_error *err)
{
    tt_writer *w;
    tt_status st = tt_writer_begin(&w, img, path, o, err);
    if (!st && !img->samples)
        st = tt_fail(err, TT_ERR_INTERNAL, "%s: there is no picture to write", path);
    else if (!st)
        st = tt_writer_rows(w, img->samples, img->height, err);
    return tt_writer_end(w, st, err);
}
