/* `tintype convert`: a network's weights from whatever file they came in, as safetensors. */
#include "src/cli.h"

#include "engine/alloc.h"
#include "engine/net.h"
#include "engine/weights.h"
#include "kernels/cpu.h"
#include "models/models.h"
#include "src/digest.h"
#include "src/inputs.h"
#include "src/output.h"
#include "src/places.h"
#include "src/progress.h"

#include <stdlib.h>
#include <string.h>

typedef struct source {
    tt_weights w;
    const tt_model *model;
    tt_traits traits;
    tt_graph *graph;
    tt_net_facts facts;
    char sha256[TT_SHA256_TEXT];
} source;

static void close_source(source *s)
{
    tt_graph_free(s->graph);
    tt_weights_clear(&s->w);
}

/* All that `tintype run` would check, values included. */
static tt_status open_source(source *s, const char *path, const char *const *settings, tt_error *err)
{
    tt_kernels k;
    tt_net *net = NULL;
    tt_status st = tt_weights_open(&s->w, path, err);
    if (!st)
        st = tt_model_adopt(&s->w, err);
    if (!st)
        st = tt_model_build(&s->w, settings, &s->model, &s->traits, &s->graph, err);
    if (st)
        return st;
    tt_kernels_init(&k, tt_cpu_detect());
    st = tt_net_new(&net, s->graph, &k, err);
    if (!st) {
        tt_net_get_facts(net, &s->facts);
        st = tt_sha256_file(path, s->sha256, NULL, err);
    }
    tt_net_free(net);
    return st;
}

/* ---- what is said of it --------------------------------------------------------------------------- */

/*
 * The file's own metadata stays, with the user's settings, so that what no tensor says goes along. A file that
 * tintype has converted before keeps saying where it came from first: converted once more it is the same file.
 */
static tt_status describe(source *s, const char *path, const char *const *settings, tt_error *err)
{
    char scale[32];
    if (s->facts.scale_num % s->facts.scale_den)
        snprintf(scale, sizeof scale, "%d/%d", s->facts.scale_num, s->facts.scale_den);
    else
        snprintf(scale, sizeof scale, "%d", s->facts.scale_num / s->facts.scale_den);
    tt_status st = tt_weights_note(&s->w, "tintype.architecture", s->model->name, err);
    if (!st)
        st = tt_weights_note(&s->w, "tintype.variant", s->traits.variant, err);
    if (!st)
        st = tt_weights_note(&s->w, "tintype.scale", scale, err);
    if (!st && !tt_weights_said(&s->w, "tintype.source_sha256")) {
        st = tt_weights_note(&s->w, "tintype.source", tt_shown(tt_base_name(path)), err);
        if (!st)
            st = tt_weights_note(&s->w, "tintype.source_format", s->w.format, err);
        if (!st)
            st = tt_weights_note(&s->w, "tintype.source_sha256", s->sha256, err);
        if (!st && s->w.beside) { /* of two files, the one that was not named */
            char text[TT_SHA256_TEXT];
            tt_sha256 h;
            tt_sha256_init(&h);
            tt_sha256_add(&h, s->w.beside, s->w.beside_size);
            tt_sha256_text(&h, text);
            st = tt_weights_note(&s->w, "tintype.beside_sha256", text, err);
        }
    }
    for (size_t i = 0; !st && settings && settings[i]; i++) {
        char key[64];
        const char *value = strchr(settings[i], '='); /* tt_model_build() took it, so there is one */
        snprintf(key, sizeof key, "%.*s", (int)(value - settings[i]), settings[i]);
        st = tt_weights_note(&s->w, key, value + 1, err);
    }
    return st;
}

static int by_key(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(x[0], y[0]);
}

/* ---- the tensors ---------------------------------------------------------------------------------- */

/* --dtype, else what the file has, doubles as floats. */
static tt_dtype dtype_of(const tt_tensor *t, const char *wanted)
{
    if (!wanted)
        return t->dtype == TT_F64 ? TT_F32 : t->dtype;
    return !strcmp(wanted, "f16") ? TT_F16 : !strcmp(wanted, "bf16") ? TT_BF16 : TT_F32;
}

/* The larger types first, as the format advises, so that each value lies at a multiple of its size. */
static int by_size_and_name(const void *a, const void *b)
{
    const tt_tensor_out *x = a, *y = b;
    const int size = (int)tt_dtype_size(y->dtype) - (int)tt_dtype_size(x->dtype);
    return size ? size : strcmp(x->name, y->name);
}

static tt_status collect(const source *s, const char *dtype, tt_tensor_out **list, size_t *count, float **values,
                         tt_error *err)
{
    size_t floats = 0, at = 0;
    for (size_t i = 0; i < s->w.count; i++)
        if (tt_graph_uses(s->graph, i) && !tt_add(floats, s->w.tensors[i].count, &floats))
            return tt_fail_memory(err, SIZE_MAX);
    *list = calloc(s->w.count ? s->w.count : 1, sizeof **list);
    *values = tt_aligned_zalloc(floats * sizeof **values); /* packed as as many floats before */
    if (!*list || !*values)
        return tt_fail_memory(err, floats * sizeof **values);
    for (size_t i = 0; i < s->w.count; i++) {
        const tt_tensor *t = &s->w.tensors[i];
        if (!tt_graph_uses(s->graph, i))
            continue;
        tt_tensor_out *o = &(*list)[(*count)++];
        *o = (tt_tensor_out){.name = t->name, .rank = t->rank, .data = *values + at, .dtype = dtype_of(t, dtype)};
        memcpy(o->shape, t->shape, sizeof o->shape);
        const tt_status st = tt_tensor_floats(&s->w, t, *values + at, err);
        if (st)
            return st;
        at += t->count;
    }
    qsort(*list, *count, sizeof **list, by_size_and_name);
    return TT_OK;
}

static tt_status convert(source *s, const tt_args *a, const char *path, unsigned char **bytes, size_t *size,
                         size_t *tensors, tt_error *err)
{
    tt_tensor_out *list = NULL;
    float *values = NULL;
    tt_status st = describe(s, path, a->net, err);
    if (!st)
        st = collect(s, a->dtype, &list, tensors, &values, err);
    if (!st) {
        size_t pairs = 0;
        while (s->w.metadata[2 * pairs])
            pairs++;
        qsort(s->w.metadata, pairs, 2 * sizeof *s->w.metadata, by_key);
        st = tt_safetensors_write(list, *tensors, (const char *const *)s->w.metadata, bytes, size, err);
    }
    free(list);
    tt_aligned_free(values);
    return st;
}

static void tell(const tt_args *a, const source *s, size_t tensors, size_t size)
{
    if (a->json)
        tt_json_line(json_pack("{so so ss ss ss sI sI sI}", "input", tt_json_text(a->operand[0]), "output",
                               tt_json_text(a->output), "network", s->model->name, "variant", s->traits.variant,
                               "sha256", s->sha256, "tensors", (json_int_t)tensors, "parameters",
                               (json_int_t)s->facts.parameters, "bytes", (json_int_t)size));
    else if (!a->quiet)
        tt_cli_note("%s -> %s: %s, %zu tensors, %s", tt_shown_input(a->operand[0]), tt_shown_output(a->output),
                    s->traits.variant, tensors, tt_shown_bytes((double)size));
}

int tt_cmd_convert(const tt_args *a)
{
    const tt_job job = {.output = (char *)(a->output ? a->output : "-")};
    const bool standard = !strcmp(job.output, "-");
    unsigned char *bytes = NULL;
    char *path = NULL;
    size_t size = 0, tensors = 0;
    source s = {0};
    tt_error e = {0};
    tt_status st = TT_OK;
    if (!a->output)
        st = tt_fail(&e, TT_ERR_USAGE, "-o names the file to write, OUT.safetensors say");
    else if (standard && a->json)
        st = tt_fail(&e, TT_ERR_USAGE, "--json and the weights both want standard output");
    else if (standard)
        st = tt_cli_no_terminal("a weight file", &e);
    else if (tt_job_done(&job) && !a->overwrite)
        st = tt_fail(&e, TT_ERR_OUTPUT, "%s: exists already; --overwrite replaces it", job.output);
    else
        st = tt_job_prepare(&job, &e);
    if (!st)
        st = tt_places_resolve(a->operand[0], &path, &e);
    if (!st)
        st = open_source(&s, path, a->net, &e);
    if (!st)
        st = convert(&s, a, path, &bytes, &size, &tensors, &e);
    if (!st) {
        char *dir = tt_job_directory(&job);
        tt_cli_writes_in(dir);
        free(dir);
        st = tt_output_write(job.output, bytes, size, a->overwrite, &e);
    }
    if (!st)
        tell(a, &s, tensors, size);
    else if (st != TT_ERR_CANCELLED)
        tt_cli_complain(NULL, &e);
    free(bytes);
    free(path);
    close_source(&s);
    return tt_exit_code(st);
}
