/* Two pictures beside each other, as numbers (tt_compare() of tintype.h) and as one picture. */
#ifndef TT_SRC_COMPARE_H
#define TT_SRC_COMPARE_H

#include "src/tintype.h"

/*
 * a, a thin line, b. Where they differ in size, the one of fewer pixels is enlarged by bicubic to the
 * other's size; where they differ in kind, the result is of the richer one: colour, alpha, 16 bits. a's
 * metadata.
 */
tt_status tt_side_by_side(const tt_image *a, const tt_image *b, tt_image **out, tt_error *err);

#endif
