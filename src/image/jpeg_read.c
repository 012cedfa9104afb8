/*
 * JPEG files read through libjpeg, which reports by calling error_exit(), and we leave that by longjmp(). All that happens
 * between lives in one struct on the heap, so no local variable is lost to the jump.
 * ITU-T T.81; JFIF 1.02; Adobe Technical Note 5116 for CMYK; ICC.1:2010, B.4; XMP part 3, 1.1.3.
 */
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

#include "src/image/jpeg.h"

#include "src/image/exif.h"
#include "src/image/icc.h"
#include "src/image/meta.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCANS_MOST = 100,    /* a progressive picture has about ten; each more is a whole pass of work */
    WARNINGS_MOST = 100, /* as often as that only noise is wrong */
    BUFFER = 1 << 16,    /* bytes of the file at hand */
};

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

bool tt_jpeg_probe(const unsigned char *bytes, size_t size)
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
        if (m->marker == JPEG_APP0 + 1 && begins(m, tt_jpeg_exif, head = sizeof tt_jpeg_exif))
            to = &img->exif;
        else if (m->marker == JPEG_APP0 + 1 && begins(m, tt_jpeg_xmp, head = sizeof tt_jpeg_xmp))
            to = &img->xmp;
        if (to && !to->size)
            check(r, tt_blob_set(to, m->data + head, m->data_length - head, r->err));
        if (m->marker == JPEG_APP0 + 13 && !img->iptc.size && begins(m, tt_jpeg_photoshop, sizeof tt_jpeg_photoshop) &&
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

tt_status tt_jpeg_open(tt_decoding *decoding, tt_image *head, tt_file *in, const tt_image_limits *limits,
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

tt_status tt_jpeg_read(void *decoder, void *samples, int n, tt_error *err)
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

tt_status tt_jpeg_close(void *decoder, bool whole, tt_error *err)
{
    reading *r = decoder;
    const tt_status st = whole && !r->broken ? read_part(r, read_tail, err) : TT_OK;
    forget_reading(r);
    return st;
}
