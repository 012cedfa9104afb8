/*
 * JPEG through libjpeg, which reports by calling error_exit(), and we leave that by longjmp(). All that happens
 * between lives in one struct of the caller, so no local variable is lost to the jump.
 * ITU-T T.81; JFIF 1.02; Adobe Technical Note 5116 for CMYK; ICC.1:2010, B.4; XMP part 3, 1.1.3.
 */
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

#include "src/image/exif.h"
#include "src/image/icc.h"
#include "src/image/image.h"
#include "src/image/meta.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCANS_MOST = 100,    /* a progressive picture has about ten; each more is a whole pass of work */
    WARNINGS_MOST = 100, /* as often as that only noise is wrong */
    SEGMENT_MOST = 65533,
    BUFFER = 1 << 16,
    OPTIMIZED_MOST = 4000000, /* pixels */
};
static const char exif_mark[6] = "Exif\0";
static const char xmp_mark[29] = "http://ns.adobe.com/xap/1.0/"; /* with its zero */
static const char photoshop_mark[14] = "Photoshop 3.0";

typedef struct reading {
    struct jpeg_error_mgr errors; /* first: libjpeg's pointer to it is ours to the whole */
    jmp_buf jump;
    struct jpeg_decompress_struct d;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    tt_file *in;
    const tt_image_limits *limits;
    tt_image *img;
    tt_error *err;
    tt_status st; /* of our own functions, whose sentence is written */
    uint64_t at;    /* of the file: where the bytes at hand begin */
    const unsigned char *piece; /* and these */
    size_t piece_size;
    uint64_t coefficients; /* that are gathered before the first row comes out */
    bool created, sized, started, truncated;
    bool broken;   /* what still comes cannot be had, and is done without */
    unsigned char *samples; /* rows wanted */
    int rows;
    double known; /* share of the picture that was there when the file broke off or was found damaged */
    bool harm;     /* something was found that costs pixels: `text` says what was first */
    char text[JMSG_LENGTH_MAX];
    unsigned char *line; /* CMYK */
    tt_icc_cmyk *cmyk;
    unsigned char buffer[BUFFER];
} reading;

static bool is_jpeg(const unsigned char *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

static void on_error(j_common_ptr c)
{
    reading *r = (reading *)c->err;
    if (!r->harm)
        c->err->format_message(c, r->text);
    longjmp(r->jump, 1);
}

/* Fails from within libjpeg, in our words. */
static void give_up(reading *r, const char *text)
{
    snprintf(r->text, sizeof r->text, "%s", text);
    longjmp(r->jump, 1);
}

/* Pixels from here on are not to be trusted. `how`: NULL for libjpeg's last message. */
static void harmed(reading *r, const char *how)
{
    const struct jpeg_decompress_struct *d = &r->d;
    if (r->harm)
        return;
    if (how)
        snprintf(r->text, sizeof r->text, "%s", how);
    else
        d->err->format_message((j_common_ptr)&r->d, r->text);
    r->harm = true;
    if (!r->limits->salvage)
        longjmp(r->jump, 1);
    /* Of a progressive picture whose first scan came whole something is known everywhere; but where there is harm,
     * something is always missing. */
    const double rows = d->total_iMCU_rows;
    if (d->input_scan_number == 1 && rows > 0)
        r->known = fmin(d->input_iMCU_row / rows, 0.999);
    else if (d->input_scan_number > 1)
        r->known = 0.999;
}

static void on_message(j_common_ptr c, int level)
{
    reading *r = (reading *)c->err;
    if (level >= 0)
        return;
    if (++c->err->num_warnings > WARNINGS_MOST && !r->limits->salvage)
        give_up(r, "more faults than are put up with");
    switch (c->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
        harmed(r, NULL);
        break;
    default: /* bytes between segments, odd version numbers and the like cost no pixel */
        break;
    }
}

static void no_output(j_common_ptr c)
{
    (void)c;
}

static void nothing(j_decompress_ptr d)
{
    (void)d;
}

/* Where there are no more bytes, a made-up end marker lets libjpeg finish. */
static boolean next_piece(j_decompress_ptr d)
{
    static const JOCTET end[2] = {0xff, JPEG_EOI};
    reading *r = (reading *)d->err;
    const uint64_t at = r->at + r->piece_size;
    const unsigned char *piece;
    const size_t n = tt_file_piece(r->in, at, r->buffer, BUFFER, &piece);
    if (n) {
        r->at = at;
        r->piece = d->src->next_input_byte = piece;
        r->piece_size = d->src->bytes_in_buffer = n;
        return TRUE;
    }
    r->truncated = true;
    harmed(r, "the file ends too early");
    d->src->next_input_byte = end;
    d->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void skip(j_decompress_ptr d, long n)
{
    const reading *r = (reading *)d->err;
    while (n > 0) {
        if ((size_t)n <= d->src->bytes_in_buffer) {
            d->src->next_input_byte += n;
            d->src->bytes_in_buffer -= (size_t)n;
            return;
        }
        n -= (long)d->src->bytes_in_buffer;
        (void)next_piece(d);
        if (r->truncated && r->limits->salvage)
            return; /* the made-up end must not be skipped */
    }
}

static void count_scans(j_common_ptr c)
{
    if (((j_decompress_ptr)c)->input_scan_number > SCANS_MOST)
        give_up((reading *)c->err, "more than 100 scans");
}

static unsigned long long reached(const reading *r)
{
    const JOCTET *at = r->source.next_input_byte;
    const bool in_piece = r->piece_size && at >= r->piece && at <= r->piece + r->piece_size;
    return in_piece ? r->at + (uint64_t)(at - r->piece) : r->in->size;
}

static void check(reading *r, tt_status st)
{
    if (st) {
        r->st = st;
        longjmp(r->jump, 1);
    }
}

/* The quality at which the reference tables (T.81, K.1, scaled as libjpeg does) come nearest to this file's. */
static int estimate_quality(const struct jpeg_decompress_struct *d)
{
    static const unsigned char table[64] = {
        16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  14, 13, 16, 24, 40,  57,
        69, 56, 14, 17, 22,  29,  51,  87,  80, 62, 18, 22, 37,  56,  68,  109, 103, 77, 24, 35, 55,  64,
        81, 104, 113, 92, 49, 64,  78,  87,  103, 121, 120, 101, 72, 92,  95,  98,  112, 100, 103, 99};
    const int number = d->comp_info[0].quant_tbl_no;
    const JQUANT_TBL *q = number >= 0 && number < NUM_QUANT_TBLS ? d->quant_tbl_ptrs[number] : NULL;
    int best = 0;
    long least = LONG_MAX;
    for (int quality = 1; q && quality <= 100; quality++) {
        const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
        long off = 0;
        for (int i = 0; i < 64; i++) {
            int v = (table[i] * scale + 50) / 100;
            v = v < 1 ? 1 : v > 255 ? 255 : v;
            off += labs((long)q->quantval[i] - v);
        }
        if (off < least) {
            least = off;
            best = quality;
        }
    }
    return best;
}

static bool begins(const struct jpeg_marker_struct *m, const char *mark, size_t n)
{
    return m->data_length > n && !memcmp(m->data, mark, n);
}

static void take_metadata(reading *r)
{
    const struct jpeg_decompress_struct *d = &r->d;
    tt_image *img = r->img;
    const unsigned char *records;
    size_t n;
    JOCTET *icc;
    unsigned icc_size;
    for (const struct jpeg_marker_struct *m = d->marker_list; m; m = m->next) {
        tt_blob *to = NULL;
        size_t head = 0;
        if (m->marker == JPEG_APP0 + 1 && begins(m, exif_mark, head = sizeof exif_mark))
            to = &img->exif;
        else if (m->marker == JPEG_APP0 + 1 && begins(m, xmp_mark, head = sizeof xmp_mark))
            to = &img->xmp;
        if (to && !to->size)
            check(r, tt_blob_set(to, m->data + head, m->data_length - head, r->err));
        if (m->marker == JPEG_APP0 + 13 && !img->iptc.size && begins(m, photoshop_mark, sizeof photoshop_mark) &&
            tt_meta_find_iptc(m->data, m->data_length, &records, &n))
            check(r, tt_blob_set(&img->iptc, records, n, r->err));
    }
    /* pieces missing or numbered wrongly: no profile */
    if (jpeg_read_icc_profile(&r->d, &icc, &icc_size)) {
        img->icc = (tt_blob){icc, icc_size};
        if (icc_size > TT_ICC_MOST)
            tt_blob_clear(&img->icc);
    }
    if (d->saw_JFIF_marker && (d->density_unit == 1 || d->density_unit == 2) && d->X_density && d->Y_density) {
        img->dpi_x = d->X_density * (d->density_unit == 2 ? 2.54 : 1);
        img->dpi_y = d->Y_density * (d->density_unit == 2 ? 2.54 : 1);
    }
}

/* A picture in several scans is gathered as coefficients, two bytes each. */
static uint64_t count_coefficients(struct jpeg_decompress_struct *d)
{
    uint64_t n = 0;
    for (int i = 0; i < d->num_components && jpeg_has_multiple_scans(d); i++)
        n += (uint64_t)d->comp_info[i].width_in_blocks * d->comp_info[i].height_in_blocks * DCTSIZE2;
    return n;
}

/* Colours as they will come, the picture's size, and the file's words for them. */
static void prepare(reading *r)
{
    struct jpeg_decompress_struct *d = &r->d;
    tt_image *img = r->img;
    int channels = 3;
    const char *colour = "RGB";
    switch (d->jpeg_color_space) {
    case JCS_GRAYSCALE:
        channels = 1;
        colour = "grey";
        d->out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_YCbCr:
        colour = "YCbCr";
        d->out_color_space = JCS_RGB;
        break;
    case JCS_RGB:
        d->out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        colour = d->jpeg_color_space == JCS_CMYK ? "CMYK" : "YCCK";
        d->out_color_space = JCS_CMYK;
        break;
    default:
        check(r, tt_fail(r->err, TT_ERR_UNSUPPORTED, "%s: a JPEG of %d components, whose colours are unknown",
                         r->in->name, d->num_components));
    }
    check(r, tt_image_measure(img, d->image_width, d->image_height, channels, 8, r->in->name, r->limits, r->err));
    r->sized = true;
    r->coefficients = count_coefficients(d);
    img->format = "JPEG";
    img->file_depth = 8;
    img->file_colour = colour;
    img->jpeg_quality = estimate_quality(d);
    take_metadata(r);
    if (d->out_color_space != JCS_CMYK)
        return;
    check(r, tt_icc_cmyk_new(&r->cmyk, &img->icc, d->saw_Adobe_marker, r->err));
    tt_blob_clear(&img->icc);
    tt_exif_set_srgb(&img->exif);
    img->srgb = true;
    r->line = malloc((size_t)d->image_width * 4);
    if (!r->line)
        check(r, tt_fail_memory(r->err, (size_t)d->image_width * 4));
}

static void read_head(reading *r)
{
    struct jpeg_decompress_struct *d = &r->d;
    jpeg_create_decompress(d);
    r->created = true;
    r->source.init_source = nothing;
    r->source.fill_input_buffer = next_piece;
    r->source.skip_input_data = skip;
    r->source.resync_to_restart = jpeg_resync_to_restart;
    r->source.term_source = nothing;
    d->src = &r->source;
    r->progress.progress_monitor = count_scans;
    d->progress = &r->progress;
    jpeg_save_markers(d, JPEG_APP0 + 1, 0xffff);
    jpeg_save_markers(d, JPEG_APP0 + 2, 0xffff);
    jpeg_save_markers(d, JPEG_APP0 + 13, 0xffff);
    (void)jpeg_read_header(d, TRUE);
    prepare(r);
}

static void start(reading *r)
{
    struct jpeg_decompress_struct *d = &r->d;
    /* a progressive picture is gathered in memory, two bytes a sample; nothing honest takes much more */
    const uint64_t samples = (uint64_t)d->image_width * d->image_height * (uint64_t)d->num_components;
    const uint64_t most = samples * 4 + ((uint64_t)64 << 20) + 2 * r->in->size;
    d->mem->max_memory_to_use = most < LONG_MAX ? (long)most : LONG_MAX;
    d->dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(d);
    r->started = true;
}

static void read_rows(reading *r)
{
    const size_t row = (size_t)r->img->width * (size_t)r->img->channels;
    if (!r->started)
        start(r);
    for (; r->rows; r->rows--, r->samples += row) {
        JSAMPROW rows[1] = {r->cmyk ? r->line : r->samples};
        (void)jpeg_read_scanlines(&r->d, rows, 1);
        if (r->cmyk)
            tt_icc_cmyk_row(r->cmyk, r->samples, r->line, (size_t)r->img->width);
    }
}

static void read_tail(reading *r)
{
    (void)jpeg_finish_decompress(&r->d); /* reads on to the end marker */
}

/* False: r->st or r->text says why. */
static bool read_guarded(reading *r, void (*part)(reading *))
{
    if (setjmp(r->jump))
        return false;
    part(r);
    return true;
}

static tt_status sentence(reading *r)
{
    const int code = r->errors.msg_code;
    switch (code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
    case JERR_WIDTH_OVERFLOW:
    case JERR_IMAGE_TOO_BIG:
        return tt_fail(r->err, TT_ERR_MEMORY, "%s: not enough memory for this JPEG: %s", r->in->name, r->text);
    case JERR_BAD_PRECISION:
        return tt_fail(r->err, TT_ERR_UNSUPPORTED, "%s: a JPEG of %d bits a sample; only 8 are read", r->in->name,
                       r->d.data_precision);
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
        return tt_fail(r->err, TT_ERR_UNSUPPORTED, "%s: a JPEG of a kind that is not read: %s", r->in->name, r->text);
    default:
        break;
    }
    const char *how = r->truncated ? "truncated" : "damaged";
    if (!r->sized)
        return tt_fail(r->err, TT_ERR_FORMAT, "%s: %s JPEG, byte %llu: %s", r->in->name, how, reached(r), r->text);
    return tt_fail(r->err, TT_ERR_FORMAT, "%s: %s JPEG, byte %llu, row %u of %u: %s", r->in->name, how, reached(r),
                   (unsigned)r->d.output_scanline, (unsigned)r->d.image_height, r->text);
}

/* One part of the reading; where it fails, what is known is kept if that is wanted. */
static tt_status read_part(reading *r, void (*part)(reading *), tt_error *err)
{
    r->err = err;
    const bool whole = read_guarded(r, part);
    if (r->st)
        return r->st;
    if (!whole && !(r->limits->salvage && r->started && r->d.output_scanline))
        return sentence(r);
    r->broken = !whole;
    if (r->harm)
        r->img->missing = 1 - r->known;
    else if (!whole)
        r->img->missing = 1 - (double)r->d.output_scanline / r->d.output_height;
    return TT_OK;
}

static void forget_reading(reading *r)
{
    if (r->created)
        jpeg_destroy_decompress(&r->d);
    tt_icc_cmyk_free(r->cmyk);
    free(r->line);
    free(r);
}

static tt_status begin_reading(tt_decoding *decoding, tt_image *head, tt_file *in, const tt_image_limits *limits,
                               tt_error *err)
{
    reading *r = malloc(sizeof *r); /* libjpeg keeps pointers into it */
    if (!r)
        return tt_fail_memory(err, sizeof *r);
    memset(r, 0, offsetof(reading, buffer));
    r->in = in;
    r->limits = limits;
    r->img = head;
    r->d.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->errors.output_message = no_output;
    const tt_status st = read_part(r, read_head, err);
    if (st)
        forget_reading(r);
    else
        *decoding = (tt_decoding){.decoder = r, .held = 2 * r->coefficients};
    return st;
}

static tt_status read_on(void *decoder, void *samples, int n, tt_error *err)
{
    reading *r = decoder;
    if (r->limits->salvage) /* what is missing is black */
        memset(samples, 0, (size_t)n * (size_t)r->img->width * (size_t)r->img->channels);
    if (r->broken)
        return TT_OK;
    r->samples = samples;
    r->rows = n;
    return read_part(r, read_rows, err);
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
    unsigned char head[sizeof photoshop_mark + TT_META_IPTC_HEAD];
    /* The thumbnail is gone already. What is still too large for its one segment (maker notes) is left out: the
     * picture matters more. */
    if (img->exif.size && img->exif.size <= SEGMENT_MOST - sizeof exif_mark)
        segment(w, JPEG_APP0 + 1, exif_mark, sizeof exif_mark, &img->exif, false);
    if (img->xmp.size && img->xmp.size <= SEGMENT_MOST - sizeof xmp_mark)
        segment(w, JPEG_APP0 + 1, xmp_mark, sizeof xmp_mark, &img->xmp, false);
    const tt_blob *icc = img->icc.size ? &img->icc : &w->icc;
    if (icc->size && icc->size <= TT_ICC_MOST)
        jpeg_write_icc_profile(&w->c, icc->data, (unsigned)icc->size);
    if (img->iptc.size && img->iptc.size < SEGMENT_MOST - sizeof head) {
        memcpy(head, photoshop_mark, sizeof photoshop_mark);
        tt_meta_iptc_head(head + sizeof photoshop_mark, img->iptc.size);
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
    .probe = is_jpeg,
    .open = begin_reading,
    .read = read_on,
    .close = end_reading,
    .refuses = refuses,
    .writing_bytes = writing_bytes,
    .begin = begin,
    .rows = rows,
    .end = end,
};
