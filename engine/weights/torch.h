/*
 * From the object that torch.save() was given, read as a pickle, to named tensors: what the two forms of .pth file
 * have in common. The reader of the form says where a storage's bytes are.
 */
#ifndef TT_ENGINE_WEIGHTS_TORCH_H
#define TT_ENGINE_WEIGHTS_TORCH_H

#include "engine/weights.h"
#include "engine/weights/pickle.h"

/* ('storage', class, key, location, count): `count` values of one type that tensors are views of */
typedef struct tt_torch_storage {
    const unsigned char *key; /* borrowed from the pickle */
    size_t key_size;
    tt_pickle_id node;  /* the PERSISTENT */
    bool known;    /* its type is one of ours: dtype and bytes are right */
    tt_dtype dtype;
    size_t count, bytes;
    const unsigned char *data; /* NULL as long as it is not known where */
} tt_torch_storage;

typedef struct tt_torch tt_torch;
struct tt_torch {
    tt_weights *w;   /* borrowed, as all below but the storages */
    const tt_pickle *p;
    tt_torch_storage *storages; /* each key once, sorted */
    size_t count;
    size_t made; /* bytes of tt_torch_alloc() so far */
    /* Sets s->data, `s->bytes` of them, which live as long as w. Called once for each storage a tensor needs whose data
     * is NULL. */
    tt_status (*load)(tt_torch *t, tt_torch_storage *s, tt_error *err);
    void *arg; /* the reader's */
};

/* How much of a key goes into a message. */
static inline int tt_torch_shown(size_t key_size)
{
    return key_size < 80 ? (int)key_size : 80;
}

/* All storages of t->p, also those no tensor is seen to need. free() t->storages, whatever it returns. */
tt_status tt_torch_storages(tt_torch *t, tt_error *err);
/* The one of that key, or NULL. */
tt_torch_storage *tt_torch_find(tt_torch *t, const unsigned char *key, size_t size);

/*
 * tt_weights_alloc(), but no more in all than four times the file and 16 MiB: a small file must not become a large
 * one (TT_ERR_FORMAT). What comes is to be filled, all of it.
 */
tt_status tt_torch_alloc(tt_torch *t, size_t bytes, unsigned char **out, tt_error *err);

/*
 * The tensors of the pickle's root to t->w: out of the wrappers a training program put around them, out of whole
 * modules, as views into the storages where their order is that of memory and as copies else. Strings and numbers
 * beside them become metadata.
 */
tt_status tt_torch_tensors(tt_torch *t, tt_error *err); /* torch_object.c */

/* ---- between torch.c and torch_object.c ----------------------------------------------------------- */

/* "FILE: byte N: " of a node, and the reason */
#define TT_TORCH_FAIL(t, err, status, node, format, ...)                                                     \
    tt_fail(err, status, "%s: byte %u: " format, (t)->p->label, (t)->p->nodes[node].at, __VA_ARGS__)

/* Is the node a tensor or a parameter, as far as the function says by which it was to be made? */
bool tt_torch_is_tensor(const tt_torch *t, tt_pickle_id n);
/* Add it to t->w. `name` has 1 to TT_MAX_NAME bytes. */
tt_status tt_torch_add(tt_torch *t, const char *name, tt_pickle_id n, tt_error *err);

#endif
