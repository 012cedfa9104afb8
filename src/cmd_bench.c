/* `tintype bench`: bench/ run from the program, so that its speed is measured as users have it. */
#include "src/cli.h"

#include "bench/bench.h"
#include "engine/pool.h"
#include "engine/status.h"
#include "src/device.h"

#include <string.h>

static void tell(void *user, const char *line)
{
    (void)user;
    puts(line);
    fflush(stdout);
}

/* What is not the usual table. */
static tt_status other_work(const tt_args *a, const tt_bench_options *o, tt_error *err)
{
    const bool sized = a->width && a->height;
    if (a->tune) {
        const tt_context_options c = {.size = sizeof c, .device = a->device};
        if (!a->device || a->only || a->kernel || a->model || a->precision)
            return tt_fail(err, TT_ERR_USAGE, "--tune wants --device, and nothing to measure");
        return tt_device_tune(&c, tell, NULL, err);
    }
    if (a->only || (a->kernel && a->model))
        return tt_fail(err, TT_ERR_USAGE, "--only, --kernel and --model exclude each other");
    if (a->kernel && (a->size || a->net || a->device))
        return tt_fail(err, TT_ERR_USAGE, "--size, --net and --device are for --model");
    if (a->kernel)
        return tt_bench_steady(stdout, a->kernel, o, err);
    if (a->size && !sized)
        return tt_fail(err, TT_ERR_USAGE, "--model wants both sides of --size WxH");
    if (!a->model && a->device)
        return tt_fail(err, TT_ERR_USAGE, "--device wants --model, the network to measure");
    if (a->device)
        return tt_bench_device(stdout, a->model, a->net, a->device, a->precision && !strcmp(a->precision, "fp16"),
                               sized ? a->height : 256, sized ? a->width : 256, o, err);
    if (a->precision)
        return tt_fail(err, TT_ERR_USAGE, "--precision wants --device, whose maps they are");
    return tt_bench_steps(stdout, a->model, a->net, sized ? a->height : 256, sized ? a->width : 256, o, err);
}

int tt_cmd_bench(const tt_args *a)
{
    const tt_bench_options o = {
        .only = a->only,
        .isa = a->isa,
        .seconds = a->seconds,
        .json = a->json,
        .threads = a->threads ? a->threads : tt_processors(),
    };
    tt_error e;
    if (a->model || a->kernel || a->device || a->tune || a->precision) {
        const tt_status st = other_work(a, &o, &e);
        if (st)
            tt_cli_complain(NULL, &e);
        return tt_exit_code(st);
    }
    if (tt_bench_run(stdout, &o) == 0)
        return TT_EXIT_OK;
    tt_fail(&e, TT_ERR_USAGE, "no case's name contains %s", a->only ? a->only : "that");
    tt_cli_complain(NULL, &e);
    return TT_EXIT_USAGE;
}
