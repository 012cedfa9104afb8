/* What the opaque handles of tintype.h hold. Internal to src/. */
#ifndef TT_SRC_CONTEXT_H
#define TT_SRC_CONTEXT_H

#include "engine/cl.h"
#include "engine/net.h"
#include "engine/plan.h"
#include "engine/pool.h"
#include "models/models.h"

#include "src/tintype.h"

#include <stdatomic.h>

struct tt_context {
    tt_pool *pool;
    uint64_t memory; /* bytes, the budget */
    atomic_int cancel;
    struct tt_device *device; /* NULL: the processor does all */
};

/* A plan that has run and may run again. */
typedef struct tt_kept {
    tt_plan *plan;
    tt_plan_facts facts;
    int threads; /* of the plan: pools of as many run it */
} tt_kept;

/* One plan at most lies here between two runs of a network, whichever threads make them: who takes it has it alone, and
 * who finds none makes one. */
typedef struct tt_shelf {
    _Atomic(tt_kept *) kept;
    atomic_bool too_large; /* its values were for maps of 16 bits: src/runner.c */
} tt_shelf;

struct tt_network {
    char *path;             /* "default" for the embedded one */
    const tt_model *model;
    tt_traits traits;
    tt_net *net;
    tt_net_facts facts;
    size_t tensors;         /* in the file */
    char *format;           /* of the weight file */
    char **metadata;        /* of the weight file: key, value, ..., NULL */
    tt_kernels kernels;
    tt_shelf *shelf;        /* what runs change */
    struct tt_device *device; /* shared with the context it was opened for; NULL: none */
    tt_cl_net *there;         /* its weights on that; NULL where they are not */
};

/* Give back the memory of the plan that tt_network_run() keeps, before other work on the network takes its own. */
void tt_network_forget(const tt_network *n);

#endif
