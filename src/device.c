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

/* The cache, if there is one: what tt_cl_options wants of it. */
typedef struct cache {
    char directory[MOST_PATH];
    tt_cl_store store;
} cache;

static const tt_cl_store *open_cache(cache *c, const char *given)
{
    if ((given && !*given) || !cache_directory(given, c->directory, sizeof c->directory))
        return NULL;
    c->store = (tt_cl_store){cache_get, cache_put, c->directory, TT_VERSION};
    return &c->store;
}

static tt_status open_cl(tt_cl **cl, const char *which, const tt_context_options *c, bool halves, bool again, tt_error *err)
{
    cache kept;
    const tt_cl_options o = {.store = open_cache(&kept, c->device_cache), .memory = c->device_memory, .again = again,
                             .half_maps = halves};
    return tt_cl_open(cl, which, &o, err);
}

tt_status tt_device_tune(const tt_context_options *c, void (*tell)(void *, const char *), void *user, tt_error *err)
{
    cache kept;
    const tt_cl_options o = {.store = open_cache(&kept, c->device_cache), .memory = c->device_memory};
    return tt_cl_tune(c->device, &o, tell, user, err);
}

/* ---- life -------------------------------------------------------------------------------------------- */

static void say(const tt_context_options *o, const char *what, const char *then)
{
    char sentence[1200];
    snprintf(sentence, sizeof sentence, "%s; %s", what, then);
    if (o->note)
        o->note(o->note_user, sentence);
}

/* With maps as wanted; of 32 bits where those of 16 fail their test. */
static tt_status open_wanted(tt_cl **cl, const tt_context_options *o, tt_error *err)
{
    tt_error why = {0};
    if (o->precision == TT_FP32)
        return open_cl(cl, o->device, o, false, false, err);
    const tt_status st = open_cl(cl, o->device, o, true, false, &why);
    if (st != TT_ERR_UNSUPPORTED)
        return st ? tt_fail(err, st, "%s", why.text) : TT_OK;
    say(o, why.text, "its maps are made of 32 bits");
    return open_cl(cl, o->device, o, false, false, err);
}

/* No device: nothing to tell, but for a wish that has no effect. */
static tt_status by_processor(const tt_context_options *o)
{
    if (o->precision != TT_FP32)
        say(o, "maps of 16 bits are for devices with OpenCL", "the processor computes with 32");
    return TT_OK;
}

static tt_device *new_device(tt_cl *cl, const tt_context_options *o)
{
    tt_device *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    if (o->device_cache && !(d->cache = strdup(o->device_cache))) {
        free(d);
        return NULL;
    }
    d->cl = cl;
    d->memory = o->device_memory;
    d->only = o->device_only != 0;
    d->say = o->note;
    d->say_user = o->note_user;
    pthread_mutex_init(&d->lock, NULL);
    atomic_init(&d->users, 1);
    atomic_init(&d->failed, 0);
    return d;
}

tt_status tt_device_open(tt_device **out, const tt_context_options *o, tt_error *err)
{
    tt_cl *cl = NULL;
    tt_error why = {0};
    *out = NULL;
    if (!o->device || !*o->device || !strcmp(o->device, "cpu"))
        return by_processor(o);
    const tt_status st = open_wanted(&cl, o, &why);
    if (st == TT_ERR_USAGE && !strcmp(o->device, "auto"))
        return by_processor(o); /* no GPU */
    if (st && o->device_only)
        return tt_fail(err, st, "%s", why.text);
    if (st) {
        say(o, why.text, "the processor does the work");
        return TT_OK;
    }
    *out = new_device(cl, o);
    if (!*out) {
        tt_cl_free(cl);
        return tt_fail_memory(err, sizeof **out);
    }
    return TT_OK;
}

tt_status tt_device_floats(tt_device *d, const tt_cl_net *there, tt_cl_net **floats, tt_error *err)
{
    cache kept;
    tt_status st = TT_OK;
    *floats = NULL;
    pthread_mutex_lock(&d->lock);
    if (!d->floats) {
        const tt_cl_options o = {.store = open_cache(&kept, d->cache), .memory = d->memory};
        st = tt_cl_open_floats(&d->floats, d->cl, &o, err);
    }
    if (!st)
        st = tt_cl_net_floats(floats, d->floats, there, err);
    pthread_mutex_unlock(&d->lock);
    return st;
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
    tt_cl_free(d->floats);
    tt_cl_free(d->cl);
    pthread_mutex_destroy(&d->lock);
    free(d->cache);
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

/* Tested now, whatever is known; why[]: "" or what is wrong. */
static bool works(const char *id, bool halves, char *why, size_t room)
{
    static const tt_context_options usual;
    tt_cl *cl = NULL;
    tt_error e = {0};
    const tt_status st = open_cl(&cl, id, &usual, halves, true, &e);
    snprintf(why, room, "%s", e.text);
    tt_cl_free(cl);
    return !st;
}

tt_status tt_device_list(tt_device_state **list, int *count, const char **why_none, tt_error *err)
{
    tt_cl_info *info = NULL;
    *list = NULL;
    *count = 0;
    tt_status st = tt_cl_list(&info, count, why_none, err);
    if (!st && *count && !(*list = calloc((size_t)*count, sizeof **list)))
        st = tt_fail_memory(err, (size_t)*count * sizeof **list);
    for (int i = 0; i < *count && !st; i++) {
        tt_device_state *s = &(*list)[i];
        s->info = info[i];
        s->works = works(info[i].id, false, s->why_not, sizeof s->why_not);
        s->halves_work = works(info[i].id, true, s->why_no_halves, sizeof s->why_no_halves);
    }
    free(info);
    return st;
}
