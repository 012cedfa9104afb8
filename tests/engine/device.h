/* An OpenCL device for tests: PoCL as a rule, or what TINTYPE_TEST_DEVICE names. */
#ifndef TT_TESTS_ENGINE_DEVICE_H
#define TT_TESTS_ENGINE_DEVICE_H

#include "engine/build.h"
#include "engine/cl.h"
#include "engine/weights.h"

#include <stdbool.h>

/* Leaks of PoCL, as the address sanitizer's leak checker wants them. */
#define DEVICE_LEAKS "leak:libpocl\nleak:libLLVM\nleak:libclang\n"

/* The ways that kernels are cut: for CPUs, for GPUs (with local memory and Winograd), for small ones (direct). */
enum { DEVICE_CUTS = 3 };
/* The same with maps of floats, then with maps of halves: DEVICE_CUTS of each. */
enum { DEVICE_WAYS = 2 * DEVICE_CUTS };
extern const char *const device_ways[DEVICE_WAYS];

/* The device's name for tt_cl_open(); NULL, with a line that says what is skipped and why, where there is none. */
const char *device_name(const char *skipped);
/* Opened, or NULL, with that line; a device that cannot be opened fails the test. tt_cl_free() it. */
tt_cl *device_open(int way, const char *skipped);
/* The same, with so many bytes of memory to use; 0: as usual. */
tt_cl *device_open_with(int way, uint64_t memory, const char *skipped);

/* A network with weights made in memory, on a device. */
typedef struct device_net {
    tt_cl *cl;
    tt_net *net;
    tt_cl_net *there;
    tt_weights weights;
    tt_graph *graph;
    unsigned char *bytes;
} device_net;
/* Takes cl; false, and nothing to close, where that is NULL. The tensors are copied. */
bool device_net_open(device_net *n, tt_cl *cl, const tt_tensor_out *t, size_t tensors, tt_val (*describe)(tt_build *b));
void device_net_close(device_net *n);

#endif
