/*
 * Runs every suite of tests/suites.h; SUITE=part of a name runs some. Several run at once, each in a process
 * of its own, JOBS at a time (usually as many as there are processors); what one prints appears when it has
 * ended. The last line has Check's own form and counts all of them.
 */
#define _GNU_SOURCE /* setenv */
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DECLARE(name) Suite *suite_##name(void);
SUITES(DECLARE)

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
#define ENTRY(name) {#name, suite_##name},
    SUITES(ENTRY)};
enum { COUNT = sizeof suites / sizeof *suites };

typedef struct tally {
    int checks, failures, errors;
} tally;

typedef struct running {
    pid_t pid; /* 0: none */
    FILE *out; /* what it printed, then its tally */
    const char *name;
} running;

static tally run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    TestResult **bad = srunner_failures(r);
    tally t = {.checks = srunner_ntests_run(r)};
    for (int i = 0; i < failed; i++)
        *(tr_rtype(bad[i]) == CK_FAILURE ? &t.failures : &t.errors) += 1;
    free(bad);
    srunner_free(r);
    return t;
}

static void add(tally *sum, const tally *t)
{
    sum->checks += t->checks;
    sum->failures += t->failures;
    sum->errors += t->errors;
}

static void start(running *p, size_t which)
{
    *p = (running){.out = tmpfile(), .name = suites[which].name};
    fflush(stdout);
    p->pid = p->out ? fork() : -1;
    if (p->pid < 0) {
        perror("a process for the tests");
        exit(2);
    }
    if (p->pid)
        return;
    dup2(fileno(p->out), 1);
    const tally t = run_suite(suites[which].make());
    fflush(stdout);
    fwrite(&t, sizeof t, 1, p->out);
    fflush(p->out);
    _exit(0);
}

/* Show what it printed. A suite that did not come to its end is an error, whatever its tests said. */
static void finish(running *p, int status, tally *sum)
{
    tally t = {0};
    char line[4096];
    fseek(p->out, 0, SEEK_END);
    const long size = ftell(p->out);
    const int ended = WIFEXITED(status) && !WEXITSTATUS(status) && size >= (long)sizeof t;
    rewind(p->out);
    for (long text = ended ? size - (long)sizeof t : size; text > 0;) {
        const size_t n = fread(line, 1, text < (long)sizeof line ? (size_t)text : sizeof line, p->out);
        if (!n)
            break;
        fwrite(line, 1, n, stdout);
        text -= (long)n;
    }
    if (!ended || fread(&t, sizeof t, 1, p->out) != 1) {
        printf("the suite %s broke off\n", p->name);
        t.checks = t.errors = 1;
    }
    add(sum, &t);
    fclose(p->out);
    p->pid = 0;
}

/* Until one of them has ended. */
static void wait_for_one(running *p, int jobs, tally *sum)
{
    int status;
    const pid_t pid = wait(&status);
    for (int i = 0; i < jobs; i++)
        if (pid > 0 && p[i].pid == pid)
            finish(&p[i], status, sum);
}

int main(void)
{
    enum { JOBS_MOST = 64 };
    static running p[JOBS_MOST];
    const char *only = getenv("SUITE"), *wish = getenv("JOBS");
    long jobs = wish && *wish ? strtol(wish, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    jobs = jobs < 1 ? 1 : jobs > JOBS_MOST ? JOBS_MOST : jobs;
    tally sum = {0};
    int busy = 0, some = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("TINTYPE_DEVICE", "cpu", 0); /* who tests devices says so */
    setenv("CK_DEFAULT_TIMEOUT", "300",
           0); /* seconds a test: a busy machine is no failure, only one that hangs */
    for (size_t i = 0; i < COUNT; i++) {
        if (only && *only && !strstr(suites[i].name, only))
            continue;
        some = 1;
        if (jobs == 1) { /* in this process, for debuggers */
            const tally t = run_suite(suites[i].make());
            add(&sum, &t);
            continue;
        }
        if (busy == jobs) {
            wait_for_one(p, (int)jobs, &sum);
            busy--;
        }
        int free_one = 0;
        while (p[free_one].pid)
            free_one++;
        start(&p[free_one], i);
        busy++;
    }
    for (; busy; busy--)
        wait_for_one(p, (int)jobs, &sum);
    if (!some) {
        fprintf(stderr, "no suite is called like %s\n", only);
        return 2;
    }
    const int good = sum.checks - sum.failures - sum.errors;
    printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n", sum.checks ? good * 100 / sum.checks : 0,
           sum.checks, sum.failures, sum.errors);
    return sum.failures || sum.errors || !sum.checks;
}
