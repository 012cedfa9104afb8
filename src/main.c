/* The program `tintype`. */
#include "src/cli.h"

#include "engine/status.h"
#include "kernels/cpu.h"
#include "src/places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* `tintype photo.jpg` does nothing but say what would have done something. */
static int no_such_command(const char *word)
{
    struct stat st;
    tt_error e;
    const char *near = tt_command_near(word);
    if (word[0] == '-')
        tt_fail(&e, TT_ERR_USAGE, "there is no option %s before the command; try: tintype help", word);
    else if (near)
        tt_fail(&e, TT_ERR_USAGE, "%s is no command; did you mean: tintype %s?", word, near);
    else if (!stat(word, &st))
        tt_fail(&e, TT_ERR_USAGE, "%s is no command; did you mean: tintype upscale %s?", word, word);
    else
        tt_fail(&e, TT_ERR_USAGE, "%s is no command", word);
    tt_cli_complain(NULL, &e);
    tt_help_short(stderr);
    return TT_EXIT_USAGE;
}

/* -m may be a name: every command sees the path. */
static tt_status find_model(tt_args *a, tt_error *err)
{
    const tt_status st = a->model && !a->help ? tt_places_resolve(a->model, &a->resolved, err) : TT_OK;
    if (!st && a->resolved)
        a->model = a->resolved;
    return st;
}

static int run(const tt_command *cmd, int argc, char **argv)
{
    tt_args args;
    tt_error e;
    int code;
    tt_status st = tt_args_parse(&args, cmd, argc, argv, &e);
    const char *level = getenv("TINTYPE_CPU");
    if (!st && level && *level && tt_cpu_parse(level) < 0)
        st = tt_fail(&e, TT_ERR_USAGE, "TINTYPE_CPU is %s; it can be one of: " TT_CPU_WORDS, level);
    if (!st)
        st = find_model(&args, &e);
    if (st) {
        tt_cli_complain(NULL, &e);
        if (st == TT_ERR_USAGE)
            tt_cli_note("try: tintype help %s", cmd->name);
        code = tt_exit_code(st);
    } else if (args.help) {
        tt_help_command(stdout, cmd);
        code = TT_EXIT_OK;
    } else {
        code = cmd->run(&args);
    }
    tt_args_clear(&args);
    return code;
}

/* `tintype models list ...` */
static int run_of_group(const tt_command *group, int argc, char **argv)
{
    char name[64];
    if (argc < 2) {
        tt_help_command(stderr, group);
        return TT_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
        tt_help_command(stdout, group);
        return TT_EXIT_OK;
    }
    snprintf(name, sizeof name, "%s %s", group->name, argv[1]);
    const tt_command *cmd = tt_command_find(name);
    return cmd ? run(cmd, argc - 1, argv + 1) : no_such_command(name);
}

int main(int argc, char **argv)
{
    static char *version[] = {"version", NULL};
    tt_cli_begin();
    if (argc < 2) {
        tt_help_short(stderr);
        return tt_cli_end(TT_EXIT_USAGE);
    }
    const char *word = argv[1];
    if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
        tt_help_short(stdout);
        return tt_cli_end(TT_EXIT_OK);
    }
    if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        return tt_cli_end(run(tt_command_find("version"), 1, version));
    const tt_command *cmd = tt_command_find(word);
    if (!cmd)
        return tt_cli_end(no_such_command(word));
    return tt_cli_end((cmd->run ? run : run_of_group)(cmd, argc - 1, argv + 1));
}
