/*
 * The networks under test: which golden sets there are, how one is opened, run by the engine and compared, and which
 * layer is the first to be wrong.
 */
#ifndef TT_TESTS_MODELS_NETWORK_H
#define TT_TESTS_MODELS_NETWORK_H

#include "engine/net.h"
#include "models/models.h"
#include "tests/models/interpret.h"

/* Golden sets, and what their weights do not say. */
typedef struct nt_set {
    const char *folder;
    const char *settings[2]; /* ends with NULL */
} nt_set;
extern const nt_set nt_sets[];
extern const int nt_set_count;
extern const char *const nt_traces[]; /* folders that have a trace */
extern const int nt_trace_count;
const nt_set *nt_find_set(const char *folder);

typedef struct nt_network {
    tt_weights weights;
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
} nt_network;

/* Opens and describes, or fails the test. nt_close() after. */
void nt_open(nt_network *n, const nt_set *set);
void nt_close(nt_network *n);

/* A map of floats, planar [c,h,w]. free(v). */
typedef struct nt_map {
    int c, h, w;
    float *v;
} nt_map;

/* The (1,C,H,W) tensor `name`; fails the test when it is not there. */
nt_map nt_tensor(const tt_weights *w, const char *name);
/* -0.2..1.2, the same for the same sizes. */
nt_map nt_noise(int c, int h, int w);
/* All maps of the interpreter; NULL when the network cannot take the size. */
it_map *nt_interpret(const nt_network *n, const nt_map *in);
nt_map nt_rounded(const it_map *m); /* to floats */

/*
 * The engine's result. NULL in v when the network refuses the size. `keep` not NULL: the plan (made to keep all values)
 * and its net are handed out instead of freed: nt_kept_free().
 */
typedef struct nt_kept {
    struct tt_net *net;
    struct tt_plan *plan;
} nt_kept;
nt_map nt_engine(const tt_net *net, const nt_map *in, int threads);

/*
 * Fail unless every value of `got` is within 2e-5 (times the value's size where `relative` and that is above 1) of
 * `want`. Before failing, look for the layer: the interpreter's maps against the trace (nt_blame_trace), or the
 * engine's values with the instruction set `cpu` against the interpreter's maps (nt_blame_engine).
 */
bool nt_close_enough(const nt_map *want, const nt_map *got, bool relative, char *what, size_t room);
void nt_blame_trace(const nt_network *n, const char *folder, char *what, size_t room);
void nt_blame_engine(const nt_network *n, const nt_map *in, unsigned cpu, char *what, size_t room);

#endif
