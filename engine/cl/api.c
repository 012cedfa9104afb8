#include "engine/cl/api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static tt_cl_api api;
static const char *missing;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        missing = "there is no OpenCL on this machine (libOpenCL.so.1)";
        return;
    }
#define FIND(f)                                                                                                        \
    if (!(*(void **)&api.f = dlsym(library, #f)))                                                                      \
        missing = "the OpenCL of this machine (libOpenCL.so.1) has no " #f;
    TT_CL_FUNCTIONS(FIND)
#undef FIND
}

const tt_cl_api *tt_cl_load(const char **why)
{
    pthread_once(&once, load);
    if (missing && why)
        *why = missing;
    return missing ? NULL : &api;
}

const char *tt_cl_error_name(cl_int e)
{
    static const struct {
        cl_int number;
        const char *name;
    } names[] = {
#define NAME(n) {n, #n},
        NAME(CL_DEVICE_NOT_FOUND) NAME(CL_DEVICE_NOT_AVAILABLE) NAME(CL_COMPILER_NOT_AVAILABLE)
            NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE) NAME(CL_OUT_OF_RESOURCES) NAME(CL_OUT_OF_HOST_MEMORY)
                NAME(CL_BUILD_PROGRAM_FAILURE) NAME(CL_INVALID_VALUE) NAME(CL_INVALID_DEVICE) NAME(CL_INVALID_CONTEXT)
                    NAME(CL_INVALID_COMMAND_QUEUE) NAME(CL_INVALID_MEM_OBJECT) NAME(CL_INVALID_BINARY)
                        NAME(CL_INVALID_BUILD_OPTIONS) NAME(CL_INVALID_PROGRAM) NAME(CL_INVALID_KERNEL_NAME)
                            NAME(CL_INVALID_KERNEL_ARGS) NAME(CL_INVALID_WORK_GROUP_SIZE)
                                NAME(CL_INVALID_WORK_ITEM_SIZE) NAME(CL_INVALID_BUFFER_SIZE)
#undef NAME
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == e)
            return names[i].name;
    return "an OpenCL error";
}

tt_status tt_cl_fail(tt_error *err, const char *device, const char *what, cl_int e)
{
    const int memory = e == CL_MEM_OBJECT_ALLOCATION_FAILURE || e == CL_OUT_OF_RESOURCES ||
                       e == CL_OUT_OF_HOST_MEMORY || e == CL_INVALID_BUFFER_SIZE;
    return tt_fail(err, memory ? TT_ERR_MEMORY : TT_ERR_TEMPORARY, "%s: %s failed with %s (%d)", device, what,
                   tt_cl_error_name(e), (int)e);
}
