/* zlib for mutators: out of a stream and back into one. */
#ifndef TT_TESTS_FUZZ_DEFLATE_H
#define TT_TESTS_FUZZ_DEFLATE_H

#include "tests/fuzz/fuzz.h"

/* *to = what the bytes inflate to, as far as they are sound, 1 MiB at most. gz: a gzip file, else a zlib
 * stream. */
void fuzz_inflate(fuzz_bytes *to, const uint8_t *data, size_t size, bool gz);
/* Appended to *to. */
void fuzz_deflate(fuzz_bytes *to, const uint8_t *data, size_t size, bool gz);

#endif
