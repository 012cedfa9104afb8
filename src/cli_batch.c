/* See src/cli_batch.h. */
#include "src/cli_batch.h"

#include "engine/status.h"
#include "kernels/cpu.h"
#include "src/output.h"

#include <stdlib.h>
#include <string.h>

/* ---- the beginning -------------------------------------------------------------------------------- */

static tt_status make_sense(const tt_args *a, tt_error *err)
{
    if (a->overwrite && a->skip_existing)
        return tt_fail(err, TT_ERR_USAGE, "--overwrite and --skip-existing contradict each other");
    if (a->quiet && a->verbose)
        return tt_fail(err, TT_ERR_USAGE, "--quiet and --verbose contradict each other");
    if (a->json && !a->dry_run &&
        (a->output ? !strcmp(a->output, "-") : a->operands && !strcmp(a->operand[0], "-")))
        return tt_fail(err, TT_ERR_USAGE,
                       "--json and the picture both want standard output; give an --output");
    if (a->quality && a->format && strcmp(a->format, "jpeg"))
        return tt_fail(err, TT_ERR_USAGE, "--quality is for JPEG, and --format is %s", a->format);
    return TT_OK;
}

tt_write_options tt_batch_writing(const tt_args *a)
{
    return (tt_write_options){.format = a->format, .jpeg_quality = a->quality, .overwrite = a->overwrite};
}

tt_status tt_batch_begin(tt_batch *b, const tt_args *a, tt_error *err)
{
    b->a = a;
    b->began = tt_seconds();
    tt_progress_init(&b->progress, a->json, a->quiet);
    tt_status st = make_sense(a, err);
    if (st || (st = tt_cli_context(&b->c, a, err)) || (st = tt_network_open_for(&b->n, b->c, a->model, a->net, err)))
        return st;
    snprintf(b->model, sizeof b->model, "%s", tt_shown(tt_base_name(b->n->path)));
    return TT_OK;
}

tt_status tt_batch_find(tt_batch *b, char *const *operand, int operands, const tt_naming *naming,
                        tt_error *err)
{
    const tt_write_options w = tt_batch_writing(b->a);
    tt_jobs_clear(&b->jobs);
    tt_status st = tt_jobs_find(&b->jobs, operand, operands, naming, err);
    for (size_t i = 0; i < b->jobs.count && !st; i++) {
        const char *output = b->jobs.job[i].output;
        if (output)
            st = tt_image_can_write(1, 8, output, &w, err); /* what all formats take: is it one? */
        if (output && !strcmp(output, "-") && !st && !b->a->dry_run)
            st = tt_cli_no_terminal("a picture", err);
    }
    if (!st && b->a->verbose)
        tt_cli_note("%s: %s, %s; %s kernels, %d threads, %s to work in%s%s", b->model, b->n->model->title,
                    b->n->traits.variant, tt_cpu_name(b->n->kernels.cpu), tt_context_threads(b->c),
                    tt_shown_bytes((double)tt_context_memory(b->c)), b->n->there ? "; on " : "",
                    b->n->there ? tt_context_device(b->c) : "");
    return st;
}

/* ---- one picture ---------------------------------------------------------------------------------- */

static void narrow(uint8_t *to, const uint16_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)((from[i] + 128u) / 257);
}

/* 255 is 65535, and each of the 256 levels comes back as itself. */
static tt_status make_shallow(tt_image *img, tt_error *err)
{
    const size_t n = (size_t)img->width * (size_t)img->height * (size_t)img->channels;
    if (img->depth == 8)
        return TT_OK;
    uint8_t *to = malloc(n);
    if (!to)
        return tt_fail_memory(err, n);
    narrow(to, img->samples, n);
    free(img->samples);
    img->samples = to;
    img->depth = 8;
    return TT_OK;
}

static tt_status open_source(tt_batch *b, const tt_job *j, bool hold, tt_source *in, tt_error *err)
{
    const tt_args *a = b->a;
    const tt_source_options o = {.limits = {a->max_pixels, tt_context_memory(b->c), a->salvage},
                                 .srgb = a->icc && !strcmp(a->icc, "srgb"),
                                 .deep = a->depth && !strcmp(a->depth, "16"),
                                 .held_most = hold ? UINT64_MAX : 0};
    const tt_status st = tt_source_open(in, j->input, &o, err);
    if (!st && in->head.missing > 0 && !a->quiet) {
        tt_progress_end(&b->progress);
        tt_cli_note("tintype: %s: damaged; %.0f %% of the picture is missing", tt_shown_input(j->input),
                    in->head.missing < 0.01 ? 1 : 100 * in->head.missing);
    }
    return st;
}

tt_status tt_batch_open(tt_batch *b, const tt_job *j, tt_source *in, tt_error *err)
{
    return open_source(b, j, false, in, err);
}

tt_status tt_batch_load(tt_batch *b, const tt_job *j, tt_image *in, tt_error *err)
{
    tt_source s;
    const tt_status st = open_source(b, j, true, &s, err);
    *in = s.head;
    s.head = (tt_image){0};
    tt_source_clear(&s);
    return st;
}

static bool to_8_bits(const tt_args *a)
{
    return a->depth && !strcmp(a->depth, "8");
}

tt_status tt_batch_can_write(const tt_batch *b, const tt_job *j, const tt_image *in, int channels,
                             tt_error *err)
{
    const tt_write_options w = tt_batch_writing(b->a);
    return tt_image_can_write(channels, to_8_bits(b->a) ? 8 : in->depth, j->output, &w, err);
}

tt_status tt_batch_write(tt_batch *b, const tt_job *j, tt_image *out, tt_error *err)
{
    const tt_write_options w = tt_batch_writing(b->a);
    const tt_status st = to_8_bits(b->a) ? make_shallow(out, err) : TT_OK;
    if (st)
        return st;
    tt_progress_phase(&b->progress, "writing");
    return tt_image_write(out, j->output, &w, err);
}

tt_status tt_batch_write_begin(tt_batch *b, const tt_job *j, const tt_image *head, tt_batch_writer *w,
                               tt_error *err)
{
    const tt_write_options o = tt_batch_writing(b->a);
    const size_t row = (size_t)head->width * (size_t)head->channels;
    *w = (tt_batch_writer){.head = *head};
    if (to_8_bits(b->a) && head->depth == 16) {
        w->head.depth = 8;
        w->narrow = malloc(row);
        if (!w->narrow)
            return tt_fail_memory(err, row);
    }
    return tt_writer_begin(&w->writer, &w->head, j->output, &o, err);
}

tt_status tt_batch_write_rows(tt_batch_writer *w, const void *samples, int rows, tt_error *err)
{
    const size_t row = (size_t)w->head.width * (size_t)w->head.channels;
    tt_status st = TT_OK;
    if (!w->narrow)
        return tt_writer_rows(w->writer, samples, rows, err);
    for (int y = 0; y < rows && !st; y++) {
        narrow(w->narrow, (const uint16_t *)samples + (size_t)y * row, row);
        st = tt_writer_rows(w->writer, w->narrow, 1, err);
    }
    return st;
}

tt_status tt_batch_write_end(tt_batch_writer *w, tt_status so_far, tt_error *err)
{
    const tt_status st = tt_writer_end(w->writer, so_far, err);
    free(w->narrow);
    *w = (tt_batch_writer){0};
    return st;
}

static tt_status exists(const tt_job *j, tt_error *err)
{
    return tt_fail(err, TT_ERR_OUTPUT,
                   "%s: exists already; --overwrite replaces it, --skip-existing passes over it", j->output);
}

static tt_status one(tt_batch *b, const tt_job *j, tt_error *err)
{
    const bool done = tt_job_done(j);
    if (j->problem)
        return tt_fail(err, TT_ERR_INPUT, "%s: %s", j->input, j->problem);
    if (done && !b->a->overwrite)
        return exists(j, err);
    if (!b->a->dry_run) {
        char *dir = tt_job_directory(j);
        tt_cli_writes_in(dir);
        free(dir);
    }
    return b->work(b, j, err);
}

static void pass_over(tt_batch *b, const tt_job *j)
{
    b->skipped++;
    if (b->progress.json)
        tt_json_line(json_pack("{ss so so}", "event", "skipped", "input", tt_json_text(j->input), "output",
                               tt_json_text(j->output)));
    else if (b->a->verbose)
        tt_cli_note("%s: passed over: %s exists", tt_shown_input(j->input), tt_shown(j->output));
}

static void fail(tt_batch *b, const tt_job *j, tt_status st, const tt_error *e)
{
    b->failed++;
    if (!b->first)
        b->first = st;
    if (st == TT_ERR_CANCELLED)
        return;
    /* what concerns the output names it already */
    tt_cli_complain(st == TT_ERR_OUTPUT || st == TT_ERR_TEMPORARY ? NULL : j->input, e);
    if (b->progress.json)
        tt_json_line(json_pack("{ss so ss si so}", "event", "error", "input", tt_json_text(j->input),
                               "status", tt_status_text(st), "code", tt_exit_code(st), "text",
                               tt_json_text(e->text)));
}

/* ---- all of them ---------------------------------------------------------------------------------- */

void tt_batch_run(tt_batch *b)
{
    b->count += b->jobs.count;
    for (size_t i = 0; i < b->jobs.count && !tt_cli_stopped(); i++) {
        const tt_job *j = &b->jobs.job[i];
        tt_error e = {0};
        if (b->a->skip_existing && tt_job_done(j)) {
            pass_over(b, j);
            continue;
        }
        tt_progress_begin(&b->progress, j->input, i + 1, b->jobs.count);
        const tt_status st = one(b, j, &e);
        tt_progress_end(&b->progress);
        if (st)
            fail(b, j, st, &e);
        else
            b->done++;
        if (st == TT_ERR_CANCELLED || (st && b->a->fail_fast))
            break;
    }
}

static void summary(tt_batch *b)
{
    if (b->progress.json)
        tt_json_line(json_pack("{ss sI sI sI sf}", "event", "summary", "done", (json_int_t)b->done, "skipped",
                               (json_int_t)b->skipped, "failed", (json_int_t)b->failed, "seconds",
                               tt_seconds() - b->began));
    else if (b->count > 1 && !b->a->dry_run)
        tt_progress_say(&b->progress, "%zu done, %zu passed over, %zu failed, %s", b->done, b->skipped,
                        b->failed, tt_shown_seconds(tt_seconds() - b->began));
}

int tt_batch_end(tt_batch *b, tt_status st, const tt_error *e)
{
    int code = tt_exit_code(st);
    if (st) {
        tt_cli_complain(NULL, e);
    } else {
        summary(b);
        if (b->failed)
            code = b->count > 1 ? TT_EXIT_SOME : tt_exit_code(b->first);
        if (!b->count && !b->a->quiet)
            tt_cli_note("tintype: there is no picture in the directories given");
    }
    tt_jobs_clear(&b->jobs);
    tt_cli_context_free(b->c);
    tt_network_free(b->n);
    return code;
}
