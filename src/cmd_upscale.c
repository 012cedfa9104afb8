/* `tintype upscale` and `tintype denoise`: pictures in, larger or cleaner pictures out. */
#include "src/cli_batch.h"

#include "engine/status.h"
#include "src/image/grey.h"
#include "src/source.h"
#include "src/upscale.h"

#include <stdlib.h>
#include <string.h>

typedef struct session {
    char scale[32]; /* "2", "1.5"; "" with --size, and where nothing is enlarged */
} session;

static tt_upscale_options upscaling(tt_batch *b)
{
    return (tt_upscale_options){
        .size = sizeof(tt_upscale_options),
        .scale = b->a->scale,
        .width = b->a->width,
        .height = b->a->height,
        .tta = b->a->tta,
        .progress = tt_progress_at,
        .user = &b->progress,
    };
}

static void tell_plan(tt_batch *b, const tt_job *j, const tt_image *in, const tt_report *r)
{
    if (b->progress.json)
        tt_json_line(json_pack("{ss so so si si si si si si si si si sI sf}", "event", "plan", "input",
                               tt_json_text(j->input), "output", tt_json_text(j->output), "input_width",
                               in->width, "input_height", in->height, "width", r->width, "height", r->height,
                               "passes", r->passes, "tiles", r->tiles, "tile_width", r->tile_width,
                               "tile_height", r->tile_height, "overlap", r->overlap, "memory_bytes",
                               (json_int_t)r->planned_bytes, "flops", r->flops));
    else
        printf("%s %dx%d -> %s %dx%d: %d tile%s of at most %dx%d (overlap %d) in %d pass%s, %s, %.3g GFLOP\n",
               tt_shown_input(j->input), in->width, in->height, tt_shown_output(j->output), r->width,
               r->height, r->tiles, r->tiles == 1 ? "" : "s", r->tile_width, r->tile_height, r->overlap,
               r->passes, r->passes == 1 ? "" : "es", tt_shown_bytes((double)r->planned_bytes),
               1e-9 * r->flops);
}

static void tell_done(tt_batch *b, const tt_job *j, const tt_image *in, const tt_report *r)
{
    const double seconds = tt_seconds() - b->progress.began, peak = tt_peak_bytes();
    const char *scale = ((const session *)b->own)->scale;
    if (b->progress.json) {
        tt_json_line(json_pack("{ss so so si si si si so ss sf sf si sI}", "event", "done", "input",
                               tt_json_text(j->input), "output", tt_json_text(j->output), "input_width",
                               in->width, "input_height", in->height, "width", r->width, "height", r->height,
                               "model", tt_json_text(b->model), "network", b->n->model->name, "seconds",
                               seconds, "network_seconds", r->network_seconds, "tiles", r->tiles,
                               "peak_bytes", (json_int_t)peak));
        return;
    }
    tt_progress_say(&b->progress, "%s %dx%d -> %s %dx%d, %s%s%s, %s, %s", tt_shown_input(j->input), in->width,
                    in->height, tt_shown_output(j->output), r->width, r->height, b->model, *scale ? " x" : "",
                    scale, tt_shown_seconds(seconds), tt_shown_bytes(peak));
    if (b->a->verbose)
        tt_progress_say(&b->progress,
                        "  %d tile%s of at most %dx%d, overlap %d, %d pass%s; network %s, %.3g GFLOP/s",
                        r->tiles, r->tiles == 1 ? "" : "s", r->tile_width, r->tile_height, r->overlap,
                        r->passes, r->passes == 1 ? "" : "es", tt_shown_seconds(r->network_seconds),
                        r->network_seconds > 0 ? 1e-9 * r->flops / r->network_seconds : 0);
}

/* What would only be found out after the work is asked before it. */
static tt_status foresee(tt_batch *b, const tt_job *j, const tt_source *in, const tt_upscale_to *to, tt_report *r,
                         tt_error *err)
{
    const tt_write_options w = tt_batch_writing(b->a);
    const tt_upscale_options o = upscaling(b);
    tt_status st = tt_batch_can_write(b, j, &in->head, in->head.channels, err);
    if (!st)
        st = tt_upscale_estimate(b->c, b->n, in, &o, to, r, err);
    if (!st)
        st = tt_image_can_hold(r->width, r->height, j->output, &w, err);
    return st;
}

/* The result on its way into the file. */
typedef struct going {
    tt_batch *b;
    const tt_job *j;
    int channels;        /* in the file */
    bool grey;           /* it was stored as colour, and so is the result */
    tt_blob icc;         /* ... with this profile */
    tt_image head;       /* borrowed; of the result as it goes into the network's sink */
    unsigned char *line; /* a row in colour */
    tt_batch_writer writer;
} going;

static tt_status begin_file(void *user, const tt_image *head, tt_error *err)
{
    going *g = user;
    tt_image colour = *head;
    g->head = *head;
    if (g->grey) {
        const size_t bytes = (size_t)head->width * (tt_image_pixel_bytes(head) + (size_t)head->depth / 4);
        colour.channels += 2;
        colour.icc = g->icc;
        g->line = malloc(bytes);
        if (!g->line)
            return tt_fail_memory(err, bytes);
    }
    return tt_batch_write_begin(g->b, g->j, &colour, &g->writer, err);
}

static tt_status rows_into_file(void *user, const void *samples, int rows, tt_error *err)
{
    going *g = user;
    const size_t row = (size_t)g->head.width * tt_image_pixel_bytes(&g->head);
    tt_status st = TT_OK;
    if (!g->grey)
        return tt_batch_write_rows(&g->writer, samples, rows, err);
    for (int y = 0; y < rows && !st; y++) {
        tt_grey_to_colour(g->line, (const char *)samples + (size_t)y * row, g->head.channels, g->head.depth,
                          (size_t)g->head.width);
        st = tt_batch_write_rows(&g->writer, g->line, 1, err);
    }
    return st;
}

static uint64_t file_takes(void *user, int width, int height)
{
    const going *g = user;
    const tt_write_options o = tt_batch_writing(g->b->a);
    return tt_image_writing_bytes(width, height, g->channels, g->j->output, &o);
}

static tt_status work(tt_batch *b, const tt_job *j, tt_error *err)
{
    const tt_upscale_options o = upscaling(b);
    going g = {.b = b, .j = j};
    const tt_upscale_to to = {begin_file, rows_into_file, file_takes, &g};
    tt_source in;
    tt_report r = {0};
    tt_status st = tt_batch_open(b, j, &in, err);
    g.channels = in.head.channels;
    g.grey = !st && in.only_grey;
    if (g.grey) { /* through the network as grey: three colours would not come out as equal as they went in */
        tt_source_to_grey(&in);
        g.icc = in.head.icc;
        in.head.icc = (tt_blob){0};
    }
    if (st || (st = foresee(b, j, &in, &to, &r, err)))
        goto done;
    if (b->a->dry_run) {
        tt_progress_end(&b->progress);
        tell_plan(b, j, &in.head, &r);
        goto done;
    }
    if ((st = tt_job_prepare(j, err)))
        goto done;
    st = tt_upscale_rows(b->c, b->n, &in, &o, &to, &r, err);
    if (!st)
        tt_progress_phase(&b->progress, "writing");
    st = tt_batch_write_end(&g.writer, st, err);
    if (st)
        goto done;
    tt_progress_end(&b->progress);
    tell_done(b, j, &in.head, &r);
done:
    tt_progress_end(&b->progress);
    free(g.line);
    tt_source_clear(&in);
    tt_blob_clear(&g.icc);
    return st;
}

static bool denoises(const tt_batch *b)
{
    return b->a->command->bit == TT_CMD_DENOISE;
}

/* Denoising keeps the size, and so must its network. */
static tt_status keeps_size(const tt_batch *b, const tt_network_info *info, tt_error *err)
{
    if (b->n->traits.enlarge_first)
        return tt_fail(err, TT_ERR_USAGE,
                       "%s: %s sharpens what a bicubic has enlarged and cleans nothing; use: tintype upscale",
                       b->n->path, b->n->model->title);
    if (info->scale != 1)
        return tt_fail(
            err, TT_ERR_USAGE,
            "%s: the network enlarges pictures by %.6g, and denoise keeps their size; use: tintype upscale%s",
            b->n->path, info->scale, b->a->model ? "" : ", or name a network of scale 1 with --model");
    return TT_OK;
}

static tt_status begin(tt_batch *b, session *s, const tt_args *a, tt_error *err)
{
    if (a->scale > 0 && a->size)
        return tt_fail(err, TT_ERR_USAGE, "--scale and --size contradict each other");
    tt_status st = tt_batch_begin(b, a, err);
    if (st)
        return st;
    tt_network_info info = {.size = sizeof info};
    tt_network_get_info(b->n, &info);
    if (denoises(b) && (st = keeps_size(b, &info, err)))
        return st;
    if (!a->size && !denoises(b))
        snprintf(s->scale, sizeof s->scale, "%.6g",
                 a->scale > 0                 ? a->scale
                 : b->n->traits.enlarge_first ? 2
                                              : info.scale);
    const tt_naming naming = {
        .output = a->output,
        .usual = denoises(b) ? "{stem}_clean.{ext}"
                 : a->size   ? "{stem}_{size}.{ext}"
                             : "{stem}_x{scale}.{ext}",
        .scale = *s->scale ? s->scale : NULL,
        .size = a->size,
        .format = a->format,
        .recursive = a->recursive,
        .overwrite = a->overwrite,
        .verbose = a->verbose,
    };
    return tt_batch_find(b, a->operand, a->operands, &naming, err);
}

int tt_cmd_upscale(const tt_args *a)
{
    session s = {0};
    tt_batch b = {.work = work, .own = &s};
    tt_error e = {0};
    const tt_status st = begin(&b, &s, a, &e);
    if (!st)
        tt_batch_run(&b);
    return tt_batch_end(&b, st, &e);
}
