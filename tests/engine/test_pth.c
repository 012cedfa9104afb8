/* What the two forms of .pth file have in common is tried in both. */
#include "engine/weights.h"
#include "tests/engine/hostile.h"
#include "tests/engine/pth_write.h"
#include "tests/faults.h"
#include "tests/golden.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

Suite *suite_engine_pth(void);

/* ---- tools ---------------------------------------------------------------------------------------- */

/* A failure is one clean sentence about the right file; a success is sound in every number. */
static void check_result(const tt_weights *w, tt_status st, const tt_error *err, const char *what)
{
    if (st) {
        ck_assert_msg(err->status == st, "%s: status %d, error says %d", what, st, err->status);
        ck_assert_msg(strlen(err->text) > 10 && !strpbrk(err->text, "\n\r\t"), "%s: '%s'", what, err->text);
        ck_assert_msg(st == TT_ERR_MEMORY || !strncmp(err->text, "test: ", 6), "%s: not the file: '%s'", what,
                      err->text);
        ck_assert_msg(!w->path && !w->tensors && !w->count && !w->metadata && !w->bytes && !w->made,
                      "%s: not cleared", what);
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        const tt_tensor *t = &w->tensors[i];
        size_t count = 1;
        ck_assert_msg(strlen(t->name) <= TT_MAX_NAME && *t->name, "%s", what);
        ck_assert_msg(tt_weights_find(w, t->name) == t, "%s: %s is not found", what, t->name);
        ck_assert_msg(t->rank >= 0 && t->rank <= TT_MAX_RANK && t->dtype <= TT_BOOL, "%s", what);
        for (int d = 0; d < t->rank; d++)
            count *= t->shape[d];
        ck_assert_msg(count == t->count && t->bytes == count * tt_dtype_size(t->dtype), "%s: %s", what,
                      t->name);
        ck_assert_msg(t->data, "%s: %s has no data", what, t->name);
        volatile unsigned char sum = 0; /* every byte can be read */
        for (size_t b = 0; b < t->bytes; b++)
            sum = (unsigned char)(sum + t->data[b]);
    }
}

static tt_status try_open(const unsigned char *bytes, size_t size, const char *what, tt_error *err)
{
    tt_weights w;
    memset(&w, 0x55, sizeof w);
    memset(err, 0, sizeof *err);
    const tt_status st = tt_weights_open_memory(&w, bytes, size, "test", err);
    check_result(&w, st, err, what);
    tt_weights_clear(&w);
    return st;
}

typedef struct expectation {
    tt_status status;
    const char *words; /* in the message */
} expectation;

static void meets(const unsigned char *bytes, size_t size, const char *what, void *arg)
{
    const expectation *e = arg;
    tt_error err;
    const tt_status st = try_open(bytes, size, what, &err);
    ck_assert_msg(st == e->status, "%.200s: status %d, wanted %d: %s", what, st, e->status,
                  st ? err.text : "no error");
    ck_assert_msg(!st || strstr(err.text, e->words), "%.200s: '%s' lacks '%s'", what, err.text, e->words);
}

static void expect_bytes(pw_bytes b, const char *what, tt_status status, const char *words)
{
    expectation e = {status, words};
    hostile_plain(b.p, b.n, what, meets, &e);
    free(b.p);
}

/* 256 bytes that are numbers of every type: small floats, small whole numbers */
static unsigned char data[256];

static void fill_data(void)
{
    for (int i = 0; i < 64; i++) {
        const float x = (float)i;
        memcpy(data + 4 * i, &x, 4); /* 0, 1, 2, ... */
    }
}

/* An object with storage '0' of 64 floats, in both forms. */
static void expect(const char *words, tt_status status, const char *reason)
{
    const pw_member storage = {"0", data, sizeof data};
    const bool used = strstr(words, ":0:") || strstr(words, "'0' 'cpu'");
    fill_data();
    expect_bytes(pw_pth(words, &storage, 1, NULL), words, status, reason);
    expect_bytes(pw_legacy(words, &storage, used, 4, NULL), words, status, reason);
}

/* The same, opened: form 0 is zip, 1 legacy. The bytes are to be freed last. */
static tt_weights open_form(int form, const char *words, pw_bytes *b)
{
    const pw_member storage = {"0", data, sizeof data};
    tt_weights w;
    tt_error err;
    fill_data();
    *b = form ? pw_legacy(words, &storage, 1, 4, NULL) : pw_pth(words, &storage, 1, NULL);
    const tt_status st = tt_weights_open_memory(&w, b->p, b->n, "test", &err);
    ck_assert_msg(!st, "%s: form %d: %s", words, form, err.text);
    check_result(&w, st, &err, words);
    return w;
}

/* The names that come out of an object, with commas between them. */
static void gives(const char *words, const char *names)
{
    for (int form = 0; form < 2; form++) {
        pw_bytes b, got = {0};
        tt_weights w = open_form(form, words, &b);
        for (size_t i = 0; i < w.count; i++) {
            pw_put(&got, ",", i > 0);
            pw_put(&got, w.tensors[i].name, strlen(w.tensors[i].name));
        }
        pw_put(&got, "", 1);
        ck_assert_msg(!strcmp((char *)got.p, names), "%s: gives %s, wanted %s", words, got.p, names);
        tt_weights_clear(&w);
        free(got.p);
        free(b.p);
    }
}

/* The float tensor 'a' that comes out, value by value. */
static void floats(const char *words, int rank, size_t count, const float *wanted)
{
    for (int form = 0; form < 2; form++) {
        pw_bytes b;
        float got[64];
        tt_weights w = open_form(form, words, &b);
        const tt_tensor *t = tt_weights_find(&w, "a");
        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(t->rank, rank);
        ck_assert_uint_eq(t->count, count);
        ck_assert(!tt_tensor_floats(&w, t, got, NULL));
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(got[i] == wanted[i], "%s: [%zu] is %g, wanted %g", words, i, got[i], wanted[i]);
        tt_weights_clear(&w);
        free(b.p);
    }
}

static const char *noted(const tt_weights *w, const char *key)
{
    for (size_t i = 0; w->metadata && w->metadata[i]; i += 2)
        if (!strcmp(w->metadata[i], key))
            return w->metadata[i + 1];
    return NULL;
}

/* ---- files of PyTorch ----------------------------------------------------------------------------- */

static void same_tensors(const char *file, const char *expected)
{
    tt_weights w, x;
    tt_error err;
    ck_assert_msg(!tt_weights_open(&w, golden_path(file), &err), "%s", err.text);
    ck_assert_msg(!tt_weights_open(&x, golden_path(expected), &err), "%s", err.text);
    ck_assert_uint_eq(w.count, x.count);
    for (size_t i = 0; i < x.count; i++) {
        const tt_tensor *a = &w.tensors[i], *b = &x.tensors[i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_msg(a->rank == b->rank && !memcmp(a->shape, b->shape, sizeof a->shape), "%s: %s", file,
                      a->name);
        if (a->dtype == b->dtype) {
            ck_assert_msg(!memcmp(a->data, b->data, b->bytes), "%s: %s", file, a->name);
            continue;
        }
        ck_assert(a->dtype == TT_BF16 && b->dtype == TT_F32); /* is widened there */
        float wide[64];
        ck_assert_uint_le(a->count, 64);
        ck_assert(!tt_tensor_floats(&w, a, wide, &err));
        ck_assert_msg(!memcmp(wide, b->data, b->bytes), "%s: %s", file, a->name);
    }
    tt_weights_clear(&w);
    tt_weights_clear(&x);
}

START_TEST(golden_files)
{
    static const char *const files[][2] = {{"bare_zip", "nested"},   {"bare_legacy", "nested"},
                                           {"nested_zip", "nested"}, {"nested_legacy", "nested"},
                                           {"module_zip", "module"}, {"module_legacy", "module"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char file[80], expected[80];
        snprintf(file, sizeof file, "containers/%s.pth", files[i][0]);
        snprintf(expected, sizeof expected, "containers/%s.expected.safetensors", files[i][1]);
        same_tensors(file, expected);
    }
}
END_TEST

/* Published weights, where they lie beside the tree or where TINTYPE_WEIGHTS says. Sums by PyTorch 1.13, in
 * double. */
START_TEST(published_files)
{
    static const struct {
        const char *file, *first;
        size_t count, values;
        double sum, absolute;
    } files[] = {
        {"esrgan/4x-NMKD-YandereNeo-Superlite.pth", "model.0.bias", 72, 1590083, -1663.8067753770526,
         83481.3413788983},
        {"vdsr/model_epoch_50.pth", "input.weight", 20, 664704, -34.96879280762064, 11247.34510836441},
        {"dncnn/dncnn_25.pth", "model.0.bias", 34, 555137, -464.571679071822, 20690.757702605548},
    };
    const char *folder = getenv("TINTYPE_WEIGHTS");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4096];
        tt_weights w;
        tt_error err;
        size_t values = 0;
        double sum = 0, absolute = 0;
        snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder : TT_TOP "/../shared/weights",
                 files[i].file);
        if (access(path, R_OK)) {
            printf("skipped: no %s here, it is not read\n", files[i].file);
            continue;
        }
        ck_assert_msg(!tt_weights_open(&w, path, &err), "%s", err.text);
        ck_assert_uint_eq(w.count, files[i].count);
        ck_assert_str_eq(w.tensors[0].name, files[i].first);
        for (size_t k = 0; k < w.count; k++) {
            const tt_tensor *t = &w.tensors[k];
            float *x = malloc(t->count * sizeof *x);
            ck_assert_ptr_nonnull(x);
            ck_assert_msg(!tt_tensor_floats(&w, t, x, &err), "%s", err.text);
            for (size_t j = 0; j < t->count; j++) {
                sum += x[j];
                absolute += fabsf(x[j]);
            }
            values += t->count;
            free(x);
        }
        ck_assert_uint_eq(values, files[i].values);
        /* added up in another order: doubles of 10^6 floats agree to 12 places */
        ck_assert_msg(fabs(sum - files[i].sum) < 1e-7, "%s: sum %.12g", files[i].file, sum);
        ck_assert_msg(fabs(absolute - files[i].absolute) < 1e-7, "%s: sum %.12g", files[i].file, absolute);
        tt_weights_clear(&w);
    }
}
END_TEST

/* ---- tensors -------------------------------------------------------------------------------------- */

START_TEST(every_dtype)
{
    static const struct {
        const char *type;
        tt_dtype dtype;
    } types[] = {{"Float", TT_F32}, {"Half", TT_F16}, {"BFloat16", TT_BF16}, {"Double", TT_F64},
                 {"Long", TT_I64},  {"Int", TT_I32},  {"Short", TT_I16},     {"Char", TT_I8},
                 {"Byte", TT_U8},   {"Bool", TT_BOOL}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const size_t item = tt_dtype_size(types[i].dtype);
        const unsigned char bytes[] = {1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 1,
                                       1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1,
                                       0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0};
        const pw_member storage = {"0", bytes, 6 * item};
        char words[200];
        /* in order, transposed */
        snprintf(words, sizeof words, "} ( 'a' $%s:0:6:0:2x3:3x1 'b' $%s:0:6:0:3x2:1x3 u", types[i].type,
                 types[i].type);
        for (int form = 0; form < 2; form++) {
            pw_bytes b = form ? pw_legacy(words, &storage, 1, item, NULL) : pw_pth(words, &storage, 1, NULL);
            tt_weights w;
            tt_error err;
            ck_assert_msg(!tt_weights_open_memory(&w, b.p, b.n, "test", &err), "%s", err.text);
            const tt_tensor *a = tt_weights_find(&w, "a"), *t = tt_weights_find(&w, "b");
            ck_assert(a && t && a->dtype == types[i].dtype && t->dtype == types[i].dtype);
            ck_assert(a->count == 6 && t->count == 6 && a->shape[0] == 2 && t->shape[0] == 3);
            ck_assert(a->data > b.p && a->data < b.p + b.n); /* the file itself */
            ck_assert(t->data < b.p || t->data >= b.p + b.n);
            ck_assert(!memcmp(a->data, bytes, 6 * item));
            for (size_t k = 0; k < 6; k++)
                ck_assert(!memcmp(t->data + k * item, bytes + (k / 2 + k % 2 * 3) * item, item));
            tt_weights_clear(&w);
            free(b.p);
        }
    }
    expect("} 'a' $ComplexFloat:0:64:0:2:1 s", TT_ERR_UNSUPPORTED, "support");
    expect("} 'a' $QInt8:0:64:0:2:1 s", TT_ERR_UNSUPPORTED, "support");
}
END_TEST

START_TEST(views)
{
    floats("} 'a' $Float:0:64:0:3:1 s", 1, 3, (float[]){0, 1, 2});
    floats("} 'a' $Float:0:64:61:3:1 s", 1, 3, (float[]){61, 62, 63});
    floats("} 'a' $Float:0:64:5:-:- s", 0, 1, (float[]){5});
    floats("} 'a' $Float:0:64:0:2x2:8x1 s", 2, 4, (float[]){0, 1, 8, 9});
    floats("} 'a' $Float:0:64:7:2x2:1x8 s", 2, 4, (float[]){7, 15, 8, 16});
    floats("} 'a' $Float:0:64:1:3:2 s", 1, 3, (float[]){1, 3, 5});
    floats("} 'a' $Float:0:64:9:3:0 s", 1, 3, (float[]){9, 9, 9}); /* expanded */
    floats("} 'a' $Float:0:64:9:2x2:0x1 s", 2, 4, (float[]){9, 10, 9, 10});
    floats("} 'a' $Float:0:64:0:2x1x2:32x77x31 s", 3, 4,
           (float[]){0, 31, 32, 63}); /* a stride that is not used */
    floats("} 'a' $Float:0:64:0:1x4x1:9x1x0 s", 3, 4, (float[]){0, 1, 2, 3});
    floats("} 'a' $Float:0:64:0:2x2x2:1x2x4 s", 3, 8, (float[]){0, 4, 2, 6, 1, 5, 3, 7});
    floats("} 'a' $Float:0:64:0:1x1x1x1x1x1x1x2:1x1x1x1x1x1x1x3 s", 8, 2, (float[]){0, 3});
    floats("} 'a' $Float:0:64:0:0:1 s", 1, 0, NULL);
    floats("} 'a' $Float:0:64:64:0x4:4x1 s", 2, 0, NULL);
    floats("} 'a' $Float:0:64:0:4x0x99999999999:1x1x999999999999 s", 3, 0, NULL);
    /* one of old files: storage, offset, size, stride and no more; and a parameter of Python 2 with a state
     */
    floats("} 'a' @torch._utils._rebuild_tensor ( #Float:0:64 3 ( 2 t ( 1 t t R s", 1, 2, (float[]){3, 4});
    floats("} 'a' @torch.nn.parameter.Parameter $Float:0:64:2:2:1 True x86 R ( True } t b s", 1, 2,
           (float[]){2, 3});
    floats("} 'a' @torch._utils._rebuild_parameter ( $Float:0:64:2:2:1 True ) t R s", 1, 2, (float[]){2, 3});
    /* a view of a view: key, offset, count */
    floats("} 'a' @torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage '0' 'cpu' 64 ( 'v' 10 5 t "
           "t Q 1 "
           "( 4 t ( 1 t t R s",
           1, 4, (float[]){11, 12, 13, 14});
    floats("} 'a' @torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage '0' 'cpu' 64 N t Q 1 ( 1 t "
           "( 1 t "
           "t R s",
           1, 1, (float[]){1});
}
END_TEST

START_TEST(views_that_reach_too_far)
{
    static const char *const bad[] = {
        "$Float:0:64:64:1:1",
        "$Float:0:64:62:3:1",
        "$Float:0:64:0:65:1",
        "$Float:0:64:64:-:-",
        "$Float:0:64:0:2x2:63x1",
        "$Float:0:64:0:3:32",
        "$Float:0:64:65:0:1",
        "$Float:0:64:9223372036854775807:1:1",
        "$Float:0:64:1:2:9223372036854775807",
        "$Float:0:64:1:3:9223372036854775807",
        "$Float:0:64:0:9223372036854775807:9223372036854775807",
        "$Float:0:64:0:9223372036854775807:1",
        "$Float:0:64:0:4611686018427387905x4:0x1",
        "@torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage '0' 'cpu' 64 ( 'v' 10 5 t t Q 1 ( 5 "
        "t "
        "( 1 t t R",
        "@torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage '0' 'cpu' 64 ( 'v' 60 5 t t Q 00 ( "
        "1 "
        "t "
        "( 1 t t R",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char words[300];
        snprintf(words, sizeof words, "} 'a' %s s", bad[i]);
        expect(words, TT_ERR_FORMAT, "tensor 'a': ");
    }
    expect("} 'a' $Float:0:64:0:65:1 s", TT_ERR_FORMAT, "reaches value 64, its storage ends at 64");
}
END_TEST

START_TEST(tensors_of_the_wrong_form)
{
    expect("} 'a' $Float:0:64:-1:1:1 s", TT_ERR_FORMAT, "offset is not a whole number");
    expect("} 'a' $Float:0:64:0:-1:1 s", TT_ERR_FORMAT, "size[0]");
    expect("} 'a' $Float:0:64:0:1x2:1x-2 s", TT_ERR_FORMAT, "stride[1]");
    expect("} 'a' $Float:0:64:0:1x2:1 s", TT_ERR_FORMAT, "same length");
    expect("} 'a' $Float:0:64:0:1x1x1x1x1x1x1x1x1:1x1x1x1x1x1x1x1x1 s", TT_ERR_UNSUPPORTED, "9 dimensions");
    expect("} 'a' @torch._utils._rebuild_tensor ( #Float:0:64 00 ] ] t R s", TT_ERR_FORMAT, "two tuples");
    expect("} 'a' @torch._utils._rebuild_tensor ( #Float:0:64 00 ( 'x' t ( 1 t t R s", TT_ERR_FORMAT,
           "size[0]");
    expect("} 'a' @torch._utils._rebuild_tensor ( #Float:0:64 00 ( True t ( 1 t t R s", TT_ERR_FORMAT,
           "size[0]");
    expect("} 'a' @torch._utils._rebuild_tensor ( #Float:0:64 N ( 1 t ( 1 t t R s", TT_ERR_FORMAT, "offset");
    expect("} 'a' @torch._utils._rebuild_tensor ( #Float:0:64 00 ( 1 t t R s", TT_ERR_FORMAT,
           "made of 3 things");
    expect("} 'a' @torch._utils._rebuild_tensor ( 1 #Float:0:64 ( 1 t ( 1 t t R s", TT_ERR_FORMAT,
           "made of a number where its storage should be");
    expect("} 'a' @torch._utils._rebuild_tensor ( @os.system ( 'ls' t R 00 ( 1 t ( 1 t t R s", TT_ERR_FORMAT,
           "made of a result of 'os.system' where");
    expect("} 'a' @torch._utils._rebuild_tensor_v2 ( #Float:0:64 00 ( 1 t ( 1 t False } } 'neg' True s t R s",
           TT_ERR_UNSUPPORTED, "stored negated");
    expect(
        "} 'a' @torch._utils._rebuild_tensor_v2 ( #Float:0:64 00 ( 1 t ( 1 t False } } 'neg' False s t R s",
        TT_OK, "");
    expect("} 'a' @torch._utils._rebuild_parameter ) R s", TT_ERR_FORMAT, "not made of a tensor");
    expect("} 'a' @torch._utils._rebuild_parameter } x85 R s", TT_ERR_FORMAT, "not made of a tensor");
    expect("} 'a' @torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage '0' 'cpu' t Q 00 ( 1 t ( 1 "
           "t t R s",
           TT_ERR_FORMAT, "a storage that is not");
    expect(
        "} 'a' @torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage 0 'cpu' 64 t Q 00 ( 1 t ( 1 "
        "t t R s",
        TT_ERR_FORMAT, "a storage that is not");
    expect(
        "} 'a' @torch._utils._rebuild_tensor ( ( 'storage' @torch.FloatStorage '0' 'cpu' 64 7 t Q 00 ( 1 t "
        "( 1 t t "
        "R s",
        TT_ERR_FORMAT, "not (key, offset, count)");
    expect("} 'a' $Float:0:-1:0:1:1 s", TT_ERR_FORMAT, "storage '0': its count");
    expect("} 'a' $Double:0:4611686018427387904:0:1:1 s", TT_ERR_FORMAT, "exceed any memory");
    expect("} ( 'a' $Float:0:64:0:1:1 'b' $Int:0:64:0:1:1 u", TT_ERR_FORMAT,
           "storage '0': of another type or size");
    expect("} ( 'a' $Float:0:64:0:1:1 'b' $Float:0:63:0:1:1 u", TT_ERR_FORMAT,
           "storage '0': of another type or size");
    expect("} 'a' $Float:0:65:0:1:1 s", TT_ERR_FORMAT, "storage '0': ");
    expect("} 'a' $Float:0:63:0:1:1 s", TT_ERR_FORMAT, "storage '0': ");
    expect("} 'a' $Double:0:64:0:1:1 s", TT_ERR_FORMAT, "storage '0': ");
}
END_TEST

START_TEST(unknown_things)
{
    gives("} ( 'a' $Float:0:64:0:1:1 'b' @os.system ( 'ls' t R 'c' @x.y ) x81 } 'z' 1 s b 'd' N 7 8 u", "a");
    gives("} ( 'params' } 'a' $Float:0:64:0:1:1 s 'optimizer' @torch.optim.Adam $Float:0:64:0:1:1 x85 R u",
          "a");
    expect("} ( 'a' $Float:0:64:0:1:1 'b.weight' @torch._utils._rebuild_qtensor $Float:0:64:0:1:1 x85 R u",
           TT_ERR_UNSUPPORTED,
           "tensor 'b.weight': is a result of 'torch._utils._rebuild_qtensor', of which nothing is known");
    expect("} ( 'a' $Float:0:64:0:1:1 'b' @my.Tensor ) x81 } 'data' $Float:0:64:0:1:1 s b u",
           TT_ERR_UNSUPPORTED, "tensor 'b': is an object of class 'my.Tensor'");
    expect("@my.Net ) x81 } 'data' $Float:0:64:0:1:1 s b", TT_ERR_UNSUPPORTED,
           "holds an object of class 'my.Net'");
    expect("} 'state' @my.Dict ) x81 'a' $Float:0:64:0:1:1 s s", TT_ERR_UNSUPPORTED,
           "tensor 'state': is an object of class 'my.Dict'");
    expect("} 'all' ] $Float:0:64:0:1:1 a s", TT_ERR_UNSUPPORTED, "some are in 'all', which is a list");
    expect("$Float:0:64:0:1:1", TT_ERR_UNSUPPORTED, "wanted named tensors");
}
END_TEST

/* ---- wrappers ------------------------------------------------------------------------------------- */

#define A "$Float:0:64:0:1:1"

START_TEST(wrappers)
{
    static const char *const keys[] = {"params_ema", "params-ema", "params", "model_state_dict",
                                       "state_dict", "model",      "net",    "generator",
                                       "g_ema"};
    char words[400];
    gives("} 'a' " A " s", "a");
    gives("@collections.OrderedDict ) R ( 'b' " A " 'a' " A " u } '_metadata' } s b", "a,b");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(words, sizeof words, "} ( 'other' } 'no' " A " s '%s' } 'a' " A " s u", keys[i]);
        gives(words, "a");
        if (!i)
            continue;
        /* the one before wins */
        snprintf(words, sizeof words, "} ( '%s' } 'no' " A " s '%s' } 'a' " A " s u", keys[i], keys[i - 1]);
        gives(words, "a");
        /* not where it is empty, or no dict at all */
        snprintf(words, sizeof words, "} ( '%s' } 'a' " A " s '%s' } u", keys[i], keys[i - 1]);
        gives(words, "a");
        snprintf(words, sizeof words, "} ( '%s' } 'a' " A " s '%s' 'text' u", keys[i], keys[i - 1]);
        gives(words, "a");
    }
    gives("} 'state_dict' } 'model' } 'params' } 'a' " A " s s s s", "a");
    gives("} ( 'epoch' 3 'whatever' } 'a' " A " s u", "a");
    gives("} ( 'a' " A " 'options' } 'lr' 1 s u", "a"); /* the dict inside is none of tensors */
    gives("} 'state_dict' } ( 'module.a' " A " 'module.b' " A " u s", "a,b");
    expect("} ( 'one' } 'a' " A " s 'two' } 'a' " A " s u", TT_ERR_UNSUPPORTED,
           "some are in 'one', which is a dict");
    expect("}", TT_ERR_UNSUPPORTED, "no tensors in it");
    expect("} 'epoch' 3 s", TT_ERR_UNSUPPORTED, "no tensors in it");
    expect("7", TT_ERR_UNSUPPORTED, "holds a number");
    expect("} q0 'params' h0 s", TT_ERR_FORMAT, "dicts in dicts");
}
END_TEST

START_TEST(names)
{
    char words[2000];
    expect("} ( 'a' " A " 'a' " A " u", TT_ERR_FORMAT, "tensor 'a': the name stands twice");
    expect("} ( 'a' " A " 7 " A " u", TT_ERR_FORMAT, "not proper UTF-8");
    expect("} '' " A " s", TT_ERR_FORMAT, "not proper UTF-8");
    gives("} x5802000000c3bc " A " s", "\xc3\xbc");
    gives("} x5803000000e282ac " A " s", "\xe2\x82\xac");
    gives("} x5804000000f09f9880 " A " s", "\xf0\x9f\x98\x80");
    static const char *const bad[] = {"6100",   "80",       "c3",       "c080",     "c3c3", "e08080",
                                      "eda080", "f0808080", "f4908080", "f8888080", "e282", "ff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(words, sizeof words, "} x55%02x%s " A " s", (unsigned)strlen(bad[i]) / 2, bad[i]);
        expect(words, TT_ERR_FORMAT, "not proper UTF-8");
    }
    for (int n = TT_MAX_NAME; n <= TT_MAX_NAME + 1; n++) {
        snprintf(words, sizeof words, "} '%0*d' " A " s", n, 7);
        expect(words, n > TT_MAX_NAME ? TT_ERR_FORMAT : TT_OK, "name of 513 bytes");
    }
    /* what would upset a terminal is shown escaped */
    expect("} x55031b5b6d $Float:0:64:99:1:1 s", TT_ERR_FORMAT, "tensor '\\x1b[m'");
}
END_TEST

START_TEST(metadata)
{
    for (int form = 0; form < 2; form++) {
        pw_bytes b;
        tt_weights w =
            open_form(form,
                      "} ( 'iter' 7 'lr' x473fb999999999999a 'name' 'net' 'ema' True 'none' N 9 9 'params' } "
                      "( 'a' " A " 'scale' 4 u u",
                      &b);
        ck_assert_str_eq(noted(&w, "iter"), "7");
        ck_assert_str_eq(noted(&w, "lr"), "0.1");
        ck_assert_str_eq(noted(&w, "name"), "net");
        ck_assert_str_eq(noted(&w, "ema"), "True");
        ck_assert_str_eq(noted(&w, "scale"), "4");
        ck_assert(!noted(&w, "none") && !noted(&w, "9") && !noted(&w, "clip"));
        tt_weights_clear(&w);
        free(b.p);
    }
}
END_TEST

START_TEST(nunif_says_whether_to_clip)
{
    static const struct {
        const char *name, *kwargs, *clip;
    } tries[] = {
        {"waifu2x.upcunet", "} 'in_channels' 3 s", "yes"},
        {"waifu2x.cunet", "} ( 'in_channels' 3 'no_clip' True u", "no"},
        {"waifu2x.cunet", "} 'no_clip' False s", "yes"},
        {"waifu2x.cunet", "N", "yes"},
        {"waifu2x.upconv_7", "}", NULL},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char words[400];
        pw_bytes b;
        snprintf(words, sizeof words,
                 "} ( 'nunif_model' 1 'name' '%s' 'kwargs' %s 'state_dict' } 'a' " A " s u", tries[i].name,
                 tries[i].kwargs);
        tt_weights w = open_form((int)i % 2, words, &b);
        const char *clip = noted(&w, "clip");
        ck_assert_msg(tries[i].clip ? clip && !strcmp(clip, tries[i].clip) : !clip, "%s: %s", words, clip);
        if (i < 2)
            ck_assert_str_eq(noted(&w, "kwargs.in_channels"), "3");
        tt_weights_clear(&w);
        free(b.p);
    }
}
END_TEST

/* ---- whole modules -------------------------------------------------------------------------------- */

#define MODULE(parameters, buffers, modules)                                                                 \
    "%Module } ( '_parameters' " parameters " '_buffers' " buffers " '_modules' " modules                    \
    " 'training' False u b"

START_TEST(modules)
{
    gives(MODULE("} 'weight' " A " s", "}", "}"), "weight");
    gives(MODULE("} ( 'weight' " A " 'bias' N u", "} 'mean' " A " s", "}"), "mean,weight");
    gives(MODULE("}", "}",
                 "} ( 'conv' " MODULE("} 'weight' " A " s", "}", "}") " 'none' N 'body' " MODULE(
                     "}", "}", "} '0' " MODULE("} 'w' " A " s", "}", "}") " s") " u"),
          "body.0.w,conv.weight");
    gives("} ( 'epoch' 3 'model' " MODULE("} 'weight' " A " s", "}", "}") " u", "weight");
    gives("} ( 'epoch' 3 'net_of_mine' " MODULE("} 'weight' " A " s", "}", "}") " u", "weight");
    /* of several cards */
    gives(MODULE("}", "}", "} 'module' " MODULE("} 'weight' " A " s", "}", "}") " s"), "weight");
    /* the same module in two places has two names, as in PyTorch's own state dict */
    gives(MODULE("}", "}", "} ( 'x' " MODULE("} 'w' " A " s", "}", "}") " q1 'y' h1 u"), "x.w,y.w");
    /* buffers that are not to be kept */
    gives("%M } ( '_parameters' } '_buffers' } ( 'a' " A " 'b' " A
          " u '_modules' } '_non_persistent_buffers_set' "
          "@__builtin__.set ] 'b' a x85 R u b",
          "a");
    gives("%M } ( '_parameters' } 'b' " A " s '_buffers' } 'a' " A
          " s '_modules' } '_non_persistent_buffers_set' x8f "
          "( 'a' 'b' x90 u b",
          "b");
    /* Python 2: ('module', class, file, source) */
    gives("( 'module' @vdsr.Net 'vdsr.py' 'class' t Q ) x81 } ( '_parameters' @collections.OrderedDict ] ] ( "
          "'w' " A " e a x85 R '_modules' @collections.OrderedDict ] x85 R u b",
          "w");

    expect(MODULE("} 'w' @my.Parameter " A " x85 R s", "}", "}"), TT_ERR_UNSUPPORTED,
           "tensor 'w': is a result of 'my.Parameter'");
    expect(MODULE("}", "}", "} 'x' " MODULE("} 'w' $Float:0:64:99:1:1 s", "}", "}") " s"), TT_ERR_FORMAT,
           "tensor 'x.w': reaches");
    expect(MODULE("}", "}", "} 'x' @torch.jit.Script " A " x85 R s"), TT_ERR_UNSUPPORTED,
           "module 'x': is a result of 'torch.jit.Script', not a module");
    expect(MODULE("1", "}", "}"), TT_ERR_FORMAT, "_parameters are not a dict");
    expect(MODULE("}", "( 1 t", "}"), TT_ERR_FORMAT, "_buffers are not a dict");
    expect(MODULE("} 'w' " A " s", "}", "N"), TT_ERR_FORMAT, "_modules are not a dict");
    expect(MODULE("} ( 'w' " A " u", "} 'w' " A " s", "}"), TT_ERR_FORMAT, "stands twice");
}
END_TEST

START_TEST(modules_without_end)
{
    pw_bytes words = {0};
    /* in itself */
    expect("%M q0 } ( '_parameters' } '_modules' } 'x' h0 s u b", TT_ERR_FORMAT, "nested deeper than 64");
    /* two in each of two, 40 times: 2^40 modules, none of them with a tensor */
    static const char head[] = "%M } ( '_parameters' } '_modules' } u b q0 0";
    static const char level[] = " %M } ( '_parameters' } '_modules' } ( 'a' h0 'b' h0 u u b q0 0";
    pw_put(&words, head, sizeof head - 1);
    for (int i = 0; i < 40; i++)
        pw_put(&words, level, sizeof level - 1);
    pw_put(&words, " h0", 4);
    expect((char *)words.p, TT_ERR_FORMAT, "stand in each other too often");
    free(words.p);
    /* one with a large state, in 3000 places */
    words = (pw_bytes){0};
    static const char large[] = "%M } ( '_parameters' } '_modules' } u",
                      many[] = " b q0 0 %M } ( '_parameters' } '_modules' } (";
    pw_put(&words, large, sizeof large - 1);
    for (int i = 0; i < 3000; i++)
        pw_put(&words, " N N s", 6);
    pw_put(&words, many, sizeof many - 1);
    for (int i = 0; i < 3000; i++)
        pw_put(&words, " 'a' h0", 7);
    pw_put(&words, " u u b", 7);
    expect((char *)words.p, TT_ERR_FORMAT, "stand in each other too often");
    free(words.p);
    expect("%M } ( '_parameters' } '_modules' } u b", TT_ERR_UNSUPPORTED, "no tensors in it");
    /* an object that is no module, large too, everywhere in a dict */
    words = (pw_bytes){0};
    pw_put(&words, "%M }", 4);
    for (int i = 0; i < 3000; i++)
        pw_put(&words, " N N s", 6);
    pw_put(&words, " b q0 0 } (", 11);
    for (int i = 0; i < 3000; i++)
        pw_put(&words, " 'a' h0", 7);
    pw_put(&words, " u", 3);
    expect((char *)words.p, TT_ERR_UNSUPPORTED, "no tensors in it");
    free(words.p);
}
END_TEST

/* ---- zip ------------------------------------------------------------------------------------------ */

#define WORDS "} 'a' $Float:0:64:0:8x8:8x1 s"

START_TEST(kinds_of_zip)
{
    static const pw_oddity good[] = {{.sizes = true},
                                     {.packed = true},
                                     {.packed = true, .sizes = true},
                                     {.zip64 = true},
                                     {.zip64 = true, .sizes = true}};
    const pw_member storage = {"0", data, sizeof data};
    fill_data();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        pw_bytes b = pw_pth(WORDS, &storage, 1, &good[i]);
        tt_weights w;
        tt_error err;
        ck_assert_msg(!tt_weights_open_memory(&w, b.p, b.n, "test", &err), "%zu: %s", i, err.text);
        ck_assert_str_eq(w.format, "PyTorch");
        ck_assert(w.count == 1 && !memcmp(w.tensors[0].data, data, sizeof data));
        tt_weights_clear(&w);
        free(b.p);
    }
    static const struct {
        pw_oddity odd;
        tt_status status;
        const char *words;
    } bad[] = {
        {{.wrong_crc = true}, TT_ERR_FORMAT, "X/data/0: cut short or damaged: CRC error"},
        {{.wrong_crc = true, .packed = true}, TT_ERR_FORMAT, "X/data/0: cut short or damaged: CRC error"},
        {{.wrong_size = 4, .packed = true}, TT_ERR_FORMAT, "X/data/0 has 260"},
        {{.wrong_size = -4}, TT_ERR_FORMAT, "X/data/0 has 252"},
        {{.flags = 1}, TT_ERR_UNSUPPORTED, "is encrypted"},
        {{.method = 12}, TT_ERR_UNSUPPORTED, "X/data.pkl: packed by method 12"},
        {{.other = "X/data/1"}, TT_ERR_FORMAT, "inconsistent"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_bytes(pw_pth(WORDS, &storage, 1, &bad[i].odd), bad[i].words, bad[i].status, bad[i].words);
}
END_TEST

/* An archive of data.pkl, data/0 and one more. */
static void expect_member(const char *name, const char *text, tt_status status, const char *words)
{
    pw_bytes pickle = pw_pickle(WORDS);
    const pw_member m[] = {
        {"X/data.pkl", pickle.p, pickle.n}, {"X/data/0", data, sizeof data}, {name, text, strlen(text)}};
    fill_data();
    expect_bytes(pw_zip(m, 3, NULL), name, status, words);
    free(pickle.p);
}

START_TEST(members)
{
    expect_member("X/byteorder", "little", TT_OK, "");
    expect_member("X/byteorder", "big", TT_ERR_UNSUPPORTED, "X/byteorder: written on a big-endian machine");
    expect_member("X/byteorder", "little, or nearly so", TT_ERR_UNSUPPORTED,
                  "X/byteorder: written on a strange");
    expect_member("X/byteorder", "", TT_ERR_UNSUPPORTED, "X/byteorder");
    expect_member("X/.data/serialization_id", "0123", TT_OK, "");
    expect_member("X/.format_version", "1", TT_OK, "");
    expect_member("X/", "", TT_OK, "");
    expect_member("X/data/..0", "", TT_OK, "");
    expect_member("X/constants.pkl", "\x80\2).", TT_ERR_UNSUPPORTED, "TorchScript");
    expect_member("Y/data.pkl", "\x80\2).", TT_ERR_FORMAT, "two members are called data.pkl, 'Y/data.pkl'");
    expect_member("X/data.pkl", "\x80\2).", TT_ERR_FORMAT, "two members have the same name");
    static const char *const elsewhere[] = {"../x", "X/../y", "X/..", "/x", "..", "X\\y", ""};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        expect_member(elsewhere[i], "", TT_ERR_FORMAT, "leads elsewhere");
    char name[1030] = "";
    memset(name, 'n', sizeof name - 1);
    expect_member(name, "", TT_ERR_FORMAT, "name of 1029 bytes");
    name[1024] = 0;
    expect_member(name, "", TT_OK, "");

    const pw_member none[] = {{"X/data/0", data, sizeof data}}, top[] = {{"data.pkl", "\x80\2).", 4}};
    expect_bytes(pw_zip(none, 1, NULL), "no pickle", TT_ERR_UNSUPPORTED, "without a member data.pkl");
    expect_bytes(pw_zip(top, 1, NULL), "no folder", TT_ERR_UNSUPPORTED, "without a member data.pkl");
    expect_bytes(pw_zip(NULL, 0, NULL), "nothing", TT_ERR_UNSUPPORTED, "without a member data.pkl");
    expect_bytes(pw_pth(WORDS, NULL, 0, NULL), "no storage", TT_ERR_FORMAT,
                 "X/data.pkl: byte 96: storage '0': the archive has no member X/data/0");
    expect_bytes(pw_pth("! x8002 } . .", NULL, 0, NULL), "two", TT_ERR_FORMAT,
                 "1 bytes after the pickle's end");
}
END_TEST

START_TEST(too_many_members)
{
    enum { N = 17000 };
    static char called[N][16];
    static pw_member m[N];
    for (int i = 0; i < N; i++) {
        snprintf(called[i], sizeof called[i], "X/data/%d", i);
        m[i] = (pw_member){called[i], "", 0};
    }
    expect_bytes(pw_zip(m, N, NULL), "many", TT_ERR_FORMAT, "more than 16384 members");
    /* and however many it claims to have */
    static const unsigned long long claims[] = {1, 2, 100, 1 << 20, 1ull << 32, 1ull << 62, ~0ull};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        static const pw_oddity zip64 = {.zip64 = true};
        pw_bytes b = pw_zip(m, 3, &zip64);
        for (int k = 0; k < 8; k++) {
            b.p[b.n - 22 - 20 - 24 - 8 + (size_t)k] = (unsigned char)(claims[i] >> 8 * k);
            b.p[b.n - 22 - 20 - 24 + (size_t)k - 0] = (unsigned char)(claims[i] >> 8 * k);
        }
        expect_bytes(b, "claim", TT_ERR_FORMAT, "zip archive: cut short or damaged");
    }
}
END_TEST

/* An archive packed by libzip itself. */
static pw_bytes packed(const pw_member *m, size_t count)
{
    zip_error_t e;
    zip_error_init(&e);
    zip_source_t *s = zip_source_buffer_create(NULL, 0, 0, &e);
    ck_assert_ptr_nonnull(s);
    zip_source_keep(s);
    zip_t *z = zip_open_from_source(s, ZIP_TRUNCATE, &e);
    ck_assert_ptr_nonnull(z);
    for (size_t i = 0; i < count; i++) {
        zip_source_t *from = zip_source_buffer(z, m[i].data, m[i].n, 0);
        const zip_int64_t at = zip_file_add(z, m[i].name, from, 0);
        ck_assert(at >= 0 && !zip_set_file_compression(z, (zip_uint64_t)at, ZIP_CM_DEFLATE, 9));
    }
    ck_assert(!zip_close(z));
    zip_stat_t st;
    ck_assert(!zip_source_stat(s, &st) && !zip_source_open(s));
    pw_bytes b = {.p = malloc(st.size), .n = st.size};
    ck_assert(b.p && zip_source_read(s, b.p, b.n) == (zip_int64_t)b.n);
    zip_source_close(s);
    zip_source_free(s);
    return b;
}

START_TEST(packed_archives_stay_small)
{
    enum { MANY = 24 << 20 };
    unsigned char *zeros = calloc(1, MANY);
    char words[200];
    ck_assert_ptr_nonnull(zeros);
    for (int i = 0; i < 2; i++) {
        const size_t n = i ? MANY : 1 << 20;
        snprintf(words, sizeof words, "} 'a' $Float:0:%zu:0:%zu:1 s", n / 4, n / 4);
        pw_bytes pickle = pw_pickle(words);
        const pw_member m[] = {{"X/data.pkl", pickle.p, pickle.n}, {"X/data/0", zeros, n}};
        expect_bytes(packed(m, 2), words, i ? TT_ERR_FORMAT : TT_OK, "would need more than");
        free(pickle.p);
    }
    const pw_member pickle = {"X/data.pkl", zeros, MANY};
    expect_bytes(packed(&pickle, 1), "a pickle of zeros", TT_ERR_FORMAT, "would need more than");
    free(zeros);
    /* nor may a tensor be larger than what is in the file by much */
    expect("} 'a' $Float:0:64:0:9999999:0 s", TT_ERR_FORMAT, "would need more than");
    expect("} 'a' $Float:0:64:0:4611686018427387903:0 s", TT_ERR_FORMAT, "would need more than");
    pw_bytes many = {0};
    pw_put(&many, "} (", 3);
    for (int i = 0; i < 20; i++) {
        const int n = snprintf(words, sizeof words, " 't%d' $Float:0:64:0:300000:0", i);
        pw_put(&many, words, (size_t)n);
    }
    pw_put(&many, " u", 3);
    expect((char *)many.p, TT_ERR_FORMAT, "would need more than");
    free(many.p);
}
END_TEST

/* ---- before 1.6 ----------------------------------------------------------------------------------- */

static void expect_head(const char *version, const char *system, tt_status status, const char *words)
{
    const pw_member storage = {"0", data, sizeof data};
    pw_bytes head = pw_legacy_head(version, system);
    expect_bytes(pw_legacy(WORDS, &storage, 1, 4, &head), system, status, words);
    free(head.p);
}

START_TEST(heads)
{
    expect_head("1001", "} 'little_endian' True s", TT_OK, "");
    expect_head("1000", "} 'little_endian' True s", TT_ERR_UNSUPPORTED, "byte 15: PyTorch file of a version");
    expect_head("'1001'", "} 'little_endian' True s", TT_ERR_UNSUPPORTED, "version other than 1001");
    expect_head("1001", "} 'little_endian' False s", TT_ERR_UNSUPPORTED, "big-endian machine");
    expect_head("1001", "} 'little_endian' 1 s", TT_ERR_FORMAT, "whether it is little-endian");
    expect_head("1001", "}", TT_ERR_FORMAT, "whether it is little-endian");
    expect_head("1001", "7", TT_ERR_FORMAT, "whether it is little-endian");
    /* protocol 4 puts a frame around the magic number */
    const unsigned char framed[] = {0x80, 4,    0x95, 13,   0,    0,    0,    0,    0,    0,    0,    0x8a,
                                    10,   0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    pw_bytes usual = pw_legacy_head("1001", "} 'little_endian' True s"), head = {0};
    pw_put(&head, framed, sizeof framed);
    pw_put(&head, usual.p + 15, usual.n - 15);
    const pw_member storage = {"0", data, sizeof data};
    expect_bytes(pw_legacy(WORDS, &storage, 1, 4, &head), "protocol 4", TT_OK, "");
    free(usual.p);
    free(head.p);
    /* a tar archive */
    pw_bytes tar = {0};
    for (int i = 0; i < 512; i++)
        pw_number(&tar, 0, 1);
    memcpy(tar.p + 257, "ustar", 5);
    expect_bytes(tar, "tar", TT_ERR_UNSUPPORTED, "a tar file, perhaps of PyTorch before 0.1.10");
}
END_TEST

START_TEST(storages_behind)
{
    const pw_member twice[] = {{"0", data, sizeof data}, {"0", data, sizeof data}},
                    more[] = {{"0", data, sizeof data}, {"1", data, sizeof data}},
                    fewer[] = {{"0", data, 128}};
    expect_bytes(pw_legacy(WORDS, twice, 2, 4, NULL), "twice", TT_ERR_FORMAT,
                 "storage '0': its key stands twice");
    expect_bytes(pw_legacy(WORDS, more, 2, 4, NULL), "more", TT_ERR_FORMAT,
                 "storage '1': nothing refers to it");
    expect_bytes(pw_legacy(WORDS, fewer, 1, 4, NULL), "fewer", TT_ERR_FORMAT,
                 "storage '0': has 32 values here, 64 where it is used");
    expect_bytes(pw_legacy(WORDS, NULL, 0, 4, NULL), "none", TT_ERR_FORMAT,
                 "storage '0': the file holds no data of it");
    pw_bytes b = pw_legacy(WORDS, twice, 1, 4, NULL);
    pw_number(&b, 0, 3);
    expect_bytes(b, "three", TT_ERR_FORMAT, "3 bytes at the end belong to no storage");
    b = pw_legacy(WORDS, twice, 1, 4, NULL);
    b.n -= 1;
    expect_bytes(b, "one less", TT_ERR_FORMAT, "storage '0': cut short: 256 bytes, only 255 are left");
    b = pw_legacy(WORDS, twice, 1, 4, NULL);
    b.n -= sizeof data + 1;
    expect_bytes(b, "no count", TT_ERR_FORMAT, "storage '0': cut short: the file ends before its count");
}
END_TEST

/* ---- damaged files -------------------------------------------------------------------------------- */

static void survives(const unsigned char *bytes, size_t size, const char *what, void *arg)
{
    size_t *good = arg;
    tt_error err;
    *good += !try_open(bytes, size, what, &err);
}

static pw_bytes read_file(const char *path)
{
    pw_bytes b = {0};
    unsigned char part[4096];
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    for (size_t n; (n = fread(part, 1, sizeof part, f));)
        pw_put(&b, part, n);
    fclose(f);
    return b;
}

static const char *const small_files[] = {"containers/bare_zip.pth", "containers/bare_legacy.pth",
                                          "containers/nested_zip.pth", "containers/nested_legacy.pth",
                                          "containers/module_zip.pth"};

START_TEST(no_prefix_is_a_file)
{
    pw_bytes b = read_file(golden_path(small_files[_i]));
    size_t good = 0;
    ck_assert_uint_eq(hostile_prefixes(b.p, b.n, survives, &good), b.n);
    ck_assert_uint_eq(good, 0);
    free(b.p);
}
END_TEST

START_TEST(every_byte_changed)
{
    pw_bytes b = read_file(golden_path(small_files[_i]));
    size_t good = 0;
    const size_t made = hostile_bits(b.p, b.n, 0, b.n, survives, &good);
    ck_assert_uint_eq(made, 10 * b.n);
    ck_assert(good > 0 && good < made);
    free(b.p);
}
END_TEST

/* A module, a parameter, a transposed tensor, wrappers and notes, in each form and packed. */
static pw_bytes varied(int form)
{
    static const char words[] = "} ( 'epoch' 3 'model' " MODULE(
        "} ( 'w' @torch._utils._rebuild_parameter ( $Float:0:64:0:8x8:1x8 True ) t R 'v' $Float:0:64:0:8:1 u",
        "}", "} 'x' " MODULE("} 'w' $Float:0:64:0:2x2:0x1 s", "} 'b' $Float:1:2:0:2:1 s", "}") " s") " u";
    static const pw_oddity pack = {.packed = true};
    const pw_member storages[] = {{"0", data, sizeof data}, {"1", data, 8}};
    fill_data();
    return form == 2 ? pw_legacy(words, storages, 2, 4, NULL)
                     : pw_pth(words, storages, 2, form ? &pack : NULL);
}

START_TEST(every_byte_of_varied_files)
{
    pw_bytes b = varied(_i);
    size_t good = 0;
    hostile_plain(b.p, b.n, "as it is", survives, &good);
    ck_assert_uint_eq(good, 1);
    hostile_prefixes(b.p, b.n, survives, &good);
    ck_assert_uint_eq(good, 1);
    hostile_bits(b.p, b.n, 0, b.n, survives, &good);
    free(b.p);
}
END_TEST

START_TEST(no_memory)
{
    pw_bytes b = varied(_i);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        tt_status st;
        long k = 0;
        do {
            tt_weights w;
            tt_error err = {0};
            faults_fail(++k, for_ever);
            st = tt_weights_open_memory(&w, b.p, b.n, "test", &err);
            const bool failed = faults_failed();
            faults_fail(0, 0);
            ck_assert_msg(st == (failed ? TT_ERR_MEMORY : TT_OK), "allocation %ld: %s", k, err.text);
            check_result(&w, st, &err, "no memory");
            tt_weights_clear(&w);
        } while (st);
        ck_assert_int_gt(k, 10);
    }
    free(b.p);
}
END_TEST

START_TEST(crowds)
{
    /* as many tensors as may be, and one more */
    for (int n = TT_MAX_TENSORS; n <= TT_MAX_TENSORS + 1; n++) {
        pw_bytes words = {0};
        pw_put(&words, "$Float:0:64:0:1:1 q0 0 } (", 26);
        for (int i = 0; i < n; i++) {
            char text[32];
            const int k = snprintf(text, sizeof text, " '%d' h0", i);
            pw_put(&words, text, (size_t)k);
        }
        pw_put(&words, " u", 3);
        expect((char *)words.p, n > TT_MAX_TENSORS ? TT_ERR_FORMAT : TT_OK, "more than 65536 tensors");
        free(words.p);
    }
}
END_TEST

Suite *suite_engine_pth(void)
{
    Suite *s = suite_create("engine/pth");
    TCase *sound = tcase_create("sound"), *hostile = tcase_create("hostile");
    tcase_add_test(sound, golden_files);
    tcase_add_test(sound, published_files);
    tcase_add_test(sound, every_dtype);
    tcase_add_test(sound, views);
    tcase_add_test(sound, wrappers);
    tcase_add_test(sound, names);
    tcase_add_test(sound, metadata);
    tcase_add_test(sound, nunif_says_whether_to_clip);
    tcase_add_test(sound, modules);
    tcase_add_test(sound, kinds_of_zip);
    suite_add_tcase(s, sound);
    tcase_set_timeout(hostile, 300); /* sanitizers are slow */
    tcase_add_test(hostile, views_that_reach_too_far);
    tcase_add_test(hostile, tensors_of_the_wrong_form);
    tcase_add_test(hostile, unknown_things);
    tcase_add_test(hostile, modules_without_end);
    tcase_add_test(hostile, members);
    tcase_add_test(hostile, too_many_members);
    tcase_add_test(hostile, packed_archives_stay_small);
    tcase_add_test(hostile, heads);
    tcase_add_test(hostile, storages_behind);
    tcase_add_loop_test(hostile, no_prefix_is_a_file, 0, sizeof small_files / sizeof *small_files);
    tcase_add_loop_test(hostile, every_byte_changed, 0, sizeof small_files / sizeof *small_files);
    tcase_add_loop_test(hostile, every_byte_of_varied_files, 0, 3);
    tcase_add_loop_test(hostile, no_memory, 0, 3);
    tcase_add_test(hostile, crowds);
    suite_add_tcase(s, hostile);
    return s;
}
