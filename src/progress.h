/*
 * How the program talks while it works: a bar on a terminal, a line a file elsewhere, JSON lines for
 * machines. And how names and numbers are written for people.
 */
#ifndef TT_SRC_PROGRESS_H
#define TT_SRC_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tt_progress {
    bool json, quiet, bar;
    bool drawn;          /* something of the bar is to be seen */
    const char *name;    /* of what is worked on */
    size_t index, count; /* 1..count */
    double began, shown; /* seconds: when work on it began, when something was last shown */
} tt_progress;

/* The bar needs a terminal on standard error that can move its cursor. */
void tt_progress_init(tt_progress *p, bool json, bool quiet);
/* `name` is borrowed until tt_progress_end(). */
void tt_progress_begin(tt_progress *p, const char *name, size_t index, size_t count);
/* done is 0..1; a tt_progress as user: for the callbacks of tintype.h. */
void tt_progress_at(void *progress, double done);
/* Columns of the terminal that `fd` is; 80 where it does not say. */
int tt_columns(int fd);
/* A word instead of the share: "writing". */
void tt_progress_phase(tt_progress *p, const char *phase);
/* The bar is wiped: before anything else is said. */
void tt_progress_end(tt_progress *p);
/* A line of talk on standard error, unless quiet or for machines. */
#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void tt_progress_say(tt_progress *p, const char *format, ...);

/* A line on standard output; the object is released. NULL (no memory) prints nothing. */
void tt_json_line(json_t *object);
/* Any bytes as a string: those that are no UTF-8 as \xNN (and then a backslash as \x5c). */
json_t *tt_json_text(const char *bytes);

/* The bytes as one line that a terminal can show: control characters and what is no UTF-8 as \xNN, what is
 * very long cut. Good until the eighth call after this one. */
const char *tt_shown(const char *bytes);
/* The same for a file name: "standard input" for "-". */
const char *tt_shown_input(const char *path);
const char *tt_shown_output(const char *path);
/* "210 MB", "1.2 s", "3 min 5 s". Good until the eighth call. */
const char *tt_shown_bytes(double bytes);
const char *tt_shown_seconds(double seconds);
double tt_seconds(void); /* a clock that never steps */
/* The most memory this process has had, in bytes. */
double tt_peak_bytes(void);

#endif
