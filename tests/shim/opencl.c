/*
 * An OpenCL library for tests, which stands before the true one and behaves badly as the environment asks:
 *     SHIM_GPU=1        every device is a GPU
 *     SHIM_LIES=1       little memory: 64 MB at once, 16 KB local, groups of 64
 *     SHIM_FAIL=K       the K-th call fails; SHIM_FOREVER=1: and all after it
 *     SHIM_ERROR=E      with that error; CL_OUT_OF_RESOURCES as a rule
 *     SHIM_RESULT=nan|constant|wrong   what is read from the device
 *     SHIM_HONEST=N     the first N results that are read are left as they are
 *     SHIM_COUNT=FILE   how many calls there were, written there at the end
 * The true library is SHIM_TRUE, a path.
 */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <dlfcn.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long calls, reads;

static long number(const char *name, long usual)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : usual;
}

/* Does this call fail? */
static cl_int fails(void)
{
    const long call = atomic_fetch_add(&calls, 1) + 1, k = number("SHIM_FAIL", 0);
    return k && (call == k || (call > k && number("SHIM_FOREVER", 0))) ? (cl_int)number("SHIM_ERROR", CL_OUT_OF_RESOURCES)
                                                                       : CL_SUCCESS;
}

static void *true_one(const char *name)
{
    static void *library;
    if (!library)
        library = dlopen(getenv("SHIM_TRUE"), RTLD_NOW | RTLD_LOCAL);
    void *f = library ? dlsym(library, name) : NULL;
    if (!f) {
        fprintf(stderr, "shim: no %s in SHIM_TRUE\n", name);
        _Exit(99);
    }
    return f;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("SHIM_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!f)
        return;
    fprintf(f, "%ld\n", (long)calls);
    fclose(f);
}

#define TRUE_ONE(f) ((__typeof__(f) *)true_one(#f))
/* Calls that give an error, and calls that give an object and put the error elsewhere. */
#define PLAIN(f, parameters, arguments)                                                                                \
    cl_int f parameters                                                                                                \
    {                                                                                                                  \
        const cl_int bad = fails();                                                                                    \
        return bad ? bad : TRUE_ONE(f) arguments;                                                                      \
    }
#define MAKER(type, f, parameters, arguments)                                                                          \
    type f parameters                                                                                                  \
    {                                                                                                                  \
        const cl_int bad = fails();                                                                                    \
        if (bad && e)                                                                                                  \
            *e = bad;                                                                                                  \
        return bad ? NULL : TRUE_ONE(f) arguments;                                                                     \
    }

PLAIN(clGetPlatformIDs, (cl_uint n, cl_platform_id *p, cl_uint *count), (n, p, count))
PLAIN(clGetPlatformInfo, (cl_platform_id p, cl_platform_info i, size_t n, void *v, size_t *r), (p, i, n, v, r))
PLAIN(clGetDeviceIDs, (cl_platform_id p, cl_device_type t, cl_uint n, cl_device_id *d, cl_uint *r), (p, t, n, d, r))
PLAIN(clBuildProgram,
      (cl_program p, cl_uint n, const cl_device_id *d, const char *o, void(CL_CALLBACK *f)(cl_program, void *), void *u),
      (p, n, d, o, f, u))
PLAIN(clGetProgramBuildInfo, (cl_program p, cl_device_id d, cl_program_build_info i, size_t n, void *v, size_t *r),
      (p, d, i, n, v, r))
PLAIN(clGetProgramInfo, (cl_program p, cl_program_info i, size_t n, void *v, size_t *r), (p, i, n, v, r))
PLAIN(clSetKernelArg, (cl_kernel k, cl_uint i, size_t n, const void *v), (k, i, n, v))
PLAIN(clGetKernelWorkGroupInfo, (cl_kernel k, cl_device_id d, cl_kernel_work_group_info i, size_t n, void *v, size_t *r),
      (k, d, i, n, v, r))
PLAIN(clEnqueueNDRangeKernel,
      (cl_command_queue q, cl_kernel k, cl_uint n, const size_t *o, const size_t *g, const size_t *l, cl_uint w,
       const cl_event *s, cl_event *e),
      (q, k, n, o, g, l, w, s, e))
PLAIN(clEnqueueWriteBuffer,
      (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, const void *v, cl_uint w, const cl_event *s, cl_event *e),
      (q, m, b, o, n, v, w, s, e))
PLAIN(clFlush, (cl_command_queue q), (q))
PLAIN(clFinish, (cl_command_queue q), (q))
MAKER(cl_context, clCreateContext,
      (const cl_context_properties *p, cl_uint n, const cl_device_id *d,
       void(CL_CALLBACK *f)(const char *, const void *, size_t, void *), void *u, cl_int *e),
      (p, n, d, f, u, e))
MAKER(cl_command_queue, clCreateCommandQueue,
      (cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int *e), (c, d, p, e))
MAKER(cl_mem, clCreateBuffer, (cl_context c, cl_mem_flags f, size_t n, void *v, cl_int *e), (c, f, n, v, e))
MAKER(cl_program, clCreateProgramWithSource,
      (cl_context c, cl_uint n, const char **s, const size_t *l, cl_int *e), (c, n, s, l, e))
MAKER(cl_program, clCreateProgramWithBinary,
      (cl_context c, cl_uint n, const cl_device_id *d, const size_t *l, const unsigned char **b, cl_int *s, cl_int *e),
      (c, n, d, l, b, s, e))
MAKER(cl_kernel, clCreateKernel, (cl_program p, const char *name, cl_int *e), (p, name, e))

/* Giving back always works, or all tests of leaks would be void. */
cl_int clReleaseContext(cl_context c)
{
    return TRUE_ONE(clReleaseContext)(c);
}
cl_int clReleaseCommandQueue(cl_command_queue q)
{
    return TRUE_ONE(clReleaseCommandQueue)(q);
}
cl_int clReleaseMemObject(cl_mem m)
{
    return TRUE_ONE(clReleaseMemObject)(m);
}
cl_int clReleaseProgram(cl_program p)
{
    return TRUE_ONE(clReleaseProgram)(p);
}
cl_int clReleaseKernel(cl_kernel k)
{
    return TRUE_ONE(clReleaseKernel)(k);
}

cl_int clGetDeviceInfo(cl_device_id d, cl_device_info i, size_t n, void *v, size_t *r)
{
    const cl_int bad = fails();
    const cl_int e = bad ? bad : TRUE_ONE(clGetDeviceInfo)(d, i, n, v, r);
    if (e != CL_SUCCESS || !v)
        return e;
    if (i == CL_DEVICE_TYPE && number("SHIM_GPU", 0))
        *(cl_device_type *)v = CL_DEVICE_TYPE_GPU;
    if (!number("SHIM_LIES", 0))
        return e;
    if (i == CL_DEVICE_MAX_MEM_ALLOC_SIZE)
        *(cl_ulong *)v = 64 << 20;
    if (i == CL_DEVICE_LOCAL_MEM_SIZE)
        *(cl_ulong *)v = 16 << 10;
    if (i == CL_DEVICE_MAX_WORK_GROUP_SIZE)
        *(size_t *)v = 64;
    return e;
}

cl_int clEnqueueReadBuffer(cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, void *v, cl_uint w, const cl_event *s,
                           cl_event *event)
{
    const cl_int bad = fails();
    const cl_int e = bad ? bad : TRUE_ONE(clEnqueueReadBuffer)(q, m, b, o, n, v, w, s, event);
    const char *result = getenv("SHIM_RESULT");
    float *f = v;
    if (e != CL_SUCCESS || !result || atomic_fetch_add(&reads, 1) < number("SHIM_HONEST", 0))
        return e;
    for (size_t i = 0; i < n / sizeof *f; i++) {
        if (!strcmp(result, "constant"))
            f[i] = 0;
        else if (!strcmp(result, "nan") && i == n / sizeof *f / 2)
            f[i] = NAN;
        else if (!strcmp(result, "wrong"))
            f[i] += 0.25f;
    }
    return e;
}
