/*
 * What the tests of picture files share: a folder of their own, files made by libpng and libjpeg directly, profiles
 * made by lcms2, EXIF written by hand, comparisons.
 */
#ifndef TT_TESTS_SRC_KIT_H
#define TT_TESTS_SRC_KIT_H

#include "src/image/image.h"

#include <check.h>

/* A fresh folder for the tests of tc, removed after the last of them even if one crashed. */
void kit_fixture(TCase *tc);
/* The path of `name` in it; good until the eighth call after this one. */
const char *kit_path(const char *name);
/* How many entries the folder has, hidden ones too. */
int kit_entries(void);
void kit_store(const char *path, const void *bytes, size_t n);
tt_blob kit_load(const char *path);

/* Bytes that are random, the same for the same seed. */
void kit_random(void *to, size_t n, unsigned seed);

/*
 * A PNG of random samples; *want is the picture that reading it should give (only samples and sizes; freed by
 * tt_image_clear). Zeros and NULLs leave a chunk out.
 */
typedef struct kit_png {
    int width, height;
    int colour; /* PNG_COLOR_TYPE_... */
    int depth;
    bool interlaced, clear; /* clear: with tRNS */
    const tt_blob *icc, *exif;
    const char *xmp, *text_key, *text;
    double gamma;
    const double *chrm; /* 8 */
    bool srgb;
    int ppm; /* pHYs, pixels a metre */
} kit_png;
tt_blob kit_make_png(const kit_png *k, unsigned seed, tt_image *want);

/*
 * A JPEG of a smooth picture. *want: what libjpeg itself decodes, samples as libjpeg gives them (CMYK as stored),
 * channels 1, 3 or 4.
 */
typedef struct kit_jpeg {
    int width, height;
    int colour; /* J_COLOR_SPACE of the file: JCS_GRAYSCALE, JCS_YCbCr, JCS_RGB, JCS_CMYK, JCS_YCCK; */
    int components; /* of JCS_UNKNOWN, at most 5 */
    int quality;
    bool progressive, no_adobe, arithmetic, noise; /* noise: of random samples instead */
    int scans;   /* that many, at most 127, of a grey picture; 0: one, or as progressive ones usually come */
    int restart; /* interval, blocks */
    int density_unit, density_x, density_y;
    const tt_blob *icc, *exif;
    const char *xmp;
    const tt_blob *app13;
} kit_jpeg;
tt_blob kit_make_jpeg(const kit_jpeg *k, tt_image *want);

/* The same with everything we look at, 9 x 7 pixels; checking the profile is what takes time when it is read. */
tt_blob kit_rich_jpeg(int colour, bool progressive, bool profile);
/* The colours there are. */
enum { KIT_JPEG_COLOURS = 5 };
extern const int kit_jpeg_colours[KIT_JPEG_COLOURS];
/* Where the first segment of a JPEG with one of these markers lies: FF, marker, length (2, itself included), data. */
size_t kit_find_segment(const tt_blob *file, const char *markers);

/* Profiles: "RGB " (not sRGB: other primaries, gamma 1.8), "GRAY" (gamma 1.8), "CMYK" (a table). */
tt_blob kit_profile(const char space[4]);

/* EXIF with everything tt_exif_settle() touches. */
typedef struct kit_exif {
    bool big;        /* byte order */
    int orientation; /* 0: no such tag */
    int width, height;
    int dpi;       /* 0: no such tags */
    int thumbnail; /* bytes, 0: none */
} kit_exif;
tt_blob kit_make_exif(const kit_exif *k);
/* The value of a SHORT or LONG in the first directory (or that of Exif), -1 if it is not there: a second reader. */
long kit_exif_value(const tt_blob *exif, bool sub, int tag);

/* Read, failing the test with the sentence. */
void kit_read(tt_image *img, const tt_blob *file);
/* Reading fails with this status and a sentence that begins with the file and has this part. */
void kit_refused(const tt_blob *file, const tt_image_limits *limits, tt_status want, const char *part);
/* Write by that name, and read what was written. */
void kit_again(tt_image *back, const tt_image *img, const char *name, int quality);
/*
 * Fail unless `turned` shows what is `stored` as the orientation asks: pixel by pixel from the meaning of the tag,
 * which names the sides where the stored first row and column belong.
 */
void kit_turned(const tt_image *stored, const tt_image *turned, int orientation);
/* Fail unless the EXIF says so: orientation 1, these sizes, no thumbnail. */
void kit_settled(const tt_blob *exif, int width, int height);
/* A packet that says: orientation 6, 31 x 17 pixels, and something else with a 17 in it. */
extern const char kit_xmp[];
/* Fail unless the packet of such a picture, turned from orientation o, is kit_xmp with what is true now. */
void kit_settled_xmp(const tt_blob *xmp, int o);
/* Fail unless sizes and samples are the same. */
void kit_same(const tt_image *want, const tt_image *got, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kit_same_blob(const tt_blob *want, const tt_blob *got, const char *what);

/*
 * Reading must be an error or a picture, never a crash: every prefix of the file (always an error, and with salvage
 * an error or a picture with something missing), every bit of its first 256 bytes turned over, and random changes.
 */
void kit_hostile(const tt_blob *file, int changes);

#endif
