/* `tintype colorize --y4m`: a film in, frame after frame, and out. */
#define _GNU_SOURCE
#include "src/cmd_colorize.h"

#include "src/film.h"
#include "src/output.h"
#include "src/y4m.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct stream {
    tt_batch *b;
    FILE *file;
    tt_y4m in;
    tt_film film;
    tt_output *out;
    uint8_t *planes; /* of a frame: Y, then U and V as wide as those of the result */
} stream;

static tt_status make_sense(const tt_batch *b, tt_error *err)
{
    const tt_args *a = b->a;
    const tt_job j = {.output = (char *)(a->output ? a->output : "")};
    if (a->operands != 1)
        return tt_fail(err, TT_ERR_USAGE, "--y4m wants one INPUT, a file or '-'");
    if (!a->output)
        return tt_fail(err, TT_ERR_USAGE, "--y4m wants -o OUTPUT, a file or '-'");
    if (a->dry_run || a->skip_existing || a->format || a->depth || a->icc)
        return tt_fail(err, TT_ERR_USAGE,
                       "--y4m goes with none of --dry-run, --skip-existing, --format, --depth, --icc");
    if (a->json && !strcmp(a->output, "-"))
        return tt_fail(err, TT_ERR_USAGE, "--json and the stream both want standard output");
    if (!strcmp(a->output, "-"))
        return tt_cli_no_terminal("a film", err);
    if (tt_job_done(&j) && !a->overwrite)
        return tt_fail(err, TT_ERR_OUTPUT, "%s: exists already; --overwrite replaces it", a->output);
    return tt_job_prepare(&j, err);
}

static tt_status open_input(stream *s, tt_error *err)
{
    const char *path = s->b->a->operand[0];
    const int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
                                     : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0)
        s->file = fdopen(fd, "rb");
    if (!s->file) {
        const int e = errno;
        if (fd >= 0)
            close(fd);
        return tt_fail(err, TT_ERR_INPUT, "%s: cannot be opened: %s",
                       strcmp(path, "-") ? path : "standard input", strerror(e));
    }
    return tt_y4m_open(&s->in, s->file, strcmp(path, "-") ? path : "standard input", err);
}

/* Everything that can be refused is, before the output is begun. */
static tt_status begin(stream *s, int render, tt_error *err)
{
    tt_status st = make_sense(s->b, err);
    if (!st)
        st = open_input(s, err);
    if (st)
        return st;
    const tt_y4m *y = &s->in;
    const bool mono = !y->chroma_width;
    st = tt_film_init(&s->film, s->b->c, s->b->n, render, y->width, y->height,
                      mono ? y->width : y->chroma_width, mono ? y->height : y->chroma_height, y->full, err);
    const size_t bytes = 3 * (size_t)y->width * (size_t)y->height;
    if (!st && !(s->planes = malloc(bytes)))
        st = tt_fail_memory(err, bytes);
    if (st)
        return st;
    char line[TT_Y4M_LINE];
    st = tt_y4m_colour_line(y, line, err);
    if (!st)
        st = tt_output_open(&s->out, s->b->a->output, s->b->a->overwrite, err);
    if (!st)
        (void)tt_output_put(s->out, line, strlen(line)); /* what is wrong shows with the first frame */
    return st;
}

/* Each frame is written as soon as it is there. *broken: the output takes no more. */
static tt_status frames(stream *s, bool *broken, tt_error *err)
{
    const size_t luma = (size_t)s->in.width * (size_t)s->in.height;
    const size_t chroma = (size_t)s->film.chroma_width * (size_t)s->film.chroma_height;
    for (;;) {
        bool end;
        tt_status st = tt_y4m_read(&s->in, s->planes, &end, err);
        if (st || end)
            return st;
        if (tt_cli_stopped())
            return tt_fail(err, TT_ERR_CANCELLED, "stopped as asked");
        const tt_watch watch = {.cancel = &s->b->c->cancel};
        st = tt_film_frame(&s->film, s->planes, s->planes + luma, s->planes + luma + chroma, &watch, err);
        if (st)
            return st;
        if (!tt_output_put(s->out, s->in.frame_line, strlen(s->in.frame_line)) ||
            !tt_output_put(s->out, s->planes, luma + 2 * chroma)) {
            *broken = true; /* tt_output_commit() says why */
            return TT_OK;
        }
        if (s->b->a->verbose && s->in.frames % 100 == 0)
            tt_cli_note("%llu frames, %s", (unsigned long long)s->in.frames,
                        tt_shown_seconds(tt_seconds() - s->b->began));
    }
}

static void tell(const stream *s, int render)
{
    const double seconds = tt_seconds() - s->b->began;
    if (s->b->progress.json)
        tt_json_line(json_pack("{ss so so si si sI ss si sf sI}", "event", "done", "input",
                               tt_json_text(s->b->a->operand[0]), "output", tt_json_text(s->b->a->output),
                               "width", s->in.width, "height", s->in.height, "frames",
                               (json_int_t)s->in.frames, "network", s->b->n->model->name, "render", render,
                               "seconds", seconds, "peak_bytes", (json_int_t)tt_peak_bytes()));
    else
        tt_progress_say(&s->b->progress, "%s %dx%d -> %s, %s, render %d, %llu frame%s, %s, %s",
                        tt_shown_input(s->b->a->operand[0]), s->in.width, s->in.height,
                        tt_shown_output(s->b->a->output), s->b->model, render,
                        (unsigned long long)s->in.frames, s->in.frames == 1 ? "" : "s",
                        tt_shown_seconds(seconds), tt_shown_bytes(tt_peak_bytes()));
}

tt_status tt_colorize_stream(tt_batch *b, int render, tt_error *err)
{
    stream s = {.b = b};
    bool broken = false;
    char *dir = tt_job_directory(&(tt_job){.output = (char *)b->a->output});
    tt_cli_writes_in(dir);
    free(dir);
    tt_status st = begin(&s, render, err);
    if (!st) {
        st = frames(&s, &broken, err);
        if (st == TT_ERR_FORMAT || st == TT_ERR_INPUT || !st) {
            /* of a stream that is cut short the whole frames are kept; the sentence of the cut is the one to
             * tell */
            const tt_status written = tt_output_commit(s.out, st ? NULL : err);
            st = st ? st : written;
            s.out = NULL;
        }
    }
    b->count = 1;
    b->done = !st;
    if (!st)
        tell(&s, render);
    tt_output_abort(s.out);
    tt_film_clear(&s.film);
    free(s.planes);
    if (s.file)
        fclose(s.file);
    return st;
}
