#define _GNU_SOURCE
#include "src/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { RING = 8, SHOWN = 1500 };

/* ---- names and numbers ---------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at p that may be shown as it is; 0 where there is none. */
static int character(const unsigned char *p)
{
    if (p[0] >= 0x20 && p[0] < 0x7f)
        return 1;
    int n = 0;
    if (p[0] >= 0xc2 && p[0] < 0xf5)
        n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xc2 && p[1] < 0xa0) ||                                  /* control characters */
        (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) || /* longer than need be */
        (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f))   /* surrogates, beyond Unicode */
        return 0;
    return n;
}

static char *ring(void)
{
    static char buffer[RING][SHOWN];
    static unsigned next;
    return buffer[next++ % RING];
}

const char *tt_shown(const char *bytes)
{
    char *to = ring(), *p = to, *const end = to + SHOWN - 8;
    const unsigned char *from = (const unsigned char *)bytes;
    while (*from && p < end) {
        int n = character(from);
        if (!n)
            p += sprintf(p, "\\x%02x", *from++);
        while (n-- > 0)
            *p++ = (char)*from++;
    }
    if (*from)
        p = stpcpy(p, "...");
    *p = 0;
    return to;
}

const char *tt_shown_input(const char *path)
{
    return strcmp(path, "-") ? tt_shown(path) : "standard input";
}

const char *tt_shown_output(const char *path)
{
    return strcmp(path, "-") ? tt_shown(path) : "standard output";
}

const char *tt_shown_bytes(double bytes)
{
    static const char *const unit[] = {"bytes", "kB", "MB", "GB", "TB"};
    int u = 0;
    for (; bytes >= 999.5 && u < 4; u++)
        bytes /= 1000;
    char *to = ring();
    snprintf(to, SHOWN, "%.*f %s", u >= 3 && bytes < 99.95 ? 1 : 0, bytes, unit[u]);
    return to;
}

const char *tt_shown_seconds(double seconds)
{
    char *to = ring();
    const long s = (long)(seconds + 0.5);
    if (seconds < 0.9995)
        snprintf(to, SHOWN, "%.0f ms", seconds * 1e3);
    else if (seconds < 9.95)
        snprintf(to, SHOWN, "%.1f s", seconds);
    else if (s < 60)
        snprintf(to, SHOWN, "%ld s", s);
    else if (s < 3600)
        snprintf(to, SHOWN, "%ld min %ld s", s / 60, s % 60);
    else
        snprintf(to, SHOWN, "%ld h %ld min", s / 3600, s / 60 % 60);
    return to;
}

double tt_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double tt_peak_bytes(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : 1024.0 * (double)u.ru_maxrss;
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

json_t *tt_json_text(const char *bytes)
{
    json_t *text = json_string(bytes);
    if (text)
        return text;
    char *to = malloc(4 * strlen(bytes) + 1), *p = to;
    if (!to)
        return NULL;
    for (const unsigned char *from = (const unsigned char *)bytes; *from;) {
        int n = *from < 0x20 ? 1 : *from == '\\' ? 0 : character(from);
        if (!n)
            p += sprintf(p, "\\x%02x", *from++);
        while (n-- > 0)
            *p++ = (char)*from++;
    }
    *p = 0;
    text = json_string(to);
    free(to);
    return text;
}

void tt_json_line(json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (line) {
        puts(line);
        fflush(stdout); /* whoever reads along sees it now; a failure shows at the end */
    }
    free(line);
    json_decref(object);
}

/* ---- the bar -------------------------------------------------------------------------------------- */

void tt_progress_init(tt_progress *p, bool json, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (tt_progress){.json = json, .quiet = quiet};
    p->bar = !json && !quiet && isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
}

void tt_progress_begin(tt_progress *p, const char *name, size_t index, size_t count)
{
    p->name = name;
    p->index = index;
    p->count = count;
    p->began = tt_seconds();
    p->shown = 0;
    if (p->json)
        tt_json_line(json_pack("{ss so sI sI}", "event", "start", "input", tt_json_text(name), "index",
                               (json_int_t)index, "count", (json_int_t)count));
    else if (p->bar)
        tt_progress_phase(p, "reading");
}

int tt_columns(int fd)
{
    struct winsize w;
    return !ioctl(fd, TIOCGWINSZ, &w) && w.ws_col > 0 ? w.ws_col : 80;
}

/* "[3/20] ...tail/of/name.jpg  " in `room` columns; one column a byte is the careful guess. */
static void head(const tt_progress *p, char *to, size_t size, int room)
{
    const char *name = tt_shown_input(p->name);
    char count[64] = "";
    if (p->count > 1)
        snprintf(count, sizeof count, "[%zu/%zu] ", p->index, p->count);
    room -= (int)strlen(count);
    const char *from = name, *dots = "";
    if ((int)strlen(name) > room && room > 4) {
        from = name + strlen(name) - (size_t)(room - 3);
        while ((*from & 0xc0) == 0x80) /* not into the middle of a character */
            from++;
        dots = "...";
    }
    snprintf(to, size, "%s%s%s", count, dots, from);
}

static void draw(tt_progress *p, const char *tail)
{
    char title[256];
    const int wide = tt_columns(STDERR_FILENO);
    const int room = wide - 1 - 2 - (int)strlen(tail);
    head(p, title, sizeof title, room > 40 ? 40 : room);
    if (room <= 8)
        fprintf(stderr, "\r%.*s\033[K", wide - 1, tail);
    else
        fprintf(stderr, "\r%s  %s\033[K", title, tail);
    fflush(stderr);
    p->drawn = true;
}

void tt_progress_phase(tt_progress *p, const char *phase)
{
    if (p->bar)
        draw(p, phase);
}

void tt_progress_at(void *progress, double done)
{
    enum { CELLS = 24 };
    tt_progress *p = progress;
    const double now = tt_seconds(), spent = now - p->began;
    if (!(p->bar || p->json) || now - p->shown < (p->json ? 0.5 : 0.1))
        return;
    p->shown = now;
    done = done < 0 ? 0 : done > 1 ? 1 : done;
    const bool told = done > 0.01 && spent > 0.5; /* before, the guess is too wild */
    const double left = told ? spent * (1 - done) / done : 0;
    if (p->json) {
        json_t *o =
            json_pack("{ss so sf}", "event", "progress", "input", tt_json_text(p->name), "done", done);
        if (o && told)
            json_object_set_new(o, "eta_s", json_real(left));
        tt_json_line(o);
        return;
    }
    char cells[CELLS + 1], tail[96];
    for (int i = 0; i < CELLS; i++)
        cells[i] = i < (int)(done * CELLS) ? '#' : '.';
    cells[CELLS] = 0;
    snprintf(tail, sizeof tail, "%s %3d %%%s%s%s", cells, (int)(100 * done), told ? "  " : "",
             told ? tt_shown_seconds(left < 1 ? 1 : left) : "", told ? " left" : "");
    draw(p, tail);
}

void tt_progress_end(tt_progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}

void tt_progress_say(tt_progress *p, const char *format, ...)
{
    va_list ap;
    if (p->quiet || p->json)
        return;
    tt_progress_end(p);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}
