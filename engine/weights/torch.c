#include "engine/weights/torch.h"

#include "engine/alloc.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_STORAGES = 4 * TT_MAX_TENSORS, /* what an optimizer keeps beside each weight among them */
    MADE_BASE = 16 << 20,
    MADE_PER_BYTE = 4,
};

static uint8_t kind_of(const tt_torch *t, tt_pickle_id n)
{
    return t->p->nodes[n].kind;
}

/* A number that is a count, an offset, a size: from 0 up. */
static bool to_size(const tt_torch *t, tt_pickle_id n, size_t *out)
{
    const tt_pickle_node *node = &t->p->nodes[n];
    *out = 0;
    if (node->kind != TT_NODE_INT || node->u.number < 0 || (uint64_t)node->u.number > SIZE_MAX)
        return false;
    *out = (size_t)node->u.number;
    return true;
}

tt_status tt_torch_alloc(tt_torch *t, size_t bytes, unsigned char **out, tt_error *err)
{
    size_t most;
    *out = NULL;
    if (!tt_mul(t->w->size, MADE_PER_BYTE, &most) || !tt_add(most, MADE_BASE, &most))
        most = SIZE_MAX;
    if (bytes > most - t->made)
        return tt_fail(err, TT_ERR_FORMAT,
                       "%s: unpacked and put in order, its tensors would need more than %zu bytes",
                       t->w->path, most);
    *out = tt_weights_alloc(t->w, bytes, err);
    if (!*out)
        return TT_ERR_MEMORY;
    t->made += bytes;
    return TT_OK;
}

/* ---- storages ------------------------------------------------------------------------------------- */

static bool storage_type(const tt_torch *t, tt_pickle_id type, tt_dtype *dtype)
{
    static const struct {
        const char *name;
        tt_dtype dtype;
    } types[] = {
        {"FloatStorage", TT_F32},  {"HalfStorage", TT_F16}, {"BFloat16Storage", TT_BF16},
        {"DoubleStorage", TT_F64}, {"LongStorage", TT_I64}, {"IntStorage", TT_I32},
        {"ShortStorage", TT_I16},  {"CharStorage", TT_I8},  {"ByteStorage", TT_U8},
        {"BoolStorage", TT_BOOL},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (tt_pickle_is_global(t->p, type, "torch", types[i].name)) {
            *dtype = types[i].dtype;
            return true;
        }
    }
    return false;
}

/* One PERSISTENT that is a storage. */
static tt_status read_storage(const tt_torch *t, tt_pickle_id node, tt_torch_storage *s, tt_error *err)
{
    tt_pickle_id part[6] = {0};
    const size_t n = tt_pickle_items(t->p, t->p->nodes[node].u.call.args, part, 6);
    const tt_pickle_node *key = &t->p->nodes[part[2]];
    if ((n != 5 && n != 6) || key->kind != TT_NODE_TEXT || kind_of(t, part[1]) != TT_NODE_GLOBAL)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, node, "%s",
                             "a storage that is not (type, key, place, count)");
    /* sorting compares many keys, which may all be the same long one */
    if (key->count > TT_MAX_NAME)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, node, "a storage's key of %u bytes, at most %d are allowed",
                             key->count, TT_MAX_NAME);
    *s = (tt_torch_storage){.key = key->u.text, .key_size = key->count, .node = node};
    if (!to_size(t, part[4], &s->count))
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, node,
                             "storage '%.*s': its count is not a whole number from 0 up",
                             tt_torch_shown(s->key_size), (const char *)s->key);
    s->known = storage_type(t, part[1], &s->dtype);
    if (s->known && !tt_mul(s->count, tt_dtype_size(s->dtype), &s->bytes))
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, node, "storage '%.*s': %zu values exceed any memory",
                             tt_torch_shown(s->key_size), (const char *)s->key, s->count);
    return TT_OK;
}

static int compare_keys(const unsigned char *a, size_t m, const unsigned char *b, size_t n)
{
    const int order = memcmp(a, b, m < n ? m : n);
    return order ? order : (m > n) - (m < n);
}

static int by_key(const void *a, const void *b)
{
    const tt_torch_storage *x = a, *y = b;
    const int order = compare_keys(x->key, x->key_size, y->key, y->key_size);
    return order ? order : (x->node > y->node) - (x->node < y->node);
}

/* A storage is told about again by each tensor that is a view of it: keep one of each. */
static tt_status unite(tt_torch *t, tt_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        const tt_torch_storage *s = &t->storages[i], *last = &t->storages[kept - !!kept];
        if (!kept || compare_keys(s->key, s->key_size, last->key, last->key_size)) {
            t->storages[kept++] = *s;
            continue;
        }
        if (s->known != last->known || s->dtype != last->dtype || s->count != last->count)
            return TT_TORCH_FAIL(
                t, err, TT_ERR_FORMAT, s->node, "storage '%.*s': of another type or size than at byte %u",
                tt_torch_shown(s->key_size), (const char *)s->key, t->p->nodes[last->node].at);
    }
    t->count = kept;
    return TT_OK;
}

static bool is_storage(const tt_torch *t, tt_pickle_id n)
{
    return kind_of(t, n) == TT_NODE_PERSISTENT && t->p->nodes[n].storage;
}

tt_status tt_torch_storages(tt_torch *t, tt_error *err)
{
    size_t n = 0;
    t->storages = NULL;
    t->count = 0;
    for (tt_pickle_id i = 1; i < t->p->node_count; i++)
        n += is_storage(t, i);
    if (n > MAX_STORAGES)
        return tt_fail(err, TT_ERR_FORMAT, "%s: %zu storages, at most %d are allowed", t->p->label, n,
                       MAX_STORAGES);
    if (!n)
        return TT_OK;
    t->storages = calloc(n, sizeof *t->storages);
    if (!t->storages)
        return tt_fail_memory(err, n * sizeof *t->storages);
    tt_status st = TT_OK;
    for (tt_pickle_id i = 1; !st && i < t->p->node_count; i++)
        if (is_storage(t, i))
            st = read_storage(t, i, &t->storages[t->count++], err);
    if (st)
        return st;
    qsort(t->storages, t->count, sizeof *t->storages, by_key);
    return unite(t, err);
}

tt_torch_storage *tt_torch_find(tt_torch *t, const unsigned char *key, size_t size)
{
    size_t lo = 0, hi = t->count;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        tt_torch_storage *s = &t->storages[mid];
        const int order = compare_keys(key, size, s->key, s->key_size);
        if (!order)
            return s;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* ---- one tensor ----------------------------------------------------------------------------------- */

static bool is_call_of(const tt_torch *t, tt_pickle_id n, const char *module, const char *name)
{
    return kind_of(t, n) == TT_NODE_CALL && tt_pickle_is_global(t->p, t->p->nodes[n].u.call.of, module, name);
}

static bool is_parameter(const tt_torch *t, tt_pickle_id n)
{
    return is_call_of(t, n, "torch._utils", "_rebuild_parameter") ||
           is_call_of(t, n, "torch.nn.parameter", "Parameter");
}

bool tt_torch_is_tensor(const tt_torch *t, tt_pickle_id n)
{
    return is_parameter(t, n) || is_call_of(t, n, "torch._utils", "_rebuild_tensor_v2") ||
           is_call_of(t, n, "torch._utils", "_rebuild_tensor");
}

/* A tensor as the file describes it: value [i,j,...] is number offset + i*stride[0] + j*stride[1] + ... */
typedef struct view {
    const char *name;
    tt_pickle_id node;
    tt_torch_storage *storage;
    size_t offset, limit; /* in values; limit is behind the last it may reach */
    int rank;
    size_t shape[TT_MAX_RANK], stride[TT_MAX_RANK];
} view;

#define VIEW_FAIL(t, err, status, v, format, ...)                                                            \
    TT_TORCH_FAIL(t, err, status, (v)->node, "tensor '%s': " format, (v)->name, __VA_ARGS__)

/* The part of the storage that a storage made by slicing another stands for: (key, offset, count), or None.
 */
static tt_status read_slice(const tt_torch *t, view *v, tt_pickle_id slice, size_t *begin, tt_error *err)
{
    tt_pickle_id part[3] = {0};
    size_t count, end;
    *begin = 0;
    v->limit = v->storage->count;
    if (!slice || kind_of(t, slice) == TT_NODE_NONE)
        return TT_OK;
    if (kind_of(t, slice) != TT_NODE_TUPLE || tt_pickle_items(t->p, slice, part, 3) != 3 ||
        !to_size(t, part[1], begin) || !to_size(t, part[2], &count))
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "%s",
                         "a view of its storage that is not (key, offset, count)");
    if (!tt_add(*begin, count, &end) || end > v->storage->count)
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "a view of %zu values from %zu on, its storage has %zu",
                         count, *begin, v->storage->count);
    v->limit = end;
    return TT_OK;
}

static tt_status read_sizes(const tt_torch *t, view *v, tt_pickle_id shape, tt_pickle_id stride, tt_error *err)
{
    tt_pickle_id part[2][TT_MAX_RANK] = {{0}};
    const size_t n = tt_pickle_items(t->p, shape, part[0], TT_MAX_RANK);
    const size_t strides = tt_pickle_items(t->p, stride, part[1], TT_MAX_RANK);
    if (kind_of(t, shape) != TT_NODE_TUPLE || kind_of(t, stride) != TT_NODE_TUPLE || n != strides)
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "%s",
                         "size and stride are not two tuples of the same length");
    if (n > TT_MAX_RANK)
        return VIEW_FAIL(t, err, TT_ERR_UNSUPPORTED, v, "%zu dimensions, at most %d are supported", n,
                         TT_MAX_RANK);
    v->rank = (int)n;
    for (int i = 0; i < v->rank; i++) {
        if (!to_size(t, part[0][i], &v->shape[i]))
            return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "size[%d] is not a whole number from 0 up", i);
        if (!to_size(t, part[1][i], &v->stride[i]))
            return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "stride[%d] is not a whole number from 0 up", i);
    }
    return TT_OK;
}

/* Everything a view says, checked but for its reach. */
static tt_status read_view(tt_torch *t, view *v, tt_pickle_id n, tt_error *err)
{
    tt_pickle_id arg[7] = {0}, part[6] = {0};
    for (int depth = 0; is_parameter(t, n); depth++) {
        if (depth >= TT_PICKLE_DEPTH || !tt_pickle_items(t->p, t->p->nodes[n].u.call.args, arg, 1))
            return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "%s", "a parameter that is not made of a tensor");
        n = arg[0];
    }
    v->node = n;
    if (!tt_torch_is_tensor(t, n))
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "%s", "a parameter that is not made of a tensor");
    const size_t args = tt_pickle_items(t->p, t->p->nodes[n].u.call.args, arg, 7);
    if (args < 4 || args > 7)
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "made of %zu things, not of storage, offset, size, stride",
                         args);
    /* torch.Tensor._neg_view(): the storage holds the values with their signs turned over */
    if (args == 7 && tt_pickle_at(t->p, tt_pickle_get(t->p, arg[6], "neg"))->kind == TT_NODE_TRUE)
        return VIEW_FAIL(t, err, TT_ERR_UNSUPPORTED, v, "%s", "stored negated, which is not supported");
    if (!is_storage(t, arg[0])) {
        char what[256];
        tt_pickle_describe(t->p, arg[0], what, sizeof what);
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "made of %s where its storage should be", what);
    }
    const size_t parts = tt_pickle_items(t->p, t->p->nodes[arg[0]].u.call.args, part, 6);
    const tt_pickle_node *key = &t->p->nodes[part[2]];
    v->storage = tt_torch_find(t, key->u.text, key->count); /* all have been found before */
    if (!v->storage->known) {
        char what[256];
        tt_pickle_describe(t->p, part[1], what, sizeof what);
        return VIEW_FAIL(t, err, TT_ERR_UNSUPPORTED, v, "%s is a type of values that is not supported", what);
    }
    size_t begin, offset;
    tt_status st = read_slice(t, v, parts == 6 ? part[5] : 0, &begin, err);
    if (!st)
        st = read_sizes(t, v, arg[2], arg[3], err);
    if (st)
        return st;
    if (!to_size(t, arg[1], &offset) || !tt_add(begin, offset, &v->offset))
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "%s", "its offset is not a whole number from 0 up");
    return TT_OK;
}

/* The last value it reaches lies within; one that is empty reaches none. */
static tt_status check_reach(const tt_torch *t, const view *v, tt_error *err)
{
    size_t last = v->offset;
    bool fits = true, empty = false;
    for (int i = 0; i < v->rank; i++) {
        size_t step = 0;
        empty |= !v->shape[i];
        fits = fits && tt_mul(v->shape[i] - !!v->shape[i], v->stride[i], &step) && tt_add(last, step, &last);
    }
    if (empty ? v->offset > v->limit : !fits || last >= v->limit)
        return VIEW_FAIL(t, err, TT_ERR_FORMAT, v, "reaches value %zu, its storage ends at %zu", last,
                         v->limit);
    return TT_OK;
}

/* Do its values lie beside each other, in the order of the indices? */
static bool in_order(const view *v)
{
    size_t next = 1;
    for (int i = v->rank; i--;) {
        if (v->shape[i] != 1 && v->stride[i] != next)
            return false;
        next *= v->shape[i]; /* fits: the count of the tensor does */
    }
    return true;
}

/* n values of `item` bytes that lie `step` values apart */
static void copy_row(unsigned char *to, const unsigned char *from, size_t n, size_t step, size_t item)
{
    if (step == 1) {
        memcpy(to, from, n * item);
    } else if (item == 4) { /* nearly all: worth a copy without a call */
        for (size_t i = 0; i < n; i++)
            memcpy(to + i * 4, from + i * step * 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            memcpy(to + i * item, from + i * step * item, item);
    }
}

/* To `to` in the order of the indices; not for empty ones. */
static void put_in_order(unsigned char *to, const view *v)
{
    const size_t item = tt_dtype_size(v->storage->dtype);
    const int inner = v->rank - 1; /* out of order, so there is one */
    size_t index[TT_MAX_RANK] = {0};
    size_t at = v->offset;
    for (;;) {
        copy_row(to, v->storage->data + at * item, v->shape[inner], v->stride[inner], item);
        to += v->shape[inner] * item;
        int i = inner;
        while (i-- > 0) {
            at += v->stride[i];
            if (++index[i] < v->shape[i])
                break;
            at -= index[i] * v->stride[i];
            index[i] = 0;
        }
        if (i < 0)
            return;
    }
}

tt_status tt_torch_add(tt_torch *t, const char *name, tt_pickle_id n, tt_error *err)
{
    view v = {.name = name, .node = n};
    tt_status st = read_view(t, &v, n, err);
    if (!st)
        st = check_reach(t, &v, err);
    if (!st)
        st = tt_weights_add(t->w, name, v.storage->dtype, v.rank, v.shape, err);
    if (!st && !v.storage->data)
        st = t->load(t, v.storage, err);
    if (st)
        return st;
    tt_tensor *made = &t->w->tensors[t->w->count - 1];
    if (!made->count || in_order(&v)) {
        /* an empty one may stand anywhere */
        made->data = v.storage->data + (made->count ? v.offset * tt_dtype_size(v.storage->dtype) : 0);
        return TT_OK;
    }
    unsigned char *copy;
    st = tt_torch_alloc(t, made->bytes, &copy, err);
    if (st)
        return st;
    put_in_order(copy, &v);
    made->data = copy;
    return TT_OK;
}
