#define _GNU_SOURCE
#include "tests/src/kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <lcms2.h>
#include <png.h>
#include <stdarg.h>
#include <stdio.h>
#include <jpeglib.h> /* wants FILE */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[4096];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)f;
    if (flag == FTW_DP)
        (void)chmod(path, 0700);
    return remove(path);
}

static void clean(void)
{
    if (folder[0])
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(void)
{
    const char *top = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tintype-test-XXXXXX", top && *top ? top : "/tmp");
    if (!mkdtemp(folder))
        abort();
    chmod(folder, 0755); /* tests that give up their privileges still get in */
}

static void remove_folder(void)
{
    clean();
    folder[0] = 0;
}

/* Each test begins with an empty folder. */
static void empty_folder(void)
{
    clean();
    ck_assert_msg(!mkdir(folder, 0755), "%s cannot be made again", folder);
}

void kit_fixture(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_checked_fixture(tc, empty_folder, NULL);
}

const char *kit_path(const char *name)
{
    static char paths[8][8192];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s%s%s", folder, *name ? "/" : "", name);
    return p;
}

int kit_entries(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

void kit_store(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_msg(f && fwrite(bytes, 1, n, f) == n, "%s cannot be written", path);
    ck_assert_int_eq(fclose(f), 0);
}

tt_blob kit_load(const char *path)
{
    tt_blob b = {0};
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s cannot be opened", path);
    fseek(f, 0, SEEK_END);
    b.size = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.size + 1);
    ck_assert_uint_eq(fread(b.data, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

void kit_random(void *to, size_t n, unsigned seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = (unsigned char)next_random(&state);
}

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
    const int channels = (k->colour & PNG_COLOR_MASK_COLOR ? 3 : 1) + (k->clear || k->colour & PNG_COLOR_MASK_ALPHA);
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
        png_set_cHRM(png, info, k->chrm[0], k->chrm[1], k->chrm[2], k->chrm[3], k->chrm[4], k->chrm[5], k->chrm[6],
                     k->chrm[7]);
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

static void write_app(struct jpeg_compress_struct *c, int marker, const char *head, size_t n, const void *bytes,
                      size_t size)
{
    jpeg_write_m_header(c, marker, (unsigned)(n + size));
    for (size_t i = 0; i < n; i++)
        jpeg_write_m_byte(c, head[i]);
    for (size_t i = 0; i < size; i++)
        jpeg_write_m_byte(c, ((const unsigned char *)bytes)[i]);
}

tt_blob kit_make_jpeg(const kit_jpeg *k, tt_image *want)
{
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct c;
    unsigned char *out = NULL;
    unsigned long size = 0;
    const bool four = k->colour == JCS_CMYK || k->colour == JCS_YCCK;
    const int n = k->colour == JCS_GRAYSCALE ? 1 : four ? 4 : 3;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &size);
    c.image_width = (JDIMENSION)k->width;
    c.image_height = (JDIMENSION)k->height;
    c.input_components = n;
    c.in_color_space = n == 1 ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, (J_COLOR_SPACE)k->colour);
    jpeg_set_quality(&c, k->quality ? k->quality : 95, TRUE);
    if (k->progressive)
        jpeg_simple_progression(&c);
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
            static const int slope[4][2] = {{3, 2}, {-2, 3}, {1, -3}, {-1, -1}};
            int v = 128 + (slope[ch][0] * (px - k->width / 2) + slope[ch][1] * (y - k->height / 2));
            line[x] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
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
    d.out_color_space = n == 1 ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&d);
    ck_assert(!tt_image_init(want, k->width, k->height, n, 8, NULL));
    while (d.output_scanline < d.output_height) {
        JSAMPROW rows[1] = {(unsigned char *)want->samples + (size_t)d.output_scanline * (size_t)(k->width * n)};
        jpeg_read_scanlines(&d, rows, 1);
    }
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    return b;
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
        cmsPipelineInsertStage(pipe, cmsAT_BEGIN, table);
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
    const unsigned long first = 8, values = first + 2 + 12ul * (unsigned)n + 4, sub = values + 16 + 8, second = sub + 42;
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

/* ---- comparisons ---- */

void kit_read(tt_image *img, const tt_blob *file)
{
    tt_error err = {0};
    const tt_status st = tt_image_read_memory(img, file->data, file->size, "file", NULL, &err);
    ck_assert_msg(!st, "%s", err.text);
}

void kit_same(const tt_image *want, const tt_image *got, const char *format, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    ck_assert_msg(want->width == got->width && want->height == got->height && want->channels == got->channels &&
                      want->depth == got->depth,
                  "%s: %d x %d, %d x %d bits instead of %d x %d, %d x %d", what, got->width, got->height,
                  got->channels, got->depth, want->width, want->height, want->channels, want->depth);
    const size_t n = (size_t)want->width * (size_t)want->height * tt_image_pixel_bytes(want);
    const unsigned char *a = want->samples, *b = got->samples;
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(a[i] == b[i], "%s: byte %zu is %d instead of %d", what, i, b[i], a[i]);
}

void kit_same_blob(const tt_blob *want, const tt_blob *got, const char *what)
{
    ck_assert_msg(want->size == got->size && !memcmp(want->data, got->data, want->size), "%s: %zu bytes for %zu",
                  what, got->size, want->size);
}

/* A copy that ends where its memory ends, so that a sanitizer or valgrind sees any reading past it. */
static tt_status try(const unsigned char *bytes, size_t n, bool salvage, tt_image *img)
{
    const tt_image_limits limits = {.max_pixels = 1 << 14, .salvage = salvage};
    tt_error err = {0};
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    const tt_status st = tt_image_read_memory(img, copy, n, "file", &limits, &err);
    free(copy);
    ck_assert_msg(!st == !err.text[0], "status %d with \"%s\"", st, err.text);
    ck_assert(!st || (!img->samples && !img->exif.data && !img->icc.data));
    return st;
}

/* A PNG whose chunks all check, so that changes reach what lies behind the check. */
static void mend_png(unsigned char *p, size_t size)
{
    if (size < 8 || memcmp(p, "\x89PNG", 4))
        return;
    for (size_t at = 8; size - at >= 12;) {
        const size_t n = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
        if (n > size - at - 12)
            return;
        uint32_t crc = 0xffffffff;
        for (size_t i = at + 4; i < at + 8 + n; i++) {
            crc ^= p[i];
            for (int k = 0; k < 8; k++)
                crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        crc = ~crc;
        for (int i = 0; i < 4; i++)
            p[at + 8 + n + (size_t)i] = (unsigned char)(crc >> 8 * (3 - i));
        at += 12 + n;
    }
}

void kit_hostile(const tt_blob *file, int from_prefix)
{
    tt_image img;
    for (size_t n = (size_t)from_prefix; n < file->size; n++) {
        ck_assert_msg(try(file->data, n, false, &img) == TT_ERR_FORMAT, "the first %zu of %zu bytes are a picture", n,
                      file->size);
        if (!try(file->data, n, true, &img))
            tt_image_clear(&img);
    }
    unsigned char *bytes = malloc(file->size);
    memcpy(bytes, file->data, file->size);
    for (size_t bit = 0; bit < 8 * 256 && bit / 8 < file->size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        for (int salvage = 0; salvage < 2; salvage++)
            if (!try(bytes, file->size, salvage, &img))
                tt_image_clear(&img);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        memcpy(bytes, file->data, file->size);
        for (uint32_t k = next_random(&state) % 4 + 1; k; k--)
            bytes[next_random(&state) % file->size] = (unsigned char)next_random(&state);
        if (i & 2)
            mend_png(bytes, file->size);
        if (!try(bytes, file->size, i & 1, &img))
            tt_image_clear(&img);
    }
    free(bytes);
}
