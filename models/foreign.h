/*
 * Weights published in the files of other programs, with other names or none: what the networks' adopt()
 * share. "Convolutions" are all layers with weights of two dimensions and more, transposed and fully
 * connected ones too.
 */
#ifndef TT_MODELS_FOREIGN_H
#define TT_MODELS_FOREIGN_H

#include "engine/status.h"
#include "engine/weights.h"

#include <stdbool.h>
#include <stddef.h>

/* How many layers of the file are of that type; how many are convolutions. */
size_t tt_foreign_layers(const tt_weights *w, const char *type);
size_t tt_foreign_convs(const tt_weights *w);

/* Writes the published name of the i-th, without .weight or .bias, to `to`. */
typedef void tt_foreign_namer(char *to, size_t room, size_t i, const void *arg);
/*
 * Give the convolutions (convs NULL: leaves them) and the PReLUs (prelus likewise) of the file their
 * published names, counting each in the file's order. A fully connected layer becomes a convolution of 1x1.
 */
tt_status tt_foreign_name(tt_weights *w, tt_foreign_namer *convs, tt_foreign_namer *prelus, const void *arg,
                          tt_error *err);

/*
 * Tensor `old`, a variable of MATLAB's, becomes `name` of the given shape. Value [a][b][c][d] of it is value
 * a * step[0] + b * step[1] + c * step[2] + d * step[3] of the old one. TT_ERR_FORMAT where there is no such
 * tensor or it has another number of values; TT_ERR_NUMERIC.
 */
tt_status tt_foreign_turn(tt_weights *w, const char *old, const char *name, int rank, const size_t *shape,
                          const size_t *step, tt_error *err);

#endif
