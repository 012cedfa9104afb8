/*
 * The kernels' program: compiled from the source inside this library, or taken from the store. What is stored is
 *     magic, key, verdict of the self-test, lengths of its sentence and of the binary, SHA-256 of all that follows the
 *     magic but itself, the sentence, the binary
 * where the key is a SHA-256 of everything that the binary depends on. Whatever is wrong with it, it is made anew.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include "engine/cl/cl.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern const char tt_cl_source[]; /* kernels/cl/, put into the library by the build */

const char *const tt_cl_kernel_names[TT_CL_KERNEL_COUNT] = {
#define NAME(k) #k,
    TT_CL_KERNELS(NAME)};

enum { MAGIC = 16, SUM = 32, VERDICT = MAGIC + SUM, TEXT_SIZE = VERDICT + 4, SIZE = TEXT_SIZE + 4, SEAL = SIZE + 8,
       HEAD = SEAL + SUM, MOST_TEXT = 1000, SECONDS_TO_BUILD = 120 };
static const char magic[MAGIC] = "tintype opencl1";

/* ---- what is stored ----------------------------------------------------------------------------------- */

static void options_text(const tt_cl *cl, char *to, size_t room)
{
    const tt_cl_cut *c = &cl->cut;
    const size_t n = (size_t)snprintf(to, room, "-cl-std=CL1.2 -w -DLANES=%d -DPIXELS=%d -DOUTPUTS=%d", c->lanes, c->pixels,
                                      c->outputs);
    if (c->tile_x)
        snprintf(to + n, room - n, " -DTILE_X=%d -DTILE_Y=%d", c->tile_x, c->tile_y);
    else
        snprintf(to + n, room - n, " -DNO_TILES");
    if (!cl->products)
        snprintf(to + strlen(to), room - strlen(to), " -DNO_PRODUCTS");
    if (c->wino)
        snprintf(to + strlen(to), room - strlen(to), " -DWINO");
    if (c->registers)
        snprintf(to + strlen(to), room - strlen(to), " -DFREE_GROUPS -cl-nv-maxrregcount=%d", c->registers);
    if (cl->half_maps)
        snprintf(to + strlen(to), room - strlen(to), " -DHALF_MAPS");
}

static void add_text(SHA2_CTX *s, const char *text)
{
    SHA256Update(s, (const uint8_t *)text, strlen(text) + 1);
}

static void key_of(const tt_cl *cl, const tt_cl_store *store, uint8_t key[SUM])
{
    char text[256];
    SHA2_CTX s;
    SHA256Init(&s);
    add_text(&s, magic);
    add_text(&s, store && store->version ? store->version : "");
    add_text(&s, cl->info.platform);
    add_text(&s, cl->info.name);
    add_text(&s, cl->info.version);
    add_text(&s, cl->info.driver);
    options_text(cl, text, sizeof text);
    add_text(&s, text);
    add_text(&s, tt_cl_source);
    SHA256Final(key, &s);
}

static void name_of(const uint8_t key[SUM], char name[2 * SUM + 8])
{
    for (int i = 0; i < SUM; i++)
        snprintf(name + 2 * i, 3, "%02x", key[i]);
    memcpy(name + 2 * SUM, ".clbin", 7);
}

static void put_number(unsigned char *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}
static uint64_t get_number(const unsigned char *from, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)from[i] << (8 * i);
    return v;
}

/* Of a file in memory, with its sum left out. */
static void seal_of(const unsigned char *file, size_t size, uint8_t sum[SUM])
{
    SHA2_CTX s;
    SHA256Init(&s);
    SHA256Update(&s, file + MAGIC, SEAL - MAGIC);
    SHA256Update(&s, file + HEAD, size - HEAD);
    SHA256Final(sum, &s);
}

/* Is it what was put, and for this device? */
static bool sound(const unsigned char *file, size_t size, const uint8_t key[SUM])
{
    uint8_t sum[SUM];
    if (size < HEAD || memcmp(file, magic, MAGIC) || memcmp(file + MAGIC, key, SUM))
        return false;
    const uint64_t text = get_number(file + TEXT_SIZE, 4), binary = get_number(file + SIZE, 8);
    if (text > MOST_TEXT || binary != size - HEAD - text || !binary)
        return false;
    seal_of(file, size, sum);
    return !memcmp(sum, file + SEAL, SUM);
}

void tt_cl_keep(tt_cl *cl, const tt_cl_store *store, tt_cl_verdict verdict, const char *text)
{
    uint8_t key[SUM];
    char name[2 * SUM + 8];
    size_t binary = 0;
    const size_t said = strlen(text) < MOST_TEXT ? strlen(text) : MOST_TEXT;
    if (!store || cl->api->clGetProgramInfo(cl->program, CL_PROGRAM_BINARY_SIZES, sizeof binary, &binary, NULL) !=
                      CL_SUCCESS || !binary || binary > ((size_t)1 << 30))
        return;
    unsigned char *file = calloc(1, HEAD + said + binary), *at = file ? file + HEAD + said : NULL;
    if (!file)
        return;
    if (cl->api->clGetProgramInfo(cl->program, CL_PROGRAM_BINARIES, sizeof at, &at, NULL) == CL_SUCCESS) {
        memcpy(key, cl->key, SUM);
        name_of(key, name);
        memcpy(file, magic, MAGIC);
        memcpy(file + MAGIC, key, SUM);
        put_number(file + VERDICT, (uint64_t)verdict, 4);
        put_number(file + TEXT_SIZE, said, 4);
        put_number(file + SIZE, binary, 8);
        memcpy(file + HEAD, text, said);
        seal_of(file, HEAD + said + binary, file + SEAL);
        store->put(store->user, name, file, HEAD + said + binary);
    }
    free(file);
}

/* ---- compiling ---------------------------------------------------------------------------------------- */

/* Compilers hang, too: one that does is left alone with what it has. */
typedef struct building {
    atomic_int users;
    pthread_mutex_t lock;
    pthread_cond_t done;
    const tt_cl_api *api;
    cl_program program;
    cl_device_id device;
    char options[256];
    cl_int result;
    bool finished;
} building;

static void leave(building *b)
{
    if (atomic_fetch_sub(&b->users, 1) > 1)
        return;
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->done);
    free(b);
}

static void *build(void *arg)
{
    building *b = arg;
    const cl_int e = b->api->clBuildProgram(b->program, 1, &b->device, b->options, NULL, NULL);
    pthread_mutex_lock(&b->lock);
    b->result = e;
    b->finished = true;
    pthread_cond_signal(&b->done);
    pthread_mutex_unlock(&b->lock);
    leave(b);
    return NULL;
}

/* CL_SUCCESS, what the driver says, or in *late that it did not say anything. */
static cl_int build_in_time(tt_cl *cl, bool *late)
{
    building *b = calloc(1, sizeof *b);
    pthread_t thread;
    struct timespec end;
    *late = false;
    if (!b)
        return CL_OUT_OF_HOST_MEMORY;
    b->api = cl->api;
    b->program = cl->program;
    b->device = cl->device;
    options_text(cl, b->options, sizeof b->options);
    atomic_init(&b->users, 2);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->done, NULL);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += SECONDS_TO_BUILD;
    if (pthread_create(&thread, NULL, build, b))
        build(b);
    else
        pthread_detach(thread);
    pthread_mutex_lock(&b->lock);
    while (!b->finished && !*late)
        *late = pthread_cond_timedwait(&b->done, &b->lock, &end) != 0 && !b->finished;
    const cl_int e = b->result;
    pthread_mutex_unlock(&b->lock);
    leave(b);
    return e;
}

/* The first lines of the compiler's log, for the sentence. */
static tt_status build_failed(tt_cl *cl, cl_int e, tt_error *err)
{
    char log[600] = "", *all = NULL;
    size_t n = 0;
    if (cl->api->clGetProgramBuildInfo(cl->program, cl->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &n) == CL_SUCCESS && n &&
        n < ((size_t)64 << 20) && (all = calloc(1, n + 1)) &&
        cl->api->clGetProgramBuildInfo(cl->program, cl->device, CL_PROGRAM_BUILD_LOG, n, all, NULL) == CL_SUCCESS)
        snprintf(log, sizeof log, "%s", all);
    free(all);
    return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: its compiler fails with %s (%d): %s", cl->info.name,
                   tt_cl_error_name(e), (int)e, log);
}

/* Is it one of this cut's? */
static bool wanted(const tt_cl *cl, int kernel)
{
    if (kernel >= TT_CL_conv_wino)
        return cl->cut.wino != 0;
    if (kernel >= TT_CL_conv1_large)
        return cl->products;
    return kernel < TT_CL_conv_tiled || cl->cut.tile_x;
}

/* Some want groups of one size, for which a compiler may have used too many registers: without them, then. */
static void check_group(tt_cl *cl, int kernel)
{
    const int tile = cl->cut.tile_x * cl->cut.tile_y;
    const size_t most = cl->most_items[kernel];
    if (kernel >= TT_CL_conv_wino && most < TT_CL_WINO_ITEMS)
        cl->cut.wino = 0;
    else if (kernel >= TT_CL_conv1_large && kernel < TT_CL_conv_wino && most < TT_CL_PRODUCT_ITEMS)
        cl->products = false;
    else if (kernel >= TT_CL_conv_tiled && kernel < TT_CL_conv1_large && most < (size_t)tile)
        cl->cut.tile_x = cl->cut.tile_y = 0;
}

static tt_status make_kernels(tt_cl *cl, tt_error *err)
{
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++) {
        cl_int e = CL_SUCCESS;
        if (!wanted(cl, i))
            continue;
        cl->kernel[i] = cl->api->clCreateKernel(cl->program, tt_cl_kernel_names[i], &e);
        if (!cl->kernel[i] || e != CL_SUCCESS)
            return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: the kernel %s cannot be had: %s (%d)", cl->info.name,
                           tt_cl_kernel_names[i], tt_cl_error_name(e), (int)e);
        if (cl->api->clGetKernelWorkGroupInfo(cl->kernel[i], cl->device, CL_KERNEL_WORK_GROUP_SIZE,
                                              sizeof cl->most_items[i], &cl->most_items[i], NULL) != CL_SUCCESS)
            cl->most_items[i] = cl->info.group;
        check_group(cl, i);
    }
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++) {
        if (cl->kernel[i] && !wanted(cl, i)) {
            cl->api->clReleaseKernel(cl->kernel[i]);
            cl->kernel[i] = NULL;
        }
    }
    return TT_OK;
}

static void forget(tt_cl *cl)
{
    for (int i = 0; i < TT_CL_KERNEL_COUNT; i++) {
        if (cl->kernel[i])
            cl->api->clReleaseKernel(cl->kernel[i]);
        cl->kernel[i] = NULL;
    }
    if (cl->program)
        cl->api->clReleaseProgram(cl->program);
    cl->program = NULL;
}

static bool from_binary(tt_cl *cl, const unsigned char *binary, size_t size)
{
    cl_int e = CL_SUCCESS, loaded = CL_SUCCESS;
    bool late = false;
    cl->program = cl->api->clCreateProgramWithBinary(cl->context, 1, &cl->device, &size, &binary, &loaded, &e);
    if (cl->program && e == CL_SUCCESS && loaded == CL_SUCCESS && build_in_time(cl, &late) == CL_SUCCESS && !late &&
        !make_kernels(cl, NULL))
        return true;
    if (late)
        cl->program = NULL; /* its compiler still has it */
    forget(cl);
    return false;
}

static tt_status from_source(tt_cl *cl, tt_error *err)
{
    const char *source = tt_cl_source;
    cl_int e = CL_SUCCESS;
    bool late = false;
    cl->program = cl->api->clCreateProgramWithSource(cl->context, 1, &source, NULL, &e);
    if (!cl->program || e != CL_SUCCESS)
        return tt_cl_fail(err, cl->info.name, "making the program", e);
    e = build_in_time(cl, &late);
    if (late) {
        cl->program = NULL;
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: its compiler did not come to an end in %d seconds", cl->info.name,
                       SECONDS_TO_BUILD);
    }
    return e == CL_SUCCESS ? make_kernels(cl, err) : build_failed(cl, e, err);
}

tt_status tt_cl_build(tt_cl *cl, const tt_cl_store *store, bool again, bool *passed, tt_error *err)
{
    uint8_t key[SUM];
    char name[2 * SUM + 8];
    unsigned char *file = NULL;
    size_t size = 0;
    tt_status st = TT_OK;
    *passed = false;
    key_of(cl, store, key);
    memcpy(cl->key, key, SUM);
    name_of(key, name);
    if (store && store->get(store->user, name, &file, &size) && sound(file, size, key)) {
        const uint64_t verdict = get_number(file + VERDICT, 4);
        const size_t text = (size_t)get_number(file + TEXT_SIZE, 4), binary = (size_t)get_number(file + SIZE, 8);
        if (verdict == TT_CL_FAILED && !again)
            st = tt_fail(err, TT_ERR_UNSUPPORTED, "%.*s (found before; `tintype info --devices` tests again)", (int)text,
                         (const char *)file + HEAD);
        else if (from_binary(cl, file + HEAD + text, binary))
            *passed = verdict == TT_CL_PASSED;
    }
    free(file);
    return st || cl->program ? st : from_source(cl, err);
}
