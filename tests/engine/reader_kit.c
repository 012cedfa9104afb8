#include "tests/engine/reader_kit.h"

#include "models/models.h"
#include "tests/engine/hostile.h"
#include "tests/faults.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned char *rk_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f, "%s cannot be opened", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    const long n = ftell(f);
    rewind(f);
    unsigned char *bytes = malloc((size_t)n + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, (size_t)n, f), (size_t)n);
    fclose(f);
    *size = (size_t)n;
    return bytes;
}

static void check_failure(const tt_weights *w, tt_status st, const tt_error *err, const char *what)
{
    ck_assert_msg(err->status == st, "%s: status %d, error says %d", what, st, err->status);
    ck_assert_msg(strlen(err->text) > 10 && !strpbrk(err->text, "\n\r\t"), "%s: '%s'", what, err->text);
    ck_assert_msg(st == TT_ERR_MEMORY || !strncmp(err->text, "test", 4),
                  "%s: does not begin with the file: '%s'", what, err->text);
    ck_assert_msg(!w->path && !w->tensors && !w->count && !w->metadata && !w->bytes && !w->made && !w->layers,
                  "%s: not cleared", what);
}

static void check_success(const tt_weights *w, const char *what)
{
    for (size_t i = 0; i < w->count; i++) {
        const tt_tensor *t = &w->tensors[i];
        size_t count = 1;
        ck_assert_msg(strlen(t->name) <= TT_MAX_NAME, "%s", what);
        ck_assert_msg(i == 0 || strcmp(w->tensors[i - 1].name, t->name) < 0, "%s: order of names", what);
        ck_assert_msg(t->layer <= w->layer_count, "%s: %s: of layer %zu", what, t->name, t->layer);
        for (int d = 0; d < t->rank; d++)
            count *= t->shape[d];
        ck_assert_msg(count == t->count && t->bytes == count * tt_dtype_size(t->dtype), "%s: %s", what,
                      t->name);
        volatile unsigned char sum = 0; /* every byte can be read */
        for (size_t b = 0; b < t->bytes; b++)
            sum = (unsigned char)(sum + t->data[b]);
    }
    for (size_t i = 0; w->metadata && w->metadata[i]; i++)
        ck_assert_msg(i % 2 || w->metadata[i + 1], "%s: a metadata key without a value", what);
}

tt_status rk_open(tt_weights *w, rk_file f, const char *what, tt_error *err)
{
    memset(w, 0x55, sizeof *w); /* open must not look at what was there */
    memset(err, 0, sizeof *err);
    const tt_status st = tt_weights_open_pair(w, f.bytes, f.size, f.beside, f.beside_size, "test", err);
    if (st)
        check_failure(w, st, err, what);
    else
        check_success(w, what);
    return st;
}

void rk_refused(rk_file f, const char *what, tt_status status, const char *words)
{
    tt_weights w;
    tt_error err;
    const tt_status st = rk_open(&w, f, what, &err);
    ck_assert_msg(st == status, "%s: status %d, wanted %d: %s", what, st, status, st ? err.text : "no error");
    ck_assert_msg(!st || strstr(err.text, words), "%s: '%s' lacks '%s'", what, err.text, words);
    tt_weights_clear(&w);
}

/* All that is done with a file between opening and packing. Nothing is asserted: memory may be short. */
static tt_status describe(tt_weights *w, tt_error *err)
{
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph = NULL;
    tt_status st = tt_model_adopt(w, err);
    if (!st)
        st = tt_model_build(w, NULL, &model, &traits, &graph, err);
    tt_graph_free(graph);
    return st;
}

typedef struct damage {
    rk_file f;
    bool beside;
    size_t refused;
} damage;

static void survives(const unsigned char *bytes, size_t size, const char *what, void *arg)
{
    damage *d = arg;
    rk_file f = d->f;
    tt_error err;
    if (d->beside) {
        f.beside = bytes;
        f.beside_size = size;
    } else {
        f.bytes = bytes;
        f.size = size;
    }
    tt_weights w;
    tt_status st = rk_open(&w, f, what, &err);
    if (!st) {
        st = describe(&w, &err);
        ck_assert_msg(!st || (err.status == st && strlen(err.text) > 10), "%s: status %d, '%s'", what, st,
                      err.text);
        check_success(&w, what);
        tt_weights_clear(&w);
    }
    d->refused += st != TT_OK;
}

size_t rk_damage(rk_file f, size_t *made)
{
    damage d = {.f = f};
    *made = hostile_prefixes(f.bytes, f.size, survives, &d) +
            hostile_bits(f.bytes, f.size, 0, f.size, survives, &d);
    d.beside = true;
    if (f.beside)
        *made += hostile_prefixes(f.beside, f.beside_size, survives, &d) +
                 hostile_bits(f.beside, f.beside_size, 0, f.beside_size, survives, &d);
    return d.refused;
}

void rk_starve(rk_file f)
{
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        int failed = 1;
        for (long k = 1; failed; k++) {
            tt_weights w;
            tt_error err = {0};
            faults_fail(k, for_ever);
            tt_status st = tt_weights_open_pair(&w, f.bytes, f.size, f.beside, f.beside_size, "test", &err);
            const bool cleared = !w.path && !w.tensors && !w.metadata && !w.made;
            const bool opened = !st;
            if (opened)
                st = describe(&w, &err);
            tt_weights_clear(&w);
            failed = faults_failed();
            faults_fail(0, 0);
            ck_assert_msg(opened || cleared, "allocation %ld: not cleared", k);
            ck_assert_msg(!st || (failed && st == TT_ERR_MEMORY && err.status == st && strlen(err.text) > 10),
                          "allocation %ld: status %d, '%s'", k, st, err.text);
        }
    }
}
