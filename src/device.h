/*
 * The device that a context computes on, besides the processor: opened, its compiled kernels kept in a cache, and what is
 * said and done when it fails. Internal to src/. Shared by reference between a context and the networks opened for it.
 */
#ifndef TT_SRC_DEVICE_H
#define TT_SRC_DEVICE_H

#include "engine/cl.h"
#include "src/tintype.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct tt_device {
    atomic_int users;
    tt_cl *cl;
    tt_cl *floats;     /* the same with maps of 32 bits, where cl has 16 and they were too small; NULL until then */
    pthread_mutex_t lock; /* of floats */
    uint64_t memory;   /* as tt_context_options.device_memory and device_cache, for that */
    char *cache;
    bool only;         /* what it cannot do fails, and is not done by the processor */
    atomic_int failed; /* times; after TT_DEVICE_CHANCES it is left alone */
    void (*say)(void *user, const char *sentence); /* NULL: nobody listens */
    void *say_user;
} tt_device;

enum { TT_DEVICE_CHANCES = 5 };

/*
 * As the options ask. *d is NULL where the processor is to do all: "cpu", no wish, "auto" and no GPU; and where the device
 * cannot be used and the processor may take over, which is said in one sentence.
 */
tt_status tt_device_open(tt_device **d, const tt_context_options *o, tt_error *err);
tt_device *tt_device_share(tt_device *d); /* accepts NULL */
void tt_device_free(tt_device *d);        /* accepts NULL */
/*
 * The network that is on d->cl with maps of 16 bits once more with 32: its weights are the same. Borrows
 * `there`. TT_ERR_UNSUPPORTED: the device fails its self-test with them.
 */
tt_status tt_device_floats(tt_device *d, const tt_cl_net *there, tt_cl_net **floats, tt_error *err);
/* Is it there, and did it not fail too often? */
bool tt_device_works(const tt_device *d);
/* One sentence for the user: what failed, and that the processor takes over. */
void tt_device_excuse(tt_device *d, const tt_error *what, const char *then);

/* Try how the kernels are best cut for o->device, and keep that in the cache. A line for each try. */
tt_status tt_device_tune(const tt_context_options *o, void (*tell)(void *user, const char *line), void *user, tt_error *err);

/* The devices of this machine with the outcome of their self-tests, made now where it is not known. For `tintype info`. */
typedef struct tt_device_state {
    tt_cl_info info;
    bool works, halves_work; /* with maps of 32 and of 16 bits */
    char why_not[1024], why_no_halves[1024];
} tt_device_state;
tt_status tt_device_list(tt_device_state **list, int *count, const char **why_none, tt_error *err);

#endif
