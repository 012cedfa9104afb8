#include "src/image/turn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 32 }; /* pixels a side: rows of both pictures stay in the first cache */

/* memcpy() of a length known when compiled is one move; a length in a variable would be a call for every pixel */
static inline void copy_pixel(unsigned char *to, const unsigned char *from, size_t bytes)
{
    switch (bytes) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 3:
        memcpy(to, from, 3);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 6:
        memcpy(to, from, 6);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

/* Pixel x, y of the result lies at start + x * across + y * down in the source. */
static inline void turn(unsigned char *to, const unsigned char *from, ptrdiff_t start, ptrdiff_t across,
                        ptrdiff_t down, int width, int height, size_t bytes)
{
    const ptrdiff_t b = (ptrdiff_t)bytes;
    for (int y0 = 0; y0 < height; y0 += BLOCK)
        for (int x0 = 0; x0 < width; x0 += BLOCK) {
            const int y1 = y0 + BLOCK < height ? y0 + BLOCK : height;
            const int x1 = x0 + BLOCK < width ? x0 + BLOCK : width;
            for (int y = y0; y < y1; y++) {
                unsigned char *d = to + ((ptrdiff_t)y * width + x0) * b;
                const unsigned char *s = from + (start + x0 * across + y * down) * b;
                for (int x = x0; x < x1; x++, d += b, s += across * b)
                    copy_pixel(d, s, bytes);
            }
        }
}

void tt_turn(void *to, const void *from, int width, int height, size_t pixel_bytes, int orientation)
{
    const ptrdiff_t w = width, h = height, last = w * h - 1;
    /* where the result's first pixel lies in the source, and the steps from there to the right and down */
    const ptrdiff_t steps[9][3] = {
        {0, 0, 0},     {0, 1, w},          {w - 1, -1, w}, {last, -1, -w},    {last - (w - 1), 1, -w},
        {0, w, 1},     {last - (w - 1), -w, 1}, {last, -w, -1}, {w - 1, w, -1},
    };
    assert(orientation >= 1 && orientation <= 8);
    if (width < 1 || height < 1)
        return;
    const ptrdiff_t *s = steps[orientation];
    const int tw = orientation > 4 ? height : width, th = orientation > 4 ? width : height;
    switch (pixel_bytes) { /* constants, so that each becomes its own loop */
    case 1:
        turn(to, from, s[0], s[1], s[2], tw, th, 1);
        break;
    case 2:
        turn(to, from, s[0], s[1], s[2], tw, th, 2);
        break;
    case 3:
        turn(to, from, s[0], s[1], s[2], tw, th, 3);
        break;
    case 4:
        turn(to, from, s[0], s[1], s[2], tw, th, 4);
        break;
    case 6:
        turn(to, from, s[0], s[1], s[2], tw, th, 6);
        break;
    case 8:
        turn(to, from, s[0], s[1], s[2], tw, th, 8);
        break;
    default:
        turn(to, from, s[0], s[1], s[2], tw, th, pixel_bytes);
    }
}

tt_status tt_image_turn(tt_image *img, int orientation, tt_error *err)
{
    if (orientation < 2 || orientation > 8)
        return TT_OK;
    const size_t bytes = (size_t)img->width * (size_t)img->height * tt_image_pixel_bytes(img);
    void *to = malloc(bytes);
    if (!to)
        return tt_fail_memory(err, bytes);
    tt_turn(to, img->samples, img->width, img->height, tt_image_pixel_bytes(img), orientation);
    free(img->samples);
    img->samples = to;
    if (orientation > 4) {
        const int w = img->width;
        img->width = img->height;
        img->height = w;
        const double dpi = img->dpi_x;
        img->dpi_x = img->dpi_y;
        img->dpi_y = dpi;
    }
    return TT_OK;
}
