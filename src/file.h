/*
 * The bytes of a file, from any place on and as often as wanted: the reading half of src/output.h. A file on a disk stays
 * where it is and only pieces of it are in memory; what can be read once only (a pipe) is in memory as a whole.
 */
#ifndef TT_SRC_FILE_H
#define TT_SRC_FILE_H

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tt_file {
    const char *name;           /* for sentences, borrowed; "standard input" for "-" */
    uint64_t size;
    const unsigned char *bytes; /* all of them; NULL where they stay in the file */
    unsigned char *owned;       /* of a pipe */
    bool open;                  /* fd is */
    int fd;
    int64_t base;               /* where the first byte lies in the file */
    int error;                  /* errno of a failure to read, 0 */
} tt_file;

/*
 * `path` is borrowed until tt_file_close(). Of what is no file on a disk no more than the first 64 KB are read where
 * `wanted` says no to them. Refuses more than `most` bytes, and directories. TT_ERR_INPUT, TT_ERR_MEMORY,
 * TT_ERR_TEMPORARY.
 */
tt_status tt_file_open(tt_file *in, const char *path, size_t most,
                        bool (*wanted)(const unsigned char *head, size_t n), tt_error *err);
/* Bytes in memory, borrowed. */
tt_file tt_file_of(const void *bytes, size_t size, const char *name);
void tt_file_close(tt_file *in); /* accepts zeros, and what tt_file_open() left after a failure */
/* Bytes of memory that it takes. */
static inline uint64_t tt_file_bytes(const tt_file *in)
{
    return in->owned ? in->size : 0;
}

/* Up to n bytes from `at` on; fewer at the end of the file, or where it cannot be read (tt_file_fault()). */
size_t tt_file_read(tt_file *in, uint64_t at, void *to, size_t n);
/* The bytes from `at` on that are at hand, without a copy where they are in memory; else up to `room` of them in
 * `buffer`. 0 as above. */
size_t tt_file_piece(tt_file *in, uint64_t at, void *buffer, size_t room, const unsigned char **piece);
/* Could all be read that was there? TT_ERR_INPUT if not. */
tt_status tt_file_fault(const tt_file *in, tt_error *err);

#endif
