/* A network while it is described: what engine/build.c and engine/build_ops.c share. */
#ifndef TT_ENGINE_BUILDER_H
#define TT_ENGINE_BUILDER_H

#include "engine/graph.h"

#include <stdint.h>

struct tt_build {
    const tt_weights *w;
    const char *const *settings;
    uint64_t asked; /* which settings were looked at, a bit each */
    tt_graph *g;
    int room;       /* for nodes */
    unsigned char *used; /* USED or IGNORED, a tensor of the file */
    char prefix[TT_MAX_NAME + 1];
    size_t marks[64]; /* lengths of the prefix before each tt_enter() */
    int depth;
    tt_error err; /* the first */
};

enum { TT_MOST_CHANNELS = 1 << 20 };
static const tt_val TT_NOTHING = {-1};

/* As tt_refuse(), with a status of one's own. */
void tt_refuse_as(tt_build *b, tt_status st, const char *format, ...);

/* The tensor prefix + name + suffix, or NULL. Each that is used is marked, and so is each that need not be. */
const tt_tensor *tt_find_tensor(const tt_build *b, const char *name, const char *suffix);
void tt_use_tensor(tt_build *b, const tt_tensor *t);
void tt_ignore_tensor(tt_build *b, const tt_tensor *t);
bool tt_is_float(const tt_tensor *t);
const char *tt_shape_text(const tt_tensor *t, char *to, size_t room);
/* A vector of n floats, or NULL where the file has none; wrong shapes are refused. And one that must be there. */
const tt_tensor *tt_vector(tt_build *b, const char *name, const char *suffix, size_t n);
const tt_tensor *tt_needed(tt_build *b, const char *name, const char *suffix, size_t n);
void tt_read_norm(tt_build *b, const char *name, size_t channels, const tt_tensor *norm[4]);

/* Add a node; the name is copied. NULL after a failure. The first value is id 0. */
tt_node *tt_add_node(tt_build *b, tt_op op, const char *name, tt_val x, tt_val y, int channels);
tt_val tt_last(const tt_build *b, const tt_node *n);
/* Is x a value of this build? A model that passes on a failed value has failed before. */
bool tt_sound(tt_build *b, tt_val x);

#endif
