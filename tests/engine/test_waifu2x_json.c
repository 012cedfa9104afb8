/* The reader of waifu2x's JSON, compressed or not. */
#include "engine/weights.h"
#include "tests/engine/reader_kit.h"
#include "tests/golden.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

Suite *suite_engine_waifu2x_json(void);

static const char two[] =
    "[{\"nInputPlane\":1,\"nOutputPlane\":2,\"kW\":1,\"kH\":1,\"dW\":1,\"dH\":1,\"padW\":0,\"padH\":0,"
    "\"class_name\":\"nn.SpatialConvolutionMM\",\"model_config\":{\"arch_name\":\"toy\",\"resize\":false,"
    "\"more\":[1,{\"a\":null}],\"scale_factor\":2},\n \"weight\":[[[[0.5]]],[[[-1e-1]]]],\"bias\":[1,2]},\n"
    " {\"class_name\":\"nn.SpatialFullConvolution\",\"bias\":[3],\"weight\":[[[[1,2,3,4],[1,2,3,4],[1,2,3,4],"
    "[1,2,3,4]]],"
    "[[[5,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4]]]],\"nInputPlane\":2,\"nOutputPlane\":1,\"kW\":4,\"kH\":4,"
    "\"unknown\":{\"x\":[[],{}],\"y\":\"\\\"]\"}}]\n";

static rk_file text_file(const char *text)
{
    return (rk_file){text, strlen(text), NULL, 0};
}

static unsigned char *squeezed(const char *text, size_t n, size_t *size)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    *size = deflateBound(&z, n);
    unsigned char *made = malloc(*size);
    ck_assert_ptr_nonnull(made);
    z.next_in = (unsigned char *)text;
    z.avail_in = (uInt)n;
    z.next_out = made;
    z.avail_out = (uInt)*size;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    *size = z.total_out;
    deflateEnd(&z);
    return made;
}

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at, "'%s' is not in the text", from);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    ck_assert_ptr_nonnull(made);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return made;
}

static const char *noted(const tt_weights *w, const char *key)
{
    for (char **m = w->metadata; m && *m; m += 2)
        if (!strcmp(*m, key))
            return m[1];
    return NULL;
}

START_TEST(layers_are_read)
{
    for (int gz = 0; gz < 2; gz++) {
        size_t size;
        unsigned char *z = squeezed(two, strlen(two), &size);
        tt_weights w;
        tt_error err;
        float v[32];
        ck_assert_msg(!rk_open(&w, gz ? (rk_file){z, size, NULL, 0} : text_file(two), "two", &err), "%s",
                      err.text);
        ck_assert_str_eq(w.format, "waifu2x JSON");
        ck_assert_uint_eq(w.layer_count, 2);
        ck_assert_str_eq(w.layers[1].type, "nn.SpatialFullConvolution");
        ck_assert_uint_eq(w.count, 4);
        const tt_tensor *t = tt_weights_find(&w, "0.weight");
        ck_assert(t && t->rank == 4 && t->shape[0] == 2 && t->shape[1] == 1 && t->shape[2] == 1 &&
                  t->layer == 1);
        ck_assert_int_eq(tt_tensor_floats(&w, t, v, &err), TT_OK);
        ck_assert(v[0] == 0.5f && v[1] == -0.1f);
        t = tt_weights_find(&w, "1.weight"); /* [in,out,...] as it stands */
        ck_assert(t && t->shape[0] == 2 && t->shape[1] == 1 && t->shape[2] == 4 && t->layer == 2);
        ck_assert_int_eq(tt_tensor_floats(&w, t, v, &err), TT_OK);
        ck_assert(v[0] == 1 && v[16] == 5 && v[31] == 4);
        ck_assert_str_eq(noted(&w, "arch_name"), "toy");
        ck_assert_str_eq(noted(&w, "resize"), "false");
        ck_assert_str_eq(noted(&w, "scale_factor"), "2");
        ck_assert_ptr_null(noted(&w, "more"));
        tt_weights_clear(&w);
        free(z);
    }
}
END_TEST

/* Very old files say less. */
START_TEST(missing_fields_are_borne)
{
    static const char old[] =
        " [ { \"weight\" : [ [ [ [ 0.5 ] ] ] ] , \"bias\" : [ 1 ] , \"nInputPlane\" : 1 ,\r\n"
        "\"nOutputPlane\" : 1 , \"kW\" : 1 , \"kH\" : 1 } ] ";
    tt_weights w;
    tt_error err;
    ck_assert_msg(!rk_open(&w, text_file(old), "old", &err), "%s", err.text);
    ck_assert_uint_eq(w.count, 2);
    tt_weights_clear(&w);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *from, *to;
        tt_status status;
        const char *words;
    } tries[] = {
        {"\"bias\":[3]", "\"bias\":[3,4]", TT_ERR_FORMAT, "layer 1: 2 biases for 1 outputs"},
        {"\"bias\":[3],", "", TT_ERR_FORMAT, "layer 1 has no bias"},
        {"\"bias\":[3]", "\"bias\":[3],\"bias\":[3]", TT_ERR_FORMAT, "layer 1: its bias stands twice"},
        {"\"bias\":[3]", "\"bias\":[]", TT_ERR_FORMAT, "']' where a number is wanted"},
        {"\"bias\":[3]", "\"bias\":3", TT_ERR_FORMAT, "'3' where [ is wanted"},
        {"[[[-1e-1]]]", "[[[-1e-1,2]]]", TT_ERR_FORMAT, "arrays of 1 and of 2 values side by side"},
        {"[[[-1e-1]]]", "[[[-1e-1],[2]]]", TT_ERR_FORMAT, "arrays of 1 and of 2 values side by side"},
        {"[[[-1e-1]]]", "[[-1e-1]]", TT_ERR_FORMAT, "'-' where [ is wanted"},
        {"[[[-1e-1]]]", "[[[null]]]", TT_ERR_FORMAT, "'null' is no number"},
        {"[[[-1e-1]]]", "[[[NaN]]]", TT_ERR_FORMAT, "'N' where a number is wanted"},
        {"[[[-1e-1]]]", "[[[1.]]]", TT_ERR_FORMAT, "'1.' is no number"},
        {"\"nOutputPlane\":2", "\"nOutputPlane\":3", TT_ERR_FORMAT,
         "layer 0: nOutputPlane is 3, and its weight is of 2x1x1x1"},
        {"\"nInputPlane\":2", "\"nInputPlane\":1", TT_ERR_FORMAT,
         "layer 1: nInputPlane is 1, and its weight is of 2x1x4x4"},
        {"\"kW\":4,", "", TT_ERR_FORMAT, "layer 1: kW is -1"},
        {"\"kW\":4", "\"kW\":-4", TT_ERR_FORMAT, "layer 1: kW is -4, a number from 0 is wanted"},
        {"\"kW\":4", "\"kW\":4,\"kW\":4", TT_ERR_FORMAT, "layer 1: its kW stands twice"},
        {"\"dW\":1", "\"dW\":2", TT_ERR_UNSUPPORTED,
         "layer 0: dW is 2; of a convolution of 1x1, 1 is wanted"},
        {"\"padH\":0", "\"padH\":1", TT_ERR_UNSUPPORTED, "layer 0: padH is 1"},
        {"nn.SpatialConvolutionMM", "nn.Linear", TT_ERR_UNSUPPORTED,
         "layer 0 is a nn.Linear, a convolution is wanted"},
        {"]\n", "],\n", TT_ERR_FORMAT, "',' where the end of the text is wanted"},
        {"{\"x\":[[],{}],", "{\"x\":[[[[[[[[[[", TT_ERR_FORMAT, "nested deeper than 8"},
        {"},\n {", "}\n {", TT_ERR_FORMAT, "'{' where a comma or ] is wanted"},
        {"\"arch_name\":\"toy\"", "\"arch_name\":\"t\noy\"", TT_ERR_FORMAT,
         "byte 10 where the end of a string"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char *text = replaced(two, tries[i].from, tries[i].to);
        rk_refused(text_file(text), tries[i].to, tries[i].status, tries[i].words);
        free(text);
    }
    char *cut = replaced(two, "}]\n", "");
    rk_refused(text_file(cut), "cut", TT_ERR_FORMAT, "the text ends where a comma or } is wanted");
    free(cut);
    rk_refused(text_file("[{}]"), "empty object", TT_ERR_FORMAT, "byte 2: '}' where a name is wanted");
    rk_refused(text_file("[]"), "empty array", TT_ERR_UNSUPPORTED, "not a weight file of a known format");
}
END_TEST

START_TEST(a_damaged_stream_is_refused)
{
    size_t size;
    unsigned char *z = squeezed(two, strlen(two), &size);
    rk_refused((rk_file){z, size - 9, NULL, 0}, "cut", TT_ERR_FORMAT,
               "the compressed text is cut short or damaged");
    z[size - 6] ^= 1;
    rk_refused((rk_file){z, size, NULL, 0}, "checksum", TT_ERR_FORMAT, "cut short or damaged");
    z[size - 6] ^= 1;
    z = realloc(z, size + 1);
    ck_assert_ptr_nonnull(z);
    z[size] = 0;
    rk_refused((rk_file){z, size + 1, NULL, 0}, "trailing", TT_ERR_FORMAT,
               "1 bytes of the file follow the end");
    free(z);
    z = squeezed("hello, world", 12, &size);
    rk_refused((rk_file){z, size, NULL, 0}, "other text", TT_ERR_FORMAT,
               "byte 0 of the inflated text: 'h' where the array of layers is wanted");
    free(z);
}
END_TEST

START_TEST(bombs_are_refused)
{
    const size_t n = 64 << 20;
    char *text = malloc(n + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', n);
    text[0] = '[';
    text[n] = 0;
    size_t size;
    unsigned char *z = squeezed(text, n, &size);
    rk_refused((rk_file){z, size, NULL, 0}, "blanks", TT_ERR_FORMAT, "the text inflates to more than");
    free(z);
    for (size_t i = 0; i < n; i += 2)
        memcpy(text + i, "0,", 2);
    memcpy(text, "[{\"bias\":[", 10);
    z = squeezed(text, n, &size);
    rk_refused((rk_file){z, size, NULL, 0}, "zeros", TT_ERR_FORMAT, "the text inflates to more than");
    free(z);
    memset(text, '[', 1 << 20);
    memcpy(text, "[{\"weight\":", 11);
    text[1 << 20] = 0;
    rk_refused(text_file(text), "brackets", TT_ERR_FORMAT, "'[' where a number is wanted");
    memset(text, 'x', 1 << 20);
    memcpy(text, "[{\"", 3);
    rk_refused(text_file(text), "string", TT_ERR_FORMAT, "a string of more than 256 bytes");
    memset(text, '1', 1 << 20);
    memcpy(text, "[{\"bias\":[", 10);
    rk_refused(text_file(text), "digits", TT_ERR_FORMAT, "a number of more than 64 bytes");
    free(text);
}
END_TEST

START_TEST(too_large_a_number_is_named)
{
    char *text = replaced(two, "0.5", "1e39");
    tt_weights w;
    tt_error err;
    float v[2];
    ck_assert_msg(!rk_open(&w, text_file(text), "1e39", &err), "%s", err.text);
    ck_assert_int_eq(tt_tensor_floats(&w, tt_weights_find(&w, "0.weight"), v, &err), TT_ERR_NUMERIC);
    ck_assert_msg(strstr(err.text, "tensor '0.weight': 1 of 2 values are infinite"), "%s", err.text);
    tt_weights_clear(&w);
    free(text);
}
END_TEST

START_TEST(damage_is_survived)
{
    size_t made, size;
    const size_t refused = rk_damage(text_file(two), &made);
    ck_assert_uint_gt(refused, strlen(two));
    unsigned char *z = squeezed(two, strlen(two), &size);
    rk_damage((rk_file){z, size, NULL, 0}, &made);
    free(z);
}
END_TEST

START_TEST(want_of_memory_is_said)
{
    size_t size, n;
    char *text = (char *)rk_read(golden_path("containers/upconv_7.json"), &n);
    rk_starve((rk_file){text, n, NULL, 0});
    unsigned char *z = squeezed(text, n, &size);
    rk_starve((rk_file){z, size, NULL, 0});
    free(z);
    free(text);
}
END_TEST

Suite *suite_engine_waifu2x_json(void)
{
    Suite *s = suite_create("engine/waifu2x_json");
    TCase *t = tcase_create("reader");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, layers_are_read);
    tcase_add_test(t, missing_fields_are_borne);
    tcase_add_test(t, what_is_wrong_is_said);
    tcase_add_test(t, a_damaged_stream_is_refused);
    tcase_add_test(t, bombs_are_refused);
    tcase_add_test(t, too_large_a_number_is_named);
    tcase_add_test(t, damage_is_survived);
    tcase_add_test(t, want_of_memory_is_said);
    suite_add_tcase(s, t);
    return s;
}
