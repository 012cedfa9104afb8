/* A plan as the device runs it: places in the arena, a table of numbers, a list of launches. Internal to engine/cl/. */
#ifndef TT_ENGINE_CL_PLAN_H
#define TT_ENGINE_CL_PLAN_H

#include "engine/cl/cl.h"
#include "engine/cl/pace.h"
#include "engine/ops/ops.h"

/* One kernel over `cols` x `rows` x `blocks` items. */
typedef struct tt_cl_launch {
    tt_cl_kernel kernel;
    int at;            /* its numbers in the table */
    int cols, rows, blocks;
    int rows_an_item;  /* `first` counts rows, of which an item makes so many */
    int group[3];
    int local;         /* bytes */
    double flops, bytes; /* operations; what is read and what is written, each value once */
    tt_cl_pace pace;
} tt_cl_launch;

/* A part of the arena, alive in tasks first..last: 0 loads the input, then come the steps, then the result is stored. */
typedef struct tt_cl_region {
    size_t vectors;
    int first, last;
    int at; /* in vectors */
} tt_cl_region;

/* A picture on its way through the device. */
typedef struct tt_cl_job {
    tt_watch watch;
    cl_event written; /* its input is there; NULL: a launch that waits for it is enqueued */
    int next, row;    /* the launch in hand, and its rows that are enqueued */
    double done;      /* work that was waited for */
    tt_status st;     /* what became of it, and why */
    tt_error err;
} tt_cl_job;

/* Launches that are enqueued and were not waited for yet. */
typedef struct tt_cl_round {
    int job;
    int from, to; /* which launches, the first and the last of them perhaps in part */
    double work, seconds; /* as they should take */
    cl_event end;
} tt_cl_round;

enum { TT_CL_JOBS = 2, TT_CL_ROUNDS = 2 };

struct tt_cl_plan {
    const tt_cl_net *net;
    tt_plan *shapes; /* of the CPU, sizes only */
    tt_way *way;     /* of each step: the form that the device uses, and where its grid lies */
    tt_cl_plan_facts facts;
    tt_cl_region *region; /* a node's value by its id, then TT_CL_TEMPS a step */
    int regions;
    size_t vectors; /* the arena */
    int *table;
    int numbers, table_room;
    tt_cl_launch *launch;
    int launches, launch_room;
    cl_mem arena, numbers_there;
    cl_mem input[TT_CL_JOBS], output[TT_CL_JOBS]; /* planes of floats, from and for the host; one each unless `ahead` */
    bool ahead;
    double work; /* of all launches */
    /* under way, the oldest first: */
    tt_cl_job job[TT_CL_JOBS];
    int first_job, jobs;
    tt_cl_round round[TT_CL_ROUNDS];
    int first_round, rounds;
    double began; /* when the oldest round began to run; 0: not known */
    bool mixed;   /* others' launches may be between ours */
};

enum { TT_CL_TEMPS = 2 };

/* engine/cl/run.c. Operations, with what moving the bytes costs in them. */
double tt_cl_work_of(const tt_cl_launch *l);
/* Rows row..row+rows-1 of a launch, for the job in that place; `after` may be NULL, so may `end`. The device is locked. */
cl_int tt_cl_enqueue(const tt_cl_plan *p, const tt_cl_launch *l, cl_command_queue q, int job, int row, int rows,
                     const cl_event *after, cl_event *end);
/* Nothing of the plan is under way any more; what was has failed if this fails. The device is locked. */
void tt_cl_plan_drain(tt_cl_plan *p);

#endif
