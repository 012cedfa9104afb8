/* Devices: which there are, which is wanted, and its opening. */
#include "engine/cl/cl.h"
#include "engine/cl/pace.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is ----------------------------------------------------------------------------------- */

enum { MOST_PLATFORMS = 32, MOST_DEVICES = 64 };

typedef struct found {
    cl_platform_id platform;
    cl_device_id device;
    tt_cl_info info;
} found;

static void device_text(const tt_cl_api *api, cl_device_id d, cl_device_info what, char *to, size_t room)
{
    char text[1024] = "";
    if (api->clGetDeviceInfo(d, what, sizeof text - 1, text, NULL) != CL_SUCCESS)
        *text = 0;
    snprintf(to, room, "%.*s", (int)room - 1, text);
}

static uint64_t device_number(const tt_cl_api *api, cl_device_id d, cl_device_info what, size_t size)
{
    union {
        cl_uint u;
        cl_ulong l;
        size_t s;
    } v = {.l = 0};
    if (api->clGetDeviceInfo(d, what, size, &v, NULL) != CL_SUCCESS)
        return 0;
    return size == sizeof v.u ? v.u : size == sizeof v.l ? v.l : v.s;
}

static void describe(const tt_cl_api *api, int p, int d, found *f)
{
    tt_cl_info *i = &f->info;
    char text[1024] = "";
    *i = (tt_cl_info){0};
    snprintf(i->id, sizeof i->id, "opencl:%d.%d", p, d);
    if (api->clGetPlatformInfo(f->platform, CL_PLATFORM_NAME, sizeof text - 1, text, NULL) != CL_SUCCESS)
        *text = 0;
    snprintf(i->platform, sizeof i->platform, "%.*s", (int)sizeof i->platform - 1, text);
    device_text(api, f->device, CL_DEVICE_NAME, i->name, sizeof i->name);
    device_text(api, f->device, CL_DEVICE_VERSION, i->version, sizeof i->version);
    device_text(api, f->device, CL_DRIVER_VERSION, i->driver, sizeof i->driver);
    cl_device_type type = 0;
    api->clGetDeviceInfo(f->device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    i->kind = type & CL_DEVICE_TYPE_GPU ? TT_CL_GPU : type & CL_DEVICE_TYPE_CPU ? TT_CL_CPU : TT_CL_OTHER;
    i->units = (unsigned)device_number(api, f->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint));
    i->megahertz = (unsigned)device_number(api, f->device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint));
    i->memory = device_number(api, f->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
    i->most_at_once = device_number(api, f->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
    i->local = device_number(api, f->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
    i->group = (size_t)device_number(api, f->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    i->unified = device_number(api, f->device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_bool)) != 0;
}

/* At most MOST_DEVICES of them. */
static int find_all(const tt_cl_api *api, found *list, const char **why)
{
    cl_platform_id platform[MOST_PLATFORMS];
    cl_uint platforms = 0;
    int count = 0;
    const cl_int e = api->clGetPlatformIDs(MOST_PLATFORMS, platform, &platforms);
    if (e != CL_SUCCESS || !platforms) {
        if (why)
            *why = "OpenCL has no platform on this machine: the driver of the device is not installed";
        return 0;
    }
    for (int p = 0; p < (int)platforms && p < MOST_PLATFORMS; p++) {
        cl_device_id device[MOST_DEVICES];
        cl_uint devices = 0;
        if (api->clGetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, MOST_DEVICES, device, &devices) != CL_SUCCESS)
            continue;
        for (int d = 0; d < (int)devices && d < MOST_DEVICES && count < MOST_DEVICES; d++) {
            list[count].platform = platform[p];
            list[count].device = device[d];
            describe(api, p, d, &list[count++]);
        }
    }
    if (!count && why)
        *why = "OpenCL has no device on this machine";
    return count;
}

tt_status tt_cl_list(tt_cl_info **list, int *count, const char **why, tt_error *err)
{
    const tt_cl_api *api = tt_cl_load(why);
    *list = NULL;
    *count = 0;
    if (!api)
        return TT_OK;
    found *all = calloc(MOST_DEVICES, sizeof *all);
    *list = all ? calloc(MOST_DEVICES, sizeof **list) : NULL;
    if (!*list) {
        free(all);
        return tt_fail_memory(err, MOST_DEVICES * sizeof *all);
    }
    *count = find_all(api, all, why);
    for (int i = 0; i < *count; i++)
        (*list)[i] = all[i].info;
    free(all);
    return TT_OK;
}

/* ---- which is wanted --------------------------------------------------------------------------------- */

/* Of several GPUs the one with memory of its own, then the one with more units at a higher clock. */
static double offers(const tt_cl_info *i)
{
    return (i->unified ? 1 : 1e9) * i->units * (i->megahertz ? i->megahertz : 1);
}

static const found *choose(const found *list, int count, const char *which)
{
    const bool gpu = !strcmp(which, "auto") || !strcmp(which, "gpu");
    const found *best = NULL;
    for (int i = 0; i < count; i++) {
        if (gpu) {
            if (list[i].info.kind == TT_CL_GPU && (!best || offers(&list[i].info) > offers(&best->info)))
                best = &list[i];
        } else if (!strcmp(which, list[i].info.id)) {
            return &list[i];
        } else if (!best && strncmp(which, "opencl:", 7) && tt_cl_has_in_it(list[i].info.name, which)) {
            best = &list[i];
        }
    }
    return best;
}

static tt_status no_such(const found *list, int count, const char *which, const char *why, tt_error *err)
{
    char names[600] = "";
    size_t at = 0;
    for (int i = 0; i < count && at < sizeof names - 200; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s (%s)", i ? ", " : "", list[i].info.id,
                               list[i].info.name);
    if (!count)
        return tt_fail(err, TT_ERR_USAGE, "no device %s: %s", which, why ? why : "there is none");
    if (!strcmp(which, "gpu") || !strcmp(which, "auto"))
        return tt_fail(err, TT_ERR_USAGE, "OpenCL has no GPU on this machine; there is %s", names);
    return tt_fail(err, TT_ERR_USAGE, "no device is called %s; there is %s", which, names);
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static tt_status open_queue(tt_cl *cl, tt_error *err)
{
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)cl->platform, 0};
    cl_int e = CL_SUCCESS;
    cl->context = cl->halves ? cl->halves->context
                             : cl->api->clCreateContext(properties, 1, &cl->device, NULL, NULL, &e);
    if (!cl->context || e != CL_SUCCESS)
        return tt_cl_fail(err, cl->info.name, "opening it", e);
    cl->queue = cl->api->clCreateCommandQueue(cl->context, cl->device, 0, &e);
    if (cl->queue && e == CL_SUCCESS)
        cl->transfers = cl->api->clCreateCommandQueue(cl->context, cl->device, 0, &e);
    return cl->transfers && e == CL_SUCCESS ? TT_OK : tt_cl_fail(err, cl->info.name, "opening its queues", e);
}

static tt_status usable(const tt_cl *cl, tt_error *err)
{
    cl_bool there = CL_TRUE, compiler = CL_TRUE, little = CL_TRUE;
    cl->api->clGetDeviceInfo(cl->device, CL_DEVICE_AVAILABLE, sizeof there, &there, NULL);
    cl->api->clGetDeviceInfo(cl->device, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
    cl->api->clGetDeviceInfo(cl->device, CL_DEVICE_ENDIAN_LITTLE, sizeof little, &little, NULL);
    if (!there || !compiler || !little)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: the device %s", cl->info.name,
                       !there ? "is not available" : !compiler ? "has no compiler" : "is not little-endian");
    if (cl->memory < ((uint64_t)1 << 20))
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: the device has too little memory", cl->info.name);
    return TT_OK;
}

/* How much is free cannot be asked; what others and the driver need is left to them, and of the host's memory half. */
static uint64_t sensible_memory(const tt_cl_info *i)
{
    const uint64_t others = (uint64_t)400 << 20;
    const uint64_t rest = i->memory > 2 * others ? i->memory - others : i->memory / 2;
    return i->unified ? rest / 2 : rest;
}

/* The self-test, unless its outcome is known. */
static tt_status test(tt_cl *cl, const tt_cl_options *o, bool passed, tt_error *err)
{
    if (o->untested || (passed && !o->again))
        return TT_OK;
    cl->tested_now = true;
    tt_error e = {0};
    const tt_status st = tt_cl_self_test(cl, &e);
    if (!st || st == TT_ERR_UNSUPPORTED) /* no memory, a lost device: that may be otherwise tomorrow */
        tt_cl_keep(cl, o->store, st ? TT_CL_FAILED : TT_CL_PASSED, st ? e.text : "");
    return st ? tt_fail(err, st, "%s", e.text) : TT_OK;
}

/* Which products groups make together (kernels/cl/product.cl): none on devices cut for few registers, and where Winograd's
 * 96 sums an item are too many, so are 64. */
static void set_products(tt_cl *cl)
{
    const tt_cl_cut *c = &cl->cut;
    cl->products = c->lanes == 4 && c->pixels >= 4 && cl->info.group >= TT_CL_PRODUCT_ITEMS && cl->info.local >= TT_CL_WINDOW_LOCAL;
    cl->busy = c->wino ? 2 * (int)cl->info.units : INT_MAX;
}

/* cut, halves: may be NULL. */
static tt_status open_found(tt_cl **out, const tt_cl_api *api, const found *f, const tt_cl_options *o,
                            const tt_cl_cut *cut, tt_cl *halves, tt_error *err)
{
    tt_cl *cl = calloc(1, sizeof *cl);
    if (!cl)
        return tt_fail_memory(err, sizeof *cl);
    *cl = (tt_cl){.api = api, .platform = f->platform, .device = f->device, .info = f->info};
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++)
        cl->rate[i] = TT_CL_FIRST_RATE;
    cl->half_maps = o->half_maps;
    cl->halves = tt_cl_share(halves);
    atomic_init(&cl->users, 1);
    pthread_mutex_init(&cl->lock, NULL);
    cl->cut = cut ? *cut : tt_cl_cut_for(&cl->info, (int)o->cut);
    if (!cut && !o->cut && o->store)
        tt_cl_tuned(cl, o->store, &cl->cut);
    set_products(cl);
    cl->memory = sensible_memory(&cl->info);
    bool passed = false;
    tt_status st = usable(cl, err);
    if (!st)
        st = open_queue(cl, err);
    if (!st)
        st = tt_cl_build(cl, o->store, o->again, &passed, err);
    if (!st)
        st = test(cl, o, passed, err);
    if (o->memory && o->memory < cl->memory)
        cl->memory = o->memory; /* the test takes what it needs */
    if (st)
        tt_cl_free(cl);
    else
        *out = cl;
    return st;
}

static tt_status open_named(tt_cl **cl, const char *which, const tt_cl_options *o, const tt_cl_cut *cut, tt_error *err)
{
    static const tt_cl_options usual;
    const char *why = NULL;
    const tt_cl_api *api = tt_cl_load(&why);
    *cl = NULL;
    if (!api)
        return no_such(NULL, 0, which, why, err);
    found *list = calloc(MOST_DEVICES, sizeof *list);
    if (!list)
        return tt_fail_memory(err, MOST_DEVICES * sizeof *list);
    const int count = find_all(api, list, &why);
    const found *f = choose(list, count, which);
    const tt_status st = f ? open_found(cl, api, f, o ? o : &usual, cut, NULL, err) : no_such(list, count, which, why, err);
    free(list);
    return st;
}

tt_status tt_cl_open(tt_cl **cl, const char *which, const tt_cl_options *o, tt_error *err)
{
    return open_named(cl, which, o, NULL, err);
}

tt_status tt_cl_open_cut(tt_cl **cl, const char *id, const tt_cl_cut *cut, tt_error *err)
{
    return open_named(cl, id, &(tt_cl_options){.untested = true}, cut, err);
}

tt_status tt_cl_open_floats(tt_cl **cl, tt_cl *halves, const tt_cl_options *o, tt_error *err)
{
    const found f = {halves->platform, halves->device, halves->info};
    const tt_cl_options floats = {.store = o ? o->store : NULL, .memory = o ? o->memory : 0};
    *cl = NULL;
    tt_status st = open_found(cl, halves->api, &f, &floats, &halves->cut, halves, err);
    if (!st && (*cl)->cut.wino != halves->cut.wino) { /* weights lie as the cut has them, and this compiled kernel is too large */
        tt_cl_free(*cl);
        *cl = NULL;
        st = tt_fail(err, TT_ERR_UNSUPPORTED, "%s: its compiler makes other kernels of maps of 32 bits", halves->info.name);
    }
    return st;
}

bool tt_cl_half_maps(const tt_cl *cl)
{
    return cl->half_maps;
}

tt_cl *tt_cl_share(tt_cl *cl)
{
    if (cl)
        atomic_fetch_add(&cl->users, 1);
    return cl;
}

void tt_cl_free(tt_cl *cl)
{
    if (!cl || atomic_fetch_sub(&cl->users, 1) > 1)
        return;
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++)
        if (cl->kernel[i])
            cl->api->clReleaseKernel(cl->kernel[i]);
    if (cl->program)
        cl->api->clReleaseProgram(cl->program);
    if (cl->queue)
        cl->api->clReleaseCommandQueue(cl->queue);
    if (cl->transfers)
        cl->api->clReleaseCommandQueue(cl->transfers);
    if (cl->context && !cl->halves)
        cl->api->clReleaseContext(cl->context);
    tt_cl_free(cl->halves);
    pthread_mutex_destroy(&cl->lock);
    free(cl);
}

const tt_cl_info *tt_cl_about(const tt_cl *cl)
{
    return &cl->info;
}

bool tt_cl_tested_now(const tt_cl *cl)
{
    return cl->tested_now;
}

uint64_t tt_cl_memory(const tt_cl *cl)
{
    return cl->memory;
}
