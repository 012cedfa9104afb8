/* Max pool, and the blur that follows a pixel shuffle. */
#include "engine/ops/ops.h"

/* ---- 3x3 maximum of stride 2 ------------------------------------------------------------------------ */

static bool pool_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    (void)n;
    *out = (tt_extent){(in[0].h + 1) / 2, (in[0].w + 1) / 2};
    return true;
}

static void pool_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    (void)n;
    *out = in[0];
    out->step = 2 * in[0].step;
    out->lo -= in[0].step;
    out->hi += in[0].step;
}

static void pool_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const tt_value *v = &p->value[s->out], *from = &p->value[s->in[0].value];
    const int h = from->h - 2 * s->in[0].crop, w = from->w - 2 * s->in[0].crop;
    const float *row[3] = {tt_piece_row(p, s->in[0], y ? 2 * y - 1 : 0), tt_piece_row(p, s->in[0], 2 * y),
                           tt_piece_row(p, s->in[0], 2 * y + 1 < h ? 2 * y + 1 : h - 1)};
    float *out = tt_row(p, v, y);
    for (int i = 0; i < v->planes; i++) {
        const float *plane[3] = {row[0] + i * from->plane, row[1] + i * from->plane,
                                 row[2] + i * from->plane};
        p->net->k.pool(out + i * v->plane, plane, v->b, w, v->w);
    }
    tt_row_border(p, v, y);
}

/* ---- blur ------------------------------------------------------------------------------------------- */

/* Only the size of in[1] counts. */
static bool blur_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    (void)n;
    *out = in[1];
    return (in[0].h == in[1].h || in[0].h == in[1].h + 1) && (in[0].w == in[1].w || in[0].w == in[1].w + 1);
}

static void blur_reach(const tt_node *n, const tt_reach *in, tt_reach *out)
{
    (void)n;
    *out = in[0];
    out->lo -= in[0].step;
}

static void blur_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const tt_value *v = &p->value[s->out], *from = &p->value[s->in[0].value];
    const float *here = tt_piece_row(p, s->in[0], y), *above = y ? tt_piece_row(p, s->in[0], y - 1) : here;
    float *out = tt_row(p, v, y);
    for (int i = 0; i < v->planes; i++)
        p->net->k.blur(out + i * v->plane, above + i * from->plane, here + i * from->plane, v->b,
                       (size_t)v->w);
    tt_row_border(p, v, y);
}

const tt_op_def tt_op_pool = {.word = "max pool", .size = pool_size, .reach = pool_reach, .row = pool_row};
const tt_op_def tt_op_blur = {.word = "blur", .size = blur_size, .reach = blur_reach, .row = blur_row};
