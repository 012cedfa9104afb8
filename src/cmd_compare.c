/* `tintype compare`: PSNR and SSIM of two pictures, and both side by side. */
#include "src/cli.h"

#include "engine/status.h"
#include "src/compare.h"
#include "src/image/image.h"
#include "src/inputs.h"
#include "src/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct measure {
    bool made; /* not for pictures of different sizes */
    double psnr, ssim;
} measure;

static tt_status make_sense(const tt_args *a, tt_error *err)
{
    if (a->luma && a->rgb)
        return tt_fail(err, TT_ERR_USAGE, "--luma and --rgb contradict each other");
    if (!strcmp(a->operand[0], "-") && !strcmp(a->operand[1], "-"))
        return tt_fail(err, TT_ERR_USAGE, "standard input is given twice");
    if (a->output && !strcmp(a->output, "-"))
        return a->json ? tt_fail(err, TT_ERR_USAGE, "--json and the picture both want standard output")
                       : tt_cli_no_terminal("a picture", err);
    const tt_job job = {.output = (char *)a->output};
    if (a->output && tt_job_done(&job) && !a->overwrite)
        return tt_fail(err, TT_ERR_OUTPUT, "%s: exists already; --overwrite replaces it", a->output);
    const tt_write_options w = {.overwrite = a->overwrite};
    const tt_status st = a->output ? tt_image_can_write(3, 8, a->output, &w, err) : TT_OK;
    return st || !a->output ? st : tt_job_prepare(&job, err);
}

static tt_status side_by_side(const tt_args *a, const tt_image *x, const tt_image *y, tt_error *err)
{
    const tt_write_options w = {.overwrite = a->overwrite};
    const tt_job job = {.output = (char *)a->output};
    tt_image *side = NULL;
    char *dir = tt_job_directory(&job);
    tt_cli_writes_in(dir);
    free(dir);
    tt_status st = tt_side_by_side(x, y, &side, err);
    if (!st)
        st = tt_image_write(side, a->output, &w, err);
    tt_image_free(side);
    return st;
}

static void tell(const tt_args *a, const measure *m, const tt_image *x, const tt_image *y)
{
    const bool same = m->made && isinf(m->psnr);
    const char *on = a->rgb ? "rgb" : "luma";
    FILE *to = a->output && !strcmp(a->output, "-") ? stderr : stdout;
    if (a->json) {
        json_t *o = json_pack("{so so ss si}", "a", tt_json_text(a->operand[0]), "b",
                              tt_json_text(a->operand[1]), "on", on, "border", a->border);
        if (o && m->made) { /* JSON has no infinity */
            json_object_set_new(o, "psnr", same ? json_null() : json_real(m->psnr));
            json_object_set_new(o, "ssim", json_real(m->ssim));
            json_object_set_new(o, "identical", json_boolean(same));
        }
        if (o && a->output)
            json_object_set_new(o, "side_by_side", tt_json_text(a->output));
        tt_json_line(o);
        return;
    }
    if (!m->made && !a->quiet)
        fprintf(stderr, "%s is %dx%d and %s is %dx%d: nothing to measure, only to see\n",
                tt_shown_input(a->operand[0]), x->width, x->height, tt_shown_input(a->operand[1]), y->width,
                y->height);
    else if (m->made && same)
        fprintf(to, "PSNR inf, SSIM %.6f (%s, border %d)\n", m->ssim, on, a->border);
    else if (m->made)
        fprintf(to, "PSNR %.4f dB, SSIM %.6f (%s, border %d)\n", m->psnr, m->ssim, on, a->border);
    if (a->output && !a->quiet)
        fprintf(stderr, "side by side: %s\n", tt_shown_output(a->output));
}

int tt_cmd_compare(const tt_args *a)
{
    const tt_image_limits limits = {.max_pixels = a->max_pixels, .salvage = a->salvage};
    const tt_compare_options o = {.size = sizeof o, .luma = !a->rgb, .border = a->border};
    tt_image x = {0}, y = {0};
    measure m = {0};
    tt_error e = {0};
    tt_status st = make_sense(a, &e);
    if (st || (st = tt_image_read(&x, a->operand[0], &limits, &e)) ||
        (st = tt_image_read(&y, a->operand[1], &limits, &e)))
        goto done;
    m.made = !a->output || (x.width == y.width && x.height == y.height);
    if (m.made)
        st = tt_compare(&x, &y, &o, &m.psnr, &m.ssim, &e);
    if (st) { /* what cannot be compared is named: the library knows pictures, not files */
        tt_error named;
        tt_fail(&named, st, "%s and %s: %s", tt_shown_input(a->operand[0]), tt_shown_input(a->operand[1]),
                e.text);
        e = named;
    } else if (a->output) {
        st = side_by_side(a, &x, &y, &e);
    }
    if (!st)
        tell(a, &m, &x, &y);
done:
    if (st)
        tt_cli_complain(NULL, &e);
    tt_image_clear(&x);
    tt_image_clear(&y);
    return tt_exit_code(st);
}
