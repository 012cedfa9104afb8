/* Writes what safetensors.c reads: tensors in the order given, each where the one before ends. */
#include "engine/alloc.h"
#include "engine/weights.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 16 << 20 }; /* as the reader's */

/*
 * Put `value` (taken over) under `key`. The JSON library refuses both a key that is not UTF-8 and a failed
 * malloc with the same answer; errno tells them apart.
 */
static tt_status put(json_t *object, const char *key, json_t *value, tt_error *err)
{
    const bool twice = json_object_get(object, key) != NULL;
    if (value && !twice && !json_object_set_new(object, key, value))
        return TT_OK;
    if (twice) {
        json_decref(value);
        return tt_fail(err, TT_ERR_USAGE, "safetensors: the name '%s' stands twice", key);
    }
    if (errno == ENOMEM)
        return tt_fail(err, TT_ERR_MEMORY, "safetensors: no memory for the header");
    return tt_fail(err, TT_ERR_USAGE, "safetensors: '%s' or its text is not UTF-8", key);
}

static tt_status put_metadata(json_t *root, const char *const *metadata, tt_error *err)
{
    json_t *meta = json_object();
    tt_status st = put(root, "__metadata__", meta, err);
    for (size_t i = 0; !st && metadata[i]; i += 2) {
        if (!metadata[i + 1])
            return tt_fail(err, TT_ERR_USAGE, "safetensors: metadata '%s' has no value", metadata[i]);
        st = put(meta, metadata[i], json_string(metadata[i + 1]), err);
    }
    return st;
}

/* One tensor's entry; *end is where its data begins, then where it ends. */
static tt_status put_tensor(json_t *root, const tt_tensor_out *t, size_t *end, tt_error *err)
{
    size_t bytes = tt_dtype_size(t->dtype), count = 1;
    const size_t begin = *end;
    if (strlen(t->name) > TT_MAX_NAME || t->rank < 0 || t->rank > TT_MAX_RANK ||
        !strcmp(t->name, "__metadata__") || (t->dtype != TT_F32 && t->dtype != TT_F16 && t->dtype != TT_BF16))
        return tt_fail(err, TT_ERR_USAGE, "safetensors: tensor '%s' of rank %d cannot be written", t->name,
                       t->rank);
    json_t *entry = json_object(), *shape = json_array(), *range = json_array();
    bool ok = entry && shape && range, fits = true;
    for (int i = 0; i < t->rank; i++) {
        /* zeros left out of the first product, as in the reader */
        fits = fits && tt_mul(bytes, t->shape[i] ? t->shape[i] : 1, &bytes);
        count = t->shape[i] ? count : 0;
        ok = ok && !json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    }
    fits = fits && tt_add(begin, count ? bytes : 0, end) && *end <= PTRDIFF_MAX;
    ok = ok && !json_array_append_new(range, json_integer((json_int_t)begin));
    ok = ok && !json_array_append_new(range, json_integer((json_int_t)*end));
    /* a set takes its value over even where it fails, as it does for an `entry` of NULL */
    ok = !json_object_set_new(entry, "dtype", json_string(tt_dtype_name(t->dtype))) && ok;
    ok = !json_object_set_new(entry, "shape", shape) && ok;
    ok = !json_object_set_new(entry, "data_offsets", range) && ok;
    if (!ok || !fits) {
        json_decref(entry);
        return fits ? tt_fail(err, TT_ERR_MEMORY, "safetensors: no memory for the header")
                    : tt_fail(err, TT_ERR_USAGE, "safetensors: tensor '%s' is larger than any memory",
                              t->name);
    }
    return put(root, t->name, entry, err);
}

static void put_floats(unsigned char *to, const float *from, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (n) /* from may be NULL else */
        memcpy(to, from, n * sizeof *from);
#else
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], 4);
        for (int b = 0; b < 4; b++)
            to[4 * i + b] = (unsigned char)(bits >> 8 * b);
    }
#endif
}

static void put_halves(unsigned char *to, const uint16_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = (unsigned char)from[i];
        to[2 * i + 1] = (unsigned char)(from[i] >> 8);
    }
}

/* n values of t; false where one of them is too large for its type, or was infinite or no number before. */
static bool put_values(unsigned char *to, const tt_tensor_out *t, size_t n)
{
    enum { CHUNK = 1024 };
    uint16_t half[CHUNK];
    if (t->dtype == TT_F32) {
        put_floats(to, t->data, n);
        return true;
    }
    const unsigned exponent = t->dtype == TT_F16 ? 0x7c00 : 0x7f80;
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t some = n - i < CHUNK ? n - i : CHUNK;
        (t->dtype == TT_F16 ? tt_to_f16_c : tt_to_bf16_c)(half, t->data + i, some);
        for (size_t j = 0; j < some; j++)
            if ((half[j] & exponent) == exponent)
                return false;
        put_halves(to + 2 * i, half, some);
    }
    return true;
}

tt_status tt_safetensors_write(const tt_tensor_out *t, size_t count, const char *const *metadata,
                               unsigned char **out, size_t *size, tt_error *err)
{
    tt_status st = TT_OK;
    size_t data = 0, total = 0;
    unsigned char *file = NULL;
    *out = NULL;
    *size = 0;
    errno = 0; /* put() looks at it */
    json_t *root = json_object();
    if (!root)
        return tt_fail(err, TT_ERR_MEMORY, "safetensors: no memory for the header");
    if (count > TT_MAX_TENSORS)
        st = tt_fail(err, TT_ERR_USAGE, "safetensors: %zu tensors, at most %d can be written", count,
                     TT_MAX_TENSORS);
    if (!st && metadata && metadata[0])
        st = put_metadata(root, metadata, err);
    for (size_t i = 0; !st && i < count; i++)
        st = put_tensor(root, &t[i], &data, err);
    if (st)
        goto done;

    /* members come out in the order they were put in: same input, same bytes */
    const size_t json = json_dumpb(root, NULL, 0, JSON_COMPACT), header = tt_round_up(json, 8);
    if (!json) {
        st = tt_fail(err, TT_ERR_MEMORY, "safetensors: no memory for the header");
        goto done;
    }
    if (header > MAX_HEADER || !tt_add(8 + header, data, &total)) {
        st = tt_fail(err, TT_ERR_USAGE,
                     "safetensors: names and metadata of %zu bytes, at most %d can be written", json,
                     MAX_HEADER);
        goto done;
    }
    file = malloc(total);
    if (!file) {
        st = tt_fail_memory(err, total);
        goto done;
    }
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)header >> 8 * i);
    if (json_dumpb(root, (char *)file + 8, json, JSON_COMPACT) != json) {
        st = tt_fail(err, TT_ERR_MEMORY, "safetensors: no memory for the header");
        goto done;
    }
    memset(file + 8 + json, ' ', header - json);
    unsigned char *to = file + 8 + header;
    for (size_t i = 0; !st && i < count; i++) {
        size_t n = 1;
        for (int d = 0; d < t[i].rank; d++)
            n *= t[i].shape[d]; /* put_tensor saw that it fits */
        if (!put_values(to, &t[i], n))
            st = tt_fail(err, TT_ERR_NUMERIC, "safetensors: tensor '%s' holds values that are not finite as %s",
                         t[i].name, tt_dtype_name(t[i].dtype));
        to += n * tt_dtype_size(t[i].dtype);
    }
    if (st)
        goto done;
    *out = file;
    *size = total;
    file = NULL;
done:
    free(file);
    json_decref(root);
    return st;
}
