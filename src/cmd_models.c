/* `tintype models list`, `info`, `verify` and `path`: what is known of official weight files and of those
 * here. */
#define _GNU_SOURCE
#include "src/cli.h"

#include "engine/status.h"
#include "src/digest.h"
#include "src/facts.h"
#include "src/places.h"
#include "src/output.h"
#include "src/progress.h"
#include "src/registry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was found out of one file counts for the exit code like this. */
typedef struct tally {
    int given, failed;
    tt_status first;
} tally;

static void count(tally *t, const char *path, tt_status st, const tt_error *e)
{
    if (!st)
        return;
    tt_cli_complain(path, e);
    if (!t->failed++)
        t->first = st;
}

static int code_of(const tally *t)
{
    return t->failed && t->given > 1 ? TT_EXIT_SOME : tt_exit_code(t->first);
}

static void put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value); /* without memory the fact is missing: no harm */
}

/* Where the file is, if one of that name and size is there; to be freed. */
static char *installed(const tt_official *o)
{
    char *path = NULL;
    struct stat st;
    tt_error e;
    if (tt_places_find(o->name, &path, &e) || !path)
        return NULL;
    if (o->size && !stat(path, &st) && (uint64_t)st.st_size != o->size) {
        free(path);
        return NULL;
    }
    return path;
}

static json_t *text(const char *s)
{
    return s ? tt_json_text(s) : json_null();
}

/* `as_json`: with what people see by its absence */
static json_t *describe(const tt_official *o, const char *path, bool as_json)
{
    json_t *j = json_object();
    put(j, "name", text(o->name));
    put(j, "network", text(o->network));
    put(j, "uses", *o->uses ? text(o->uses) : json_null());
    put(j, "scale", o->scale ? json_integer(o->scale) : json_null());
    put(j, "bytes", o->size ? json_integer((json_int_t)o->size) : json_null());
    put(j, "sha256", as_json || o->sha256 ? text(o->sha256) : json_string("none is published"));
    put(j, "url", text(o->url));
    put(j, "to_be_had", text(o->where));
    put(j, "licence", as_json || o->licence ? text(o->licence) : json_string("none is stated"));
    put(j, "commercial_use", text(tt_commercial_text(o->commercial)));
    put(j, "note", text(o->note));
    put(j, "installed", text(path));
    return j;
}

/* ---- list ----------------------------------------------------------------------------------------- */

enum { COLUMNS = 7, GAP = 2, CELL = 128 };

/* In the order shown, and the order in which they give way on a narrow terminal; the name never does. */
static const char *const heads[COLUMNS] = {"NAME", "FOR",     "NETWORK",       "SCALE",
                                           "SIZE", "LICENCE", "COMMERCIAL USE"};
static const int gives_way[COLUMNS - 1] = {2, 4, 3, 5, 1, 6};

typedef struct row {
    const tt_official *o;
    char *path; /* NULL: not here */
} row;

static const char *cell(const tt_official *o, int column, char to[CELL])
{
    *to = 0;
    switch (column) {
    case 0:
        return o->name;
    case 1:
        return o->uses;
    case 2:
        return o->network;
    case 3:
        if (o->scale)
            snprintf(to, CELL, "%dx", o->scale);
        return to;
    case 4:
        if (o->size)
            snprintf(to, CELL, "%s", tt_shown_bytes((double)o->size));
        return to;
    case 5:
        return o->licence ? o->licence : "none stated";
    default:
        return tt_commercial_text(o->commercial);
    }
}

static bool wanted(const tt_official *o, const char *path, const tt_args *a)
{
    static const struct {
        const char *word;
        tt_commercial use;
    } licences[] = {{"commercial", TT_COMMERCIAL_YES},
                    {"noncommercial", TT_COMMERCIAL_NO},
                    {"unstated", TT_COMMERCIAL_UNSTATED}};
    if ((a->use && !tt_word_among(o->uses, a->use)) || (a->installed && !path))
        return false;
    for (size_t i = 0; a->licence && i < sizeof licences / sizeof *licences; i++)
        if (!strcmp(a->licence, licences[i].word))
            return o->commercial == licences[i].use;
    return true;
}

static void line(const tt_official *o, bool here, const int width[COLUMNS])
{
    char buffer[CELL];
    int pending = 0;
    printf("%c ", here ? '*' : ' ');
    for (int c = 0; c < COLUMNS; c++) {
        if (!width[c])
            continue;
        const char *s = o ? cell(o, c, buffer) : heads[c];
        const int n = (int)strlen(s);
        if (n > width[c]) /* the end of a name tells more than its middle */
            printf("%*s%.*s...%s", pending, "", (width[c] - 3) / 2, s,
                   s + n - (width[c] - 3 - (width[c] - 3) / 2));
        else if (n)
            printf("%*s%s", pending, "", s);
        pending = n >= width[c] ? GAP : (n ? 0 : pending) + width[c] - n + GAP;
    }
    putchar('\n');
}

static void table(const row *rows, size_t n)
{
    int width[COLUMNS], sum = 2 - GAP;
    char buffer[CELL];
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = (int)strlen(heads[c]);
        for (size_t i = 0; i < n; i++) {
            const int w = (int)strlen(cell(rows[i].o, c, buffer));
            width[c] = w > width[c] ? w : width[c];
        }
        sum += width[c] + GAP;
    }
    const bool terminal = isatty(STDOUT_FILENO);
    const int room = terminal ? tt_columns(STDOUT_FILENO) - 1 : sum;
    for (int i = 0; sum > room && i < COLUMNS - 1; i++) {
        sum -= width[gives_way[i]] + GAP;
        width[gives_way[i]] = 0;
    }
    if (sum > room)
        width[0] = room - 2 < 8 ? 8 : room - 2;
    line(NULL, false, width);
    for (size_t i = 0; i < n; i++)
        line(rows[i].o, rows[i].path, width);
    if (terminal)
        tt_cli_note("* is on this machine; get another with: tintype models fetch NAME");
}

int tt_cmd_models_list(const tt_args *a)
{
    size_t all = 0, n = 0;
    while (tt_officials[all].name)
        all++;
    row *rows = calloc(all, sizeof *rows);
    if (!rows) {
        tt_error e;
        const tt_status st = tt_fail_memory(&e, all * sizeof *rows);
        tt_cli_complain(NULL, &e);
        return tt_exit_code(st);
    }
    for (const tt_official *o = tt_officials; o->name; o++) {
        char *path = installed(o);
        if (wanted(o, path, a))
            rows[n++] = (row){o, path};
        else
            free(path);
    }
    for (size_t i = 0; a->json && i < n; i++)
        tt_json_line(describe(rows[i].o, rows[i].path, true));
    if (!a->json && n)
        table(rows, n);
    else if (!a->json)
        tt_cli_note("no official file is known to be like that");
    for (size_t i = 0; i < n; i++)
        free(rows[i].path);
    free(rows);
    return TT_EXIT_OK;
}

/* ---- info ----------------------------------------------------------------------------------------- */

/* What a file on this machine holds, and which official one it is. */
static tt_status info_of_file(const tt_args *a, const char *path, bool more, tt_error *err)
{
    char sum[TT_SHA256_TEXT];
    uint64_t size = 0;
    json_t *facts = NULL;
    tt_error why;
    tt_status st = strcmp(path, "default") ? tt_sha256_file(path, sum, &size, err) : TT_OK;
    if (st)
        return st;
    const tt_official *o = size ? tt_official_summed(sum) : NULL;
    st = tt_facts_weights(path, a->net, &facts, &why);
    if (st && !o) { /* not even official: the reason is the answer */
        *err = why;
        return st;
    }
    if (st) {
        facts = json_object();
        put(facts, "file", tt_json_text(path));
        put(facts, "does_not_open", tt_json_text(why.text));
    }
    const char *source =
        json_string_value(json_object_get(json_object_get(facts, "metadata"), "tintype.source_sha256"));
    const tt_official *from = !o && source ? tt_official_summed(source) : NULL;
    if (size) {
        put(facts, "bytes", json_integer((json_int_t)size));
        put(facts, "sha256", json_string(sum));
    }
    if (o)
        put(facts, "official", describe(o, NULL, a->json));
    else if (from) /* so it says itself */
        put(facts, "converted_from", describe(from, NULL, a->json));
    else if (size)
        put(facts, "official", a->json ? json_null() : json_string("no official file is known to be this"));
    tt_facts_show(facts, a->json, more);
    return TT_OK;
}

static tt_status info(const tt_args *a, const char *word, bool more, tt_error *err)
{
    const tt_official *o = strchr(word, '/') ? NULL : tt_official_next(NULL, word);
    char *path = NULL;
    struct stat there;
    /* known by name but not here: that is no error for those who ask what it is */
    tt_status st =
        !o || !stat(word, &there) ? tt_places_resolve(word, &path, err) : tt_places_find(o->name, &path, err);
    if (!st && path)
        st = info_of_file(a, path, more, err);
    for (; !st && !path && o;) {
        const tt_official *next = tt_official_next(o, word);
        json_t *facts = describe(o, NULL, a->json);
        if (!a->json)
            put(facts, "installed", json_string("no"));
        tt_facts_show(facts, a->json, more || next);
        o = next;
    }
    free(path);
    return st;
}

int tt_cmd_models_info(const tt_args *a)
{
    tally t = {.given = a->operands};
    for (int i = 0; i < a->operands && !tt_cli_stopped(); i++) {
        tt_error e = {0};
        count(&t, a->operand[i], info(a, a->operand[i], i + 1 < a->operands, &e), &e);
    }
    return code_of(&t);
}

/* ---- verify --------------------------------------------------------------------------------------- */

/* Of the official file that `path` is called like: what is wrong with it. */
static tt_status compare(const char *path, const tt_official *named, const char *sum, uint64_t size,
                         tt_error *err)
{
    if (named->size && size != named->size)
        return tt_fail(err, TT_ERR_FORMAT, "%s: has %llu bytes; the official %s has %llu", path,
                       (unsigned long long)size, named->name, (unsigned long long)named->size);
    if (named->sha256 && strcmp(sum, named->sha256))
        return tt_fail(err, TT_ERR_FORMAT, "%s: is not the official %s: its SHA-256 is %s, and should be %s",
                       path, named->name, sum, named->sha256);
    return TT_OK;
}

static void tell_verified(const tt_args *a, const char *path, uint64_t size, const char *sum,
                          const tt_official *o, const tt_official *named, const char *network,
                          const char *why)
{
    if (a->json) {
        json_t *j = json_object();
        put(j, "file", tt_json_text(path));
        put(j, "bytes", json_integer((json_int_t)size));
        put(j, "sha256", json_string(sum));
        put(j, "official", text(o ? o->name : NULL));
        put(j, "network", text(network));
        put(j, "does_not_open", text(why));
        tt_json_line(j);
        return;
    }
    if (a->quiet)
        return;
    printf("%s: %llu bytes, SHA-256 %s, ", tt_shown(path), (unsigned long long)size, sum);
    if (o)
        printf("the official %s", o->name);
    else if (named)
        printf("no SHA-256 of the official %s is published", named->name);
    else
        printf("no official file that is known");
    if (a->sha256)
        printf(", as asked");
    if (network)
        printf(", opens as %s", tt_shown(network));
    else
        printf(", is not opened by this version (%s)", tt_shown(why));
    putchar('\n');
}

static tt_status verify(const tt_args *a, const char *path, const char *asked, tt_error *err)
{
    char sum[TT_SHA256_TEXT];
    uint64_t size;
    json_t *facts = NULL;
    tt_error why;
    tt_status st = tt_sha256_file(path, sum, &size, err);
    if (st)
        return st;
    const tt_official *o = tt_official_summed(sum), *named = tt_official_named(tt_base_name(path));
    if (asked && strcmp(sum, asked))
        return tt_fail(err, TT_ERR_FORMAT, "%s: its SHA-256 is %s, and %s is asked for", path, sum, asked);
    if (!asked && !o && named && (st = compare(path, named, sum, size, err)))
        return st;
    st = tt_facts_weights(path, a->net, &facts, &why);
    if (st && !o && !asked) {
        *err = why; /* nobody vouches for it, and it cannot be used */
        return st;
    }
    const char *network = json_string_value(json_object_get(facts, "title"));
    const char *unknown = json_string_value(json_object_get(facts, "no_network"));
    tell_verified(a, path, size, sum, o, named, network, st ? why.text : unknown);
    json_decref(facts);
    return TT_OK;
}

int tt_cmd_models_verify(const tt_args *a)
{
    tally t = {.given = a->operands};
    char asked[TT_SHA256_TEXT];
    tt_error e = {0};
    tt_status st = TT_OK;
    if (a->sha256 && a->operands > 1)
        st = tt_fail(&e, TT_ERR_USAGE, "--sha256 is for one file, and %d are given", a->operands);
    else if (a->sha256 && !tt_sha256_parse(a->sha256, asked))
        st = tt_fail(&e, TT_ERR_USAGE, "--sha256 is %s; 64 hexadecimal digits are wanted", a->sha256);
    if (st) {
        tt_cli_complain(NULL, &e);
        return tt_exit_code(st);
    }
    for (int i = 0; i < a->operands && !tt_cli_stopped(); i++)
        count(&t, a->operand[i], verify(a, a->operand[i], a->sha256 ? asked : NULL, &e), &e);
    return code_of(&t);
}

/* ---- path ----------------------------------------------------------------------------------------- */

int tt_cmd_models_path(const tt_args *a)
{
    char **list;
    tt_error e;
    const tt_status st = tt_places(&list, &e);
    if (st) {
        tt_cli_complain(NULL, &e);
        return tt_exit_code(st);
    }
    for (char **p = list; *p; p++) {
        struct stat there;
        if (a->json)
            tt_json_line(json_pack("{so sb sb}", "directory", tt_json_text(*p), "exists",
                                   !stat(*p, &there) && S_ISDIR(there.st_mode), "writable",
                                   tt_place_writable(*p)));
        else
            puts(*p);
    }
    tt_places_free(list);
    return TT_EXIT_OK;
}
