/* What is said of a weight file that holds none of our networks: what it holds, and what comes closest. */
#include "models/models.h"
#include "models/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a network under a prefix ---------------------------------------------------------------------- */

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
            found = tt_model_find(&view);
            *prefix = first;
            *length = n;
        }
    }
    free(inner);
    return found;
}

/* ---- the closest network --------------------------------------------------------------------------- */

/*
 * Does a tensor's name, without its last part (".weight"), fit a pattern of tt_model.names? '#' stands for any whole
 * number. The pattern ends at a blank.
 */
static bool fits(const char *name, const char *pattern)
{
    const char *end = strrchr(name, '.');
    if (!end)
        end = name + strlen(name);
    while (name < end && *pattern && *pattern != ' ') {
        if (*pattern == '#') {
            if (!isdigit((unsigned char)*name))
                return false;
            while (name < end && isdigit((unsigned char)*name))
                name++;
        } else if (*name++ != *pattern) {
            return false;
        }
        pattern++;
    }
    return name == end && (!*pattern || *pattern == ' ');
}

static const char *next_pattern(const char *p)
{
    p += strcspn(p, " ");
    return p + strspn(p, " ");
}

/* How many of the tensors could be of that layout, and the first of its patterns that none fits, or NULL. */
static size_t could_be(const tt_weights *w, const char *layout, const char **lacking)
{
    size_t count = 0;
    *lacking = NULL;
    for (const char *p = layout; *p; p = next_pattern(p)) {
        size_t here = 0;
        for (size_t i = 0; i < w->count; i++)
            here += fits(w->tensors[i].name, p);
        if (!here && !*lacking)
            *lacking = p;
        count += here;
    }
    return count;
}

/* The network of which most names could be, "" where hardly any could. */
static void closest(const tt_weights *w, char *to, size_t size)
{
    const tt_model *best = NULL;
    const char *lacks = NULL;
    size_t most = 0;
    *to = 0;
    for (int i = 0; tt_models[i]; i++)
        for (int j = 0; j < TT_LAYOUTS && tt_models[i]->names[j]; j++) {
            const char *lacking;
            const size_t n = could_be(w, tt_models[i]->names[j], &lacking);
            if (n > most || (n && n == most && lacks && !lacking)) {
                most = n;
                best = tt_models[i];
                lacks = lacking;
            }
        }
    if (!best || most < (w->count + 3) / 4)
        return;
    const int n = snprintf(to, size, "; %s comes closest: %zu of the names could be its", best->title, most);
    if (lacks && n > 0 && (size_t)n < size)
        snprintf(to + n, size - (size_t)n, ", but none is like %.*s", (int)strcspn(lacks, " "), lacks);
    for (char *p = to; *p; p++)
        if (*p == '#')
            *p = 'N';
}

/* ---- the sentence ---------------------------------------------------------------------------------- */

/* Say what was found and what would have been something. */
tt_status tt_model_refuse(const tt_weights *w, tt_error *err)
{
    if (w->count == 0)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: holds no tensors, so no network", w->path);

    char names[200] = "", known[200] = "", near[300];
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
    closest(w, near, sizeof near);
    return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %zu tensor%s (%s%s) of no network known here%s; known are %s", w->path,
                   w->count, w->count == 1 ? "" : "s", names, w->count > 3 ? ", ..." : "", near, known);
}
