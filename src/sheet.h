/* A contact sheet: small copies of pictures side by side, each with its number below. */
#ifndef TT_SRC_SHEET_H
#define TT_SRC_SHEET_H

#include "src/image/image.h"

enum { TT_SHEET_MOST = 40 };

typedef struct tt_sheet {
    int count;
    int number[TT_SHEET_MOST];
    tt_image small[TT_SHEET_MOST]; /* RGB, 8 bits */
    tt_blob icc;                   /* of the first coloured picture that has one */
} tt_sheet;

/* A copy of img, at most 512 pixels a side; number 0 is not written. TT_ERR_MEMORY, TT_ERR_USAGE past the
 * most. */
tt_status tt_sheet_add(tt_sheet *s, const tt_image *img, int number, tt_error *err);
/* All of them on white, rows from left to right; tt_image_clear() it. */
tt_status tt_sheet_draw(const tt_sheet *s, tt_image *out, tt_error *err);
void tt_sheet_clear(tt_sheet *s); /* accepts zeros */

#endif
