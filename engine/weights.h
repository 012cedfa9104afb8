/*
 * Named tensors from a file, read-only once opened. One reader a format under engine/weights/, listed
 * in engine/weights/readers.c; the content decides, never the file's name.
 */
#ifndef TT_ENGINE_WEIGHTS_H
#define TT_ENGINE_WEIGHTS_H

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TT_MAX_RANK = 8, TT_MAX_TENSORS = 65536, TT_MAX_NAME = 512 };

typedef enum tt_dtype {
    TT_F32, TT_F16, TT_BF16, TT_F64, TT_I64, TT_I32, TT_I16, TT_I8, TT_U8, TT_BOOL
} tt_dtype;

typedef struct tt_tensor {
    char *name;               /* at most TT_MAX_NAME bytes, UTF-8 */
    tt_dtype dtype;
    int rank;                 /* 0..TT_MAX_RANK */
    size_t shape[TT_MAX_RANK]; /* slowest first */
    size_t count;             /* product of the shape; 1 at rank 0 */
    const unsigned char *data; /* little endian, any alignment; borrowed from the tt_weights: of the file, or made */
    size_t bytes;
    size_t layer;             /* it belongs to layers[layer - 1]; 0: to none */
} tt_tensor;

/* "key=value" or "key=value,value" of a layer; key 1 of "-23301=2,0.2,1" is an array of two. */
typedef struct tt_layer_value {
    int key, count;
    const double *value;
} tt_layer_value;

/*
 * Some files list the layers they hold (ncnn, waifu2x JSON). The names of a layer's tensors begin with its own:
 * NAME.weight, NAME.bias. Everything is borrowed from the tt_weights.
 */
typedef struct tt_layer {
    const char *type, *name;   /* "Convolution", "Conv_3" */
    size_t line;               /* of the text it stands on; 0: unknown */
    const int *in, *out;       /* numbers of the blobs it reads and makes, 0 .. blobs - 1 */
    int ins, outs;
    const tt_layer_value *values;
    int value_count;
} tt_layer;

typedef struct tt_weights {
    char *path;               /* for messages */
    const char *format;       /* "safetensors", ... */
    tt_tensor *tensors;       /* sorted by name */
    size_t count;
    char **metadata;          /* key, value, key, value, ..., NULL */
    unsigned char *bytes;     /* the file; owned unless `borrowed` */
    size_t size;
    bool borrowed;
    size_t room;              /* for tensors, where tt_weights_add() makes them */
    void **made;              /* from tt_weights_alloc() */
    size_t made_count;
    tt_layer *layers;         /* in the file's order; NULL where it lists none */
    size_t layer_count;
    int blobs;                /* 0: the layers are listed without saying what reads what */
    const unsigned char *beside; /* the second file, of those that come in two: tt_weights_beside() */
    size_t beside_size;
} tt_weights;

/*
 * Open a file, or `size` bytes at `bytes` (borrowed: they must outlive w; `label` stands for the path in
 * messages). The whole file is read into own memory: a file that someone truncates later does no harm. A pipe is
 * read to its end; 8 GiB at most.
 * TT_ERR_INPUT if it cannot be read, TT_ERR_FORMAT with offset, field and reason if it is damaged,
 * TT_ERR_UNSUPPORTED if it is of no known format, TT_ERR_MEMORY. On failure *w is cleared.
 */
tt_status tt_weights_open(tt_weights *w, const char *path, tt_error *err);
tt_status tt_weights_open_memory(tt_weights *w, const void *bytes, size_t size, const char *label, tt_error *err);
/* The same of a network in two files, both borrowed: ncnn's .param and, `beside` it, its .bin. */
tt_status tt_weights_open_pair(tt_weights *w, const void *bytes, size_t size, const void *beside,
                               size_t beside_size, const char *label, tt_error *err);
void tt_weights_clear(tt_weights *w); /* accepts zeros */

/* The tensor of that name, or NULL. Binary search. */
const tt_tensor *tt_weights_find(const tt_weights *w, const char *name);
/* The metadata under a key, or NULL. */
const char *tt_weights_said(const tt_weights *w, const char *key);

/* The layer's value of that key, its i-th; `usual` where there is none. */
double tt_layer_number(const tt_layer *l, int key, int i, double usual);

/* "F32", ...; bytes an element */
const char *tt_dtype_name(tt_dtype d);
size_t tt_dtype_size(tt_dtype d);

/*
 * The tensor's values as floats: dst has room for t->count. F32, F16, BF16, F64 only (else
 * TT_ERR_UNSUPPORTED). An infinite or not-a-number value, or one too large for a float, is TT_ERR_NUMERIC with the
 * tensor's name; dst is filled all the same.
 */
tt_status tt_tensor_floats(const tt_weights *w, const tt_tensor *t, float *dst, tt_error *err);

/* One tensor to be written. */
typedef struct tt_tensor_out {
    const char *name;
    int rank;
    size_t shape[TT_MAX_RANK];
    const float *data; /* borrowed */
    tt_dtype dtype;    /* F32 (0), F16 or BF16: what data is rounded to, to the nearest and even */
} tt_tensor_out;

/*
 * A safetensors file as one allocation (free() it), the tensors in the order given. Same input, same bytes.
 * metadata: key, value, ..., NULL; or NULL. TT_ERR_USAGE for what no reader would take: a name twice, too long or
 * not UTF-8, "__metadata__", a header past 16 MiB. TT_ERR_NUMERIC, by name, for a value that is not finite once it is
 * rounded to f16 or bf16 (f32 are written as they are).
 */
tt_status tt_safetensors_write(const tt_tensor_out *t, size_t count, const char *const *metadata,
                               unsigned char **out, size_t *size, tt_error *err);

/* ---- for the readers ------------------------------------------------------------------------------ */

/* Zeroed memory on a 64-byte boundary that lives as long as w: for values that do not lie in the file the way
 * tt_tensor wants them. NULL (and the sentence) where there is none. */
void *tt_weights_alloc(tt_weights *w, size_t bytes, tt_error *err);
/*
 * One more tensor at w->tensors[w->count - 1], its name a copy; count and bytes follow from the shape, data is
 * NULL: the caller sets it. Pointers to other tensors are no longer good. TT_ERR_FORMAT for a name that is empty
 * or too long, too many tensors or dimensions, and a size that overflows.
 */
tt_status tt_weights_add(tt_weights *w, const char *name, tt_dtype dtype, int rank, const size_t *shape,
                         tt_error *err);
/* Metadata: copies of both. A key that is there already gets the new value. */
tt_status tt_weights_note(tt_weights *w, const char *key, const char *value, tt_error *err);

/*
 * The file that goes with w->path: of the same name, but for its ending. Read whole, as w->beside; *path is its
 * path, for messages. TT_ERR_INPUT naming the path where there is none.
 */
tt_status tt_weights_beside(tt_weights *w, const char *ending, const char **path, tt_error *err);
/* Bring the tensors into the order of their names again: after names were changed. TT_ERR_FORMAT when one stands
 * twice. */
tt_status tt_weights_sort(tt_weights *w, tt_error *err);

/*
 * One reader (engine/weights/NAME.c). `probe` knows its format by the first bytes: of a file on disk it sees 512
 * at most. `open` parses w->bytes/w->size in place into tensors, count and metadata, in any order, each name an
 * allocation of its own: the caller takes off "module." and then "netG." where every name begins with it, sorts,
 * refuses a name that stands twice, and clears after a failure. It reads through engine/weights/cursor.h.
 */
typedef struct tt_weight_reader {
    const char *name;
    bool (*probe)(const unsigned char *bytes, size_t size);
    tt_status (*open)(tt_weights *w, tt_error *err);
    const char *ending; /* or NULL: a file called so, of which no reader knows the content, is this one's (ncnn's
                           .bin begins with nothing that says what it is) */
} tt_weight_reader;
extern const tt_weight_reader *const tt_weight_readers[]; /* ends with NULL */
/* The reader of a file that begins with these bytes (of which 512 will do), or NULL. */
const tt_weight_reader *tt_weights_reader(const char *path, const unsigned char *head, size_t size);

#endif
