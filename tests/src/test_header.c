/*
 * tintype.h includes nothing of ours, so that it can be installed alone: what it says twice must be the
 * same. Here it is read under other names, and compared with engine/status.h.
 */
#define tt_status public_status
#define tt_error public_error
#define TT_OK PUBLIC_OK
#define TT_ERR_USAGE PUBLIC_ERR_USAGE
#define TT_ERR_INPUT PUBLIC_ERR_INPUT
#define TT_ERR_FORMAT PUBLIC_ERR_FORMAT
#define TT_ERR_UNSUPPORTED PUBLIC_ERR_UNSUPPORTED
#define TT_ERR_OUTPUT PUBLIC_ERR_OUTPUT
#define TT_ERR_MEMORY PUBLIC_ERR_MEMORY
#define TT_ERR_TEMPORARY PUBLIC_ERR_TEMPORARY
#define TT_ERR_NUMERIC PUBLIC_ERR_NUMERIC
#define TT_ERR_CANCELLED PUBLIC_ERR_CANCELLED
#define TT_ERR_INTERNAL PUBLIC_ERR_INTERNAL
#include "src/tintype.h"
#undef tt_status
#undef tt_error
#undef TT_OK
#undef TT_ERR_USAGE
#undef TT_ERR_INPUT
#undef TT_ERR_FORMAT
#undef TT_ERR_UNSUPPORTED
#undef TT_ERR_OUTPUT
#undef TT_ERR_MEMORY
#undef TT_ERR_TEMPORARY
#undef TT_ERR_NUMERIC
#undef TT_ERR_CANCELLED
#undef TT_ERR_INTERNAL
#undef TT_STATUS_LIST
#undef TT_ERROR_TYPE
#include "engine/status.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TT_TOP
#define TT_TOP "." /* good where the tests are started at the top of the tree */
#endif

#define SAME(name) _Static_assert((int)PUBLIC_##name == (int)TT_##name, "tintype.h and engine/status.h: TT_" #name)
SAME(OK);
SAME(ERR_USAGE);
SAME(ERR_INPUT);
SAME(ERR_FORMAT);
SAME(ERR_UNSUPPORTED);
SAME(ERR_OUTPUT);
SAME(ERR_MEMORY);
SAME(ERR_TEMPORARY);
SAME(ERR_NUMERIC);
SAME(ERR_CANCELLED);
SAME(ERR_INTERNAL);
_Static_assert(sizeof(public_error) == sizeof(tt_error), "tt_error of tintype.h and engine/status.h");
_Static_assert(offsetof(public_error, text) == offsetof(tt_error, text), "tt_error.text");

static char *contents(const char *path)
{
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", TT_TOP, path);
    FILE *f = fopen(full, "rb");
    ck_assert_msg(f != NULL, "%s cannot be read", full);
    char *text = calloc(1, 1 << 20);
    ck_assert(text && fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

/* The two enums letter by letter: a member added to one only would not be seen above. */
START_TEST(status_lists)
{
    char *a = contents("src/tintype.h"), *b = contents("engine/status.h");
    const char *from = "#ifndef TT_STATUS_LIST", *to = "} tt_error;";
    char *x = strstr(a, from), *y = strstr(b, from);
    ck_assert(x && y && strstr(x, to) && strstr(y, to));
    *strstr(x, to) = *strstr(y, to) = 0;
    ck_assert_str_eq(x, y);
    free(a);
    free(b);
}
END_TEST

/* Every public function is exported, and nothing else. */
START_TEST(exported_names)
{
    char *header = contents("src/tintype.h"), *map = contents("src/libtintype.map");
    int in_map = 0, in_header = 0;
    for (char *p = map; (p = strstr(p, "    tt_")); p++) {
        char name[128];
        ck_assert_int_eq(sscanf(p, " %100[a-z0-9_];", name), 1);
        strcat(name, "(");
        ck_assert_msg(strstr(header, name) != NULL, "%s is exported and not in tintype.h", name);
        in_map++;
    }
    for (char *p = header; (p = strstr(p, "\n")); p++) /* declarations begin in the first column */
        if (!strncmp(p + 1, "tt_", 3) || !strncmp(p + 1, "const ", 6) || !strncmp(p + 1, "void tt_", 8) ||
            !strncmp(p + 1, "int tt_", 7) || !strncmp(p + 1, "uint64_t tt_", 12))
            in_header++;
    ck_assert_int_eq(in_map, in_header);
    free(header);
    free(map);
}
END_TEST

START_TEST(compiles_alone)
{
    static const char *const with[][2] = {
        {"cc", "-std=c11 -x c"}, {"cc", "-std=c99 -x c"}, {"c++", "-std=c++11 -x c++"}};
    char command[4096];
    snprintf(command, sizeof command, "command -v %s >/dev/null", with[_i][0]);
    if (system(command) != 0) {
        printf("tests/src/test_header.c: there is no %s here, not tried\n", with[_i][0]);
        return;
    }
    snprintf(command, sizeof command, "%s %s -Wall -Wextra -Werror -fsyntax-only '%s/src/tintype.h'", with[_i][0],
             with[_i][1], TT_TOP);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

Suite *suite_src_header(void);
Suite *suite_src_header(void)
{
    Suite *s = suite_create("src/header");
    TCase *t = tcase_create("header");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, status_lists);
    tcase_add_test(t, exported_names);
    tcase_add_loop_test(t, compiles_alone, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
