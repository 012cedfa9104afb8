/* Small networks with seeded weights, made in memory, for the tests of the engine. */
#ifndef TT_TESTS_ENGINE_TOY_H
#define TT_TESTS_ENGINE_TOY_H

#include "engine/plan.h"
#include "engine/weights.h"

/* A dense block with both residuals, nearest enlargement, a last convolution with clamp: 3 -> 3 channels, x2. */
tt_status toy_dense(tt_net **net, unsigned cpu, tt_error *err);
/* conv, pixel shuffle, nearest skip; valid convolutions, a stride, a transposed one, a crop joined by an addition. */
tt_status toy_shuffle(tt_net **net, unsigned cpu, tt_error *err);
tt_status toy_hourglass(tt_net **net, unsigned cpu, tt_error *err);
/* Two layers of a transformer, windows of 4, the second shifted by 2, between two convolutions; any size. */
tt_status toy_tokens(tt_net **net, unsigned cpu, tt_error *err);
/* A long skip, a stride and its inverse, shuffles both ways, crops, nearest: 3 -> 3 channels, x3 less 4; even sides. */
tt_status toy_ladder(tt_net **net, unsigned cpu, tt_error *err);

/* Convolutions of c channels and window k: with additions, of a concatenation and valid, with replicated edges, before a
 * shuffle and a clamp; 3 -> 3 channels, x2, less a border. */
tt_status toy_windows(tt_net **net, unsigned cpu, int c, int k, tt_error *err);
/* The same of 3x3 windows and a transposed convolution, its weights rounded to `type` and stored so, or (wide) as floats. */
tt_status toy_rounded(tt_net **net, unsigned cpu, int c, tt_dtype type, bool wide, tt_error *err);

/* n floats in -1..1 from the seed; malloc */
float *toy_noise(size_t n, unsigned seed);

#endif
