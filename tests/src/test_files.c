/* Files in, files out: names, trees, what exists, what is damaged, pipes, signals. */
#define _GNU_SOURCE
#include "src/image/grey.h"
#include "tests/src/kit.h"
#include "tests/src/program.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void make_dir(const char *name)
{
    ck_assert_int_eq(mkdir(pg_at(name), 0777), 0);
}

/* ---- names ---------------------------------------------------------------------------------------- */

START_TEST(names_follow_the_rules)
{
    pg_within("names");
    pg_picture("a.png", 10, 8, 3, 8);
    pg_picture("b.JPG", 10, 8, 3, 8);
    pg_picture("c.png", 10, 8, 3, 8);
    ck_assert_int_eq(rename(pg_at("c.png"), pg_at("c.jpg")), 0); /* the content decides */
    make_dir("dir");
    pg_run r = RUN("upscale", "a.png", "b.JPG", "c.jpg"), half = RUN("upscale", "-s", "1.5", "a.png"),
           size = RUN("upscale", "--size", "30x", "a.png"), into = RUN("upscale", "a.png", "-o", "dir"),
           made = RUN("upscale", "a.png", "b.JPG", "-o", "new/deep/"),
           jpeg = RUN("upscale", "-f", "jpeg", "a.png"),
           pattern = RUN("upscale", "a.png", "b.JPG", "-o", "p{x}/{stem}-{scale}{ext}.png"),
           dash = RUN("upscale", "--", "a.png", "-o"), dashed = RUN("upscale", "-o", "-x.png", "a.png");
    EXPECT(r, 0, "3 done, 0 passed over, 0 failed");
    EXPECT(half, 0, "default x1.5");
    EXPECT(size, 0, "a.png 10x8 -> a_30x.png 30x24, default, ");
    EXPECT(into, 0, "dir/a_x2.png");
    EXPECT(made, 0, "");
    EXPECT(jpeg, 0, "a_x2.jpg");
    EXPECT(pattern, 0, "");
    EXPECT(dash, 1, "-o: ");
    EXPECT(dashed, 0, "");
    static const char *const wanted[] = {"a_x2.png",          "b_x2.JPG",          "c_x2.png",
                                         "a_x1.5.png",        "a_30x.png",         "dir/a_x2.png",
                                         "new/deep/a_x2.png", "new/deep/b_x2.JPG", "a_x2.jpg",
                                         "p{x}/a-2png.png",   "p{x}/b-2JPG.png",   "-x.png"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(pg_there(wanted[i]), "%s is missing", wanted[i]);
    ck_assert_int_eq(pg_shape_of("a_x1.5.png").width, 15);
    ck_assert_int_eq(pg_shape_of("a_x1.5.png").height, 12);
}
END_TEST

START_TEST(odd_names_work_and_are_shown_in_one_line)
{
    static const char *const names[] = {"new\nline.png",
                                        "-dash.png",
                                        "inv\xff\xfe"
                                        "alid.png",
                                        "\xc3\xa9t\xc3\xa9.png",
                                        "{stem}.png",
                                        "a b\t.png",
                                        "\x1b[31m.png"};
    static const char *const shown[] = {"new\\x0aline.png",      "-dash.png",  "inv\\xff\\xfealid.png",
                                        "\xc3\xa9t\xc3\xa9.png", "{stem}.png", "a b\\x09.png",
                                        "\\x1b[31m.png"};
    pg_within("odd");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pg_picture(names[i], 6, 6, 3, 8);
        pg_run r = RUN("upscale", "-o", "out/", "--", names[i]),
               again = RUN("upscale", "--json", "-o", "out/", "--", names[i]);
        EXPECT(r, 0, shown[i]);
        ck_assert_ptr_eq(strchr(r.err, '\n'), r.err + r.err_size - 1);
        EXPECT(again, 73, "exists already");
        for (size_t k = 0; k + 1 < again.err_size; k++)
            ck_assert_uint_ge((unsigned char)again.err[k], 0x20);
        pg_run gone = RUN("upscale", "--", "x", names[i], "-y\n");
        EXPECT(gone, 1, "tintype: -y\\x0a: ");
    }
    char name[256], from[300];
    memset(name, 'n', 255);
    memcpy(name + 250, ".png", 5);
    pg_picture(name, 6, 6, 3, 8); /* 254 bytes: the result's name is too long, and says so */
    snprintf(from, sizeof from, "./%s", name);
    pg_run r = RUN("upscale", from), ok = RUN("upscale", from, "-o", "short.png"),
           same = RUN("upscale", "--overwrite", from, "-o", from);
    EXPECT(r, 73, "too long");
    EXPECT(ok, 0, "");
    EXPECT(same, 0, "");
}
END_TEST

/* ---- trees ---------------------------------------------------------------------------------------- */

START_TEST(a_tree_is_kept)
{
    pg_within("trees");
    make_dir("album");
    make_dir("album/summer");
    make_dir("album/summer/deep");
    make_dir("album/.hidden");
    pg_picture("album/one.png", 9, 9, 3, 8);
    pg_picture("album/summer/one.png", 9, 9, 1, 8);
    pg_picture("album/summer/deep/two.jpg", 9, 9, 3, 8);
    pg_picture("album/.secret.png", 9, 9, 3, 8);
    pg_picture("album/.hidden/three.png", 9, 9, 3, 8);
    pg_store("album/Thumbs.db", "no picture", 10);
    pg_store("album/empty.png", "", 0);
    ck_assert_int_eq(symlink("..", pg_at("album/summer/round")), 0);
    ck_assert_int_eq(symlink("one.png", pg_at("album/link.png")), 0);
    ck_assert_int_eq(mkfifo(pg_at("album/fifo.png"), 0666), 0);
    pg_run without = RUN("upscale", "album"), nowhere = RUN("upscale", "-r", "album"),
           r = RUN("upscale", "-rv", "album", "-o", "large"),
           again = RUN("upscale", "-r", "--skip-existing", "album/", "-o", "large/"),
           some = RUN("upscale", "album", "album/one.png");
    EXPECT(without, 66, "album: is a directory; with -r");
    EXPECT(nowhere, 2, "say with -o");
    EXPECT(r, 0, "4 done, 0 passed over, 0 failed");
    ck_assert_ptr_nonnull(strstr(r.err, "album/Thumbs.db: passed over"));
    ck_assert_ptr_nonnull(strstr(r.err, "album/summer/round: passed over: a link to a directory"));
    ck_assert_ptr_nonnull(strstr(r.err, "album/fifo.png: passed over"));
    ck_assert(pg_there("large/one_x2.png") && pg_there("large/link_x2.png") &&
              pg_there("large/summer/one_x2.png") && pg_there("large/summer/deep/two_x2.jpg"));
    ck_assert_int_eq(pg_shape_of("large/summer/one_x2.png").channels, 1);
    ck_assert_int_eq(pg_entries("large"), 3);
    EXPECT(again, 0, "0 done, 4 passed over, 0 failed");
    ck_assert_ptr_null(strstr(again.err, "Thumbs"));
    EXPECT(some, 1, "1 done");
    /* results below the tree are no inputs of the next run */
    pg_run inside = RUN("upscale", "-r", "album", "-o", "album/large"),
           twice = RUN("upscale", "-r", "--overwrite", "album", "-o", "album/large"),
           pattern = RUN("upscale", "-r", "album/summer", "-o", "flat/{stem}.{ext}"),
           bare = RUN("upscale", "-r", "album/.hidden", "-o", "h");
    EXPECT(inside, 0, "5 done"); /* one_x2.png of `some` is among them */
    EXPECT(twice, 0, "5 done");
    EXPECT(pattern, 0, "");
    ck_assert(pg_there("flat/one.png") && pg_there("flat/deep/two.jpg"));
    EXPECT(bare, 0, ""); /* named by the user, so not hidden */
    make_dir("nothing");
    pg_run none = RUN("upscale", "-r", "nothing", "-o", "n");
    EXPECT(none, 0, "no picture");
}
END_TEST

START_TEST(two_into_one_is_refused_before_anything_is_done)
{
    pg_within("twice");
    make_dir("x");
    make_dir("y");
    pg_picture("x/p.png", 9, 9, 3, 8);
    pg_picture("y/p.png", 9, 9, 3, 8);
    pg_picture("x/q.png", 9, 9, 3, 8);
    pg_run r = RUN("upscale", "x/q.png", "x/p.png", "y/p.png", "-o", "out/"),
           dots = RUN("upscale", "x/p.png", "x/../x/./p.png"),
           eats = RUN("upscale", "--overwrite", "x/p.png", "x/q.png", "-o", "x/q{ext}.png"),
           chain = RUN("upscale", "--overwrite", "x/q.png", "x/p.png", "-o", "./x/p.{ext}");
    EXPECT(r, 2, "x/p.png and y/p.png would both become out/p_x2.png");
    ck_assert(!pg_there("out"));
    EXPECT(dots, 2, "would both become");
    EXPECT(eats, 2, "would both become");
    EXPECT(chain, 2, "would both become");
    pg_picture("x/p_x2.png", 9, 9, 3, 8);
    pg_run input = RUN("upscale", "--overwrite", "x/p.png", "x/p_x2.png");
    EXPECT(input, 2, "x/p.png would become x/p_x2.png, which is an input too");
    pg_run skip =
        RUN("upscale", "--skip-existing", "x/p.png", "x/p_x2.png"); /* where nothing is replaced, no harm */
    EXPECT(skip, 0, "1 done, 1 passed over, 0 failed");
    ck_assert_int_eq(pg_shape_of("x/p_x2.png").width, 9);
}
END_TEST

/* ---- what exists ---------------------------------------------------------------------------------- */

START_TEST(nothing_existing_is_touched_unasked)
{
    pg_within("exists");
    pg_picture("in.png", 12, 9, 3, 8);
    pg_store("out.png", "precious", 8);
    pg_store("in_x2.png", "precious", 8);
    pg_run r = RUN("upscale", "in.png", "-o", "out.png"), beside = RUN("upscale", "in.png"),
           self = RUN("upscale", "in.png", "-o", "in.png"),
           skip = RUN("upscale", "--skip-existing", "in.png", "-o", "out.png"),
           shown = RUN("upscale", "--skip-existing", "-v", "in.png", "-o", "out.png"),
           dir = RUN("upscale", "in.png", "-o", "none/out.png");
    EXPECT(r, 73, "out.png: exists already; --overwrite replaces it");
    EXPECT(beside, 73, "in_x2.png: exists already");
    EXPECT(self, 73, "in.png: exists already");
    EXPECT(skip, 0, "");
    ck_assert_str_eq(skip.err, "");
    EXPECT(shown, 0, "passed over: out.png exists");
    EXPECT(dir, 73, "none/out.png: cannot be created: there is no directory none");
    size_t n;
    char *kept = pg_contents("out.png", &n);
    ck_assert_str_eq(kept, "precious");
    free(kept);
    ck_assert_int_eq(chmod(pg_at("out.png"), 0640), 0);
    pg_run over = RUN("upscale", "--overwrite", "in.png", "-o", "out.png");
    EXPECT(over, 0, "");
    struct stat st;
    ck_assert_int_eq(stat(pg_at("out.png"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(pg_shape_of("out.png").width, 24);
    /* output = input, also through a link, which stays one */
    ck_assert_int_eq(symlink("in.png", pg_at("link.png")), 0);
    pg_run in_place = RUN("upscale", "--overwrite", "in.png", "-o", "link.png");
    EXPECT(in_place, 0, "");
    ck_assert_int_eq(pg_shape_of("in.png").width, 24);
    ck_assert(!lstat(pg_at("link.png"), &st) && S_ISLNK(st.st_mode));
    ck_assert_int_eq(pg_entries("."), 4);
}
END_TEST

START_TEST(a_directory_that_may_not_be_written_is_named)
{
    pg_within("locked");
    pg_picture("in.png", 12, 9, 3, 8);
    pg_store("hidden.png", "x", 1);
    make_dir("shut");
    ck_assert_int_eq(chmod(pg_at("hidden.png"), 0), 0);
    ck_assert_int_eq(chmod(pg_at("shut"), 0555), 0);
    ck_assert_int_eq(chmod(pg_at("in.png"), 0644), 0);
    pg_run r = pg_nobody((const char *const[]){"upscale", "in.png", "-o", "shut/out.png", NULL}),
           in = pg_nobody(
               (const char *const[]){"upscale", "hidden.png", "-o", "/dev/null", "-f", "png", NULL}),
           made = pg_nobody((const char *const[]){"upscale", "in.png", "-o", "shut/new/", NULL});
    if (r.code == 126) {
        puts("skipped: no ordinary user can run the program here, directories that may not be written are "
             "not checked");
        return;
    }
    EXPECT(r, 73, "shut/out.png: cannot be created: Permission denied");
    EXPECT(in, 66, "hidden.png: cannot be opened: Permission denied");
    EXPECT(made, 73, "shut/new: the directory cannot be made");
    ck_assert_int_eq(pg_entries("shut"), 0);
}
END_TEST

/* ---- what is wrong -------------------------------------------------------------------------------- */

START_TEST(wrong_inputs_have_their_sentence_and_code)
{
    pg_within("wrong");
    pg_picture("good.png", 30, 20, 3, 8);
    pg_picture("good.jpg", 30, 20, 3, 8);
    size_t n;
    char *png = pg_contents("good.png", &n);
    pg_store("cut.png", png, n / 2);
    png[n / 2] ^= 0x40;
    pg_store("flipped.png", png, n);
    free(png);
    char *jpeg = pg_contents("good.jpg", &n);
    pg_store("cut.jpg", jpeg, n * 2 / 3);
    free(jpeg);
    pg_store("empty.png", "", 0);
    pg_store("text.png", "hello, world\n", 13);
    make_dir("dir.png");
    static const struct {
        const char *input;
        int code;
    } cases[] = {{"none.png", 66},    {"empty.png", 65}, {"text.png", 65}, {"cut.png", 65},
                 {"flipped.png", 65}, {"cut.jpg", 65},   {"dir.png", 66},  {"good.png/x", 66}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char begin[64];
        snprintf(begin, sizeof begin, "tintype: %s: ", cases[i].input);
        pg_run r = RUN("upscale", cases[i].input, "-o", "out.png");
        EXPECT(r, cases[i].code, begin);
        ck_assert_ptr_eq(strchr(r.err, '\n'), r.err + r.err_size - 1); /* one sentence */
        ck_assert(!pg_there("out.png"));
        pg_run two = RUN("upscale", cases[i].input, "good.png", "-o", "o/"),
               fast = RUN("upscale", "--fail-fast", cases[i].input, "good.jpg", "-o", "f/");
        EXPECT(two, 1, "1 done, 0 passed over, 1 failed");
        ck_assert_int_eq(pg_shape_of("o/good_x2.png").width, 60);
        ck_assert_int_eq(remove(pg_at("o/good_x2.png")), 0);
        EXPECT(fast, 1, begin);
        ck_assert(!pg_there("f/good_x2.jpg"));
    }
    pg_run salvaged = RUN("upscale", "--salvage", "cut.jpg", "-o", "saved.jpg"),
           weights = RUN("upscale", "-m", "text.png", "good.png"),
           no_weights = RUN("upscale", "-m", "none", "good.png"),
           large = RUN("upscale", "--max-pixels", "599", "good.png"),
           enough = RUN("upscale", "--max-pixels", "0.6K", "good.png"),
           special = RUN("upscale", "/dev/null", "-o", "null.png");
    EXPECT(salvaged, 0, "cut.jpg: damaged; ");
    ck_assert_int_eq(pg_shape_of("saved.jpg").width, 60);
    EXPECT(weights, 65, "text.png: ");
    EXPECT(no_weights, 66, "none: ");
    EXPECT(large, 75, "good.png: 30 x 20 pixels");
    EXPECT(enough, 0, "");
    EXPECT(special, 65, "/dev/null: ");
}
END_TEST

START_TEST(kinds_of_pictures_stay_what_they_are)
{
    pg_within("kinds");
    static const char *const name[] = {"grey.png", "alpha.png", "rgb.png", "rgba.png"};
    for (int c = 1; c <= 4; c++)
        for (int depth = 8; depth <= 16; depth += 8) {
            pg_picture(name[c - 1], 14, 11, c, depth);
            pg_run r = RUN("upscale", "--overwrite", name[c - 1], "-o", "out.png"),
                   to16 = RUN("upscale", "--overwrite", "--depth", "16", name[c - 1], "-o", "16.png"),
                   to8 = RUN("upscale", "--overwrite", "--depth", "8", name[c - 1], "-o", "8.png");
            EXPECT(r, 0, "");
            EXPECT(to16, 0, "");
            EXPECT(to8, 0, "");
            const pg_shape s = pg_shape_of("out.png");
            ck_assert(s.width == 28 && s.height == 22 && s.channels == c && s.depth == depth);
            ck_assert_int_eq(pg_shape_of("16.png").depth, 16);
            ck_assert_int_eq(pg_shape_of("8.png").depth, 8);
            /* no rounding to 8 bits on the way: what comes out in 16 is what comes out in 8, but finer */
            if (depth == 8) {
                pg_run same = RUN("compare", "--rgb", "16.png", "out.png");
                EXPECT(same, 0, "");
                ck_assert_ptr_null(strstr(same.out, "inf"));
            }
        }
    pg_run jpeg = RUN("upscale", "rgba.png", "-o", "out.jpg"), deep = RUN("upscale", "-f", "jpeg", "rgb.png"),
           shallow = RUN("upscale", "--depth", "8", "-f", "jpeg", "rgb.png");
    EXPECT(jpeg, 65, "out.jpg: ");
    EXPECT(deep, 65, "rgb_x2.jpg: ");
    EXPECT(shallow, 0, "rgb_x2.jpg");
    ck_assert(!pg_there("out.jpg"));
}
END_TEST

/* Grey stored as colour, as scanners do: what comes out is grey, stored as colour, with its profile. */
START_TEST(grey_stays_grey)
{
    pg_within("grey");
    for (int channels = 3; channels <= 4; channels++)
        for (int depth = 8; depth <= 16; depth += 8) {
            tt_image img = {0}, got = {0};
            tt_error err = {0};
            const tt_write_options o = {.overwrite = true};
            tt_blob icc = kit_profile("RGB ");
            ck_assert(!tt_image_init(&img, 40, 30, channels - 2, depth, NULL));
            kit_random(img.samples, (size_t)40 * 30 * tt_image_pixel_bytes(&img), 4);
            ck_assert(!tt_image_from_grey(&img, NULL) && tt_image_only_grey(&img));
            img.icc = icc;
            ck_assert_msg(!tt_image_write(&img, pg_at("in.png"), &o, &err), "%s", err.text);
            pg_run r = RUN("upscale", "--overwrite", "in.png", "-o", "out.png");
            EXPECT(r, 0, "");
            ck_assert_msg(!tt_image_read(&got, pg_at("out.png"), NULL, &err), "%s", err.text);
            ck_assert(got.channels == channels && got.depth == depth && got.width == 80 && tt_image_only_grey(&got));
            kit_same_blob(&img.icc, &got.icc, "profile");
            /* the grey file's result, three times */
            tt_image_to_grey(&img);
            tt_blob_clear(&img.icc);
            ck_assert(!tt_image_write(&img, pg_at("grey.png"), &o, &err));
            pg_run same = RUN("upscale", "--overwrite", "grey.png", "-o", "want.png");
            EXPECT(same, 0, "");
            tt_image_clear(&img);
            ck_assert(!tt_image_read(&img, pg_at("want.png"), NULL, &err));
            if (channels == 3 && depth == 16) { /* 18 MB in colour, which are never there at once */
                pg_run tight = RUN("upscale", "--memory", "14M", "--size", "2000x1500", "in.png", "-o", "tight.png");
                EXPECT(tight, 0, "");
                const pg_shape shape = pg_shape_of("tight.png");
                ck_assert(shape.width == 2000 && shape.height == 1500 && shape.channels == 3 && shape.depth == 16);
            }
            tt_image_to_grey(&got);
            kit_same(&img, &got, "%d channels, %d bits", channels, depth);
            tt_image_clear(&img);
            tt_image_clear(&got);
        }
}
END_TEST

/* ---- pipes ---------------------------------------------------------------------------------------- */

START_TEST(pipes_both_ways)
{
    pg_within("pipes");
    pg_picture("in.png", 40, 30, 3, 8);
    pg_run file = RUN("upscale", "in.png", "-o", "file.png"),
           pipe = pg_shell("cat in.png | \"$T\" upscale - -o - | cat >piped.png"),
           usual = pg_shell("\"$T\" upscale -q - <in.png >usual.png"),
           out = pg_shell("\"$T\" upscale in.png -o - -f jpeg >out.jpg"),
           in = pg_shell("\"$T\" upscale - -o named.png <in.png"),
           chain = pg_shell("\"$T\" upscale in.png -o - 2>/dev/null | \"$T\" compare - file.png"),
           info = pg_shell("\"$T\" info - <in.png"), closed = pg_shell("\"$T\" upscale - -o c.png <&-"),
           gone = pg_shell("{ \"$T\" upscale --size 900x in.png -o -; echo $? >code; } | true; cat code");
    EXPECT(file, 0, "");
    EXPECT(pipe, 0, "standard input 40x30 -> standard output 80x60");
    ck_assert(pg_same("file.png", "piped.png"));
    EXPECT(usual, 0, "");
    ck_assert_str_eq(usual.err, "");
    ck_assert(pg_same("file.png", "usual.png"));
    EXPECT(out, 0, "");
    ck_assert_int_eq(pg_shape_of("out.jpg").width, 80);
    EXPECT(in, 0, "");
    ck_assert(pg_same("file.png", "named.png"));
    EXPECT(chain, 0, "");
    ck_assert(!strncmp(chain.out, "PSNR inf", 8));
    EXPECT(info, 0, "");
    ck_assert_ptr_nonnull(strstr(info.out, "40"));
    EXPECT(closed, 66, "standard input");
    EXPECT(gone, 0, "standard output: ");
    ck_assert_str_eq(gone.out, "73\n");
    size_t n;
    char *bytes = pg_contents("in.png", &n);
    pg_run fed = pg_exec((const char *const[]){"upscale", "-", "-o", "-", NULL}, bytes, n);
    EXPECT(fed, 0, "");
    char *whole = pg_contents("file.png", &n);
    ck_assert_uint_eq(fed.out_size, n);
    ck_assert_mem_eq(fed.out, whole, n);
    free(whole);
    free(bytes);
    /* a FIFO is written to, not replaced */
    ck_assert_int_eq(mkfifo(pg_at("fifo"), 0666), 0);
    pg_run fifo =
        pg_shell("cat fifo >through.png & \"$T\" upscale in.png -f png -o fifo; c=$?; wait; exit $c");
    EXPECT(fifo, 0, "");
    ck_assert(pg_same("file.png", "through.png"));
}
END_TEST

/* ---- signals -------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nap(double seconds)
{
    const struct timespec t = {.tv_sec = (time_t)seconds,
                               .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&t, NULL);
}

/* A run that would take long, from the moment the network is at work. */
static pid_t long_run(void)
{
    static const char *const arguments[] = {"upscale", "--json", "--tta",   "-t", "2",
                                            "big.png", "-o",     "out.png", NULL};
    char seen[8192];
    size_t n = 0;
    int out;
    const pid_t pid = pg_begin(arguments, &out);
    for (seen[0] = 0; !strstr(seen, "progress");) {
        const ssize_t got = read(out, seen + n, sizeof seen - 1 - n);
        ck_assert_msg(got > 0, "the run has ended: %s", seen);
        n += (size_t)got;
        seen[n] = 0;
    }
    return pid; /* `out` stays open: nobody is to die of SIGPIPE */
}

START_TEST(signals_leave_nothing)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGINT, SIGKILL};
    pg_within("signals");
    pg_picture("big.png", 1400, 1200, 3, 8);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const pid_t pid = long_run();
        kill(pid, signals[i]);
        if (i == 3) /* the second one ends it at once */
            kill(pid, SIGTERM);
        pg_run r = pg_end(pid);
        ck_assert_msg(r.signal == signals[i] || (i == 3 && r.signal == SIGTERM),
                      "signal %d, code %d, wanted signal %d", r.signal, r.code, signals[i]);
        ck_assert_int_eq(pg_entries("."), 1);
    }
    /* 130 and 143, as a shell sees it; what the shell ignores stays ignored */
    pg_run r = pg_shell("\"$T\" upscale --tta big.png -o out.png & p=$!; sleep 0.4; kill -TERM $p; wait $p");
    EXPECT(r, 143, "");
    pg_picture("small.png", 300, 200, 3, 8);
    pg_run ignored =
        pg_shell("trap '' INT; \"$T\" upscale small.png -o s.png & p=$!; sleep 0.05; kill -INT $p; wait $p");
    EXPECT(ignored, 0, "");
    ck_assert_int_eq(pg_shape_of("s.png").width, 600);
}
END_TEST

/* Reading and writing do not hear of signals; the program ends all the same. */
START_TEST(a_signal_while_waiting_for_input_is_obeyed)
{
    pg_within("waiting");
    pg_run r = pg_shell(
        "mkfifo f; exec 3<>f; \"$T\" upscale - -o out.png <f & p=$!; sleep 0.2; kill -TERM $p; wait $p");
    EXPECT(r, 143, "");
    ck_assert(!pg_there("out.png"));
}
END_TEST

START_TEST(kills_leave_the_old_file_or_the_new_one)
{
    pg_within("kills");
    static const char *const arguments[] = {"upscale", "--overwrite", "in.png", "-o", "out.png", NULL};
    pg_picture("in.png", 260, 200, 3, 8);
    pg_run r = RUN("upscale", "in.png", "-o", "new.png");
    EXPECT(r, 0, "");
    const double began = now();
    pg_exec(arguments, NULL, 0);
    const double whole = now() - began;
    int old = 0;
    for (int i = 0; i < 40; i++) {
        int out;
        pg_store("out.png", "old", 3);
        const pid_t pid = pg_begin(arguments, &out);
        nap(whole * 1.1 * i / 40);
        kill(pid, i % 2 ? SIGKILL : SIGTERM);
        pg_end(pid);
        close(out);
        size_t n;
        char *bytes = pg_contents("out.png", &n);
        if (n == 3)
            old++;
        ck_assert_msg(n == 3 ? !strcmp(bytes, "old") : pg_same("out.png", "new.png"),
                      "kill %d left %zu bytes", i, n);
        free(bytes);
        if (!(i % 2))
            ck_assert_msg(pg_entries(".") <= 3 + i, "more than one stray file a kill");
    }
    ck_assert_int_gt(old, 5);
    pg_run last = pg_exec(arguments, NULL, 0); /* sweeps what SIGKILL has left */
    EXPECT(last, 0, "");
    ck_assert_int_eq(pg_entries("."), 3);
}
END_TEST

Suite *suite_src_files(void)
{
    Suite *s = suite_create("src/files");
    TCase *t = tcase_create("files");
    suite_add_tcase(s, t);
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, pg_setup, pg_teardown);
    tcase_add_test(t, names_follow_the_rules);
    tcase_add_test(t, odd_names_work_and_are_shown_in_one_line);
    tcase_add_test(t, a_tree_is_kept);
    tcase_add_test(t, two_into_one_is_refused_before_anything_is_done);
    tcase_add_test(t, nothing_existing_is_touched_unasked);
    tcase_add_test(t, a_directory_that_may_not_be_written_is_named);
    tcase_add_test(t, wrong_inputs_have_their_sentence_and_code);
    tcase_add_test(t, kinds_of_pictures_stay_what_they_are);
    tcase_add_test(t, grey_stays_grey);
    tcase_add_test(t, pipes_both_ways);
    tcase_add_test(t, signals_leave_nothing);
    tcase_add_test(t, a_signal_while_waiting_for_input_is_obeyed);
    tcase_add_test(t, kills_leave_the_old_file_or_the_new_one);
    return s;
}
