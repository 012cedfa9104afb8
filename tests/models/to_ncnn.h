/* Any of our graphs as the two files of ncnn: a writer that shares nothing with the reader. For tests. */
#ifndef TT_TESTS_MODELS_TO_NCNN_H
#define TT_TESTS_MODELS_TO_NCNN_H

#include "engine/graph.h"

#include <stddef.h>

typedef struct tn_files {
    char *param;
    unsigned char *bin;
    size_t param_size, bin_size;
} tn_files;

/* Weights as f32. A clamp of the result is left out, as ncnn's files do. tn_free() it. */
tn_files tn_write(const tt_graph *g);
void tn_free(tn_files *f);

#endif
