/*
 * JPEG: the format, and files written through libjpeg, which reports by calling error_exit(), and we leave that by
 * longjmp(). All that happens between lives in one struct on the heap, so no local variable is lost to the jump.
 * ITU-T T.81; JFIF 1.02; ICC.1:2010, B.4; XMP part 3, 1.1.3.
 */
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

#include "src/image/jpeg.h"

#include "src/image/icc.h"
#include "src/image/meta.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT_MOST = 65533,
    BUFFER = 1 << 16,
    OPTIMIZED_MOST = 4000000, /* pixels */
};
const char tt_jpeg_exif[6] = "Exif\0";
const char tt_jpeg_xmp[29] = "http://ns.adobe.com/xap/1.0/"; /* with its zero */
const char tt_jpeg_photoshop[14] = "Photoshop 3.0";

typedef struct writing {
    struct jpeg_error_mgr errors; /* first, as above */
    jmp_buf jump;
    struct jpeg_compress_struct c;
    struct jpeg_destination_mgr target;
    const tt_image *img;
    int quality;
    const unsigned char *samples; /* rows at hand */
    int rows;
    tt_blob icc; /* made from gamma and cHRM, which JPEG cannot say */
    bool (*put)(void *to, const void *bytes, size_t n);
    void *to;
    bool created, put_failed;
    char text[JMSG_LENGTH_MAX];
    unsigned char buffer[BUFFER];
} writing;

static void on_write_error(j_common_ptr c)
{
    writing *w = (writing *)c->err;
    c->err->format_message(c, w->text);
    longjmp(w->jump, 1);
}

static void no_output(j_common_ptr c)
{
    (void)c;
}

static void no_message(j_common_ptr c, int level)
{
    (void)c;
    (void)level;
}

static void begin_buffer(j_compress_ptr c)
{
    writing *w = (writing *)c->err;
    w->target.next_output_byte = w->buffer;
    w->target.free_in_buffer = BUFFER;
}

static void deliver(writing *w, size_t n)
{
    if (w->put(w->to, w->buffer, n))
        return;
    w->put_failed = true;
    longjmp(w->jump, 1);
}

static boolean buffer_full(j_compress_ptr c)
{
    deliver((writing *)c->err, BUFFER);
    begin_buffer(c);
    return TRUE;
}

static void last_buffer(j_compress_ptr c)
{
    writing *w = (writing *)c->err;
    deliver(w, BUFFER - w->target.free_in_buffer);
}

/* One APP segment of head and body; whether it fits must be known. */
static void segment(writing *w, int marker, const void *head, size_t head_size, const tt_blob *body, bool pad)
{
    jpeg_write_m_header(&w->c, marker, (unsigned)(head_size + body->size + pad));
    for (size_t i = 0; i < head_size; i++)
        jpeg_write_m_byte(&w->c, ((const unsigned char *)head)[i]);
    for (size_t i = 0; i < body->size; i++)
        jpeg_write_m_byte(&w->c, body->data[i]);
    if (pad)
        jpeg_write_m_byte(&w->c, 0);
}

static void write_metadata(writing *w)
{
    const tt_image *img = w->img;
    unsigned char head[sizeof tt_jpeg_photoshop + TT_META_IPTC_HEAD];
    /* The thumbnail is gone already. What is still too large for its one segment (maker notes) is left out: the
     * picture matters more. */
    if (img->exif.size && img->exif.size <= SEGMENT_MOST - sizeof tt_jpeg_exif)
        segment(w, JPEG_APP0 + 1, tt_jpeg_exif, sizeof tt_jpeg_exif, &img->exif, false);
    if (img->xmp.size && img->xmp.size <= SEGMENT_MOST - sizeof tt_jpeg_xmp)
        segment(w, JPEG_APP0 + 1, tt_jpeg_xmp, sizeof tt_jpeg_xmp, &img->xmp, false);
    const tt_blob *icc = img->icc.size ? &img->icc : &w->icc;
    if (icc->size && icc->size <= TT_ICC_MOST)
        jpeg_write_icc_profile(&w->c, icc->data, (unsigned)icc->size);
    if (img->iptc.size && img->iptc.size < SEGMENT_MOST - sizeof head) {
        memcpy(head, tt_jpeg_photoshop, sizeof tt_jpeg_photoshop);
        tt_meta_iptc_head(head + sizeof tt_jpeg_photoshop, img->iptc.size);
        segment(w, JPEG_APP0 + 13, head, sizeof head, &img->iptc, img->iptc.size & 1);
    }
}

/* The file becomes a few percent smaller where libjpeg chooses its codes for it, and then all of the picture is gathered
 * as coefficients, two bytes a sample. Whether that is done goes by the size alone: same bytes for any memory. */
static bool is_optimized(int width, int height)
{
    return (uint64_t)width * (uint64_t)height <= OPTIMIZED_MOST;
}

static uint64_t writing_bytes(int width, int height, int channels)
{
    const uint64_t block = 16; /* the largest that sides are filled up to */
    const uint64_t samples = ((uint64_t)width + block) * ((uint64_t)height + block) * (uint64_t)channels;
    return is_optimized(width, height) ? 2 * samples : 0;
}

static void write_head(writing *w)
{
    struct jpeg_compress_struct *c = &w->c;
    const tt_image *img = w->img;
    const int quality = w->quality;
    jpeg_create_compress(c);
    w->created = true;
    w->target.init_destination = begin_buffer;
    w->target.empty_output_buffer = buffer_full;
    w->target.term_destination = last_buffer;
    c->dest = &w->target;
    c->image_width = (JDIMENSION)img->width;
    c->image_height = (JDIMENSION)img->height;
    c->input_components = img->channels;
    c->in_color_space = img->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, quality, TRUE);
    c->dct_method = JDCT_ISLOW;
    /* colour at full resolution where quality is asked for; half of it each way below */
    for (int i = 0; img->channels == 3 && i < 3; i++)
        c->comp_info[i].h_samp_factor = c->comp_info[i].v_samp_factor = i || quality >= 90 ? 1 : 2;
    c->optimize_coding = is_optimized(img->width, img->height);
    const double x = round(img->dpi_x), y = round(img->dpi_y);
    if (x >= 1 && y >= 1 && x <= 65535 && y <= 65535) {
        c->density_unit = 1;
        c->X_density = (UINT16)x;
        c->Y_density = (UINT16)y;
    }
    jpeg_start_compress(c, TRUE);
    write_metadata(w);
}

static void write_rows(writing *w)
{
    const size_t row = (size_t)w->img->width * (size_t)w->img->channels;
    for (; w->rows; w->rows--, w->samples += row) {
        JSAMPROW line[1] = {(JSAMPROW)w->samples};
        (void)jpeg_write_scanlines(&w->c, line, 1);
    }
}

static void write_tail(writing *w)
{
    jpeg_finish_compress(&w->c);
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
    if (guarded(w, part))
        return TT_OK;
    if (w->put_failed)
        return tt_fail(err, TT_ERR_TEMPORARY, "the JPEG cannot be written");
    return tt_fail(err, w->errors.msg_code == JERR_OUT_OF_MEMORY ? TT_ERR_MEMORY : TT_ERR_INTERNAL, "JPEG: %s",
                   w->text);
}

static void forget(writing *w)
{
    if (w->created)
        jpeg_destroy_compress(&w->c);
    tt_blob_clear(&w->icc);
    free(w);
}

static tt_status begin(void **encoder, const tt_image *img, const tt_write_options *o,
                       bool (*put)(void *to, const void *bytes, size_t n), void *to, tt_error *err)
{
    writing *w = calloc(1, sizeof *w);
    if (!w)
        return tt_fail_memory(err, sizeof *w);
    w->img = img;
    w->quality = o->jpeg_quality ? o->jpeg_quality : 95;
    w->put = put;
    w->to = to;
    w->c.err = jpeg_std_error(&w->errors);
    w->errors.error_exit = on_write_error;
    w->errors.emit_message = no_message;
    w->errors.output_message = no_output;
    tt_status st = img->icc.size ? TT_OK : tt_icc_from_gamma(&w->icc, img, err);
    if (!st)
        st = written(w, write_head, err);
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
    if (channels == 2 || channels == 4)
        return "JPEG has no transparency: write PNG, or drop the alpha channel";
    return depth != 8 ? "JPEG has 8 bits a sample: write PNG, or ask for 8 bits" : NULL;
}

static const char *const endings[] = {"jpg", "jpeg", "jpe", NULL};
const tt_image_format tt_image_jpeg = {
    .name = "jpeg",
    .endings = endings,
    .max_side = JPEG_MAX_DIMENSION,
    .probe = tt_jpeg_probe,
    .open = tt_jpeg_open,
    .read = tt_jpeg_read,
    .close = tt_jpeg_close,
    .refuses = refuses,
    .writing_bytes = writing_bytes,
    .begin = begin,
    .rows = rows,
    .end = end,
};
