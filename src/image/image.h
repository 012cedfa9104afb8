/*
 * A picture in memory and everything that belongs to it, and the way from a file and back.
 * One format a file in this folder, listed in src/image/formats.c; the content decides, never the name.
 */
#ifndef TT_SRC_IMAGE_IMAGE_H
#define TT_SRC_IMAGE_IMAGE_H

#include "src/file.h"

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tt_blob {
    unsigned char *data; /* owned, malloc */
    size_t size;
} tt_blob;

typedef struct tt_image {
    int width, height; /* pixels, orientation already applied */
    int channels;      /* 1 grey, 2 grey+alpha, 3 RGB, 4 RGB+alpha (not premultiplied) */
    int depth;         /* 8: uint8_t samples, 16: uint16_t samples of the machine's byte order */
    void *samples;     /* interleaved, rows without gaps, owned (malloc) */
    tt_blob icc;       /* the profile the samples are meant in; empty: sRGB */
    tt_blob exif;      /* TIFF structure, without "Exif\0\0"; orientation 1, size fields those of the picture */
    tt_blob xmp;       /* the packet */
    double dpi_x, dpi_y; /* dots an inch, 0 unknown */
    double gamma;      /* PNG gAMA (0.45455 = ordinary), 0 none; only kept where there is no profile */
    /* how it came, for `tintype info` and for choices */
    const char *format;       /* "PNG", "JPEG" */
    int file_depth;           /* bits a sample in the file: 1, 2, 4, 8, 16 */
    const char *file_colour;  /* "grey", "palette", "RGB", "CMYK", "YCCK", ... */
    int orientation;          /* the EXIF orientation that was applied, 1..8 */
    int jpeg_quality;         /* estimated from the tables, 0 unknown or no JPEG */
    double missing;           /* share of the picture that a truncated file lacked (salvage), 0 usually */
    /* more that is kept */
    tt_blob iptc;             /* IPTC-IIM records: captions, places, dates of archives */
    bool srgb;                /* said to be sRGB (a PNG's sRGB chunk, or made so from CMYK), without a profile */
    double chrm[8];           /* PNG cHRM: x and y of white, red, green, blue; all 0: none; only without profile */
} tt_image;

/* Limits, checked from the header before pixels are allocated. Zeros are the defaults. */
typedef struct tt_image_limits {
    uint64_t max_pixels; /* default 1 G */
    uint64_t max_bytes;  /* of decoded samples; default: no limit but max_pixels */
    bool salvage;        /* decode what a damaged file holds instead of refusing it */
} tt_image_limits;

/*
 * Read a picture from a file, "-" for standard input, or memory (`label` stands for the path in messages).
 * Palette and 1, 2, 4 bits become 8 bits; tRNS becomes alpha; CMYK becomes sRGB through its profile (a naive
 * conversion where it has none); the EXIF orientation is applied.
 * TT_ERR_INPUT cannot be opened or read, TT_ERR_FORMAT damaged or truncated or not a picture,
 * TT_ERR_UNSUPPORTED (an animated PNG, ...), TT_ERR_MEMORY past the limits. On failure *img is cleared.
 */
tt_status tt_image_read(tt_image *img, const char *path, const tt_image_limits *limits, tt_error *err);
tt_status tt_image_read_memory(tt_image *img, const void *bytes, size_t size, const char *label,
                               const tt_image_limits *limits, tt_error *err);
void tt_image_clear(tt_image *img); /* accepts zeros */

/*
 * The same where rows come one after the other, from the top, as they lie in the file. `head` is what the file's header
 * says, without samples: the orientation is told and not applied. It must stay until tt_reader_end(), which adds what
 * stands behind the pixels and settles it. As often as wanted for one input, also at the same time.
 */
typedef struct tt_reader tt_reader;
tt_status tt_reader_open(tt_reader **r, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err);
/* The picture cannot be had row by row (an interlaced PNG): tt_reader_rows() must ask for all of it. */
bool tt_reader_whole(const tt_reader *r);
/* Memory that decoding takes beside the rows given. */
uint64_t tt_reader_bytes(const tt_reader *r);
/* TT_ERR_MEMORY where the picture held as a whole goes beyond the limits, or (not `held`) what decoding it takes. */
tt_status tt_reader_allows(const tt_reader *r, bool held, tt_error *err);
tt_status tt_reader_rows(tt_reader *r, void *samples, int rows, tt_error *err);
/* so_far: a status of tt_reader_rows(), or of what was done with them. Frees. Accepts NULL. */
tt_status tt_reader_end(tt_reader *r, tt_status so_far, tt_error *err);
/* The input of a path, if a picture of a known kind is in it or may be. */
tt_status tt_image_file(tt_file *in, const char *path, tt_error *err);

/* Samples allocated (zeroed), metadata empty. TT_ERR_MEMORY. */
tt_status tt_image_init(tt_image *img, int width, int height, int channels, int depth, tt_error *err);
/*
 * Copies of the metadata (icc, exif, xmp, iptc, dpi, gamma, format) into `to`, sizes in EXIF and XMP corrected to
 * to's width and height. A profile of the other kind (grey for colour, colour for grey) is left out.
 */
tt_status tt_image_copy_metadata(tt_image *to, const tt_image *from, tt_error *err);

/* Bytes a pixel. */
static inline size_t tt_image_pixel_bytes(const tt_image *img)
{
    return (size_t)img->channels * (size_t)(img->depth / 8);
}

typedef struct tt_write_options {
    const char *format;  /* "png", "jpeg", or NULL: by the path's ending (png, jpg, jpeg, jpe), PNG for "-" */
    int jpeg_quality;    /* 1..100, 0: 95 */
    int png_level;       /* zlib level 1..9, 0: 6 */
    bool overwrite;      /* an existing path is replaced (atomically); else TT_ERR_OUTPUT and it is left alone */
} tt_write_options;

/*
 * Encode and write. A path appears whole or not at all; "-" is standard output. JPEG has no alpha and 8 bits
 * only: alpha or 16 bits into JPEG is TT_ERR_UNSUPPORTED with a sentence that says what to do.
 * TT_ERR_OUTPUT cannot be created or exists, TT_ERR_TEMPORARY disk full or I/O error.
 */
tt_status tt_image_write(const tt_image *img, const char *path, const tt_write_options *o, tt_error *err);

/*
 * The same where rows come one after the other, from the top: of img only the size and the metadata count, which must
 * stay until the end. tt_writer_end() in any case, told how all went so far (a status of tt_writer_rows() or of what
 * makes them): the file appears where that was TT_OK; the sentence is that of what went wrong first.
 */
typedef struct tt_writer tt_writer;
tt_status tt_writer_begin(tt_writer **w, const tt_image *img, const char *path, const tt_write_options *o, tt_error *err);
tt_status tt_writer_rows(tt_writer *w, const void *samples, int rows, tt_error *err);
tt_status tt_writer_end(tt_writer *w, tt_status so_far, tt_error *err); /* frees; accepts NULL */
/* Would tt_image_write() know what to do with that path? Checked before work starts. */
tt_status tt_image_can_write(int channels, int depth, const char *path, const tt_write_options *o, tt_error *err);
/* Bytes of memory that writing it row by row takes, of what grows with the picture's height. */
uint64_t tt_image_writing_bytes(int width, int height, int channels, const char *path, const tt_write_options *o);
/* ... and would the format hold so many pixels? (JPEG: 65500 a side) Checked before work starts, too. */
tt_status tt_image_can_hold(int width, int height, const char *path, const tt_write_options *o, tt_error *err);

/* For the formats: the size of a picture, unless the limits forbid so many pixels (TT_ERR_MEMORY). */
tt_status tt_image_measure(tt_image *img, uint64_t width, uint64_t height, int channels, int depth,
                           const char *label, const tt_image_limits *limits, tt_error *err);
/* A copy; an empty blob for size 0. TT_ERR_MEMORY. The old contents of *to are freed. */
tt_status tt_blob_set(tt_blob *to, const void *bytes, size_t size, tt_error *err);
void tt_blob_clear(tt_blob *b);

/* What a format tells of a picture that is being read. */
typedef struct tt_decoding {
    void *decoder;
    bool whole;    /* rows come all at once or not at all */
    uint64_t held; /* bytes that are in memory from the first row to the last: of a progressive JPEG */
} tt_decoding;

/*
 * One format, listed in src/image/formats.c. Reading gives the pixels as they lie in the file and the metadata
 * unchecked: orientation, EXIF and profile are seen to by image.c for all formats. begin() gets them seen to.
 */
typedef struct tt_image_format {
    const char *name;              /* "png" */
    const char *const *endings;    /* "png", NULL */
    int max_side;                  /* pixels, when writing */
    bool (*probe)(const unsigned char *bytes, size_t size);
    /* Up to the pixels. head stays until close(); all but the samples is written there, at the latest by close(). Nothing
     * is left after a failure, and close() comes in any other case; what it does not free, it reads on to the end. */
    tt_status (*open)(tt_decoding *d, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err);
    tt_status (*read)(void *decoder, void *samples, int n, tt_error *err);
    tt_status (*close)(void *decoder, bool whole, tt_error *err);
    uint64_t (*writing_bytes)(int width, int height, int channels); /* NULL: none */
    /* whether such samples can be stored; NULL sentence if yes */
    const char *(*refuses)(int channels, int depth);
    /* Writes through `put` as it goes; put returns false when the disk is full. All but the samples of img, which stays
     * until end(); then rows from top to bottom; end() frees, and closes the picture where it is whole. */
    tt_status (*begin)(void **encoder, const tt_image *img, const tt_write_options *o,
                       bool (*put)(void *to, const void *bytes, size_t n), void *to, tt_error *err);
    tt_status (*rows)(void *encoder, const void *samples, int n, tt_error *err);
    tt_status (*end)(void *encoder, bool whole, tt_error *err);
} tt_image_format;
extern const tt_image_format *const tt_image_formats[]; /* ends with NULL */

#endif
