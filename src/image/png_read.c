/*
 * PNG files read through libpng, which reports by longjmp(). All that happens between lives in one struct on the heap, so
 * no local variable is lost to the jump.
 * W3C, "Portable Network Graphics", 3rd edition.
 */
#include "src/image/png.h"

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

bool tt_png_probe(const unsigned char *bytes, size_t size)
{
    return size >= sizeof magic && !memcmp(bytes, magic, sizeof magic);
}

static void on_error(png_structp png, png_const_charp text)
{
    reading *r = png_get_error_ptr(png);
    snprintf(r->text, sizeof r->text, "%s", text);
    longjmp(r->jump, 1);
}

static png_voidp allocate(png_structp png, png_alloc_size_t n)
{
    void *p = malloc(n);
    if (!p)
        ((reading *)png_get_mem_ptr(png))->refused = n;
    return p;
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
    const double dpi = per_metre * TT_PNG_INCH, whole = round(dpi);
    return whole > 0 && lround(whole / TT_PNG_INCH) == (long)per_metre ? whole : dpi; /* 11811 is 300 dpi */
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
        if (!strcmp(t->key, TT_PNG_XMP))
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

tt_status tt_png_open(tt_decoding *d, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err)
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
        r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, tt_png_warned, r, allocate, tt_png_release);
        r->info = r->png ? png_create_info_struct(r->png) : NULL;
        st = r->info ? read_part(r, read_head, err) : tt_fail_memory(err, sizeof *r);
    }
    if (st)
        forget_reading(r);
    else
        *d = (tt_decoding){.decoder = r, .whole = r->passes > 1};
    return st;
}

tt_status tt_png_read(void *decoder, void *samples, int n, tt_error *err)
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

tt_status tt_png_close(void *decoder, bool whole, tt_error *err)
{
    reading *r = decoder;
    const tt_status st = whole && !r->broken ? read_part(r, read_tail, err) : TT_OK;
    forget_reading(r);
    return st;
}
