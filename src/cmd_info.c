/* `tintype info` and `tintype version`: facts, described once as JSON and shown to people from that. */
#define _GNU_SOURCE
#include "src/cli.h"

#include "engine/net.h"
#include "engine/plan.h"
#include "engine/status.h"
#include "engine/weights.h"
#include "kernels/cpu.h"
#include "models/models.h"
#include "src/context.h"
#include "src/facts.h"
#include "src/image/image.h"
#include "src/places.h"
#include "src/progress.h"
#include "src/source.h"

#include <fcntl.h>
#include <jansson.h>
#include <jpeglib.h>
#include <lcms2.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* ---- showing -------------------------------------------------------------------------------------- */

static void show_value(const json_t *v, int indent);

static void show_pairs(json_t *object, int indent)
{
    const char *key;
    json_t *v;
    size_t widest = 0;
    json_object_foreach(object, key, v) if (strlen(key) > widest && strlen(key) <= 24) widest = strlen(key);
    json_object_foreach(object, key, v)
    {
        if (json_is_null(v))
            continue;
        printf("%*s", indent, "");
        const char *shown = tt_shown(key);
        for (const char *p = shown; *p; p++)
            putchar(*p == '_' && !indent ? ' ' : *p);
        const bool line = !json_is_object(v) && !json_is_array(v);
        printf(":%*s", (int)(line && strlen(key) < widest ? widest - strlen(key) : 0), "");
        show_value(v, indent);
    }
}

static void show_value(const json_t *v, int indent)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        putchar('\n');
        show_pairs((json_t *)v, indent + 2);
        return;
    case JSON_ARRAY:
        putchar('\n');
        for (size_t i = 0; i < json_array_size(v); i++)
            printf("%*s%s\n", indent + 2, "", tt_shown(json_string_value(json_array_get(v, i))));
        return;
    case JSON_STRING:
        printf(" %s\n", tt_shown(json_string_value(v)));
        return;
    case JSON_INTEGER:
        printf(" %" JSON_INTEGER_FORMAT "\n", json_integer_value(v));
        return;
    case JSON_REAL:
        printf(" %.6g\n", json_real_value(v));
        return;
    default:
        printf(" %s\n", json_is_true(v) ? "yes" : "no");
    }
}

void tt_facts_show(json_t *object, bool as_json, bool more)
{
    if (as_json) {
        tt_json_line(object);
        return;
    }
    show_pairs(object, 0);
    if (more)
        putchar('\n');
    json_decref(object);
}

static void put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value); /* without memory the fact is missing: no harm */
}

/* ---- a picture ------------------------------------------------------------------------------------ */

static json_t *profile_name(const tt_blob *icc)
{
    char name[256] = "";
    cmsHPROFILE p = cmsOpenProfileFromMem(icc->data, (cmsUInt32Number)icc->size);
    if (p) {
        cmsGetProfileInfoASCII(p, cmsInfoDescription, "en", "US", name, sizeof name);
        cmsCloseProfile(p);
    }
    return *name ? tt_json_text(name) : json_string("without a name");
}

static void put_bytes(json_t *o, const char *key, const tt_blob *b)
{
    if (b->size)
        put(o, key, json_integer((json_int_t)b->size));
}

static json_t *describe_picture(const char *path, const tt_image *img)
{
    json_t *o = json_object();
    put(o, "file", tt_json_text(path));
    put(o, "kind", json_string("picture"));
    put(o, "format", json_string(img->format ? img->format : "unknown"));
    put(o, "width", json_integer(img->width));
    put(o, "height", json_integer(img->height));
    put(o, "channels", json_integer(img->channels));
    put(o, "depth", json_integer(img->depth));
    if (img->file_colour)
        put(o, "file_colour", json_string(img->file_colour));
    if (img->file_depth)
        put(o, "file_depth", json_integer(img->file_depth));
    if (img->orientation > 1)
        put(o, "orientation_applied", json_integer(img->orientation));
    if (img->jpeg_quality)
        put(o, "jpeg_quality", json_integer(img->jpeg_quality));
    if (img->icc.size)
        put(o, "profile", profile_name(&img->icc));
    put_bytes(o, "profile_bytes", &img->icc);
    if (img->gamma > 0)
        put(o, "gamma", json_real(img->gamma));
    if (img->dpi_x > 0) {
        put(o, "dpi_x", json_real(img->dpi_x));
        put(o, "dpi_y", json_real(img->dpi_y));
    }
    put_bytes(o, "exif_bytes", &img->exif);
    put_bytes(o, "xmp_bytes", &img->xmp);
    put_bytes(o, "iptc_bytes", &img->iptc);
    if (img->missing > 0)
        put(o, "missing", json_real(img->missing));
    return o;
}

/* Read to its end, so that it is known to be sound, and not kept. */
static tt_status picture(const tt_args *a, const char *path, bool more, tt_error *err)
{
    const tt_source_options o = {.limits = {.max_pixels = a->max_pixels, .salvage = a->salvage}, .held_most = 1};
    tt_source s;
    const tt_status st = tt_source_open(&s, path, &o, err);
    if (!st)
        tt_facts_show(describe_picture(path, &s.head), a->json, more);
    tt_source_clear(&s);
    return st;
}

/* ---- a weight file -------------------------------------------------------------------------------- */

static json_t *metadata(char *const *pairs)
{
    json_t *o = json_object();
    for (; pairs && pairs[0]; pairs += 2)
        put(o, pairs[0], tt_json_text(pairs[1]));
    if (json_object_size(o))
        return o;
    json_decref(o);
    return json_null();
}

static json_t *describe_network(const char *path, const tt_network *n)
{
    const tt_net_facts *f = &n->facts;
    json_t *o = json_object();
    put(o, "file", tt_json_text(path));
    put(o, "kind", json_string("network"));
    put(o, "network", json_string(n->model->name));
    put(o, "title", tt_json_text(n->model->title));
    put(o, "paper", tt_json_text(n->model->paper));
    put(o, "variant", tt_json_text(n->traits.variant));
    put(o, "format", n->format ? tt_json_text(n->format) : json_null());
    put(o, "tensors", json_integer((json_int_t)n->tensors));
    put(o, "parameters", json_integer((json_int_t)f->parameters));
    put(o, "convolutions", json_integer(f->convolutions));
    put(o, "channels_in", json_integer(f->in_channels));
    put(o, "channels_out", json_integer(f->out_channels));
    put(o, "planes", json_string(n->model->planes == TT_PLANES_LUMA ? "luma" : "rgb"));
    if (f->scale_den > 0)
        put(o, "scale", json_real((double)f->scale_num / f->scale_den));
    put(o, "enlarges_first", json_boolean(n->traits.enlarge_first));
    if (f->global)
        put(o, "receptive_field", json_string("all of the picture"));
    else
        put(o, "receptive_field", json_integer(f->receptive_field));
    if (n->traits.border)
        put(o, "border", json_integer(n->traits.border));
    if (f->multiple > 1)
        put(o, "multiple", json_integer(f->multiple));
    if (n->traits.block)
        put(o, "block", json_integer(n->traits.block));
    put(o, "packed_bytes", json_integer((json_int_t)f->packed_bytes));
    put(o, "kernels", json_string(tt_cpu_name(n->kernels.cpu)));
    put(o, "metadata", metadata(n->metadata));
    return o;
}

static json_t *describe_plan(const tt_plan *plan)
{
    tt_plan_facts f;
    tt_plan_get_facts(plan, &f);
    return json_pack("{s[iii] s[iii] si si sI sI sf}", "input", f.in_channels, f.in_h, f.in_w, "output",
                     f.out_channels, f.out_h, f.out_w, "steps", f.steps, "strip", f.strip, "arena_bytes",
                     (json_int_t)f.arena_bytes, "unshared_bytes", (json_int_t)f.unshared_bytes, "flops",
                     f.flops);
}

/* The least side from this one on that the network takes; `upscale` fills pictures up to such. */
static int side_taken(const tt_network *n, int side)
{
    const int a = n->traits.multiple > 1 ? n->traits.multiple : 1,
              b = n->facts.multiple > 1 ? n->facts.multiple : 1;
    int both = a;
    while (both % b)
        both += a;
    side = side < n->traits.least ? n->traits.least : side;
    return (side + both - 1) / both * both;
}

static tt_status plan_of(const tt_args *a, const char *path, bool more, tt_error *err)
{
    const tt_plan_options o = {.threads = a->threads, .only_size = true};
    tt_network *n = NULL;
    tt_plan *plan = NULL;
    tt_status st = tt_network_open(&n, path, a->net, err);
    const int width = a->size ? a->width : 256, height = a->size ? a->height : 256;
    int w = width, h = height;
    if (!st) {
        w = side_taken(n, width);
        h = side_taken(n, height);
        st = tt_plan_new(&plan, n->net, h, w, &o, err);
    }
    if (!st) {
        json_t *facts = describe_network(path, n);
        if (a->json)
            put(facts, "plan", describe_plan(plan));
        tt_facts_show(facts, a->json, !a->json);
        if (!a->json)
            tt_plan_print(plan, stdout);
        if (!a->json && (w != width || h != height))
            printf("the network cannot take %dx%d pixels; this is the plan for %dx%d\n", width, height, w, h);
        if (!a->json && more)
            putchar('\n');
    }
    tt_plan_free(plan);
    tt_network_free(n);
    return st;
}

/* Tensors of no network that is known: what they are is told all the same, and why it is none. */
static tt_status describe_tensors(const char *path, const tt_error *why, json_t **facts, tt_error *err)
{
    tt_weights w = {0};
    const tt_status st = tt_weights_open(&w, path, err);
    if (st)
        return st;
    json_t *o = json_object(), *list = json_array();
    put(o, "file", tt_json_text(path));
    put(o, "kind", json_string("tensors"));
    put(o, "format", json_string(w.format));
    put(o, "no_network", tt_json_text(why->text));
    put(o, "metadata", metadata(w.metadata));
    for (size_t i = 0; i < w.count; i++) {
        const tt_tensor *t = &w.tensors[i];
        char line[TT_MAX_NAME + TT_MAX_RANK * 24 + 32];
        size_t at = (size_t)snprintf(line, sizeof line, "%s %s [", t->name, tt_dtype_name(t->dtype));
        for (int r = 0; r < t->rank; r++)
            at += (size_t)snprintf(line + at, sizeof line - at, "%s%zu", r ? "," : "", t->shape[r]);
        snprintf(line + at, sizeof line - at, "]");
        json_array_append_new(list, tt_json_text(line));
    }
    put(o, "tensors", list);
    *facts = o;
    tt_weights_clear(&w);
    return TT_OK;
}

tt_status tt_facts_weights(const char *path, const char *const *settings, json_t **facts, tt_error *err)
{
    tt_error why;
    tt_network *n = NULL;
    const tt_status st = tt_network_open(&n, path, settings, &why);
    *facts = NULL;
    if (!st)
        *facts = describe_network(path, n);
    tt_network_free(n);
    if (st == TT_ERR_UNSUPPORTED && strcmp(path, "default"))
        return describe_tensors(path, &why, facts, err);
    if (st)
        *err = why;
    return st;
}

/* ---- a file of either kind ------------------------------------------------------------------------- */

typedef enum kind { PICTURE, WEIGHTS, NEITHER } kind;

static kind kind_of(const char *path)
{
    unsigned char head[512];
    if (!strcmp(path, "-"))
        return PICTURE;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    if (n <= 0) /* missing, a directory, empty: reading it as a picture gives the sentence */
        return PICTURE;
    for (const tt_image_format *const *f = tt_image_formats; *f; f++)
        if ((*f)->probe(head, (size_t)n))
            return PICTURE;
    return tt_weights_reader(path, head, (size_t)n) ? WEIGHTS : NEITHER;
}

static tt_status describe(const tt_args *a, const char *path, bool more, tt_error *err)
{
    const bool embedded = !strcmp(path, "default");
    const kind k = embedded ? WEIGHTS : kind_of(path);
    if (k == PICTURE && a->plan)
        return tt_fail(err, TT_ERR_USAGE, "%s: is no weight file, and --plan is for networks", path);
    if (k == PICTURE)
        return picture(a, path, more, err);
    if (k == NEITHER)
        return tt_fail(err, TT_ERR_FORMAT,
                       "%s: neither a picture (PNG, JPEG) nor a weight file "
                       "(safetensors, .pth, ncnn, MATLAB, waifu2x JSON)", path);
    if (a->plan)
        return plan_of(a, path, more, err);
    json_t *facts;
    const tt_status st = tt_facts_weights(path, a->net, &facts, err);
    if (!st)
        tt_facts_show(facts, a->json, more);
    return st;
}

int tt_cmd_info(const tt_args *a)
{
    int failed = 0, code = TT_EXIT_OK;
    tt_error e = {0};
    tt_status st = TT_OK;
    if (a->size && !a->plan)
        st = tt_fail(&e, TT_ERR_USAGE, "--size is for --plan");
    else if (a->devices && a->operands)
        st = tt_fail(&e, TT_ERR_USAGE, "--devices wants no FILE");
    else if (!a->devices && !a->operands)
        st = tt_fail(&e, TT_ERR_USAGE, "info wants FILE... or --devices");
    else if (a->size && (!a->width || !a->height))
        st = tt_fail(&e, TT_ERR_USAGE, "--size is %s; a plan wants both sides", a->size);
    if (st) {
        tt_cli_complain(NULL, &e);
        return tt_exit_code(st);
    }
    if (a->devices)
        return tt_facts_devices(a->json);
    for (int i = 0; i < a->operands && !tt_cli_stopped(); i++) {
        char *path;
        st = tt_places_resolve(a->operand[i], &path, &e);
        if (!st)
            st = describe(a, path, i + 1 < a->operands, &e);
        free(path);
        if (!st)
            continue;
        tt_cli_complain(a->operand[i], &e);
        code = failed++ || a->operands > 1 ? TT_EXIT_SOME : tt_exit_code(st);
    }
    return code;
}

/* ---- version -------------------------------------------------------------------------------------- */

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

int tt_cmd_version(const tt_args *a)
{
    char lcms[32];
    json_t *networks = json_array();
    const int v = cmsGetEncodedCMMversion();
    snprintf(lcms, sizeof lcms, "%d.%d", v / 1000, v % 1000 / 10);
    for (const tt_model *const *m = tt_models; *m; m++)
        json_array_append_new(networks, json_string((*m)->name));
#ifdef LIBJPEG_TURBO_VERSION
    static const char jpeg[] = "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
#else
    static const char jpeg[] = "libjpeg " TEXT(JPEG_LIB_VERSION);
#endif
    json_t *o =
        json_pack("{ss ss so s{ss ss ss ss ss} ss}", "tintype", tt_version(), "kernels",
                  tt_cpu_name(tt_cpu_detect()), "networks", networks, "libraries", "libpng",
                  png_get_libpng_ver(NULL), "jpeg", jpeg, "lcms2", lcms, "jansson", jansson_version_str(),
                  "libzip", zip_libzip_version(), "licence", "MIT; the network inside: see models/README.md in the source");
    if (!o)
        return TT_EXIT_TEMPORARY;
    tt_facts_show(o, a->json, false);
    return TT_EXIT_OK;
}
