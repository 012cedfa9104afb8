/*
 * SHA-256 (FIPS 180-4), by which a weight file is known whatever its name. The arithmetic is libmd's.
 */
#ifndef TT_SRC_DIGEST_H
#define TT_SRC_DIGEST_H

#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h> /* sha2.h wants u_int8_t and the like */

#include <sha2.h>

enum { TT_SHA256_TEXT = 65 }; /* 64 hexadecimal digits, lower case, and the final 0 */

/* Of bytes that come in pieces. Owns nothing; cannot fail. */
typedef struct tt_sha256 {
    SHA2_CTX state;
} tt_sha256;

void tt_sha256_init(tt_sha256 *s);
void tt_sha256_add(tt_sha256 *s, const void *bytes, size_t n);
/* The end: init again before the next add. */
void tt_sha256_text(tt_sha256 *s, char text[TT_SHA256_TEXT]);

/*
 * Of a file from its first byte to its end; *size (or NULL) is how many bytes that were. A pipe is read to
 * its end; a directory or a device is TT_ERR_INPUT, and so is whatever cannot be read.
 */
tt_status tt_sha256_file(const char *path, char text[TT_SHA256_TEXT], uint64_t *size, tt_error *err);
/* Of what is left to be read from `fd`, 0 or errno. */
int tt_sha256_fd(tt_sha256 *s, int fd, uint64_t *size);

/* 64 hexadecimal digits of either case, and nothing else, as lower case. */
bool tt_sha256_parse(const char *text, char to[TT_SHA256_TEXT]);

#endif
