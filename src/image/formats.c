/* The formats there are. A new one is a file of this folder and a line here. */
#include "src/image/image.h"

#define FORMATS(X) X(png) X(jpeg)
#define DECLARE(f) extern const tt_image_format tt_image_##f;
#define POINT_TO(f) &tt_image_##f,

FORMATS(DECLARE)
const tt_image_format *const tt_image_formats[] = {FORMATS(POINT_TO) NULL};
