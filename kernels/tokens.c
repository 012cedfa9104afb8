#include "kernels/kernels.h"

#include <math.h>

void tt_tokens_load_c(float *dst, ptrdiff_t row, const float *src, ptrdiff_t plane, int block, int channels,
                      int n)
{
    for (int c = 0; c < channels; c++)
        for (int x = 0; x < n; x++)
            dst[c * row + x] = src[c / block * plane + x * block + c % block];
}

void tt_tokens_store_c(float *dst, ptrdiff_t plane, const float *add, ptrdiff_t add_plane, int block,
                       const float *src, ptrdiff_t row, int channels, int n)
{
    for (int c = 0; c < (channels + block - 1) / block * block; c++)
        for (int x = 0; x < n; x++) {
            const float z = c < channels ? src[c * row + x] : 0;
            const ptrdiff_t in = x * block + c % block;
            dst[c / block * plane + in] = c < channels && add ? add[c / block * add_plane + in] + z : z;
        }
}

void tt_layer_norm_c(float *p, ptrdiff_t row, int channels, const float *weight, const float *bias, float eps,
                     int n)
{
    for (int t = 0; t < n; t++) {
        float mean = 0, variance = 0;
        for (int c = 0; c < channels; c++)
            mean += p[c * row + t];
        mean /= (float)channels;
        for (int c = 0; c < channels; c++)
            variance += (p[c * row + t] - mean) * (p[c * row + t] - mean);
        const float scale = 1 / sqrtf(variance / (float)channels + eps);
        for (int c = 0; c < channels; c++)
            p[c * row + t] = (p[c * row + t] - mean) * scale * weight[c] + bias[c];
    }
}

void tt_linear_c(float *dst, const float *src, ptrdiff_t row, const float *weights, const float *bias, int in,
                 int out, int n)
{
    for (int o = 0; o < out; o++) {
        const float *w =
            weights + (ptrdiff_t)(o / TT_LINEAR_GROUP) * in * TT_LINEAR_GROUP + o % TT_LINEAR_GROUP;
        for (int t = 0; t < n; t++) {
            float z = bias[o];
            for (int i = 0; i < in; i++)
                z += w[i * TT_LINEAR_GROUP] * src[i * row + t];
            dst[o * row + t] = z;
        }
    }
}

void tt_attention_c(const tt_attention *a)
{
    const int n = a->tokens, lanes = (n + TT_TOKEN_LANES - 1) / TT_TOKEN_LANES * TT_TOKEN_LANES;
    for (int i = 0; i < n; i++) {
        float most = -INFINITY, sum = 0;
        for (int j = 0; j < n; j++) {
            float s = 0;
            for (int d = 0; d < a->depth; d++)
                s += a->q[d * a->row + i] * a->k[d * a->row + j];
            a->scores[j] = a->scale * s + a->bias[(ptrdiff_t)j * lanes + i];
            most = a->scores[j] > most ? a->scores[j] : most;
        }
        for (int j = 0; j < n; j++) {
            a->scores[j] = expf(a->scores[j] - most);
            sum += a->scores[j];
        }
        for (int d = 0; d < a->depth; d++) {
            float z = 0;
            for (int j = 0; j < n; j++)
                z += a->scores[j] * a->v[d * a->row + j];
            a->dst[d * a->row + i] = z / sum;
        }
    }
}
