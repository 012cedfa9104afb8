/* The command line end to end: every command, help, machines' output, determinism, the bar. */
#define _GNU_SOURCE
#include "tests/golden.h"
#include "tests/models/network.h"
#include "tests/src/program.h"

#include "engine/weights.h"
#include "src/cli.h"
#include "tests/golden.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- help ----------------------------------------------------------------------------------------- */

START_TEST(no_command_is_an_error_with_help)
{
    pg_run r = pg_exec((const char *const[]){NULL}, NULL, 0);
    EXPECT(r, 2, "tintype upscale scan.jpg");
    ck_assert_uint_eq(r.out_size, 0);
}
END_TEST

START_TEST(wrong_commands_are_answered_with_the_right_one)
{
    static const char *const words[][2] = {
        {"upscael", "did you mean: tintype upscale?"},
        {"comp", "did you mean: tintype compare?"},
        {"inof", "did you mean: tintype info?"},
        {"xyzzy", "xyzzy is no command"},
        {"--scale", "no option --scale before the command"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        pg_run r = RUN(words[i][0]);
        EXPECT(r, 2, words[i][1]);
        ck_assert_uint_eq(r.out_size, 0);
    }
    pg_store("photo.jpg", "x", 1);
    pg_run r = RUN("photo.jpg");
    EXPECT(r, 2, "did you mean: tintype upscale photo.jpg?");
    ck_assert(!pg_there("photo_x2.jpg"));
}
END_TEST

/* Each blank and line's end with all blanks behind it as one blank. */
static void squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != ' ' && *from != '\n')
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    *to = 0;
}

START_TEST(help_of_each_command_names_each_option)
{
    const tt_command *c = &tt_commands[_i];
    pg_run r = RUN("help", c->name), s = RUN(c->name, "--help"), t = RUN(c->name, "-h");
    EXPECT(r, 0, "");
    EXPECT(s, 0, "");
    ck_assert_str_eq(r.out, s.out);
    ck_assert_str_eq(r.out, t.out);
    ck_assert_ptr_eq(strstr(r.out, "Examples:\n  tintype "), r.out);
    for (const tt_option *o = tt_options; o->name; o++) {
        char name[64];
        snprintf(name, sizeof name, " --%s", o->name);
        if (o->commands & c->bit)
            ck_assert_msg(strstr(r.out, name) && strlen(o->help) > 3, "help %s does not name%s", c->name,
                          name);
    }
    for (const char *line = r.out; *line; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 110);
    squeeze(r.out);
    for (const tt_option *o = tt_options; o->name; o++) {
        char help[1000];
        snprintf(help, sizeof help, "%s%s%s%s", o->help, o->env ? " (or: " : "", o->env ? o->env : "", o->env ? ")" : "");
        squeeze(help);
        if (o->commands & c->bit)
            ck_assert_msg(strstr(r.out, help), "help %s does not say all of --%s", c->name, o->name);
    }
}
END_TEST

START_TEST(help_and_version_on_request_succeed)
{
    pg_run r = RUN("help"), s = RUN("--help"), t = RUN("--version"), u = RUN("version"),
           v = RUN("version", "--json");
    EXPECT(r, 0, "");
    EXPECT(s, 0, "");
    ck_assert_ptr_nonnull(strstr(r.out, "completion"));
    ck_assert_str_eq(t.out, u.out);
    ck_assert_ptr_nonnull(strstr(u.out, TT_VERSION));
    json_t *o = json_loads(v.out, 0, NULL);
    ck_assert_ptr_nonnull(o);
    ck_assert_str_eq(json_string_value(json_object_get(o, "tintype")), TT_VERSION);
    ck_assert_ptr_nonnull(json_object_get(json_object_get(o, "libraries"), "libpng"));
    json_decref(o);
    pg_run w = RUN("help", "nothing");
    EXPECT(w, 2, "nothing is no command");
}
END_TEST

START_TEST(manual_page_has_no_warnings)
{
    pg_run r = pg_shell(
        "\"$T\" help --man >t.1 && { command -v groff >/dev/null || exit 9; } && "
        "groff -ww -man -Tutf8 -Wbreak t.1 2>&1 >t.txt | grep . >&2; grep -q 'pass over inputs' t.txt");
    if (r.code == 9) {
        puts("skipped: no groff, the manual page is not checked");
        return;
    }
    EXPECT(r, 0, "");
    ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(bash_completes)
{
    static const char *const cases[][2] = {
        {"tintype ups", "upscale"},
        {"tintype upscale --skip", "--skip-existing"},
        {"tintype upscale -f ", "png jpeg"},
        {"tintype upscale --format = j", "jpeg"},
        {"tintype upscale --format =", "png jpeg"},
        {"tintype help com", "compare completion"},
        {"tintype completion ", "bash zsh"},
        {"tintype info x", ""},
        {"tintype mod", "models"},
        {"tintype models ", "list info fetch verify path"},
        {"tintype models list --lic", "--license"},
        {"tintype models list --license ", "commercial noncommercial unstated"},
        {"tintype models fetch RealESRGAN_x4plus.", "RealESRGAN_x4plus.pth"},
        {"tintype models verify x", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[1024];
        const char *words = cases[i][0];
        snprintf(line, sizeof line,
                 "command -v bash >/dev/null || exit 9; \"$T\" completion bash >c.bash && bash -n c.bash && "
                 "bash -c '. ./c.bash; COMP_WORDS=(%s%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tintype; "
                 "echo \"${COMPREPLY[*]}\"'",
                 words, words[strlen(words) - 1] == ' ' ? "\"\"" : "");
        pg_run r = pg_shell(line);
        if (r.code == 9) {
            puts("skipped: no bash, its completion is not checked");
            return;
        }
        EXPECT(r, 0, "");
        r.out[strcspn(r.out, "\n")] = 0;
        ck_assert_msg(!strcmp(r.out, cases[i][1]), "%s: \"%s\", wanted \"%s\"", words, r.out, cases[i][1]);
    }
}
END_TEST

START_TEST(zsh_takes_its_completion)
{
    pg_run r = pg_shell("\"$T\" completion zsh >_tintype && grep -q skip-existing _tintype && "
                        "{ command -v zsh >/dev/null || exit 9; } && zsh -n _tintype");
    if (r.code == 9)
        puts("skipped: no zsh, its completion is not checked");
    else
        EXPECT(r, 0, "");
    pg_run s = RUN("completion", "fish");
    EXPECT(s, 2, "fish");
}
END_TEST

/* ---- what makes no sense -------------------------------------------------------------------------- */

static const struct {
    const char *arguments[8];
    const char *says;
} nonsense[] = {
    {{"upscale"}, "upscale wants INPUT..."},
    {{"upscale", ""}, "an argument is empty"},
    {{"upscale", "--sclae", "2", "p.png"}, "no option --sclae; did you mean --scale?"},
    {{"upscale", "-Q", "p.png"}, "no option -Q"},
    {{"upscale", "p.png", "-t"}, "--threads wants a value"},
    {{"upscale", "--json=3", "p.png"}, "--json takes no value"},
    {{"upscale", "--threads", "0", "p.png"}, "--threads is 0; a whole number from 1 to 1024"},
    {{"upscale", "-t", "two", "p.png"}, "--threads is two"},
    {{"upscale", "-t", "1.5", "p.png"}, "--threads is 1.5"},
    {{"upscale", "-t", "99999", "p.png"}, "--threads is 99999"},
    {{"upscale", "-s", "0", "p.png"}, "--scale is 0"},
    {{"upscale", "-s", "-2", "p.png"}, "--scale is -2"},
    {{"upscale", "-s", "2,5", "p.png"}, "--scale is 2,5"},
    {{"upscale", "-s", "1e2", "p.png"}, "--scale is 1e2"},
    {{"upscale", "-s", "nan", "p.png"}, "--scale is nan"},
    {{"upscale", "-s", "2", "--size", "9x9", "p.png"}, "--scale and --size"},
    {{"upscale", "--size", "x", "p.png"}, "--size is x"},
    {{"upscale", "--size", "0x5", "p.png"}, "--size is 0x5"},
    {{"upscale", "--size", "10x10x10", "p.png"}, "--size is 10x10x10"},
    {{"upscale", "--size", "99999999x1", "p.png"}, "--size is 99999999x1"},
    {{"upscale", "--memory", "1K", "p.png"}, "--memory is 1K; at least 1M"},
    {{"upscale", "--memory", "lots", "p.png"}, "--memory is lots"},
    {{"upscale", "--max-pixels", "0", "p.png"}, "--max-pixels is 0"},
    {{"upscale", "--format", "bmp", "p.png"}, "--format is bmp; it can be one of: png jpeg"},
    {{"upscale", "--format", "png jpeg", "p.png"}, "--format is png jpeg"},
    {{"upscale", "--quality", "101", "p.png"}, "--quality is 101"},
    {{"upscale", "--net", "padding", "p.png"}, "--net is padding; KEY=VALUE is wanted"},
    {{"upscale", "--net", "no=such", "p.png"}, "no=such"},
    {{"upscale", "--overwrite", "--skip-existing", "p.png"}, "contradict"},
    {{"upscale", "-q", "-v", "p.png"}, "contradict"},
    {{"upscale", "--json", "-o", "-", "p.png"}, "standard output"},
    {{"upscale", "-o", "out.xyz", "p.png"}, "out.xyz"},
    {{"upscale", "-o", "", "p.png"}, "--output wants a PATH, which is empty"},
    {{"upscale", "-o", "{stem}_{size}.png", "p.png"}, "there is no {size} without --size"},
    {{"upscale", "-o", "{scale}.png", "--size", "9x", "p.png"}, "there is no {scale}, but {size}"},
    {{"upscale", "-", "-"}, "standard input is given twice"},
    {{"upscale", "-o", "-", "p.png", "q.png"}, "standard output takes one picture"},
    {{"upscale", "-o", "one.png", "p.png", "q.png"}, "one file for 2 inputs"},
    {{"upscale", "p.png", "./p.png"}, "would both become"},
    {{"denoise", "p.png"}, "default: the network enlarges pictures by 2"},
    {{"denoise", "-m", TT_GOLDEN_DIR "/swinir/light_x2/weights.safetensors", "p.png"}, "by 2, and denoise keeps their size; "
                                                                                        "use: tintype upscale"},
    {{"denoise", "-m", TT_GOLDEN_DIR "/vdsr/bias/weights.safetensors", "p.png"}, "use: tintype upscale"},
    {{"denoise", "-m", TT_GOLDEN_DIR "/swinir/color_dn/weights.safetensors", "-o", "{stem}{scale}.png", "p.png"},
     "there is no {scale} where nothing is enlarged"},
    {{"denoise", "-s", "2", "p.png"}, "denoise has no option -s"},
    {{"denoise"}, "denoise wants INPUT..."},
    {{"compare", "p.png"}, "compare wants A B"},
    {{"compare", "p.png", "q.png", "r.png"}, "r.png is one argument too many"},
    {{"compare", "--luma", "--rgb", "p.png", "p.png"}, "contradict"},
    {{"compare", "--border", "-1", "p.png", "p.png"}, "--border is -1"},
    {{"info"}, "info wants FILE..."},
    {{"info", "--size", "9x9", "default"}, "--size is for --plan"},
    {{"info", "--plan", "--size", "9x", "default"}, "both sides"},
    {{"info", "--plan", "p.png"}, "p.png: is no weight file"},
    {{"run", "p"}, "run wants IN OUT"},
    {{"bench", "--isa", "mmx"}, "--isa is mmx"},
    {{"bench", "--only", "no such case"}, "no such case"},
    {{"bench", "--kernel", "no such case"}, "begins with no such case"},
    {{"bench", "--kernel", "rrdb"}, "begins with rrdb"}, /* a network, not a kernel */
    {{"bench", "--kernel", "prelu", "--only", "prelu"}, "exclude each other"},
    {{"bench", "--kernel", "prelu", "--size", "9x9"}, "are for --model"},
    {{"bench", "--kernel", "prelu", "--isa", "all"}, "one instruction set, not all"},
    {{"completion"}, "completion wants bash|zsh"},
};

START_TEST(nonsense_is_refused)
{
    pg_picture("p.png", 8, 8, 3, 8);
    const int before = pg_entries(".");
    pg_run r = pg_exec(nonsense[_i].arguments, NULL, 0);
    EXPECT(r, 2, nonsense[_i].says);
    ck_assert(!strncmp(r.err, "tintype: ", 9));
    ck_assert(!r.out_size ||
              !strcmp(nonsense[_i].arguments[0], "bench")); /* which has named the machine by then */
    ck_assert_int_eq(pg_entries("."), before);
}
END_TEST

START_TEST(denoise_keeps_the_size)
{
    static const char *const model = TT_GOLDEN_DIR "/swinir/color_dn/weights.safetensors";
    pg_picture("noisy.png", 30, 21, 3, 8);
    pg_picture("noise.jpg", 9, 30, 1, 8);
    pg_run r = RUN("denoise", "-m", model, "noisy.png", "noise.jpg"),
           s = RUN("upscale", "-m", model, "noisy.png", "-o", "noisy1.png");
    EXPECT(r, 0, "noisy.png 30x21 -> noisy_clean.png 30x21, weights.safetensors, ");
    EXPECT(s, 0, "noisy1.png 30x21, weights.safetensors x1, ");
    ck_assert_int_eq(pg_shape_of("noisy_clean.png").width, 30);
    ck_assert_int_eq(pg_shape_of("noisy_clean.png").height, 21);
    ck_assert_int_eq(pg_shape_of("noise_clean.jpg").channels, 1);
    pg_run same = pg_shell("cmp noisy_clean.png noisy1.png");
    EXPECT(same, 0, "");
}
END_TEST

START_TEST(environment_is_heeded_and_checked)
{
    pg_picture("e.png", 8, 8, 3, 8);
    pg_run r = pg_shell("TINTYPE_THREADS=none \"$T\" upscale e.png"),
           s = pg_shell("TINTYPE_MEMORY=x \"$T\" upscale e.png"),
           t = pg_shell("TINTYPE_CPU=mmx \"$T\" upscale e.png"),
           u = pg_shell(
               "TINTYPE_THREADS=3 TINTYPE_MEMORY=1G TINTYPE_CPU=scalar \"$T\" upscale -v e.png -o e3.png"),
           v = pg_shell("TINTYPE_THREADS=3 POSIXLY_CORRECT=1 \"$T\" upscale -v e.png -t 2 -o e2.png");
    EXPECT(r, 2, "TINTYPE_THREADS is none");
    EXPECT(s, 2, "TINTYPE_MEMORY is x");
    EXPECT(t, 2, "TINTYPE_CPU is mmx");
    EXPECT(u, 0, "scalar kernels, 3 threads, 1.1 GB");
    EXPECT(v, 0, "2 threads");
}
END_TEST

START_TEST(a_full_disk_as_standard_output_is_noticed)
{
    pg_picture("f.png", 8, 8, 3, 8);
    static const char *const lines[] = {
        "\"$T\" help >/dev/full",
        "\"$T\" help --man >/dev/full",
        "\"$T\" version >/dev/full",
        "\"$T\" info default >/dev/full",
        "\"$T\" compare f.png f.png >/dev/full",
        "\"$T\" upscale f.png -o - >/dev/full",
        "\"$T\" upscale f.png -f png -o /dev/full",
        "\"$T\" info --json f.png >/dev/full",
        "\"$T\" help >&-",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pg_run r = pg_shell(lines[i]);
        ck_assert_msg(r.code == 75, "%s: %d %s", lines[i], r.code, r.err);
        ck_assert(!strncmp(r.err, "tintype: ", 9));
    }
    pg_run r = pg_shell("\"$T\" help --man | head -1");
    EXPECT(r, 0, "");
}
END_TEST

/* ---- compare, info, run, bench -------------------------------------------------------------------- */

START_TEST(compare_measures)
{
    pg_picture("a.png", 64, 48, 3, 8);
    pg_picture("b.jpg", 64, 48, 3, 8);
    pg_picture("c.png", 32, 24, 3, 8);
    pg_run same = RUN("compare", "a.png", "a.png"),
           r = RUN("compare", "--json", "--rgb", "--border", "2", "a.png", "b.jpg"),
           sizes = RUN("compare", "a.png", "c.png"),
           side = RUN("compare", "a.png", "c.png", "-o", "side.png"),
           again = RUN("compare", "a.png", "c.png", "-o", "side.png"),
           gone = RUN("compare", "a.png", "none.png");
    EXPECT(same, 0, "");
    ck_assert(!strncmp(same.out, "PSNR inf, SSIM 1.000000", 22));
    EXPECT(r, 0, "");
    json_t *o = json_loads(r.out, 0, NULL);
    ck_assert_ptr_nonnull(o);
    const double psnr = json_real_value(json_object_get(o, "psnr")),
                 ssim = json_real_value(json_object_get(o, "ssim"));
    ck_assert(psnr > 15 && psnr < 60 && ssim > 0.5 && ssim < 1);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "border")), 2);
    json_decref(o);
    EXPECT(sizes, 2, "a.png and c.png");
    EXPECT(side, 0, "");
    ck_assert_int_ge(pg_shape_of("side.png").width, 128);
    EXPECT(again, 73, "side.png: exists already");
    EXPECT(gone, 66, "none.png");
}
END_TEST

START_TEST(info_describes)
{
    pg_picture("g.png", 40, 30, 2, 16);
    pg_store("stray.txt", "hello", 5);
    pg_store("empty", "", 0);
    pg_run r = RUN("info", "--json", "g.png", "default"),
           plan = RUN("info", "--plan", "--size", "64x48", "default"), bad = RUN("info", "stray.txt"),
           empty = RUN("info", "empty"), two = RUN("info", "stray.txt", "g.png"), dir = RUN("info", "."),
           gone = RUN("info", "none");
    EXPECT(r, 0, "");
    char *second = strchr(r.out, '\n') + 1;
    second[-1] = 0;
    json_t *o = json_loads(r.out, 0, NULL), *n = json_loads(second, 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), 40);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "channels")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "depth")), 16);
    ck_assert(json_number_value(json_object_get(n, "scale")) == 2);
    ck_assert_int_gt(json_integer_value(json_object_get(n, "parameters")), 1000);
    json_decref(o);
    json_decref(n);
    EXPECT(plan, 0, "");
    ck_assert(strstr(plan.out, "64 x 48") || strstr(plan.out, "48 x 64"));
    EXPECT(bad, 65, "stray.txt: neither a picture");
    EXPECT(empty, 65, "empty: ");
    EXPECT(two, 1, "stray.txt");
    ck_assert_ptr_nonnull(strstr(two.out, "g.png"));
    EXPECT(dir, 66, "directory");
    EXPECT(gone, 66, "none: ");
}
END_TEST

/* For every network and any size there is a plan; where the network cannot take the size, for the next one. */
START_TEST(every_network_has_a_plan)
{
    static const char *const sizes[] = {"1x1", "33x21", "61x47", "1001x3"};
    char rel[128];
    snprintf(rel, sizeof rel, "%s/weights.safetensors", nt_sets[_i].folder);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pg_run r = RUN("info", "--json", "--plan", "--size", sizes[i], golden_path(rel)),
               text = RUN("info", "--plan", "--size", sizes[i], golden_path(rel));
        EXPECT(r, 0, "");
        EXPECT(text, 0, "");
        json_t *o = json_loads(r.out, 0, NULL), *in = json_object_get(json_object_get(o, "plan"), "input");
        int w, h;
        sscanf(sizes[i], "%dx%d", &w, &h);
        const int pw = (int)json_integer_value(json_array_get(in, 2)), ph = (int)json_integer_value(json_array_get(in, 1));
        ck_assert_msg(pw >= w && ph >= h, "%s: %s became %dx%d", rel, sizes[i], pw, ph);
        ck_assert_msg(!strstr(text.out, "cannot take") == (pw == w && ph == h), "%s: %s", rel, text.out);
        json_decref(o);
    }
}
END_TEST

static void tensor_file(const char *name, const char *const *names, size_t count, int rank,
                        const size_t *shape)
{
    static const float zeros[4096];
    tt_tensor_out t[4];
    unsigned char *bytes;
    size_t size;
    tt_error e;
    for (size_t i = 0; i < count; i++) {
        t[i] = (tt_tensor_out){.name = names[i], .rank = rank, .data = zeros};
        memcpy(t[i].shape, shape, (size_t)rank * sizeof *shape);
    }
    ck_assert_msg(!tt_safetensors_write(t, count, NULL, &bytes, &size, &e), "%s", e.text);
    pg_store(name, bytes, size);
    free(bytes);
}

static const char *const sets[] = {"srcnn/915",    "srvgg/x2",      "vdsr/bias",
                                   "rrdb/body_x4", "waifu2x/cunet", "waifu2x/vgg_7_y"};

START_TEST(run_agrees_with_the_goldens)
{
    char rel[128];
    tt_weights want, got;
    tt_error e;
    snprintf(rel, sizeof rel, "%s/weights.safetensors", sets[_i]);
    char *weights = realpath(golden_path(rel), NULL); /* the program runs elsewhere */
    snprintf(rel, sizeof rel, "%s/case0.safetensors", sets[_i]);
    char *in = realpath(golden_path(rel), NULL);
    ck_assert_msg(weights && in, "%s is not among the golden files", rel);
    pg_run r = RUN("run", "-m", weights, in, "out.safetensors", "--overwrite");
    EXPECT(r, 0, "-> out.safetensors [");
    ck_assert_msg(!tt_weights_open(&want, in, &e), "%s", e.text);
    ck_assert_msg(!tt_weights_open(&got, pg_at("out.safetensors"), &e), "%s", e.text);
    const tt_tensor *a = tt_weights_find(&want, "output"), *b = tt_weights_find(&got, "output");
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(a->rank, b->rank);
    ck_assert_mem_eq(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
    float *x = malloc(a->count * sizeof *x), *y = malloc(a->count * sizeof *y);
    ck_assert(!tt_tensor_floats(&want, a, x, &e) && !tt_tensor_floats(&got, b, y, &e));
    for (size_t i = 0; i < a->count; i++)
        ck_assert_msg(fabsf(x[i] - y[i]) <= 2e-5f, "%s: value %zu is %g, wanted %g", sets[_i], i,
                      (double)y[i], (double)x[i]);
    free(x);
    free(y);
    tt_weights_clear(&want);
    tt_weights_clear(&got);
    free(weights);
    free(in);
}
END_TEST

START_TEST(run_takes_and_refuses_tensors)
{
    const size_t chw[] = {3, 5, 7}, one[] = {1, 3, 5, 7}, two[] = {2, 3, 5, 7}, thin[] = {5, 7};
    const char *const other[] = {"x"}, *const both[] = {"x", "y"}, *const input[] = {"a", "input"},
                *const in[] = {"a", "in"};
    tensor_file("chw", other, 1, 3, chw);
    tensor_file("one", input, 2, 4, one);
    tensor_file("short", in, 2, 3, chw);
    tensor_file("two", other, 1, 4, two);
    tensor_file("thin", other, 1, 2, thin);
    tensor_file("both", both, 2, 3, chw);
    tensor_file("grey", other, 1, 3, (const size_t[]){1, 5, 7});
    pg_run a = RUN("run", "chw", "chw.out"), b = RUN("run", "one", "one.out"), c = RUN("run", "two", "no"),
           d = RUN("run", "thin", "no"), e = RUN("run", "both", "no"), f = RUN("run", "grey", "no"),
           again = RUN("run", "chw", "chw.out"), gone = RUN("run", "none", "no"),
           nodir = RUN("run", "chw", "no/no"),
           pipe = pg_shell("\"$T\" run - - <chw >piped.out && cmp piped.out chw.out");
    EXPECT(a, 0, "[3,5,7] -> chw.out [3,10,14]");
    EXPECT(b, 0, "one.out");
    pg_run named = RUN("run", "short", "short.out");
    EXPECT(named, 0, "short.out");
    EXPECT(c, 65, "two: x has the shape [2,3,5,7]");
    EXPECT(d, 65, "thin: x has the shape [5,7]");
    EXPECT(e, 65, "both: holds 2 tensors and none is called \"input\"");
    EXPECT(f, 65, "grey: has 1 channels, and the network takes 3");
    EXPECT(again, 73, "chw.out: exists already");
    EXPECT(gone, 66, "none: ");
    EXPECT(nodir, 73, "no/no");
    EXPECT(pipe, 0, "");
    ck_assert(!pg_there("no"));
    tt_weights w;
    tt_error err;
    ck_assert(!tt_weights_open(&w, pg_at("one.out"), &err));
    ck_assert_int_eq(tt_weights_find(&w, "output")->rank, 4);
    tt_weights_clear(&w);
    pg_run info = RUN("info", "both");
    EXPECT(info, 0, "");
    ck_assert_ptr_nonnull(strstr(info.out, "x F32 [3,5,7]"));
}
END_TEST

START_TEST(bench_measures)
{
    pg_run r = RUN("bench", "--only", "conv1x1", "--seconds", "0.01", "--json");
    EXPECT(r, 0, "");
    json_t *o = json_loads(r.out, JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_ptr_nonnull(o);
    ck_assert(json_number_value(json_object_get(o, "ms")) > 0);
    json_decref(o);
}
END_TEST

START_TEST(bench_runs_one_kernel)
{
    pg_run r = RUN("bench", "--kernel", "clamp", "--isa", "scalar", "--seconds", "0.05", "--json");
    EXPECT(r, 0, "");
    json_t *o = json_loads(r.out, 0, NULL); /* and nothing after it */
    ck_assert_ptr_nonnull(o);
    ck_assert_str_eq(json_string_value(json_object_get(o, "case")), "clamp");
    ck_assert_str_eq(json_string_value(json_object_get(o, "isa")), "scalar");
    const double runs = json_number_value(json_object_get(o, "runs")), ms = json_number_value(json_object_get(o, "ms"));
    const double seconds = json_number_value(json_object_get(o, "seconds"));
    ck_assert(seconds >= 0.05 && runs >= 1);
    ck_assert_double_eq_tol(runs * ms / 1e3, seconds, 0.05 * seconds);
    ck_assert(json_number_value(json_object_get(o, "gbytes")) > 0);
    json_decref(o);
}
END_TEST

/* ---- determinism, machines, people ---------------------------------------------------------------- */

START_TEST(threads_and_memory_do_not_change_a_byte)
{
    static const char *const threads[] = {"2", "3", "7"}, *const memory[] = {"7M", "16M", "200M"};
    pg_picture("d.png", 211, 173, 3, 8);
    pg_run first = RUN("upscale", "-t", "1", "d.png", "-o", "d1.png");
    EXPECT(first, 0, "");
    for (int i = 0; i < 3; i++) {
        pg_run r = RUN("upscale", "-t", threads[i], "d.png", "-o", "dn.png", "--overwrite");
        EXPECT(r, 0, "");
        ck_assert_msg(pg_same("d1.png", "dn.png"), "%s threads", threads[i]);
        pg_run s = RUN("upscale", "-t", "2", "--memory", memory[i], "d.png", "-o", "dm.png", "--overwrite");
        EXPECT(s, 0, "");
        ck_assert_msg(pg_same("d1.png", "dm.png"), "--memory %s", memory[i]);
    }
    pg_run least = RUN("upscale", "--memory", "1M", "--size", "3000x", "d.png", "-o", "dx.png");
    EXPECT(least, 75, "d.png: ");
    ck_assert(!pg_there("dx.png"));
}
END_TEST

START_TEST(json_lines_tell_the_story)
{
    pg_picture("j.png", 20, 10, 3, 8);
    pg_store("broken.png", "\x89PNG\r\n\x1a\n....", 12);
    pg_run r = RUN("upscale", "--json", "j.png", "broken.png", "-o", "json/"),
           dry = RUN("upscale", "--json", "--dry-run", "j.png");
    EXPECT(r, 1, "tintype: broken.png: ");
    char seen[256] = "";
    for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(o != NULL, "%s", line);
        const char *event = json_string_value(json_object_get(o, "event"));
        if (strcmp(event, "progress"))
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", event);
        if (!strcmp(event, "done"))
            ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), 40);
        if (!strcmp(event, "error"))
            ck_assert_int_eq(json_integer_value(json_object_get(o, "code")), 65);
        if (!strcmp(event, "summary"))
            ck_assert_int_eq(json_integer_value(json_object_get(o, "failed")), 1);
        json_decref(o);
    }
    ck_assert_str_eq(seen, "start done start error summary ");
    EXPECT(dry, 0, "");
    ck_assert_ptr_nonnull(strstr(dry.out, "\"event\":\"plan\""));
    ck_assert(!pg_there("j_x2.png"));
}
END_TEST

START_TEST(a_terminal_shows_a_bar)
{
    pg_picture("t.png", 700, 500, 3, 8);
    pg_run r = pg_terminal((const char *const[]){"upscale", "-t", "1", "t.png", NULL}),
           q = pg_terminal((const char *const[]){"upscale", "-q", "t.png", "-o", "tq.png", NULL}),
           o = pg_terminal((const char *const[]){"upscale", "t.png", "-o", "-", NULL}),
           plain = RUN("upscale", "t.png", "-o", "u.png");
    EXPECT(r, 0, " %");
    ck_assert_ptr_nonnull(strstr(r.out, "##"));
    ck_assert_ptr_nonnull(strstr(r.out, "t.png 700x500 -> t_x2.png 1400x1000, default x2, "));
    EXPECT(q, 0, "");
    ck_assert_str_eq(q.out, "");
    EXPECT(o, 2, "standard output is a terminal");
    EXPECT(plain, 0, "t.png 700x500 -> u.png 1400x1000, default x2, ");
    ck_assert_ptr_null(strchr(plain.err, '\r'));
    ck_assert_ptr_eq(strchr(plain.err, '\n'), plain.err + plain.err_size - 1);
    ck_assert_uint_eq(plain.out_size, 0);
}
END_TEST

Suite *suite_src_cli(void)
{
    Suite *s = suite_create("src/cli");
    TCase *t = tcase_create("cli");
    int commands = 0;
    while (tt_commands[commands].name)
        commands++;
    suite_add_tcase(s, t);
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, pg_setup, pg_teardown);
    tcase_add_test(t, no_command_is_an_error_with_help);
    tcase_add_test(t, wrong_commands_are_answered_with_the_right_one);
    tcase_add_loop_test(t, help_of_each_command_names_each_option, 0, commands);
    tcase_add_test(t, help_and_version_on_request_succeed);
    tcase_add_test(t, manual_page_has_no_warnings);
    tcase_add_test(t, bash_completes);
    tcase_add_test(t, zsh_takes_its_completion);
    tcase_add_loop_test(t, nonsense_is_refused, 0, (int)(sizeof nonsense / sizeof *nonsense));
    tcase_add_test(t, denoise_keeps_the_size);
    tcase_add_test(t, environment_is_heeded_and_checked);
    tcase_add_test(t, a_full_disk_as_standard_output_is_noticed);
    tcase_add_test(t, compare_measures);
    tcase_add_test(t, info_describes);
    tcase_add_loop_test(t, every_network_has_a_plan, 0, nt_set_count);
    tcase_add_loop_test(t, run_agrees_with_the_goldens, 0, (int)(sizeof sets / sizeof *sets));
    tcase_add_test(t, run_takes_and_refuses_tensors);
    tcase_add_test(t, bench_measures);
    tcase_add_test(t, bench_runs_one_kernel);
    tcase_add_test(t, threads_and_memory_do_not_change_a_byte);
    tcase_add_test(t, json_lines_tell_the_story);
    tcase_add_test(t, a_terminal_shows_a_bar);
    return s;
}
