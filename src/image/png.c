/*
 * PNG through libpng, which reports by longjmp(). All that happens between lives in one struct of the caller, so no
 * local variable is lost to the jump.
 * W3C, "Portable Network Graphics", 3rd edition.
 */
#include "src/image/icc.h"
#include "src/image/image.h"
#include "src/image/meta.h"

#include <limits.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_MOST = 8 << 20, /* bytes of a chunk other than pixels, decompressed */
    CHUNKS_KEPT = 128,
    SIDE_MOST = 1000000,
    BUFFER = 1 << 16, /* bytes of the file at hand */
};

static const unsigned char magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
static const char xmp_key[] = "XML:com.adobe.xmp";
#define INCH 0.0254 /* metres */

typedef struct reading {
    jmp_buf jump;
    png_structp png;
    png_infop info;
    tt_file *in;
    const tt_image_limits *limits;
    tt_image *img;
    tt_error *err;
    tt_status st; /* of our own functions, whose sentence is written */
    uint64_t size, at;
    const unsigned char *piece; /* the bytes from `at` on that are at hand */
    size_t left;
    bool truncated;
    size_t refused; /* bytes that malloc() did not have */
    int passes;     /* 1: not interlaced */
    bool begun, broken; /* broken: what still comes cannot be had, and is done without */
    unsigned char *samples; /* rows wanted */
    int rows;
    int row, pass;  /* reached */
    uint64_t pixels;
    char text[128]; /* libpng's complaint */
    unsigned char buffer[BUFFER];
} reading;

static bool is_png(const unsigned char *bytes, size_t size)
{
    return size >= sizeof magic && !memcmp(bytes, magic, sizeof magic);
}

static void on_error(png_structp png, png_const_charp text)
{
    reading *r = png_get_error_ptr(png);
    snprintf(r->text, sizeof r->text, "%s", text);
    longjmp(r->jump, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png; /* what libpng only warns of costs no pixel */
    (void)text;
}

static png_voidp allocate(png_structp png, png_alloc_size_t n)
{
    void *p = malloc(n);
    if (!p)
        ((reading *)png_get_mem_ptr(png))->refused = n;
    return p;
}

static void release(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

static void fetch(png_structp png, png_bytep to, size_t n)
{
    reading *r = png_get_io_ptr(png);
    bool enough = n <= r->size - r->at;
    while (n && enough) {
        if (!r->left)
            r->left = tt_file_piece(r->in, r->at, r->buffer, BUFFER, &r->piece);
        const size_t take = n < r->left ? n : r->left;
        enough = take > 0;
        memcpy(to, r->piece, take);
        to += take;
        n -= take;
        r->piece += take;
        r->left -= take;
        r->at += take;
    }
    if (!enough) {
        r->truncated = true;
        png_error(png, "the file ends too early");
    }
}

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * What libpng would not tell in good words, before it is asked: whether there is an animation (its first frame alone
 * would pass for the whole). And what it would believe: a chunk other than pixels that is longer than the rest of
 * the file gets its memory, up to 2 GiB, before it is read, so the file ends before that chunk.
 */
static tt_status look_ahead(reading *r)
{
    unsigned char p[33];
    bool pixels = false;
    if (tt_file_read(r->in, 0, p, 33) < 33 || be32(p + 8) != 13 || memcmp(p + 12, "IHDR", 4))
        return tt_fail(r->err, TT_ERR_FORMAT, "%s: damaged PNG: no complete header", r->in->name);
    for (uint64_t at = 8; r->size - at >= 8;) { /* length (4) type (4) data CRC (4) */
        const size_t got = tt_file_read(r->in, at, p, 12);
        const uint32_t n = got < 8 ? UINT32_MAX : be32(p);
        const bool idat = got >= 8 && !memcmp(p + 4, "IDAT", 4), fits = r->size - at >= 12 && n <= r->size - at - 12;
        if (!fits) {
            r->size = idat ? r->size : at;
            break;
        }
        pixels = pixels || idat;
        if (!pixels && !memcmp(p + 4, "acTL", 4) && n >= 8 && be32(p + 8) > 1)
            return tt_fail(r->err, TT_ERR_UNSUPPORTED, "%s: an animated PNG (%u frames); only single pictures are read",
                           r->in->name, be32(p + 8));
        at += 12 + (uint64_t)n;
    }
    return TT_OK;
}

static double dpi_of(png_uint_32 per_metre)
{
    const double dpi = per_metre * INCH, whole = round(dpi);
    return whole > 0 && lround(whole / INCH) == (long)per_metre ? whole : dpi; /* 11811 is 300 dpi */
}

/* For our functions that fail with a sentence of their own. */
static void check(reading *r, tt_status st)
{
    if (st) {
        r->st = st;
        longjmp(r->jump, 1);
    }
}

/* A file may say it twice, before and after the pixels: the first counts. */
static void keep(reading *r, tt_blob *blob, const void *bytes, size_t n)
{
    if (!blob->size && n)
        check(r, tt_blob_set(blob, bytes, n, r->err));
}

static void keep_raw_profile(reading *r, tt_blob *blob, const png_text *t)
{
    if (!blob->size)
        check(r, tt_meta_read_raw_profile(blob, t->text, t->text_length ? t->text_length : t->itxt_length, r->err));
}

/* Take `n` bytes from the front. */
static void cut_front(tt_blob *blob, size_t n)
{
    blob->size -= n;
    memmove(blob->data, blob->data + n, blob->size);
}

/* Bare records, or Photoshop's resources around them. */
static void keep_iptc(reading *r, const png_text *t)
{
    tt_blob *iptc = &r->img->iptc;
    const unsigned char *records;
    size_t n;
    if (iptc->size)
        return;
    keep_raw_profile(r, iptc, t);
    if (!iptc->size || iptc->data[0] == 0x1c) /* each record begins so */
        return;
    if (tt_meta_find_iptc(iptc->data, iptc->size, &records, &n)) {
        cut_front(iptc, (size_t)(records - iptc->data));
        iptc->size = n;
    } else {
        tt_blob_clear(iptc);
    }
}

/* What may stand before the pixels and after them. */
static void take_metadata(reading *r)
{
    tt_image *img = r->img;
    png_bytep data;
    png_uint_32 n;
    png_textp texts;
    int count = 0;
    if (png_get_eXIf_1(r->png, r->info, &n, &data))
        keep(r, &img->exif, data, n);
    png_get_text(r->png, r->info, &texts, &count);
    for (int i = 0; i < count; i++) {
        const png_text *t = &texts[i];
        if (!strcmp(t->key, xmp_key))
            keep(r, &img->xmp, t->text, t->text_length ? t->text_length : t->itxt_length);
        else if (!strcmp(t->key, "Raw profile type exif") || !strcmp(t->key, "Raw profile type APP1"))
            keep_raw_profile(r, &img->exif, t);
        else if (!strcmp(t->key, "Raw profile type xmp"))
            keep_raw_profile(r, &img->xmp, t);
        else if (!strcmp(t->key, "Raw profile type iptc"))
            keep_iptc(r, t);
    }
    if (img->exif.size > 6 && !memcmp(img->exif.data, "Exif\0\0", 6))
        cut_front(&img->exif, 6); /* as JPEG has it */
}

static void take_colour(reading *r)
{
    tt_image *img = r->img;
    png_charp name;
    png_bytep data;
    png_uint_32 n, x, y;
    int method, unit, intent;
    double gamma, c[8];
    if (png_get_iCCP(r->png, r->info, &name, &method, &data, &n)) {
        keep(r, &img->icc, data, n);
    } else if (png_get_sRGB(r->png, r->info, &intent)) {
        img->srgb = true;
    } else {
        if (png_get_gAMA(r->png, r->info, &gamma) && gamma > 0.01 && gamma < 100)
            img->gamma = gamma;
        if (png_get_cHRM(r->png, r->info, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7]))
            memcpy(img->chrm, c, sizeof c);
    }
    if (png_get_pHYs(r->png, r->info, &x, &y, &unit) && unit == PNG_RESOLUTION_METER && x && y) {
        img->dpi_x = dpi_of(x);
        img->dpi_y = dpi_of(y);
    }
}

static void read_head(reading *r)
{
    static const char *const colours[] = {"grey", "", "RGB", "palette", "grey and alpha", "", "RGB and alpha"};
    png_set_user_limits(r->png, SIDE_MOST, SIDE_MOST);
    png_set_chunk_malloc_max(r->png, CHUNK_MOST);
    png_set_chunk_cache_max(r->png, CHUNKS_KEPT);
    png_set_benign_errors(r->png, 1);
    if (r->limits->salvage)
        png_set_crc_action(r->png, PNG_CRC_WARN_USE, PNG_CRC_WARN_DISCARD);
    else
        png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    if (r->limits->salvage)
        png_set_compression_buffer_size(r->png, 64); /* bytes fetched at once, and so lost where the file ends */
    png_set_read_fn(r->png, r, fetch);
    png_read_info(r->png, r->info);

    const int colour = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    const bool clear = png_get_valid(r->png, r->info, PNG_INFO_tRNS);
    png_set_expand(r->png); /* palette, 1, 2, 4 bits and tRNS become whole samples */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (depth == 16)
        png_set_swap(r->png);
#endif
    const int channels = (colour & PNG_COLOR_MASK_COLOR ? 3 : 1) + (colour & PNG_COLOR_MASK_ALPHA || clear);
    check(r, tt_image_measure(r->img, png_get_image_width(r->png, r->info), png_get_image_height(r->png, r->info),
                              channels, depth == 16 ? 16 : 8, r->in->name, r->limits, r->err));
    r->img->format = "PNG";
    r->img->file_depth = depth;
    r->img->file_colour = colours[colour];
    take_colour(r);
    take_metadata(r);
    r->passes = png_set_interlace_handling(r->png);
}

static void read_rows(reading *r)
{
    const size_t row = (size_t)r->img->width * tt_image_pixel_bytes(r->img);
    if (!r->begun)
        png_start_read_image(r->png);
    r->begun = true;
    for (int n = r->rows; n; n--, r->samples += row) {
        png_read_row(r->png, r->samples, NULL);
        r->pixels += (uint64_t)r->img->width;
        r->row++;
    }
}

/* All of them, several times over. */
static void read_interlaced(reading *r)
{
    const tt_image *img = r->img;
    const size_t row = (size_t)img->width * tt_image_pixel_bytes(img);
    png_start_read_image(r->png);
    for (r->pass = 0; r->pass < r->passes; r->pass++)
        for (r->row = 0; r->row < img->height; r->row++) {
            png_bytep to = r->samples + (size_t)r->row * row;
            /* to save a picture that breaks off, pixels known stand in for neighbours unknown */
            const bool blocks = r->limits->salvage;
            png_read_row(r->png, blocks ? NULL : to, blocks ? to : NULL);
            if (PNG_ROW_IN_INTERLACE_PASS((png_uint_32)r->row, r->pass))
                r->pixels += (uint64_t)PNG_PASS_COLS(img->width, r->pass);
        }
}

static void read_tail(reading *r)
{
    png_read_end(r->png, r->info);
    take_metadata(r);
}

/* False: r->st or r->text says why. */
static bool read_guarded(reading *r, void (*part)(reading *))
{
    if (setjmp(r->jump))
        return false;
    part(r);
    return true;
}

/* One part of the reading; where it fails, what is known is kept if that is wanted. */
static tt_status read_part(reading *r, void (*part)(reading *), tt_error *err)
{
    r->err = err;
    const bool whole = read_guarded(r, part);
    if (r->st)
        return r->st;
    if (r->refused) /* also where libpng would go on without: no metadata is lost for want of memory */
        return tt_fail_memory(err, r->refused);
    if (whole)
        return TT_OK;
    if (r->limits->salvage && r->pixels) {
        r->img->missing = 1 - (double)r->pixels / ((double)r->img->width * r->img->height);
        r->broken = true;
        return TT_OK;
    }
    const char *how = r->truncated ? "truncated" : "damaged";
    if (!r->passes)
        return tt_fail(err, TT_ERR_FORMAT, "%s: %s PNG, byte %llu: %s", r->in->name, how, (unsigned long long)r->at,
                       r->text);
    return tt_fail(err, TT_ERR_FORMAT, "%s: %s PNG, byte %llu, row %d of %d%s: %s", r->in->name, how,
                   (unsigned long long)r->at, r->row, r->img->height, r->pass ? " (interlaced)" : "", r->text);
}

static void forget_reading(reading *r)
{
    png_destroy_read_struct(&r->png, &r->info, NULL);
    free(r);
}

static tt_status begin_reading(tt_decoding *d, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err)
{
    reading *r = malloc(sizeof *r);
    if (!r)
        return tt_fail_memory(err, sizeof *r);
    memset(r, 0, offsetof(reading, buffer));
    r->in = in;
    r->limits = limits;
    r->img = head;
    r->err = err;
    r->size = in->size;
    tt_status st = look_ahead(r);
    if (!st) {
        r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, r, allocate, release);
        r->info = r->png ? png_create_info_struct(r->png) : NULL;
        st = r->info ? read_part(r, read_head, err) : tt_fail_memory(err, sizeof *r);
    }
    if (st)
        forget_reading(r);
    else
        *d = (tt_decoding){.decoder = r, .whole = r->passes > 1};
    return st;
}

static tt_status read_on(void *decoder, void *samples, int n, tt_error *err)
{
    reading *r = decoder;
    if (r->limits->salvage) /* what is missing is black */
        memset(samples, 0, (size_t)n * (size_t)r->img->width * tt_image_pixel_bytes(r->img));
    if (r->broken)
        return TT_OK;
    r->samples = samples;
    r->rows = n;
    return read_part(r, r->passes > 1 ? read_interlaced : read_rows, err);
}

static tt_status end_reading(void *decoder, bool whole, tt_error *err)
{
    reading *r = decoder;
    const tt_status st = whole && !r->broken ? read_part(r, read_tail, err) : TT_OK;
    forget_reading(r);
    return st;
}

/* Writing. */

typedef struct writing {
    jmp_buf jump;
    png_structp png;
    png_infop info;
    tt_image img; /* borrowed, but for its xmp */
    int level;
    const unsigned char *samples; /* rows at hand */
    int rows;
    bool (*put)(void *to, const void *bytes, size_t n);
    void *to;
    bool put_failed;
    char *iptc; /* as text */
    size_t iptc_size, refused;
    char text[128];
} writing;

static void on_write_error(png_structp png, png_const_charp text)
{
    writing *w = png_get_error_ptr(png);
    snprintf(w->text, sizeof w->text, "%s", text);
    longjmp(w->jump, 1);
}

static png_voidp allocate_write(png_structp png, png_alloc_size_t n)
{
    void *p = malloc(n);
    if (!p)
        ((writing *)png_get_mem_ptr(png))->refused = n;
    return p;
}

static void deliver(png_structp png, png_bytep bytes, size_t n)
{
    writing *w = png_get_io_ptr(png);
    if (w->put(w->to, bytes, n))
        return;
    w->put_failed = true;
    png_error(png, "cannot be written");
}

static void no_flush(png_structp png)
{
    (void)png;
}

static void set_colour(const writing *w)
{
    const tt_image *img = &w->img;
    const double *c = img->chrm;
    if (img->icc.size) {
        png_set_iCCP(w->png, w->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, img->icc.data,
                     (png_uint_32)img->icc.size);
    } else if (img->srgb) {
        png_set_sRGB_gAMA_and_cHRM(w->png, w->info, PNG_sRGB_INTENT_PERCEPTUAL);
    } else {
        if (img->gamma > 0)
            png_set_gAMA(w->png, w->info, img->gamma);
        if (c[1] > 0)
            png_set_cHRM(w->png, w->info, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
    }
}

static void set_metadata(writing *w)
{
    const tt_image *img = &w->img;
    if (img->exif.size && img->exif.size <= INT_MAX)
        png_set_eXIf_1(w->png, w->info, (png_uint_32)img->exif.size, img->exif.data);
    const double x = img->dpi_x / INCH, y = img->dpi_y / INCH;
    if (x >= 0.5 && y >= 0.5 && x < INT_MAX && y < INT_MAX)
        png_set_pHYs(w->png, w->info, (png_uint_32)lround(x), (png_uint_32)lround(y), PNG_RESOLUTION_METER);
    png_text texts[2];
    int n = 0;
    memset(texts, 0, sizeof texts);
    if (w->iptc) {
        texts[n].compression = PNG_TEXT_COMPRESSION_zTXt;
        texts[n].key = (png_charp) "Raw profile type iptc";
        texts[n].text = w->iptc;
        texts[n++].text_length = w->iptc_size;
    }
    /* libpng wants a string: the blob's copy ends with a zero (see begin()) */
    if (img->xmp.size) {
        texts[n].compression = PNG_ITXT_COMPRESSION_NONE;
        texts[n].key = (png_charp)xmp_key;
        texts[n].text = (png_charp)img->xmp.data;
        texts[n].itxt_length = img->xmp.size;
        texts[n].lang = (png_charp) "";
        texts[n++].lang_key = (png_charp) "";
    }
    if (n)
        png_set_text(w->png, w->info, texts, n);
}

static void write_head(writing *w)
{
    static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                  PNG_COLOR_TYPE_RGB_ALPHA};
    const tt_image *img = &w->img;
    png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(w->png, 0);
    png_set_benign_errors(w->png, 1);
    png_set_write_fn(w->png, w, deliver, no_flush);
    png_set_compression_buffer_size(w->png, 1 << 16); /* bytes of an IDAT */
    png_set_compression_level(w->png, w->level);
    png_set_IHDR(w->png, w->info, (png_uint_32)img->width, (png_uint_32)img->height, img->depth,
                 colours[img->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    set_colour(w);
    set_metadata(w);
    png_write_info(w->png, w->info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (img->depth == 16)
        png_set_swap(w->png);
#endif
}

static void write_rows(writing *w)
{
    const size_t row = (size_t)w->img.width * tt_image_pixel_bytes(&w->img);
    for (; w->rows; w->rows--, w->samples += row)
        png_write_row(w->png, w->samples);
}

static void write_tail(writing *w)
{
    png_write_end(w->png, NULL); /* with info, libpng 1.6.39 would write eXIf again */
}

static bool guarded(writing *w, void (*part)(writing *))
{
    if (setjmp(w->jump))
        return false;
    part(w);
    return true;
}

static tt_status written(writing *w, void (*part)(writing *), tt_error *err)
{
    const bool whole = guarded(w, part);
    if (w->refused)
        return tt_fail_memory(err, w->refused);
    if (!whole)
        return tt_fail(err, w->put_failed ? TT_ERR_TEMPORARY : TT_ERR_INTERNAL, "PNG: %s", w->text);
    return TT_OK;
}

static void forget(writing *w)
{
    png_destroy_write_struct(&w->png, &w->info);
    tt_blob_clear(&w->img.xmp);
    free(w->iptc);
    free(w);
}

static tt_status begin(void **encoder, const tt_image *img, const tt_write_options *o,
                       bool (*put)(void *to, const void *bytes, size_t n), void *to, tt_error *err)
{
    writing *w = calloc(1, sizeof *w);
    tt_status st = TT_OK;
    if (!w)
        return tt_fail_memory(err, sizeof *w);
    w->img = *img;
    w->level = o->png_level ? o->png_level : 6;
    w->put = put;
    w->to = to;
    w->img.xmp = (tt_blob){0};
    if (img->xmp.size && !memchr(img->xmp.data, 0, img->xmp.size)) { /* UTF-16 cannot stand in a PNG text */
        w->img.xmp = (tt_blob){malloc(img->xmp.size + 1), img->xmp.size};
        if (!w->img.xmp.data) {
            st = tt_fail_memory(err, img->xmp.size + 1);
            goto done;
        }
        memcpy(w->img.xmp.data, img->xmp.data, img->xmp.size);
        w->img.xmp.data[img->xmp.size] = 0;
    }
    if (img->iptc.size) {
        st = tt_meta_write_raw_profile(&w->iptc, &w->iptc_size, "iptc", img->iptc.data, img->iptc.size, err);
        if (st)
            goto done;
    }
    w->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, w, on_write_error, on_warning, w, allocate_write,
                                       release);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    st = w->info ? written(w, write_head, err) : tt_fail_memory(err, sizeof *w);
done:
    if (st)
        forget(w);
    else
        *encoder = w;
    return st;
}

static tt_status rows(void *encoder, const void *samples, int n, tt_error *err)
{
    writing *w = encoder;
    w->samples = samples;
    w->rows = n;
    return written(w, write_rows, err);
}

static tt_status end(void *encoder, bool whole, tt_error *err)
{
    const tt_status st = whole ? written(encoder, write_tail, err) : TT_OK;
    forget(encoder);
    return st;
}

static const char *refuses(int channels, int depth)
{
    return channels >= 1 && channels <= 4 && (depth == 8 || depth == 16) ? NULL : "PNG has no such samples";
}

static const char *const endings[] = {"png", NULL};
const tt_image_format tt_image_png = {
    .name = "png",
    .endings = endings,
    .max_side = INT_MAX,
    .probe = is_png,
    .open = begin_reading,
    .read = read_on,
    .close = end_reading,
    .refuses = refuses,
    .begin = begin,
    .rows = rows,
    .end = end,
};
