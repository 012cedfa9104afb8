#define MODELS(X) X(srcnn) X(vdsr) X(waifu2x) X(cunet) X(rrdb) X(srvgg) X(swinir) X(deoldify)

#include "models/models.h"
#include "engine/weights/ncnn.h"
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

const tt_model *tt_model_find(const tt_weights *w)
{
    for (int i = 0; tt_models[i]; i++)
        if (tt_models[i]->match(w))
            return tt_models[i];
    return NULL;
}

tt_status tt_model_adopt(tt_weights *w, tt_error *err)
{
    tt_status st = TT_OK;
    for (int i = 0; tt_models[i] && !st; i++)
        if (tt_models[i]->adopt)
            st = tt_models[i]->adopt(w, err);
    return st;
}

tt_status tt_model_build(const tt_weights *w, const char *const *settings, const tt_model **model,
                         tt_traits *traits, tt_graph **graph, tt_error *err)
{
    *traits = (tt_traits){0};
    *graph = NULL;
    *model = tt_model_find(w);
    if (!*model)
        return tt_model_refuse(w, err);
    tt_build *b = tt_build_new(w, settings);
    if (!b)
        return tt_fail_memory(err, w->count);
    const tt_val out = (*model)->build(b, traits);
    tt_status st = tt_build_finish(b, out, graph, err);
    if (!st && (st = tt_ncnn_check(w, *graph, err))) {
        tt_graph_free(*graph);
        *graph = NULL;
    }
    return st;
}
