/* What `tintype info --plan` shows of a plan. */
#include "engine/ops/ops.h"

#include <string.h>

static const char *act_word(tt_act act)
{
    static const char *const word[] = {"", "+relu", "+prelu", "+sigmoid", "+gelu"};
    return word[act];
}

/* "layer norm+linear+gelu+linear" */
static void chain_text(const tt_step *s, char *to, size_t room)
{
    size_t at = 0;
    for (int i = 0; i < s->stages && at < room; i++) {
        const tt_node *n = s->stage[i].node;
        const char *word = n->op == TT_OP_ACT ? act_word(n->act) + 1 : tt_ops[n->op]->word;
        at += (size_t)snprintf(to + at, room - at, "%s%s", i ? "+" : "", word);
    }
}

static void print_step(const tt_plan *p, int i, FILE *to)
{
    const tt_step *s = &p->net->step[i];
    const tt_node *n = s->node;
    const tt_value *v = &p->value[s->out];
    const bool conv = s->op == TT_OP_CONV || s->op == TT_OP_DECONV;
    char what[96], fused[96];
    int channels = 0;
    for (int j = 0; j < s->pieces; j++)
        channels += s->in[j].channels;
    if (conv)
        snprintf(what, sizeof what, n->stride > 1 ? "%s %dx%d /%d" : "%s %dx%d", tt_ops[s->op]->word, n->k,
                 n->k, n->stride);
    else
        snprintf(what, sizeof what, "%s", tt_ops[s->op]->word);
    snprintf(fused, sizeof fused, "%s%s%s%s%s%s%s%s", conv || s->op == TT_OP_ACT ? act_word(n->act) : "",
             s->shuffle ? "+shuffle" : "", s->adds ? "+add" : "", s->adds > 1 ? "+add" : "",
             s->nearest ? "(nearest)" : "", s->clamp ? "+clamp" : "", conv && s->norm ? "+norm" : "",
             s->relu ? "+relu" : "");
    if (conv && tt_way_of(p, s)->form != TT_WINO_NONE)
        snprintf(what + strlen(what), sizeof what - strlen(what), ", F(%d,%d)", tt_wino_forms[tt_way_of(p, s)->form].m, n->k);
    if (conv && s->pieces > 1)
        snprintf(what + strlen(what), sizeof what - strlen(what), " of %d", s->pieces);
    if (s->stages) { /* over both columns */
        chain_text(s, what, sizeof what);
        snprintf(what + strlen(what), sizeof what - strlen(what), "%s", fused);
        fused[0] = 0;
    }
    const int wide = s->stages ? 49 : 24;
    const char *name = conv || s->stages ? n->name : "";
    const size_t length = strlen(name); /* the end of a long name tells more than its beginning */
    fprintf(to, "%4d  %-*.*s%s%-*.24s %-24s %4d -> %4d  %6d x %-6d %6d %10.1f %9.2f %9.2f\n", i, wide, wide,
            what, s->stages ? "" : " ", s->stages ? 0 : 24, fused, name + (length > 24 ? length - 24 : 0),
            channels, v->c, v->w, v->h, v->ring, 1e-6 * tt_step_flops(p, s), (double)v->floats * 4 / 1048576,
            (double)v->at * 4 / 1048576);
}

void tt_plan_print(const tt_plan *p, FILE *to)
{
    fprintf(to, "%4s  %-24s %-24s %-24s %4s    %4s  %6s   %-6s %6s %10s %9s %9s\n", "step", "operation",
            "fused", "weights", "in", "out", "width", "height", "rows", "MFLOP", "MiB", "at MiB");
    for (int i = 0; i < p->net->steps; i++)
        print_step(p, i, to);
    if (p->strip)
        fprintf(to, "in strips of %d rows of the input, \"rows\" of a result there at a time\n", p->strip);
    else
        fprintf(to, "in whole maps\n");
    const tt_net_facts *f = &p->net->facts;
    if (f->global)
        fprintf(to, "every output pixel depends on every input pixel, ");
    else
        fprintf(to, "receptive field %d x %d, ", f->receptive_field, f->receptive_field);
    fprintf(to, "weights %.1f MiB\n", (double)f->packed_bytes / 1048576);
    fprintf(to,
            "input %d x %d x %d, output %d x %d x %d, %.3f GFLOP, arena %.1f MiB (%.1f MiB without reuse)\n",
            p->facts.in_channels, p->facts.in_w, p->facts.in_h, p->facts.out_channels, p->facts.out_w,
            p->facts.out_h, p->facts.flops / 1e9, (double)p->facts.arena_bytes / 1048576,
            p->facts.unshared_bytes / 1048576);
}
