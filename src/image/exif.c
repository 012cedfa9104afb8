/* TIFF 6.0, section 2; Exif 2.32 (CIPA DC-008), section 4.6. */
#include "src/image/exif.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    IMAGE_WIDTH = 0x100,
    IMAGE_LENGTH = 0x101,
    ORIENTATION = 0x112,
    X_RESOLUTION = 0x11a,
    Y_RESOLUTION = 0x11b,
    RESOLUTION_UNIT = 0x128,
    SUB_IFDS = 0x14a,
    THUMBNAIL = 0x201,
    THUMBNAIL_LENGTH = 0x202,
    EXIF_IFD = 0x8769,
    GPS_IFD = 0x8825,
    COLOR_SPACE = 0xa001,
    PIXEL_X = 0xa002,
    PIXEL_Y = 0xa003,
    INTEROP_IFD = 0xa005,
    RELATED_WIDTH = 0x1001,
    RELATED_LENGTH = 0x1002,
};
enum { SHORT = 3, LONG = 4, RATIONAL = 5 };

typedef struct tiff {
    unsigned char *data;
    size_t size;
    bool big; /* "MM" */
} tiff;

/*
 * A directory, known to lie within the data:
 *     count (2)   count entries of 12: tag (2) type (2) values (4) value or offset (4)   next directory (4)
 */
typedef struct ifd {
    size_t at;
    unsigned count;
} ifd;

static unsigned get16(const tiff *t, size_t at)
{
    const unsigned char *p = t->data + at;
    return t->big ? (unsigned)(p[0] << 8 | p[1]) : (unsigned)(p[1] << 8 | p[0]);
}

static uint32_t get32(const tiff *t, size_t at)
{
    const uint32_t a = get16(t, at), b = get16(t, at + 2);
    return t->big ? a << 16 | b : b << 16 | a;
}

static void put16(const tiff *t, size_t at, unsigned v)
{
    t->data[at + (t->big ? 1 : 0)] = (unsigned char)v;
    t->data[at + (t->big ? 0 : 1)] = (unsigned char)(v >> 8);
}

static void put32(const tiff *t, size_t at, uint32_t v)
{
    put16(t, at + (t->big ? 2 : 0), v & 0xffff);
    put16(t, at + (t->big ? 0 : 2), v >> 16);
}

/* Whether n bytes lie at `at`. */
static bool within(const tiff *t, size_t at, size_t n)
{
    return at <= t->size && n <= t->size - at;
}

static bool open_ifd(const tiff *t, size_t at, ifd *d)
{
    *d = (ifd){0};
    if (at < 8 || !within(t, at, 2))
        return false;
    const unsigned count = get16(t, at);
    if (!within(t, at + 2, (size_t)count * 12))
        return false;
    *d = (ifd){at, count};
    return true;
}

static bool open_tiff(tiff *t, const tt_blob *exif, ifd *first)
{
    *t = (tiff){exif->data, exif->size, false};
    if (!within(t, 0, 8))
        return false;
    t->big = t->data[0] == 'M';
    if (memcmp(t->data, t->big ? "MM" : "II", 2) || get16(t, 2) != 42)
        return false;
    return open_ifd(t, get32(t, 4), first);
}

/* Where the entry of `tag` lies, 0 if there is none. */
static size_t find(const tiff *t, const ifd *d, unsigned tag)
{
    for (unsigned i = 0; i < d->count; i++) {
        const size_t at = d->at + 2 + (size_t)i * 12;
        if (get16(t, at) == tag)
            return at;
    }
    return 0;
}

/* One SHORT or LONG; `none` for anything else. */
static uint32_t number(const tiff *t, const ifd *d, unsigned tag, uint32_t none)
{
    const size_t at = find(t, d, tag);
    if (!at || get32(t, at + 4) != 1)
        return none;
    const unsigned type = get16(t, at + 2);
    return type == SHORT ? get16(t, at + 8) : type == LONG ? get32(t, at + 8) : none;
}

/* Where the two LONGs of a RATIONAL lie, 0 if there is none. */
static size_t rational(const tiff *t, const ifd *d, unsigned tag)
{
    const size_t at = find(t, d, tag);
    if (!at || get16(t, at + 2) != RATIONAL || get32(t, at + 4) != 1)
        return 0;
    const size_t value = get32(t, at + 8);
    return value >= 8 && within(t, value, 8) ? value : 0;
}

static double resolution(const tiff *t, const ifd *d, unsigned tag)
{
    const size_t at = rational(t, d, tag);
    const unsigned unit = number(t, d, RESOLUTION_UNIT, 2);
    if (!at || !get32(t, at + 4) || (unit != 2 && unit != 3))
        return 0;
    const double v = (double)get32(t, at) / get32(t, at + 4) * (unit == 3 ? 2.54 : 1);
    return v > 0 && v < 1e6 ? v : 0;
}

static bool sub_ifd(const tiff *t, const ifd *d, unsigned tag, ifd *sub)
{
    return open_ifd(t, number(t, d, tag, 0), sub);
}

bool tt_exif_read(tt_exif *e, const tt_blob *exif)
{
    tiff t;
    ifd first;
    *e = (tt_exif){.orientation = 1};
    if (!open_tiff(&t, exif, &first))
        return false;
    const uint32_t o = number(&t, &first, ORIENTATION, 1);
    e->orientation = o >= 1 && o <= 8 ? (int)o : 1;
    e->dpi_x = resolution(&t, &first, X_RESOLUTION);
    e->dpi_y = resolution(&t, &first, Y_RESOLUTION);
    return true;
}

/* The value of a tag that exists, as a SHORT where it was one and fits, else as a LONG: both lie in the entry. */
static void set(const tiff *t, const ifd *d, unsigned tag, uint32_t value)
{
    const size_t at = find(t, d, tag);
    if (!at)
        return;
    const bool is_short = get16(t, at + 2) == SHORT && value <= 0xffff;
    put16(t, at + 2, is_short ? SHORT : LONG);
    put32(t, at + 4, 1);
    put32(t, at + 8, 0);
    if (is_short)
        put16(t, at + 8, value);
    else
        put32(t, at + 8, value);
}

static void set_resolution(const tiff *t, const ifd *d, unsigned tag, double dpi)
{
    const size_t at = rational(t, d, tag);
    if (!at || !(dpi < 1e5))
        return;
    const bool whole = dpi == floor(dpi);
    put32(t, at, (uint32_t)(whole ? dpi : dpi * 10000 + 0.5));
    put32(t, at + 4, whole ? 1 : 10000);
}

/* The first byte after a directory and all that its entries point to. */
static size_t extent(const tiff *t, const ifd *d)
{
    static const unsigned char bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
    if (!d->at)
        return 0;
    size_t end = d->at + 2 + (size_t)d->count * 12 + 4;
    for (unsigned i = 0; i < d->count; i++) {
        const size_t at = d->at + 2 + (size_t)i * 12, value = get32(t, at + 8);
        const unsigned type = get16(t, at + 2);
        const uint64_t n = type < sizeof bytes ? (uint64_t)bytes[type] * get32(t, at + 4) : 0;
        if (n > 4 && n <= t->size && within(t, value, (size_t)n) && value + (size_t)n > end)
            end = value + (size_t)n;
    }
    return end < t->size ? end : t->size;
}

/*
 * The second directory describes the thumbnail. Unlinked; what it held is cut off where it came last, as nearly
 * always, else overwritten: nobody shall find in the file what the picture no longer shows. Returns the new size.
 */
static size_t drop_thumbnail(const tiff *t, const ifd *first, const ifd *others, int n)
{
    const size_t link = first->at + 2 + (size_t)first->count * 12;
    ifd second;
    if (!within(t, link, 4))
        return t->size;
    const bool has = open_ifd(t, get32(t, link), &second);
    put32(t, link, 0);
    if (!has)
        return t->size;
    const size_t at = number(t, &second, THUMBNAIL, 0), length = number(t, &second, THUMBNAIL_LENGTH, 0);
    const size_t start = at && at < second.at ? at : second.at;
    size_t used = extent(t, first);
    for (int i = 0; i < n; i++)
        if (extent(t, &others[i]) > used)
            used = extent(t, &others[i]);
    if (used <= start && t->size - extent(t, &second) <= 64 + length && !find(t, first, SUB_IFDS))
        return start;
    if (at >= used && within(t, at, length))
        memset(t->data + at, 0, length);
    return t->size;
}

void tt_exif_settle(tt_blob *exif, int width, int height, double dpi_x, double dpi_y)
{
    enum { EXIF, GPS, INTEROP, OTHERS };
    tiff t;
    ifd first, others[OTHERS];
    if (!open_tiff(&t, exif, &first)) {
        tt_blob_clear(exif);
        return;
    }
    (void)sub_ifd(&t, &first, EXIF_IFD, &others[EXIF]);
    (void)sub_ifd(&t, &first, GPS_IFD, &others[GPS]);
    (void)sub_ifd(&t, &others[EXIF], INTEROP_IFD, &others[INTEROP]);
    exif->size = drop_thumbnail(&t, &first, others, OTHERS);
    set(&t, &first, ORIENTATION, 1);
    set(&t, &first, IMAGE_WIDTH, (uint32_t)width);
    set(&t, &first, IMAGE_LENGTH, (uint32_t)height);
    if (dpi_x > 0 && dpi_y > 0 && (fabs(resolution(&t, &first, X_RESOLUTION) - dpi_x) >= 0.005 ||
                                   fabs(resolution(&t, &first, Y_RESOLUTION) - dpi_y) >= 0.005)) {
        /* only where it says something else: its own way of saying it is as good */
        set(&t, &first, RESOLUTION_UNIT, 2);
        set_resolution(&t, &first, X_RESOLUTION, dpi_x);
        set_resolution(&t, &first, Y_RESOLUTION, dpi_y);
    }
    set(&t, &others[EXIF], PIXEL_X, (uint32_t)width);
    set(&t, &others[EXIF], PIXEL_Y, (uint32_t)height);
    set(&t, &others[INTEROP], RELATED_WIDTH, (uint32_t)width);
    set(&t, &others[INTEROP], RELATED_LENGTH, (uint32_t)height);
}

void tt_exif_set_srgb(tt_blob *exif)
{
    tiff t;
    ifd first, sub;
    if (open_tiff(&t, exif, &first) && sub_ifd(&t, &first, EXIF_IFD, &sub))
        set(&t, &sub, COLOR_SPACE, 1);
}
