/*
 * Files that appear whole or not at all.
 * A temporary in the same directory (O_TMPFILE, or .NAME.tintype-PID-RAND), every write checked, fsync, then
 * link or rename, then fsync of the directory. A reader sees the old file or the whole new one.
 */
#ifndef TT_SRC_OUTPUT_H
#define TT_SRC_OUTPUT_H

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tt_output tt_output;

/*
 * Begin a file. "-" is standard output (then nothing is atomic). `overwrite`: an existing file is replaced at
 * tt_output_commit(); else TT_ERR_OUTPUT now, and again at commit if one appeared meanwhile (RENAME_NOREPLACE or
 * link). A symbolic link is followed to the file it names; an existing special file (/dev/full, a FIFO) is
 * written in place whatever `overwrite` says; a directory or a disk is refused, and so is a file we may not
 * write to. An existing file's permission bits are kept, its owner where we may. Other names of it (hard links)
 * keep the old contents.
 * The program ignores SIGPIPE and SIGXFSZ: both come as errors here.
 */
tt_status tt_output_open(tt_output **out, const char *path, bool overwrite, tt_error *err);
/* false once anything failed; the sentence comes at commit */
bool tt_output_put(void *out, const void *bytes, size_t n);
/* Flush, sync, rename. Always frees `out`. TT_ERR_TEMPORARY (disk full, I/O), TT_ERR_OUTPUT. */
tt_status tt_output_commit(tt_output *out, tt_error *err);
/* Give up: nothing is left behind. Accepts NULL. */
void tt_output_abort(tt_output *out);
/*
 * The same for a download, which may be continued: its temporary is .NAME.part, outlasts the process and is taken
 * up where it is there. *length: bytes of it. *out is NULL with TT_OK while another process has it. A .NAME.part
 * that is no file of this user's is TT_ERR_OUTPUT. What is put comes behind what is there.
 */
tt_status tt_output_open_part(tt_output **out, const char *path, bool overwrite, uint64_t *length, tt_error *err);
/* From the beginning again: what is there is thrown away. */
void tt_output_restart(tt_output *out);
/* What was put so far, to be read from its first byte on: a descriptor that is `out`'s, or -1 after a failure, whose
 * sentence comes at keep or commit. Nothing but restart may come between this and the next put. */
int tt_output_read_back(tt_output *out);
/* Give up; with `keep` the temporary stays. Always frees `out`. A failure of tt_output_put() is told here. */
tt_status tt_output_keep(tt_output *out, bool keep, tt_error *err);
/* The whole of it for bytes in memory. */
tt_status tt_output_write(const char *path, const void *bytes, size_t n, bool overwrite, tt_error *err);
/* Where the file name in a path begins. */
const char *tt_base_name(const char *path);
/* Remove this user's temporaries in `directory` whose process is gone. Errors are not errors. */
void tt_output_sweep(const char *directory);

/* A whole file or "-" into memory (free() it; never NULL on success). Refuses more than `most` bytes, directories
 * with a clear sentence. TT_ERR_INPUT, TT_ERR_MEMORY. In pieces: src/file.h. */
tt_status tt_read_file(const char *path, size_t most, unsigned char **bytes, size_t *size, tt_error *err);

#endif
