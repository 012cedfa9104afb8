/* `tintype models fetch`: official weight files, and any other whose address is given, from the network. */
#define _GNU_SOURCE
#include "src/cli.h"

#include "engine/status.h"
#include "src/digest.h"
#include "src/fetch.h"
#include "src/places.h"
#include "src/progress.h"
#include "src/registry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MOST = 200, TRIES = 5, TIMEOUT_SECONDS = 60 };

/* One file to be had. */
typedef struct item {
    const char *name;
    const tt_official *o; /* or NULL: by --url alone */
    const char *sha256;
} item;

typedef struct session {
    const tt_args *a;
    item *items;
    size_t count, done, there, failed;
    tt_status first;
    char sum[TT_SHA256_TEXT]; /* of --sha256 */
    tt_progress progress;
    double began;
} session;

/* ---- what is asked for ---------------------------------------------------------------------------- */

/* The nearest official name, for who mistyped one: it begins alike, case aside. */
static const char *near(const char *word)
{
    const char *best = NULL;
    size_t most = 3;
    for (const tt_official *o = tt_officials; o->name; o++) {
        size_t n = 0;
        while (word[n] && o->name[n] && (word[n] | 32) == (o->name[n] | 32))
            n++;
        if (n > most) {
            most = n;
            best = o->name;
        }
    }
    return best;
}

static tt_status add(session *s, const char *name, const tt_official *o, tt_error *err)
{
    item *more = realloc(s->items, (s->count + 1) * sizeof *more);
    if (!more)
        return tt_fail_memory(err, (s->count + 1) * sizeof *more);
    s->items = more;
    more[s->count++] = (item){name, o, s->a->sha256 ? s->sum : o ? o->sha256 : NULL};
    return TT_OK;
}

static tt_status add_word(session *s, const char *word, tt_error *err)
{
    const tt_official *o = tt_official_next(NULL, word);
    if (s->a->url) {
        if (strchr(word, '/') || word[0] == '.' || strlen(word) > NAME_MOST)
            return tt_fail(err, TT_ERR_USAGE, "%s: is no name for a weight file; a plain one is wanted",
                           word);
        return add(s, word, tt_official_named(word), err);
    }
    if (!o) {
        const char *like = near(word);
        return tt_fail(err, TT_ERR_USAGE, "%s: no official file is called so%s%s; see: tintype models list",
                       word, like ? ", but " : "", like ? like : "");
    }
    tt_status st = TT_OK;
    for (; !st && o; o = tt_official_next(o, word)) {
        bool twice = false;
        for (size_t i = 0; i < s->count; i++)
            twice = twice || s->items[i].o == o;
        if (!twice)
            st = add(s, o->name, o, err);
    }
    return st;
}

static tt_status understand(session *s, tt_error *err)
{
    const tt_args *a = s->a;
    if ((a->url || a->sha256) && a->operands > 1)
        return tt_fail(err, TT_ERR_USAGE, "%s is for one file, and %d are given",
                       a->url ? "--url" : "--sha256", a->operands);
    if (a->sha256 && !tt_sha256_parse(a->sha256, s->sum))
        return tt_fail(err, TT_ERR_USAGE, "--sha256 is %s; 64 hexadecimal digits are wanted", a->sha256);
    tt_status st = TT_OK;
    for (int i = 0; i < a->operands && !st; i++)
        st = add_word(s, a->operand[i], err);
    if (!st && a->sha256 && s->count > 1)
        st = tt_fail(err, TT_ERR_USAGE,
                     "%s stands for %zu files, and --sha256 is for one; give the ending too", a->operand[0],
                     s->count);
    const tt_official *o = s->count ? s->items[0].o : NULL;
    if (!st && a->sha256 && o && o->sha256 && strcmp(o->sha256, s->sum))
        st = tt_fail(err, TT_ERR_USAGE, "--sha256 is %s, and the official %s has %s", a->sha256, o->name,
                     o->sha256);
    return st;
}

/* ---- one file ------------------------------------------------------------------------------------- */

static void tell(session *s, const item *it, const char *path, uint64_t bytes, uint64_t resumed,
                 const char *sum, bool fetched)
{
    const double seconds = tt_seconds() - s->progress.began;
    tt_progress_end(&s->progress);
    if (s->progress.json) {
        tt_json_line(json_pack("{ss so so sI sI ss sb sb sf}", "event", "done", "input",
                               tt_json_text(it->name), "output", tt_json_text(path), "bytes",
                               (json_int_t)bytes, "resumed_bytes", (json_int_t)resumed, "sha256", sum,
                               "checked", it->sha256 != NULL, "fetched", fetched, "seconds", seconds));
        return;
    }
    char how[160] = "SHA-256 right";
    if (!it->sha256)
        snprintf(how, sizeof how, "not checked, as no SHA-256 is %s; it is %s", it->o ? "published" : "given",
                 sum);
    if (fetched)
        tt_progress_say(&s->progress, "%s: %s, %s, %s", tt_shown(path), tt_shown_bytes((double)bytes),
                        tt_shown_seconds(seconds), how);
    else
        tt_progress_say(&s->progress, "%s: is there already, %s", tt_shown(path), how);
}

/* *right: the file at `path` is the one wanted, as far as one can know. */
static tt_status look(session *s, const item *it, const char *path, bool *right, tt_error *err)
{
    char sum[TT_SHA256_TEXT];
    uint64_t bytes;
    tt_progress_phase(&s->progress, "checking what is there");
    const tt_status st = tt_sha256_file(path, sum, &bytes, err);
    if (st)
        return st;
    *right = it->sha256 ? !strcmp(sum, it->sha256) : !it->o || !it->o->size || bytes == it->o->size;
    if (*right) {
        s->there++;
        tell(s, it, path, bytes, 0, sum, false);
    }
    return TT_OK;
}

/* Is it there already, anywhere in the search path? */
static tt_status look_around(session *s, const item *it, bool *right, tt_error *err)
{
    char *path = NULL;
    tt_status st = tt_places_find(it->name, &path, err);
    *right = false;
    /* without a sum, "overwrite" means to fetch it anew */
    if (!st && path && (it->sha256 || !s->a->overwrite))
        st = look(s, it, path, right, err);
    free(path);
    return st;
}

/* The path to write to. */
static tt_status target(session *s, const item *it, char **path, tt_error *err)
{
    char *directory = NULL;
    struct stat there;
    *path = NULL;
    tt_status st = tt_places_to_write(&directory, err);
    if (!st && asprintf(path, "%s/%s", directory, it->name) < 0) {
        *path = NULL;
        st = tt_fail_memory(err, strlen(directory));
    }
    if (!st && !s->a->overwrite && !lstat(*path, &there))
        st = tt_fail(err, TT_ERR_OUTPUT, "%s: is there and is another file; --overwrite replaces it", *path);
    free(directory);
    return st;
}

static tt_status address(session *s, const item *it, char **url, tt_error *err)
{
    const char *mirror = s->a->mirror;
    if (s->a->url) /* goes over a mirror, which the environment may name for good */
        *url = strdup(s->a->url);
    else if (mirror &&
             asprintf(url, "%s%s%s", mirror, mirror[strlen(mirror) - 1] == '/' ? "" : "/", it->name) < 0)
        *url = NULL;
    else if (!mirror && !it->o->url)
        return tt_fail(err, TT_ERR_INPUT, "%s: %s", it->name, tt_places_advice(it->o));
    else if (!mirror)
        *url = strdup(it->o->url);
    return *url ? TT_OK : tt_fail_memory(err, strlen(it->name));
}

static tt_status get(session *s, const item *it, const char *url, const char *path, tt_error *err)
{
    const tt_args *a = s->a;
    tt_fetched got;
    const tt_fetch f = {
        .url = url,
        .path = path,
        /* of another file than the official one, the official size says nothing */
        .size = it->o && (!a->sha256 || (it->o->sha256 && !strcmp(it->o->sha256, s->sum))) ? it->o->size : 0,
        .sha256 = it->sha256,
        .overwrite = a->overwrite,
        .plain = a->mirror && !a->url && it->sha256,
        .tries = a->tries ? a->tries : TRIES,
        .timeout = a->timeout > 0 ? a->timeout : TIMEOUT_SECONDS,
        .progress = &s->progress,
    };
    tt_status st = tt_fetch_file(&f, &got, err);
    if (!st && got.waited) {
        bool right = false;
        st = look(s, it, path, &right, err);
        if (!st && !right)
            st = tt_fail(err, TT_ERR_OUTPUT, "%s: appeared meanwhile and is another file", path);
    } else if (!st) {
        s->done++;
        tell(s, it, path, got.bytes, got.resumed, got.sha256, true);
    }
    return st;
}

static tt_status one(session *s, const item *it, tt_error *err)
{
    const char *offline = getenv("TINTYPE_OFFLINE");
    char *url = NULL, *path = NULL;
    bool right = false;
    tt_status st = look_around(s, it, &right, err);
    if (!st && !right)
        st = address(s, it, &url, err);
    if (!st && !right && offline && *offline && strcmp(offline, "0"))
        st = tt_fail(err, TT_ERR_USAGE, "%s: TINTYPE_OFFLINE is set, so nothing is fetched", it->name);
    if (!st && !right)
        st = target(s, it, &path, err);
    if (!st && !right)
        st = get(s, it, url, path, err);
    free(url);
    free(path);
    return st;
}

/* ---- all ------------------------------------------------------------------------------------------ */

static void fail(session *s, const item *it, tt_status st, const tt_error *e)
{
    if (!s->failed++)
        s->first = st;
    if (st == TT_ERR_CANCELLED)
        return;
    tt_cli_complain(st == TT_ERR_OUTPUT ? NULL : it->name, e);
    if (s->progress.json)
        tt_json_line(json_pack("{ss so ss si so}", "event", "error", "input", tt_json_text(it->name),
                               "status", tt_status_text(st), "code", tt_exit_code(st), "text",
                               tt_json_text(e->text)));
}

int tt_cmd_models_fetch(const tt_args *a)
{
    session s = {.a = a, .began = tt_seconds()};
    tt_error e = {0};
    tt_progress_init(&s.progress, a->json, a->quiet);
    const tt_status st = understand(&s, &e);
    if (st) {
        tt_cli_complain(NULL, &e);
        free(s.items);
        return tt_exit_code(st);
    }
    for (size_t i = 0; i < s.count && !tt_cli_stopped(); i++) {
        const item *it = &s.items[i];
        tt_progress_begin(&s.progress, it->name, i + 1, s.count);
        const tt_status one_st = one(&s, it, &e);
        tt_progress_end(&s.progress);
        if (one_st)
            fail(&s, it, one_st, &e);
    }
    if (s.progress.json)
        tt_json_line(json_pack("{ss sI sI sI sf}", "event", "summary", "done", (json_int_t)s.done, "skipped",
                               (json_int_t)s.there, "failed", (json_int_t)s.failed, "seconds",
                               tt_seconds() - s.began));
    const bool several = s.count > 1;
    free(s.items);
    return s.failed && several ? TT_EXIT_SOME : tt_exit_code(s.first);
}
