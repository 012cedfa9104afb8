#include "src/bilinear.h"

#include "engine/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 22 };

/* The triangle about output i's middle, in double and in this order: the last bit of a weight depends on it.
 */
static void weigh(tt_bilinear *b, int i, double *w)
{
    const double scale = (double)b->in / b->out, reach = scale > 1 ? scale : 1, inverse = 1.0 / reach;
    const double middle = (i + 0.5) * scale;
    int first = (int)(middle - reach + 0.5), end = (int)(middle + reach + 0.5);
    double sum = 0;
    first = first < 0 ? 0 : first;
    end = end > b->in ? b->in : end;
    b->first[i] = first;
    b->count[i] = end - first;
    for (int j = 0; j < end - first; j++) {
        const double far = fabs((j + first - middle + 0.5) * inverse);
        w[j] = far < 1 ? 1 - far : 0;
        sum += w[j];
    }
    for (int j = 0; j < end - first; j++)
        b->weight[(size_t)i * (size_t)b->most + (size_t)j] =
            (int32_t)(0.5 + (sum != 0 ? w[j] / sum : w[j]) * (1 << BITS));
}

tt_status tt_bilinear_init(tt_bilinear *b, int in, int out, tt_error *err)
{
    *b = (tt_bilinear){.in = in, .out = out};
    const double scale = (double)in / out;
    b->most = 2 * (int)ceil(scale > 1 ? scale : 1) + 1;
    size_t bytes;
    if (!tt_mul((size_t)out, (size_t)b->most, &bytes) || !tt_mul(bytes, sizeof *b->weight, &bytes))
        return tt_fail_memory(err, bytes);
    double *w = malloc((size_t)b->most * sizeof *w);
    b->first = malloc((size_t)out * sizeof *b->first);
    b->count = malloc((size_t)out * sizeof *b->count);
    b->weight = malloc(bytes);
    const bool had = w && b->first && b->count && b->weight;
    for (int i = 0; had && i < out; i++)
        weigh(b, i, w);
    free(w);
    return had ? TT_OK : tt_fail_memory(err, bytes);
}

void tt_bilinear_clear(tt_bilinear *b)
{
    free(b->first);
    free(b->count);
    free(b->weight);
    *b = (tt_bilinear){0};
}

static uint8_t sample(int32_t sum)
{
    sum >>= BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void tt_bilinear_across(const tt_bilinear *b, const uint8_t *src, int channels, uint8_t *dst)
{
    if (b->in == b->out) {
        memcpy(dst, src, (size_t)b->in * (size_t)channels);
        return;
    }
    for (int i = 0; i < b->out; i++) {
        const int32_t *w = b->weight + (size_t)i * (size_t)b->most;
        const uint8_t *from = src + (size_t)b->first[i] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = 1 << (BITS - 1);
            for (int j = 0; j < b->count[i]; j++)
                sum += w[j] * from[j * channels + c];
            *dst++ = sample(sum);
        }
    }
}

void tt_bilinear_down(const tt_bilinear *b, const uint8_t *src, size_t stride, int y, size_t n, uint8_t *dst)
{
    if (b->in == b->out) {
        memcpy(dst, src + (size_t)y * stride, n);
        return;
    }
    const int32_t *w = b->weight + (size_t)y * (size_t)b->most;
    const uint8_t *from = src + (size_t)b->first[y] * stride;
    for (size_t x = 0; x < n; x++) {
        int32_t sum = 1 << (BITS - 1);
        for (int j = 0; j < b->count[y]; j++)
            sum += w[j] * from[(size_t)j * stride + x];
        dst[x] = sample(sum);
    }
}
