/* Text wrappings of metadata: XMP packets, PNG "raw profiles", Photoshop resources. */
#ifndef TT_SRC_IMAGE_META_H
#define TT_SRC_IMAGE_META_H

#include "src/image/image.h"

/*
 * Correct what an XMP packet says of the picture: sizes in tiff: and exif: and, where `upright`, the orientation.
 * A pointer to an extension that was not kept is taken out. All else stays byte for byte. TT_ERR_MEMORY.
 */
tt_status tt_meta_settle_xmp(tt_blob *xmp, int width, int height, bool upright, tt_error *err);

/*
 * "Raw profile type X" texts in PNG, as ImageMagick and exiftool write them: a name, a length, hexadecimal digits.
 * _read: left empty for a text that is none. _write: a string to free().
 */
tt_status tt_meta_read_raw_profile(tt_blob *to, const char *text, size_t size, tt_error *err);
tt_status tt_meta_write_raw_profile(char **text, size_t *size, const char *name, const void *bytes, size_t n,
                                    tt_error *err);

/* The IPTC records among Photoshop's image resources ("8BIM" blocks); false if there are none. */
bool tt_meta_find_iptc(const unsigned char *resources, size_t size, const unsigned char **iptc, size_t *n);
/* The head of a resource that holds n bytes of IPTC records; a byte of padding follows them if n is odd. */
enum { TT_META_IPTC_HEAD = 12 };
void tt_meta_iptc_head(unsigned char head[TT_META_IPTC_HEAD], size_t n);

#endif
