/* `tintype upscale` and `tintype denoise`: pictures in, larger or cleaner pictures out. */
#include "src/cli.h"

#include "engine/status.h"
#include "kernels/cpu.h"
#include "src/image/grey.h"
#include "src/image/icc.h"
#include "src/image/image.h"
#include "src/inputs.h"
#include "src/progress.h"
#include "src/upscale.h"

#include <stdlib.h>
#include <string.h>

typedef struct session {
    const tt_args *a;
    tt_context *c;
    tt_network *n;
    tt_jobs jobs;
    tt_progress progress;
    char model[256]; /* as the result's line calls it */
    char scale[32];  /* "2", "1.5"; "" with --size, and where nothing is enlarged */
    size_t done, skipped, failed;
    tt_status first; /* of the failures */
    double began;
} session;

/* ---- the whole -------------------------------------------------------------------------------------- */

static tt_status make_sense(const tt_args *a, tt_error *err)
{
    if (a->overwrite && a->skip_existing)
        return tt_fail(err, TT_ERR_USAGE, "--overwrite and --skip-existing contradict each other");
    if (a->scale > 0 && a->size)
        return tt_fail(err, TT_ERR_USAGE, "--scale and --size contradict each other");
    if (a->quiet && a->verbose)
        return tt_fail(err, TT_ERR_USAGE, "--quiet and --verbose contradict each other");
    if (a->json && !a->dry_run && (a->output ? !strcmp(a->output, "-") : !strcmp(a->operand[0], "-")))
        return tt_fail(err, TT_ERR_USAGE,
                       "--json and the picture both want standard output; give an --output");
    if (a->quality && a->format && strcmp(a->format, "jpeg"))
        return tt_fail(err, TT_ERR_USAGE, "--quality is for JPEG, and --format is %s", a->format);
    return TT_OK;
}

static tt_write_options writing(const tt_args *a)
{
    return (tt_write_options){.format = a->format, .jpeg_quality = a->quality, .overwrite = a->overwrite};
}

static tt_upscale_options upscaling(session *s)
{
    return (tt_upscale_options){
        .size = sizeof(tt_upscale_options),
        .scale = s->a->scale,
        .width = s->a->width,
        .height = s->a->height,
        .tta = s->a->tta,
        .progress = tt_progress_at,
        .user = &s->progress,
    };
}

static bool denoises(const session *s)
{
    return s->a->command->bit == TT_CMD_DENOISE;
}

/* Denoising keeps the size, and so must its network. */
static tt_status keeps_size(const session *s, const tt_network_info *info, tt_error *err)
{
    if (s->n->traits.enlarge_first)
        return tt_fail(err, TT_ERR_USAGE,
                       "%s: %s sharpens what a bicubic has enlarged and cleans nothing; use: tintype upscale",
                       s->n->path, s->n->model->title);
    if (info->scale != 1)
        return tt_fail(
            err, TT_ERR_USAGE,
            "%s: the network enlarges pictures by %.6g, and denoise keeps their size; use: tintype upscale%s",
            s->n->path, info->scale, s->a->model ? "" : ", or name a network of scale 1 with --model");
    return TT_OK;
}

/* Network, context and the list of files; nothing is written yet. */
static tt_status begin(session *s, tt_error *err)
{
    const tt_args *a = s->a;
    tt_status st = make_sense(a, err);
    if (st)
        return st;
    if ((st = tt_network_open(&s->n, a->model, a->net, err)) || (st = tt_cli_context(&s->c, a, err)))
        return st;
    tt_network_info info = {.size = sizeof info};
    tt_network_get_info(s->n, &info);
    const char *slash = strrchr(s->n->path, '/');
    snprintf(s->model, sizeof s->model, "%s", tt_shown(slash ? slash + 1 : s->n->path));
    if (denoises(s) && (st = keeps_size(s, &info, err)))
        return st;
    if (!a->size && !denoises(s))
        snprintf(s->scale, sizeof s->scale, "%.6g",
                 a->scale > 0                 ? a->scale
                 : s->n->traits.enlarge_first ? 2
                                              : info.scale);
    const tt_naming naming = {
        .output = a->output,
        .usual = denoises(s) ? "{stem}_clean.{ext}"
                 : a->size   ? "{stem}_{size}.{ext}"
                             : "{stem}_x{scale}.{ext}",
        .scale = *s->scale ? s->scale : NULL,
        .size = a->size,
        .format = a->format,
        .recursive = a->recursive,
        .overwrite = a->overwrite,
        .verbose = a->verbose,
    };
    st = tt_jobs_find(&s->jobs, a->operand, a->operands, &naming, err);
    for (size_t i = 0; i < s->jobs.count && !st; i++) {
        const tt_write_options w = writing(a);
        if (s->jobs.job[i].output)
            st = tt_image_can_write(1, 8, s->jobs.job[i].output, &w,
                                    err); /* what all formats take: is it one? */
        if (s->jobs.job[i].output && !strcmp(s->jobs.job[i].output, "-") && !st && !a->dry_run)
            st = tt_cli_no_terminal("a picture", err);
    }
    if (!st && a->verbose)
        tt_cli_note("%s: %s, %s; %s kernels, %d threads, %s to work in", s->model, s->n->model->title,
                    info.variant, tt_cpu_name(s->n->kernels.cpu), tt_context_threads(s->c),
                    tt_shown_bytes((double)tt_context_memory(s->c)));
    return st;
}

/* ---- one picture ----------------------------------------------------------------------------------- */

/* 8 bits to 16 and back: 255 is 65535, and each of the 256 levels comes back as itself. */
static tt_status set_depth(tt_image *img, int depth, tt_error *err)
{
    const size_t n = (size_t)img->width * (size_t)img->height * (size_t)img->channels;
    if (img->depth == depth)
        return TT_OK;
    if (depth == 16) {
        uint16_t *to = malloc(2 * n);
        const uint8_t *from = img->samples;
        if (!to)
            return tt_fail_memory(err, 2 * n);
        for (size_t i = 0; i < n; i++)
            to[i] = (uint16_t)(from[i] * 257);
        free(img->samples);
        img->samples = to;
    } else {
        uint8_t *to = malloc(n);
        const uint16_t *from = img->samples;
        if (!to)
            return tt_fail_memory(err, n);
        for (size_t i = 0; i < n; i++)
            to[i] = (uint8_t)((from[i] + 128u) / 257);
        free(img->samples);
        img->samples = to;
    }
    img->depth = depth;
    return TT_OK;
}

static tt_status load(session *s, const tt_job *j, tt_image *in, tt_error *err)
{
    const tt_args *a = s->a;
    const tt_image_limits limits = {a->max_pixels, tt_context_memory(s->c), a->salvage};
    tt_status st = tt_image_read(in, j->input, &limits, err);
    if (!st && in->missing > 0 && !a->quiet) {
        tt_progress_end(&s->progress);
        tt_cli_note("tintype: %s: damaged; %.0f %% of the picture is missing", tt_shown_input(j->input),
                    in->missing < 0.01 ? 1 : 100 * in->missing);
    }
    if (!st && a->icc && !strcmp(a->icc, "srgb"))
        st = tt_icc_to_srgb(in, err);
    if (!st && a->depth && !strcmp(a->depth, "16"))
        st = set_depth(in, 16, err);
    return st;
}

static void tell_plan(session *s, const tt_job *j, const tt_image *in, const tt_report *r)
{
    if (s->progress.json)
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

static void tell_done(session *s, const tt_job *j, const tt_image *in, const tt_image *out,
                      const tt_report *r)
{
    const double seconds = tt_seconds() - s->progress.began, peak = tt_peak_bytes();
    if (s->progress.json) {
        tt_json_line(json_pack("{ss so so si si si si so ss sf sf si sI}", "event", "done", "input",
                               tt_json_text(j->input), "output", tt_json_text(j->output), "input_width",
                               in->width, "input_height", in->height, "width", out->width, "height",
                               out->height, "model", tt_json_text(s->model), "network", s->n->model->name,
                               "seconds", seconds, "network_seconds", r->network_seconds, "tiles", r->tiles,
                               "peak_bytes", (json_int_t)peak));
        return;
    }
    tt_progress_say(&s->progress, "%s %dx%d -> %s %dx%d, %s%s%s, %s, %s", tt_shown_input(j->input), in->width,
                    in->height, tt_shown_output(j->output), out->width, out->height, s->model,
                    *s->scale ? " x" : "", s->scale, tt_shown_seconds(seconds), tt_shown_bytes(peak));
    if (s->a->verbose)
        tt_progress_say(&s->progress,
                        "  %d tile%s of at most %dx%d, overlap %d, %d pass%s; network %s, %.3g GFLOP/s",
                        r->tiles, r->tiles == 1 ? "" : "s", r->tile_width, r->tile_height, r->overlap,
                        r->passes, r->passes == 1 ? "" : "es", tt_shown_seconds(r->network_seconds),
                        r->network_seconds > 0 ? 1e-9 * r->flops / r->network_seconds : 0);
}

/* What would only be found out after the work is asked before it. */
static tt_status foresee(session *s, const tt_job *j, const tt_image *in, tt_report *r, tt_error *err)
{
    const tt_write_options w = writing(s->a);
    const tt_upscale_options o = upscaling(s);
    const bool to8 = s->a->depth && !strcmp(s->a->depth, "8");
    tt_status st = tt_image_can_write(in->channels, to8 ? 8 : in->depth, j->output, &w, err);
    if (!st)
        st = tt_upscale_estimate(s->c, s->n, in, &o, r, err);
    if (!st)
        st = tt_image_can_hold(r->width, r->height, j->output, &w, err);
    return st;
}

/* The result of a grey picture stored as colour is larger than the plan of the grey one knows. */
static tt_status has_room_for_colour(const session *s, const tt_image *grey, const tt_report *r,
                                     tt_error *err)
{
    const uint64_t bytes = (uint64_t)grey->depth / 8, in = (uint64_t)grey->width * (uint64_t)grey->height,
                   out = (uint64_t)r->width * (uint64_t)r->height,
                   all = bytes * (in * (uint64_t)grey->channels + out * (uint64_t)(grey->channels + 2));
    if (all <= tt_context_memory(s->c))
        return TT_OK;
    return tt_fail(err, TT_ERR_MEMORY,
                   "a result of %dx%d pixels needs %.0f MiB and the memory budget is %.0f MiB", r->width,
                   r->height, (double)(all >> 20) + 1, (double)(tt_context_memory(s->c) >> 20));
}

static tt_status work(session *s, const tt_job *j, tt_error *err)
{
    const tt_write_options w = writing(s->a);
    const tt_upscale_options o = upscaling(s);
    tt_image in = {0}, *out = NULL;
    tt_blob icc = {0}; /* of a grey picture stored as colour, for its result */
    tt_report r = {0};
    tt_status st = load(s, j, &in, err);
    const bool grey = !st && tt_image_only_grey(&in);
    if (grey) { /* through the network as grey: three colours would not come out as equal as they went in */
        tt_image_to_grey(&in);
        icc = in.icc;
        in.icc = (tt_blob){0};
    }
    if (st || (st = foresee(s, j, &in, &r, err)))
        goto done;
    if (grey && (st = has_room_for_colour(s, &in, &r, err)))
        goto done;
    if (s->a->dry_run) {
        tt_progress_end(&s->progress);
        tell_plan(s, j, &in, &r);
        goto done;
    }
    if ((st = tt_job_prepare(j, err)) || (st = tt_upscale_report(s->c, s->n, &in, &o, &out, &r, err)))
        goto done;
    if (s->a->depth && !strcmp(s->a->depth, "8") && (st = set_depth(out, 8, err)))
        goto done;
    if (grey) {
        if ((st = tt_image_from_grey(out, err)))
            goto done;
        out->icc = icc;
        icc = (tt_blob){0};
    }
    tt_progress_phase(&s->progress, "writing");
    if ((st = tt_image_write(out, j->output, &w, err)))
        goto done;
    tt_progress_end(&s->progress);
    tell_done(s, j, &in, out, &r);
done:
    tt_progress_end(&s->progress);
    tt_image_free(out);
    tt_image_clear(&in);
    tt_blob_clear(&icc);
    return st;
}

static tt_status exists(const tt_job *j, tt_error *err)
{
    return tt_fail(err, TT_ERR_OUTPUT,
                   "%s: exists already; --overwrite replaces it, --skip-existing passes over it", j->output);
}

static tt_status one(session *s, const tt_job *j, tt_error *err)
{
    const bool done = tt_job_done(j);
    if (j->problem)
        return tt_fail(err, TT_ERR_INPUT, "%s: %s", j->input, j->problem);
    if (done && !s->a->overwrite)
        return exists(j, err);
    if (!s->a->dry_run) {
        char *dir = tt_job_directory(j);
        tt_cli_writes_in(dir);
        free(dir);
    }
    return work(s, j, err);
}

static void pass_over(session *s, const tt_job *j)
{
    s->skipped++;
    if (s->progress.json)
        tt_json_line(json_pack("{ss so so}", "event", "skipped", "input", tt_json_text(j->input), "output",
                               tt_json_text(j->output)));
    else if (s->a->verbose)
        tt_cli_note("%s: passed over: %s exists", tt_shown_input(j->input), tt_shown(j->output));
}

static void fail(session *s, const tt_job *j, tt_status st, const tt_error *e)
{
    s->failed++;
    if (!s->first)
        s->first = st;
    if (st == TT_ERR_CANCELLED)
        return;
    /* what concerns the output names it already */
    tt_cli_complain(st == TT_ERR_OUTPUT || st == TT_ERR_TEMPORARY ? NULL : j->input, e);
    if (s->progress.json)
        tt_json_line(json_pack("{ss so ss si so}", "event", "error", "input", tt_json_text(j->input),
                               "status", tt_status_text(st), "code", tt_exit_code(st), "text",
                               tt_json_text(e->text)));
}

static void all(session *s)
{
    for (size_t i = 0; i < s->jobs.count && !tt_cli_stopped(); i++) {
        const tt_job *j = &s->jobs.job[i];
        tt_error e = {0};
        if (s->a->skip_existing && tt_job_done(j)) {
            pass_over(s, j);
            continue;
        }
        tt_progress_begin(&s->progress, j->input, i + 1, s->jobs.count);
        const tt_status st = one(s, j, &e);
        tt_progress_end(&s->progress);
        if (st)
            fail(s, j, st, &e);
        else
            s->done++;
        if (st == TT_ERR_CANCELLED || (st && s->a->fail_fast))
            break;
    }
    if (s->progress.json)
        tt_json_line(json_pack("{ss sI sI sI sf}", "event", "summary", "done", (json_int_t)s->done, "skipped",
                               (json_int_t)s->skipped, "failed", (json_int_t)s->failed, "seconds",
                               tt_seconds() - s->began));
    else if (s->jobs.count > 1 && !s->a->dry_run)
        tt_progress_say(&s->progress, "%zu done, %zu passed over, %zu failed, %s", s->done, s->skipped,
                        s->failed, tt_shown_seconds(tt_seconds() - s->began));
}

int tt_cmd_upscale(const tt_args *a)
{
    session s = {.a = a, .began = tt_seconds()};
    tt_error e = {0};
    tt_progress_init(&s.progress, a->json, a->quiet);
    tt_status st = begin(&s, &e);
    int code = tt_exit_code(st);
    if (st) {
        tt_cli_complain(NULL, &e);
    } else {
        all(&s);
        if (s.failed)
            code = s.jobs.count > 1 ? TT_EXIT_SOME : tt_exit_code(s.first);
        if (!s.jobs.count && !a->quiet)
            tt_cli_note("tintype: there is no picture in the directories given");
    }
    tt_jobs_clear(&s.jobs);
    tt_cli_context_free(s.c);
    tt_network_free(s.n);
    return code;
}
