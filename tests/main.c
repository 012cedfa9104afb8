/* Runs every suite of tests/suites.h; SUITE=part of a name runs some. The last line is the runner's own. */
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE(name) Suite *suite_##name(void);
SUITES(DECLARE)

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
#define ENTRY(name) {#name, suite_##name},
    SUITES(ENTRY)};

int main(void)
{
    const char *only = getenv("SUITE");
    SRunner *r = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        if (only && *only && !strstr(suites[i].name, only))
            continue;
        if (r)
            srunner_add_suite(r, suites[i].make());
        else
            r = srunner_create(suites[i].make());
    }
    if (!r) {
        fprintf(stderr, "no suite is called like %s\n", only);
        return 2;
    }
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r), ran = srunner_ntests_run(r);
    srunner_free(r);
    return failed || !ran;
}
