/* What tests of pictures by an OpenCL device share. */
#ifndef TT_TESTS_SRC_DEVICES_H
#define TT_TESTS_SRC_DEVICES_H

#include "src/context.h"
#include "src/image/image.h"
#include "src/upscale.h"
#include "tests/src/program.h"

#include <check.h>

/* The largest difference of samples; 1000 for another shape. */
int dv_difference(const tt_image *a, const tt_image *b);

/* Two threads, 4 GiB, nothing kept; and a network of the goldens for it. Both fail the test or are there. */
tt_context *dv_context(const char *device, uint64_t device_memory, tt_precision precision,
                       void (*note)(void *, const char *), void *user);
tt_network *dv_network(tt_context *c, const char *golden);
/* A note that fails the test; user: what is tested, a text. */
void dv_fail_with(void *user, const char *sentence);

/*
 * Levels between what the processor and the device make of a picture; the device has to do all of it. *r: the device's.
 * Colours: of a network of the goldens, of a picture of noise.
 */
int dv_picture_off(const char *device, uint64_t device_memory, tt_precision precision, const char *golden, const tt_image *in,
                   int tta, tt_report *r);
int dv_colours_off(const char *device, tt_precision precision);

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

/*
 * Of the calls that run() makes of the library, more than `least`, the k-th fails, or that and all after it: the picture is
 * there and off by `tolerance` at most. `said`: by the run in which they are counted. Each `every`-th, by turns one of
 * DV_PARTS parts.
 */
enum { DV_PARTS = 6 };
void dv_calls_fail(int part, long every, long least, pg_run (*run)(void), const char *said, int tolerance);

/* A test `times` over, in a directory of its own; the first time kernels are compiled. */
void dv_add(Suite *s, const char *name, const TTest *test, int times);

#endif
