/* A plan as the device runs it: places in the arena, a table of numbers, a list of launches. Internal to engine/cl/. */
#ifndef TT_ENGINE_CL_PLAN_H
#define TT_ENGINE_CL_PLAN_H

#include "engine/cl/cl.h"
#include "engine/ops/ops.h"

/* One kernel over `cols` x `rows` x `blocks` items. */
typedef struct tt_cl_launch {
    tt_cl_kernel kernel;
    int at;            /* its numbers in the table */
    int cols, rows, blocks;
    int rows_an_item;  /* `first` counts rows, of which an item makes so many */
    int group[3];
    int local;         /* bytes */
    double flops, bytes;
} tt_cl_launch;

/* A part of the arena, alive in tasks first..last: 0 loads the input, then come the steps, then the result is stored. */
typedef struct tt_cl_region {
    size_t vectors;
    int first, last;
    int at; /* in vectors */
} tt_cl_region;

struct tt_cl_plan {
    const tt_cl_net *net;
    tt_plan *shapes; /* of the CPU, sizes only */
    tt_cl_plan_facts facts;
    tt_cl_region *region; /* a node's value by its id, then TT_CL_TEMPS a step */
    int regions;
    size_t vectors; /* the arena */
    int *table;
    int numbers, table_room;
    tt_cl_launch *launch;
    int launches, launch_room;
    cl_mem arena, numbers_there, input, output; /* the last two: planes of floats, from and for the host */
};

enum { TT_CL_TEMPS = 2 };

#endif
