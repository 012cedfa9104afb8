#define MODELS(X) X(srcnn) X(vdsr) X(waifu2x) X(cunet) X(rrdb) X(srvgg)

#include "models/models.h"
#include "models/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE(m) extern const tt_model tt_model_##m;
#define POINT_TO(m) &tt_model_##m,
MODELS(DECLARE)
const tt_model *const tt_models[] = {MODELS(POINT_TO) NULL};

bool tt_names_start(const tt_weights *w, const char *prefix)
{
    const size_t n = strlen(prefix);
    for (size_t i = 0; i < w->count; i++)
        if (strncmp(w->tensors[i].name, prefix, n) == 0)
            return true;
    return false;
}

void tt_need_bias(tt_build *b, tt_val x, const char *name)
{
    char bias[TT_MAX_NAME];
    snprintf(bias, sizeof bias, "%s.bias", name);
    /* only the builder knows the whole name, and says it of slopes that are missing */
    if (!tt_has(b, bias))
        tt_conv(b, x, name, .act = TT_ACT_PRELU, .slopes = bias, .valid = true);
}

static const tt_model *find(const tt_weights *w)
{
    for (int i = 0; tt_models[i]; i++)
        if (tt_models[i]->match(w))
            return tt_models[i];
    return NULL;
}

/* Bytes up to and with the `depth`-th dot; 0 where there are not so many. */
static size_t prefix_length(const char *name, int depth)
{
    const char *p = name;
    while (depth-- > 0) {
        p = strchr(p, '.');
        if (!p)
            return 0;
        p++;
    }
    return (size_t)(p - name);
}

/*
 * The network that the tensors under some prefix are of, as in a whole training state
 * ("netG.conv_first.weight"). The names are sorted, so those under one prefix stand together and stay sorted
 * without it. No memory: no answer.
 */
static const tt_model *find_inside(const tt_weights *w, const char **prefix, size_t *length)
{
    const tt_model *found = NULL;
    tt_tensor *inner = malloc((w->count ? w->count : 1) * sizeof *inner);
    for (int depth = 1; inner && !found && depth <= 3; depth++) {
        for (size_t i = 0, end; !found && i < w->count; i = end) {
            const char *first = w->tensors[i].name;
            const size_t n = prefix_length(first, depth);
            for (end = i; end < w->count && strncmp(w->tensors[end].name, first, n) == 0; end++) {
                inner[end - i] = w->tensors[end];
                inner[end - i].name += n;
                if (n == 0) { /* no prefix: everything would match it */
                    end++;
                    break;
                }
            }
            if (n == 0)
                continue;
            tt_weights view = *w;
            view.tensors = inner;
            view.count = end - i;
            found = find(&view);
            *prefix = first;
            *length = n;
        }
    }
    free(inner);
    return found;
}

/* Say what was found and what would have been something. */
static tt_status refuse(const tt_weights *w, tt_error *err)
{
    if (w->count == 0)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: holds no tensors, so no network", w->path);

    char names[200] = "", known[200] = "";
    for (size_t i = 0, n = 0; i < w->count && i < 3 && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.50s", i ? ", " : "", w->tensors[i].name);
    for (size_t i = 0, n = 0; tt_models[i] && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", tt_models[i]->name);

    const char *prefix = NULL;
    size_t length = 0;
    const tt_model *inside = find_inside(w, &prefix, &length);
    if (inside)
        return tt_fail(
            err, TT_ERR_UNSUPPORTED,
            "%s: the tensors under \"%.*s\" look like %s, but others stand beside them (%zu in all: %s%s); "
            "save that part alone",
            w->path, (int)(length < 80 ? length : 80), prefix, inside->title, w->count, names,
            w->count > 3 ? ", ..." : "");
    return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %zu tensor%s (%s%s) of no network known here; known are %s",
                   w->path, w->count, w->count == 1 ? "" : "s", names, w->count > 3 ? ", ..." : "", known);
}

tt_status tt_model_build(const tt_weights *w, const char *const *settings, const tt_model **model,
                         tt_traits *traits, tt_graph **graph, tt_error *err)
{
    *traits = (tt_traits){0};
    *graph = NULL;
    *model = find(w);
    if (!*model)
        return refuse(w, err);
    tt_build *b = tt_build_new(w, settings);
    if (!b)
        return tt_fail_memory(err, w->count);
    const tt_val out = (*model)->build(b, traits);
    return tt_build_finish(b, out, graph, err);
}
