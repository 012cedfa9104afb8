/* `tintype colorize`: black-and-white pictures in, coloured ones out. Streams are in src/cmd_colorize_y4m.c.
 */
#include "src/cmd_colorize.h"

#include "engine/status.h"
#include "src/cli_batch.h"
#include "src/colorize.h"
#include "src/painter.h"
#include "src/sheet.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_RENDERS = 32 };

typedef struct session {
    int render[MOST_RENDERS];
    int renders;
    int now;        /* the factor in hand */
    bool for_sheet; /* it goes into the contact sheet alone */
    tt_sheet sheet;
} session;

/* ---- what is asked ---------------------------------------------------------------------------------- */

/* "10,20,35"; NULL leaves the list empty. */
static tt_status parse_renders(session *s, const char *text, tt_error *err)
{
    for (const char *p = text; p && *p;) {
        const size_t n = strcspn(p, ",");
        char word[16];
        double v = 0;
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), p);
        const bool good = tt_number_parse(word, &v) && v == (int)v && v >= 1 && v <= TT_RENDER_MOST;
        if (!good || (p[n] == ',' && !p[n + 1]))
            return tt_fail(err, TT_ERR_USAGE,
                           "--render is %s; whole numbers from 1 to %d are wanted, as in 10,20,35", text,
                           TT_RENDER_MOST);
        for (int i = 0; i < s->renders; i++)
            if (s->render[i] == (int)v)
                return tt_fail(err, TT_ERR_USAGE, "--render is %s; %d stands there twice", text, (int)v);
        if (s->renders == MOST_RENDERS)
            return tt_fail(err, TT_ERR_USAGE, "--render is %s; at most %d factors are taken at once", text,
                           MOST_RENDERS);
        s->render[s->renders++] = (int)v;
        p += n + (p[n] == ',');
    }
    return TT_OK;
}

static tt_status make_sense(const tt_args *a, const session *s, tt_error *err)
{
    if (!a->model || !strcmp(a->model, "default"))
        return tt_fail(err, TT_ERR_USAGE,
                       "colorize wants weights of DeOldify (artistic, stable or video): --model FILE");
    if (a->frames && (a->operands || a->y4m || a->recursive))
        return tt_fail(err, TT_ERR_USAGE,
                       "--frames says what the input is; it goes with no INPUT, --recursive or --y4m");
    if (a->frames && !a->output)
        return tt_fail(err, TT_ERR_USAGE, "--frames wants -o DIRECTORY, where the results go");
    if (!a->frames && !a->operands)
        return tt_fail(err, TT_ERR_USAGE, "colorize wants INPUT... or --frames DIR");
    if (a->contact_sheet && (a->frames || a->recursive || a->operands > 1 || a->y4m))
        return tt_fail(err, TT_ERR_USAGE, "--contact-sheet is for one picture");
    if (a->contact_sheet && a->dry_run)
        return tt_fail(err, TT_ERR_USAGE, "--contact-sheet and --dry-run contradict each other");
    if ((a->frames || a->y4m) && s->renders > 1)
        return tt_fail(err, TT_ERR_USAGE, "--render is %s; a film wants one factor", a->render);
    return TT_OK;
}

/* ---- one picture ------------------------------------------------------------------------------------ */

static void tell_plan(tt_batch *b, const tt_job *j, const tt_image *in, const tt_colour_report *r)
{
    if (b->progress.json)
        tt_json_line(json_pack("{ss so so si si si si sI sf}", "event", "plan", "input",
                               tt_json_text(j->input), "output", tt_json_text(j->output), "width", in->width,
                               "height", in->height, "render", r->render, "side", r->side, "memory_bytes",
                               (json_int_t)r->planned_bytes, "flops", r->flops));
    else
        printf("%s %dx%d -> %s: render %d (%dx%d), %s, %.3g GFLOP\n", tt_shown_input(j->input), in->width,
               in->height, tt_shown_output(j->output), r->render, r->side, r->side,
               tt_shown_bytes((double)r->planned_bytes), 1e-9 * r->flops);
}

static void tell_done(tt_batch *b, const tt_job *j, const tt_image *in, const tt_colour_report *r,
                      const char *output)
{
    const double seconds = tt_seconds() - b->progress.began, peak = tt_peak_bytes();
    if (b->progress.json) {
        tt_json_line(json_pack("{ss so so si si so ss si sf sf sI}", "event", "done", "input",
                               tt_json_text(j->input), "output", tt_json_text(output), "width", in->width,
                               "height", in->height, "model", tt_json_text(b->model), "network",
                               b->n->model->name, "render", r->render, "seconds", seconds, "network_seconds",
                               r->network_seconds, "peak_bytes", (json_int_t)peak));
        return;
    }
    tt_progress_say(&b->progress, "%s %dx%d -> %s, %s, render %d, %s, %s", tt_shown_input(j->input),
                    in->width, in->height, tt_shown_output(output), b->model, r->render,
                    tt_shown_seconds(seconds), tt_shown_bytes(peak));
    if (b->a->verbose)
        tt_progress_say(&b->progress, "  a square of %d pixels; network %s, %.3g GFLOP/s", r->side,
                        tt_shown_seconds(r->network_seconds),
                        r->network_seconds > 0 ? 1e-9 * r->flops / r->network_seconds : 0);
}

/* What would only be found out after the work is asked before it. */
static tt_status foresee(tt_batch *b, const tt_job *j, const tt_image *in, tt_colour_report *r, tt_error *err)
{
    const session *s = b->own;
    const tt_write_options w = tt_batch_writing(b->a);
    tt_status st = tt_batch_can_write(b, j, in, in->channels & 1 ? 3 : 4, err);
    if (!st)
        st = tt_image_can_hold(in->width, in->height, j->output, &w, err);
    if (!st)
        st = tt_colorize_estimate(b->c, b->n, in, s->now, r, err);
    return st;
}

static tt_status work(tt_batch *b, const tt_job *j, tt_error *err)
{
    session *s = b->own;
    const tt_colorize_options o = {
        .size = sizeof o, .render = s->now, .progress = tt_progress_at, .user = &b->progress};
    tt_image in = {0}, *out = NULL;
    tt_colour_report r = {0};
    tt_status st = tt_batch_load(b, j, &in, err);
    if (st || (st = foresee(b, j, &in, &r, err)))
        goto done;
    if (b->a->dry_run) {
        tt_progress_end(&b->progress);
        tell_plan(b, j, &in, &r);
        goto done;
    }
    if ((st = tt_job_prepare(j, err)) || (st = tt_colorize_report(b->c, b->n, &in, &o, &out, &r, err)))
        goto done;
    if (b->a->contact_sheet && ((!s->sheet.count && (st = tt_sheet_add(&s->sheet, &in, 0, err))) ||
                                (st = tt_sheet_add(&s->sheet, out, r.render, err))))
        goto done;
    if (!s->for_sheet && (st = tt_batch_write(b, j, out, err)))
        goto done;
    tt_progress_end(&b->progress);
    tell_done(b, j, &in, &r, s->for_sheet ? b->a->contact_sheet : j->output);
done:
    tt_progress_end(&b->progress);
    tt_image_free(out);
    tt_image_clear(&in);
    return st;
}

/* ---- all of them ------------------------------------------------------------------------------------ */

/* With several factors: is OUTPUT one file for all of them, and this not the last? */
static bool is_for_sheet(const tt_batch *b, const session *s, int i)
{
    const char *out = b->a->output;
    return i < s->renders - 1 && b->jobs.count == 1 && out && b->jobs.job[0].output &&
           !strcmp(out, b->jobs.job[0].output);
}

/* The list of files for factor number i. */
static tt_status find(tt_batch *b, session *s, int i, tt_error *err)
{
    const tt_args *a = b->a;
    char render[16];
    snprintf(render, sizeof render, "%d", s->render[i]);
    s->now = s->render[i];
    const tt_naming naming = {
        .output = a->output,
        .usual = a->frames        ? "{stem}.{ext}"
                 : s->renders > 1 ? "{stem}_r{render}.{ext}"
                                  : "{stem}_colour.{ext}",
        .render = render,
        .format = a->format,
        .recursive = a->recursive || a->frames,
        .overwrite = a->overwrite,
        .verbose = a->verbose,
    };
    char *frames[] = {(char *)a->frames};
    const tt_status st = a->frames ? tt_batch_find(b, frames, 1, &naming, err)
                                   : tt_batch_find(b, a->operand, a->operands, &naming, err);
    s->for_sheet = !st && is_for_sheet(b, s, i);
    if (s->for_sheet && !a->contact_sheet)
        return tt_fail(
            err, TT_ERR_USAGE,
            "--output is %s, one file for %d render factors; give a directory, a pattern with {render}, or "
            "--contact-sheet",
            a->output, s->renders);
    return st;
}

static tt_status check_sheet(const tt_args *a, tt_error *err)
{
    const tt_job j = {.output = (char *)a->contact_sheet};
    const tt_write_options w = {.overwrite = a->overwrite};
    tt_status st = tt_image_can_write(3, 8, a->contact_sheet, &w, err);
    if (!st && tt_job_done(&j) && !a->overwrite)
        return tt_fail(err, TT_ERR_OUTPUT, "%s: exists already; --overwrite replaces it", a->contact_sheet);
    return st ? st : tt_job_prepare(&j, err);
}

static tt_status write_sheet(tt_batch *b, session *s, tt_error *err)
{
    const tt_write_options w = {.overwrite = b->a->overwrite};
    tt_image img = {0};
    tt_status st = tt_sheet_draw(&s->sheet, &img, err);
    if (!st)
        st = tt_image_write(&img, b->a->contact_sheet, &w, err);
    if (!st)
        tt_progress_say(&b->progress, "%s: %d pictures side by side", tt_shown_output(b->a->contact_sheet),
                        s->sheet.count);
    tt_image_clear(&img);
    return st;
}

static tt_status all(tt_batch *b, session *s, tt_error *err)
{
    const tt_args *a = b->a;
    tt_status st = a->contact_sheet ? check_sheet(a, err) : TT_OK;
    for (int i = 0; i < s->renders && !st; i++) {
        st = find(b, s, i, err);
        if (!st)
            tt_batch_run(b);
        if (tt_cli_stopped() || (b->failed && (a->fail_fast || a->contact_sheet)))
            break;
    }
    if (!st && a->contact_sheet && s->sheet.count && !b->failed && !tt_cli_stopped())
        st = write_sheet(b, s, err);
    return st;
}

int tt_cmd_colorize(const tt_args *a)
{
    session s = {0};
    tt_batch b = {.work = work, .own = &s};
    tt_error e = {0};
    tt_status st = parse_renders(&s, a->render, &e);
    if (!st)
        st = make_sense(a, &s, &e);
    if (!st)
        st = tt_batch_begin(&b, a, &e);
    if (!st && !b.n->traits.colours)
        st = tt_fail(&e, TT_ERR_USAGE, "%s: %s does not colour pictures; weights of DeOldify do", b.n->path,
                     b.n->model->title);
    if (!st && !s.renders)
        s.render[s.renders++] = tt_colorize_usual(b.n);
    if (!st)
        st = a->y4m ? tt_colorize_stream(&b, s.render[0], &e) : all(&b, &s, &e);
    tt_sheet_clear(&s.sheet);
    return tt_batch_end(&b, st, &e);
}
