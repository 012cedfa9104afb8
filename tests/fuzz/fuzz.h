/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput() and, where
 * lengths or checksums stand in the way, LLVMFuzzerCustomMutator(); `make fuzz` finds it by its name.
 */
#ifndef TT_TESTS_FUZZ_FUZZ_H
#define TT_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

/* A finding: says the sentence and where, and stops. */
#define FUZZ_CHECK(holds, ...) ((holds) ? (void)0 : fuzz_found(__FILE__, __LINE__, __VA_ARGS__))
_Noreturn void fuzz_found(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One weight file, or one of two. `format` is the tt_weights.format that is wanted: a file of any other is
 * opened and not looked into. */
typedef struct fuzz_file {
    const uint8_t *data;
    size_t size;
    const uint8_t *beside; /* the second file, or NULL */
    size_t beside_size;
    const char *format;
} fuzz_file;

/*
 * Opens a weight file three times. Twice it must go the same way: the same sentence, or tensors that are
 * sound in every number, sorted, unique, readable, of the same bytes; and then a network is looked for in
 * them. The third time an allocation fails, which one depends on the bytes: then it is TT_ERR_MEMORY, or the
 * allocation was one that could be done without.
 */
void fuzz_open(const fuzz_file *f);

/* The allocation that is to fail, from the bytes: 1 to `most`, or 0 if `most` is. */
long fuzz_pick(const uint8_t *data, size_t size, long most);

/* ---- for mutators --------------------------------------------------------------------------------- */

/* A small generator: the same seed, the same mutation. */
typedef struct fuzz_random {
    uint64_t state;
} fuzz_random;
fuzz_random fuzz_seed(unsigned seed);
uint64_t fuzz_next(fuzz_random *r);
size_t fuzz_below(fuzz_random *r, size_t n); /* 0 .. n - 1; 0 if n is 0 */
/* A number that readers get wrong: near 0, near a power of two, near `size`. */
uint64_t fuzz_number(fuzz_random *r, uint64_t size);

/* Bytes that grow. All zeros is empty; free(b.data). Without memory the process ends: this is not under test.
 */
typedef struct fuzz_bytes {
    uint8_t *data;
    size_t size, room;
} fuzz_bytes;
void fuzz_append(fuzz_bytes *b, const void *data, size_t size);
void fuzz_append_number(fuzz_bytes *b, uint64_t n, int bytes); /* little endian */
uint64_t fuzz_le(const uint8_t *at, int bytes);

/* libFuzzer's own mutation of a part, which may grow by some. Returned in `to`, emptied before. */
void fuzz_mutate_part(fuzz_bytes *to, const uint8_t *part, size_t size, fuzz_random *r);

/* The result of a mutator: `b` to `data` if it fits, else libFuzzer's own mutation of data; frees b. */
size_t fuzz_give(fuzz_bytes *b, uint8_t *data, size_t size, size_t most);

#endif
