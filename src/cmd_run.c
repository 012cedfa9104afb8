/* `tintype run`: a tensor through a network, nothing before and nothing after it. */
#include "src/cli.h"

#include "engine/status.h"
#include "engine/weights.h"
#include "src/inputs.h"
#include "src/output.h"
#include "src/progress.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST_GIB = 8 };

typedef struct tensor {
    int rank; /* 3 or 4 */
    int c, h, w;
    float *data;
} tensor;

static void shape_text(const tt_tensor *t, char *to, size_t size)
{
    size_t at = 0;
    to[0] = 0;
    for (int i = 0; i < t->rank && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s%zu", i ? "," : "", t->shape[i]);
}

/* The tensor "input" (or "in"), or the only one. */
static tt_status choose(const tt_weights *w, const char *name, const tt_tensor **t, tt_error *err)
{
    *t = tt_weights_find(w, "input");
    if (!*t)
        *t = tt_weights_find(w, "in");
    if (!*t && w->count == 1)
        *t = &w->tensors[0];
    if (*t)
        return TT_OK;
    return tt_fail(err, TT_ERR_FORMAT, "%s: holds %zu tensors and none is called \"input\"", name, w->count);
}

static tt_status read_input(const char *path, tensor *in, tt_error *err)
{
    const char *name = strcmp(path, "-") ? path : "standard input";
    unsigned char *bytes = NULL;
    size_t size = 0;
    tt_weights w = {0};
    const tt_tensor *t;
    tt_status st = tt_read_file(path, (size_t)FILE_MOST_GIB << 30, &bytes, &size, err);
    if (st || (st = tt_weights_open_memory(&w, bytes, size, name, err)) || (st = choose(&w, name, &t, err)))
        goto done;
    const size_t *d = t->shape + (t->rank == 4);
    if ((t->rank != 3 && t->rank != 4) || (t->rank == 4 && t->shape[0] != 1) || !t->count || d[0] > INT_MAX ||
        d[1] > INT_MAX || d[2] > INT_MAX) {
        char shape[TT_MAX_RANK * 24];
        shape_text(t, shape, sizeof shape);
        st = tt_fail(err, TT_ERR_FORMAT, "%s: %s has the shape [%s]; [C,H,W] or [1,C,H,W] is wanted", name,
                     t->name, shape);
        goto done;
    }
    in->rank = t->rank;
    in->c = (int)d[0];
    in->h = (int)d[1];
    in->w = (int)d[2];
    in->data = malloc(t->count * sizeof *in->data);
    st = in->data ? tt_tensor_floats(&w, t, in->data, err) : tt_fail_memory(err, t->count * sizeof *in->data);
done:
    tt_weights_clear(&w);
    free(bytes);
    return st;
}

static tt_status write_output(const tensor *out, const char *path, bool overwrite, tt_error *err)
{
    unsigned char *bytes = NULL;
    size_t size;
    tt_tensor_out t = {.name = "output", .rank = out->rank, .shape = {1, 1, 1, 1}, .data = out->data};
    size_t *d = t.shape + (out->rank == 4);
    d[0] = (size_t)out->c;
    d[1] = (size_t)out->h;
    d[2] = (size_t)out->w;
    tt_status st = tt_safetensors_write(&t, 1, NULL, &bytes, &size, err);
    if (!st)
        st = tt_output_write(path, bytes, size, overwrite, err);
    free(bytes);
    return st;
}

static tt_status through(tt_context *c, const tt_network *n, const char *name, const tensor *in, tensor *out,
                         tt_error *err)
{
    tt_network_info info = {.size = sizeof info};
    tt_network_get_info(n, &info);
    if (in->c != info.channels)
        return tt_fail(err, TT_ERR_FORMAT, "%s: has %d channels, and the network takes %d", name, in->c,
                       info.channels);
    tt_status st = tt_network_run(c, n, NULL, in->h, in->w, NULL, &out->c, &out->h, &out->w, err);
    if (st)
        return st;
    const size_t bytes = sizeof *out->data * (size_t)out->c * (size_t)out->h * (size_t)out->w;
    out->rank = in->rank;
    out->data = malloc(bytes ? bytes : 1);
    if (!out->data)
        return tt_fail_memory(err, bytes);
    return tt_network_run(c, n, in->data, in->h, in->w, out->data, &out->c, &out->h, &out->w, err);
}

static void tell(const tt_args *a, const tensor *in, const tensor *out, double seconds)
{
    if (a->json)
        tt_json_line(json_pack("{so so s[iii] s[iii] sf sI}", "input", tt_json_text(a->operand[0]), "output",
                               tt_json_text(a->operand[1]), "input_shape", in->c, in->h, in->w,
                               "output_shape", out->c, out->h, out->w, "seconds", seconds, "peak_bytes",
                               (json_int_t)tt_peak_bytes()));
    else if (!a->quiet)
        tt_cli_note("%s [%d,%d,%d] -> %s [%d,%d,%d], %s, %s", tt_shown_input(a->operand[0]), in->c, in->h,
                    in->w, tt_shown_output(a->operand[1]), out->c, out->h, out->w, tt_shown_seconds(seconds),
                    tt_shown_bytes(tt_peak_bytes()));
}

int tt_cmd_run(const tt_args *a)
{
    const tt_job job = {.output = a->operand[1]};
    const bool standard = !strcmp(job.output, "-");
    tt_context *c = NULL;
    tt_network *n = NULL;
    tensor in = {0}, out = {0};
    tt_error e = {0};
    tt_status st = TT_OK;
    double began = 0;
    if (standard && a->json)
        st = tt_fail(&e, TT_ERR_USAGE, "--json and the tensor both want standard output");
    else if (standard)
        st = tt_cli_no_terminal("a tensor", &e);
    else if (tt_job_done(&job) && !a->overwrite)
        st = tt_fail(&e, TT_ERR_OUTPUT, "%s: exists already; --overwrite replaces it", job.output);
    else
        st = tt_job_prepare(&job, &e);
    if (st || (st = tt_cli_context(&c, a, &e)) || (st = tt_network_open_for(&n, c, a->model, a->net, &e)) ||
        (st = read_input(a->operand[0], &in, &e)))
        goto done;
    if (a->verbose) {
        tt_network_info info = {.size = sizeof info};
        tt_network_get_info(n, &info);
        tt_cli_note("%s, %d threads", info.variant, tt_context_threads(c));
    }
    char *dir = tt_job_directory(&job);
    tt_cli_writes_in(dir);
    free(dir);
    began = tt_seconds();
    st = through(c, n, tt_shown_input(a->operand[0]), &in, &out, &e);
    const double seconds = tt_seconds() - began;
    if (!st)
        st = write_output(&out, job.output, a->overwrite, &e);
    if (!st)
        tell(a, &in, &out, seconds);
done:
    if (st && st != TT_ERR_CANCELLED)
        tt_cli_complain(NULL, &e);
    free(in.data);
    free(out.data);
    tt_network_free(n);
    tt_cli_context_free(c);
    return tt_exit_code(st);
}
