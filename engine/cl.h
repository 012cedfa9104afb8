/*
 * The engine's plan on an OpenCL device. The library is loaded when it is asked for, and its absence is normal: then
 * there are no devices. engine/cl/ is the only place that calls OpenCL; see "A second device" in engine/README.md.
 */
#ifndef TT_ENGINE_CL_H
#define TT_ENGINE_CL_H

#include "engine/net.h"
#include "engine/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tt_cl tt_cl;           /* a device, opened and tested */
typedef struct tt_cl_net tt_cl_net;   /* a network's weights on it */
typedef struct tt_cl_plan tt_cl_plan; /* a network planned for it and one input size */

typedef enum tt_cl_kind { TT_CL_CPU, TT_CL_GPU, TT_CL_OTHER } tt_cl_kind;

typedef struct tt_cl_info {
    char id[32]; /* "opencl:0.1": platform and device by number */
    char platform[128], name[128], version[128], driver[128];
    tt_cl_kind kind;
    unsigned units, megahertz;
    uint64_t memory, most_at_once, local; /* bytes: global, of one buffer, local */
    size_t group;                         /* most work items of a group */
    bool unified;                         /* its memory is the host's */
} tt_cl_info;

/* All devices, free() them. No library, platform or device is TT_OK and 0 of them; then *why (may be NULL) says so. */
tt_status tt_cl_list(tt_cl_info **list, int *count, const char **why, tt_error *err);

/* Where compiled programs are kept between runs; both may fail, which costs time and nothing else. name: a file's. */
typedef struct tt_cl_store {
    bool (*get)(void *user, const char *name, unsigned char **bytes, size_t *size); /* free() them */
    void (*put)(void *user, const char *name, const void *bytes, size_t size);
    void *user;
    const char *version; /* of the program: what another one kept is not used */
} tt_cl_store;

typedef struct tt_cl_options {
    const tt_cl_store *store; /* borrowed for the call; NULL: nothing is kept */
    uint64_t memory;          /* bytes of the device that may be used; 0: what is sensible */
    bool again;               /* test it even if a test of this device and driver is known */
    /* kernels as for such devices, for tests: CPUs; GPUs; those of phones */
    enum { TT_CL_CUT_USUAL, TT_CL_CUT_CPU, TT_CL_CUT_GPU, TT_CL_CUT_SMALL } cut;
    bool untested;            /* the caller runs tt_cl_self_test(): for tests */
    bool half_maps;           /* maps between layers are made of floats of 16 bits; weights and sums stay as they are */
} tt_cl_options;

/*
 * Open a device: its context, its program (compiled, or from the store), and at the first use of this device with this
 * driver the known-answer test of every kernel. which:
 *     "auto", "gpu"   the GPU with the most to offer; "auto" never takes anything but a GPU
 *     "opencl:P.D"    by number, as tt_cl_list() gives them
 *     other           the first device whose name has that in it, capitals or not
 * TT_ERR_USAGE: there is no such device (the sentence says what there is). TT_ERR_UNSUPPORTED: it failed its test, or
 * cannot be used. The device is shared by reference.
 */
tt_status tt_cl_open(tt_cl **cl, const char *which, const tt_cl_options *o, tt_error *err);
tt_cl *tt_cl_share(tt_cl *cl);
bool tt_cl_half_maps(const tt_cl *cl);
/*
 * The device that was opened with half_maps once more, with maps of floats: a program and a test of its own, the same
 * memory. Of o, store and memory count. TT_ERR_UNSUPPORTED as above.
 */
tt_status tt_cl_open_floats(tt_cl **cl, tt_cl *halves, const tt_cl_options *o, tt_error *err);
void tt_cl_free(tt_cl *cl); /* accepts NULL */
const tt_cl_info *tt_cl_about(const tt_cl *cl);
/* Was the self-test run now (else it was known from before)? */
bool tt_cl_tested_now(const tt_cl *cl);
/* Bytes that arenas and weights may take. */
uint64_t tt_cl_memory(const tt_cl *cl);

/*
 * The weights of `net`, made of `graph` by tt_net_new(), packed for the device; the graph's weights must still be open.
 * Borrows net. TT_ERR_UNSUPPORTED: it has an operation that the device cannot do. TT_ERR_MEMORY.
 */
tt_status tt_cl_net_new(tt_cl_net **out, tt_cl *cl, const tt_net *net, const tt_graph *graph, tt_error *err);
/* The weights of n, for the device that tt_cl_open_floats() made of n's. Borrows n. */
tt_status tt_cl_net_floats(tt_cl_net **out, tt_cl *floats, const tt_cl_net *n, tt_error *err);
void tt_cl_net_free(tt_cl_net *n); /* accepts NULL */
tt_cl *tt_cl_net_device(const tt_cl_net *n);
uint64_t tt_cl_net_bytes(const tt_cl_net *n);

/* tt_net_get_tiling() as the device computes: tiles of a picture of h x w that give the bits of the whole. */
tt_status tt_cl_net_get_tiling(const tt_cl_net *n, int h, int w, tt_net_tiling *t, tt_error *err);

typedef struct tt_cl_plan_options {
    int whole_h, whole_w; /* the plan is for a tile of a picture of this size and gives its bits; 0: of no other */
    bool only_size; /* reckon, take no memory */
    bool ahead;     /* a picture may be started before the one before it is finished: more room for what goes in and out */
} tt_cl_plan_options;
/* h x w input pixels, all maps whole. o NULL: zeros. Borrows n. TT_ERR_MEMORY: the device has not so much, or a part of it
 * is larger than it takes at once. */
tt_status tt_cl_plan_new(tt_cl_plan **plan, const tt_cl_net *n, int h, int w, const tt_cl_plan_options *o, tt_error *err);
void tt_cl_plan_free(tt_cl_plan *p); /* accepts NULL; waits for what is under way */

typedef struct tt_cl_plan_facts {
    uint64_t bytes; /* of the device's memory, without the weights */
    double flops;
    int in_channels, in_h, in_w, out_channels, out_h, out_w;
    int launches;
} tt_cl_plan_facts;
void tt_cl_plan_get_facts(const tt_cl_plan *p, tt_cl_plan_facts *f);

/*
 * in [in_channels, in_h, in_w] to out [out_channels, out_h, out_w]. Runs of one device take turns. Of `watch` cancel and
 * progress are heeded. TT_ERR_MEMORY: the device has no memory after all; TT_ERR_TEMPORARY: it failed otherwise. What the
 * device computed is not looked at; but where maps of halves could not hold a value (65504 is the largest), all of `out` is
 * not-a-number.
 */
tt_status tt_cl_plan_run(tt_cl_plan *p, const float *in, float *out, const tt_watch *watch, tt_error *err);

/*
 * The same in two parts, between which the device works and the caller does something else. `in` goes to the device meanwhile
 * and is borrowed until the end. A start returns when all is enqueued, or half a second's work of it; the rest waits for the
 * next call. What fails, be it the start, is told by the finish. With `ahead` there may be two starts before a finish: the
 * second picture is worked on as soon as the first is done. They finish in their order. What `watch` points to must stay until
 * then; it may be heard in any of these calls.
 */
void tt_cl_plan_start(tt_cl_plan *p, const float *in, const tt_watch *watch);
tt_status tt_cl_plan_finish(tt_cl_plan *p, float *out, tt_error *err);

/* One kernel of a run, measured. */
typedef struct tt_cl_cost {
    const char *kernel;
    int launches;
    double seconds, flops, bytes;
} tt_cl_cost;
typedef struct tt_cl_profile {
    tt_cl_cost *cost; /* of each kernel that ran; free() them */
    int count;
    bool own_clock;   /* the device's, so that a kernel's time is its own; else the host's, with what waiting takes */
    double seconds;   /* from the first kernel's start to the last one's end */
    double idle;      /* of them no kernel ran */
    double longest;   /* what was enqueued at once and took longest */
} tt_cl_profile;
/* A run of which the times of all kernels are taken. Nothing else may be under way. */
tt_status tt_cl_plan_profile(tt_cl_plan *p, const float *in, float *out, tt_cl_profile *profile, tt_error *err);

/* Try how kernels are best cut for the device, a line for each way to `tell`, and keep the fastest in o->store: tt_cl_open()
 * takes it from there. */
tt_status tt_cl_tune(const char *which, const tt_cl_options *o, void (*tell)(void *user, const char *line), void *user,
                     tt_error *err);
/* What the device can do at most, measured: operations (a multiply-add counting two) and bytes (read and written) a second. */
tt_status tt_cl_peak(tt_cl *cl, double *flops, double *bytes, tt_error *err);

/*
 * The known-answer test: small networks that use every kernel, on the device and by the scalar table. What tt_cl_open()
 * runs. TT_ERR_UNSUPPORTED names the first wrong one. tt_cl_self_test_case() is one of them, with an input of h x w pixels, at
 * least 12 of them each way: for tests on simulators, which are slow.
 */
tt_status tt_cl_self_test(tt_cl *cl, tt_error *err);
enum { TT_CL_TEST_CASES = 9 }; /* the last is about maps of halves, and nothing to a device without */
tt_status tt_cl_self_test_case(tt_cl *cl, int which, int h, int w, tt_error *err);

#endif
