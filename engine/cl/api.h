/* libOpenCL, loaded at run time. Internal to engine/cl/. */
#ifndef TT_ENGINE_CL_API_H
#define TT_ENGINE_CL_API_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "engine/status.h"

#define TT_CL_FUNCTIONS(X)                                                                                             \
    X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) X(clCreateContext)                   \
    X(clReleaseContext) X(clCreateCommandQueue) X(clReleaseCommandQueue) X(clCreateBuffer) X(clReleaseMemObject)       \
    X(clCreateProgramWithSource) X(clCreateProgramWithBinary) X(clBuildProgram) X(clGetProgramBuildInfo)               \
    X(clGetProgramInfo) X(clReleaseProgram) X(clCreateKernel) X(clReleaseKernel) X(clSetKernelArg)                     \
    X(clGetKernelWorkGroupInfo) X(clEnqueueNDRangeKernel) X(clEnqueueReadBuffer) X(clEnqueueWriteBuffer) X(clFlush)    \
    X(clFinish) X(clWaitForEvents) X(clGetEventInfo) X(clGetEventProfilingInfo) X(clReleaseEvent)

typedef struct tt_cl_api {
#define FIELD(f) __typeof__(f) *f;
    TT_CL_FUNCTIONS(FIELD)
#undef FIELD
} tt_cl_api;

/* The functions, or NULL where there is no library; *why then says what is missing. Loaded once, never unloaded: drivers
 * leave threads behind. */
const tt_cl_api *tt_cl_load(const char **why);

/* "CL_OUT_OF_RESOURCES", ... */
const char *tt_cl_error_name(cl_int e);
/* What a call's failure is: TT_ERR_MEMORY for those that mean it, else TT_ERR_TEMPORARY. */
tt_status tt_cl_fail(tt_error *err, const char *device, const char *what, cl_int e);

#endif
