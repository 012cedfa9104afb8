#include "models/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_conv(const tt_tensor *t)
{
    return t->layer && t->rank >= 2;
}

size_t tt_foreign_layers(const tt_weights *w, const char *type)
{
    size_t n = 0;
    for (size_t i = 0; i < w->layer_count; i++)
        n += !strcmp(w->layers[i].type, type);
    return n;
}

size_t tt_foreign_convs(const tt_weights *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += is_conv(&w->tensors[i]);
    return n;
}

enum kind { NONE, CONV, PRELU };

/* Of each layer: what it is; one byte a layer, or NULL. */
static unsigned char *kinds(const tt_weights *w)
{
    unsigned char *kind = calloc(w->layer_count + 1, 1);
    for (size_t i = 0; kind && i < w->layer_count; i++)
        kind[i] = !strcmp(w->layers[i].type, "PReLU") ? PRELU : NONE;
    for (size_t i = 0; kind && i < w->count; i++)
        if (is_conv(&w->tensors[i]))
            kind[w->tensors[i].layer - 1] = CONV;
    return kind;
}

static tt_status call_it(tt_tensor *t, const char *prefix, tt_error *err)
{
    const char *suffix = strrchr(t->name, '.');
    const size_t size = strlen(prefix) + strlen(suffix ? suffix : "") + 1;
    char *name = malloc(size);
    if (!name)
        return tt_fail_memory(err, size);
    snprintf(name, size, "%s%s", prefix, suffix ? suffix : "");
    free(t->name);
    t->name = name;
    return TT_OK;
}

tt_status tt_foreign_name(tt_weights *w, tt_foreign_namer *convs, tt_foreign_namer *prelus, const void *arg,
                          tt_error *err)
{
    unsigned char *kind = kinds(w);
    size_t *place = calloc(w->layer_count + 1, sizeof *place);
    tt_status st = kind && place ? TT_OK : tt_fail_memory(err, w->layer_count * sizeof *place);
    for (size_t i = 0, conv = 0, prelu = 0; i < w->layer_count && !st; i++)
        place[i] = kind[i] == CONV ? conv++ : kind[i] == PRELU ? prelu++ : 0;
    for (size_t i = 0; i < w->count && !st; i++) {
        tt_tensor *t = &w->tensors[i];
        const enum kind k = t->layer ? kind[t->layer - 1] : NONE;
        tt_foreign_namer *namer = k == CONV ? convs : k == PRELU ? prelus : NULL;
        char name[TT_MAX_NAME];
        if (!namer)
            continue;
        namer(name, sizeof name, place[t->layer - 1], arg);
        st = call_it(t, name, err);
        if (!st && k == CONV && t->rank == 2) {
            t->rank = 4;
            t->shape[2] = t->shape[3] = 1;
        }
    }
    free(kind);
    free(place);
    return st ? st : tt_weights_sort(w, err);
}

tt_status tt_foreign_turn(tt_weights *w, const char *old, const char *name, int rank, const size_t *shape,
                          const size_t *step, tt_error *err)
{
    tt_tensor *t = (tt_tensor *)tt_weights_find(w, old); /* of w, which is ours to change */
    size_t n[4] = {1, 1, 1, 1}, by[4] = {0};
    if (!t)
        return tt_fail(err, TT_ERR_FORMAT, "%s: the variable %s is missing", w->path, old);
    for (int i = 0; i < rank; i++) {
        n[4 - rank + i] = shape[i];
        by[4 - rank + i] = step[i];
    }
    const size_t count = n[0] * n[1] * n[2] * n[3];
    if (t->count != count)
        return tt_fail(err, TT_ERR_FORMAT, "%s: the variable %s has %zu values, %zu are wanted", w->path, old,
                       t->count, count);
    float *from = malloc((count ? count : 1) * sizeof *from),
          *to = tt_weights_alloc(w, count * sizeof *to, err);
    char *copy = malloc(strlen(name) + 1);
    tt_status st =
        from && copy && to ? tt_tensor_floats(w, t, from, err) : tt_fail_memory(err, count * sizeof *to);
    for (size_t a = 0, at = 0; a < n[0] && !st; a++)
        for (size_t b = 0; b < n[1]; b++)
            for (size_t c = 0; c < n[2]; c++)
                for (size_t d = 0; d < n[3]; d++)
                    to[at++] = from[a * by[0] + b * by[1] + c * by[2] + d * by[3]];
    free(from);
    if (st) {
        free(copy);
        return st;
    }
    free(t->name);
    t->name = strcpy(copy, name);
    t->dtype = TT_F32;
    t->rank = rank;
    for (int i = 0; i < rank; i++)
        t->shape[i] = shape[i];
    t->data = (const unsigned char *)to;
    t->bytes = count * sizeof *to;
    return tt_weights_sort(w, err);
}
