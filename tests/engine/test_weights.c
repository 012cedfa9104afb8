#define _POSIX_C_SOURCE 200809L /* strdup */
/* What the readers of weight files share: tensors, memory and metadata that live as long as the file. */
#include "engine/weights.h"

#include "tests/faults.h"
#include "tests/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static tt_weights begin(void)
{
    char *path = strdup("file");
    ck_assert_ptr_nonnull(path);
    return (tt_weights){.path = path, .borrowed = true};
}

START_TEST(tensors_are_added)
{
    tt_weights w = begin();
    tt_error err = {0};
    char name[24];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "t%d", i);
        ck_assert_int_eq(tt_weights_add(&w, name, TT_F16, 2, (size_t[]){(size_t)i, 3}, &err), TT_OK);
    }
    ck_assert_uint_eq(w.count, 300);
    for (int i = 0; i < 300; i++) {
        const tt_tensor *t = &w.tensors[i];
        snprintf(name, sizeof name, "t%d", i);
        ck_assert_str_eq(t->name, name);
        ck_assert_uint_eq(t->count, (size_t)i * 3);
        ck_assert_uint_eq(t->bytes, (size_t)i * 6);
        ck_assert_ptr_null(t->data);
    }
    tt_weights_clear(&w);
}
END_TEST

START_TEST(impossible_tensors_are_refused)
{
    tt_weights w = begin();
    tt_error err = {0};
    char longest[TT_MAX_NAME + 2];
    memset(longest, 'x', sizeof longest);
    longest[TT_MAX_NAME + 1] = 0;
    ck_assert_int_eq(tt_weights_add(&w, "", TT_F32, 0, NULL, &err), TT_ERR_FORMAT);
    ck_assert_int_eq(tt_weights_add(&w, longest, TT_F32, 0, NULL, &err), TT_ERR_FORMAT);
    ck_assert_int_eq(tt_weights_add(&w, longest + 1, TT_F32, 0, NULL, &err), TT_OK);
    ck_assert_uint_eq(w.tensors[0].count, 1); /* no dimension: one value */
    ck_assert_int_eq(tt_weights_add(&w, "n", TT_F32, TT_MAX_RANK + 1, (size_t[TT_MAX_RANK + 1]){0}, &err),
                     TT_ERR_FORMAT);
    ck_assert_int_eq(tt_weights_add(&w, "n", TT_F32, 2, (size_t[]){SIZE_MAX / 4, 2}, &err), TT_ERR_FORMAT);
    ck_assert_int_eq(tt_weights_add(&w, "n", TT_F64, 1, (size_t[]){SIZE_MAX / 4}, &err), TT_ERR_FORMAT);
    /* empty, but the others would still overflow for who multiplies them */
    ck_assert_int_eq(tt_weights_add(&w, "n", TT_F32, 3, (size_t[]){0, SIZE_MAX / 4, 2}, &err), TT_ERR_FORMAT);
    ck_assert_uint_eq(w.count, 1);
    tt_weights_clear(&w);
}
END_TEST

START_TEST(memory_and_metadata_stay)
{
    tt_weights w = begin();
    tt_error err = {0};
    unsigned char *made[9];
    for (size_t i = 0; i < 9; i++) {
        made[i] = tt_weights_alloc(&w, i * 1000, &err);
        ck_assert_ptr_nonnull(made[i]);
        ck_assert_uint_eq((uintptr_t)made[i] % 64, 0);
        for (size_t j = 0; j < i * 1000; j++)
            ck_assert_uint_eq(made[i][j], 0);
        if (i)
            memset(made[i], (int)i, i * 1000);
    }
    for (size_t i = 1; i < 9; i++)
        ck_assert_uint_eq(made[i][999], i);
    faults_fail(1, 0);
    ck_assert_ptr_null(tt_weights_alloc(&w, 1000, &err));
    faults_fail(0, 0);
    ck_assert_int_eq(err.status, TT_ERR_MEMORY);

    ck_assert_int_eq(tt_weights_note(&w, "a", "1", &err), TT_OK);
    ck_assert_int_eq(tt_weights_note(&w, "b", "2", &err), TT_OK);
    ck_assert_int_eq(tt_weights_note(&w, "a", "3", &err), TT_OK);
    ck_assert_str_eq(w.metadata[0], "a");
    ck_assert_str_eq(w.metadata[1], "3");
    ck_assert_str_eq(w.metadata[2], "b");
    ck_assert_str_eq(w.metadata[3], "2");
    ck_assert_ptr_null(w.metadata[4]);
    tt_weights_clear(&w);
}
END_TEST

/* Two tensors of the given names, through a file. */
static tt_weights through_a_file(const char *a, const char *b)
{
    const float value = 1;
    const tt_tensor_out t[2] = {{.name = a, .data = &value}, {.name = b, .data = &value}};
    unsigned char *bytes;
    size_t size;
    tt_weights w;
    ck_assert_int_eq(tt_safetensors_write(t, 2, NULL, &bytes, &size, NULL), TT_OK);
    ck_assert_int_eq(tt_weights_open_memory(&w, bytes, size, "file", NULL), TT_OK);
    free(bytes); /* the names do not lie in it */
    return w;
}

START_TEST(prefixes_of_parallel_training_are_taken_off)
{
    static const struct {
        const char *in[2], *out[2]; /* sorted */
    } tries[] = {
        {{"module.a", "module.b"}, {"a", "b"}},
        {{"module.a", "netG.b"}, {"module.a", "netG.b"}},
        {{"module.netG.a", "module.netG.b"}, {"a", "b"}},
        {{"netG.module.a", "netG.module.b"}, {"module.a", "module.b"}},
        {{"module.", "module.b"}, {"module.", "module.b"}}, /* nothing would be left of the first */
        {{"modul.a", "module.b"}, {"modul.a", "module.b"}},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        tt_weights w = through_a_file(tries[i].in[0], tries[i].in[1]);
        for (int j = 0; j < 2; j++)
            ck_assert_str_eq(w.tensors[j].name, tries[i].out[j]);
        tt_weights_clear(&w);
    }
}
END_TEST

Suite *suite_engine_weights(void)
{
    Suite *s = suite_create("engine/weights");
    TCase *t = tcase_create("shared");
    tcase_add_test(t, tensors_are_added);
    tcase_add_test(t, impossible_tensors_are_refused);
    tcase_add_test(t, memory_and_metadata_stay);
    tcase_add_test(t, prefixes_of_parallel_training_are_taken_off);
    suite_add_tcase(s, t);
    return s;
}
