/* Weights as they are stored, made those that are used: norms of the weight and of what follows it. */
#include "engine/ops/ops.h"

#include <math.h>
#include <stdlib.h>

static tt_status floats(const tt_weights *w, const tt_tensor *t, float **values, tt_error *err)
{
    *values = malloc(t->count * sizeof **values);
    return *values ? tt_tensor_floats(w, t, *values, err) : tt_fail_memory(err, t->count * sizeof **values);
}

static tt_status senseless(const tt_weights *w, const tt_tensor *t, const char *what, tt_error *err)
{
    return tt_fail(err, TT_ERR_NUMERIC, "%s: tensor %s: %s", w->path, t->name, what);
}

/*
 * Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, equation 19 of the
 * appendix: sigma = u . (W v), with u and v as training left them; the true norm would be another number.
 */
static tt_status spectral(const tt_weights *w, const tt_node *n, const float *values, size_t inner,
                          double *factor, tt_error *err)
{
    float *u = NULL, *v = NULL;
    double sigma = 0;
    tt_status st = floats(w, n->spectral_u, &u, err);
    if (!st)
        st = floats(w, n->spectral_v, &v, err);
    for (size_t o = 0; !st && o < n->spectral_u->count; o++) {
        double row = 0;
        for (size_t i = 0; i < inner; i++)
            row += (double)values[o * inner + i] * (double)v[i];
        sigma += row * (double)u[o];
    }
    if (!st && (sigma == 0 || !isfinite(1 / sigma)))
        st = senseless(w, n->weight, "its spectral norm is zero", err);
    for (int o = 0; !st && o < n->channels; o++)
        factor[o] /= sigma;
    free(u);
    free(v);
    return st;
}

/* Salimans and Kingma, "Weight Normalization", 2016, equation 2, a norm for each output. */
static tt_status weight_norm(const tt_weights *w, const tt_node *n, const float *values, size_t inner,
                             double *factor, tt_error *err)
{
    float *g = NULL;
    tt_status st = floats(w, n->weight_g, &g, err);
    for (int o = 0; !st && o < n->channels; o++) {
        double sum = 0;
        for (size_t i = 0; i < inner; i++)
            sum += (double)values[(size_t)o * inner + i] * (double)values[(size_t)o * inner + i];
        if (sum == 0)
            st = senseless(w, n->weight, "the weights of an output are all zero, so they have no direction",
                           err);
        else
            factor[o] *= (double)g[o] / sqrt(sum);
    }
    free(g);
    return st;
}

/* Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 2: y = gain * x + shift. */
static tt_status batch_norm(const tt_weights *w, const tt_node *n, double *gain, double *shift, tt_error *err)
{
    float *t[4] = {NULL};
    tt_status st = TT_OK;
    for (int i = 0; i < 4 && !st; i++)
        st = floats(w, n->norm[i], &t[i], err);
    for (int c = 0; c < n->channels && !st; c++) {
        const double variance = (double)t[3][c] + TT_NORM_EPSILON;
        if (!(variance > 0)) {
            st = senseless(w, n->norm[3], "a variance is negative", err);
            break;
        }
        gain[c] = (double)t[0][c] / sqrt(variance);
        shift[c] = (double)t[1][c] - (double)t[2][c] * gain[c];
    }
    for (int i = 0; i < 4; i++)
        free(t[i]);
    return st;
}

tt_status tt_fold(const tt_weights *w, const tt_node *n, float *values, float *bias, tt_error *err)
{
    tt_status st = tt_tensor_floats(w, n->weight, values, err);
    if (!st && n->bias)
        st = tt_tensor_floats(w, n->bias, bias, err);
    if (st || (!n->spectral_u && !n->weight_g && !n->norm[0]))
        return st;
    const size_t out = (size_t)n->channels, inner = n->weight->count / out;
    double *factor = malloc(3 * out * sizeof *factor), *gain = factor + out, *shift = gain + out;
    if (!factor)
        return tt_fail_memory(err, 3 * out * sizeof *factor);
    for (size_t o = 0; o < out; o++) {
        factor[o] = gain[o] = 1;
        shift[o] = 0;
    }
    if (n->spectral_u)
        st = spectral(w, n, values, inner, factor, err);
    if (!st && n->weight_g)
        st = weight_norm(w, n, values, inner, factor, err);
    if (!st && n->norm[0])
        st = batch_norm(w, n, gain, shift, err);
    for (size_t o = 0; o < out && !st; o++) {
        for (size_t i = 0; i < inner; i++)
            values[o * inner + i] = (float)((double)values[o * inner + i] * factor[o] * gain[o]);
        bias[o] = (float)((double)bias[o] * gain[o] + shift[o]);
        if (!isfinite(bias[o]) || !isfinite((float)(factor[o] * gain[o])))
            st = senseless(w, n->norm[0] ? n->norm[0] : n->weight, "a norm makes it too large", err);
    }
    free(factor);
    return st;
}

tt_status tt_norm_floats(const tt_weights *w, const tt_node *n, float *gain, float *shift, tt_error *err)
{
    const size_t channels = (size_t)n->channels;
    if (!n->norm[0]) {
        for (size_t c = 0; c < channels; c++) {
            gain[c] = n->scale;
            shift[c] = n->lo;
        }
        return TT_OK;
    }
    double *g = malloc(2 * channels * sizeof *g), *s = g + channels;
    if (!g)
        return tt_fail_memory(err, 2 * channels * sizeof *g);
    tt_status st = batch_norm(w, n, g, s, err);
    for (size_t c = 0; c < channels && !st; c++) {
        gain[c] = (float)g[c];
        shift[c] = (float)s[c];
        if (!isfinite(gain[c]) || !isfinite(shift[c]))
            st = senseless(w, n->norm[0], "a norm makes it too large", err);
    }
    free(g);
    return st;
}
