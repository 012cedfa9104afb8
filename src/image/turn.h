/* The eight ways a picture can lie: EXIF orientations, and with them flips and quarter turns. */
#ifndef TT_SRC_IMAGE_TURN_H
#define TT_SRC_IMAGE_TURN_H

#include "src/image/image.h"

/*
 * `orientation` says what is done to the picture, as EXIF asks a viewer to do it:
 *
 *     1 nothing          2 left <-> right    3 half a turn            4 top <-> bottom
 *     5 transpose        6 a quarter turn    7 transpose on the       8 a quarter turn
 *       (rows <-> columns) clockwise           other diagonal           anticlockwise
 *
 * From 5 on, width and height change places.
 *   to, from  width x height pixels of pixel_bytes each, rows without gaps, no overlap
 *   width, height  those of `from`
 */
void tt_turn(void *to, const void *from, int width, int height, size_t pixel_bytes, int orientation);

/* The same for a picture, resolution included. Not 1..8: nothing is done. TT_ERR_MEMORY, then it is unchanged. */
tt_status tt_image_turn(tt_image *img, int orientation, tt_error *err);

#endif
