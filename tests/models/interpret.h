/*
 * The judge of the engine: a graph worked out node by node, in double, by loops that follow the definitions.
 * Nothing is fused, blocked, cut or reused.
 */
#ifndef TT_TESTS_MODELS_INTERPRET_H
#define TT_TESTS_MODELS_INTERPRET_H

#include "engine/graph.h"

typedef struct it_map {
    int c, h, w;
    double *v; /* planar [c,h,w] */
} it_map;

/*
 * Every node's value for the input [channels,h,w], as an array with one map a node; it_free() it. NULL when
 * the size is one the network cannot take (a map would be empty, or two that meet differ), or memory is
 * short.
 */
it_map *it_run(const tt_graph *g, const double *input, int h, int w);
void it_free(const tt_graph *g, it_map *maps);

/* The value of a layer with weights before its activation: what a trace of the original program holds. free()
 * it. */
double *it_linear(const tt_graph *g, const it_map *maps, int node);

#endif
