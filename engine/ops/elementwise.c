/* Operations that work value by value on whole rows, block lanes without a channel included. */
#include "engine/ops/ops.h"

/* The planes of the result row, as pointers into it and into its inputs. */
typedef struct row_of {
    const tt_value *v;
    float *out;
    const float *x, *y;
    ptrdiff_t x_plane, y_plane;
    size_t n; /* floats a plane */
} row_of;

static row_of open_row(const tt_plan *p, const tt_step *s, int y)
{
    row_of r = {.v = &p->value[s->out]};
    r.out = tt_row(p, r.v, y);
    r.x = tt_piece_row(p, s->in[0], y);
    r.x_plane = p->value[s->in[0].value].plane;
    if (s->pieces > 1) {
        r.y = tt_piece_row(p, s->in[1], y);
        r.y_plane = p->value[s->in[1].value].plane;
    }
    r.n = (size_t)r.v->w * (size_t)r.v->b;
    return r;
}

static void input_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)p, (void)s, (void)y, (void)thread; /* tt_plan_run() copies it in */
}

static void add_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const row_of r = open_row(p, s, y);
    for (int i = 0; i < r.v->planes; i++)
        p->net->k.axpy(r.out + i * r.v->plane, r.x + i * r.x_plane, r.y + i * r.y_plane, s->node->scale, r.n);
    tt_row_border(p, r.v, y);
}

static void act_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const row_of r = open_row(p, s, y);
    for (int i = 0; i < r.v->planes; i++)
        p->net->k.act(r.out + i * r.v->plane, r.x + i * r.x_plane, s->node->act, &s->node->slope, 1, r.n);
    tt_row_border(p, r.v, y);
}

static void clamp_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const row_of r = open_row(p, s, y);
    for (int i = 0; i < r.v->planes; i++)
        p->net->k.clamp(r.out + i * r.v->plane, r.x + i * r.x_plane, s->node->lo, s->node->hi, r.n);
    tt_row_border(p, r.v, y);
}

static void gate_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const row_of r = open_row(p, s, y);
    const float *g = tt_piece_row(p, s->gate, 0);
    const ptrdiff_t g_plane = p->value[s->gate.value].plane;
    for (int i = 0; i < r.v->planes; i++)
        p->net->k.mul_period(r.out + i * r.v->plane, r.x + i * r.x_plane, g + i * g_plane, (size_t)r.v->b, r.n);
    tt_row_border(p, r.v, y);
}

/* At most four planes: not worth a kernel. */
static void levels_row(const tt_plan *p, const tt_step *s, int y, int thread)
{
    (void)thread;
    const row_of r = open_row(p, s, y);
    for (int i = 0; i < r.v->planes; i++)
        for (size_t x = 0; x < r.n; x++)
            r.out[i * r.v->plane + (ptrdiff_t)x] =
                s->node->scale * r.x[i * r.x_plane + (ptrdiff_t)x] + s->node->offset[i];
    tt_row_border(p, r.v, y);
}

static bool gate_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    (void)n;
    *out = in[0];
    return in[1].h == 1 && in[1].w == 1;
}

static bool input_size(const tt_node *n, const tt_extent *in, tt_extent *out)
{
    (void)n, (void)in, (void)out; /* given, not computed */
    return true;
}

const tt_op_def tt_op_input = {.word = "input", .size = input_size, .reach = tt_reach_same, .row = input_row};
const tt_op_def tt_op_add = {.word = "add", .size = tt_size_same, .reach = tt_reach_same, .row = add_row};
const tt_op_def tt_op_act = {.word = "activation", .size = tt_size_same, .reach = tt_reach_same, .row = act_row};
const tt_op_def tt_op_clamp = {.word = "clamp", .size = tt_size_same, .reach = tt_reach_same, .row = clamp_row};
const tt_op_def tt_op_levels = {.word = "levels", .size = tt_size_same, .reach = tt_reach_same, .row = levels_row};
const tt_op_def tt_op_gate = {.word = "gate", .size = gate_size, .reach = tt_reach_same, .row = gate_row};
