/* What tests of pictures by an OpenCL device share. */
#ifndef TT_TESTS_SRC_DEVICES_H
#define TT_TESTS_SRC_DEVICES_H

#include "src/context.h"
#include "src/image/image.h"

/* The largest difference of samples; 1000 for another shape. */
int dv_difference(const tt_image *a, const tt_image *b);

/* Two threads, 4 GiB, nothing kept; and a network of the goldens for it. Both fail the test or are there. */
tt_context *dv_context(const char *device, uint64_t device_memory, tt_precision precision,
                       void (*note)(void *, const char *), void *user);
tt_network *dv_network(tt_context *c, const char *golden);
/* A note that fails the test; user: what is tested, a text. */
void dv_fail_with(void *user, const char *sentence);

/* A small picture, in.png, and what the processor makes of it, cpu.png; the cache below the test's directory, but PoCL's
 * own, for it compiles slowly. */
void dv_prepare(const char *name);
/* Levels between cpu.png and this one. */
int dv_off_by(const char *file);
/* The program on in.png, to out.png. */
#define BY(...) RUN("upscale", "--overwrite", "in.png", "-o", "out.png", __VA_ARGS__)
/* The shim before the true library; false, with a line that says so, where there is none. With SHIM_GPU=1 `auto` takes
 * what it shows. */
bool dv_use_shim(const char *skipped);

#endif
