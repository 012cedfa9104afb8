/* What stands around the tensors of a .pth file: the wrappers of training programs, whole modules, settings.
 */
#include "engine/weights/torch.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_WRAPPERS = 8,
    MAX_NOTES = 64,
    MAX_NOTE = 256,              /* bytes */
    MAX_PASSING = 1024,          /* buffers of one module that are not to be kept */
    MAX_STEPS = TT_PICKLE_LINKS, /* entries looked at in modules: more than all there are */
};

static const tt_pickle_node *node_of(const tt_torch *t, tt_pickle_id n)
{
    return tt_pickle_at(t->p, n);
}

static bool is_dict(const tt_torch *t, tt_pickle_id n)
{
    return node_of(t, n)->kind == TT_NODE_DICT;
}

/* The pairs of a dict, one after the other: for (pairs i = pairs_of(t, dict); next_pair(t, &i);) */
typedef struct pairs {
    uint32_t link;
    tt_pickle_id key, value;
} pairs;

static pairs pairs_of(const tt_torch *t, tt_pickle_id dict)
{
    const tt_pickle_node *n = node_of(t, dict);
    return (pairs){.link = n->kind == TT_NODE_DICT && n->count ? n->u.items.first : 0};
}

static bool next_pair(const tt_torch *t, pairs *i)
{
    if (!i->link)
        return false;
    const tt_pickle_link key = t->p->links[i->link], value = t->p->links[key.next];
    *i = (pairs){.link = value.next, .key = key.node, .value = value.node};
    return true;
}

/* Of a text, whole and as C and UTF-8 have it. */
static bool proper_text(const tt_torch *t, tt_pickle_id n)
{
    const tt_pickle_node *node = node_of(t, n);
    if (node->kind != TT_NODE_TEXT || memchr(node->u.text, 0, node->count))
        return false;
    const unsigned char *s = node->u.text, *end = s + node->count;
    while (s < end) {
        const int more = *s < 0x80 ? 0 : *s < 0xc2 ? -1 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf5 ? 3 : -1;
        if (more < 0 || end - s <= more)
            return false;
        /* too long a form, half of a surrogate pair, beyond the last character */
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
            (s[0] == 0xf4 && s[1] > 0x8f))
            return false;
        for (int i = 1; i <= more; i++)
            if ((s[i] & 0xc0) != 0x80)
                return false;
        s += more + 1;
    }
    return true;
}

/* Is that text an item of the list? */
static bool among(const tt_torch *t, tt_pickle_id list, tt_pickle_id text)
{
    const tt_pickle_node *l = node_of(t, list), *x = node_of(t, text);
    uint32_t link = l->kind == TT_NODE_LIST && l->count ? l->u.items.first : 0;
    for (; link; link = t->p->links[link].next) {
        const tt_pickle_node *y = node_of(t, t->p->links[link].node);
        if (x->kind == TT_NODE_TEXT && y->kind == TT_NODE_TEXT && x->count == y->count &&
            x->count <= TT_MAX_NAME && !memcmp(x->u.text, y->u.text, x->count))
            return true;
    }
    return false;
}

/* ---- metadata ------------------------------------------------------------------------------------- */

/* A string or number as text, as Python would print it; false for anything else and what is too long. */
static bool to_text(const tt_torch *t, tt_pickle_id n, char text[MAX_NOTE + 1])
{
    const tt_pickle_node *node = node_of(t, n);
    switch (node->kind) {
    case TT_NODE_FALSE:
    case TT_NODE_TRUE:
        strcpy(text, node->kind == TT_NODE_TRUE ? "True" : "False");
        return true;
    case TT_NODE_INT:
        snprintf(text, MAX_NOTE + 1, "%lld", (long long)node->u.number);
        return true;
    case TT_NODE_FLOAT:
        snprintf(text, MAX_NOTE + 1, "%.9g", node->u.real);
        for (char *c = text; *c; c++)
            if (*c == ',') /* some locales' decimal point */
                *c = '.';
        return true;
    case TT_NODE_TEXT:
        if (node->count > MAX_NOTE || !proper_text(t, n))
            return false;
        memcpy(text, node->u.text, node->count);
        text[node->count] = 0;
        return true;
    default:
        return false;
    }
}

/* The strings and numbers of a dict, under their keys with `before` in front. */
static tt_status note_all(tt_torch *t, tt_pickle_id dict, const char *before, tt_error *err)
{
    for (pairs i = pairs_of(t, dict); next_pair(t, &i);) {
        char key[MAX_NOTE + 1], value[MAX_NOTE + 1], name[2 * MAX_NOTE];
        size_t notes = 0;
        if (node_of(t, i.key)->kind != TT_NODE_TEXT || !to_text(t, i.key, key) || !to_text(t, i.value, value))
            continue;
        while (t->w->metadata && t->w->metadata[notes])
            notes++;
        if (notes >= 2 * MAX_NOTES)
            return TT_OK;
        snprintf(name, sizeof name, "%s%s", before, key);
        const tt_status st = tt_weights_note(t->w, name, value, err);
        if (st)
            return st;
    }
    return TT_OK;
}

/*
 * nagadomi's later port of waifu2x (nunif) keeps {'nunif_model': 1, 'name': 'waifu2x.cunet', 'kwargs': {...},
 * 'state_dict': {...}}. Its cunet and upcunet clamp between the U-Nets unless kwargs say no_clip: no tensor
 * tells.
 */
static tt_status note_nunif(tt_torch *t, tt_pickle_id dict, tt_error *err)
{
    const tt_pickle_id name = tt_pickle_get(t->p, dict, "name"), kwargs = tt_pickle_get(t->p, dict, "kwargs");
    if (!tt_pickle_get(t->p, dict, "nunif_model"))
        return TT_OK;
    const tt_status st = note_all(t, kwargs, "kwargs.", err);
    if (st || (!tt_pickle_is(t->p, name, "waifu2x.cunet") && !tt_pickle_is(t->p, name, "waifu2x.upcunet")))
        return st;
    const bool no_clip = node_of(t, tt_pickle_get(t->p, kwargs, "no_clip"))->kind == TT_NODE_TRUE;
    return tt_weights_note(t->w, "clip", no_clip ? "no" : "yes", err);
}

/* ---- names ---------------------------------------------------------------------------------------- */

/* Where the walk is: a name that grows and shrinks. */
typedef struct place {
    char text[TT_MAX_NAME + 2]; /* a dot may follow on the longest */
    size_t size;
    size_t steps;
} place;

static tt_status add_key(const tt_torch *t, place *to, tt_pickle_id key, tt_error *err)
{
    const tt_pickle_node *n = node_of(t, key);
    if (!n->count || !proper_text(t, key))
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, key, "after '%s' a name that is not proper UTF-8 text",
                             to->text);
    if (n->count > TT_MAX_NAME - to->size)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, key,
                             "a tensor's name of %zu bytes, at most %d are allowed", to->size + n->count,
                             TT_MAX_NAME);
    memcpy(to->text + to->size, n->u.text, n->count);
    to->size += n->count;
    to->text[to->size] = 0;
    return TT_OK;
}

static void cut_back(place *n, size_t size)
{
    n->size = size;
    n->text[size] = 0;
}

/* All tensors of a dict, their keys added to *at. What is no tensor does no harm, unless one went into it. */
static tt_status add_all(tt_torch *t, place *at, tt_pickle_id dict, tt_pickle_id without, tt_error *err)
{
    const size_t size = at->size;
    for (pairs i = pairs_of(t, dict); next_pair(t, &i); cut_back(at, size)) {
        const uint8_t kind = node_of(t, i.value)->kind;
        const bool tensor = tt_torch_is_tensor(t, i.value);
        const bool lost = node_of(t, i.value)->storage && (kind == TT_NODE_CALL || kind == TT_NODE_OBJECT);
        if ((!tensor && !lost) || among(t, without, i.key))
            continue;
        tt_status st = add_key(t, at, i.key, err);
        if (!st && lost && !tensor) {
            char what[256];
            tt_pickle_describe(t->p, i.value, what, sizeof what);
            st = TT_TORCH_FAIL(t, err, TT_ERR_UNSUPPORTED, i.value,
                               "tensor '%s': is %s, of which nothing is known here", at->text, what);
        }
        if (!st)
            st = tt_torch_add(t, at->text, i.value, err);
        if (st)
            return st;
    }
    return TT_OK;
}

/* ---- whole modules -------------------------------------------------------------------------------- */

/* torch.nn.Module: an object whose state is {'_parameters': ..., '_buffers': ..., '_modules': ...} */
static bool is_module(const tt_torch *t, tt_pickle_id n)
{
    const tt_pickle_node *node = node_of(t, n);
    return node->kind == TT_NODE_OBJECT && tt_pickle_get(t->p, node->count, "_modules") &&
           tt_pickle_get(t->p, node->count, "_parameters");
}

/*
 * The same module may stand in two places, and so each of two in each of two, and so on: a small file whose
 * walk would never end. Counted before a dict, or an object's state, is looked through, `times` for each entry.
 */
static tt_status count_steps(const tt_torch *t, place *at, tt_pickle_id n, size_t times, tt_error *err)
{
    const tt_pickle_node *node = node_of(t, n);
    const size_t entries = node->kind == TT_NODE_OBJECT ? node_of(t, node->count)->count : node->count;
    at->steps += 1 + entries * times; /* at most 2^21 and MAX_PASSING */
    if (at->steps > MAX_STEPS)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, n, "module '%s': modules stand in each other too often",
                             at->text);
    return TT_OK;
}

/* Its own tensors, without those of the modules in it and buffers that are not to be kept. */
static tt_status add_own(tt_torch *t, place *at, tt_pickle_id module, tt_error *err)
{
    static const char *const groups[] = {"_parameters", "_buffers", "_modules"};
    const tt_pickle_id state = node_of(t, module)->count;
    const tt_pickle_id passing = tt_pickle_get(t->p, state, "_non_persistent_buffers_set");
    const size_t passes = node_of(t, passing)->kind == TT_NODE_LIST ? node_of(t, passing)->count : 0;
    if (passes > MAX_PASSING)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, passing,
                             "module '%s': more than %d buffers not to be kept", at->text, MAX_PASSING);
    for (int i = 0; i < 3; i++) {
        const tt_pickle_id group = tt_pickle_get(t->p, state, groups[i]);
        if (group && !is_dict(t, group))
            return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, group, "module '%s': its %s are not a dict", at->text,
                                 groups[i]);
        /* each buffer is looked for among those that are not to be kept */
        tt_status st = count_steps(t, at, group, i == 1 ? 1 + passes : 1, err);
        if (!st && i < 2)
            st = add_all(t, at, group, i ? passing : 0, err);
        if (st)
            return st;
    }
    return TT_OK;
}

/* The modules from the outermost to the one that is walked. */
typedef struct level {
    pairs rest;  /* of its _modules */
    size_t size; /* of its name, with the dot */
} level;

static tt_status enter(tt_torch *t, place *at, tt_pickle_id module, level *levels, int *depth, tt_error *err)
{
    if (*depth >= TT_PICKLE_DEPTH)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, module, "module '%s': nested deeper than %d", at->text,
                             TT_PICKLE_DEPTH);
    if (at->size) {
        at->text[at->size++] = '.';
        at->text[at->size] = 0;
    }
    const tt_pickle_id inside = tt_pickle_get(t->p, node_of(t, module)->count, "_modules");
    levels[*depth] = (level){.rest = pairs_of(t, inside), .size = at->size};
    ++*depth;
    return add_own(t, at, module, err);
}

static tt_status add_module(tt_torch *t, tt_pickle_id root, tt_error *err)
{
    level levels[TT_PICKLE_DEPTH];
    place at = {.size = 0};
    int depth = 0;
    tt_status st = enter(t, &at, root, levels, &depth, err);
    while (!st && depth) {
        level *l = &levels[depth - 1];
        cut_back(&at, l->size);
        if (!next_pair(t, &l->rest)) {
            depth--;
            continue;
        }
        const tt_pickle_id inner = l->rest.value;
        st = count_steps(t, &at, inner, 1, err);
        if (st)
            return st;
        if (!is_module(t, inner) && !node_of(t, inner)->storage)
            continue; /* None, or something without tensors */
        st = add_key(t, &at, l->rest.key, err);
        if (!st && !is_module(t, inner)) {
            char what[256];
            tt_pickle_describe(t->p, inner, what, sizeof what);
            st = TT_TORCH_FAIL(t, err, TT_ERR_UNSUPPORTED, inner, "module '%s': is %s, not a module", at.text,
                               what);
        }
        if (!st)
            st = enter(t, &at, inner, levels, &depth, err);
    }
    return st;
}

/* ---- wrappers ------------------------------------------------------------------------------------- */

/* The dict or module inside a wrapper, or 0: under a usual name, averaged weights first, or where nothing
 * else could be meant. */
static tt_pickle_id inside(const tt_torch *t, tt_pickle_id dict)
{
    static const char *const names[] = {"params_ema", "params-ema", "params", "model_state_dict",
                                        "state_dict", "model",      "net",    "generator",
                                        "g_ema"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const tt_pickle_id n = tt_pickle_get(t->p, dict, names[i]);
        if (is_module(t, n) || (is_dict(t, n) && node_of(t, n)->count))
            return n;
    }
    tt_pickle_id only = 0;
    size_t found = 0, steps = 0;
    for (pairs i = pairs_of(t, dict); next_pair(t, &i);) {
        const tt_pickle_node *value = node_of(t, i.value);
        /* the same object's state would be looked through for each entry that is it */
        steps += value->kind == TT_NODE_OBJECT ? node_of(t, value->count)->count : 0;
        if (tt_torch_is_tensor(t, i.value) || steps > MAX_STEPS)
            return 0;
        if (is_module(t, i.value) || is_dict(t, i.value)) {
            only = i.value;
            found++;
        }
    }
    return found == 1 ? only : 0;
}

/* Why there are none: the first thing that has some in it, else nothing has. */
static tt_status no_tensors(const tt_torch *t, tt_pickle_id dict, tt_error *err)
{
    for (pairs i = pairs_of(t, dict); next_pair(t, &i);) {
        char key[MAX_NOTE + 1], what[256];
        if (!node_of(t, i.value)->storage || !to_text(t, i.key, key))
            continue;
        tt_pickle_describe(t->p, i.value, what, sizeof what);
        return TT_TORCH_FAIL(t, err, TT_ERR_UNSUPPORTED, i.value,
                             "no tensors with names; some are in '%s', which is %s", key, what);
    }
    return TT_TORCH_FAIL(t, err, TT_ERR_UNSUPPORTED, dict, "%s", "no tensors in it");
}

tt_status tt_torch_tensors(tt_torch *t, tt_error *err)
{
    tt_pickle_id n = t->p->root;
    for (int depth = 0; depth < MAX_WRAPPERS; depth++) {
        if (is_module(t, n)) {
            const tt_status st = add_module(t, n, err);
            return st || t->w->count ? st : no_tensors(t, n, err);
        }
        if (!is_dict(t, n)) {
            char what[256];
            tt_pickle_describe(t->p, n, what, sizeof what);
            return TT_TORCH_FAIL(t, err, TT_ERR_UNSUPPORTED, n,
                                 "holds %s, wanted named tensors (a state dict) or a module", what);
        }
        tt_status st = note_all(t, n, "", err);
        if (!st)
            st = note_nunif(t, n, err);
        if (st)
            return st;
        const tt_pickle_id inner = inside(t, n);
        if (!inner) {
            place at = {.size = 0};
            st = add_all(t, &at, n, 0, err);
            return st || t->w->count ? st : no_tensors(t, n, err);
        }
        n = inner;
    }
    return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, n, "dicts in dicts, more than %d", MAX_WRAPPERS);
}
