/*
 * The networks under test: which golden sets there are, how one is opened, run and compared, and how the
 * first wrong layer is found.
 */
#ifndef TT_TESTS_MODELS_NETWORK_H
#define TT_TESTS_MODELS_NETWORK_H

#include "engine/net.h"
#include "models/models.h"
#include "tests/models/interpret.h"

#include <stdbool.h>
#include <stddef.h>

/* Golden sets, and what their weights do not say. */
typedef struct nt_set {
    const char *folder;
    const char *settings[2]; /* ends with NULL */
    bool traced;             /* tests/golden/traces has the values of its layers */
} nt_set;
extern const nt_set nt_sets[];
extern const int nt_set_count;

typedef struct nt_network {
    tt_weights weights;
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
} nt_network;

/* Opens and describes, or fails the test. */
void nt_open(nt_network *n, const nt_set *set);
void nt_close(nt_network *n);

/* A map of floats, planar [c,h,w]; nt_free() it. */
typedef struct nt_map {
    int c, h, w;
    float *v;
} nt_map;
void nt_free(nt_map *m);

/* The tensor [1,c,h,w] of a file; fails the test when there is none. */
nt_map nt_tensor(const tt_weights *w, const char *name);
/* Values from -0.2 to 1.2, the same for the same size. */
nt_map nt_noise(int c, int h, int w);

/* The interpreter's maps for this input, NULL where the network cannot take its size; and one of them as
 * floats. */
it_map *nt_interpret(const nt_network *n, const nt_map *in);
nt_map nt_floats(const it_map *m);

/* The engine's result; no v where it refuses the size. strip: as in tt_plan_options, 0 without. nt_net()
 * packs for the instruction sets `cpu`, or fails. */
tt_net *nt_net(const nt_network *n, unsigned cpu);
nt_map nt_engine(const tt_net *net, const nt_map *in, int threads);
nt_map nt_engine_strips(const tt_net *net, const nt_map *in, int threads, int strip);
/* Of the second run of one plan, after one with another input of the same size. */
nt_map nt_engine_after(const tt_net *net, const nt_map *before, const nt_map *in, int threads, int strip);

/*
 * Is every value of `got` within 2e-5 of `want`? Otherwise `what` says where it is not and by how much.
 * `relative`: 2e-5 of the value where that is above 1.
 */
bool nt_agree(const nt_map *want, const nt_map *got, bool relative, char *what, size_t room);

/*
 * The first layer that is wrong, as words: the interpreter's by the trace of the set, the engine's (for the
 * instruction sets `cpu`) by the interpreter. nt_trace_agrees() is false where a layer is wrong.
 */
bool nt_trace_agrees(const nt_network *n, const nt_set *set, char *what, size_t room);
void nt_blame_engine(const nt_network *n, const nt_map *in, unsigned cpu, char *what, size_t room);

#endif
