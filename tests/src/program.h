/* The program itself, run as users run it: a process, its output, its exit code. And a place for its files.
 */
#ifndef TT_TESTS_SRC_PROGRAM_H
#define TT_TESTS_SRC_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct pg_run {
    int code;        /* the exit code; -1 if it ended by a signal */
    int signal;      /* that signal, or 0 */
    long peak_kib;   /* most memory it had at a time, in KiB */
    char *out, *err; /* ended by a 0 beyond the last byte; kept until the test's end */
    size_t out_size, err_size;
} pg_run;

/*
 * For a suite's unchecked fixture: a directory of its own, in which the program runs, and its removal. Paths
 * given to the functions below are taken from there.
 */
void pg_setup(void);
void pg_teardown(void);
/* From now on, for this test, a new directory below. */
void pg_within(const char *name);

/* The arguments behind the program's name. Standard input is empty. */
#define RUN(...) pg_exec((const char *const[]){__VA_ARGS__, NULL}, NULL, 0)
pg_run pg_exec(const char *const *arguments, const void *input, size_t size);
/* A line for /bin/sh, where $T is the program. */
pg_run pg_shell(const char *line);
/* Begin only; standard output comes through *out. pg_end() waits. */
pid_t pg_begin(const char *const *arguments, int *out);
pg_run pg_end(pid_t pid);
/* The program on a terminal of its own; `out` has all that it shows there. */
pg_run pg_terminal(const char *const *arguments);
/* The same as pg_exec() by a user who may write only where all may; code 126 where that cannot be done. */
pg_run pg_nobody(const char *const *arguments);

/* ck_assert with all that the program said: its code, and a part of its standard error. */
#define EXPECT(r_, code_, part_) pg_expect(&(r_), code_, part_, __FILE__, __LINE__)
void pg_expect(const pg_run *r, int code, const char *part, const char *file, int line);

/* The full path of a file in the directory. Good until the 16th call after this one. */
const char *pg_at(const char *name);
bool pg_there(const char *name);
/* All of a file; good until the test's end. Fails the test where there is none. */
char *pg_contents(const char *name, size_t *size);
bool pg_same(const char *a, const char *b);
void pg_store(const char *name, const void *bytes, size_t size);
/* Files and directories in a directory, hidden ones too. */
int pg_entries(const char *directory);
/* A picture with some structure; by its ending PNG or JPEG. */
void pg_picture(const char *name, int width, int height, int channels, int depth);
/* Its size in pixels, channels and depth as read from the file; fails the test where it is damaged. */
typedef struct pg_shape {
    int width, height, channels, depth;
} pg_shape;
pg_shape pg_shape_of(const char *name);

#endif
