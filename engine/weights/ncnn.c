/*
 * ncnn:  NAME.param, text | NAME.bin, the weights
 *
 *     7767517
 *     3 3                                          layers, blobs
 *     Input       data  0 1 data                   type, name, numbers of inputs and outputs, their blobs
 *     Convolution conv1 1 1 data x 0=64 1=3 6=1728 and values, "key=value" or "-233KK=count,value,value"
 *     PReLU       act1  1 1 x y 0=64
 *
 * The .bin holds each layer's arrays in the order of the lines, without names or gaps. An array of weights
 * begins with a tag: 0 or 0x0002C056, then f32; 0x01306B47, then f16; any other, then 256 f32 and a byte a
 * weight that says which of them. Biases and slopes are f32 without a tag. f16 and bytes are padded to a
 * multiple of four. https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
 *
 * Every blob is made by one layer before others read it; every byte of the .bin belongs to a layer.
 */
#include "engine/alloc.h"
#include "engine/weights.h"
#include "engine/weights/cursor.h"
#include "engine/weights/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_TEXT = 1 << 20, /* the largest published .param has a tenth of it */
    MOST_LAYERS = 65536,
    MOST_BLOBS = 65536,
    MOST_KEY = 32,
    ARRAY = -23300, /* and below: an array */
    MOST_SIDE = 1024,
    MOST_CHANNELS = 1 << 20,
};
static const char magic[] = "7767517";
static const unsigned char binary_magic[] = {0xdd, 0x85, 0x76, 0x00}; /* the same number */

enum { TAG_F32 = 0, TAG_F32_SCALED = 0x0002C056, TAG_F16 = 0x01306B47, TAG_I8 = 0x000D4B38 };

/* A place in the text where a blob is named. */
typedef struct blob_name {
    const char *name;
    int at; /* its place among all such */
    int layer;
    bool made; /* by that layer, else read by it */
} blob_name;

typedef struct reading {
    tt_weights *w;
    const char *param, *bin; /* paths */
    char *text;              /* what is left of the .param */
    size_t line;             /* the one in hand */
    tt_cursor c;             /* the .bin */
    tt_layer_value *values;  /* room for every "=" in the text */
    double *numbers;         /* and for every number behind one */
    blob_name *names;        /* and for every blob's name */
    int *ids;                /* the number of the blob that names[i] is */
    size_t value_count, number_count, name_count;
    tt_error *err;
} reading;

static bool is_text(const unsigned char *bytes, size_t size)
{
    return size >= sizeof magic - 1 && !memcmp(bytes, magic, sizeof magic - 1) &&
           (size == sizeof magic - 1 || bytes[sizeof magic - 1] <= ' ');
}

static bool probe(const unsigned char *bytes, size_t size)
{
    return is_text(bytes, size) || (size >= 4 && !memcmp(bytes, binary_magic, 4));
}

/* "FILE: line 7: " and the reason */
#define LINE_FAIL(r, status, format, ...)                                                                    \
    tt_fail((r)->err, status, "%s: line %zu: " format, (r)->param, (r)->line, __VA_ARGS__)
/* "FILE: line 7: layer NAME: " and the reason */
#define LAYER_FAIL(r, status, l, format, ...)                                                                \
    LINE_FAIL(r, status, "layer %.200s: " format, (l)->name, __VA_ARGS__)

/* ---- text ----------------------------------------------------------------------------------------- */

/* The next line that is not blank, or NULL; cut off from the rest. */
static char *next_line(reading *r)
{
    while (*r->text) {
        char *line = r->text, *end = line + strcspn(line, "\n");
        r->text = *end ? end + 1 : end;
        *end = 0;
        r->line++;
        if (line[strspn(line, " \t\r")])
            return line;
    }
    return NULL;
}

/* The next word of a line, or NULL; cut off from the rest. */
static char *next_word(char **line)
{
    char *word = *line + strspn(*line, " \t\r"), *end = word + strcspn(word, " \t\r");
    *line = *end ? end + 1 : end;
    *end = 0;
    return *word ? word : NULL;
}

/* The whole number from 0 to `most` that is the line's next word. */
static tt_status next_count(reading *r, char **line, const char *what, int most, int *out)
{
    const char *word = next_word(line);
    double d = -1;
    if (!word || !tt_number(word, strlen(word), &d) || !(d >= 0 && d <= most) || d != (int)d)
        return LINE_FAIL(r, TT_ERR_FORMAT, "%s is %.40s, a number from 0 to %d is wanted", what,
                         word ? word : "missing", most);
    *out = (int)d;
    return TT_OK;
}

static tt_status next_name(reading *r, char **line, const char *what, const char **out)
{
    *out = next_word(line);
    if (!*out)
        return LINE_FAIL(r, TT_ERR_FORMAT, "ends before the %s", what);
    if (strlen(*out) > TT_MAX_NAME - 16)
        return LINE_FAIL(r, TT_ERR_FORMAT, "the %s has %zu bytes, at most %d are allowed", what, strlen(*out),
                         TT_MAX_NAME - 16);
    return TT_OK;
}

/* Numbers separated by commas, to r->numbers. */
static tt_status read_numbers(reading *r, const tt_layer *l, const char *text, int *count)
{
    *count = 0;
    for (;;) {
        const size_t n = strcspn(text, ",");
        if (!tt_number(text, n, &r->numbers[r->number_count]))
            return LAYER_FAIL(r, TT_ERR_FORMAT, l, "the value '%.60s' is no number", text);
        r->number_count++;
        ++*count;
        if (!text[n])
            return TT_OK;
        text += n + 1;
    }
}

static tt_status read_value(reading *r, tt_layer *l, const char *word)
{
    const char *equals = strchr(word, '=');
    double key;
    if (!equals || !tt_number(word, (size_t)(equals - word), &key) || key < -32768 || key > 32767 ||
        key != (int)key)
        return LAYER_FAIL(r, TT_ERR_FORMAT, l, "'%.60s' is not key=value", word);
    tt_layer_value *v = &r->values[r->value_count++];
    const bool array = key <= ARRAY;
    v->key = array ? ARRAY - (int)key : (int)key;
    v->value = &r->numbers[r->number_count];
    if (v->key < 0 || v->key >= MOST_KEY)
        return LAYER_FAIL(r, TT_ERR_FORMAT, l, "the key of '%.60s' is none of 0 to %d", word, MOST_KEY - 1);
    const tt_status st = read_numbers(r, l, equals + 1, &v->count);
    if (st)
        return st;
    if (array) { /* the first is the number of those that follow */
        if (v->value[0] != v->count - 1)
            return LAYER_FAIL(r, TT_ERR_FORMAT, l, "'%.60s' says how many values follow, and %d do", word,
                              v->count - 1);
        v->value++;
        v->count--;
    }
    for (int i = 0; i < l->value_count; i++)
        if (l->values[i].key == v->key)
            return LAYER_FAIL(r, TT_ERR_FORMAT, l, "the key %d stands twice", v->key);
    l->value_count++;
    return TT_OK;
}

static tt_status read_blobs(reading *r, int layer, char **line, int count, bool made)
{
    for (int i = 0; i < count; i++) {
        blob_name *b = &r->names[r->name_count];
        *b = (blob_name){.at = (int)r->name_count, .layer = layer, .made = made};
        const tt_status st = next_name(r, line, "name of a blob", &b->name);
        if (st)
            return st;
        r->name_count++;
    }
    return TT_OK;
}

static tt_status read_layer(reading *r, tt_layer *l, int layer)
{
    char *line = next_line(r), *word;
    if (!line)
        return LINE_FAIL(r, TT_ERR_FORMAT, "%d layers were announced, and the text ends after %d",
                         (int)r->w->layer_count, layer);
    *l = (tt_layer){.line = r->line, .values = &r->values[r->value_count]};
    tt_status st = next_name(r, &line, "type of the layer", &l->type);
    if (!st)
        st = next_name(r, &line, "name of the layer", &l->name);
    if (!st)
        st = next_count(r, &line, "the number of inputs", MOST_BLOBS, &l->ins);
    if (!st)
        st = next_count(r, &line, "the number of outputs", MOST_BLOBS, &l->outs);
    l->in = &r->ids[r->name_count];
    if (!st)
        st = read_blobs(r, layer, &line, l->ins, false);
    l->out = &r->ids[r->name_count];
    if (!st)
        st = read_blobs(r, layer, &line, l->outs, true);
    while (!st && (word = next_word(&line)))
        st = read_value(r, l, word);
    return st;
}

/* ---- blobs ---------------------------------------------------------------------------------------- */

static int by_blob(const void *a, const void *b)
{
    const blob_name *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Blobs get numbers; each is made once, before it is read. */
static tt_status number_blobs(reading *r, int announced)
{
    tt_weights *w = r->w;
    if (r->name_count)
        qsort(r->names, r->name_count, sizeof *r->names, by_blob);
    for (size_t i = 0; i < r->name_count; i++) {
        const blob_name *b = &r->names[i];
        const bool first = !i || strcmp(b->name, b[-1].name);
        r->line = w->layers[b->layer].line;
        if (first && !b->made)
            return LAYER_FAIL(r, TT_ERR_FORMAT, &w->layers[b->layer],
                              "reads the blob %.60s before any layer makes it", b->name);
        if (!first && b->made)
            return LAYER_FAIL(r, TT_ERR_FORMAT, &w->layers[b->layer],
                              "makes the blob %.60s, which is there already", b->name);
        w->blobs += first;
        r->ids[b->at] = w->blobs - 1;
    }
    if (w->blobs != announced)
        return tt_fail(r->err, TT_ERR_FORMAT, "%s: line 2: %d blobs were announced, and there are %d",
                       r->param, announced, w->blobs);
    return TT_OK;
}

/* ---- the .param ----------------------------------------------------------------------------------- */

/* A copy that may be cut into words, and room for all that can be in it. */
static tt_status prepare(reading *r, const unsigned char *bytes, size_t size)
{
    size_t equals = 0, commas = 0, words = 0;
    if (size > MOST_TEXT)
        return tt_fail(r->err, TT_ERR_FORMAT, "%s: %zu bytes, at most %d are allowed", r->param, size,
                       MOST_TEXT);
    r->line = 1;
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = bytes[i];
        const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!blank && (c < ' ' || c > '~'))
            return LINE_FAIL(r, TT_ERR_FORMAT, "byte %zu: %u is no letter of such a file", i, c);
        r->line += c == '\n';
        equals += c == '=';
        commas += c == ',';
        words += !blank && (i + 1 == size || bytes[i + 1] <= ' ');
    }
    r->line = 0;
    r->text = tt_weights_alloc(r->w, size + 1, r->err);
    r->values = tt_weights_alloc(r->w, equals * sizeof *r->values, r->err);
    r->numbers = tt_weights_alloc(r->w, (equals + commas) * sizeof *r->numbers, r->err);
    r->ids = tt_weights_alloc(r->w, words * sizeof *r->ids, r->err);
    if (!r->text || !r->values || !r->numbers || !r->ids)
        return TT_ERR_MEMORY;
    r->names = malloc((words ? words : 1) * sizeof *r->names);
    if (!r->names)
        return tt_fail_memory(r->err, words * sizeof *r->names);
    memcpy(r->text, bytes, size);
    return TT_OK;
}

static tt_status read_param(reading *r, const unsigned char *bytes, size_t size)
{
    int layers = 0, blobs = 0;
    if (!is_text(bytes, size))
        return tt_fail(r->err, TT_ERR_FORMAT, "%s: line 1: not %s, with which a .param of ncnn begins",
                       r->param, magic);
    tt_status st = prepare(r, bytes, size);
    if (st)
        return st;
    char *line = next_line(r), *word = line ? next_word(&line) : NULL;
    if (!word || strcmp(word, magic) || next_word(&line))
        return LINE_FAIL(r, TT_ERR_FORMAT, "not %s alone", magic);
    line = next_line(r);
    if (!line)
        return LINE_FAIL(r, TT_ERR_FORMAT, "%s", "the text ends before the numbers of layers and blobs");
    st = next_count(r, &line, "the number of layers", MOST_LAYERS, &layers);
    if (!st)
        st = next_count(r, &line, "the number of blobs", MOST_BLOBS, &blobs);
    if (!st && (word = next_word(&line)))
        st = LINE_FAIL(r, TT_ERR_FORMAT, "'%.60s' after the numbers of layers and blobs", word);
    if (!st && (size_t)layers > size / 8) /* the shortest line: "A b 0 0" */
        st = LINE_FAIL(r, TT_ERR_FORMAT, "%d layers in %zu bytes", layers, size);
    if (st)
        return st;
    r->w->layers = tt_weights_alloc(r->w, (size_t)layers * sizeof *r->w->layers, r->err);
    if (!r->w->layers)
        return TT_ERR_MEMORY;
    r->w->layer_count = (size_t)layers;
    for (int i = 0; i < layers && !st; i++)
        st = read_layer(r, &r->w->layers[i], i);
    if (!st && next_line(r))
        st = LINE_FAIL(r, TT_ERR_FORMAT, "more than the %d layers announced", layers);
    return st ? st : number_blobs(r, blobs);
}

/* ---- the .bin ------------------------------------------------------------------------------------- */

static tt_status cut_short(reading *r, const tt_layer *l, const char *what, size_t want)
{
    return tt_fail(r->err, TT_ERR_FORMAT,
                   "%s: byte %zu: %zu bytes of %s of layer %.200s (line %zu of %s) are wanted, %zu follow",
                   r->bin, r->c.at, want, what, l->name, l->line, r->param, r->c.left);
}

/* A tensor LAYER.what whose data is still to come. */
static tt_status add(reading *r, const tt_layer *l, const char *what, tt_dtype dtype, int rank,
                     const size_t *shape)
{
    char name[TT_MAX_NAME + 32];
    snprintf(name, sizeof name, "%s.%s", l->name, what);
    const tt_status st = tt_weights_add(r->w, name, dtype, rank, shape, r->err);
    if (!st)
        r->w->tensors[r->w->count - 1].layer = (size_t)(l - r->w->layers) + 1;
    return st;
}

/* n floats without a tag */
static tt_status read_plain(reading *r, const tt_layer *l, const char *what, size_t n)
{
    const tt_status st = add(r, l, what, TT_F32, 1, &n);
    if (st)
        return st;
    tt_tensor *t = &r->w->tensors[r->w->count - 1];
    return tt_cursor_take(&r->c, t->bytes, &t->data) ? TT_OK : cut_short(r, l, what, t->bytes);
}

/* 256 values, then which of them each weight is */
static tt_status read_table(reading *r, const tt_layer *l, tt_tensor *t)
{
    const unsigned char *table, *index;
    const size_t padded = tt_round_up(t->count, 4);
    if (!tt_cursor_take(&r->c, 256 * 4, &table))
        return cut_short(r, l, "the table of weights", 256 * 4);
    if (!tt_cursor_take(&r->c, padded, &index))
        return cut_short(r, l, "weight", padded);
    unsigned char *data = tt_weights_alloc(r->w, t->bytes, r->err);
    if (!data)
        return TT_ERR_MEMORY;
    for (size_t i = 0; i < t->count; i++)
        memcpy(data + 4 * i, table + 4 * index[i], 4);
    t->data = data;
    return TT_OK;
}

/* weights with a tag */
static tt_status read_tagged(reading *r, const tt_layer *l, int rank, const size_t *shape)
{
    uint32_t tag;
    const size_t at = r->c.at;
    if (!tt_cursor_u32(&r->c, &tag))
        return cut_short(r, l, "the tag of the weights", 4);
    if (tag == TAG_I8)
        return tt_fail(r->err, TT_ERR_UNSUPPORTED,
                       "%s: byte %zu: the weights of layer %.200s are int8, which is not supported", r->bin,
                       at, l->name);
    const bool f16 = tag == TAG_F16;
    const tt_status st = add(r, l, "weight", f16 ? TT_F16 : TT_F32, rank, shape);
    if (st)
        return st;
    tt_tensor *t = &r->w->tensors[r->w->count - 1];
    if (!f16 && tag != TAG_F32 && tag != TAG_F32_SCALED)
        return read_table(r, l, t);
    const size_t padded = tt_round_up(t->bytes, 4);
    return tt_cursor_take(&r->c, padded, &t->data) ? TT_OK : cut_short(r, l, "weight", padded);
}

/* [out,in,kh,kw] as ncnn has it, to [in,out,kh,kw]: the newest tensor */
static tt_status turn_transposed(reading *r)
{
    tt_tensor *t = &r->w->tensors[r->w->count - 1];
    const size_t out = t->shape[0], in = t->shape[1], window = t->bytes / (out * in);
    unsigned char *data = tt_weights_alloc(r->w, t->bytes, r->err);
    if (!data)
        return TT_ERR_MEMORY;
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            memcpy(data + (i * out + o) * window, t->data + (o * in + i) * window, window);
    t->data = data;
    t->shape[0] = in;
    t->shape[1] = out;
    return TT_OK;
}

/* A value that must be a whole number from `least` to `most`. */
static tt_status whole(reading *r, const tt_layer *l, int key, double usual, int least, int most, size_t *out)
{
    const double d = tt_layer_number(l, key, 0, usual);
    if (!(d >= least && d <= most) || d != (int)d)
        return LAYER_FAIL(r, TT_ERR_FORMAT, l,
                          "the value of key %d is %g, a whole number from %d to %d is wanted", key, d, least,
                          most);
    *out = (size_t)d;
    return TT_OK;
}

static tt_status refuse_int8(reading *r, const tt_layer *l)
{
    if (tt_layer_number(l, 8, 0, 0) == 0)
        return TT_OK;
    return LAYER_FAIL(r, TT_ERR_UNSUPPORTED, l, "%s", "key 8 makes it int8, which is not supported");
}

/* Convolution, Deconvolution, InnerProduct: weights, and a bias where a key says so. */
static tt_status read_weighted(reading *r, const tt_layer *l, bool window, bool transposed)
{
    size_t out, kw = 1, kh = 1, count, bias;
    tt_status st = refuse_int8(r, l);
    if (!st)
        st = whole(r, l, 0, -1, 1, MOST_CHANNELS, &out);
    if (!st && window)
        st = whole(r, l, 1, -1, 1, MOST_SIDE, &kw);
    if (!st && window)
        st = whole(r, l, 11, (double)kw, 1, MOST_SIDE, &kh);
    if (!st)
        st = whole(r, l, window ? 6 : 2, -1, 1, INT32_MAX, &count);
    if (!st)
        st = whole(r, l, window ? 5 : 1, 0, 0, 1, &bias);
    if (st)
        return st;
    const size_t each = out * kh * kw; /* at most 2^40 */
    if (count % each)
        return LAYER_FAIL(r, TT_ERR_FORMAT, l,
                          "%zu weights, no multiple of %zu outputs with a window of %zux%zu", count, out, kh,
                          kw);
    st = read_tagged(r, l, window ? 4 : 2, (size_t[]){out, count / each, kh, kw});
    if (!st && transposed)
        st = turn_transposed(r);
    return st || !bias ? st : read_plain(r, l, "bias", out);
}

/* What comes from the .bin, of every type that can stand in such a file: without that, where the next layer's
 * weights begin is unknown. */
static tt_status read_arrays(reading *r, const tt_layer *l)
{
    static const char *const bare[] = {"Input",  "Split",        "ReLU",     "Sigmoid", "Clip",
                                       "Concat", "Eltwise",      "Pooling",  "Crop",    "Interp",
                                       "Reorg",  "PixelShuffle", "BinaryOp", "Scale"};
    size_t n;
    r->line = l->line;
    if (!strcmp(l->type, "Convolution"))
        return read_weighted(r, l, true, false);
    if (!strcmp(l->type, "Deconvolution"))
        return read_weighted(r, l, true, true);
    if (!strcmp(l->type, "InnerProduct"))
        return read_weighted(r, l, false, false);
    if (!strcmp(l->type, "PReLU")) {
        const tt_status st = whole(r, l, 0, -1, 1, MOST_CHANNELS, &n);
        return st ? st : read_plain(r, l, "weight", n);
    }
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++)
        if (!strcmp(l->type, bare[i]) && (strcmp(l->type, "Scale") || tt_layer_number(l, 0, 0, 0) == -233))
            return TT_OK;
    return LAYER_FAIL(r, TT_ERR_UNSUPPORTED, l, "its type, %.60s, is of no network known here", l->type);
}

static tt_status read_bin(reading *r)
{
    tt_status st = TT_OK;
    for (size_t i = 0; i < r->w->layer_count && !st; i++)
        st = read_arrays(r, &r->w->layers[i]);
    if (!st && r->c.left)
        st = tt_fail(r->err, TT_ERR_FORMAT, "%s: byte %zu: %zu bytes at the end belong to no layer of %s",
                     r->bin, r->c.at, r->c.left, r->param);
    return st;
}

static tt_status open_ncnn(tt_weights *w, tt_error *err)
{
    reading r = {.w = w, .err = err};
    const char *other;
    if (w->size >= 4 && !memcmp(w->bytes, binary_magic, 4))
        return tt_fail(err, TT_ERR_UNSUPPORTED,
                       "%s: the binary form of a .param, which is not supported; the text form is", w->path);
    /* the user may name either of the two */
    const bool text = is_text(w->bytes, w->size);
    tt_status st = tt_weights_beside(w, text ? ".bin" : ".param", &other, err);
    if (st)
        return st;
    r.param = text ? w->path : other;
    r.bin = text ? other : w->path;
    r.c = text ? tt_cursor_init(w->beside, w->beside_size) : tt_cursor_init(w->bytes, w->size);
    st = text ? read_param(&r, w->bytes, w->size) : read_param(&r, w->beside, w->beside_size);
    free(r.names);
    return st ? st : read_bin(&r);
}

const tt_weight_reader tt_weight_reader_ncnn = {
    .name = "ncnn",
    .probe = probe,
    .open = open_ncnn,
    .ending = ".bin",
};
