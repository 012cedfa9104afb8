/* The reading half of PNG: tt_image_format's probe(), open(), read() and close(). */
#ifndef TT_SRC_IMAGE_PNG_H
#define TT_SRC_IMAGE_PNG_H

#include "src/image/image.h"

#include <png.h>

#define TT_PNG_XMP "XML:com.adobe.xmp" /* the key of the text that is an XMP packet */
#define TT_PNG_INCH 0.0254             /* metres */

bool tt_png_probe(const unsigned char *bytes, size_t size);
tt_status tt_png_open(tt_decoding *d, tt_image *head, tt_file *in, const tt_image_limits *limits, tt_error *err);
tt_status tt_png_read(void *decoder, void *samples, int n, tt_error *err);
tt_status tt_png_close(void *decoder, bool whole, tt_error *err);

/* For libpng, of both halves: a warning, and memory given back. */
void tt_png_warned(png_structp png, png_const_charp text);
void tt_png_release(png_structp png, png_voidp p);

#endif
