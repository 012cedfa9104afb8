/* Where the golden files (tests/golden/) are. */
#ifndef TT_TESTS_GOLDEN_H
#define TT_TESTS_GOLDEN_H

/*
 * The path of golden file `rel`, "containers/dtypes.safetensors" say: below the folder that the environment
 * variable TINTYPE_GOLDEN names, else below TT_GOLDEN_DIR, a string the build gives. Good until the eighth
 * call after this one. Whether the file exists is not looked at.
 */
const char *golden_path(const char *rel);

#endif
