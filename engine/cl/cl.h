/* What the parts of the OpenCL back end know of each other. Internal to engine/cl/. */
#ifndef TT_ENGINE_CL_CL_H
#define TT_ENGINE_CL_CL_H

#include "engine/cl.h"
#include "engine/cl/api.h"
#include "kernels/kernels.h"

#include <pthread.h>
#include <stdatomic.h>

/* Every kernel, by its name in kernels/cl/. */
#define TT_CL_PLAIN(X)                                                                                                 \
    X(conv) X(conv_one) X(conv3) X(conv3_one) X(conv1) X(conv1_one) X(map) X(copy) X(load) X(store) X(nearest)         \
    X(shuffle_up) X(shuffle_down) X(reflect) X(pool) X(blur) X(mean_rows) X(mean_all) X(scores) X(softmax) X(weigh)    \
    X(layer_norm) X(window_attention)
#define TT_CL_MEASURES(X) X(spin) X(move) /* no part of a network: not in the self-test */
#define TT_CL_TILED(X) X(conv_tiled) X(conv_tiled_one) X(conv3_tiled) X(conv3_tiled_one)
#define TT_CL_PRODUCTS(X) X(conv1_large) X(conv1_small) X(window_16) X(window_32)       \
    X(softmax_by_groups) X(weigh_large) X(weigh_small)
#define TT_CL_WINO(X) X(conv_wino)
#define TT_CL_KERNELS(X) TT_CL_MEASURES(X) TT_CL_PLAIN(X) TT_CL_TILED(X) TT_CL_PRODUCTS(X)           \
    TT_CL_WINO(X)
typedef enum tt_cl_kernel {
#define ENTRY(k) TT_CL_##k,
    TT_CL_KERNELS(ENTRY)
#undef ENTRY
    TT_CL_KERNEL_COUNT
} tt_cl_kernel;
extern const char *const tt_cl_kernel_names[TT_CL_KERNEL_COUNT];

/* How the kernels are cut for a device: constants of its program. */
typedef struct tt_cl_cut {
    int lanes;          /* channels in a block: 4, 8, 16 */
    int pixels;         /* of an item of conv */
    int outputs;        /* blocks of an item of conv: 1..4 */
    int tile_x, tile_y; /* group of the tiled convolution; 0: there is none */
    int beside;         /* items of a group of conv, side by side */
    int group_x, group_y; /* of all other kernels */
    int wino;           /* 3x3 of stride 1 by conv_wino: 1, or 0 */
    int registers;      /* of an item at most, for compilers that can be told; 0: as they like */
} tt_cl_cut;
/* A group of conv_wino, kernels/cl/wino.cl: its items, the pixels it makes each way, blocks of outputs, bytes of local memory:
 * columns, rows and weights. */
enum {
    TT_CL_WINO_ITEMS = 192,
    TT_CL_WINO_SIDE = 16,
    TT_CL_WINO_BLOCKS = 8,
    TT_CL_WINO_LOCAL = (4 * (24 * 5 + 4) + 36 * 16 + 36 * 4 * 8) * 4 * (int)sizeof(float)
};

/* Of a group of kernels/cl/product.cl, and of softmax_by_groups (attend.cl), 8 columns; of window_16 and window_32 (tokens.cl). */
enum { TT_CL_PRODUCT_ITEMS = 128, TT_CL_PRODUCT_LOCAL = 16 << 10, TT_CL_SOFTMAX_COLUMNS = 8 };
enum { TT_CL_WINDOW_ITEMS = 64, TT_CL_WINDOW_MOST = 8, TT_CL_WINDOW_LOCAL = (2 * 8 * 64 * 4 + 15 * 15 + 64) * 4 };

struct tt_cl {
    atomic_int users;
    tt_cl *halves; /* NULL, or whose context this is, shared */
    pthread_mutex_t lock; /* of the queue and the kernels' arguments */
    const tt_cl_api *api;
    tt_cl_info info;
    tt_cl_cut cut;
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue, transfers; /* kernels; pictures on their way to and from them */
    cl_program program;
    uint8_t key[32]; /* of what is kept of it */
    cl_kernel kernel[TT_CL_KERNEL_COUNT]; /* NULL where the cut has none */
    size_t most_items[TT_CL_KERNEL_COUNT]; /* of a group, as compiled */
    atomic_int ran[TT_CL_KERNEL_COUNT];   /* launches: the self-test leaves none out */
    uint64_t memory;
    bool products; /* has the kernels whose groups work together on a product: had where they can be, not tuned */
    int busy; /* groups that keep it so: launches of fewer are cut smaller */
    double rate[TT_CL_KERNEL_COUNT]; /* as last seen: engine/cl/pace.h */
    const tt_cl_plan *turn;          /* whose launches came last */
    bool half_maps, tested_now;
};

/* A convolution's or linear layer's numbers in the weights, in vectors. One for each class of a transposed one. */
typedef struct tt_cl_taps {
    int kh, kw, pad_y, pad_x;
    int at, step;
    bool wino; /* transformed, for conv_wino */
} tt_cl_taps;

typedef struct tt_cl_layer {
    tt_cl_taps *taps; /* owned */
    int classes;
    int bias, slopes, gain, shift; /* in the weights; gain -1: none */
    int table;                     /* of a window attention */
} tt_cl_layer;

typedef struct tt_cl_step {
    tt_cl_layer own;
    tt_cl_layer *stage; /* owned; of a chain */
    int stages;
} tt_cl_step;

struct tt_cl_net {
    tt_cl *cl;
    const tt_net *net; /* borrowed */
    tt_cl_step *step;
    cl_mem weights;
    uint64_t bytes;
    bool borrowed; /* step and weights are another's */
};

/* The form of each of its steps on the device. */
tt_wino tt_cl_form_of(const tt_cl_net *n, int step);

/*
 * engine/cl/program.c: the program and its kernels. *passed: the store says that it passed the self-test. Where it says
 * that it failed, that is the failure, unless `again`.
 */
typedef enum tt_cl_verdict { TT_CL_UNKNOWN, TT_CL_PASSED, TT_CL_FAILED } tt_cl_verdict;
tt_status tt_cl_build(tt_cl *cl, const tt_cl_store *store, bool again, bool *passed, tt_error *err);
/* Keep the program together with the verdict, and of a failure its sentence. */
void tt_cl_keep(tt_cl *cl, const tt_cl_store *store, tt_cl_verdict verdict, const char *text);

/* engine/cl/cut.c: how kernels are cut for a device; as: one of tt_cl_options.cut. */
enum { TT_CL_TWO_GROUPS = 168 }; /* registers an item, so that two groups of conv_wino are in a unit of NVIDIA's at a time */
tt_cl_cut tt_cl_cut_for(const tt_cl_info *i, int as);
bool tt_cl_is_nvidia(const tt_cl_info *i);
/* Is `part` in it, capitals or not? */
bool tt_cl_has_in_it(const char *text, const char *part);

/* engine/cl/tune.c: the cut that was found best; false where none is kept. */
bool tt_cl_tuned(const tt_cl *cl, const tt_cl_store *store, tt_cl_cut *cut);
/* Open a device by number with kernels cut so, untested. */
tt_status tt_cl_open_cut(tt_cl **cl, const char *id, const tt_cl_cut *cut, tt_error *err);

/* engine/cl/run.c: seconds of a clock that only goes forward. */
double tt_cl_now(void);

/* Bytes of what maps are made of. */
static inline size_t tt_cl_cell(const tt_cl *cl)
{
    return cl->half_maps ? 2 : sizeof(float);
}

static inline int tt_cl_blocks(const tt_cl *cl, int channels)
{
    return (channels + cl->cut.lanes - 1) / cl->cut.lanes;
}

#endif
