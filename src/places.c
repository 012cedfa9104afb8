#define _GNU_SOURCE /* asprintf */
#include "src/places.h"

#include "src/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char below[] = "tintype/models";
static const char *const system_wide[] = {"/usr/local/share/tintype/models", "/usr/share/tintype/models",
                                          NULL};

/* A name without ending stands for a file with one of these; the quickest to open first. */
static const char *const endings[] = {"",     ".safetensors", ".pth",  ".pt", ".param",
                                      ".bin", ".mat",         ".json", NULL};

/* ---- the list ------------------------------------------------------------------------------------- */

typedef struct dirs {
    char **at;
    size_t count;
} dirs;

/* Takes `text`; NULL is want of memory. */
static bool add(dirs *l, char *text)
{
    char **more = text ? realloc(l->at, (l->count + 2) * sizeof *more) : NULL;
    if (!more) {
        free(text);
        return false;
    }
    more[l->count++] = text;
    more[l->count] = NULL;
    l->at = more;
    return true;
}

static char *joined(const char *a, const char *b)
{
    char *text;
    return asprintf(&text, "%s%s%s", a, *a && a[strlen(a) - 1] == '/' ? "" : "/", b) < 0 ? NULL : text;
}

/* The user's own; *text NULL where there is no home. False: no memory. */
static bool of_user(char **text)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    *text = NULL;
    if (data && data[0] == '/') { /* the specification: what is not absolute is to be ignored */
        *text = joined(data, below);
        return *text != NULL;
    }
    if (!home || home[0] != '/') /* getpwuid() could tell, and could open sockets */
        return true;
    return asprintf(text, "%s/.local/share/%s", strcmp(home, "/") ? home : "", below) >= 0;
}

static bool of_environment(dirs *l)
{
    const char *p = getenv("TINTYPE_MODELS");
    while (p && *p) {
        const size_t n = strcspn(p, ":");
        if (n && !add(l, strndup(p, n)))
            return false;
        p += n + (p[n] == ':');
    }
    return true;
}

/* *own: how many of them belong to the user, who wants them made where they are missing */
static tt_status places(dirs *l, size_t *own, tt_error *err)
{
    char *user = NULL;
    *l = (dirs){0};
    bool good = of_environment(l) && of_user(&user);
    if (good && user)
        good = add(l, user);
    *own = l->count;
    for (const char *const *s = system_wide; good && *s; s++)
        good = add(l, strdup(*s));
    if (good)
        return TT_OK;
    tt_places_free(l->at);
    *l = (dirs){0};
    return tt_fail_memory(err, sizeof below);
}

tt_status tt_places(char ***directories, tt_error *err)
{
    dirs l;
    size_t own;
    const tt_status st = places(&l, &own, err);
    *directories = l.at;
    return st;
}

void tt_places_free(char **directories)
{
    for (char **p = directories; p && *p; p++)
        free(*p);
    free(directories);
}

/* ---- finding -------------------------------------------------------------------------------------- */

/* Is there anything but a directory? */
static bool is_there(const char *path)
{
    struct stat st;
    return !stat(path, &st) && !S_ISDIR(st.st_mode);
}

static tt_status find(const char *name, const char *const *with, char **path, tt_error *err)
{
    char **list = NULL;
    *path = NULL;
    tt_status st = tt_places(&list, err);
    for (char **dir = list; !st && dir && *dir && !*path; dir++)
        for (const char *const *e = with; *e && !*path; e++) {
            if (asprintf(path, "%s/%s%s", *dir, name, *e) < 0) {
                *path = NULL;
                st = tt_fail_memory(err, strlen(*dir) + strlen(name));
                break;
            }
            if (!is_there(*path)) {
                free(*path);
                *path = NULL;
            }
        }
    tt_places_free(list);
    return st;
}

tt_status tt_places_find(const char *name, char **path, tt_error *err)
{
    static const char *const as_it_is[] = {"", NULL};
    return find(name, as_it_is, path, err);
}

const char *tt_places_advice(const tt_official *o)
{
    static char text[512];
    if (o->url)
        snprintf(text, sizeof text, "get it with: tintype models fetch %s", o->name);
    else
        snprintf(text, sizeof text, "tintype cannot fetch it; it is to be had %s", o->where);
    return text;
}

tt_status tt_places_resolve(const char *word, char **path, tt_error *err)
{
    struct stat there;
    *path = NULL;
    const bool itself = !strcmp(word, "default") || strchr(word, '/') || !stat(word, &there);
    tt_status st = itself || word[0] == '-' ? TT_OK : find(word, endings, path, err);
    if (st || *path)
        return st;
    const tt_official *o = itself ? NULL : tt_official_next(NULL, word);
    if (o)
        return tt_fail(err, TT_ERR_INPUT, "%s: this official file is not on this machine; %s", word,
                       tt_places_advice(o));
    *path = strdup(word);
    return *path ? TT_OK : tt_fail_memory(err, strlen(word) + 1);
}

/* ---- writing -------------------------------------------------------------------------------------- */

bool tt_place_writable(const char *directory)
{
    struct stat st;
    return !stat(directory, &st) && S_ISDIR(st.st_mode) && !access(directory, W_OK | X_OK);
}

/* It and what is above it; what is there already is no error. */
static void make(const char *directory)
{
    char *path = strdup(directory);
    for (char *p = path; path && p;) {
        p = strchr(p + 1, '/');
        if (p)
            *p = 0;
        if (mkdir(path, 0777) && errno != EEXIST)
            break; /* the question whether it can be written will tell */
        if (p)
            *p = '/';
    }
    free(path);
}

tt_status tt_places_to_write(char **directory, tt_error *err)
{
    dirs l;
    size_t own;
    *directory = NULL;
    tt_status st = places(&l, &own, err);
    if (st)
        return st;
    for (size_t i = 0; i < l.count && !*directory; i++) {
        if (i < own)
            make(l.at[i]);
        if (tt_place_writable(l.at[i])) {
            *directory = l.at[i];
            l.at[i] = NULL;
            for (size_t k = i + 1; k < l.count; k++)
                free(l.at[k]);
        }
    }
    if (!*directory)
        st = tt_fail(err, TT_ERR_OUTPUT,
                     "%s: cannot be written, nor can another directory of `tintype models path`", l.at[0]);
    tt_places_free(l.at);
    return st;
}
