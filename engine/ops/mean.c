/* The mean of each channel over the whole map. Each row is summed alone, then the rows in their order, in double: the
 * same bits for any number of threads. */
#include "engine/ops/ops.h"

#include <string.h>

static bool mean_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    (void)n, (void)in;
    *out = (tt_extent){1, 1};
    return true;
}

static void mean_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    (void)n;
    *out = in[0];
    out->global = true;
}

static double mean_flops(const tt_node *n, int in_channels, tt_extent in, tt_extent out)
{
    (void)n, (void)out;
    return (double)in_channels * in.h * in.w;
}

/* Size of the map that is averaged. */
static tt_extent map_of(const tt_plan *p, const tt_step *s)
{
    const tt_value *v = &p->value[s->in[0].value];
    return (tt_extent){v->h - 2 * s->in[0].crop, v->w - 2 * s->in[0].crop};
}

static tt_work mean_work(const tt_plan *p, const tt_step *s)
{
    return (tt_work){.bands = map_of(p, s).h, .units = 1};
}

static void mean_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const tt_value *v = &p->value[s->in[0].value];
    const float *x = tt_piece_row(p, s->in[0], y);
    const size_t lanes = (size_t)v->planes * (size_t)v->b;
    double *sum = p->sums + (size_t)y * lanes;
    memset(sum, 0, lanes * sizeof *sum);
    for (int i = 0; i < v->planes; i++)
        p->net->k.sum_period(sum + (size_t)i * (size_t)v->b, x + i * v->plane, (size_t)v->b,
                             (size_t)map_of(p, s).w * (size_t)v->b);
}

static void mean_finish(const tt_plan *p, const tt_step *s, int y0, int y1)
{
    (void)y0, (void)y1;
    const tt_value *v = &p->value[s->in[0].value], *out = &p->value[s->out];
    const tt_extent map = map_of(p, s);
    const size_t lanes = (size_t)v->planes * (size_t)v->b;
    float *g = tt_row(p, out, 0);
    for (int c = 0; c < v->c; c++) {
        double sum = 0;
        for (int y = 0; y < map.h; y++)
            sum += p->sums[(size_t)y * lanes + (size_t)c];
        g[c / out->b * out->plane + c % out->b] = (float)(sum / ((double)map.h * map.w));
    }
    tt_row_border(p, out, 0);
}

const tt_op_def tt_op_mean = {.word = "mean",
                              .size = mean_size,
                              .reach = mean_reach,
                              .flops = mean_flops,
                              .work = mean_work,
                              .row = mean_row,
                              .finish = mean_finish};
