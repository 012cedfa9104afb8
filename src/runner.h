/*
 * A network made ready for one input size, run by the device where there is one and by the processor where there is none,
 * or where the device fails: then the processor does the same once more, and the user is told. What the device made is
 * looked at before anyone sees it: values that are no numbers, or one value everywhere, are no picture.
 */
#ifndef TT_SRC_RUNNER_H
#define TT_SRC_RUNNER_H

#include "engine/plan.h"
#include "src/context.h"

typedef struct tt_runner {
    const tt_network *net;
    int h, w;
    tt_plan_options o; /* for the processor */
    tt_cl_plan *there; /* on the device; NULL: the processor does it */
    float *in, *out;   /* on their way to the device and back, where rows come and go */
    tt_plan *plan;     /* NULL until the processor is wanted */
} tt_runner;

/* Bytes of the host, and of the device, that a run of this size by the device takes. TT_ERR_MEMORY: the device has not so
 * much; TT_ERR_UNSUPPORTED: it does not know an operation. `rows`: tt_runner_stream() will be called. */
tt_status tt_runner_measure(const tt_network *net, int h, int w, bool rows, uint64_t *host, uint64_t *device,
                            tt_error *err);

/*
 * o: for the processor. device: by the network's device if it works. TT_ERR_MEMORY where the device, or else the machine, has no memory for
 * it; with `excuse` the former is told to the user instead, and the processor takes over (unless the device alone may do
 * it).
 */
tt_status tt_runner_init(tt_runner *r, const tt_network *net, int h, int w, const tt_plan_options *o, bool device, bool rows,
                         bool excuse, tt_error *err);
void tt_runner_clear(tt_runner *r); /* accepts zeros */

/*
 * As tt_plan_stream() and tt_plan_run(). shrink: when the device has no memory, before anything was given to `flow`, that
 * is TT_ERR_MEMORY: the caller may try with less.
 */
tt_status tt_runner_stream(tt_runner *r, tt_pool *pool, const tt_flow *flow, bool shrink, const tt_watch *watch,
                           tt_error *err);
tt_status tt_runner_run(tt_runner *r, tt_pool *pool, const float *in, float *out, bool shrink, const tt_watch *watch,
                        tt_error *err);

#endif
