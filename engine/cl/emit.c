/* From the steps to launches: what they share, and which step becomes which of them. */
#include "engine/cl/emit.h"

#include <stdlib.h>
#include <string.h>

tt_extent tt_cl_extent_of(const tt_cl_plan *p, const tt_node *n)
{
    return p->shapes->extent[n - p->net->net->graph->node];
}

tt_cl_region *tt_cl_value_of(const tt_cl_plan *p, int node)
{
    return &p->region[node];
}
tt_cl_region *tt_cl_temp_of(const tt_cl_plan *p, int step, int i)
{
    return &p->region[p->net->net->graph->count + step * TT_CL_TEMPS + i];
}

tt_cl_view tt_cl_whole_of(const tt_cl_region *r, int channels, tt_extent e)
{
    return (tt_cl_view){r->at, e.w, e.h * e.w, e.h, e.w, channels};
}

tt_cl_view tt_cl_piece_of(const tt_cl_plan *p, tt_piece piece)
{
    const tt_extent e = p->shapes->extent[piece.value];
    tt_cl_view v = tt_cl_whole_of(tt_cl_value_of(p, piece.value), piece.channels, e);
    v.at += piece.crop * v.row + piece.crop;
    v.h -= 2 * piece.crop;
    v.w -= 2 * piece.crop;
    return v;
}

tt_cl_view tt_cl_result_of(const tt_cl_plan *p, const tt_step *s)
{
    return tt_cl_whole_of(tt_cl_value_of(p, s->out), p->net->net->graph->node[s->out].channels, p->shapes->extent[s->out]);
}

double tt_cl_view_bytes(const tt_cl_plan *p, const tt_cl_view *v)
{
    const tt_cl *cl = p->net->cl;
    return (double)v->h * v->w * tt_cl_blocks(cl, v->channels) * cl->cut.lanes * (double)tt_cl_cell(cl);
}

/* `count` more numbers in the table, zeros; NULL without memory. Good until the next call. */
static int *more_numbers(tt_cl_plan *p, int count)
{
    if (p->table_room - p->numbers < count) {
        const int room = 2 * (p->table_room + count) + 1024;
        int *t = realloc(p->table, (size_t)room * sizeof *t);
        if (!t)
            return NULL;
        p->table = t;
        p->table_room = room;
    }
    int *t = p->table + p->numbers;
    memset(t, 0, (size_t)count * sizeof *t);
    p->numbers += count;
    return t;
}

int *tt_cl_launch_new(tt_cl_plan *p, tt_cl_kernel kernel, int numbers, int cols, int rows, int blocks, tt_cl_launch **out)
{
    const tt_cl_cut *c = &p->net->cl->cut;
    if (p->launches == p->launch_room) {
        const int room = p->launch_room ? 2 * p->launch_room : 64;
        tt_cl_launch *more = realloc(p->launch, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        p->launch = more;
        p->launch_room = room;
    }
    int *t = more_numbers(p, numbers);
    if (!t)
        return NULL;
    t[ROWS] = rows;
    t[COLS] = cols;
    t[BLOCKS] = blocks;
    tt_cl_launch *l = &p->launch[p->launches++];
    *l = (tt_cl_launch){.kernel = kernel,
                        .at = (int)(t - p->table),
                        .cols = cols,
                        .rows = rows,
                        .blocks = blocks,
                        .rows_an_item = 1,
                        .group = {c->group_x, c->group_y, 1}};
    l->bytes = (double)cols * rows * blocks * c->lanes * (double)tt_cl_cell(p->net->cl);
    *out = l;
    return t;
}

void tt_cl_by_products(const tt_cl *cl, tt_cl_launch *l, int columns, tt_cl_kernel large, tt_cl_kernel small)
{
    const bool many = l->blocks > 8 && (columns + 127) / 128 * ((l->blocks + 15) / 16) >= cl->busy;
    const int across = many ? 128 : 64, wide = many ? 16 : 8;
    l->kernel = many ? large : small;
    l->group[0] = l->cols = TT_CL_PRODUCT_ITEMS;
    l->group[1] = 1;
    l->rows = (columns + across - 1) / across;
    l->blocks = (l->blocks + wide - 1) / wide;
    l->local = TT_CL_PRODUCT_LOCAL;
}

static bool emit_step(tt_cl_plan *p, int step, bool *known)
{
    const tt_step *s = &p->net->net->step[step];
    *known = true;
    if (s->stages)
        return tt_cl_chain_step(p, step);
    switch (s->op) {
    case TT_OP_CONV:
    case TT_OP_DECONV:
        return tt_cl_conv_step(p, step);
    case TT_OP_CONCAT:
    case TT_OP_CROP:
    case TT_OP_FIT:
        return tt_cl_copy_step(p, step);
    case TT_OP_ADD:
    case TT_OP_ACT:
    case TT_OP_CLAMP:
    case TT_OP_GATE:
    case TT_OP_LEVELS:
    case TT_OP_AFFINE:
        return tt_cl_map_step(p, step);
    case TT_OP_NEAREST:
    case TT_OP_SHUFFLE:
    case TT_OP_UNSHUFFLE:
    case TT_OP_PAD:
    case TT_OP_POOL:
    case TT_OP_BLUR:
        return tt_cl_move_step(p, step);
    case TT_OP_MEAN:
        return tt_cl_mean_step(p, step);
    case TT_OP_ATTEND:
        return tt_cl_attend_step(p, step);
    default:
        *known = false;
        return false;
    }
}

tt_status tt_cl_emit(tt_cl_plan *p, tt_error *err)
{
    bool known = true, good = tt_cl_clear_mark(p) && tt_cl_load_input(p);
    for (int i = 0; i < p->net->net->steps && good; i++) {
        good = emit_step(p, i, &known);
        if (!known)
            return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: the device cannot do: %s", p->net->cl->info.name,
                           tt_ops[p->net->net->step[i].op]->word);
    }
    return good && tt_cl_store_result(p) ? TT_OK : tt_fail_memory(err, (size_t)p->numbers * sizeof *p->table);
}
