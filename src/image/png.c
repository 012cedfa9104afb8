/*
 * PNG: the format, and files written through libpng, which reports by longjmp(). All that happens between lives in one
 * struct on the heap, so no local variable is lost to the jump.
 * W3C, "Portable Network Graphics", 3rd edition.
 */
#include "src/image/png.h"

#include "src/image/meta.h"

#include <limits.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void tt_png_warned(png_structp png, png_const_charp text)
{
    (void)png; /* what libpng only warns of costs no pixel */
    (void)text;
}

static png_voidp allocate_write(png_structp png, png_alloc_size_t n)
{
    void *p = malloc(n);
    if (!p)
        ((writing *)png_get_mem_ptr(png))->refused = n;
    return p;
}

void tt_png_release(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
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
    const double x = img->dpi_x / TT_PNG_INCH, y = img->dpi_y / TT_PNG_INCH;
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
        texts[n].key = (png_charp)TT_PNG_XMP;
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
    w->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, w, on_write_error, tt_png_warned, w, allocate_write,
                                       tt_png_release);
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
    .probe = tt_png_probe,
    .open = tt_png_open,
    .read = tt_png_read,
    .close = tt_png_close,
    .refuses = refuses,
    .begin = begin,
    .rows = rows,
    .end = end,
};
