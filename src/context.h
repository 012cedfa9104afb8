/* What the opaque handles of tintype.h hold. Internal to src/. */
#ifndef TT_SRC_CONTEXT_H
#define TT_SRC_CONTEXT_H

#include "engine/net.h"
#include "engine/pool.h"
#include "models/models.h"

#include "src/tintype.h"

#include <stdatomic.h>

struct tt_context {
    tt_pool *pool;
    uint64_t memory; /* bytes, the budget */
    atomic_int cancel;
};

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
};

#endif
