#define _POSIX_C_SOURCE 200809L
#include "src/device.h"

#include "engine/status.h"
#include "src/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the cache --------------------------------------------------------------------------------------- */

enum { MOST_PATH = 4096, MOST_FILE = 256 << 20 };

/* The directory: the caller's, $XDG_CACHE_HOME/tintype, ~/.cache/tintype; false where there is none. */
static bool cache_directory(const char *given, char *to, size_t room)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (given)
        n = snprintf(to, room, "%s", given);
    else if (cache && cache[0] == '/')
        n = snprintf(to, room, "%s/tintype", cache);
    else if (home && home[0] == '/')
        n = snprintf(to, room, "%s/.cache/tintype", home);
    else
        return false;
    return n > 0 && (size_t)n < room;
}

static bool cache_get(void *user, const char *name, unsigned char **bytes, size_t *size)
{
    char path[MOST_PATH + 128];
    snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
    return !tt_read_file(path, MOST_FILE, bytes, size, NULL);
}

/* What cannot be kept is made again the next time. */
static void cache_put(void *user, const char *name, const void *bytes, size_t size)
{
    char path[MOST_PATH + 128], *slash;
    snprintf(path, sizeof path, "%s", (const char *)user);
    slash = strrchr(path, '/');
    if (slash && slash != path) { /* ~/.cache itself may be missing */
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    if (mkdir(path, 0700) && errno != EEXIST)
        return;
    tt_output_sweep(path);
    snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
    tt_output_write(path, bytes, size, true, NULL);
}

static tt_status open_cl(tt_cl **cl, const char *which, const tt_context_options *c, bool again, tt_error *err)
{
    char directory[MOST_PATH];
    const bool kept = !(c->device_cache && !*c->device_cache) &&
                      cache_directory(c->device_cache, directory, sizeof directory);
    const tt_cl_store store = {cache_get, cache_put, directory, TT_VERSION};
    const tt_cl_options o = {.store = kept ? &store : NULL, .memory = c->device_memory, .again = again};
    return tt_cl_open(cl, which, &o, err);
}

tt_status tt_device_tune(const tt_context_options *c, void (*tell)(void *, const char *), void *user, tt_error *err)
{
    char directory[MOST_PATH];
    const bool kept = !(c->device_cache && !*c->device_cache) &&
                      cache_directory(c->device_cache, directory, sizeof directory);
    const tt_cl_store store = {cache_get, cache_put, directory, TT_VERSION};
    const tt_cl_options o = {.store = kept ? &store : NULL, .memory = c->device_memory};
    return tt_cl_tune(c->device, &o, tell, user, err);
}

/* ---- life -------------------------------------------------------------------------------------------- */

static void say(const tt_context_options *o, const char *sentence)
{
    if (o->note)
        o->note(o->note_user, sentence);
}

tt_status tt_device_open(tt_device **out, const tt_context_options *o, tt_error *err)
{
    tt_cl *cl = NULL;
    tt_error why = {0};
    *out = NULL;
    if (!o->device || !*o->device || !strcmp(o->device, "cpu"))
        return TT_OK;
    const tt_status st = open_cl(&cl, o->device, o, false, &why);
    if (st == TT_ERR_USAGE && !strcmp(o->device, "auto"))
        return TT_OK; /* no GPU: nothing to tell */
    if (st && o->device_only)
        return tt_fail(err, st, "%s", why.text);
    if (st) {
        char sentence[1200];
        snprintf(sentence, sizeof sentence, "%s; the processor does the work", why.text);
        say(o, sentence);
        return TT_OK;
    }
    tt_device *d = calloc(1, sizeof *d);
    if (!d) {
        tt_cl_free(cl);
        return tt_fail_memory(err, sizeof *d);
    }
    d->cl = cl;
    d->only = o->device_only != 0;
    d->say = o->note;
    d->say_user = o->note_user;
    atomic_init(&d->users, 1);
    atomic_init(&d->failed, 0);
    *out = d;
    return TT_OK;
}

tt_device *tt_device_share(tt_device *d)
{
    if (d)
        atomic_fetch_add(&d->users, 1);
    return d;
}

void tt_device_free(tt_device *d)
{
    if (!d || atomic_fetch_sub(&d->users, 1) > 1)
        return;
    tt_cl_free(d->cl);
    free(d);
}

bool tt_device_works(const tt_device *d)
{
    return d && atomic_load(&d->failed) < TT_DEVICE_CHANCES;
}

void tt_device_excuse(tt_device *d, const tt_error *what, const char *then)
{
    char sentence[1200];
    snprintf(sentence, sizeof sentence, "%s; %s", what->text, then);
    if (d->say)
        d->say(d->say_user, sentence);
}

tt_status tt_device_list(tt_device_state **list, int *count, const char **why_none, tt_error *err)
{
    static const tt_context_options usual;
    tt_cl_info *info = NULL;
    *list = NULL;
    *count = 0;
    tt_status st = tt_cl_list(&info, count, why_none, err);
    if (!st && *count && !(*list = calloc((size_t)*count, sizeof **list)))
        st = tt_fail_memory(err, (size_t)*count * sizeof **list);
    for (int i = 0; i < *count && !st; i++) {
        tt_device_state *s = &(*list)[i];
        tt_cl *cl = NULL;
        tt_error why = {0};
        s->info = info[i];
        s->works = !open_cl(&cl, info[i].id, &usual, true, &why);
        snprintf(s->why_not, sizeof s->why_not, "%s", why.text);
        tt_cl_free(cl);
    }
    free(info);
    return st;
}
