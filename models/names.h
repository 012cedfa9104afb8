/* What the networks of this folder share. */
#ifndef TT_MODELS_NAMES_H
#define TT_MODELS_NAMES_H

#include "engine/build.h"
#include "engine/weights.h"
#include "models/models.h"

#include <stdbool.h>

/* models.c: the network that the names look like, or NULL. */
const tt_model *tt_model_find(const tt_weights *w);
/* refuse.c: TT_ERR_UNSUPPORTED, with what was found and what comes closest. */
tt_status tt_model_refuse(const tt_weights *w, tt_error *err);

/* Does any tensor's name begin with `prefix`? For match(). */
bool tt_names_start(const tt_weights *w, const char *prefix);

/* tt_conv() takes a missing bias for none. Where every file has one, its absence means a damaged file. `x` is
 * what that convolution will read. */
void tt_need_bias(tt_build *b, tt_val x, const char *name);

#endif
