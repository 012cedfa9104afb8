#include "src/upscale.h"

#include "engine/alloc.h"
#include "engine/plan.h"
#include "src/alpha.h"
#include "src/pass.h"
#include "src/sink.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PASSES = 24, LONGEST_SIDE = 1000000, BAND = 64 }; /* BAND: rows that go on at a time, at most */

/* The alpha channel on its way past the network: by bicubic, to the rows of the result that are ready. */
typedef struct alpha {
    tt_feed feed;
    tt_zoom zoom;
    float *band; /* [BAND][width] */
} alpha;

/* Everything decided before the work starts. */
typedef struct job {
    tt_context *c;
    const tt_network *n;
    tt_source *source;
    const tt_image *in;  /* its head */
    tt_upscale_options o;
    int colours;         /* channels without alpha */
    int width, height;   /* of the result */
    bool fill;           /* colour must be put under transparent pixels */
    bool stream;         /* rows of the result go on as they are made */
    bool hold;           /* the whole picture is there */
    const tt_upscale_to *to;
    tt_pixels out;       /* the result, or the rows of it that are there */
    alpha alpha;
    int passes;
    tt_pass pass[MOST_PASSES];
    uint64_t planned;
    double flops;
} job;

/* ---- sizes ---------------------------------------------------------------------------------------- */

static int scaled(double n)
{
    n = round(n);
    return n < 1 ? 1 : n > LONGEST_SIDE ? LONGEST_SIDE + 1 : (int)n;
}

static tt_status target_size(job *j, tt_error *err)
{
    const tt_upscale_options *o = &j->o;
    const tt_image *in = j->in;
    if (!isfinite(o->scale) || o->scale < 0 || o->width < 0 || o->height < 0)
        return tt_fail(err, TT_ERR_USAGE, "a factor or size is negative or no number");
    if (o->scale > 0 && (o->width || o->height))
        return tt_fail(err, TT_ERR_USAGE, "either a factor or a size, not both");
    double s = o->scale;
    if (s == 0)
        s = j->n->traits.enlarge_first ? 2 : (double)j->n->facts.scale_num / j->n->facts.scale_den;
    j->width = scaled(in->width * s);
    j->height = scaled(in->height * s);
    if (o->width || o->height) {
        j->width = scaled(o->width ? o->width : (double)in->width * o->height / in->height);
        j->height = scaled(o->height ? o->height : (double)in->height * o->width / in->width);
    }
    if (j->width > LONGEST_SIDE || j->height > LONGEST_SIDE)
        return tt_fail(err, TT_ERR_USAGE, "the result would have a side of more than %d pixels", LONGEST_SIDE);
    return TT_OK;
}

/* The passes and their sizes; not yet the tiles. */
static tt_status list_passes(job *j, tt_error *err)
{
    const tt_image *in = j->in;
    const int threads = tt_pool_threads(j->c->pool);
    const bool smaller = j->width <= in->width && j->height <= in->height &&
                         (j->width < in->width || j->height < in->height);
    const bool same_size = j->n->facts.scale_num == j->n->facts.scale_den && !j->n->traits.enlarge_first;
    int w = in->width, h = in->height;
    if (smaller && !same_size)
        return TT_OK; /* an enlarging network has nothing to add to a smaller picture */
    do {
        if (j->passes == MOST_PASSES)
            return tt_fail(err, TT_ERR_USAGE, "too many times through the network");
        tt_pass *p = &j->pass[j->passes];
        const tt_status st =
            tt_pass_init(p, j->n, j->colours, w, h, j->width, j->height, j->o.tta, threads, err);
        if (st)
            return st;
        j->passes++;
        w = p->out_w;
        h = p->out_h;
    } while (!same_size && (w < j->width || h < j->height));
    j->pass[j->passes - 1].to_w = j->width;
    j->pass[j->passes - 1].to_h = j->height;
    return TT_OK;
}

/* ---- memory --------------------------------------------------------------------------------------- */

static uint64_t picture_bytes(int w, int h, int channels, int depth)
{
    return (uint64_t)w * (uint64_t)h * (uint64_t)channels * (uint64_t)(depth / 8);
}

/* A picture that becomes smaller, through the bicubic alone. */
static uint64_t plain_bytes(const job *j)
{
    const int threads = tt_pool_threads(j->c->pool), planes = j->in->channels;
    return (uint64_t)planes * BAND * (uint64_t)j->in->width * sizeof(float) +
           tt_sink_bytes(planes, j->in->width, j->in->height, j->width, j->height, true, 0, threads) +
           (j->hold ? 0 : tt_feed_bytes(j->source, BAND));
}

/* Rows of the picture that BAND rows of the result are made of: four taps, wider where it shrinks, mirrored at the edges. */
static int zoomed_rows(const job *j, int rows)
{
    const double ratio = (double)j->in->height / j->height;
    return (int)fmin(rows * ratio + 5 * (ratio > 1 ? ratio : 1) + 4, j->in->height);
}

static uint64_t alpha_bytes(const job *j)
{
    const tt_image *in = j->in;
    if (!j->passes || in->channels == j->colours)
        return 0;
    return tt_zoom_bytes(in->width, in->height, j->width, j->height, j->width, tt_pool_threads(j->c->pool)) +
           (uint64_t)BAND * (uint64_t)j->width * sizeof(float) +
           (j->hold ? 0 : tt_feed_bytes(j->source, zoomed_rows(j, BAND) + zoomed_rows(j, 0)));
}

static void raise_to(uint64_t *most, uint64_t n)
{
    *most = n > *most ? n : *most;
}

static tt_status over_budget(const job *j, tt_error *err)
{
    return tt_fail(err, TT_ERR_MEMORY,
                   "a result of %dx%d pixels needs %.0f MiB and the memory budget is %.0f MiB: raise it, or take a "
                   "smaller picture or factor",
                   j->width, j->height, ceil((double)j->planned / (1 << 20)),
                   floor((double)j->c->memory / (1 << 20)));
}

/* Rows of the result that exist at a time, which the planned passes decide. */
static int result_rows(const job *j)
{
    const int rows = j->passes ? tt_pass_ring(&j->pass[j->passes - 1]) : BAND;
    return j->stream && rows < j->height ? rows : j->height;
}

/* Colour is put under transparent pixels before the work: a copy, and what filling it takes. */
static uint64_t fill_bytes(const job *j)
{
    const tt_image *in = j->in;
    return picture_bytes(in->width, in->height, in->channels, in->depth) + tt_alpha_fill_bytes(in, j->source->holes);
}

/* Choose the tiles of every pass, each within what the pictures of its time leave of the budget. */
static tt_status plan_passes(job *j, tt_error *err)
{
    const tt_image *in = j->in;
    const uint64_t weights = j->n->facts.packed_bytes;
    const uint64_t picture = picture_bytes(in->width, in->height, in->channels, in->depth);
    const uint64_t first = j->hold ? picture : tt_source_bytes(j->source);
    const uint64_t row = picture_bytes(j->width, 1, in->channels, in->depth);
    const uint64_t result = (j->stream ? 0 : row * (uint64_t)j->height) + /* what streams is the last pass's to count */
                            (j->to && j->to->takes ? j->to->takes(j->to->user, j->width, j->height) : 0);
    const uint64_t filled = j->fill ? picture : 0;
    uint64_t before = 0;
    j->planned = 0;
    j->flops = 0;
    if (j->fill)
        raise_to(&j->planned, weights + first + fill_bytes(j));
    if (j->hold && !tt_source_held(j->source))
        raise_to(&j->planned, weights + first + j->source->decoder_bytes + tt_source_bytes(j->source));
    if (!j->passes)
        raise_to(&j->planned, weights + first + result + plain_bytes(j) + (j->stream ? BAND * row : 0));
    if (j->planned > j->c->memory)
        return over_budget(j, err);
    for (int i = 0; i < j->passes; i++) {
        tt_pass *p = &j->pass[i];
        const bool last = i == j->passes - 1;
        const uint64_t after = last ? result + alpha_bytes(j) : picture_bytes(p->to_w, p->to_h, j->colours, 16);
        const uint64_t held = weights + first + (i ? before : filled) + after;
        p->source = i || j->hold ? NULL : j->source;
        p->result_row = last && j->stream ? (size_t)row : 0;
        const tt_status st = tt_pass_plan(p, j->c->memory, held, err);
        if (st)
            return st;
        raise_to(&j->planned, held + p->bytes);
        j->flops += tt_pass_flops(p);
        before = after;
    }
    return TT_OK;
}

static void fill_report(const job *j, tt_report *r)
{
    *r = (tt_report){.width = j->width, .height = j->height, .passes = j->passes, .planned_bytes = j->planned,
                     .flops = j->flops};
    for (int i = 0; i < j->passes; i++)
        r->tiles += tt_pass_tiles(&j->pass[i]);
    if (!j->passes)
        return;
    const tt_axis *axis[] = {&j->pass[0].across, &j->pass[0].down};
    r->tile_width = axis[0]->tile;
    r->tile_height = axis[1]->tile;
    for (int i = 0; i < 2; i++) {
        const int overlap = axis[i]->count > 1 ? (axis[i]->tile - axis[i]->stride + 1) / 2 : 0;
        r->overlap = overlap > r->overlap ? overlap : r->overlap;
    }
}

static tt_status prepare(job *j, tt_context *c, const tt_network *n, const tt_source *in, const tt_upscale_options *o,
                         bool stream, const tt_upscale_to *to, tt_report *r, tt_error *err)
{
    *j = (job){.c = c, .n = n, .source = (tt_source *)(uintptr_t)in, .in = &in->head, .stream = stream, .to = to};
    j->colours = j->in->channels > 2 ? 3 : 1;
    if (o && o->size < sizeof o->size)
        return tt_fail(err, TT_ERR_USAGE, "tt_upscale_options.size is not set");
    if (o)
        memcpy(&j->o, o, o->size < sizeof j->o ? o->size : sizeof j->o);
    tt_status st = target_size(j, err);
    if (!st)
        st = list_passes(j, err);
    j->fill = j->passes && in->holes;
    j->hold = tt_source_held(in) || j->fill;
    if (!st)
        st = plan_passes(j, err);
    if (!st && r)
        fill_report(j, r);
    return st;
}

/* ---- work ----------------------------------------------------------------------------------------- */

static tt_pixels pixels_of(const tt_image *img)
{
    return (tt_pixels){img->samples, img->width, img->height, img->channels, img->depth, 0};
}

/* ---- alpha beside the network --------------------------------------------------------------------- */

static void close_alpha(alpha *a)
{
    tt_feed_clear(&a->feed);
    tt_zoom_clear(&a->zoom);
    free(a->band);
    *a = (alpha){0};
}

static tt_status open_alpha(job *j, tt_error *err)
{
    alpha *a = &j->alpha;
    const tt_image *in = j->in;
    const int threads = tt_pool_threads(j->c->pool);
    const size_t bytes = (size_t)BAND * (size_t)j->width * sizeof *a->band;
    tt_status st = tt_zoom_init(&a->zoom, in->width, in->height, j->width, j->height, 0, j->width, threads, err);
    if (!st)
        st = tt_feed_init(&a->feed, j->source, zoomed_rows(j, BAND) + zoomed_rows(j, 0), err);
    if (!st && !(a->band = malloc(bytes)))
        st = tt_fail_memory(err, bytes);
    return st;
}

/* Rows y0..y1-1 of the result. */
static tt_status put_alpha(job *j, int y0, int y1, tt_error *err)
{
    alpha *a = &j->alpha;
    const tt_kernels *k = &j->n->kernels;
    tt_status st = TT_OK;
    for (int y = y0, lo, hi; y < y1 && !st; y += BAND) {
        const tt_window w = {y, 0, y1 - y < BAND ? y1 - y : BAND, j->width};
        tt_taps_reach(&a->zoom.down, y, y + w.h, &lo, &hi);
        lo = lo > zoomed_rows(j, 0) ? lo - zoomed_rows(j, 0) : 0;
        st = tt_feed_need(&a->feed, lo, hi + 1, err);
        if (st)
            break;
        tt_zoom_read(j->c->pool, k, &a->zoom, &a->feed.at, j->colours, &w, a->band);
        tt_planes_write(j->c->pool, k, &j->out, j->colours, y, 0, w.h, w.w, a->band, w.w);
    }
    return st;
}

/* ---- rows of the result --------------------------------------------------------------------------- */

static tt_status rows_on(void *user, const void *samples, int y0, int y1, tt_error *err)
{
    job *j = user;
    const tt_status st = j->alpha.band ? put_alpha(j, y0, y1, err) : TT_OK;
    return st ? st : j->to->rows(j->to->user, samples, y1 - y0, err);
}

/* Where the result goes: out, whose samples are all of it, or the rows at hand. */
static tt_status open_result(job *j, tt_image *out, tt_error *err)
{
    const int rows = result_rows(j);
    tt_status st = tt_image_init(out, j->width, rows, j->in->channels, j->in->depth, err);
    out->height = j->height;
    j->out = pixels_of(out);
    j->out.ring = j->stream ? rows : 0;
    if (!st)
        st = tt_image_copy_metadata(out, j->in, err);
    if (!st && j->stream)
        st = j->to->begin(j->to->user, out, err);
    return st;
}

/* All channels by bicubic alone. */
static tt_status plain(job *j, tt_error *err)
{
    const tt_sink_next on = {rows_on, j};
    const tt_kernels *k = &j->n->kernels;
    const int w = j->in->width, h = j->in->height, planes = j->in->channels;
    tt_sink sink;
    tt_feed feed = {0};
    size_t n = 0;
    float *band = NULL;
    tt_status st = tt_sink_init(&sink, j->c->pool, k, &j->out, 0, planes, w, h, true, 0, &on, err);
    if (st)
        return st;
    st = tt_feed_init(&feed, j->source, BAND, err);
    if (!st && (!tt_mul((size_t)w * BAND, sizeof(float) * (size_t)planes, &n) || !(band = malloc(n))))
        st = tt_fail_memory(err, n);
    for (int y = 0; y < h && !st; y += BAND) {
        const int rows = h - y < BAND ? h - y : BAND;
        st = tt_feed_need(&feed, y, y + rows, err);
        for (int i = 0; i < planes * rows && !st; i++)
            tt_pixels_read(k, &feed.at, i / rows, y + i % rows, 0, (size_t)w,
                           band + ((ptrdiff_t)(i / rows) * BAND + i % rows) * w);
        if (!st)
            st = tt_sink_put(&sink, band, w, (ptrdiff_t)BAND * w, y, y + rows, 0, w, err);
        if (!st && atomic_load(&j->c->cancel))
            st = tt_fail(err, TT_ERR_CANCELLED, "stopped as asked");
    }
    free(band);
    tt_feed_clear(&feed);
    tt_sink_clear(&sink);
    return st;
}

/* A copy of the input's samples with colour under its transparent pixels. */
static tt_status filled_copy(const job *j, tt_image *copy, tt_error *err)
{
    const tt_image *in = j->in;
    const tt_status st = tt_image_init(copy, in->width, in->height, in->channels, in->depth, err);
    if (st)
        return st;
    memcpy(copy->samples, in->samples, (size_t)picture_bytes(in->width, in->height, in->channels, in->depth));
    return tt_alpha_fill(copy, err);
}

static tt_status run_passes(job *j, double *seconds, tt_error *err)
{
    tt_image now = {0}, next = {0}; /* what the pass reads, where that is not the input, and what it makes */
    const tt_sink_next on = {rows_on, j};
    tt_pass_watch watch = {.cancel = &j->c->cancel, .progress = j->o.progress, .user = j->o.user,
                           .network_seconds = seconds};
    tt_status st = j->fill ? filled_copy(j, &now, err) : TT_OK;
    for (int i = 0; i < j->passes && !st; i++) {
        tt_pass *p = &j->pass[i];
        const bool last = i == j->passes - 1;
        tt_source from = now.samples ? (tt_source){.head = now, .borrowed = true} : (tt_source){0};
        if (last && j->in->channels != j->colours)
            st = open_alpha(j, err);
        else if (!last)
            st = tt_image_init(&next, p->to_w, p->to_h, j->colours, 16, err);
        if (st)
            break;
        const tt_pixels to = last ? j->out : pixels_of(&next);
        const double work = tt_pass_flops(p);
        watch.share = j->flops > 0 ? work / j->flops : 1.0 / j->passes;
        st = tt_pass_run(p, j->c->pool, now.samples ? &from : j->source, &to, &on, &watch, err);
        watch.done += watch.share;
        tt_image_clear(&now);
        now = next;
        next = (tt_image){0};
    }
    if (!st && j->alpha.band && !j->stream)
        st = put_alpha(j, 0, j->height, err);
    close_alpha(&j->alpha);
    tt_image_clear(&now);
    tt_image_clear(&next);
    return st;
}

static tt_status work(job *j, tt_image *out, double *seconds, tt_error *err)
{
    tt_status st = j->hold ? tt_source_hold(j->source, err) : TT_OK;
    if (!st)
        st = open_result(j, out, err);
    if (!st)
        st = j->passes ? run_passes(j, seconds, err) : plain(j, err);
    if (!st && j->o.progress)
        j->o.progress(j->o.user, 1);
    if (st == TT_ERR_CANCELLED)
        atomic_store(&j->c->cancel, 0); /* the wish is fulfilled: the context works again */
    return st;
}

static void report(const job *j, double seconds, tt_report *r)
{
    if (!r)
        return;
    fill_report(j, r); /* tiles may have become smaller */
    r->network_seconds = seconds;
}

/* ---- public --------------------------------------------------------------------------------------- */

tt_status tt_upscale_estimate(tt_context *c, const tt_network *n, const tt_source *in, const tt_upscale_options *o,
                              const tt_upscale_to *to, tt_report *r, tt_error *err)
{
    job j;
    return prepare(&j, c, n, in, o, true, to, r, err);
}

tt_status tt_upscale_report(tt_context *c, const tt_network *n, const tt_image *in, const tt_upscale_options *o,
                            tt_image **out, tt_report *r, tt_error *err)
{
    job j;
    double seconds = 0;
    tt_source source = tt_source_of(in);
    *out = NULL;
    tt_status st = prepare(&j, c, n, &source, o, false, NULL, r, err);
    if (st)
        return st;
    tt_image *img = calloc(1, sizeof *img);
    if (!img)
        return tt_fail_memory(err, sizeof *img);
    tt_network_forget(n);
    st = work(&j, img, &seconds, err);
    if (st) {
        tt_image_clear(img);
        free(img);
        return st;
    }
    *out = img;
    report(&j, seconds, r);
    return TT_OK;
}

tt_status tt_upscale_rows(tt_context *c, const tt_network *n, tt_source *in, const tt_upscale_options *o,
                          const tt_upscale_to *to, tt_report *r, tt_error *err)
{
    job j;
    tt_image out = {0};
    double seconds = 0;
    tt_status st = prepare(&j, c, n, in, o, true, to, r, err);
    if (!st) {
        tt_network_forget(n);
        st = work(&j, &out, &seconds, err);
    }
    if (!st)
        report(&j, seconds, r);
    tt_image_clear(&out);
    return st;
}

tt_status tt_upscale(tt_context *c, const tt_network *n, const tt_image *in, const tt_upscale_options *o,
                     tt_image **out, tt_error *err)
{
    return tt_upscale_report(c, n, in, o, out, NULL, err);
}
