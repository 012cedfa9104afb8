#include "tests/src/kit.h"

#include <lcms2.h>
#include <png.h>
#include <stdio.h>
#include <jpeglib.h> /* wants FILE */
#include <stdlib.h>
#include <string.h>

/* ---- PNG ---- */

static void grow(png_structp png, png_bytep bytes, size_t n)
{
    tt_blob *b = png_get_io_ptr(png);
    b->data = realloc(b->data, b->size + n);
    memcpy(b->data + b->size, bytes, n);
    b->size += n;
}

static void no_flush(png_structp png)
{
    (void)png;
}

/* Sample s of a packed row. */
static unsigned unpack(const unsigned char *row, int s, int depth)
{
    if (depth == 16)
        return (unsigned)(row[2 * s] << 8 | row[2 * s + 1]);
    const int bit = s * depth;
    return (unsigned)(row[bit / 8] >> (8 - depth - bit % 8)) & ((1u << depth) - 1);
}

static void put_sample(tt_image *img, int x, int y, int c, unsigned v)
{
    const size_t at = ((size_t)y * (size_t)img->width + (size_t)x) * (size_t)img->channels + (size_t)c;
    if (img->depth == 16)
        ((uint16_t *)img->samples)[at] = (uint16_t)v;
    else
        ((uint8_t *)img->samples)[at] = (uint8_t)v;
}

tt_blob kit_make_png(const kit_png *k, unsigned seed, tt_image *want)
{
    static const int file_channels[] = {1, 0, 3, 1, 2, 0, 4};
    tt_blob b = {0};
    const bool palette = k->colour == PNG_COLOR_TYPE_PALETTE;
    const int n = file_channels[k->colour], entries = palette ? 1 << k->depth : 0;
    const int channels =
        (k->colour & PNG_COLOR_MASK_COLOR ? 3 : 1) + (k->clear || k->colour & PNG_COLOR_MASK_ALPHA);
    const size_t row = ((size_t)k->width * (size_t)n * (size_t)k->depth + 7) / 8;
    unsigned char *rows = malloc(row * (size_t)k->height);
    png_bytep *pointers = malloc((size_t)k->height * sizeof *pointers);
    png_color colours[256];
    png_byte alphas[256];
    png_color_16 clear = {0};
    kit_random(rows, row * (size_t)k->height, seed);
    kit_random(colours, sizeof colours, seed + 1);
    kit_random(alphas, sizeof alphas, seed + 2);
    /* the colour that is clear is that of the first pixel, so that at least one is */
    clear.gray = (png_uint_16)unpack(rows, 0, k->depth);
    if (n >= 3) {
        clear.red = (png_uint_16)unpack(rows, 0, k->depth);
        clear.green = (png_uint_16)unpack(rows, 1, k->depth);
        clear.blue = (png_uint_16)unpack(rows, 2, k->depth);
    }

    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &b, grow, no_flush);
    png_set_IHDR(png, info, (png_uint_32)k->width, (png_uint_32)k->height, k->depth, k->colour,
                 k->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
    if (palette)
        png_set_PLTE(png, info, colours, entries);
    if (k->clear && palette)
        png_set_tRNS(png, info, alphas, entries - entries / 4, NULL); /* the others are opaque */
    else if (k->clear)
        png_set_tRNS(png, info, NULL, 0, &clear);
    if (k->icc)
        png_set_iCCP(png, info, "test", 0, k->icc->data, (png_uint_32)k->icc->size);
    if (k->exif)
        png_set_eXIf_1(png, info, (png_uint_32)k->exif->size, k->exif->data);
    if (k->gamma > 0)
        png_set_gAMA(png, info, k->gamma);
    if (k->chrm)
        png_set_cHRM(png, info, k->chrm[0], k->chrm[1], k->chrm[2], k->chrm[3], k->chrm[4], k->chrm[5],
                     k->chrm[6], k->chrm[7]);
    if (k->srgb)
        png_set_sRGB(png, info, 0);
    if (k->ppm)
        png_set_pHYs(png, info, (png_uint_32)k->ppm, (png_uint_32)k->ppm, PNG_RESOLUTION_METER);
    png_text texts[2];
    int count = 0;
    memset(texts, 0, sizeof texts);
    if (k->xmp) {
        texts[count].compression = PNG_ITXT_COMPRESSION_zTXt;
        texts[count].key = (png_charp) "XML:com.adobe.xmp";
        texts[count].lang = texts[count].lang_key = (png_charp) "";
        texts[count].text = (png_charp)k->xmp;
        texts[count++].itxt_length = strlen(k->xmp);
    }
    if (k->text_key) {
        texts[count].compression = PNG_TEXT_COMPRESSION_zTXt;
        texts[count].key = (png_charp)k->text_key;
        texts[count].text = (png_charp)k->text;
        texts[count++].text_length = strlen(k->text);
    }
    png_set_text(png, info, texts, count);
    png_write_info(png, info);
    for (int y = 0; y < k->height; y++)
        pointers[y] = rows + (size_t)y * row;
    png_write_image(png, pointers);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);

    if (want) {
        ck_assert(!tt_image_init(want, k->width, k->height, channels, k->depth == 16 ? 16 : 8, NULL));
        const unsigned most = (1u << (k->depth < 8 ? k->depth : 8)) - 1;
        for (int y = 0; y < k->height; y++)
            for (int x = 0; x < k->width; x++) {
                unsigned v[4] = {0};
                for (int c = 0; c < n; c++)
                    v[c] = unpack(rows + (size_t)y * row, x * n + c, k->depth);
                if (palette) {
                    const unsigned i = v[0];
                    put_sample(want, x, y, 0, colours[i].red);
                    put_sample(want, x, y, 1, colours[i].green);
                    put_sample(want, x, y, 2, colours[i].blue);
                    if (k->clear)
                        put_sample(want, x, y, 3, (int)i < entries - entries / 4 ? alphas[i] : 255);
                    continue;
                }
                for (int c = 0; c < n; c++)
                    put_sample(want, x, y, c, k->depth < 8 ? v[c] * 255 / most : v[c]);
                if (k->clear) {
                    const bool is = n == 1 ? v[0] == clear.gray
                                           : v[0] == clear.red && v[1] == clear.green && v[2] == clear.blue;
                    put_sample(want, x, y, n, is ? 0 : k->depth == 16 ? 65535 : 255);
                }
            }
    }
    free(rows);
    free(pointers);
    return b;
}

/* ---- JPEG ---- */

static void write_app(struct jpeg_compress_struct *c, int marker, const char *head, size_t n,
                      const void *bytes, size_t size)
{
    jpeg_write_m_header(c, marker, (unsigned)(n + size));
    for (size_t i = 0; i < n; i++)
        jpeg_write_m_byte(c, head[i]);
    for (size_t i = 0; i < size; i++)
        jpeg_write_m_byte(c, ((const unsigned char *)bytes)[i]);
}

static J_COLOR_SPACE jpeg_colours(const kit_jpeg *k)
{
    switch (k->colour) {
    case JCS_UNKNOWN:
    case JCS_GRAYSCALE:
        return (J_COLOR_SPACE)k->colour;
    case JCS_CMYK:
    case JCS_YCCK:
        return JCS_CMYK;
    default:
        return JCS_RGB;
    }
}

tt_blob kit_make_jpeg(const kit_jpeg *k, tt_image *want)
{
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct c;
    unsigned char *out = NULL;
    unsigned long size = 0;
    const bool four = k->colour == JCS_CMYK || k->colour == JCS_YCCK;
    const int n = k->components ? k->components : k->colour == JCS_GRAYSCALE ? 1 : four ? 4 : 3;
    jpeg_scan_info scans[127];
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &size);
    c.image_width = (JDIMENSION)k->width;
    c.image_height = (JDIMENSION)k->height;
    c.input_components = n;
    c.in_color_space = jpeg_colours(k);
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, (J_COLOR_SPACE)k->colour);
    jpeg_set_quality(&c, k->quality ? k->quality : 95, TRUE);
    if (k->progressive)
        jpeg_simple_progression(&c);
    if (k->scans) {
        for (int i = 0; i < k->scans; i++) /* DC; every AC but its last bit; these bits */
            scans[i] = (jpeg_scan_info){
                1, {0}, i ? (i - 1) % 63 + 1 : 0, i ? (i - 1) % 63 + 1 : 0, i > 63, i && i <= 63};
        c.scan_info = scans;
        c.num_scans = k->scans;
    }
    c.arith_code = k->arithmetic;
    c.restart_interval = (unsigned)k->restart;
    if (k->no_adobe)
        c.write_Adobe_marker = FALSE;
    if (k->density_x) {
        c.density_unit = (UINT8)k->density_unit;
        c.X_density = (UINT16)k->density_x;
        c.Y_density = (UINT16)k->density_y;
    }
    jpeg_start_compress(&c, TRUE);
    if (k->exif)
        write_app(&c, JPEG_APP0 + 1, "Exif\0", 6, k->exif->data, k->exif->size);
    if (k->xmp)
        write_app(&c, JPEG_APP0 + 1, "http://ns.adobe.com/xap/1.0/", 29, k->xmp, strlen(k->xmp));
    if (k->app13)
        write_app(&c, JPEG_APP0 + 13, "Photoshop 3.0", 14, k->app13->data, k->app13->size);
    if (k->icc)
        jpeg_write_icc_profile(&c, k->icc->data, (unsigned)k->icc->size);
    unsigned char *line = malloc((size_t)k->width * (size_t)n);
    for (int y = 0; y < k->height; y++) {
        for (int x = 0; x < k->width * n; x++) {
            const int ch = x % n, px = x / n;
            static const int slope[5][2] = {{3, 2}, {-2, 3}, {1, -3}, {-1, -1}};
            int v = 128 + (slope[ch][0] * (px - k->width / 2) + slope[ch][1] * (y - k->height / 2));
            line[x] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
        if (k->noise)
            kit_random(line, (size_t)(k->width * n), (unsigned)y);
        JSAMPROW rows[1] = {line};
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(line);
    tt_blob b = {malloc(size), size};
    memcpy(b.data, out, size);
    free(out);
    if (!want)
        return b;

    struct jpeg_decompress_struct d;
    d.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, b.data, (unsigned long)b.size);
    jpeg_read_header(&d, TRUE);
    d.out_color_space = jpeg_colours(k);
    jpeg_start_decompress(&d);
    ck_assert(!tt_image_init(want, k->width, k->height, n, 8, NULL));
    while (d.output_scanline < d.output_height) {
        JSAMPROW rows[1] = {(unsigned char *)want->samples +
                            (size_t)d.output_scanline * (size_t)(k->width * n)};
        jpeg_read_scanlines(&d, rows, 1);
    }
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    return b;
}

tt_blob kit_rich_jpeg(int colour, bool progressive, bool profile)
{
    static const unsigned char records[] = "8BIM\x04\x04\0\0\0\0\0\x05\x1c\x02\x05\0\0";
    const tt_blob app13 = {(unsigned char *)records, sizeof records};
    const kit_exif e = {.orientation = 6, .width = 9, .height = 7, .dpi = 300, .thumbnail = 20};
    tt_blob exif = kit_make_exif(&e), icc = kit_profile(colour == JCS_GRAYSCALE ? "GRAY" : "RGB ");
    const kit_jpeg k = {.width = 9,
                        .height = 7,
                        .colour = colour,
                        .progressive = progressive,
                        .restart = 1,
                        .exif = &exif,
                        .xmp = kit_xmp,
                        .icc = profile ? &icc : NULL,
                        .app13 = &app13,
                        .density_unit = 1,
                        .density_x = 300,
                        .density_y = 300};
    tt_blob file = kit_make_jpeg(&k, NULL);
    free(exif.data);
    free(icc.data);
    return file;
}

const int kit_jpeg_colours[KIT_JPEG_COLOURS] = {JCS_GRAYSCALE, JCS_YCbCr, JCS_RGB, JCS_CMYK, JCS_YCCK};

static size_t segment_bytes(const unsigned char *p)
{
    return 2 + ((size_t)p[2] << 8 | p[3]);
}

size_t kit_find_segment(const tt_blob *file, const char *markers)
{
    size_t at = 2;
    while (at + 4 <= file->size && !strchr(markers, file->data[at + 1]))
        at += segment_bytes(file->data + at);
    ck_assert_uint_lt(at + 4, file->size);
    return at;
}

/* ---- profiles ---- */

/* Ink to L*a*b*, smooth and a little odd, as a press is. */
static cmsInt32Number ink(const cmsUInt16Number in[], cmsUInt16Number out[], void *unused)
{
    (void)unused;
    double v[4];
    for (int i = 0; i < 4; i++)
        v[i] = 1 - in[i] / 65535.0;
    const cmsCIELab lab = {100 * v[3] * (0.3 * v[0] + 0.5 * v[1] + 0.2 * v[2]), 60 * v[3] * (v[0] - v[1]),
                           60 * v[3] * (v[1] - v[2])};
    cmsFloat2LabEncoded(out, &lab);
    return TRUE;
}

tt_blob kit_profile(const char space[4])
{
    cmsHPROFILE p;
    if (!memcmp(space, "GRAY", 4)) {
        cmsToneCurve *curve = cmsBuildGamma(NULL, 1.8);
        p = cmsCreateGrayProfile(cmsD50_xyY(), curve);
        cmsFreeToneCurve(curve);
    } else if (!memcmp(space, "RGB ", 4)) {
        cmsToneCurve *curve = cmsBuildGamma(NULL, 1.8), *curves[3] = {curve, curve, curve};
        const cmsCIExyY white = {0.3127, 0.3290, 1};
        const cmsCIExyYTRIPLE primaries = {{0.68, 0.32, 1}, {0.265, 0.69, 1}, {0.15, 0.06, 1}};
        p = cmsCreateRGBProfile(&white, &primaries, curves);
        cmsFreeToneCurve(curve);
    } else {
        p = cmsCreateProfilePlaceholder(NULL);
        cmsSetProfileVersion(p, 4.3);
        cmsSetDeviceClass(p, cmsSigOutputClass);
        cmsSetColorSpace(p, cmsSigCmykData);
        cmsSetPCS(p, cmsSigLabData);
        cmsPipeline *pipe = cmsPipelineAlloc(NULL, 4, 3);
        cmsStage *table = cmsStageAllocCLut16bit(NULL, 9, 4, 3, NULL);
        cmsStageSampleCLut16bit(table, ink, NULL, 0);
        cmsPipelineInsertStage(pipe, cmsAT_BEGIN, cmsStageAllocToneCurves(NULL, 4, NULL));
        cmsPipelineInsertStage(pipe, cmsAT_END, table);
        cmsPipelineInsertStage(pipe, cmsAT_END, cmsStageAllocToneCurves(NULL, 3, NULL));
        cmsWriteTag(p, cmsSigAToB0Tag, pipe);
        cmsPipelineFree(pipe);
    }
    cmsUInt32Number n = 0;
    cmsSaveProfileToMem(p, NULL, &n);
    tt_blob b = {malloc(n), n};
    ck_assert(n > 0 && cmsSaveProfileToMem(p, b.data, &n));
    cmsCloseProfile(p);
    return b;
}

/* ---- EXIF ---- */

typedef struct building {
    unsigned char data[4096];
    size_t at;
    bool big;
} building;

static void add(building *b, unsigned long v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        b->data[b->at++] = (unsigned char)(v >> 8 * (b->big ? bytes - 1 - i : i));
}

static void entry(building *b, int tag, int type, unsigned long value)
{
    add(b, (unsigned long)tag, 2);
    add(b, (unsigned long)type, 2);
    add(b, 1, 4);
    if (type == 3) {
        add(b, value, 2);
        add(b, 0, 2);
    } else {
        add(b, value, 4);
    }
}

tt_blob kit_make_exif(const kit_exif *k)
{
    building b = {.big = k->big};
    const int n = 4 + !!k->orientation + (k->dpi ? 3 : 0);
    const unsigned long first = 8, values = first + 2 + 12ul * (unsigned)n + 4, sub = values + 16 + 8,
                        second = sub + 42;
    memcpy(b.data, k->big ? "MM" : "II", 2);
    b.at = 2;
    add(&b, 42, 2);
    add(&b, first, 4);
    add(&b, (unsigned)n, 2);
    entry(&b, 0x100, 4, (unsigned)k->width);
    entry(&b, 0x101, 3, (unsigned)k->height);
    add(&b, 0x10f, 2); /* Make, text of 8 */
    add(&b, 2, 2);
    add(&b, 8, 4);
    add(&b, values + 16, 4);
    if (k->orientation)
        entry(&b, 0x112, 3, (unsigned)k->orientation);
    if (k->dpi) {
        entry(&b, 0x11a, 5, values);
        entry(&b, 0x11b, 5, values + 8);
        entry(&b, 0x128, 3, 2);
    }
    entry(&b, 0x8769, 4, sub);
    add(&b, k->thumbnail ? second : 0, 4);
    for (int i = 0; i < 2; i++) {
        add(&b, (unsigned)k->dpi, 4);
        add(&b, 1, 4);
    }
    memcpy(b.data + b.at, "tintype", 8);
    b.at += 8;
    add(&b, 3, 2); /* Exif */
    entry(&b, 0xa001, 3, 0xffff);
    entry(&b, 0xa002, 3, (unsigned)k->width);
    entry(&b, 0xa003, 4, (unsigned)k->height);
    add(&b, 0, 4);
    if (k->thumbnail) {
        ck_assert_uint_eq(b.at, second);
        add(&b, 2, 2);
        entry(&b, 0x201, 4, second + 30);
        entry(&b, 0x202, 4, (unsigned)k->thumbnail);
        add(&b, 0, 4);
    }
    tt_blob out = {malloc(b.at + (size_t)k->thumbnail), b.at + (size_t)k->thumbnail};
    memcpy(out.data, b.data, b.at);
    memset(out.data + b.at, 'T', (size_t)k->thumbnail);
    return out;
}

static unsigned long number(const tt_blob *e, size_t at, int bytes)
{
    unsigned long v = 0;
    ck_assert_msg(at + (size_t)bytes <= e->size, "EXIF points to byte %zu of %zu", at, e->size);
    for (int i = 0; i < bytes; i++)
        v |= (unsigned long)e->data[at + (size_t)i] << 8 * (e->data[0] == 'M' ? bytes - 1 - i : i);
    return v;
}

long kit_exif_value(const tt_blob *e, bool sub, int tag)
{
    size_t at = number(e, 4, 4);
    if (sub)
        at = (size_t)kit_exif_value(e, false, 0x8769);
    const unsigned long n = number(e, at, 2);
    for (unsigned long i = 0; i < n; i++) {
        const size_t here = at + 2 + 12 * i;
        if (number(e, here, 2) == (unsigned)tag)
            return (long)number(e, here + 8, number(e, here + 2, 2) == 3 ? 2 : 4);
    }
    return -1;
}
