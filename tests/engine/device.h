/* An OpenCL device for tests: PoCL as a rule, or what TINTYPE_TEST_DEVICE names. */
#ifndef TT_TESTS_ENGINE_DEVICE_H
#define TT_TESTS_ENGINE_DEVICE_H

#include "engine/cl.h"

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

#endif
