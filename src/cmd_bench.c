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
    if (tt_bench_run(stdout, &o) == 0)
        return TT_EXIT_OK;
    tt_fail(&e, TT_ERR_USAGE, "no case's name contains %s", a->only ? a->only : "that");
    tt_cli_complain(NULL, &e);
    return TT_EXIT_USAGE;
}
