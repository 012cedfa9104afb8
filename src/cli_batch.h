/*
 * Many pictures one after the other: what the commands that make pictures out of pictures share. The list of
 * files, reading and writing, progress, what is passed over, what failed, the closing line and the exit code.
 */
#ifndef TT_SRC_CLI_BATCH_H
#define TT_SRC_CLI_BATCH_H

#include "src/cli.h"
#include "src/context.h"
#include "src/image/image.h"
#include "src/inputs.h"
#include "src/progress.h"
#include "src/source.h"

typedef struct tt_batch {
    const tt_args *a;
    tt_context *c;
    tt_network *n;
    tt_jobs jobs;
    tt_progress progress;
    char model[256];                     /* as the results' lines call it */
    size_t count, done, skipped, failed; /* of all lists so far */
    tt_status first;                     /* of the failures */
    double began;
    /* One picture, from its file to its file. Jobs without a problem, and whose output may be written, come
     * here. */
    tt_status (*work)(struct tt_batch *b, const tt_job *j, tt_error *err);
    void *own; /* of the command */
} tt_batch;

/* Options that contradict each other whatever the command, then network and context. tt_batch_end() in any
 * case. */
tt_status tt_batch_begin(tt_batch *b, const tt_args *a, tt_error *err);
/* The list of files, in place of one from before; nothing is written yet. */
tt_status tt_batch_find(tt_batch *b, char *const *operand, int operands, const tt_naming *naming,
                        tt_error *err);
/* Work on all of them. */
void tt_batch_run(tt_batch *b);
/* The closing line, or where `st` says that there was no beginning, why; gives the exit code and frees. */
int tt_batch_end(tt_batch *b, tt_status st, const tt_error *e);

/* ---- for work() ------------------------------------------------------------------------------------ */

/* The input as --salvage, --max-pixels, --icc and --depth say, to be read row by row. tt_source_clear() in any case. */
tt_status tt_batch_open(tt_batch *b, const tt_job *j, tt_source *in, tt_error *err);
/* The same as a whole. */
tt_status tt_batch_load(tt_batch *b, const tt_job *j, tt_image *in, tt_error *err);
/* Can such a picture be written there? Asked before the work that makes it. */
tt_status tt_batch_can_write(const tt_batch *b, const tt_job *j, const tt_image *in, int channels,
                             tt_error *err);
/* Write it as --format, --quality, --depth and --overwrite say. */
tt_status tt_batch_write(tt_batch *b, const tt_job *j, tt_image *out, tt_error *err);
/* The same row by row: `head` without its samples, then rows, then how it went (zeros are accepted). */
typedef struct tt_batch_writer {
    tt_writer *writer;
    tt_image head;   /* borrowed; of the depth written */
    uint8_t *narrow; /* a row of 8 bits */
} tt_batch_writer;
tt_status tt_batch_write_begin(tt_batch *b, const tt_job *j, const tt_image *head, tt_batch_writer *w,
                               tt_error *err);
tt_status tt_batch_write_rows(tt_batch_writer *w, const void *samples, int rows, tt_error *err);
tt_status tt_batch_write_end(tt_batch_writer *w, tt_status so_far, tt_error *err);
tt_write_options tt_batch_writing(const tt_args *a);

#endif
