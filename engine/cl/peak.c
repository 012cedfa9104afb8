/* What the device can do at most: kernels/cl/peak.cl, as long as a clock can tell. */
#include "engine/cl/cl.h"

#include "kernels/cl/params.h"

#include <string.h>

enum { GROUP = 64, LEAST_ITEMS = 1 << 12, MOST_BYTES = 512 << 20 /* caches of GPUs have a tenth of it */ };

typedef struct bench {
    tt_cl *cl;
    cl_mem arena, table;
    size_t vectors;
} bench;

/* Seconds of `items` items of a kernel, waited for; below 0 after a failure, *e. */
static double timed(const bench *b, tt_cl_kernel kernel, size_t items, int rounds, cl_int *e)
{
    const tt_cl_api *api = b->cl->api;
    const cl_kernel k = b->cl->kernel[kernel];
    int t[OWN + 1] = {0};
    const cl_int zero = 0;
    const float drift = 1e-4f;
    const size_t group = b->cl->info.group < GROUP ? 1 : GROUP, all = (items + group - 1) / group * group;
    t[COLS] = (int)items;
    t[ROWS] = rounds;
    memcpy(&t[OWN], &drift, sizeof drift);
    *e = api->clEnqueueWriteBuffer(b->cl->queue, b->table, CL_TRUE, 0, sizeof t, t, 0, NULL, NULL);
    const cl_mem buffer[] = {b->arena, b->arena, b->arena, b->table};
    for (cl_uint i = 0; i < 6 && *e == CL_SUCCESS; i++)
        *e = i < 4 ? api->clSetKernelArg(k, i, sizeof(cl_mem), &buffer[i]) : api->clSetKernelArg(k, i, sizeof zero, &zero);
    const double began = tt_cl_now();
    if (*e == CL_SUCCESS)
        *e = api->clEnqueueNDRangeKernel(b->cl->queue, k, 1, NULL, &all, &group, 0, NULL, NULL);
    if (*e == CL_SUCCESS)
        *e = api->clFinish(b->cl->queue);
    return *e == CL_SUCCESS ? tt_cl_now() - began : -1;
}

/* Work a second: more of it until it takes 20 ms, the best of five. */
static double best(const bench *b, tt_cl_kernel kernel, double work, size_t items, size_t most, int rounds, cl_int *e)
{
    double least = timed(b, kernel, items, rounds, e);
    while (least >= 0 && least < 0.02 && 2 * items <= most) {
        items *= 2;
        least = timed(b, kernel, items, rounds, e);
    }
    for (int i = 0; i < 4 && least >= 0; i++) {
        const double again = timed(b, kernel, items, rounds, e);
        least = again < least ? again : least;
    }
    return least > 0 ? work * (double)items / least : 0;
}

tt_status tt_cl_peak(tt_cl *cl, double *flops, double *bytes, tt_error *err)
{
    enum { ROUNDS = 256, CHAINS = 8 };
    const double lanes = cl->cut.lanes;
    const size_t vector = (size_t)cl->cut.lanes * sizeof(float);
    bench b = {.cl = cl, .vectors = MOST_BYTES / vector};
    cl_int e = CL_SUCCESS;
    while (b.vectors * vector > cl->memory / 4 || b.vectors * vector > cl->info.most_at_once)
        b.vectors /= 2;
    pthread_mutex_lock(&cl->lock);
    b.arena = cl->api->clCreateBuffer(cl->context, CL_MEM_READ_WRITE, b.vectors * vector, NULL, &e);
    if (b.arena)
        b.table = cl->api->clCreateBuffer(cl->context, CL_MEM_READ_ONLY, 4096, NULL, &e);
    if (b.table)
        *flops = best(&b, TT_CL_spin, 2.0 * ROUNDS * CHAINS * lanes, LEAST_ITEMS, b.vectors, ROUNDS, &e);
    if (b.table && e == CL_SUCCESS)
        timed(&b, TT_CL_spin, b.vectors, 0, &e); /* memory that was never written may be one page of zeros */
    if (b.table && e == CL_SUCCESS)
        *bytes = best(&b, TT_CL_move, 2.0 * (double)vector, b.vectors / 2, b.vectors / 2, 0, &e);
    if (b.arena)
        cl->api->clReleaseMemObject(b.arena);
    if (b.table)
        cl->api->clReleaseMemObject(b.table);
    pthread_mutex_unlock(&cl->lock);
    return e == CL_SUCCESS ? TT_OK : tt_cl_fail(err, cl->info.name, "measuring it", e);
}
