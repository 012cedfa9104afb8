#include "tests/engine/device.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* PoCL's compiler leaks when it compiles, and ends the tests of the address sanitizer; leaks of ours are still seen. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return DEVICE_LEAKS;
}

const char *const device_ways[DEVICE_WAYS] = {
    "cut for CPUs",
    "cut for GPUs",
    "cut for small GPUs",
    "cut for CPUs, maps of halves",
    "cut for GPUs, maps of halves",
    "cut for small GPUs, maps of halves",
};

const char *device_name(const char *skipped)
{
    const char *wanted = getenv("TINTYPE_TEST_DEVICE"), *why = NULL;
    tt_cl_info *list = NULL;
    tt_error err = {0};
    int count = 0;
    if (wanted && *wanted)
        return wanted;
    ck_assert_msg(!tt_cl_list(&list, &count, &why, &err), "%s", err.text);
    free(list);
    if (!count)
        printf("SKIPPED, %s: %s\n", skipped, why ? why : "no OpenCL device");
    return count ? "opencl:0.0" : NULL;
}

tt_cl *device_open(int way, const char *skipped)
{
    return device_open_with(way, 0, skipped);
}

tt_cl *device_open_with(int way, uint64_t memory, const char *skipped)
{
    const char *name = device_name(skipped);
    const tt_cl_options o = {.cut = TT_CL_CUT_CPU + way % DEVICE_CUTS, .half_maps = way >= DEVICE_CUTS, .memory = memory};
    tt_error err = {0};
    tt_cl *cl = NULL;
    if (name)
        ck_assert_msg(!tt_cl_open(&cl, name, &o, &err), "%s", err.text);
    return cl;
}

bool device_net_open(device_net *n, tt_cl *cl, const tt_tensor_out *t, size_t tensors, tt_val (*describe)(tt_build *b))
{
    tt_error err = {0};
    tt_kernels k;
    size_t size;
    *n = (device_net){.cl = cl};
    if (!cl)
        return false;
    tt_kernels_init(&k, 0);
    ck_assert(!tt_safetensors_write(t, tensors, NULL, &n->bytes, &size, &err));
    ck_assert(!tt_weights_open_memory(&n->weights, n->bytes, size, "toy", &err));
    tt_build *b = tt_build_new(&n->weights, NULL);
    ck_assert(!tt_build_finish(b, describe(b), &n->graph, &err));
    ck_assert(!tt_net_new(&n->net, n->graph, &k, &err));
    ck_assert(!tt_cl_net_new(&n->there, n->cl, n->net, n->graph, &err));
    return true;
}

void device_net_close(device_net *n)
{
    tt_cl_net_free(n->there);
    tt_net_free(n->net);
    tt_graph_free(n->graph);
    tt_weights_clear(&n->weights);
    free(n->bytes);
    tt_cl_free(n->cl);
}
