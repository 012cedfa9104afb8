/* The weight formats: one line each. The first whose probe knows the bytes reads the file, so what has a
 * long signature stands before what has a short one. */
#include "engine/weights.h"

#define READERS(X) X(safetensors) X(pth_zip) X(pth_legacy) X(mat) X(waifu2x_json) X(ncnn)

#define DECLARE(r) extern const tt_weight_reader tt_weight_reader_##r;
#define POINT_TO(r) &tt_weight_reader_##r,
READERS(DECLARE)
const tt_weight_reader *const tt_weight_readers[] = {READERS(POINT_TO) NULL};
