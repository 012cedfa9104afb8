/*
 * waifu2x JSON: an array with an object a layer, in the network's order; often compressed (gzip).
 *
 *     [{"class_name":"nn.SpatialConvolutionMM", "nInputPlane":3, "nOutputPlane":32, "kW":3, "kH":3, "dW":1,
 * "dH":1, "padW":0, "padH":0, "model_config":{"arch_name":"vgg_7", ...},
 *       "weight":[[[[0.1,...],...],...],...], "bias":[0.2,...]}, ...]
 *
 * weight is [out][in][row][column], of a FullConvolution (transposed) [in][out][row][column]. Very old files
 * lack class_name and the strides. Fields come in any order, so shapes are taken from the nesting and
 * compared at the object's end. The tensors are called 0.weight, 0.bias, 1.weight, ...; model_config becomes
 * metadata.
 *
 * The text is read as a stream: nothing of it is kept but the numbers. What it inflates to is bounded
 * (inflate.h).
 */
#include "engine/weights.h"
#include "engine/weights/inflate.h"
#include "engine/weights/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_LAYERS = 1024,
    MOST_STRING = 256,
    MOST_DEPTH = 8,         /* of what is skipped */
    MOST_NUMBERS = 1 << 26, /* of a layer: 256 MB */
    MOST_SETTINGS = 64,
    CHUNK = 1 << 16,
};

typedef struct reading {
    tt_weights *w;
    tt_error *err;
    /* the text: what is left of the piece in hand, and where the next comes from */
    const unsigned char *at, *end;
    size_t before; /* bytes of text before `end` */
    bool gz, ended;
    z_stream z;
    unsigned char *piece; /* CHUNK bytes of inflated text */
    /* numbers of the array in hand */
    float *number;
    size_t count, room;
    char string[MOST_STRING + 1];
} reading;

/* "FILE: byte 200 of the inflated text: " and the reason */
#define FAIL(r, status, format, ...)                                                                         \
    tt_fail((r)->err, status, "%s: byte %zu%s: " format, (r)->w->path,                                       \
            (r)->before - (size_t)((r)->end - (r)->at), (r)->gz ? " of the inflated text" : "", __VA_ARGS__)

static bool probe(const unsigned char *bytes, size_t size)
{
    size_t i = 0;
    if (size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8)
        return true;
    while (i < size && (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r')))
        i++;
    if (i == size || bytes[i++] != '[')
        return false;
    while (i < size && (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r')))
        i++;
    return i < size && bytes[i] == '{';
}

/* ---- the text ------------------------------------------------------------------------------------- */

/* The next piece of text; at its end at == end. */
static tt_status refill(reading *r)
{
    if (!r->gz || r->ended)
        return TT_OK;
    r->z.next_out = r->piece;
    r->z.avail_out = CHUNK;
    const int st = inflate(&r->z, Z_NO_FLUSH);
    const size_t got = CHUNK - r->z.avail_out;
    if (st == Z_MEM_ERROR)
        return tt_fail(r->err, TT_ERR_MEMORY, "%s: no memory for inflating it", r->w->path);
    if ((st != Z_OK && st != Z_STREAM_END) || (st == Z_OK && !got))
        return FAIL(r, TT_ERR_FORMAT,
                    "the compressed text is cut short or damaged after byte %zu of the file",
                    r->w->size - r->z.avail_in);
    r->ended = st == Z_STREAM_END;
    if (r->ended && r->z.avail_in)
        return FAIL(r, TT_ERR_FORMAT, "%u bytes of the file follow the end of the compressed text",
                    (unsigned)r->z.avail_in);
    const size_t most = tt_inflated_most(r->w->size);
    if (r->before + got > most)
        return FAIL(r, TT_ERR_FORMAT, "the text inflates to more than %zu bytes, which no weights do", most);
    r->at = r->piece;
    r->end = r->piece + got;
    r->before += got;
    return TT_OK;
}

/* *c is the byte that comes next, left where it is; -1 at the end. */
static inline tt_status look(reading *r, int *c)
{
    while (r->at == r->end) {
        if (!r->gz || r->ended) {
            *c = -1;
            return TT_OK;
        }
        const tt_status st = refill(r);
        if (st)
            return st;
    }
    *c = *r->at;
    return TT_OK;
}

/* The same past blanks. */
static inline tt_status look_past_blanks(reading *r, int *c)
{
    for (;;) {
        const tt_status st = look(r, c);
        if (st || (*c != ' ' && *c != '\n' && *c != '\r' && *c != '\t'))
            return st;
        r->at++;
    }
}

static tt_status unexpected(reading *r, int c, const char *want)
{
    if (c < 0)
        return FAIL(r, TT_ERR_FORMAT, "the text ends where %s is wanted", want);
    if (c < ' ' || c > '~')
        return FAIL(r, TT_ERR_FORMAT, "the byte %d where %s is wanted", c, want);
    return FAIL(r, TT_ERR_FORMAT, "'%c' where %s is wanted", c, want);
}

/* Past blanks and that byte. */
static tt_status take(reading *r, char byte, const char *want)
{
    int c;
    const tt_status st = look_past_blanks(r, &c);
    if (st)
        return st;
    if (c != byte)
        return unexpected(r, c, want);
    r->at++;
    return TT_OK;
}

/* After an element: *more is whether a comma follows, else it is `close`, which is taken too. */
static tt_status after(reading *r, char close, bool *more)
{
    int c;
    const tt_status st = look_past_blanks(r, &c);
    if (st)
        return st;
    *more = c == ',';
    if (c != ',' && c != close)
        return unexpected(r, c, close == ']' ? "a comma or ]" : "a comma or }");
    r->at++;
    return TT_OK;
}

/* To r->string. What an escape means is not asked: no name that matters has one. */
static tt_status read_string(reading *r, const char *want)
{
    size_t n = 0;
    bool escaped = false;
    int c;
    tt_status st = take(r, '"', want);
    for (;;) {
        if (st || (st = look(r, &c)))
            return st;
        if (c < ' ')
            return unexpected(r, c, "the end of a string");
        r->at++;
        if (c == '"' && !escaped)
            break;
        escaped = c == '\\' && !escaped;
        if (n == MOST_STRING)
            return FAIL(r, TT_ERR_FORMAT, "a string of more than %d bytes", MOST_STRING);
        r->string[n++] = (char)c;
    }
    r->string[n] = 0;
    return TT_OK;
}

/* A number, or the words true, false and null, as text to r->string. */
static tt_status read_word(reading *r)
{
    size_t n = 0;
    int c;
    tt_status st = look_past_blanks(r, &c);
    const int first = c;
    while (
        !st && c >= 0 &&
        ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E')) {
        if (n == TT_LONGEST_NUMBER)
            return FAIL(r, TT_ERR_FORMAT, "a number of more than %d bytes", TT_LONGEST_NUMBER);
        r->string[n++] = (char)c;
        r->at++;
        st = look(r, &c);
    }
    if (!st && !n)
        return unexpected(r, first, "a number");
    r->string[n] = 0;
    return st;
}

static tt_status read_number(reading *r, double *d)
{
    const tt_status st = read_word(r);
    if (!st && !tt_number(r->string, strlen(r->string), d))
        return FAIL(r, TT_ERR_FORMAT, "'%s' is no number", r->string);
    return st;
}

/* Any value, of no interest. */
static tt_status skip_value(reading *r)
{
    char close[MOST_DEPTH];
    int depth = 0, c;
    bool more = false;
    do {
        tt_status st = look_past_blanks(r, &c);
        if (st)
            return st;
        if (c == '[' || c == '{') {
            if (depth == MOST_DEPTH)
                return FAIL(r, TT_ERR_FORMAT, "nested deeper than %d", MOST_DEPTH);
            close[depth++] = c == '[' ? ']' : '}';
            r->at++;
            st = look_past_blanks(r, &c);
            if (st)
                return st;
            if (c != close[depth - 1]) {
                more = true;
            } else {
                r->at++;
                depth--;
                more = false;
            }
        } else {
            st = c == '"' ? read_string(r, "a string") : read_word(r);
            if (st)
                return st;
            more = false;
        }
        while (!more && depth) {
            st = after(r, close[depth - 1], &more);
            if (st)
                return st;
            depth -= !more;
        }
        if (more && close[depth - 1] == '}') {
            st = read_string(r, "a name");
            if (!st)
                st = take(r, ':', "a colon");
            if (st)
                return st;
        }
    } while (more);
    return TT_OK;
}

/* ---- arrays of numbers ---------------------------------------------------------------------------- */

static tt_status push(reading *r, double d)
{
    if (r->count == MOST_NUMBERS)
        return FAIL(r, TT_ERR_FORMAT, "an array of more than %d numbers", MOST_NUMBERS);
    if (r->count == r->room) {
        const size_t room = r->room ? 2 * r->room : 4096;
        float *more = realloc(r->number, room * sizeof *more);
        if (!more)
            return tt_fail_memory(r->err, room * sizeof *more);
        r->number = more;
        r->room = room;
    }
    r->number[r->count++] = tt_number_float(d);
    return TT_OK;
}

/* Nested arrays, `rank` deep, as regular as a tensor: its shape, its numbers to r->number. */
static tt_status read_array(reading *r, int rank, size_t *shape)
{
    size_t length[4] = {0};
    bool seen[4] = {false};
    int depth = 0;
    r->count = 0;
    for (;;) {
        tt_status st = TT_OK;
        while (depth < rank && !st) {
            st = take(r, '[', "[");
            length[depth++] = 0;
        }
        double d = 0;
        if (!st)
            st = read_number(r, &d);
        if (!st)
            st = push(r, d);
        for (bool more = false; !st && !more;) {
            length[depth - 1]++;
            st = after(r, ']', &more);
            if (st || more)
                break;
            depth--;
            if (seen[depth] && length[depth] != shape[depth])
                return FAIL(r, TT_ERR_FORMAT, "arrays of %zu and of %zu values side by side", shape[depth],
                            length[depth]);
            seen[depth] = true;
            shape[depth] = length[depth];
            if (!depth)
                return TT_OK;
        }
        if (st)
            return st;
    }
}

/* ---- layers --------------------------------------------------------------------------------------- */

enum { N_IN, N_OUT, K_W, K_H, D_W, D_H, PAD_W, PAD_H, FIELDS };
static const char *const field_name[FIELDS] = {"nInputPlane", "nOutputPlane", "kW",   "kH",
                                               "dW",          "dH",           "padW", "padH"};

typedef struct layer {
    double field[FIELDS]; /* -1: not there */
    char class_name[MOST_STRING + 1];
    size_t weight[4], bias[1]; /* shapes; 0: not there */
} layer;

/* The numbers just read become a tensor. */
static tt_status keep(reading *r, int number, const char *what, int rank, const size_t *shape)
{
    char name[32];
    snprintf(name, sizeof name, "%d.%s", number, what);
    tt_status st = tt_weights_add(r->w, name, TT_F32, rank, shape, r->err);
    if (st)
        return st;
    tt_tensor *t = &r->w->tensors[r->w->count - 1];
    unsigned char *data = tt_weights_alloc(r->w, t->bytes, r->err);
    if (!data)
        return TT_ERR_MEMORY;
    memcpy(data, r->number, t->bytes);
    t->data = data;
    t->layer = (size_t)number + 1;
    return TT_OK;
}

/* {"arch_name": "vgg_7", "scale_factor": 2, ...}: to the metadata, as text */
static tt_status read_config(reading *r)
{
    char key[MOST_STRING + 1];
    bool more = true;
    int c, count = 0;
    tt_status st = take(r, '{', "{");
    if (!st)
        st = look_past_blanks(r, &c);
    if (!st && c == '}') {
        r->at++;
        return TT_OK;
    }
    while (!st && more) {
        if (count++ == MOST_SETTINGS)
            return FAIL(r, TT_ERR_FORMAT, "more than %d entries in model_config", MOST_SETTINGS);
        st = read_string(r, "a name");
        strcpy(key, r->string);
        if (!st)
            st = take(r, ':', "a colon");
        if (!st)
            st = look_past_blanks(r, &c);
        if (st)
            break;
        if (c == '[' || c == '{') {
            st = skip_value(r);
        } else {
            st = c == '"' ? read_string(r, "a string") : read_word(r);
            if (!st)
                st = tt_weights_note(r->w, key, r->string, r->err);
        }
        if (!st)
            st = after(r, '}', &more);
    }
    return st;
}

static tt_status read_field(reading *r, layer *l, int number)
{
    char key[MOST_STRING + 1];
    tt_status st = read_string(r, "a name");
    strcpy(key, r->string);
    if (!st)
        st = take(r, ':', "a colon");
    if (st)
        return st;
    const bool weight = !strcmp(key, "weight"), bias = !strcmp(key, "bias");
    if (weight ? l->weight[0] : bias ? l->bias[0] : 0)
        return FAIL(r, TT_ERR_FORMAT, "layer %d: its %s stands twice", number, key);
    if (weight) {
        st = read_array(r, 4, l->weight);
        return st ? st : keep(r, number, key, 4, l->weight);
    }
    if (bias) {
        st = read_array(r, 1, l->bias);
        return st ? st : keep(r, number, key, 1, l->bias);
    }
    if (!strcmp(key, "model_config") && number == 0)
        return read_config(r);
    if (!strcmp(key, "class_name")) {
        st = read_string(r, "a string");
        strcpy(l->class_name, r->string);
        return st;
    }
    for (int i = 0; i < FIELDS; i++)
        if (!strcmp(key, field_name[i])) {
            if (l->field[i] >= 0)
                return FAIL(r, TT_ERR_FORMAT, "layer %d: its %s stands twice", number, key);
            st = read_number(r, &l->field[i]);
            if (!st && !(l->field[i] >= 0 && l->field[i] < 1 << 20))
                return FAIL(r, TT_ERR_FORMAT, "layer %d: %s is %g, a number from 0 is wanted", number, key,
                            l->field[i]);
            return st;
        }
    return skip_value(r);
}

/* Do the numbers of an object say the same as its arrays? */
static tt_status check_layer(reading *r, const layer *l, int number)
{
    const bool full = strstr(l->class_name, "FullConvolution") != NULL;
    const size_t out = l->weight[full], in = l->weight[!full];
    if (!l->weight[0] || !l->bias[0])
        return FAIL(r, TT_ERR_FORMAT, "layer %d has no %s", number, l->weight[0] ? "bias" : "weight");
    if (*l->class_name && !strstr(l->class_name, "Convolution"))
        return FAIL(r, TT_ERR_UNSUPPORTED, "layer %d is a %.60s, a convolution is wanted", number,
                    l->class_name);
    const double says[] = {(double)in, (double)out, (double)l->weight[3], (double)l->weight[2]};
    for (int i = N_IN; i <= K_H; i++)
        if (l->field[i] != says[i])
            return FAIL(r, TT_ERR_FORMAT, "layer %d: %s is %g, and its weight is of %zux%zux%zux%zu", number,
                        field_name[i], l->field[i], l->weight[0], l->weight[1], l->weight[2], l->weight[3]);
    if (l->bias[0] != out)
        return FAIL(r, TT_ERR_FORMAT, "layer %d: %zu biases for %zu outputs", number, l->bias[0], out);
    /* what the known networks do, in case a file says: stride and padding by the form of the layer */
    const double k = (double)l->weight[2], stride = full || k == 2 ? 2 : 1, pad = full && k == 4 ? 3 : 0;
    for (int i = D_W; i <= PAD_H; i++)
        if (l->field[i] >= 0 && l->field[i] != (i <= D_H ? stride : pad))
            return FAIL(r, TT_ERR_UNSUPPORTED, "layer %d: %s is %g; of a %s of %gx%g, %g is wanted", number,
                        field_name[i], l->field[i], full ? "transposed convolution" : "convolution", k, k,
                        i <= D_H ? stride : pad);
    return TT_OK;
}

static tt_status read_layer(reading *r, int number)
{
    layer l = {.field = {-1, -1, -1, -1, -1, -1, -1, -1}};
    bool more = true;
    tt_status st = take(r, '{', "{");
    while (!st && more) {
        st = read_field(r, &l, number);
        if (!st)
            st = after(r, '}', &more);
    }
    if (!st)
        st = check_layer(r, &l, number);
    if (st)
        return st;
    char *text = tt_weights_alloc(r->w, 16 + sizeof l.class_name, r->err);
    if (!text)
        return TT_ERR_MEMORY;
    snprintf(text, 16, "%d", number);
    r->w->layers[r->w->layer_count++] = (tt_layer){.name = text, .type = strcpy(text + 16, l.class_name)};
    return TT_OK;
}

static tt_status read_layers(reading *r)
{
    bool more = true;
    int c;
    tt_status st = take(r, '[', "the array of layers");
    for (int i = 0; !st && more; i++) {
        if (i == MOST_LAYERS)
            return FAIL(r, TT_ERR_FORMAT, "more than %d layers", MOST_LAYERS);
        st = read_layer(r, i);
        if (!st)
            st = after(r, ']', &more);
    }
    if (!st)
        st = look_past_blanks(r, &c);
    if (!st && c >= 0)
        st = unexpected(r, c, "the end of the text");
    return st;
}

static tt_status open_json(tt_weights *w, tt_error *err)
{
    reading r = {.w = w, .err = err, .at = w->bytes, .end = w->bytes + w->size, .before = w->size};
    r.gz = w->bytes[0] == 0x1f;
    w->layers = tt_weights_alloc(w, MOST_LAYERS * sizeof *w->layers, err);
    if (!w->layers)
        return TT_ERR_MEMORY;
    if (r.gz) {
        r.piece = tt_weights_alloc(w, CHUNK, err);
        if (!r.piece)
            return TT_ERR_MEMORY;
        r.at = r.end = r.piece;
        r.before = 0;
        r.z = tt_zlib_stream(w->bytes, w->size);
        if (w->size > UINT32_MAX)
            return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: a compressed file of %zu bytes", w->path, w->size);
        if (inflateInit2(&r.z, 15 + 16) != Z_OK) /* 16: gzip */
            return tt_fail(err, TT_ERR_MEMORY, "%s: no memory for inflating it", w->path);
    }
    const tt_status st = read_layers(&r);
    if (r.gz)
        inflateEnd(&r.z);
    free(r.number);
    return st;
}

const tt_weight_reader tt_weight_reader_waifu2x_json = {
    .name = "waifu2x JSON",
    .probe = probe,
    .open = open_json,
};
