/*
 * Which files are worked on, and what each becomes: the operands of the commands that make pictures made into
 * a list before anything is done, so that what makes no sense is refused while nothing has happened yet.
 */
#ifndef TT_SRC_INPUTS_H
#define TT_SRC_INPUTS_H

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct tt_job {
    char *input;   /* "-" is standard input */
    char *output;  /* "-" is standard output */
    bool make_way; /* directories on the way to the output are made */
    char *problem; /* not NULL: this input cannot be worked on at all, and why; output is NULL then */
} tt_job;

typedef struct tt_jobs {
    tt_job *job;
    size_t count, room;
} tt_jobs;

typedef struct tt_naming {
    const char *output; /* -o, or NULL */
    const char *usual;  /* the pattern in directories and beside the input */
    const char *scale;  /* what {scale} stands for, or NULL: no such word */
    const char *size;   /* what {size} stands for, or NULL */
    const char *render; /* what {render} stands for, or NULL */
    const char *format; /* -f, or NULL */
    bool recursive, overwrite;
    bool verbose; /* notes on what is passed over */
} tt_naming;

/*
 * TT_ERR_USAGE for what makes no sense as a whole: one output for several inputs, an output that would
 * replace another's input. A file that is missing or no picture is not looked at here. tt_jobs_clear() in any
 * case.
 */
tt_status tt_jobs_find(tt_jobs *jobs, char *const *operand, int operands, const tt_naming *n, tt_error *err);
void tt_jobs_clear(tt_jobs *jobs);

/* The output's directory, to be freed; NULL for "-" or for want of memory. */
char *tt_job_directory(const tt_job *j);
/* Is there an output file already? Devices and pipes do not count: they are written to, not replaced. */
bool tt_job_done(const tt_job *j);
/* See that the output's directory is there and can be written: TT_ERR_OUTPUT. */
tt_status tt_job_prepare(const tt_job *j, tt_error *err);

#endif
