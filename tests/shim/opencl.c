/*
 * An OpenCL library for tests, which stands before the true one and behaves badly as the environment asks:
 *     SHIM_GPU=1        every device is a GPU
 *     SHIM_LIES=1       little memory: 64 MB at once, 16 KB local, groups of 64
 *     SHIM_FAIL=K       the K-th call fails; SHIM_FOREVER=1: and all after it
 *     SHIM_ERROR=E      with that error; CL_OUT_OF_RESOURCES as a rule
 *     SHIM_RESULT=nan|constant|wrong   what is read from the device
 *     SHIM_HONEST=N     the first N results that are read are left as they are
 *     SHIM_LIARS=N      and after N others all
 *     SHIM_NO_HALVES=1  programs with maps of halves cannot be compiled
 *     SHIM_COUNT=FILE   how many calls there were, written there at the end
 *     SHIM_ITEM_NS=N    a device of another speed: a work item takes N nanoseconds, one launch after the other, and who waits
 *                       for them sleeps until they are over; with SHIM_SLOW=NAME those of kernels whose name begins so,
 *                       and all others nothing
 *     SHIM_LAUNCHES=FILE  how many launches there were and how many nanoseconds the longest took at that speed
 *     SHIM_NO_TIMES=1   events do not tell when they ran
 *     SHIM_TRACE=FILE   the order of transfers: "write" where one is enqueued that nobody waits for, "read" and "have read"
 * The true library is SHIM_TRUE, a path.
 */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

#define TRUE_ONE(f) ((__typeof__(f) *)true_one(#f))

/* ---- a device of another speed -------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    long long free_at; /* nanoseconds: when all that is enqueued is over */
    long long longest;
    long launches;
    struct {
        cl_event event;
        long long at;
    } end[64]; /* the last ones, round and round */
    unsigned ends;
} slow = {.lock = PTHREAD_MUTEX_INITIALIZER};

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(long long at)
{
    const struct timespec t = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    while (at && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

static bool is_slow(cl_kernel k)
{
    const char *which = getenv("SHIM_SLOW");
    char name[128] = "";
    return !which || (TRUE_ONE(clGetKernelInfo)(k, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL) == CL_SUCCESS &&
                      !strncmp(name, which, strlen(which)));
}

static void launched(cl_kernel k, cl_uint dimensions, const size_t *items, cl_event end)
{
    long long took = number("SHIM_ITEM_NS", 0) ? number("SHIM_ITEM_NS", 0) * is_slow(k) : 0;
    for (cl_uint i = 0; i < dimensions; i++)
        took *= (long long)items[i];
    pthread_mutex_lock(&slow.lock);
    slow.launches++;
    slow.longest = took > slow.longest ? took : slow.longest;
    slow.free_at = (slow.free_at > now() ? slow.free_at : now()) + took;
    if (end) {
        slow.end[slow.ends % 64].event = end;
        slow.end[slow.ends++ % 64].at = slow.free_at;
    }
    pthread_mutex_unlock(&slow.lock);
}

/* When this event is over; 0: it was long ago, or the device has its own speed. */
static long long over_at(cl_event e)
{
    long long at = 0;
    pthread_mutex_lock(&slow.lock);
    for (int i = 0; i < 64; i++)
        if (slow.end[i].event == e && slow.end[i].at > at)
            at = slow.end[i].at;
    pthread_mutex_unlock(&slow.lock);
    return number("SHIM_ITEM_NS", 0) ? at : 0;
}

/* ---- what is told --------------------------------------------------------------------------------------- */

static void trace(const char *what)
{
    const char *path = getenv("SHIM_TRACE");
    FILE *f = path ? fopen(path, "a") : NULL;
    if (!f)
        return;
    fprintf(f, "%s\n", what);
    fclose(f);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("SHIM_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "%ld\n", (long)calls);
        fclose(f);
    }
    path = getenv("SHIM_LAUNCHES");
    f = path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "%ld %lld\n", slow.launches, slow.longest);
        fclose(f);
    }
}

/* ---- the calls ------------------------------------------------------------------------------------------ */

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
PLAIN(clGetProgramBuildInfo, (cl_program p, cl_device_id d, cl_program_build_info i, size_t n, void *v, size_t *r),
      (p, d, i, n, v, r))
PLAIN(clGetProgramInfo, (cl_program p, cl_program_info i, size_t n, void *v, size_t *r), (p, i, n, v, r))
PLAIN(clSetKernelArg, (cl_kernel k, cl_uint i, size_t n, const void *v), (k, i, n, v))
PLAIN(clGetKernelWorkGroupInfo, (cl_kernel k, cl_device_id d, cl_kernel_work_group_info i, size_t n, void *v, size_t *r),
      (k, d, i, n, v, r))
PLAIN(clFlush, (cl_command_queue q), (q))
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

cl_int clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel k, cl_uint n, const size_t *o, const size_t *g, const size_t *l,
                              cl_uint w, const cl_event *s, cl_event *event)
{
    const cl_int bad = fails();
    const cl_int e = bad ? bad : TRUE_ONE(clEnqueueNDRangeKernel)(q, k, n, o, g, l, w, s, event);
    if (e == CL_SUCCESS)
        launched(k, n, g, event ? *event : NULL);
    return e;
}

cl_int clEnqueueWriteBuffer(cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, const void *v, cl_uint w,
                            const cl_event *s, cl_event *event)
{
    const cl_int bad = fails();
    if (!b)
        trace("write");
    return bad ? bad : TRUE_ONE(clEnqueueWriteBuffer)(q, m, b, o, n, v, w, s, event);
}

/* Where these fail, the device is lost: it does nothing any more with the host's memory, as after waiting. */
cl_int clFinish(cl_command_queue q)
{
    const cl_int bad = fails(), e = TRUE_ONE(clFinish)(q);
    pthread_mutex_lock(&slow.lock);
    const long long at = slow.free_at;
    pthread_mutex_unlock(&slow.lock);
    if (number("SHIM_ITEM_NS", 0))
        sleep_until(at);
    return bad ? bad : e;
}
cl_int clWaitForEvents(cl_uint n, const cl_event *list)
{
    const cl_int bad = fails(), e = TRUE_ONE(clWaitForEvents)(n, list);
    for (cl_uint i = 0; i < n; i++)
        sleep_until(over_at(list[i]));
    return bad ? bad : e;
}

cl_int clGetEventInfo(cl_event event, cl_event_info i, size_t n, void *v, size_t *r)
{
    const cl_int bad = fails();
    const cl_int e = bad ? bad : TRUE_ONE(clGetEventInfo)(event, i, n, v, r);
    if (e == CL_SUCCESS && v && i == CL_EVENT_COMMAND_EXECUTION_STATUS && *(cl_int *)v == CL_COMPLETE && now() < over_at(event))
        *(cl_int *)v = CL_RUNNING;
    return e;
}
cl_int clGetEventProfilingInfo(cl_event event, cl_profiling_info i, size_t n, void *v, size_t *r)
{
    const cl_int bad = number("SHIM_NO_TIMES", 0) ? CL_PROFILING_INFO_NOT_AVAILABLE : fails();
    return bad ? bad : TRUE_ONE(clGetEventProfilingInfo)(event, i, n, v, r);
}

cl_int clBuildProgram(cl_program p, cl_uint n, const cl_device_id *d, const char *o,
                      void(CL_CALLBACK *f)(cl_program, void *), void *u)
{
    cl_int bad = fails();
    if (!bad && number("SHIM_NO_HALVES", 0) && strstr(o, "HALF_MAPS"))
        bad = CL_BUILD_PROGRAM_FAILURE;
    return bad ? bad : TRUE_ONE(clBuildProgram)(p, n, d, o, f, u);
}

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
cl_int clReleaseEvent(cl_event e)
{
    return TRUE_ONE(clReleaseEvent)(e);
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
    trace("read");
    const cl_int e = bad ? bad : TRUE_ONE(clEnqueueReadBuffer)(q, m, b, o, n, v, w, s, event);
    trace("have read");
    const char *result = getenv("SHIM_RESULT");
    float *f = v;
    const long read = e == CL_SUCCESS && result ? atomic_fetch_add(&reads, 1) - number("SHIM_HONEST", 0) : -1;
    if (read < 0 || read >= number("SHIM_LIARS", 1L << 30))
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
