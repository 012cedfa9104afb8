/* Pickles taken apart into opcodes, for mutators: enough to put opcodes elsewhere without cutting one in two.
 */
#ifndef TT_TESTS_FUZZ_OPCODES_H
#define TT_TESTS_FUZZ_OPCODES_H

#include "tests/fuzz/fuzz.h"

/* Bytes of the opcode at `at` with its argument; 0 where it is none or is cut short. */
size_t fuzz_opcode(const uint8_t *at, size_t left);

/* Bytes of the pickle at `at` to its STOP, 0 where there is none. */
size_t fuzz_pickle(const uint8_t *at, size_t left);

/* *to = the pickle with opcodes repeated, left out, exchanged, numbers and memo places changed. `size`: of
 * something that numbers may be near of. */
void fuzz_mutate_pickle(fuzz_bytes *to, const uint8_t *pickle, size_t n, uint64_t size, fuzz_random *r);

/* A storage as pickles tell of it: X"storage", a global, X KEY, X PLACE, a number. */
typedef struct fuzz_storage {
    const uint8_t *key;
    size_t key_size;
    uint64_t count;
    size_t item; /* bytes of a value; 0: unknown */
} fuzz_storage;
/* Those of a pickle, in order, `most` at most; the memo is not followed, but for numbers and strings it is.
 */
size_t fuzz_storages(const uint8_t *pickle, size_t n, fuzz_storage *to, size_t most);

#endif
