#include "src/sheet.h"

#include "src/bilinear.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIDE = 512, /* of a small copy, at most */
    GAP = 12,   /* white between them */
    DOT = 4,    /* pixels to a dot of a digit */
    LABEL = 5 * DOT + GAP,
};

/* Digits of 3 x 5 dots, a row an octal digit, the top one first. */
static const unsigned digits[10] = {075557, 026227, 071747, 071717, 055711,
                                    074717, 074757, 071111, 075757, 075717};

void tt_sheet_clear(tt_sheet *s)
{
    for (int i = 0; i < s->count; i++)
        tt_image_clear(&s->small[i]);
    tt_blob_clear(&s->icc);
    *s = (tt_sheet){0};
}

/* A row as 8-bit RGB, whatever it is; alpha is left out. */
static void read_row(const tt_image *img, int y, uint8_t *to)
{
    const size_t w = (size_t)img->width, channels = (size_t)img->channels, at = (size_t)y * w * channels;
    for (size_t x = 0; x < w; x++)
        for (size_t c = 0; c < 3; c++) {
            const size_t i = at + x * channels + (channels > 2 ? c : 0);
            to[3 * x + c] = img->depth == 8 ? ((const uint8_t *)img->samples)[i]
                                            : (uint8_t)((((const uint16_t *)img->samples)[i] + 128u) / 257);
        }
}

static tt_status shrink(const tt_image *img, tt_image *small, tt_error *err)
{
    const int longer = img->width > img->height ? img->width : img->height,
              most = longer > SIDE ? SIDE : longer;
    const int w = (int)((int64_t)img->width * most / longer), h = (int)((int64_t)img->height * most / longer);
    tt_bilinear across = {0}, down = {0};
    uint8_t *row = malloc((size_t)img->width * 3), *rows = NULL;
    tt_status st = row ? tt_image_init(small, w ? w : 1, h ? h : 1, 3, 8, err)
                       : tt_fail_memory(err, (size_t)img->width * 3);
    if (st)
        goto done;
    const size_t line = (size_t)small->width * 3;
    rows = malloc((size_t)img->height * line);
    if (!rows)
        st = tt_fail_memory(err, (size_t)img->height * line);
    if (!st)
        st = tt_bilinear_init(&across, img->width, small->width, err);
    if (!st)
        st = tt_bilinear_init(&down, img->height, small->height, err);
    for (int y = 0; y < img->height && !st; y++) {
        read_row(img, y, row);
        tt_bilinear_across(&across, row, 3, rows + (size_t)y * line);
    }
    for (int y = 0; y < small->height && !st; y++)
        tt_bilinear_down(&down, rows, line, y, line, (uint8_t *)small->samples + (size_t)y * line);
done:
    tt_bilinear_clear(&across);
    tt_bilinear_clear(&down);
    free(rows);
    free(row);
    if (st)
        tt_image_clear(small);
    return st;
}

tt_status tt_sheet_add(tt_sheet *s, const tt_image *img, int number, tt_error *err)
{
    if (s->count == TT_SHEET_MOST)
        return tt_fail(err, TT_ERR_USAGE, "a contact sheet takes at most %d pictures", TT_SHEET_MOST);
    tt_status st = shrink(img, &s->small[s->count], err);
    if (st)
        return st;
    s->number[s->count++] = number;
    if (img->channels > 2 && !s->icc.size)
        st = tt_blob_set(&s->icc, img->icc.data, img->icc.size, err);
    return st;
}

static void fill(tt_image *img, int x, int y, int w, int h)
{
    for (int v = y; v < y + h; v++)
        memset((uint8_t *)img->samples + ((size_t)v * (size_t)img->width + (size_t)x) * 3, 0, (size_t)w * 3);
}

/* The number in black, its top left corner at x, y; what would pass `end` is left out. */
static void write_number(tt_image *img, int x, int y, int number, int end)
{
    int place = 1;
    while (number / place >= 10)
        place *= 10;
    for (; place && x + 3 * DOT <= end; place /= 10, x += 4 * DOT)
        for (int i = 0; i < 15; i++)
            if (digits[number / place % 10] >> (14 - i) & 1)
                fill(img, x + i % 3 * DOT, y + i / 3 * DOT, DOT, DOT);
}

tt_status tt_sheet_draw(const tt_sheet *s, tt_image *out, tt_error *err)
{
    int columns = s->count < 5 ? s->count : 1, w = 1, h = 1;
    while (columns * columns < s->count && s->count > 4)
        columns++;
    columns = columns ? columns : 1;
    for (int i = 0; i < s->count; i++) {
        w = s->small[i].width > w ? s->small[i].width : w;
        h = s->small[i].height > h ? s->small[i].height : h;
    }
    const int rows = (s->count + columns - 1) / columns;
    tt_status st = tt_image_init(out, columns * (w + GAP) + GAP, rows * (h + GAP + LABEL) + GAP, 3, 8, err);
    if (st)
        return st;
    memset(out->samples, 0xff, (size_t)out->width * (size_t)out->height * 3);
    for (int i = 0; i < s->count; i++) {
        const tt_image *small = &s->small[i];
        const int x = GAP + i % columns * (w + GAP), y = GAP + i / columns * (h + GAP + LABEL);
        const size_t line = (size_t)small->width * 3;
        for (int v = 0; v < small->height; v++)
            memcpy((uint8_t *)out->samples + ((size_t)(y + v) * (size_t)out->width + (size_t)x) * 3,
                   (const uint8_t *)small->samples + (size_t)v * line, line);
        if (s->number[i])
            write_number(out, x, y + h + GAP / 2, s->number[i], out->width);
    }
    return tt_blob_set(&out->icc, s->icc.data, s->icc.size, err);
}
