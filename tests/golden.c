#include "tests/golden.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef TT_GOLDEN_DIR
#define TT_GOLDEN_DIR "tests/golden" /* good where the tests are started at the top of the tree */
#endif

enum { RING = 8 };

const char *golden_path(const char *rel)
{
    static char ring[RING][4096];
    static unsigned next;
    const char *dir = getenv("TINTYPE_GOLDEN");
    char *path = ring[next++ % RING];
    if (!dir || !*dir)
        dir = TT_GOLDEN_DIR;
    const int n = snprintf(path, sizeof ring[0], "%s/%s", dir, rel);
    if (n < 0 || (size_t)n >= sizeof ring[0]) {
        fprintf(stderr, "golden_path: the path of %s is too long\n", rel);
        abort(); /* a cut path could name another file */
    }
    return path;
}
