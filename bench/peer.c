#include <dlfcn.h>

#include "bench/bench.h"

/* The numbers of cblas.h, which need not be installed: row-major, not transposed. */
enum { ROW_MAJOR = 101, NO_TRANS = 111 };
typedef void cblas_sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

static cblas_sgemm_fn *cblas_sgemm;

static void multiply(int m, int n, int k, const float *a, const float *b, float *c, int ldc)
{
    cblas_sgemm(ROW_MAJOR, NO_TRANS, NO_TRANS, m, n, k, 1, a, k, b, n, 0, c, ldc);
}

tt_bench_sgemm_fn *tt_bench_sgemm(void)
{
    static bool tried;
    if (!tried) {
        tried = true;
        /* kept until the process ends: it has threads of its own */
        void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
        void (*set_threads)(int) = NULL;
        cblas_sgemm_fn *sgemm = NULL;
        if (library) { /* POSIX's way around C, which has no cast from object to function pointers */
            *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
            *(void **)&sgemm = dlsym(library, "cblas_sgemm");
        }
        if (set_threads && sgemm) {
            set_threads(1);
            cblas_sgemm = sgemm;
        }
    }
    return cblas_sgemm ? multiply : NULL;
}
