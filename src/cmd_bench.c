/* `tintype bench`: bench/ run from the program, so that its speed is measured as users have it. */
#include "src/cli.h"

#include "bench/bench.h"
#include "engine/pool.h"
#include "engine/status.h"

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
    if (a->model) {
        const bool sized = a->width && a->height;
        const tt_status st = a->only || (a->size && !sized)
                                 ? tt_fail(&e, TT_ERR_USAGE, "--model wants --size WxH and no --only")
                                 : tt_bench_steps(stdout, a->model, a->net, sized ? a->height : 256,
                                                  sized ? a->width : 256, &o, &e);
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
