/*
 * safetensors:  N, 8 bytes | header, N bytes of JSON | data to the end of the file
 *
 *     {"__metadata__": {"key": "text"},
 *      "conv.weight": {"dtype": "F32", "shape": [64,3,3,3], "data_offsets": [0,6912]}, ...}
 *
 * Offsets count from the start of the data; the tensors cover it without hole or overlap. What the format
 * leaves open is refused here: a file that two readers could understand differently is not read at all.
 * https://github.com/huggingface/safetensors#format
 */
#include "engine/alloc.h"
#include "engine/weights.h"
#include "engine/weights/cursor.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_HEADER = 16 << 20,
    MAX_DEPTH = 3,                           /* the object, a tensor, its shape: nothing legal is deeper */
    MAX_CONTAINERS = 3 * TT_MAX_TENSORS + 2, /* a tensor is an object and two arrays */
    MAX_VALUES = 1 << 20,
    MAX_TOKEN = 64 << 10, /* bytes of a string with its quotes */
};

static bool probe(const unsigned char *bytes, size_t size)
{
    if (size < 9 || bytes[8] != '{')
        return false;
    /* eight letters make an absurd N: that is some text with a brace in it */
    for (int i = 0; i < 8; i++)
        if ((bytes[i] < 0x20 && (bytes[i] < 9 || bytes[i] > 13)) || bytes[i] > 0x7e)
            return true;
    return false;
}

/* How much of a name goes into a message: all of a legal one unless it is monstrous, whole characters. */
static int shown(const char *name)
{
    size_t n = strlen(name);
    if (n > 200)
        for (n = 200; n && ((unsigned char)name[n] & 0xc0) == 0x80; n--)
            ;
    return (int)n;
}

/* "FILE: tensor 'NAME': " and the reason */
#define TENSOR_FAIL(w, err, status, name, format, ...)                                                       \
    tt_fail(err, status, "%s: tensor '%.*s': " format, (w)->path, shown(name), name, __VA_ARGS__)

/*
 * A first look at the JSON, before memory is spent on it: the parser takes up to a hundred bytes for each one
 * of "[],[],[]", and recurses. Counts only; whether it is JSON at all is the parser's to say. Up to the first
 * error the two agree on where strings are, so the parser never makes more of it than was counted.
 * *longest: the bytes of the longest string or number.
 */
static tt_status check_limits(const tt_weights *w, const unsigned char *json, size_t n, size_t *longest,
                              tt_error *err)
{
    size_t depth = 0, containers = 0, values = 1, token = 0;
    bool in_string = false;
    *longest = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = json[i];
        const char *what = NULL;
        token++;
        if (in_string) {
            if (c == '\\') {
                i++;
                token++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
            token = 1;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > MAX_DEPTH)
                what = "objects and arrays nested deeper than any tensor needs";
            else if (++containers > MAX_CONTAINERS)
                what = "more objects and arrays than the most tensors need";
            token = 0;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            token = 0;
        } else if (c == ',') {
            if (++values > MAX_VALUES)
                what = "more values than the most tensors need";
            token = 0;
        } else if (c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            token = 0;
        }
        if (token > MAX_TOKEN)
            what = "a string or number longer than any tensor needs";
        if (token > *longest)
            *longest = token;
        if (what)
            return tt_fail(err, TT_ERR_FORMAT, "%s: byte %zu: header with %s", w->path, 8 + i, what);
    }
    return TT_OK;
}

/*
 * The parser (jansson 2.14) keeps the string or number it is reading in a buffer that grows, and does not
 * look whether growing worked: without memory, letters vanish from names, and where it is the closing quote
 * that vanishes, it runs past the buffer. So it is given
 *
 *     [0e00...0,HEADER]
 *
 * with a number as long as anything in the header: that makes the buffer large enough for the rest, a digit
 * lost on the way does no harm, and a failed malloc shows in errno before the header's first byte is handed
 * over.
 */
typedef struct feed {
    const unsigned char *header;
    size_t size;
    size_t zeros; /* digits of the number after "[0e" */
    size_t at;    /* bytes handed over so far */
    bool starved; /* the buffer did not grow, the header was withheld */
} feed;

/* A json_load_callback_t: up to `room` further bytes; 0 at the end, all ones after a failure. */
static size_t hand_over(void *to, size_t room, void *arg)
{
    static const char open[] = "[0e";
    feed *f = arg;
    /* the comma is not part of it: it would end the number, and the parser clear errno */
    const size_t lead = 3 + f->zeros;
    unsigned char *out = to;
    size_t n = 0;
    if (f->at == lead && errno == ENOMEM)
        f->starved = true;
    if (f->starved)
        return (size_t)-1;
    for (; n < room && f->at < lead; n++, f->at++)
        out[n] = (unsigned char)(f->at < 3 ? open[f->at] : '0');
    if (n)
        return n;
    for (; n < room && f->at < lead + f->size + 2; n++, f->at++)
        out[n] = f->at == lead ? ',' : f->at == lead + f->size + 1 ? ']' : f->header[f->at - lead - 1];
    return n;
}

/* The header as JSON: *root is [0.0, header]; json_decref() it. */
static tt_status parse_header(const tt_weights *w, const unsigned char *header, size_t n, json_t **root,
                              tt_error *err)
{
    size_t longest;
    json_error_t je;
    *root = NULL;
    tt_status st = check_limits(w, header, n, &longest, err);
    if (st)
        return st;
    feed f = {.header = header, .size = n, .zeros = longest + 8}; /* what is cut may read on into the "]" */
    errno = 0;
    *root = json_load_callback(hand_over, &f, JSON_REJECT_DUPLICATES, &je);
    /* where malloc failed it says nothing, or something else */
    if (!*root && (f.starved || errno == ENOMEM || !je.text[0]))
        return tt_fail(err, TT_ERR_MEMORY, "%s: no memory for reading its header of %zu bytes", w->path, n);
    if (!*root) {
        const size_t lead = 3 + f.zeros + 1, pos = je.position > 0 ? (size_t)je.position : 0;
        const size_t at = pos > lead ? pos - lead : 0;
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte %zu: the header is not proper JSON: %s", w->path,
                       8 + (at < n ? at : n), je.text);
    }
    if (json_array_size(*root) != 2) /* "{},{}" */
        return tt_fail(err, TT_ERR_FORMAT, "%s: the header is not proper JSON: more than one object",
                       w->path);
    return TT_OK;
}

/* A non-negative integer that fits size_t; *out is its value. */
static bool to_size(const json_t *j, size_t *out)
{
    *out = 0;
    if (!json_is_integer(j) || json_integer_value(j) < 0 || (uint64_t)json_integer_value(j) > SIZE_MAX)
        return false;
    *out = (size_t)json_integer_value(j);
    return true;
}

static tt_status read_dtype(const tt_weights *w, tt_tensor *t, const json_t *j, tt_error *err)
{
    const char *name = json_string_value(j);
    if (!name)
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "%s", "dtype is not a string");
    for (int d = TT_F32; d <= TT_BOOL; d++) {
        if (!strcmp(name, tt_dtype_name((tt_dtype)d))) {
            t->dtype = (tt_dtype)d;
            return TT_OK;
        }
    }
    return TENSOR_FAIL(w, err, TT_ERR_UNSUPPORTED, t->name, "dtype '%.*s' is unsupported", shown(name), name);
}

/* rank, shape, count, and bytes of a tensor whose dtype is known */
static tt_status read_shape(const tt_weights *w, tt_tensor *t, const json_t *j, tt_error *err)
{
    if (!json_is_array(j))
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "%s", "shape is not an array");
    if (json_array_size(j) > TT_MAX_RANK)
        return TENSOR_FAIL(w, err, TT_ERR_UNSUPPORTED, t->name, "%zu dimensions, at most %d are supported",
                           json_array_size(j), TT_MAX_RANK);
    t->rank = (int)json_array_size(j);
    bool empty = false;
    /* the product leaves zeros out: an empty tensor's other dimensions must not overflow either, as someone
     * will multiply them without the zero */
    size_t product = 1;
    for (int i = 0; i < t->rank; i++) {
        if (!to_size(json_array_get(j, (size_t)i), &t->shape[i]))
            return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "shape[%d] is not a whole number from 0 up",
                               i);
        if (!t->shape[i])
            empty = true;
        else if (!tt_mul(product, t->shape[i], &product))
            return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "shape[%d] makes it larger than any memory",
                               i);
    }
    if (!tt_mul(product, tt_dtype_size(t->dtype), &t->bytes))
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "its %zu values of type %s exceed any memory",
                           product, tt_dtype_name(t->dtype));
    t->count = empty ? 0 : product;
    t->bytes = empty ? 0 : t->bytes;
    return TT_OK;
}

static tt_status read_range(const tt_weights *w, tt_tensor *t, const json_t *j, tt_cursor data, tt_error *err)
{
    size_t range[2];
    if (!json_is_array(j) || json_array_size(j) != 2)
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "%s", "data_offsets is not an array of two");
    for (int i = 0; i < 2; i++)
        if (!to_size(json_array_get(j, (size_t)i), &range[i]))
            return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name,
                               "data_offsets[%d] is not a whole number from 0 up", i);
    if (range[0] > range[1])
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "data_offsets end at %zu, before their start %zu",
                           range[1], range[0]);
    if (range[1] > data.left)
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "data_offsets end at %zu, the file's data at %zu",
                           range[1], data.left);
    if (range[1] - range[0] != t->bytes)
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name,
                           "byte %zu: its shape needs %zu bytes of data, data_offsets give %zu",
                           data.at + range[0], t->bytes, range[1] - range[0]);
    tt_cursor_skip(&data, range[0]);
    t->data = data.ptr;
    return TT_OK;
}

/* One member of the header, the metadata apart, to a tensor. */
static tt_status read_tensor(const tt_weights *w, tt_tensor *t, const char *name, json_t *entry,
                             tt_cursor data, tt_error *err)
{
    static const char *const fields[] = {"dtype", "shape", "data_offsets"};
    const json_t *found[3] = {NULL};
    if (strlen(name) > TT_MAX_NAME)
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, name, "its name has %zu bytes, at most %d are allowed",
                           strlen(name), TT_MAX_NAME);
    if (!json_is_object(entry))
        return TENSOR_FAIL(w, err, TT_ERR_FORMAT, name, "%s", "its entry is not an object");
    for (void *it = json_object_iter(entry); it; it = json_object_iter_next(entry, it)) {
        const char *key = json_object_iter_key(it);
        int i = 0;
        while (i < 3 && strcmp(key, fields[i]))
            i++;
        if (i == 3)
            return TENSOR_FAIL(w, err, TT_ERR_FORMAT, name, "unknown field '%.*s'", shown(key), key);
        found[i] = json_object_iter_value(it);
    }
    for (int i = 0; i < 3; i++)
        if (!found[i])
            return TENSOR_FAIL(w, err, TT_ERR_FORMAT, name, "no %s", fields[i]);
    t->name = malloc(strlen(name) + 1);
    if (!t->name)
        return tt_fail_memory(err, strlen(name) + 1);
    strcpy(t->name, name);
    tt_status st = read_dtype(w, t, found[0], err);
    if (!st)
        st = read_shape(w, t, found[1], err);
    if (!st)
        st = read_range(w, t, found[2], data, err);
    return st;
}

static tt_status read_metadata(tt_weights *w, json_t *meta, tt_error *err)
{
    if (!json_is_object(meta))
        return tt_fail(err, TT_ERR_FORMAT, "%s: __metadata__ is not an object", w->path);
    w->metadata = calloc(2 * json_object_size(meta) + 1, sizeof *w->metadata);
    if (!w->metadata)
        return tt_fail_memory(err, (2 * json_object_size(meta) + 1) * sizeof *w->metadata);
    char **to = w->metadata;
    for (void *it = json_object_iter(meta); it; it = json_object_iter_next(meta, it)) {
        const char *text[2] = {json_object_iter_key(it), json_string_value(json_object_iter_value(it))};
        if (!text[1])
            return tt_fail(err, TT_ERR_FORMAT, "%s: __metadata__ '%.*s' is not a string", w->path,
                           shown(text[0]), text[0]);
        for (int i = 0; i < 2; i++) {
            *to = malloc(strlen(text[i]) + 1);
            if (!*to)
                return tt_fail_memory(err, strlen(text[i]) + 1);
            strcpy(*to++, text[i]);
        }
    }
    return TT_OK;
}

/* By place, the empty ones at a place first. */
static int by_data(const void *a, const void *b)
{
    const tt_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The tensors, in the order of their places, cover the data with neither hole nor overlap. */
static tt_status check_tiling(tt_weights *w, tt_cursor data, tt_error *err)
{
    if (w->count)
        qsort(w->tensors, w->count, sizeof *w->tensors, by_data);
    const unsigned char *end = data.ptr;
    for (size_t i = 0; i < w->count; i++) {
        const tt_tensor *t = &w->tensors[i];
        if (t->data != end)
            return TENSOR_FAIL(w, err, TT_ERR_FORMAT, t->name, "byte %zu: its data %s",
                               data.at + (size_t)(t->data - data.ptr),
                               t->data < end ? "overlaps another tensor's"
                                             : "does not follow on the tensor before");
        end += t->bytes;
    }
    const size_t used = (size_t)(end - data.ptr);
    if (used != data.left)
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte %zu: %zu bytes at the end belong to no tensor", w->path,
                       data.at + used, data.left - used);
    return TT_OK;
}

static tt_status read_header(tt_weights *w, json_t *root, tt_cursor data, tt_error *err)
{
    json_t *meta = json_object_get(root, "__metadata__");
    const size_t count = json_object_size(root) - (meta != NULL);
    if (count > TT_MAX_TENSORS)
        return tt_fail(err, TT_ERR_FORMAT, "%s: %zu tensors, at most %d are allowed", w->path, count,
                       TT_MAX_TENSORS);
    tt_status st = meta ? read_metadata(w, meta, err) : TT_OK;
    if (st || !count)
        return st ? st : check_tiling(w, data, err);
    w->tensors = calloc(count, sizeof *w->tensors);
    if (!w->tensors)
        return tt_fail_memory(err, count * sizeof *w->tensors);
    for (void *it = json_object_iter(root); it; it = json_object_iter_next(root, it)) {
        if (json_object_iter_value(it) == meta)
            continue;
        st = read_tensor(w, &w->tensors[w->count++], json_object_iter_key(it), json_object_iter_value(it),
                         data, err);
        if (st)
            return st;
    }
    return check_tiling(w, data, err);
}

static tt_status open_safetensors(tt_weights *w, tt_error *err)
{
    tt_cursor c = tt_cursor_init(w->bytes, w->size);
    const unsigned char *header = NULL;
    uint64_t n;
    if (!tt_cursor_u64(&c, &n))
        return tt_fail(err, TT_ERR_FORMAT, "%s: cut short: %zu bytes, the header's length alone has 8",
                       w->path, w->size);
    if (n > c.left)
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte 0: a header of %llu bytes, but only %zu follow", w->path,
                       (unsigned long long)n, c.left);
    if (n > MAX_HEADER)
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte 0: a header of %llu bytes, at most %d are allowed",
                       w->path, (unsigned long long)n, MAX_HEADER);
    if (n == 0 || c.ptr[0] != '{')
        return tt_fail(err, TT_ERR_FORMAT, "%s: byte 8: the header does not begin with '{'", w->path);
    tt_cursor_take(&c, (size_t)n, &header);
    json_t *root;
    tt_status st = parse_header(w, header, (size_t)n, &root, err);
    if (!st)
        st = read_header(w, json_array_get(root, 1), c, err);
    json_decref(root);
    return st;
}

const tt_weight_reader tt_weight_reader_safetensors = {
    .name = "safetensors",
    .probe = probe,
    .open = open_safetensors,
};
