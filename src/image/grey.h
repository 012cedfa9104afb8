/* Grey pictures stored as colour, as scanners and palettes store them: their kind is kept, their greys too.
 */
#ifndef TT_SRC_IMAGE_GREY_H
#define TT_SRC_IMAGE_GREY_H

#include "src/image/image.h"

/* Whether it has three colours (and alpha, it may be) that are equal in every pixel. */
bool tt_image_only_grey(const tt_image *img);
/* Of such a picture one of the three is kept, in place. Its metadata stays, a profile for RGB too. */
void tt_image_to_grey(tt_image *img);
/* Pixels of three or four channels, of which the first two are left out; to may be from. */
void tt_grey_of_colour(void *to, const void *from, int channels, int depth, size_t pixels);
/* Pixels of one or two channels, the grey written three times. */
void tt_grey_to_colour(void *to, const void *from, int channels, int depth, size_t pixels);
/* And back: the grey three times. TT_ERR_MEMORY, then it is unchanged. */
tt_status tt_image_from_grey(tt_image *img, tt_error *err);

#endif
