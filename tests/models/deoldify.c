#include "tests/models/deoldify.h"

#include "engine/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "tests/golden.h"
#include "tests/kernels/kc.h"

const int do_threads[DO_THREADS] = {1, 2, 3, 7};

void do_open(tt_weights *w, const char *file)
{
    char rel[128];
    tt_error err = {0};
    snprintf(rel, sizeof rel, "deoldify/%s.safetensors", file);
    ck_assert_msg(tt_weights_open(w, golden_path(rel), &err) == TT_OK, "%s", err.text);
}

double do_difference(const nt_map *want, const nt_map *got)
{
    double most = 0;
    if (want->c != got->c || want->h != got->h || want->w != got->w)
        return INFINITY;
    for (size_t i = 0; i < (size_t)want->c * (size_t)want->h * (size_t)want->w; i++) {
        const double d = fabs((double)want->v[i] - (double)got->v[i]);
        if (!(d <= most))
            most = isnan(d) ? INFINITY : d;
    }
    return most;
}

bool do_same(const nt_map *a, const nt_map *b)
{
    return a->c == b->c && a->h == b->h && a->w == b->w &&
           memcmp(a->v, b->v, (size_t)a->c * (size_t)a->h * (size_t)a->w * sizeof *a->v) == 0;
}

void do_check(const nt_network *n, const nt_map *in, const nt_map *want, double tolerance, const char *what)
{
    it_map *maps = nt_interpret(n, in);
    ck_assert_msg(maps, "%s: the size is not taken", what);
    nt_map got = nt_floats(&maps[n->graph->output]);
    /* in double there is hardly a difference: stored values were rounded to float */
    ck_assert_msg(do_difference(want, &got) <= tolerance / 10, "%s, interpreter: off by %g", what,
                  do_difference(want, &got));
    nt_free(&got);
    it_free(n->graph, maps);
    for (int level = 0; level < kc_isa_count(); level++) {
        tt_net *net = nt_net(n, kc_isas[level].flags);
        nt_map one = nt_engine_strips(net, in, 1, TT_WHOLE);
        ck_assert_msg(one.v, "%s: the size is not taken", what);
        if (!(do_difference(want, &one) <= tolerance)) {
            char blame[300];
            nt_blame_engine(n, in, kc_isas[level].flags, blame, sizeof blame);
            ck_abort_msg("%s, %s: off by %g, %g is allowed; %s", what, kc_isas[level].name,
                         do_difference(want, &one), tolerance, blame);
        }
        for (size_t t = 1; t < DO_THREADS; t++) {
            nt_map many = nt_engine_strips(net, in, do_threads[t], TT_WHOLE);
            ck_assert_msg(do_same(&one, &many), "%s, %s: %d threads give other bytes than one", what,
                          kc_isas[level].name, do_threads[t]);
            nt_free(&many);
            many = nt_engine_strips(net, in, do_threads[t], 8 / (int)t);
            ck_assert_msg(do_same(&one, &many), "%s, %s: strips of %d rows give other bytes than whole maps",
                          what, kc_isas[level].name, 8 / (int)t);
            nt_free(&many);
        }
        nt_free(&one);
        tt_net_free(net);
    }
}

nt_map do_map(const tt_weights *w, const char *name)
{
    tt_error err = {0};
    const tt_tensor *t = tt_weights_find(w, name);
    ck_assert_msg(t && (t->rank == 3 || t->rank == 4) && t->shape[0] == 1, "%s: no map %s", w->path, name);
    nt_map m = {(int)t->shape[1], t->rank == 4 ? (int)t->shape[2] : 1, (int)t->shape[t->rank - 1], NULL};
    m.v = malloc(t->count * sizeof *m.v);
    ck_assert_ptr_nonnull(m.v);
    ck_assert_msg(tt_tensor_floats(w, t, m.v, &err) == TT_OK, "%s", err.text);
    return m;
}

int do_by_name(const void *a, const void *b)
{
    return strcmp(((const tt_tensor *)a)->name, ((const tt_tensor *)b)->name);
}
