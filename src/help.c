/* Help, the manual page and the completions, all from the tables of src/options.c. */
#include "src/cli.h"

#include "engine/status.h"
#include "kernels/cpu.h"
#include "src/registry.h"

#include <ctype.h>
#include <string.h>

enum { WIDE = 96, HELP_COLUMN = 26 };

/* ---- text in columns ------------------------------------------------------------------------------ */

/* Words of `text` up to its end or an empty line, broken at WIDE; the first line begins at column `at`. */
static const char *wrap(FILE *to, const char *text, int indent, int at)
{
    while (*text && *text != '\n') {
        const int n = (int)strcspn(text, " \n");
        if (at > indent && at + 1 + n > WIDE) {
            fprintf(to, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', to);
            at++;
        }
        fwrite(text, 1, (size_t)n, to);
        at += n;
        text += n;
        while (*text == ' ')
            text++;
    }
    fputc('\n', to);
    return text;
}

static void paragraphs(FILE *to, const char *text)
{
    while (*text) {
        fputc('\n', to);
        text = wrap(to, text, 0, 0);
        while (*text == '\n')
            text++;
    }
}

/* One line "command\twhat it does" of the examples; gives where the next begins. */
static const char *example(const char *text, int *command, const char **what, int *length)
{
    const char *end = text + strcspn(text, "\n");
    *command = (int)strcspn(text, "\t\n");
    *what = text + *command + (text[*command] == '\t');
    *length = (int)(end - *what);
    return *end ? end + 1 : end;
}

static void examples(FILE *to, const tt_command *cmd)
{
    int n, length, widest = 0;
    const char *what;
    for (const char *p = cmd->examples; *p;) {
        p = example(p, &n, &what, &length);
        if (n > widest && n <= 64)
            widest = n;
    }
    fputs("Examples:\n", to);
    for (const char *p = cmd->examples; *p;) {
        const char *line = p;
        p = example(p, &n, &what, &length);
        fprintf(to, "  %.*s", n, line);
        if (length)
            fprintf(to, "%*s%.*s", widest > n ? widest - n + 2 : 2, "", length, what);
        fputc('\n', to);
    }
}

static void option_line(FILE *to, const tt_option *o)
{
    char name[64];
    int n =
        snprintf(name, sizeof name, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? "," : " ", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    fputs(name, to);
    if (n + 2 > HELP_COLUMN) {
        fputc('\n', to);
        n = 0;
    }
    fprintf(to, "%*s", HELP_COLUMN - n, "");
    char help[600]; /* tests/src/test_cli.c: every text is there whole */
    snprintf(help, sizeof help, "%s%s%s%s", o->help, o->env ? " (or: " : "", o->env ? o->env : "",
             o->env ? ")" : "");
    wrap(to, help, HELP_COLUMN, HELP_COLUMN);
}

/* Is `c` a command of the group, "models list" of "models" say? Gives its second word, or NULL. */
static const char *word_in(const tt_command *group, const tt_command *c)
{
    const size_t n = strlen(group->name);
    return !group->run && !strncmp(c->name, group->name, n) && c->name[n] == ' ' ? c->name + n + 1 : NULL;
}

static void usage(FILE *to, const tt_command *cmd)
{
    if (cmd->run)
        fprintf(to, "Usage: tintype %s [options]%s%s\n\n", cmd->name, *cmd->operands ? " " : "", cmd->operands);
    else
        fprintf(to, "Usage: tintype %s %s\n\n", cmd->name, cmd->operands);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (word_in(cmd, c))
            fprintf(to, "  %-16s %s\n", c->name, c->brief);
    if (!cmd->run)
        fprintf(to, "\nMore of each: tintype help %s list\n\n", cmd->name);
}

/* ---- help ----------------------------------------------------------------------------------------- */

void tt_help_short(FILE *to)
{
    fputs("tintype enlarges and restores photographs.\n\n"
          "  tintype upscale scan.jpg               writes scan_x2.jpg beside it\n"
          "  tintype upscale -s 3 in.jpg -o out.png three times as large\n"
          "  tintype upscale -r album -o large/     a whole tree\n"
          "  tintype denoise -m net.safetensors scan.jpg  without noise or JPEG traces, scan_clean.jpg\n"
          "  tintype colorize -m FILE old.jpg       writes old_colour.jpg, with weights of DeOldify\n\n"
          "Usage: tintype COMMAND [options] INPUT... [-o OUTPUT]\n\n",
          to);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (!strchr(c->name, ' '))
            fprintf(to, "  %-12s %s\n", c->name, c->brief);
    fputs("\nMore of each: tintype help COMMAND\n", to);
}

void tt_help_command(FILE *to, const tt_command *cmd)
{
    examples(to, cmd);
    fputc('\n', to);
    usage(to, cmd);
    for (const char *p = cmd->brief; *p; p++)
        fputc(p == cmd->brief ? toupper((unsigned char)*p) : *p, to);
    fputs(".\n", to);
    paragraphs(to, cmd->more);
    fputs("\nOptions:\n", to);
    for (const tt_option *o = tt_options; o->name; o++)
        if (o->commands & cmd->bit)
            option_line(to, o);
}

int tt_cmd_help(const tt_args *a)
{
    tt_error e;
    if (a->man) {
        tt_help_manual(stdout);
        return TT_EXIT_OK;
    }
    if (!a->operands) {
        tt_help_short(stdout);
        return TT_EXIT_OK;
    }
    char name[128];
    snprintf(name, sizeof name, "%s%s%s", a->operand[0], a->operands > 1 ? " " : "",
             a->operands > 1 ? a->operand[1] : "");
    const tt_command *cmd = tt_command_find(name);
    if (cmd) {
        tt_help_command(stdout, cmd);
        return TT_EXIT_OK;
    }
    const char *near = tt_command_near(name);
    if (near)
        tt_fail(&e, TT_ERR_USAGE, "%s is no command; did you mean: tintype help %s?", name, near);
    else
        tt_fail(&e, TT_ERR_USAGE, "%s is no command", name);
    tt_cli_complain(NULL, &e);
    return TT_EXIT_USAGE;
}

/* ---- the manual page ------------------------------------------------------------------------------ */

/* Text that roff takes as it stands. */
static void roff(FILE *to, const char *text, size_t n)
{
    for (size_t i = 0; i < n && text[i]; i++) {
        if ((text[i] == '.' || text[i] == '\'') && (!i || text[i - 1] == '\n'))
            fputs("\\&", to);
        if (text[i] == '-')
            fputs("\\-", to);
        else if (text[i] == '\\')
            fputs("\\e", to);
        else if (text[i] == '\'')
            fputs("\\(aq", to);
        else if (text[i] == '^' || text[i] == '~')
            fprintf(to, "%s", text[i] == '^' ? "\\(ha" : "\\(ti");
        else
            fputc(text[i], to);
    }
}

static void roff_text(FILE *to, const char *text)
{
    roff(to, text, strlen(text));
}

static void roff_option(FILE *to, const tt_option *o)
{
    fputs(".TP\n", to);
    if (o->letter)
        fprintf(to, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", to);
    roff_text(to, o->name);
    fputs("\\fR", to);
    if (o->argument)
        fprintf(to, " \\fI%s\\fR", o->argument);
    fputc('\n', to);
    roff_text(to, o->help);
    if (o->env)
        fprintf(to, " (also: %s in the environment)", o->env);
    fputs(".\n", to);
}

static void roff_command(FILE *to, const tt_command *cmd)
{
    fprintf(to, ".SS tintype %s%s%s", cmd->name, cmd->run ? " [options]" : "", *cmd->operands ? " " : "");
    roff_text(to, cmd->operands);
    fputc('\n', to);
    fputc(toupper((unsigned char)cmd->brief[0]), to);
    roff_text(to, cmd->brief + 1);
    fputs(".\n", to);
    for (const char *p = cmd->more; *p;) {
        const char *end = strstr(p, "\n\n");
        const size_t n = end ? (size_t)(end - p) : strlen(p);
        fputs(".PP\n", to);
        roff(to, p, n);
        fputc('\n', to);
        p = end ? end + 2 : p + n;
    }
    for (const tt_option *o = tt_options; o->name; o++)
        if (o->commands & cmd->bit)
            roff_option(to, o);
}

static void roff_examples(FILE *to)
{
    int n, length;
    const char *what;
    for (const tt_command *c = tt_commands; c->name; c++)
        for (const char *p = c->examples; *p;) {
            const char *line = p;
            p = example(p, &n, &what, &length);
            fputs(".TP\n\\fB", to);
            roff(to, line, (size_t)n);
            fputs("\\fR\n", to);
            roff(to, length ? what : c->brief, length ? (size_t)length : strlen(c->brief));
            fputc('\n', to);
        }
}

static void roff_json(FILE *to)
{
    static const struct {
        const char *event, *fields;
    } events[] = {
        {"start", "input, index, count"},
        {"progress", "input, done (0 to 1), eta_s (seconds left, once it can be told)"},
        {"plan", "with --dry-run: input, output, input_width, input_height, width, height, passes, tiles, "
                 "tile_width, "
                 "tile_height, overlap, memory_bytes, flops; of colorize: input, output, width, height, render, side, "
                 "memory_bytes, flops"},
        {"done",
         "input, output, input_width, input_height, width, height, model, network, seconds, "
         "network_seconds, "
         "tiles, peak_bytes; of colorize: input, output, width, height, model, network, render, seconds, "
         "network_seconds, peak_bytes, and of a stream frames; of a fetch: input (the name), output, bytes, "
         "resumed_bytes, sha256, checked, fetched, seconds"},
        {"skipped", "input, output"},
        {"error", "input, status, code (what the exit code would be for this input alone), text"},
        {"summary", "done, skipped, failed, seconds; always the last line"},
    };
    fputs(".SH JSON\nWith \\fB\\-\\-json\\fR, \\fBtintype upscale\\fR, \\fBdenoise\\fR, \\fBcolorize\\fR and "
          "\\fBmodels fetch\\fR print a line for each event, with the "
          "member \"event\"; other commands print one object for each result. More members may come; those "
          "that are there keep their meaning. In file names that are no UTF\\-8, odd bytes stand as "
          "\\exNN.\n",
          to);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        fprintf(to, ".TP\n\\fB%s\\fR\n", events[i].event);
        roff_text(to, events[i].fields);
        fputs(".\n", to);
    }
}

void tt_help_manual(FILE *to)
{
    static const struct {
        const char *code, *meaning;
    } codes[] = {
        {"0", "All went well."},
        {"1", "Several inputs were given and some failed; the others are done."},
        {"2", "The command line makes no sense; nothing was touched."},
        {"65", "The input is damaged, or of a kind that is not handled."},
        {"66", "The input cannot be opened or read."},
        {"70", "The network gave no numbers, or the program is at fault; nothing was written."},
        {"73", "The output cannot be created, or exists."},
        {"75", "It may go well another time: no memory, disk full, the network."},
        {"130, 143", "Ended by SIGINT or SIGTERM, as a shell shows it; what was unfinished is removed."},
    };
    fprintf(to,
            ".TH TINTYPE 1 \"\" \"tintype %s\" \"User Commands\"\n.SH NAME\ntintype \\- enlarge and "
            "restore photographs\n.SH SYNOPSIS\n\\fBtintype\\fR \\fICOMMAND\\fR [\\fIoptions\\fR] "
            "\\fIINPUT\\fR... [\\fB\\-o\\fR \\fIOUTPUT\\fR]\n.SH DESCRIPTION\n\\fBtintype\\fR puts "
            "photographs through published neural networks. One network is part of the program; others are "
            "read from their authors\\(aq weight files.\n"
            "Results go to standard output, talk to standard error. File names are taken as bytes; in "
            "messages what cannot be shown stands as \\exNN.\nThe result is the same, byte for byte, for "
            "any number of threads and any memory.\n.SH COMMANDS\n",
            tt_version());
    for (const tt_command *c = tt_commands; c->name; c++)
        roff_command(to, c);
    fputs(".SH EXAMPLES\n", to);
    roff_examples(to);
    roff_json(to);
    fputs(".SH ENVIRONMENT\n", to);
    for (const tt_option *o = tt_options; o->name; o++)
        if (o->env) {
            fprintf(to, ".TP\n\\fB%s\\fR\nThe same as \\fB\\-\\-%s\\fR, which goes over it.\n", o->env,
                    o->name);
        }
    fputs(".TP\n\\fBTINTYPE_CPU\\fR\nOne of " TT_CPU_WORDS ": the highest instruction set that is used.\n"
          ".TP\n\\fBTINTYPE_MODELS\\fR\nDirectories of weight files, with colons between them. They are searched "
          "before $XDG_DATA_HOME/tintype/models (~/.local/share/tintype/models), "
          "/usr/local/share/tintype/models and /usr/share/tintype/models.\n"
          ".TP\n\\fBTINTYPE_OFFLINE\\fR\nIf set to 1, nothing is fetched from the network.\n"
          ".TP\n\\fBTINTYPE_LIBCURL\\fR\nThe file name of libcurl, where it is not the usual one.\n"
          ".SH \"EXIT STATUS\"\n",
          to);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        fprintf(to, ".TP\n\\fB%s\\fR\n", codes[i].code);
        roff_text(to, codes[i].meaning);
        fputc('\n', to);
    }
}

/* ---- completions ---------------------------------------------------------------------------------- */

/* Does the command work on files, so that the shell's own completion is best? */
static bool takes_files(const tt_command *c)
{
    return c->bit &
           (TT_CMD_UPSCALE | TT_CMD_COMPARE | TT_CMD_INFO | TT_CMD_RUN | TT_CMD_CONVERT | TT_CMD_MODELS_VERIFY);
}

static void command_names(FILE *to)
{
    const char *blank = "";
    for (const tt_command *c = tt_commands; c->name; c++)
        if (!strchr(c->name, ' ')) {
            fprintf(to, "%s%s", blank, c->name);
            blank = " ";
        }
}

static void names_in(FILE *to, const tt_command *group)
{
    const char *blank = "";
    for (const tt_command *c = tt_commands; c->name; c++)
        if (word_in(group, c)) {
            fprintf(to, "%s%s", blank, word_in(group, c));
            blank = " ";
        }
}

/* What else may follow the command's own name, blanks between. */
static void operand_words(FILE *to, const tt_command *c)
{
    if (c->bit == TT_CMD_COMPLETION)
        fputs("bash zsh", to);
    else if (c->bit == TT_CMD_HELP)
        command_names(to);
    else if (c->bit & (TT_CMD_MODELS_FETCH | TT_CMD_MODELS_INFO))
        for (const tt_official *o = tt_officials; o->name; o++)
            fprintf(to, "%s%s", o == tt_officials ? "" : " ", o->name);
}

static void bash_command(FILE *to, const tt_command *c)
{
    fprintf(to, "    \"%s\")\n        case $before in\n", c->name);
    for (const tt_option *o = tt_options; o->name; o++) {
        if (!(o->commands & c->bit) || !o->argument)
            continue;
        fprintf(to, "        --%s", o->name);
        if (o->letter)
            fprintf(to, "|-%c", o->letter);
        if (o->kind == TT_OPT_WORD)
            fprintf(to, ") words=\"%s\" ;;\n", o->words);
        else
            fprintf(to, ") %s ;;\n", o->kind == TT_OPT_FILE ? "return" : "COMPREPLY=(\"\"); return");
    }
    fputs("        esac\n        options=\"", to);
    for (const tt_option *o = tt_options; o->name; o++)
        if (o->commands & c->bit)
            fprintf(to, "--%s ", o->name);
    fputs("\"\n", to);
    if (!takes_files(c)) {
        fputs("        operands=\"", to);
        operand_words(to, c);
        fputs("\"\n", to);
    }
    fputs("        ;;\n", to);
}

static void bash_group(FILE *to, const tt_command *c)
{
    fprintf(to,
            "    if [[ $command == %s ]]; then\n        if ((COMP_CWORD == 2)); then\n"
            "            COMPREPLY=($(compgen -W \"",
            c->name);
    names_in(to, c);
    fputs("\" -- \"$word\"))\n            return\n        fi\n        command+=\" ${COMP_WORDS[2]}\"\n    fi\n", to);
}

void tt_help_bash(FILE *to)
{
    fputs("# bash completion of tintype, made by `tintype completion bash`\n_tintype()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local words=\"\" options=\"\" operands=\"\"\n    COMPREPLY=()\n"
          "    # bash takes --format=png for three words\n"
          "    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    [[ $word == = ]] && word=\"\"\n"
          "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W \"",
          to);
    command_names(to);
    fputs("\" -- \"$word\"))\n        return\n    fi\n    local command=${COMP_WORDS[1]}\n", to);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (!c->run)
            bash_group(to, c);
    fputs("    case $command in\n", to);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (c->run)
            bash_command(to, c);
    fputs("    esac\n"
          "    # nothing found: the shell goes on with file names\n"
          "    if [[ -n $words ]]; then\n        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "    elif [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "    elif [[ -n $operands ]]; then\n        COMPREPLY=($(compgen -W \"$operands\" -- "
          "\"$word\"))\n    fi\n}\n"
          "complete -o default -F _tintype tintype\n",
          to);
}

/* Inside single quotes, where a colon and brackets mean something to _arguments. */
static void zsh_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", to);
        else if (strchr("[]:\\", *text))
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void zsh_option(FILE *to, const tt_option *o)
{
    const char *star = o->kind == TT_OPT_LIST ? "*" : "";
    if (o->letter)
        fprintf(to, "            '(-%c --%s)'{-%c,--%s%s}'[", o->letter, o->name, o->letter, o->name,
                o->argument ? "=" : "");
    else
        fprintf(to, "            '%s--%s%s[", star, o->name, o->argument ? "=" : "");
    zsh_text(to, o->help);
    fputc(']', to);
    if (o->argument) {
        fprintf(to, ":%s:", o->argument);
        if (o->kind == TT_OPT_WORD)
            fprintf(to, "(%s)", o->words);
        else if (o->kind == TT_OPT_FILE)
            fputs("_files", to);
    }
    fputs("' \\\n", to);
}

static void zsh_name(FILE *to, const char *name, const char *brief)
{
    fprintf(to, "        '%s:", name);
    zsh_text(to, brief);
    fputs("'\n", to);
}

static void zsh_group(FILE *to, const tt_command *group)
{
    fprintf(to, "    if [[ $command == %s ]]; then\n        commands=(\n", group->name);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (word_in(group, c))
            zsh_name(to, word_in(group, c), c->brief);
    fputs("        )\n        if ((CURRENT == 2)); then\n            _describe command commands\n            return\n"
          "        fi\n        command+=\" $words[2]\"\n        shift words\n        ((CURRENT--))\n    fi\n",
          to);
}

void tt_help_zsh(FILE *to)
{
    fputs("#compdef tintype\n# made by `tintype completion zsh`\n_tintype() {\n    local -a commands\n    "
          "commands=(\n",
          to);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (!strchr(c->name, ' '))
            zsh_name(to, c->name, c->brief);
    fputs("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n"
          "    local command=$words[2]\n    shift words\n    ((CURRENT--))\n",
          to);
    for (const tt_command *c = tt_commands; c->name; c++)
        if (!c->run)
            zsh_group(to, c);
    fputs("    case $command in\n", to);
    for (const tt_command *c = tt_commands; c->name; c++) {
        if (!c->run)
            continue;
        fprintf(to, "    '%s')\n        _arguments -s -S \\\n", c->name);
        for (const tt_option *o = tt_options; o->name; o++)
            if (o->commands & c->bit)
                zsh_option(to, o);
        if (takes_files(c)) {
            fputs("            '*:file:_files'\n", to);
        } else if (c->bit & (TT_CMD_VERSION | TT_CMD_BENCH | TT_CMD_MODELS_LIST | TT_CMD_MODELS_PATH)) {
            fputs("            && return\n", to);
        } else {
            fprintf(to, "            '%s:name:(", c->most < 0 ? "*" : "");
            operand_words(to, c);
            fputs(")'\n", to);
        }
        fputs("        ;;\n", to);
    }
    fputs("    esac\n}\n\nif [[ $funcstack[1] == _tintype ]]; then\n    _tintype \"$@\"\nelse\n    compdef "
          "_tintype tintype\nfi\n",
          to);
}

int tt_cmd_completion(const tt_args *a)
{
    tt_error e;
    if (!strcmp(a->operand[0], "bash")) {
        tt_help_bash(stdout);
    } else if (!strcmp(a->operand[0], "zsh")) {
        tt_help_zsh(stdout);
    } else {
        tt_fail(&e, TT_ERR_USAGE, "there is no completion for %s, but for bash and zsh", a->operand[0]);
        tt_cli_complain(NULL, &e);
        return TT_EXIT_USAGE;
    }
    return TT_EXIT_OK;
}
