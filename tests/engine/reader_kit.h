/* For the tests of the weight readers: bytes opened and judged, damaged, and opened without memory. */
#ifndef TT_TESTS_ENGINE_READER_KIT_H
#define TT_TESTS_ENGINE_READER_KIT_H

#include "engine/weights.h"

#include <stddef.h>

/* One or two files in memory: `beside` goes with `bytes` where not NULL. */
typedef struct rk_file {
    const void *bytes;
    size_t size;
    const void *beside;
    size_t beside_size;
} rk_file;

/* A file of tests/golden or elsewhere, all of it; free() it. Fails the test where there is none. */
unsigned char *rk_read(const char *path, size_t *size);

/*
 * Opens the file as "test". A failure must be one clean sentence about it and leave nothing, a success be
 * sound: order of the names, shapes, every byte of data readable. `what` says in words what file it is.
 */
tt_status rk_open(tt_weights *w, rk_file f, const char *what, tt_error *err);

/* It must be refused so, with these words in the sentence. */
void rk_refused(rk_file f, const char *what, tt_status status, const char *words);

/*
 * Every prefix and every change of a byte, of either file, is opened, adopted and described, and survives.
 * Returns how many of them were refused; *made is how many there were.
 */
size_t rk_damage(rk_file f, size_t *made);

/* The same of the sound file, with the k-th allocation failing, once and for ever, for every k. */
void rk_starve(rk_file f);

#endif
