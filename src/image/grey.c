#include "src/image/grey.h"

#include "engine/alloc.h"

#include <stdlib.h>
#include <string.h>

bool tt_image_only_grey(const tt_image *img)
{
    const size_t pixels = (size_t)img->width * (size_t)img->height, step = (size_t)img->channels;
    if (step < 3)
        return false;
    if (img->depth == 8) {
        const uint8_t *p = img->samples;
        for (size_t i = 0; i < pixels; i++, p += step)
            if (p[0] != p[1] || p[0] != p[2])
                return false;
    } else {
        const uint16_t *p = img->samples;
        for (size_t i = 0; i < pixels; i++, p += step)
            if (p[0] != p[1] || p[0] != p[2])
                return false;
    }
    return true;
}

void tt_grey_of_colour(void *to, const void *from, int channels, int depth, size_t pixels)
{
    const size_t bytes = (size_t)depth / 8, step = (size_t)channels * bytes, kept = step - 2 * bytes;
    const unsigned char *p = from;
    unsigned char *q = to;
    for (size_t i = 0; i < pixels; i++, p += step, q += kept) /* the third colour and what follows it */
        memmove(q, p + 2 * bytes, kept);
}

void tt_image_to_grey(tt_image *img)
{
    const size_t pixels = (size_t)img->width * (size_t)img->height;
    tt_grey_of_colour(img->samples, img->samples, img->channels, img->depth, pixels);
    img->channels -= 2;
    unsigned char *less = realloc(img->samples, pixels * tt_image_pixel_bytes(img));
    img->samples = less ? less : img->samples;
}

void tt_grey_to_colour(void *to, const void *from, int channels, int depth, size_t pixels)
{
    const size_t bytes = (size_t)depth / 8, step = (size_t)channels * bytes;
    const unsigned char *p = from;
    unsigned char *q = to;
    for (size_t i = 0; i < pixels; i++, p += step, q += step + 2 * bytes) {
        memcpy(q, p, bytes);
        memcpy(q + bytes, p, bytes);
        memcpy(q + 2 * bytes, p, step);
    }
}

tt_status tt_image_from_grey(tt_image *img, tt_error *err)
{
    const size_t pixels = (size_t)img->width * (size_t)img->height, bytes = (size_t)img->depth / 8;
    size_t all;
    void *p = tt_mul(pixels, tt_image_pixel_bytes(img) + 2 * bytes, &all) ? malloc(all) : NULL;
    if (!p)
        return tt_fail_memory(err, all);
    tt_grey_to_colour(p, img->samples, img->channels, img->depth, pixels);
    free(img->samples);
    img->samples = p;
    img->channels += 2;
    return TT_OK;
}
