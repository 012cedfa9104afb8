/*
 * The command line. Two tables in src/options.c, the commands and the options, are all there is to know:
 * parsing, `tintype help`, the manual page and the shells' completions are made from them.
 */
#ifndef TT_SRC_CLI_H
#define TT_SRC_CLI_H

#include "src/tintype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* robustness.md, rule 15; a signal ends the program by itself */
enum {
    TT_EXIT_OK = 0,
    TT_EXIT_SOME = 1, /* several inputs, and some failed */
    TT_EXIT_USAGE = 2,
    TT_EXIT_DATA = 65,
    TT_EXIT_NO_INPUT = 66,
    TT_EXIT_INTERNAL = 70,
    TT_EXIT_NO_OUTPUT = 73,
    TT_EXIT_TEMPORARY = 75,
};

enum {
    TT_CMD_UPSCALE = 1 << 0,
    TT_CMD_COMPARE = 1 << 1,
    TT_CMD_INFO = 1 << 2,
    TT_CMD_RUN = 1 << 3,
    TT_CMD_BENCH = 1 << 4,
    TT_CMD_HELP = 1 << 5,
    TT_CMD_VERSION = 1 << 6,
    TT_CMD_COMPLETION = 1 << 7,
    TT_CMD_CONVERT = 1 << 8,
    TT_CMD_DENOISE = 1 << 9,
    TT_CMD_COLORIZE = 1 << 10,
    TT_CMD_MODELS = 1 << 16, /* a group: its commands are called "models list" and so on */
    TT_CMD_MODELS_LIST = 1 << 17,
    TT_CMD_MODELS_INFO = 1 << 18,
    TT_CMD_MODELS_FETCH = 1 << 19,
    TT_CMD_MODELS_VERIFY = 1 << 20,
    TT_CMD_MODELS_PATH = 1 << 21,
    TT_CMD_ALL = (1 << 22) - 1,
};

/* What was asked. Zeros: not given. Strings are those of argv. */
typedef struct tt_args {
    const struct tt_command *command;
    char **operand;
    int operands;

    const char *output, *model, *format, *depth, *icc, *only, *kernel, *isa, *dtype;
    const char *use, *licence, *url, *mirror, *sha256;
    const char *render, *contact_sheet, *frames;
    const char *device, *fallback, *precision;
    const char **net; /* "key=value", ..., NULL; or NULL. Owned, the strings are not */
    double scale, seconds, timeout;
    const char *size;  /* as typed */
    int width, height; /* of it; 0: by the picture's shape */
    int threads, quality, border, tries;
    uint64_t memory, max_pixels, device_memory;
    bool help, man, json, quiet, verbose;
    bool tta, recursive, overwrite, skip_existing, dry_run, salvage, fail_fast;
    bool luma, rgb, plan, installed, y4m, devices, tune;
    char *resolved; /* what `model` points to where it was found for a name; owned */
} tt_args;

typedef struct tt_command {
    const char *name; /* two words for a command of a group */
    unsigned bit;
    const char *operands;         /* for the usage line: "INPUT..." */
    int least, most;              /* number of them; most -1: any */
    const char *brief;            /* one line */
    const char *examples;         /* lines "command line\twhat it does" */
    const char *more;             /* paragraphs, separated by an empty line */
    int (*run)(const tt_args *a); /* gives the exit code; NULL for a group */
} tt_command;
extern const tt_command tt_commands[]; /* ends with a NULL name */

typedef enum tt_option_kind {
    TT_OPT_FLAG,  /* bool */
    TT_OPT_TEXT,  /* const char * */
    TT_OPT_FILE,  /* const char *, completed with file names */
    TT_OPT_WORD,  /* const char *, one of `words` */
    TT_OPT_INT,   /* int, lo..hi */
    TT_OPT_REAL,  /* double, lo..hi */
    TT_OPT_BYTES, /* uint64_t, K M G T are powers of 1024 */
    TT_OPT_COUNT, /* uint64_t, K M G T are powers of 1000 */
    TT_OPT_SIZE,  /* size, width, height of tt_args */
    TT_OPT_LIST,  /* const char **, repeatable */
} tt_option_kind;

typedef struct tt_option {
    const char *name;
    char letter; /* 0: none */
    tt_option_kind kind;
    const char *argument; /* NULL for flags */
    unsigned commands;
    size_t field; /* in tt_args */
    const char *help;
    const char *words; /* separated by blanks */
    double lo, hi;
    const char *env; /* an environment variable that says the same, where the option is not given */
} tt_option;
extern const tt_option tt_options[]; /* ends with a NULL name */

/* ---- options.c ------------------------------------------------------------------------------------ */

/* The command or group of that name, or NULL. */
const tt_command *tt_command_find(const char *name);
/* The name nearest to `word`; NULL if none is near. */
const char *tt_command_near(const char *word);
/* argv[0] is the command's name. TT_ERR_USAGE with a sentence. tt_args_clear() in any case. */
tt_status tt_args_parse(tt_args *a, const tt_command *cmd, int argc, char **argv, tt_error *err);
void tt_args_clear(tt_args *a);
/* Is `text` one of `words`, which blanks separate? */
bool tt_word_among(const char *words, const char *text);
/* "1.5", and nothing else: no sign, no exponent, a point in every locale. */
bool tt_number_parse(const char *text, double *value);

/* ---- help.c --------------------------------------------------------------------------------------- */

void tt_help_short(FILE *to);
void tt_help_command(FILE *to, const tt_command *cmd);
void tt_help_manual(FILE *to);
void tt_help_bash(FILE *to);
void tt_help_zsh(FILE *to);

/* ---- cli.c: what all commands say and heed. Nothing below src/main.c ends the program, but a signal --- */

/* Standard input, output and error exist; SIGPIPE and SIGXFSZ are ignored; signals are watched from now on.
 */
void tt_cli_begin(void);
/* Standard output is flushed, and the exit code `code`, or what a full disk makes of it. Dies of the signal
 * that stopped the work, where one did. */
int tt_cli_end(int code);

/* "tintype: FILE: sentence" on standard error. `path` is put before a sentence that does not name it; or
 * NULL. */
void tt_cli_complain(const char *path, const tt_error *e);
/* A line of talk on standard error. */
#if defined __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
void tt_cli_note(const char *format, ...);
int tt_exit_code(tt_status s);
/* A context of --threads and --memory that a signal cancels; and its end. */
tt_status tt_cli_context(tt_context **c, const tt_args *a, tt_error *err);
void tt_cli_context_free(tt_context *c);
/* Has a signal asked to stop? */
bool tt_cli_stopped(void);
/* Where a temporary of ours may lie from now on: swept of those of dead processes, and of ours when a signal
 * leaves no time for the ordinary way. NULL: nowhere. */
void tt_cli_writes_in(const char *directory);
/* Standard output may not be a terminal when bytes for machines go there. */
tt_status tt_cli_no_terminal(const char *what, tt_error *err);

/* ---- one file a command --------------------------------------------------------------------------- */

int tt_cmd_upscale(const tt_args *a); /* denoise too */
int tt_cmd_colorize(const tt_args *a);
int tt_cmd_compare(const tt_args *a);
int tt_cmd_info(const tt_args *a);
int tt_cmd_run(const tt_args *a);
int tt_cmd_convert(const tt_args *a);
int tt_cmd_bench(const tt_args *a);
int tt_cmd_models_list(const tt_args *a); /* these four: cmd_models.c */
int tt_cmd_models_info(const tt_args *a);
int tt_cmd_models_verify(const tt_args *a);
int tt_cmd_models_path(const tt_args *a);
int tt_cmd_models_fetch(const tt_args *a); /* cmd_fetch.c */
int tt_cmd_help(const tt_args *a);         /* help.c */
int tt_cmd_version(const tt_args *a);      /* cmd_info.c */
int tt_cmd_completion(const tt_args *a);   /* help.c */

#endif
