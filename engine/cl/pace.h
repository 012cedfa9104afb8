/*
 * How much of a launch is enqueued at a time. None should take 100 ms, or displays freeze (and watchdogs bite after 2 s), so
 * half of that is aimed at. How fast a kernel is depends on what it is, and up to tenfold on the shape of its work: a launch has
 * a rate of its own. One that may take long and was never seen is begun with a few rows, alone, and timed; the rate of its
 * kernel, as last seen, says how few. Rounds of many launches correct what is known then. Nothing here reads a clock or calls
 * OpenCL: tests play devices of any speed. Internal to engine/cl/.
 */
#ifndef TT_ENGINE_CL_PACE_H
#define TT_ENGINE_CL_PACE_H

#include <stdbool.h>

/* Work is counted in operations; a byte moved costs a few of them. Rates are work a second. */
#define TT_CL_LONGEST 0.05 /* seconds of an enqueue, as aimed at */
#define TT_CL_SURE 0.005   /* ... of one whose rate is only supposed */
#define TT_CL_ROUND 0.25   /* seconds of enqueues that are waited for together */
#define TT_CL_FIRST_RATE 1e8 /* of a kernel that never ran: slower than any */

/* What is known of a launch. Zeros: nothing. */
typedef struct tt_cl_pace {
    double rate; /* 0: not known, its kernel's is supposed */
    int tries;
} tt_cl_pace;

/* The seconds that `work` of a launch should take. kind: the rate of its kernel. */
double tt_cl_pace_seconds(const tt_cl_pace *p, double kind, double work);
/*
 * Of `left` rows that are `work`, how many go next: whole groups, or all. *alone: they are a trial. The device is to have
 * nothing else to do, and tt_cl_pace_tried() to be told how long they took, waiting included, which errs on the safe side.
 */
int tt_cl_pace_rows(const tt_cl_pace *p, double kind, double work, int left, int group, bool *alone);
void tt_cl_pace_tried(tt_cl_pace *p, double *kind, double work, double seconds);
/* A round took `ratio` times what it should have; the launch had this share of it (0..1). */
void tt_cl_pace_correct(tt_cl_pace *p, double *kind, double share, double ratio);

#endif
