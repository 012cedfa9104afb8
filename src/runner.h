/*
 * A network made ready for one input size, run by the device where there is one and by the processor where there is none,
 * or where the device fails: then the processor does the same once more, and the user is told. What the device made is
 * looked at before anyone sees it: values that are no numbers, or one value everywhere, are no picture. Where maps of 16 bits
 * lead to that, the device does it again with 32, and stays with them whenever it runs that network.
 */
#ifndef TT_SRC_RUNNER_H
#define TT_SRC_RUNNER_H

#include "engine/plan.h"
#include "src/context.h"

/* How its pictures come and go. */
typedef enum tt_runner_way {
    TT_WAY_HELD,  /* whole: tt_runner_run() */
    TT_WAY_ROWS,  /* by rows: tt_runner_stream() */
    TT_WAY_AHEAD, /* by rows, and the device has the next one while this one goes on: tt_runner_begin(), tt_runner_end() */
} tt_runner_way;

/* A picture that was begun, and what became of it so far. */
typedef struct tt_runner_begun {
    bool there; /* the device works on it */
    float *in;
    tt_watch watch;
} tt_runner_begun;

enum { TT_RUNNER_BEGUN = 2 };

typedef struct tt_runner {
    const tt_network *net;
    int h, w;
    tt_plan_options o; /* for the processor */
    tt_runner_way way;
    tt_cl_plan *there; /* on the device; NULL: the processor does it */
    tt_cl_net *floats; /* what `there` is a plan of where maps of 16 bits do not do; NULL: net->there is */
    tt_cl_plan_facts facts; /* of the last plan that was there */
    tt_runner_begun begun[TT_RUNNER_BEGUN]; /* what they hold is there where rows come and go; the second one with AHEAD */
    int first, count;  /* the oldest of them, and how many were begun and not ended */
    float *out;
    tt_plan *plan;     /* NULL until the processor is wanted */
} tt_runner;

/* Has a run found that maps of 16 bits do not do for this network? */
bool tt_runner_needs_floats(const tt_network *net);

/* Bytes of the host, and of the device, that a run of this size by the device takes. TT_ERR_MEMORY: the device has not so
 * much; TT_ERR_UNSUPPORTED: it does not know an operation. */
tt_status tt_runner_measure(const tt_network *net, int h, int w, tt_runner_way way, uint64_t *host, uint64_t *device,
                            tt_error *err);

/*
 * o: for the processor. device: by the network's device if it works. TT_ERR_MEMORY where the device, or else the machine, has no memory for
 * it; with `excuse` the former is told to the user instead, and the processor takes over (unless the device alone may do
 * it).
 */
tt_status tt_runner_init(tt_runner *r, const tt_network *net, int h, int w, const tt_plan_options *o, bool device,
                         tt_runner_way way, bool excuse, tt_error *err);
void tt_runner_clear(tt_runner *r); /* accepts zeros */

/*
 * As tt_plan_stream() and tt_plan_run(). shrink: when the device has no memory, before anything was given to `flow`, that
 * is TT_ERR_MEMORY: the caller may try with less.
 */
tt_status tt_runner_stream(tt_runner *r, tt_pool *pool, const tt_flow *flow, bool shrink, const tt_watch *watch,
                           tt_error *err);
tt_status tt_runner_run(tt_runner *r, tt_pool *pool, const float *in, float *out, bool shrink, const tt_watch *watch,
                        tt_error *err);

/*
 * tt_runner_stream() in two parts. The device works between them, and the next picture may be begun before this one is ended:
 * two at most, ended in their order. By the processor all is done at the end, or at the beginning nothing is taken. A status of
 * the beginning is one of flow->take; then nothing was begun. What watch and flow->user point to must stay until the end.
 */
tt_status tt_runner_begin(tt_runner *r, const tt_flow *flow, const tt_watch *watch, tt_error *err);
/* Is there a picture that was begun and not ended, on the device? */
bool tt_runner_is_busy(const tt_runner *r);
tt_status tt_runner_end(tt_runner *r, tt_pool *pool, const tt_flow *flow, bool shrink, const tt_watch *watch,
                        tt_error *err);

#endif
