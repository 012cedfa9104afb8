#define _GNU_SOURCE
#include "src/inputs.h"

#include "src/cli.h"
#include "src/image/image.h"
#include "src/output.h"
#include "src/progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 64 }; /* bytes that tell a picture's format */

/* ---- strings -------------------------------------------------------------------------------------- */

/* The ending with its point, or the end of the name; ".jpg" alone is a name without one. */
static const char *ending(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot : name + strlen(name);
}

static char *joined(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    const bool slash = n && a[n - 1] != '/';
    char *to = malloc(n + slash + m + 1);
    if (!to)
        return NULL;
    memcpy(to, a, n);
    if (slash)
        to[n] = '/';
    memcpy(to + n + slash, b, m + 1);
    return to;
}

/* The path up to its file name, "" for none. */
static char *way(const char *path)
{
    return strndup(path, (size_t)(tt_base_name(path) - path));
}

/* ---- the list ------------------------------------------------------------------------------------- */

static tt_status add(tt_jobs *jobs, tt_job j, tt_error *err)
{
    if (j.input && jobs->count == jobs->room) {
        const size_t room = jobs->room ? 2 * jobs->room : 16;
        tt_job *more = realloc(jobs->job, room * sizeof *more);
        if (more) {
            jobs->job = more;
            jobs->room = room;
        }
    }
    if (!j.input || (!j.output && !j.problem) || jobs->count == jobs->room) {
        free(j.input);
        free(j.output);
        free(j.problem);
        return tt_fail_memory(err, sizeof j);
    }
    jobs->job[jobs->count++] = j;
    return TT_OK;
}

void tt_jobs_clear(tt_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        free(jobs->job[i].input);
        free(jobs->job[i].output);
        free(jobs->job[i].problem);
    }
    free(jobs->job);
    *jobs = (tt_jobs){0};
}

/* ---- what a file holds ---------------------------------------------------------------------------- */

/* The format of the picture in a regular file, by its first bytes; NULL where there is none. `unread`: it
 * could not be looked at, and whoever reads it will say why. */
static const tt_image_format *format_of(const char *path, bool *unread)
{
    unsigned char head[HEAD];
    struct stat st;
    *unread = true;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    const ssize_t n = read(fd, head, sizeof head);
    close(fd);
    if (n < 0)
        return NULL;
    *unread = false;
    for (const tt_image_format *const *f = tt_image_formats; *f; f++)
        if ((*f)->probe(head, (size_t)n))
            return *f;
    return NULL;
}

/* What {ext} stands for: the input's own ending where it tells the truth. */
static const char *ext_of(const char *input, const tt_image_format *f, const tt_naming *n)
{
    if (n->format)
        for (const tt_image_format *const *g = tt_image_formats; *g; g++)
            if (!strcasecmp((*g)->name, n->format))
                f = *g;
    if (!f)
        return "png";
    const char *own = ending(tt_base_name(input));
    for (const char *const *e = f->endings; *e; e++)
        if (*own && !strcasecmp(own + 1, *e))
            return own + 1;
    return f->endings[0];
}

/* ---- names ---------------------------------------------------------------------------------------- */

static bool is_pattern(const char *text)
{
    return strstr(text, "{stem}") || strstr(text, "{ext}") || strstr(text, "{scale}") ||
           strstr(text, "{size}") || strstr(text, "{render}");
}

/* The pattern with its words replaced, to be freed; NULL for want of memory. What else stands in braces is a
 * name. */
static char *fill(const char *pattern, const char *input, const char *ext, const tt_naming *n)
{
    const char *name = strcmp(input, "-") ? tt_base_name(input) : "stdin";
    const struct {
        const char *word, *text;
        size_t size;
    } words[] = {
        {"{stem}", name, (size_t)(ending(name) - name)},
        {"{ext}", ext, strlen(ext)},
        {"{scale}", n->scale ? n->scale : "", n->scale ? strlen(n->scale) : 0},
        {"{size}", n->size ? n->size : "", n->size ? strlen(n->size) : 0},
        {"{render}", n->render ? n->render : "", n->render ? strlen(n->render) : 0},
    };
    const size_t count = sizeof words / sizeof *words;
    char *to = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&to, &size);
    if (!f)
        return NULL;
    for (const char *p = pattern; *p;) {
        size_t i = 0;
        while (i < count && strncmp(p, words[i].word, strlen(words[i].word)))
            i++;
        if (i < count) {
            fwrite(words[i].text, 1, words[i].size, f);
            p += strlen(words[i].word);
        } else {
            fputc(*p++, f);
        }
    }
    const bool bad = ferror(f);
    if (fclose(f) || bad) {
        free(to);
        return NULL;
    }
    return to;
}

typedef struct search {
    tt_jobs *jobs;
    const tt_naming *n;
    bool directory; /* -o is one, given or made */
    bool has_out;   /* the output directory exists already, and is this one: not searched for inputs */
    dev_t out_device;
    ino_t out_node;
} search;

/* `tree`: the directories below the operand that lead to the input, "" or "a/b/". */
static char *output_name(const search *s, const char *input, const char *tree, const tt_image_format *f)
{
    const tt_naming *n = s->n;
    const char *out = n->output;
    char *pattern = NULL, *dir = NULL, *below = NULL, *name = NULL;
    if (!out && !strcmp(input, "-"))
        return strdup("-");
    if (out && !s->directory && !is_pattern(out))
        return strdup(out);
    if (!out) {
        dir = way(input);
        pattern = strdup(n->usual);
    } else if (s->directory) {
        dir = strdup(out);
        pattern = strdup(n->usual);
    } else {
        dir = way(out);
        pattern = strdup(tt_base_name(out));
    }
    below = dir ? (*tree ? joined(dir, tree) : strdup(dir)) : NULL;
    char *full = below && pattern ? joined(below, pattern) : NULL;
    if (full)
        name = fill(full + (s->directory || !out ? strlen(full) - strlen(pattern) : 0), input,
                    ext_of(input, f, n), n);
    if (name && (s->directory || !out)) { /* only the name is a pattern: braces in directories are braces */
        char *path = joined(below, name);
        free(name);
        name = path;
    }
    free(full);
    free(below);
    free(dir);
    free(pattern);
    return name;
}

static tt_status add_file(search *s, const char *input, const char *tree, const tt_image_format *f,
                          tt_error *err)
{
    return add(s->jobs,
               (tt_job){.input = strdup(input),
                        .output = output_name(s, input, tree, f),
                        .make_way = s->directory || *tree || (s->n->output && is_pattern(s->n->output))},
               err);
}

static tt_status add_problem(search *s, const char *input, const char *problem, tt_error *err)
{
    return add(s->jobs, (tt_job){.input = strdup(input), .problem = strdup(problem)}, err);
}

/* ---- directories ---------------------------------------------------------------------------------- */

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void note(const search *s, const char *path, const char *why)
{
    if (s->n->verbose)
        tt_cli_note("%s: passed over: %s", tt_shown(path), why);
}

static tt_status walk(search *s, const char *dir, const char *tree, tt_error *err);

/* One entry of a directory. Links to directories are not followed, so there is no going round in circles. */
static tt_status visit(search *s, const char *path, const char *tree, const char *name, tt_error *err)
{
    struct stat st;
    bool unread;
    if (lstat(path, &st))
        return add_problem(s, path, strerror(errno), err);
    if (S_ISDIR(st.st_mode)) {
        if (s->has_out && st.st_dev == s->out_device && st.st_ino == s->out_node) {
            note(s, path, "the results go there");
            return TT_OK;
        }
        char *deeper = joined(tree, name);
        const tt_status status = deeper ? walk(s, path, deeper, err) : tt_fail_memory(err, strlen(path));
        free(deeper);
        return status;
    }
    if (S_ISLNK(st.st_mode) && !stat(path, &st) && S_ISDIR(st.st_mode)) {
        note(s, path, "a link to a directory");
        return TT_OK;
    }
    if (!S_ISREG(st.st_mode) &&
        !S_ISLNK(st.st_mode)) { /* S_ISLNK: a link to nothing, an error when it is read */
        note(s, path, "not a file");
        return TT_OK;
    }
    const tt_image_format *f = format_of(path, &unread);
    if (!f && !unread) {
        note(s, path, "not a picture that is known");
        return TT_OK;
    }
    return add_file(s, path, tree, f, err);
}

static tt_status walk(search *s, const char *dir, const char *tree, tt_error *err)
{
    struct dirent **entry;
    const int n = scandir(dir, &entry, visible, by_bytes);
    tt_status st = TT_OK;
    if (n < 0)
        return errno == ENOMEM ? tt_fail_memory(err, 0) : add_problem(s, dir, strerror(errno), err);
    for (int i = 0; i < n; i++) {
        if (!st) {
            char *path = joined(dir, entry[i]->d_name);
            st = path ? visit(s, path, tree, entry[i]->d_name, err) : tt_fail_memory(err, strlen(dir));
            free(path);
        }
        free(entry[i]);
    }
    free(entry);
    return st;
}

/* ---- two that would become one -------------------------------------------------------------------- */

typedef struct place {
    char *path; /* the output with its directory's true name, or the output as it stands */
    size_t job;
} place;

static char *true_name(const char *path)
{
    char *dir = way(path);
    char *real = dir ? realpath(*dir ? dir : ".", NULL) : NULL;
    char *name = real ? joined(real, tt_base_name(path)) : strdup(path);
    free(real);
    free(dir);
    return name;
}

static int by_path(const void *a, const void *b)
{
    const place *p = a, *q = b;
    const int c = strcmp(p->path, q->path);
    return c ? c : (p->job > q->job) - (p->job < q->job);
}

static tt_status two_in_one(const tt_jobs *jobs, const place *p, size_t n, tt_error *err)
{
    for (size_t i = 1; i < n; i++) {
        const tt_job *a = &jobs->job[p[i - 1].job], *b = &jobs->job[p[i].job];
        if (!strcmp(p[i - 1].path, p[i].path))
            return tt_fail(err, TT_ERR_USAGE, "%s and %s would both become %s; nothing was done", a->input,
                           b->input, b->output);
    }
    return TT_OK;
}

/* An output that is the input of another job would be read after it was replaced. */
static tt_status eats_input(const tt_jobs *jobs, const place *outputs, size_t n, tt_error *err)
{
    tt_status st = TT_OK;
    for (size_t i = 0; i < jobs->count && !st; i++) {
        place in = {.path = true_name(jobs->job[i].input), .job = 0};
        if (!in.path)
            return tt_fail_memory(err, 0);
        size_t lo = 0, hi = n;
        while (lo < hi) {
            const size_t mid = (lo + hi) / 2;
            if (strcmp(outputs[mid].path, in.path) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < n && !strcmp(outputs[lo].path, in.path) && outputs[lo].job != i)
            st = tt_fail(err, TT_ERR_USAGE, "%s would become %s, which is an input too; nothing was done",
                         jobs->job[outputs[lo].job].input, jobs->job[i].input);
        free(in.path);
    }
    return st;
}

static tt_status check_places(const tt_jobs *jobs, bool overwrite, tt_error *err)
{
    place *p = calloc(jobs->count + 1, sizeof *p);
    size_t n = 0;
    tt_status st = p ? TT_OK : tt_fail_memory(err, jobs->count * sizeof *p);
    for (size_t i = 0; i < jobs->count && !st; i++) {
        if (!jobs->job[i].output || !strcmp(jobs->job[i].output, "-"))
            continue;
        p[n] = (place){true_name(jobs->job[i].output), i};
        if (!p[n++].path)
            st = tt_fail_memory(err, 0);
    }
    if (!st) {
        qsort(p, n, sizeof *p, by_path);
        st = two_in_one(jobs, p, n, err);
    }
    if (!st && overwrite)
        st = eats_input(jobs, p, n, err);
    for (size_t i = 0; i < n; i++)
        free(p[i].path);
    free(p);
    return st;
}

/* ---- all operands --------------------------------------------------------------------------------- */

/* What -o means; the words it may hold. */
static tt_status look_at_output(search *s, char *const *operand, int operands, tt_error *err)
{
    const tt_naming *n = s->n;
    const char *out = n->output;
    struct stat st;
    bool trees = false;
    for (int i = 0; i < operands; i++)
        if (n->recursive && !stat(operand[i], &st) && S_ISDIR(st.st_mode)) {
            if (!out) /* beside the inputs, the next run would take the results for inputs */
                return tt_fail(err, TT_ERR_USAGE,
                               "%s is a directory; say with -o DIRECTORY where the results go", operand[i]);
            trees = true;
        }
    if (!out || !strcmp(out, "-")) {
        if (out && (operands > 1 || trees))
            return tt_fail(err, TT_ERR_USAGE,
                           "standard output takes one picture, and there are several inputs");
        return TT_OK;
    }
    const bool there = !stat(out, &st), is_dir = there && S_ISDIR(st.st_mode);
    s->directory = is_dir || out[strlen(out) - 1] == '/' || (trees && !is_pattern(out));
    if (is_dir) {
        s->has_out = true;
        s->out_device = st.st_dev;
        s->out_node = st.st_ino;
    }
    if (!s->directory && is_pattern(out)) {
        if (strstr(out, "{scale}") && !n->scale)
            return tt_fail(err, TT_ERR_USAGE,
                           n->size ? "--output is %s; with --size there is no {scale}, but {size}"
                                   : "--output is %s; there is no {scale} where nothing is enlarged",
                           out);
        if (strstr(out, "{size}") && !n->size)
            return tt_fail(err, TT_ERR_USAGE, "--output is %s; there is no {size} without --size", out);
        if (strstr(out, "{render}") && !n->render)
            return tt_fail(err, TT_ERR_USAGE, "--output is %s; {render} is for colours", out);
        return TT_OK;
    }
    if (s->directory && there && !is_dir)
        return tt_fail(err, TT_ERR_USAGE,
                       "--output is %s; several pictures want a directory, and this is a file", out);
    if (!s->directory && operands > 1)
        return tt_fail(err, TT_ERR_USAGE,
                       "--output is %s, one file for %d inputs; give a directory (%s/) or a pattern "
                       "({stem}_large.{ext})",
                       out, operands, out);
    return TT_OK;
}

tt_status tt_jobs_find(tt_jobs *jobs, char *const *operand, int operands, const tt_naming *n, tt_error *err)
{
    *jobs = (tt_jobs){0};
    search s = {.jobs = jobs, .n = n};
    tt_status st = look_at_output(&s, operand, operands, err);
    int standard = 0;
    for (int i = 0; i < operands && !st; i++) {
        struct stat f;
        bool unread;
        if (!strcmp(operand[i], "-")) {
            st = standard++ ? tt_fail(err, TT_ERR_USAGE, "standard input is given twice")
                            : add_file(&s, "-", "", NULL, err);
        } else if (stat(operand[i], &f) || !S_ISDIR(f.st_mode)) {
            st = add_file(&s, operand[i], "", format_of(operand[i], &unread), err);
        } else if (n->recursive) {
            st = walk(&s, operand[i], "", err);
        } else {
            st = add_problem(&s, operand[i], "is a directory; with -r its pictures are taken", err);
        }
    }
    if (st)
        return st;
    size_t to_standard = 0;
    for (size_t i = 0; i < jobs->count; i++)
        to_standard += jobs->job[i].output && !strcmp(jobs->job[i].output, "-");
    if (to_standard && jobs->count > 1)
        return tt_fail(err, TT_ERR_USAGE, "standard output takes one picture, and there are several inputs");
    return check_places(jobs, n->overwrite, err);
}

/* ---- one job -------------------------------------------------------------------------------------- */

char *tt_job_directory(const tt_job *j)
{
    if (!j->output || !strcmp(j->output, "-"))
        return NULL;
    char *dir = way(j->output);
    if (dir && !*dir) {
        free(dir);
        return strdup(".");
    }
    return dir;
}

bool tt_job_done(const tt_job *j)
{
    struct stat st;
    return j->output && strcmp(j->output, "-") && !stat(j->output, &st) && S_ISREG(st.st_mode);
}

/* mkdir -p */
static tt_status make_directories(char *path, tt_error *err)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(path, 0777) && errno != EEXIST) {
            const int e = errno;
            struct stat st;
            if (stat(path, &st) || !S_ISDIR(st.st_mode)) /* "/" on a read-only file system says EROFS */
                return tt_fail(err, TT_ERR_OUTPUT, "%s: the directory cannot be made: %s", path, strerror(e));
        }
        *p = '/';
    }
    return TT_OK;
}

tt_status tt_job_prepare(const tt_job *j, tt_error *err)
{
    struct stat st;
    if (!strcmp(j->output, "-") || (!stat(j->output, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return TT_OK;
    char *dir = tt_job_directory(j);
    tt_status status = TT_OK;
    if (!dir)
        return tt_fail_memory(err, strlen(j->output));
    if (j->make_way && strcmp(dir, "."))
        status = make_directories(dir, err);
    if (!status && stat(dir, &st))
        status =
            tt_fail(err, TT_ERR_OUTPUT, "%s: cannot be created: there is no directory %s", j->output, dir);
    else if (!status && access(dir, W_OK | X_OK))
        status = tt_fail(err, TT_ERR_OUTPUT, "%s: cannot be created: %s", j->output, strerror(errno));
    free(dir);
    return status;
}
