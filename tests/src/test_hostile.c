/*
 * Malformed weight files (tests/hostile/, made by a script there) through the program itself: the exit code
 * and the sentence that weights.tsv asks for, one line that names the file and nothing else, little time and
 * little memory, no result left behind.
 */
#define _GNU_SOURCE
#include "tests/src/program.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TT_BIN
#define TT_BIN "build/tintype"
#endif
#ifndef TT_TOP
#define TT_TOP "." /* good where the tests are started at the top of the tree */
#endif

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1 }; /* shadow memory: neither limit nor figure says anything about the program */
#else
enum { SANITIZED = 0 };
#endif

enum {
    MOST_ADDRESSES = 256 << 20, /* bytes of address space */
    MOST_GROWTH = 64 << 10,     /* KiB above what a sound file takes */
    MOST_SECONDS = SANITIZED ? 60 : 2,
    MOST_SHOWN = 20,
};

typedef struct outcome {
    int code; /* -1: ended by `signal` */
    int signal;
    long peak;                 /* KiB */
    char out[4096], err[4096]; /* the beginning of what it said */
} outcome;

static void limit(int what, rlim_t most)
{
    const struct rlimit l = {.rlim_cur = most, .rlim_max = most};
    if (setrlimit(what, &l))
        _exit(125);
}

static void read_back(FILE *f, char *to, size_t size)
{
    rewind(f);
    to[fread(to, 1, size - 1, f)] = 0;
    fclose(f);
}

static outcome run_limited(const char *const *arguments)
{
    outcome o = {0};
    FILE *out = tmpfile(), *err = tmpfile();
    ck_assert(out && err);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid) {
        const char *bin = getenv("TINTYPE_BIN");
        if (chdir(pg_at(".")) || dup2(open("/dev/null", O_RDONLY), 0) < 0 || dup2(fileno(out), 1) < 0 ||
            dup2(fileno(err), 2) < 0)
            _exit(125);
        limit(RLIMIT_CPU, MOST_SECONDS);
        limit(RLIMIT_CORE, 0);
        if (!SANITIZED)
            limit(RLIMIT_AS, MOST_ADDRESSES);
        execv(bin && *bin ? bin : TT_BIN, (char *const *)arguments);
        _exit(125);
    }
    int status;
    struct rusage used;
    while (wait4(pid, &status, 0, &used) < 0)
        ck_assert_int_eq(errno, EINTR);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    o.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    o.peak = used.ru_maxrss;
    read_back(out, o.out, sizeof o.out);
    read_back(err, o.err, sizeof o.err);
    return o;
}

static outcome run_case(const char *file, const char *command)
{
    if (!strcmp(command, "info"))
        return run_limited((const char *const[]){"tintype", "info", file, NULL});
    return run_limited((const char *const[]){"tintype", "run", "-q", "-t", "1", "-m", file, "input",
                                             "out.safetensors", NULL});
}

/* NULL, or what is wrong with the outcome. */
static const char *judge(const outcome *o, const char *file, int code, const char *words, long baseline)
{
    static char why[256];
    const char *stop = strrchr(file, '.'), *line = strchr(o->err, '\n');
    char stem[128]; /* the sentence may be about the file beside it, of another ending */
    snprintf(stem, sizeof stem, "tintype: %.*s", (int)(stop - file), file);
    if (o->code < 0)
        return snprintf(why, sizeof why, "ended by signal %d", o->signal), why;
    if (o->code != code)
        return snprintf(why, sizeof why, "exit code %d, wanted %d", o->code, code), why;
    if (!code)
        return *o->err ? "says something on standard error" : NULL;
    if (*o->out)
        return "says something on standard output";
    if (strncmp(o->err, stem, strlen(stem)))
        return "the sentence does not begin with the file";
    if (!line || line[1])
        return "not one line";
    if (strlen(o->err) < strlen(stem) + 8)
        return "no sentence";
    if (*words && !strstr(o->err, words))
        return snprintf(why, sizeof why, "does not say \"%s\"", words), why;
    if (pg_there("out.safetensors"))
        return "leaves a result";
    if (!SANITIZED && o->peak > baseline + MOST_GROWTH)
        return snprintf(why, sizeof why, "takes %ld KiB, a sound file %ld", o->peak, baseline), why;
    return NULL;
}

/* The four columns of a line; false at a comment. */
static bool split(char *line, char *column[4])
{
    if (*line == '#')
        return false;
    line[strcspn(line, "\n")] = 0;
    for (int i = 0; i < 4; i++) {
        column[i] = line;
        line = strchrnul(line, '\t');
        ck_assert_msg(i == 3 || *line, "weights.tsv: a line without four columns");
        if (*line)
            *line++ = 0;
    }
    return true;
}

START_TEST(each_is_refused_in_one_sentence)
{
    char command[4096], list[4096], *line = NULL, *column[4];
    size_t room = 0;
    int cases = 0, bad = 0;
    long worst = 0;
    snprintf(command, sizeof command, "tar -xzf '%s/tests/hostile/weights.tar.gz'", TT_TOP);
    pg_run unpacked = pg_shell(command);
    EXPECT(unpacked, 0, "");
    snprintf(list, sizeof list, "%s/tests/hostile/weights.tsv", TT_TOP);
    FILE *f = fopen(list, "r");
    ck_assert_msg(f != NULL, "%s cannot be read", list);
    const outcome sound = run_case("st-sound-F32.safetensors", "info");
    ck_assert_msg(!sound.code, "a sound file: %s", sound.err);
    while (getline(&line, &room, f) > 0) {
        if (!split(line, column))
            continue;
        ck_assert_msg(pg_there(column[0]), "%s is in weights.tsv and not in weights.tar.gz", column[0]);
        const outcome o = run_case(column[0], column[2]);
        const char *why = judge(&o, column[0], atoi(column[1]), column[3], sound.peak);
        cases++;
        worst = o.peak > worst ? o.peak : worst;
        if (why && bad++ < MOST_SHOWN)
            printf("tests/hostile: %s: %s: %s\n", column[0], why, *o.err ? o.err : "(silent)\n");
        unlink(pg_at("out.safetensors"));
    }
    fclose(f);
    free(line);
    ck_assert_int_ge(cases, 500);
    ck_assert_msg(!bad, "%d of %d malformed weight files went another way than they should", bad, cases);
    if (SANITIZED)
        printf("tests/hostile: %d weight files; under a sanitizer their memory is not looked at\n", cases);
    else
        printf("tests/hostile: %d weight files, at most %ld KiB; a sound one %ld KiB\n", cases, worst,
               sound.peak);
}
END_TEST

Suite *suite_src_hostile(void);
Suite *suite_src_hostile(void)
{
    Suite *s = suite_create("src/hostile");
    TCase *t = tcase_create("weights");
    tcase_add_unchecked_fixture(t, pg_setup, pg_teardown);
    tcase_set_timeout(t, 900);
    tcase_add_test(t, each_is_refused_in_one_sentence);
    suite_add_tcase(s, t);
    return s;
}
