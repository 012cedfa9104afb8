/*
 * PyTorch's .pth file as it was before 1.6: five pickles and the storages, one after the other.
 *
 *     0x1950a86a20f9469cfc6c | 1001 | {'little_endian': True, ...} | the object | [keys] |
 *     for each key: count, 8 bytes | its values
 *
 * The object's pickle says of each storage which type it has and how many values; the bytes are in the order
 * of the keys. What is older still is a tar file and not read.
 */
#include "engine/weights/torch.h"

#include <stdlib.h>
#include <string.h>

static const unsigned char magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

static bool is_tar(const unsigned char *bytes, size_t size)
{
    return size >= 262 && !memcmp(bytes + 257, "ustar", 5);
}

/* PROTO, perhaps FRAME, then LONG1 of ten bytes */
static bool probe(const unsigned char *bytes, size_t size)
{
    if (is_tar(bytes, size))
        return true;
    if (size < 14 || bytes[0] != 0x80)
        return false;
    const size_t at = bytes[2] == 0x95 ? 11 : 2;
    return size >= at + 12 && bytes[at] == 0x8a && bytes[at + 1] == sizeof magic &&
           !memcmp(bytes + at + 2, magic, sizeof magic);
}

/* The three pickles before the object: which file this is. */
static tt_status read_head(tt_weights *w, tt_cursor *c, tt_error *err)
{
    tt_pickle p;
    tt_status st = tt_pickle_read(&p, c, w->path, err); /* the magic number: the probe has seen it */
    if (st)
        return st;
    tt_pickle_clear(&p);

    size_t at = c->at;
    st = tt_pickle_read(&p, c, w->path, err);
    if (st)
        return st;
    const tt_pickle_node *version = tt_pickle_at(&p, p.root);
    if (version->kind != TT_NODE_INT || version->u.number != 1001)
        st = tt_fail(err, TT_ERR_UNSUPPORTED, "%s: byte %zu: PyTorch file of a version other than 1001",
                     w->path, at);
    tt_pickle_clear(&p);
    if (st)
        return st;

    at = c->at;
    st = tt_pickle_read(&p, c, w->path, err);
    if (st)
        return st;
    const uint8_t little = tt_pickle_at(&p, tt_pickle_get(&p, p.root, "little_endian"))->kind;
    if (little == TT_NODE_FALSE)
        st = tt_fail(err, TT_ERR_UNSUPPORTED,
                     "%s: byte %zu: written on a big-endian machine, which is not supported", w->path, at);
    else if (little != TT_NODE_TRUE)
        st = tt_fail(err, TT_ERR_FORMAT, "%s: byte %zu: does not say whether it is little-endian", w->path,
                     at);
    tt_pickle_clear(&p);
    return st;
}

/* "storage 'KEY'" of the text node `key` */
#define STORAGE_FAIL(c_at, key, status, format, ...)                                                         \
    tt_fail(err, status, "%s: byte %zu: storage '%.*s': " format, t->w->path, c_at,                          \
            tt_torch_shown((key)->count), (const char *)(key)->u.text, __VA_ARGS__)

/* What follows on the pickles: each storage finds its place. */
static tt_status place_storages(tt_torch *t, const tt_pickle *keys, tt_cursor *c, tt_error *err)
{
    const tt_pickle_node *list = tt_pickle_at(keys, keys->root);
    if (list->kind != TT_NODE_LIST && list->kind != TT_NODE_TUPLE)
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte %u: the storages' keys are not a list", t->w->path,
                       list->at);
    uint32_t link = list->count ? list->u.items.first : 0;
    for (; link; link = keys->links[link].next) {
        const tt_pickle_node *key = tt_pickle_at(keys, keys->links[link].node);
        if (key->kind != TT_NODE_TEXT)
            return tt_fail(err, TT_ERR_FORMAT, "%s: byte %u: a storage's key is not a string", t->w->path,
                           key->at);
        tt_torch_storage *s = tt_torch_find(t, key->u.text, key->count);
        const size_t at = c->at;
        uint64_t count;
        if (!s)
            return STORAGE_FAIL((size_t)key->at, key, TT_ERR_FORMAT, "%s", "nothing refers to it");
        if (s->data)
            return STORAGE_FAIL((size_t)key->at, key, TT_ERR_FORMAT, "%s", "its key stands twice");
        if (!s->known)
            return STORAGE_FAIL((size_t)t->p->nodes[s->node].at, key, TT_ERR_UNSUPPORTED, "%s",
                                "its type of values is not supported");
        if (!tt_cursor_u64(c, &count))
            return STORAGE_FAIL(at, key, TT_ERR_FORMAT, "%s", "cut short: the file ends before its count");
        if (count != s->count)
            return STORAGE_FAIL(at, key, TT_ERR_FORMAT, "has %llu values here, %zu where it is used",
                                (unsigned long long)count, s->count);
        if (!tt_cursor_take(c, s->bytes, &s->data))
            return STORAGE_FAIL(c->at, key, TT_ERR_FORMAT, "cut short: %zu bytes, only %zu are left",
                                s->bytes, c->left);
    }
    if (c->left)
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte %zu: %zu bytes at the end belong to no storage",
                       t->w->path, c->at, c->left);
    return TT_OK;
}

/* A tensor's storage that has no data: its key was not among the keys. */
static tt_status no_data(tt_torch *t, tt_torch_storage *s, tt_error *err)
{
    return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, s->node, "storage '%.*s': the file holds no data of it",
                         tt_torch_shown(s->key_size), (const char *)s->key);
}

static tt_status open_pth_legacy(tt_weights *w, tt_error *err)
{
    if (is_tar(w->bytes, w->size))
        return tt_fail(err, TT_ERR_UNSUPPORTED,
                       "%s: a tar file, perhaps of PyTorch before 0.1.10: save it again with a later one",
                       w->path);
    tt_cursor c = tt_cursor_init(w->bytes, w->size);
    tt_pickle object = {0}, keys = {0};
    tt_torch t = {.w = w, .p = &object, .load = no_data};
    tt_status st = read_head(w, &c, err);
    if (!st)
        st = tt_pickle_read(&object, &c, w->path, err);
    if (!st)
        st = tt_torch_storages(&t, err);
    if (!st)
        st = tt_pickle_read(&keys, &c, w->path, err);
    if (!st)
        st = place_storages(&t, &keys, &c, err);
    if (!st)
        st = tt_torch_tensors(&t, err);
    free(t.storages);
    tt_pickle_clear(&keys);
    tt_pickle_clear(&object);
    return st;
}

const tt_weight_reader tt_weight_reader_pth_legacy = {
    .name = "PyTorch before 1.6",
    .probe = probe,
    .open = open_pth_legacy,
};
