/* Colour profiles: what is checked of one that is kept, and the conversions to sRGB. */
#ifndef TT_SRC_IMAGE_ICC_H
#define TT_SRC_IMAGE_ICC_H

#include "src/image/image.h"

/* No larger profile is kept. */
enum { TT_ICC_MOST = 16 << 20 };

/*
 * Clear the profile unless it can be parsed and describes samples of so many channels (1, 2 grey; 3, 4 RGB); bytes
 * after its end are cut off. A grey profile on RGB samples, a broken one, one too large: a viewer could not have
 * used it either. TT_ERR_MEMORY only.
 */
tt_status tt_icc_check(tt_blob *icc, int channels, tt_error *err);

/* Whether the header of a profile says that it is for such samples: cheap, for one that was checked once. */
bool tt_icc_fits(const tt_blob *icc, int channels);

/*
 * Rows of CMYK to sRGB: relative colorimetric with black point compensation, or, where the profile is empty,
 * broken or no CMYK profile, the naive (255 - C) * (255 - K) / 255. `inverted`: 255 is no ink, as Adobe stores it.
 * TT_ERR_MEMORY only.
 */
typedef struct tt_icc_cmyk tt_icc_cmyk;
tt_status tt_icc_cmyk_new(tt_icc_cmyk **c, const tt_blob *icc, bool inverted, tt_error *err);
void tt_icc_cmyk_row(const tt_icc_cmyk *c, unsigned char *rgb, const unsigned char *cmyk, size_t pixels);
void tt_icc_cmyk_free(tt_icc_cmyk *c); /* accepts NULL */

/*
 * Samples converted to sRGB (grey: to its tone curve) from the profile, or else from gamma and cHRM; these are
 * cleared, alpha stays. Nothing to do where there is none. TT_ERR_MEMORY, TT_ERR_FORMAT (a profile that lcms2
 * cannot use); then the samples are unchanged.
 */
tt_status tt_icc_to_srgb(tt_image *img, tt_error *err);

/*
 * The same row by row: *c is NULL where there is nothing to do. Of img the metadata counts while it is made; then
 * tt_icc_is_srgb() says so of the picture that the rows make.
 */
typedef struct tt_icc_rows tt_icc_rows;
tt_status tt_icc_rows_new(tt_icc_rows **c, const tt_image *img, tt_error *err);
void tt_icc_row(const tt_icc_rows *c, void *samples, size_t pixels); /* in place */
void tt_icc_rows_free(tt_icc_rows *c);                               /* accepts NULL */
void tt_icc_is_srgb(tt_image *img);

/*
 * A profile that says what gamma and cHRM say, for formats that cannot say it otherwise; left empty where they say
 * nothing or sRGB. TT_ERR_MEMORY.
 */
tt_status tt_icc_from_gamma(tt_blob *icc, const tt_image *img, tt_error *err);

#endif
