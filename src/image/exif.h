/*
 * The few tags of EXIF (a TIFF structure) that must follow the picture, read and changed in place. All else stays
 * byte for byte as it came, maker notes included, whose inner offsets nobody may move.
 * Every offset is checked, at most four directories are looked at, no link is followed twice.
 */
#ifndef TT_SRC_IMAGE_EXIF_H
#define TT_SRC_IMAGE_EXIF_H

#include "src/image/image.h"

typedef struct tt_exif {
    int orientation;     /* 1..8; 1 where it says nothing sensible */
    double dpi_x, dpi_y; /* 0 unknown */
} tt_exif;

/* False, and orientation 1: this is no EXIF, and not worth keeping. */
bool tt_exif_read(tt_exif *e, const tt_blob *exif);

/*
 * For a picture whose pixels lie upright, width x height: orientation 1, all sizes corrected, the thumbnail (which
 * shows the old picture) unlinked and removed. Resolution: that given unless 0, where EXIF has the tags.
 * What cannot be read is cleared.
 */
void tt_exif_settle(tt_blob *exif, int width, int height, double dpi_x, double dpi_y);

/* The ColorSpace tag, where there is one, says sRGB. */
void tt_exif_set_srgb(tt_blob *exif);

#endif
