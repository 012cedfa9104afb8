/* Allocations of the program under test, counted and made to fail. The linker turns its malloc, calloc, realloc and
 * aligned_alloc into __wrap_* (Makefile, --wrap). */
#ifndef TT_TESTS_FAULTS_H
#define TT_TESTS_FAULTS_H

/* Allocations by all threads since the last call. */
long faults_allocations(void);
/* The k-th allocation from now (1 is the next) fails, and with `for_ever` all after it. 0: none fails. */
void faults_fail(long k, int for_ever);
/* Has one failed since faults_fail()? */
int faults_failed(void);

#endif
