/*
 * Damaged variants of a sound file, made in memory: for the tests of every reader. Each variant is handed
 * over with its end against a page that cannot be read, so one byte too many is a crash, with or without
 * sanitizers.
 */
#ifndef TT_TESTS_ENGINE_HOSTILE_H
#define TT_TESTS_ENGINE_HOSTILE_H

#include <stddef.h>

/* Called with each variant; `what` says in words how it was made ("cut to 17 bytes"). bytes are gone
 * afterwards. */
typedef void hostile_fn(const unsigned char *bytes, size_t size, const char *what, void *arg);

/* The bytes as they are, against the unreadable page. */
void hostile_plain(const void *bytes, size_t size, const char *what, hostile_fn *fn, void *arg);

/* Every prefix, from 0 bytes to size - 1. Both this and the next return how many variants they made. */
size_t hostile_prefixes(const void *bytes, size_t size, hostile_fn *fn, void *arg);

/* Every single bit of bytes from .. to - 1 turned over, and every one of those bytes set to 0 and to 255. */
size_t hostile_bits(const void *bytes, size_t size, size_t from, size_t to, hostile_fn *fn, void *arg);

#endif
