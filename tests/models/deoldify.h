/* What the tests of DeOldify share: its goldens, comparisons by a tolerance of their own. */
#ifndef TT_TESTS_MODELS_DEOLDIFY_H
#define TT_TESTS_MODELS_DEOLDIFY_H

#include "tests/models/network.h"

enum { DO_THREADS = 4 };
extern const int
    do_threads[DO_THREADS]; /* numbers of threads that must give the same bytes; the first is 1 */

/* tests/golden/deoldify/FILE.safetensors; fails the test. */
void do_open(tt_weights *w, const char *file);
/* A tensor [1,c,h,w] as a map, one [1,c,n] as a map of one row; nt_free() it. */
nt_map do_map(const tt_weights *w, const char *name);
/* The largest difference; infinite for not-a-number or another shape. */
double do_difference(const nt_map *want, const nt_map *got);
bool do_same(const nt_map *a, const nt_map *b);
/* By the names of tensors, for qsort(). */
int do_by_name(const void *a, const void *b);
/* Fails unless the interpreter is within a tenth of the tolerance, and the engine within it with every
 * instruction set; for any number of threads with the same bytes. */
void do_check(const nt_network *n, const nt_map *in, const nt_map *want, double tolerance, const char *what);

#endif
