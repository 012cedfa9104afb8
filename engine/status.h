/*
 * What can fail returns a tt_status and takes a tt_error last. Whoever finds the fault writes the
 * sentence (the file, the name, what was found, what was wanted); callers pass it up untouched.
 */
#ifndef TT_ENGINE_STATUS_H
#define TT_ENGINE_STATUS_H

#include <stddef.h>

/* The same list stands in src/tintype.h, the one installed header, which includes nothing of ours;
 * tests/src/test_header.c compares the two. */
#ifndef TT_STATUS_LIST
#define TT_STATUS_LIST
typedef enum tt_status {
    TT_OK = 0,
    TT_ERR_USAGE,       /* an argument that makes no sense */
    TT_ERR_INPUT,       /* a file that cannot be opened or read */
    TT_ERR_FORMAT,      /* data that is damaged or no such data */
    TT_ERR_UNSUPPORTED, /* sound data of a kind that is not handled */
    TT_ERR_OUTPUT,      /* a file that cannot be created */
    TT_ERR_MEMORY,      /* no memory, or more than the budget */
    TT_ERR_TEMPORARY,   /* disk full, interrupted by something that may pass */
    TT_ERR_NUMERIC,     /* not-a-number or infinite values where there must be none */
    TT_ERR_CANCELLED,   /* the caller asked to stop */
    TT_ERR_INTERNAL,    /* our own mistake */
} tt_status;
#endif

#ifndef TT_ERROR_TYPE
#define TT_ERROR_TYPE
typedef struct tt_error {
    tt_status status;
    char text[1024]; /* one sentence, no newline, unprintable bytes as \xNN */
} tt_error;
#endif

/* Write the sentence (err may be NULL), return `status`: `return tt_fail(err, TT_ERR_FORMAT, "%s: ...", path);` */
#if defined __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
tt_status tt_fail(tt_error *err, tt_status status, const char *format, ...);

/* "%zu bytes of memory could not be had" */
tt_status tt_fail_memory(tt_error *err, size_t bytes);

#endif
