/* The public functions of tintype.h, but for enlarging (src/upscale.c) and comparing (src/compare.c). */
#include "src/tintype.h"

#include "kernels/cpu.h"
#include "src/context.h"
#include "src/device.h"
#include "src/image/image.h"
#include "src/memory.h"
#include "src/runner.h"

#include <stdlib.h>
#include <string.h>

/* models/default/default_x2.safetensors, put into the library by the build */
extern const unsigned char tt_default_weights[];
extern const size_t tt_default_weights_size;

const char *tt_version(void)
{
    return TT_VERSION;
}

const char *tt_status_text(tt_status s)
{
    switch (s) {
    case TT_OK:
        return "success";
    case TT_ERR_USAGE:
        return "an argument makes no sense";
    case TT_ERR_INPUT:
        return "input cannot be read";
    case TT_ERR_FORMAT:
        return "damaged or unknown data";
    case TT_ERR_UNSUPPORTED:
        return "sound data of a kind that is not handled";
    case TT_ERR_OUTPUT:
        return "output cannot be created";
    case TT_ERR_MEMORY:
        return "out of memory or over the memory budget";
    case TT_ERR_TEMPORARY:
        return "temporary failure, try again";
    case TT_ERR_NUMERIC:
        return "infinite values or values that are no numbers";
    case TT_ERR_CANCELLED:
        return "stopped as asked";
    case TT_ERR_INTERNAL:
        return "a mistake in tintype";
    }
    return "unknown status";
}

/* ---- context -------------------------------------------------------------------------------------- */

tt_status tt_context_new(tt_context **c, const tt_context_options *o, tt_error *err)
{
    tt_context_options given = {.size = sizeof given};
    *c = NULL;
    if (o && o->size < sizeof o->size)
        return tt_fail(err, TT_ERR_USAGE, "tt_context_options.size is not set");
    if (o)
        memcpy(&given, o, o->size < sizeof given ? o->size : sizeof given);
    if (given.threads < 0)
        return tt_fail(err, TT_ERR_USAGE, "%d threads make no sense", given.threads);
    if (given.precision != TT_FP32 && given.precision != TT_FP16)
        return tt_fail(err, TT_ERR_USAGE, "there is no precision %d", (int)given.precision);
    tt_context *n = calloc(1, sizeof *n);
    if (!n)
        return tt_fail_memory(err, sizeof *n);
    n->memory = given.memory ? given.memory : tt_memory_default();
    atomic_init(&n->cancel, 0);
    tt_status st = tt_pool_new(&n->pool, given.threads, err);
    if (!st)
        st = tt_device_open(&n->device, &given, err);
    if (st) {
        tt_context_free(n);
        return st;
    }
    *c = n;
    return TT_OK;
}

void tt_context_free(tt_context *c)
{
    if (!c)
        return;
    tt_pool_free(c->pool);
    tt_device_free(c->device);
    free(c);
}

int tt_context_threads(const tt_context *c)
{
    return tt_pool_threads(c->pool);
}

uint64_t tt_context_memory(const tt_context *c)
{
    return c->memory;
}

const char *tt_context_device(const tt_context *c)
{
    return c->device ? tt_cl_about(c->device->cl)->name : NULL;
}

void tt_context_cancel(tt_context *c)
{
    atomic_store(&c->cancel, 1);
}

/* ---- networks ------------------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

/* What is worth knowing of the file after it is closed. */
static tt_status remember(tt_network *n, const tt_weights *w, tt_error *err)
{
    size_t count = 0;
    while (w->metadata && w->metadata[count])
        count++;
    n->tensors = w->count;
    n->format = copy_text(w->format);
    n->metadata = calloc(count + 1, sizeof *n->metadata);
    if (!n->format || !n->metadata)
        return tt_fail_memory(err, (count + 1) * sizeof *n->metadata);
    for (size_t i = 0; i < count; i++) {
        n->metadata[i] = copy_text(w->metadata[i]);
        if (!n->metadata[i])
            return tt_fail_memory(err, strlen(w->metadata[i]) + 1);
    }
    return TT_OK;
}

/* The weights on the device, while those of the graph are there; without them the processor does it. */
static tt_status bring_there(tt_network *n, const tt_graph *graph, tt_error *err)
{
    tt_error why = {0};
    if (!n->device)
        return TT_OK;
    const tt_status st = tt_cl_net_new(&n->there, n->device->cl, n->net, graph, &why);
    if (st && n->device->only)
        return tt_fail(err, st, "%s", why.text);
    if (st)
        tt_device_excuse(n->device, &why, "the processor does the work");
    return TT_OK;
}

static tt_status make_ready(tt_network *n, const tt_weights *w, const char *const *settings, tt_error *err)
{
    tt_graph *graph = NULL;
    tt_status st = remember(n, w, err);
    if (st)
        return st;
    st = tt_model_build(w, settings, &n->model, &n->traits, &graph, err);
    if (st)
        return st;
    tt_kernels_init(&n->kernels, tt_cpu_detect());
    st = tt_net_new(&n->net, graph, &n->kernels, err);
    if (!st)
        tt_net_get_facts(n->net, &n->facts);
    if (!st)
        st = bring_there(n, graph, err);
    tt_graph_free(graph);
    return st;
}

tt_status tt_network_open(tt_network **n, const char *path, const char *const *settings, tt_error *err)
{
    return tt_network_open_for(n, NULL, path, settings, err);
}

tt_status tt_network_open_for(tt_network **n, tt_context *c, const char *path, const char *const *settings, tt_error *err)
{
    tt_weights w = {0};
    const bool embedded = !path || !strcmp(path, "default");
    *n = NULL;
    tt_network *made = calloc(1, sizeof *made);
    if (!made)
        return tt_fail_memory(err, sizeof *made);
    made->device = c ? tt_device_share(c->device) : NULL;
    tt_status st = TT_OK;
    const char *name = embedded ? "default" : path;
    made->path = copy_text(name);
    made->shelf = calloc(1, sizeof *made->shelf);
    if (!made->path || !made->shelf)
        st = tt_fail_memory(err, strlen(name) + 1 + sizeof *made->shelf);
    else if (embedded)
        st = tt_weights_open_memory(&w, tt_default_weights, tt_default_weights_size, "default", err);
    else
        st = tt_weights_open(&w, path, err);
    if (!st)
        st = tt_model_adopt(&w, err);
    if (!st)
        st = make_ready(made, &w, settings, err);
    tt_weights_clear(&w);
    if (st)
        tt_network_free(made);
    else
        *n = made;
    return st;
}

void tt_network_free(tt_network *n)
{
    if (!n)
        return;
    if (n->shelf)
        tt_network_forget(n);
    free(n->shelf);
    tt_cl_net_free(n->there);
    tt_device_free(n->device);
    tt_net_free(n->net);
    for (char **m = n->metadata; m && *m; m++)
        free(*m);
    free(n->metadata);
    free(n->format);
    free(n->path);
    free(n);
}

tt_status tt_network_get_info(const tt_network *n, tt_network_info *info)
{
    const size_t size = info->size;
    if (size < sizeof info->size)
        return TT_ERR_USAGE;
    const tt_network_info full = {
        .size = size,
        .name = n->model->name,
        .variant = n->traits.variant,
        .channels = n->facts.in_channels,
        .scale = (double)n->facts.scale_num / n->facts.scale_den,
        .receptive_field = n->facts.global ? 0 : n->facts.receptive_field,
        .parameters = n->facts.parameters,
    };
    memcpy(info, &full, size < sizeof full ? size : sizeof full);
    return TT_OK;
}

static void free_kept(tt_kept *k)
{
    if (k)
        tt_plan_free(k->plan);
    free(k);
}

void tt_network_forget(const tt_network *n)
{
    free_kept(atomic_exchange(&n->shelf->kept, NULL));
}

static bool within_budget(const tt_context *c, const tt_network *n, const tt_plan_facts *f)
{
    return f->arena_bytes <= c->memory && n->facts.packed_bytes <= c->memory - f->arena_bytes;
}

static tt_status over_budget(const tt_context *c, const tt_network *n, const tt_plan_facts *f, tt_error *err)
{
    return tt_fail(err, TT_ERR_MEMORY, "%dx%d values through %s need %zu bytes, the memory budget is %llu", f->in_w, f->in_h,
                   n->path, f->arena_bytes, (unsigned long long)c->memory);
}

/* Reckoned before it is allocated. */
static tt_status make_plan(tt_context *c, const tt_network *n, int h, int w, tt_kept *k, tt_error *err)
{
    const tt_plan_options size = {.threads = k->threads, .only_size = true}, real = {.threads = k->threads};
    tt_plan *plan = NULL;
    const tt_status st = tt_plan_new(&plan, n->net, h, w, &size, err);
    if (st)
        return st;
    tt_plan_get_facts(plan, &k->facts);
    tt_plan_free(plan);
    if (!within_budget(c, n, &k->facts))
        return over_budget(c, n, &k->facts, err);
    return tt_plan_new(&k->plan, n->net, h, w, &real, err);
}

/* The plan on the shelf if it will do, or else, that one freed, a new one. The caller's until it is put back. */
static tt_status take_plan(tt_context *c, const tt_network *n, int h, int w, tt_kept **taken, tt_error *err)
{
    const int threads = tt_pool_threads(c->pool);
    tt_kept *k = atomic_exchange(&n->shelf->kept, NULL);
    *taken = k;
    if (k && k->facts.in_h == h && k->facts.in_w == w && k->threads == threads && within_budget(c, n, &k->facts))
        return TT_OK;
    free_kept(k);
    *taken = k = calloc(1, sizeof *k);
    if (!k)
        return tt_fail_memory(err, sizeof *k);
    k->threads = threads;
    return make_plan(c, n, h, w, k, err);
}

static tt_status run_plan(tt_context *c, const tt_network *n, const float *in, int h, int w, float *out,
                          tt_error *err)
{
    const tt_watch watch = {.cancel = &c->cancel};
    tt_kept *k;
    tt_status st = take_plan(c, n, h, w, &k, err);
    if (!st)
        st = tt_plan_run(k->plan, c->pool, in, out, &watch, err);
    if (!st)
        k = atomic_exchange(&n->shelf->kept, k); /* another run may have put its own there meanwhile */
    free_kept(k);
    if (st == TT_ERR_CANCELLED)
        atomic_store(&c->cancel, 0);
    return st;
}

/* By the network's device; the processor must be able to take over within the budget. */
static tt_status run_there(tt_context *c, const tt_network *n, const float *in, int h, int w, float *out, tt_error *err)
{
    const tt_plan_options real = {.threads = tt_pool_threads(c->pool)};
    const tt_watch watch = {.cancel = &c->cancel};
    tt_plan_options size = real;
    tt_kept k = {.threads = real.threads};
    tt_runner r = {0};
    size.only_size = true;
    tt_status st = tt_plan_new(&k.plan, n->net, h, w, &size, err);
    if (st)
        return st;
    tt_plan_get_facts(k.plan, &k.facts);
    tt_plan_free(k.plan);
    if (!within_budget(c, n, &k.facts))
        return over_budget(c, n, &k.facts, err);
    st = tt_runner_init(&r, n, h, w, &real, true, TT_WAY_HELD, true, err);
    if (!st)
        st = tt_runner_run(&r, c->pool, in, out, false, &watch, err);
    tt_runner_clear(&r);
    if (st == TT_ERR_CANCELLED)
        atomic_store(&c->cancel, 0);
    return st;
}

tt_status tt_network_run(tt_context *c, const tt_network *n, const float *in, int h, int w, float *out,
                         int *out_channels, int *out_h, int *out_w, tt_error *err)
{
    int oh, ow;
    if (!in != !out)
        return tt_fail(err, TT_ERR_USAGE, "only one of input and output is given");
    const tt_status st = tt_net_size(n->net, h, w, &oh, &ow, err);
    if (st)
        return st;
    if (out_channels)
        *out_channels = n->facts.out_channels;
    if (out_h)
        *out_h = oh;
    if (out_w)
        *out_w = ow;
    if (!in)
        return TT_OK;
    return n->there && tt_device_works(n->device) ? run_there(c, n, in, h, w, out, err)
                                                  : run_plan(c, n, in, h, w, out, err);
}

/* ---- images --------------------------------------------------------------------------------------- */

tt_status tt_image_load(tt_image **img, const char *path, tt_error *err)
{
    const tt_image_limits limits = {.max_bytes = tt_memory_default()};
    *img = NULL;
    tt_image *made = calloc(1, sizeof *made);
    if (!made)
        return tt_fail_memory(err, sizeof *made);
    const tt_status st = tt_image_read(made, path, &limits, err);
    if (st)
        free(made);
    else
        *img = made;
    return st;
}

tt_status tt_image_new(tt_image **img, int width, int height, int channels, int depth, const void *samples,
                       tt_error *err)
{
    *img = NULL;
    if (width <= 0 || height <= 0 || channels < 1 || channels > 4 || (depth != 8 && depth != 16) || !samples)
        return tt_fail(err, TT_ERR_USAGE, "a picture of %dx%d pixels, %d channels and %d bits cannot be", width,
                       height, channels, depth);
    tt_image *made = calloc(1, sizeof *made);
    if (!made)
        return tt_fail_memory(err, sizeof *made);
    const tt_status st = tt_image_init(made, width, height, channels, depth, err);
    if (st) {
        free(made);
        return st;
    }
    memcpy(made->samples, samples, (size_t)width * (size_t)height * tt_image_pixel_bytes(made));
    *img = made;
    return TT_OK;
}

void tt_image_free(tt_image *img)
{
    if (!img)
        return;
    tt_image_clear(img);
    free(img);
}

int tt_image_width(const tt_image *img)
{
    return img->width;
}

int tt_image_height(const tt_image *img)
{
    return img->height;
}

int tt_image_channels(const tt_image *img)
{
    return img->channels;
}

int tt_image_depth(const tt_image *img)
{
    return img->depth;
}

const void *tt_image_samples(const tt_image *img)
{
    return img->samples;
}

tt_status tt_image_save(const tt_image *img, const char *path, const tt_save_options *o, tt_error *err)
{
    tt_save_options given = {.size = sizeof given};
    if (o && o->size < sizeof o->size)
        return tt_fail(err, TT_ERR_USAGE, "tt_save_options.size is not set");
    if (o)
        memcpy(&given, o, o->size < sizeof given ? o->size : sizeof given);
    const tt_write_options w = {.format = given.format, .jpeg_quality = given.jpeg_quality,
                                .overwrite = given.overwrite != 0};
    return tt_image_write(img, path, &w, err);
}
