/* The reading half of JPEG: tt_image_format's probe(), open(), read() and close(). */
#ifndef TT_SRC_IMAGE_JPEG_H
#define TT_SRC_IMAGE_JPEG_H

#include "src/image/image.h"

/* What segments of metadata begin with. */
extern const char tt_jpeg_exif[6], tt_jpeg_xmp[29], tt_jpeg_photoshop[14];

bool tt_jpeg_probe(const unsigned char *bytes, size_t size);
tt_status tt_jpeg_open(tt_decoding *d, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err);
tt_status tt_jpeg_read(void *decoder, void *samples, int n, tt_error *err);
tt_status tt_jpeg_close(void *decoder, bool whole, tt_error *err);

#endif
