/* `tintype models fetch` against servers of every kind, all of them on this machine. */
#define _GNU_SOURCE
#include "src/fetch.h"
#include "tests/faults.h"
#include "tests/src/program.h"
#include "tests/src/server.h"

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 300000 };
static unsigned char bytes[SIZE];

/* A directory for the test, where the files go, and the server. */
static void begin(const char *name)
{
    static const char *const unwanted[] = {"TINTYPE_OFFLINE", "TINTYPE_MIRROR", "TINTYPE_LIBCURL",
                                           "http_proxy",      "all_proxy",      "ALL_PROXY",
                                           "XDG_DATA_HOME"};
    pg_within(name);
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        unsetenv(unwanted[i]);
    setenv("TINTYPE_MODELS", pg_at("models"), 1);
    setenv("HOME", pg_at("home"), 1);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 251 + i / 65537);
    sv_begin(bytes, SIZE);
}

#define FETCH(path_, ...)                                                                                    \
    RUN("models", "fetch", "--sha256", sv_sha256(), "--url", sv_url(path_), "my.pth", __VA_ARGS__)

static void is_right(const char *name)
{
    size_t n;
    char *got = pg_contents(name, &n);
    ck_assert_uint_eq(n, SIZE);
    ck_assert_mem_eq(got, bytes, SIZE);
    free(got);
}

static size_t part_size(void)
{
    struct stat st;
    return stat(pg_at("models/.my.pth.part"), &st) ? 0 : (size_t)st.st_size;
}

static void put_part(const void *from, size_t n)
{
    (void)mkdir(pg_at("models"), 0777);
    pg_store("models/.my.pth.part", from, n);
}

static bool wait_for_part(size_t n)
{
    const struct timespec step = {.tv_nsec = 20000000};
    for (int i = 0; i < 500 && part_size() < n; i++)
        nanosleep(&step, NULL);
    return part_size() >= n;
}

/* ---- good servers --------------------------------------------------------------------------------- */

START_TEST(a_file_comes_whole_and_only_once)
{
    begin("whole");
    pg_run r = FETCH("/whole/f", "-q");
    EXPECT(r, 0, "");
    ck_assert_str_eq(r.err, "");
    is_right("models/my.pth");
    ck_assert_int_eq(pg_entries("models"), 1);
    ck_assert_int_eq(sv_requests(), 1);
    pg_run again = FETCH("/whole/f", "--overwrite");
    EXPECT(again, 0, "my.pth: is there already, SHA-256 right");
    ck_assert_int_eq(sv_requests(), 1);
    pg_store("models/my.pth", "something else", 14);
    pg_run other = FETCH("/whole/f", "-q");
    EXPECT(other, 73, "models/my.pth: is there and is another file; --overwrite replaces it");
    ck_assert_int_eq(sv_requests(), 1);
    pg_run over = FETCH("/whole/f", "--overwrite");
    EXPECT(over, 0, "my.pth: 300 kB, ");
    is_right("models/my.pth");
    ck_assert_int_eq(pg_entries("models"), 1);
}
END_TEST

START_TEST(without_a_sum_it_is_said_that_nothing_was_checked)
{
    begin("unchecked");
    pg_run r = RUN("models", "fetch", "--url", sv_url("/whole/f"), "free.pth"),
           again = RUN("models", "fetch", "--url", sv_url("/whole/f"), "free.pth"),
           cut = RUN("models", "fetch", "--url", sv_url("/cut/70000/f"), "--tries", "1", "cut.pth");
    EXPECT(r, 0, "not checked, as no SHA-256 is given; it is ");
    is_right("models/free.pth");
    EXPECT(again, 0, "is there already, not checked");
    EXPECT(cut, 75, "cut.pth: http://127.0.0.1:");
    ck_assert_int_eq(pg_entries("models"), 1); /* two halves could be of two files: nothing is kept */
}
END_TEST

START_TEST(machines_are_told_every_event)
{
    static const char *const wanted[] = {"start", "progress", "done", "summary"};
    size_t seen = 0;
    begin("json");
    pg_run r = FETCH("/trickle/f", "--json");
    EXPECT(r, 0, "");
    ck_assert_str_eq(r.err, "");
    for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *o = json_loads(line, 0, NULL);
        ck_assert_msg(o != NULL, "%s", line);
        const char *event = json_string_value(json_object_get(o, "event"));
        if (seen < 4 && !strcmp(event, wanted[seen]))
            seen++;
        if (!strcmp(event, "done")) {
            ck_assert_str_eq(json_string_value(json_object_get(o, "sha256")), sv_sha256());
            ck_assert_int_eq(json_integer_value(json_object_get(o, "bytes")), SIZE);
            ck_assert(json_is_true(json_object_get(o, "checked")));
        }
        json_decref(o);
    }
    ck_assert_uint_eq(seen, 4);
    pg_run bad = RUN("models", "fetch", "--json", "--url", sv_url("/status/404/f"), "x.pth");
    EXPECT(bad, 66, "x.pth: http://127.0.0.1:");
    ck_assert_ptr_nonnull(strstr(bad.out, "\"event\":\"error\""));
    ck_assert_ptr_nonnull(strstr(bad.out, "\"code\":66"));
}
END_TEST

START_TEST(a_terminal_has_a_bar)
{
    begin("bar");
    pg_run r = pg_terminal((const char *const[]){"models", "fetch", "--sha256", sv_sha256(), "--url",
                                                 sv_url("/trickle/f"), "my.pth", NULL});
    ck_assert_int_eq(r.code, 0);
    ck_assert_ptr_nonnull(strstr(r.out, "##"));
    is_right("models/my.pth");
}
END_TEST

START_TEST(a_mirror_has_files_by_name)
{
    begin("mirror");
    /* not what the official file is: size and sum are known, and tell */
    pg_run size = RUN("models", "fetch", "--mirror", sv_url("/whole"), "SRCNN-9-1-5-x3.mat");
    EXPECT(size, 65,
           "/whole/SRCNN-9-1-5-x3.mat: the server offers 300000 bytes, and the file wanted has 38483");
    setenv("TINTYPE_MIRROR", sv_url("/whole/"), 1);
    pg_run env = RUN("models", "fetch", "FT_Epoch_latest");
    unsetenv("TINTYPE_MIRROR");
    setenv("TINTYPE_MIRROR", "http://127.0.0.1:1", 1);
    pg_run url = FETCH("/whole/f", "-q");
    unsetenv("TINTYPE_MIRROR");
    EXPECT(url, 0, "");
    ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    EXPECT(env, 65, "/whole/FT_Epoch_latest.pt: has the SHA-256 ");
    ck_assert_int_eq(sv_requests(), 3);
    ck_assert_int_eq(pg_entries("models"), 0);
}
END_TEST

/* ---- cut and continued ---------------------------------------------------------------------------- */

static const size_t cuts[] = {0, 1, 1000, 65535, 65536, 65537, 200000, SIZE - 1};

START_TEST(a_cut_at_any_point_is_continued)
{
    char path[64];
    snprintf(path, sizeof path, "cut-%d", _i);
    begin(path);
    snprintf(path, sizeof path, "/cut/%zu/f", cuts[_i]);
    pg_run r = FETCH(path, "--tries", "1");
    EXPECT(r, 75, cuts[_i] ? " bytes are kept" : "");
    ck_assert(!pg_there("models/my.pth"));
    ck_assert_uint_eq(part_size(), cuts[_i]);
    pg_run rest = FETCH("/whole/f", "--tries", "1");
    EXPECT(rest, 0, "SHA-256 right");
    ck_assert_int_eq(sv_requests(), 2);
    ck_assert_int_eq(sv_range(1), (long)cuts[_i]);
    is_right("models/my.pth");
    ck_assert_int_eq(pg_entries("models"), 1);
}
END_TEST

START_TEST(one_run_tries_again_by_itself)
{
    begin("again");
    pg_run r = FETCH("/cut/130000/f", "--tries", "3");
    EXPECT(r, 0, "SHA-256 right");
    ck_assert_int_eq(sv_requests(), 3);
    ck_assert_int_eq(sv_range(2), 260000);
    is_right("models/my.pth");
    pg_run flaky = RUN("models", "fetch", "--url", sv_url("/flaky/1/f"), "--tries", "2", "flaky.pth");
    EXPECT(flaky, 0, "");
    is_right("models/flaky.pth");
}
END_TEST

START_TEST(servers_that_do_not_continue_send_all_of_it)
{
    static const char *const paths[] = {"/norange/f", "/wrongrange/f"};
    begin("norange");
    for (int i = 0; i < 2; i++) {
        put_part(bytes, 100000);
        pg_run r = FETCH(paths[i], "--tries", "1");
        EXPECT(r, 0, "SHA-256 right");
        is_right("models/my.pth");
        ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    }
    ck_assert_int_eq(sv_requests(), 3); /* the second answers nonsense first */
    ck_assert_int_eq(sv_range(1), 100000);
    ck_assert_int_eq(sv_range(2), 0);
    put_part(bytes, SIZE); /* nothing is left to ask for */
    pg_run full = FETCH("/whole/f", "--tries", "1");
    EXPECT(full, 0, "SHA-256 right");
    is_right("models/my.pth");
}
END_TEST

START_TEST(two_halves_of_two_files_cost_one_more_try)
{
    begin("halves");
    pg_run r = FETCH("/other/1000/f", "--tries", "2");
    EXPECT(r, 0, "SHA-256 right");
    ck_assert_int_eq(sv_requests(), 3);
    ck_assert_int_eq(sv_range(1), 1000);
    ck_assert_int_eq(sv_range(2), 0);
    is_right("models/my.pth");
}
END_TEST

START_TEST(a_part_of_something_else_costs_one_more_try)
{
    unsigned char *other = calloc(1, SIZE + 100);
    begin("other");
    ck_assert_ptr_nonnull(other);
    put_part(other, 100000);
    pg_run r = FETCH("/whole/f", "--tries", "1");
    EXPECT(r, 0, "SHA-256 right");
    ck_assert_int_eq(sv_requests(), 2);
    ck_assert_int_eq(sv_range(0), 100000);
    ck_assert_int_eq(sv_range(1), 0);
    is_right("models/my.pth");
    ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    put_part(other, SIZE + 100); /* longer than the file */
    pg_run longer = FETCH("/whole/f", "--tries", "1");
    EXPECT(longer, 0, "SHA-256 right");
    is_right("models/my.pth");
    free(other);
    /* not a file at all, or a way out of the directory */
    ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    pg_store("victim", "x", 1);
    ck_assert_int_eq(symlink("../victim", pg_at("models/.my.pth.part")), 0);
    pg_run link = FETCH("/whole/f", "--tries", "1");
    EXPECT(link, 73, "its .part beside it cannot be taken");
    size_t n;
    char *victim = pg_contents("victim", &n);
    ck_assert_str_eq(victim, "x");
    free(victim);
}
END_TEST

/* ---- bad servers ---------------------------------------------------------------------------------- */

START_TEST(what_is_not_wanted_is_not_kept)
{
    static const char wrong[] = "0000000000000000000000000000000000000000000000000000000000000000";
    begin("wrong");
    pg_run sum = RUN("models", "fetch", "--url", sv_url("/whole/f"), "--sha256", wrong, "my.pth");
    EXPECT(sum, 65, ": has the SHA-256 ");
    ck_assert_int_eq(sv_requests(), 1);
    /* an official name: its size is known */
    pg_run size = RUN("models", "fetch", "--url", sv_url("/whole/f"), "SRCNN-9-1-5-x3.mat");
    EXPECT(size, 65, "the server offers 300000 bytes, and the file wanted has 38483");
    pg_run endless = RUN("models", "fetch", "--url", sv_url("/endless/f"), "SRCNN-9-1-5-x3.mat");
    EXPECT(endless, 65, "the server sends more than the 38483 bytes of the file wanted");
    pg_run open = RUN("models", "fetch", "--url", sv_url("/open/38483/f"), "SRCNN-9-1-5-x3.mat");
    EXPECT(open, 65, ": has the SHA-256 ");
    pg_run early =
        RUN("models", "fetch", "--tries", "1", "--url", sv_url("/open/38482/f"), "SRCNN-9-1-5-x3.mat");
    EXPECT(early, 75, "it ended early; 38482 bytes are kept");
    ck_assert_int_eq(remove(pg_at("models/.SRCNN-9-1-5-x3.mat.part")), 0);
    ck_assert_int_eq(pg_entries("models"), 0);
}
END_TEST

START_TEST(redirections_are_followed_to_where_they_may_lead)
{
    static const char *const forbidden[][2] = {
        {"/moved/ftp://127.0.0.1/f", "is redirected to ftp://127.0.0.1, and only https is followed"},
        {"/moved/file:///etc/passwd", "and only https is followed"},
        {"/moved/http://192.0.2.1/f", "is redirected to http://192.0.2.1, and only https"},
        {"/moved/http://127.0.0.1@192.0.2.1/f", "is redirected to http://192.0.2.1, and only https"},
        {"/redirect/11/f", "is redirected more than 10 times"},
        {"/loop/f", "is redirected more than 10 times"},
    };
    begin("redirect");
    pg_run ok = FETCH("/redirect/10/f", "--tries", "1");
    EXPECT(ok, 0, "SHA-256 right");
    ck_assert_int_eq(sv_requests(), 11);
    is_right("models/my.pth");
    ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        pg_run r = FETCH(forbidden[i][0], "--tries", "1");
        EXPECT(r, 66, forbidden[i][1]);
        ck_assert_int_eq(pg_entries("models"), 0);
    }
}
END_TEST

START_TEST(servers_errors_are_named)
{
    static const struct {
        const char *path;
        int code;
        const char *part;
    } cases[] = {
        {"/status/404/f", 66, "the server answers 404 (there is no such file)"},
        {"/status/403/f", 66, "the server answers 403 (not allowed)"},
        {"/status/304/f", 66, "the server answers 304 and does not say where to go"},
        {"/status/500/f", 75, "the server answers 500"},
        {"/status/429/f", 75, "the server answers 429 (too busy)"},
    };
    begin("status");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_run r = FETCH(cases[i].path, "--tries", "1");
        EXPECT(r, cases[i].code, cases[i].part);
        ck_assert_int_eq(pg_entries("models"), 0);
    }
    pg_run nobody = RUN("models", "fetch", "--tries", "1", "--url", "http://127.0.0.1:1/f", "my.pth");
    EXPECT(nobody, 75, "my.pth: http://127.0.0.1:1/f: ");
    pg_run two = RUN("models", "fetch", "--tries", "1", "--mirror", sv_url("/status/404"), "VDSR_Official",
                     "RealESRGAN_x4plus");
    EXPECT(two, 1, "RealESRGAN_x4plus.pth: ");
}
END_TEST

START_TEST(slow_is_not_broken_and_silent_is)
{
    begin("slow");
    pg_run slow = FETCH("/trickle/f", "--tries", "1", "--timeout", "1");
    EXPECT(slow, 0, "SHA-256 right");
    is_right("models/my.pth");
    ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    pg_run silent = FETCH("/stall/100000/f", "--tries", "1", "--timeout", "1");
    EXPECT(silent, 75, "100000 bytes are kept");
    pg_run rest = FETCH("/whole/f", "--tries", "1");
    EXPECT(rest, 0, "");
    is_right("models/my.pth");
}
END_TEST

START_TEST(a_certificate_that_nobody_vouches_for_is_refused)
{
    begin("https");
    pg_store("f", bytes, SIZE);
    pg_run r = pg_shell(
        "command -v openssl >/dev/null || exit 9\n"
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost -days 2 "
        "2>/dev/null || exit 9\n"
        "timeout 20 openssl s_server -key key -cert cert -accept localhost:0 -WWW >log 2>&1 & server=$!\n"
        "for i in 1 2 3 4 5 6 7 8 9 10; do grep -q ACCEPT log && break; sleep 0.2; done\n"
        "port=$(sed -n 's/^ACCEPT.*:\\([0-9]*\\)$/\\1/p' log); [ -n \"$port\" ] || exit 9\n"
        "\"$T\" models fetch --tries 1 --url https://localhost:$port/f my.pth; code=$?\n"
        "kill $server; exit $code");
    if (r.code == 9) {
        puts("skipped: no openssl, certificates are not tried");
        return;
    }
    EXPECT(r, 66, "/f: SSL peer certificate");
    ck_assert(!pg_there("models/my.pth"));
}
END_TEST

/* ---- what is refused before ----------------------------------------------------------------------- */

START_TEST(addresses_that_are_not_safe_are_refused)
{
    static const char *const cases[][2] = {
        {"http://192.0.2.1/f", "anybody on the way could change what comes over http; https is wanted"},
        {"http://127.0.0.1@192.0.2.1/f", "over http"},
        {"http://localhost.example/f", "over http"},
        {"http://127.0.0.1.example/f", "over http"},
        {"ftp://127.0.0.1/f", "ftp is not fetched from, only https"},
        {"file:///etc/passwd", "no address"},
        {"nonsense", ""},
        {"/etc/passwd", "no address"},
    };
    begin("addresses");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_run r =
            RUN("models", "fetch", "--tries", "1", "--url", cases[i][0], "--sha256", sv_sha256(), "my.pth");
        EXPECT(r, 66, cases[i][1]);
        ck_assert(!pg_there("models/my.pth"));
    }
    /* a user's secret is not shown */
    pg_run secret =
        RUN("models", "fetch", "--tries", "1", "--url", "http://me:pass@192.0.2.1/f?key=1", "my.pth");
    EXPECT(secret, 66, "http://192.0.2.1/f: ");
    /* an unknown sum over http from elsewhere, mirror or not */
    pg_run mirror = RUN("models", "fetch", "--tries", "1", "--mirror", "http://192.0.2.1", "RealSR_JPEG.pth");
    EXPECT(mirror, 66, "over http");
}
END_TEST

START_TEST(command_lines_that_make_no_sense)
{
    begin("sense");
    static const struct {
        const char *arguments[8];
        const char *part;
    } cases[] = {
        {{"models", "fetch", "nothing-like-it"}, "no official file is called so"},
        {{"models", "fetch", "realesrgan_x4plus"}, "but RealESRGAN_x4plus"},
        {{"models", "fetch"}, "models fetch wants NAME..."},
        {{"models", "fetch", "--url", "http://127.0.0.1/", "a/b"}, "is no name for a weight file"},
        {{"models", "fetch", "--url", "http://127.0.0.1/", "..", ".hidden"}, "--url is for one file"},
        {{"models", "fetch", "--url", "http://127.0.0.1/", ".hidden"}, "is no name for a weight file"},
        {{"models", "fetch", "--url", "http://127.0.0.1/", "--sha256", "12", "a"}, "64 hexadecimal digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_run r = pg_exec(cases[i].arguments, NULL, 0);
        EXPECT(r, 2, cases[i].part);
    }
    pg_run sum = RUN("models", "fetch", "--sha256", sv_sha256(), "VDSR_Official.mat");
    EXPECT(sum, 2, "and the official VDSR_Official.mat has f6131666");
    pg_run cloud = RUN("models", "fetch", "RRDB_ESRGAN_x4");
    EXPECT(cloud, 66,
           "RRDB_ESRGAN_x4.pth: tintype cannot fetch it; it is to be had in the authors' cloud folder");
    setenv("TINTYPE_OFFLINE", "1", 1);
    pg_run offline = FETCH("/whole/f", "-q");
    EXPECT(offline, 2, "my.pth: TINTYPE_OFFLINE is set, so nothing is fetched");
    ck_assert_int_eq(sv_requests(), 0);
    setenv("TINTYPE_OFFLINE", "0", 1);
    pg_run online = FETCH("/whole/f", "-q");
    EXPECT(online, 0, "");
}
END_TEST

START_TEST(without_libcurl_only_fetching_is_missing)
{
    begin("nocurl");
    setenv("TINTYPE_LIBCURL", "libnothing.so.4", 1);
    pg_run r = FETCH("/whole/f", "-q"), list = RUN("models", "list"), info = RUN("info", "default");
    EXPECT(r, 66, "my.pth: fetching needs libcurl, and libnothing.so.4 cannot be loaded");
    EXPECT(list, 0, "");
    EXPECT(info, 0, "");
    setenv("TINTYPE_LIBCURL", "libm.so.6", 1);
    pg_run wrong = FETCH("/whole/f", "-q");
    EXPECT(wrong, 66, "has no curl_");
    unsetenv("TINTYPE_LIBCURL");
    pg_run linked = pg_shell("command -v ldd >/dev/null || exit 9; ldd \"$T\" | grep -c libcurl");
    if (linked.code == 9)
        puts("skipped: no ldd, whether the program is linked with libcurl is not seen");
    else
        ck_assert_str_eq(linked.out, "0\n");
}
END_TEST

/* ---- disks, signals, others ----------------------------------------------------------------------- */

START_TEST(a_full_disk_is_told_and_survived)
{
    char line[1024];
    begin("full");
    snprintf(line, sizeof line,
             "ulimit -f 100 2>/dev/null; exec \"$T\" models fetch --url %s --sha256 %s my.pth",
             sv_url("/whole/f"), sv_sha256());
    pg_run limited = pg_shell(line);
    EXPECT(limited, 75, "models/my.pth: cannot be written: File too large");
    ck_assert(!pg_there("models/my.pth"));
    pg_run rest = FETCH("/whole/f", "-q");
    EXPECT(rest, 0, "");
    is_right("models/my.pth");
    ck_assert_int_eq(pg_entries("models"), 1);

    ck_assert_int_eq(mkdir(pg_at("small"), 0777), 0);
    if (mount("none", pg_at("small"), "tmpfs", 0, "size=128k")) {
        printf("skipped: no small disk can be had here (%s)\n", strerror(errno));
        return;
    }
    setenv("TINTYPE_MODELS", pg_at("small"), 1);
    pg_run full = FETCH("/whole/f", "-q"),
           unsummed = RUN("models", "fetch", "--url", sv_url("/whole/f"), "free.pth");
    const bool there =
        pg_there("small/my.pth") || pg_there("small/free.pth") || pg_there("small/.free.pth.part");
    ck_assert_int_eq(umount(pg_at("small")), 0);
    EXPECT(full, 75, "small/my.pth: cannot be written: No space left on device");
    EXPECT(unsummed, 75, "cannot be written: No space left on device");
    ck_assert(!there);
}
END_TEST

START_TEST(places_that_cannot_be_written_are_passed_over)
{
    begin("places");
    const mode_t before = umask(0);
    ck_assert_int_eq(mkdir(pg_at("closed"), 0555), 0);
    ck_assert_int_eq(mkdir(pg_at("open"), 0777), 0);
    umask(before);
    char both[512], closed[256];
    snprintf(closed, sizeof closed, "%s", pg_at("closed"));
    snprintf(both, sizeof both, ":%s::%s:", closed, pg_at("open"));
    setenv("TINTYPE_MODELS", both, 1);
    const char *const fetch[] = {"models",           "fetch",  "-q", "--sha256", sv_sha256(), "--url",
                                 sv_url("/whole/f"), "my.pth", NULL};
    pg_run r = pg_nobody(fetch);
    if (r.code == 126) {
        puts("skipped: there is no other user to run as");
        return;
    }
    EXPECT(r, 0, "");
    is_right("open/my.pth");
    setenv("TINTYPE_MODELS", closed, 1);
    setenv("HOME", closed, 1);
    pg_run nowhere = pg_nobody(fetch);
    EXPECT(nowhere, 73, "closed: cannot be written, nor can another directory of `tintype models path`");
}
END_TEST

START_TEST(a_signal_stops_it_and_keeps_the_part)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
    int out;
    begin("signal");
    for (int i = 0; i < 3; i++) {
        const pid_t pid = pg_begin((const char *const[]){"models", "fetch", "--sha256", sv_sha256(), "--url",
                                                         sv_url("/stall/200000/f"), "my.pth", NULL},
                                   &out);
        ck_assert(wait_for_part(65536));
        kill(pid, signals[i]);
        pg_run r = pg_end(pid);
        close(out);
        ck_assert_int_eq(r.signal, signals[i]);
        ck_assert(!pg_there("models/my.pth"));
        const size_t kept = part_size();
        ck_assert_uint_ge(kept, 65536);
        const int before = sv_requests();
        pg_run rest = FETCH("/whole/f", "-q");
        EXPECT(rest, 0, "");
        ck_assert_int_eq(sv_range(before), (long)kept);
        is_right("models/my.pth");
        ck_assert_int_eq(pg_entries("models"), 1);
        ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    }
}
END_TEST

START_TEST(two_at_once_fetch_it_once)
{
    enum { MANY = 4 };
    pid_t pid[MANY];
    int out[MANY];
    begin("two");
    for (int i = 0; i < MANY; i++)
        pid[i] = pg_begin((const char *const[]){"models", "fetch", "--sha256", sv_sha256(), "--url",
                                                sv_url("/trickle/f"), "my.pth", NULL},
                          &out[i]);
    for (int i = 0; i < MANY; i++) {
        pg_run r = pg_end(pid[i]);
        close(out[i]);
        ck_assert_int_eq(r.code, 0);
    }
    ck_assert_int_eq(sv_requests(), 1);
    is_right("models/my.pth");
    ck_assert_int_eq(pg_entries("models"), 1);
}
END_TEST

/* leaks cannot be looked for under strace */
#define STRACE "ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace "

static bool can_trace(void)
{
    pg_run r = pg_shell("command -v strace >/dev/null && " STRACE "-e trace=none true");
    if (r.code || r.err_size)
        puts("skipped: no strace, or it may not trace here");
    return !r.code && !r.err_size;
}

static const char *const injected[] = {
    "write:error=ENOSPC",        "write:error=EIO",          "write:signal=SIGKILL", "fsync:error=EIO",
    "fsync:signal=SIGKILL",      "read:error=EIO",           "ftruncate:error=EIO",  "renameat2:error=EIO",
    "renameat2:error=ENOSYS",    "renameat2:signal=SIGKILL", "flock:error=ENOLCK",   "lseek:error=EIO",
    "recvfrom:error=ECONNRESET", "recvfrom:signal=SIGKILL",
};

START_TEST(whatever_the_system_refuses_a_file_is_right_or_not_there)
{
    char line[1024], name[32];
    int happened = 0;
    snprintf(name, sizeof name, "inject-%d", _i);
    begin(name);
    if (!can_trace())
        return;
    for (int k = 1; k <= 4; k++) {
        size_t n;
        put_part("of another file", 15); /* so that it begins anew */
        snprintf(
            line, sizeof line,
            STRACE
            "-e trace=%.*s -e inject=%s:when=%d \"$T\" models fetch -q --tries 1 --url %s --sha256 %s my.pth",
            (int)strcspn(injected[_i], ":"), injected[_i], injected[_i], k, sv_url("/whole/f"), sv_sha256());
        pg_run r = pg_shell(line);
        char *trace = pg_contents("trace", &n);
        happened += strstr(trace, "INJECTED") || strstr(trace, "killed by SIGKILL");
        free(trace);
        ck_assert_msg(r.code || pg_there("models/my.pth"), "%s, %d: exit code 0 and no file", injected[_i],
                      k);
        if (pg_there("models/my.pth")) {
            is_right("models/my.pth");
            ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
        }
        pg_run again = FETCH("/whole/f", "-q");
        EXPECT(again, 0, "");
        is_right("models/my.pth");
        ck_assert_int_eq(pg_entries("models"), 1);
        ck_assert_int_eq(remove(pg_at("models/my.pth")), 0);
    }
    ck_assert_msg(happened, "%s: never happened", injected[_i]);
}
END_TEST

/* The program's own allocations; libcurl's are its own affair. */
START_TEST(memory_may_end_at_any_point)
{
    int failures = 0;
    begin("memory");
    put_part(bytes, 70000);
    char *path = strdup(pg_at("models/my.pth")), *url = strdup(sv_url("/whole/f"));
    tt_progress progress;
    tt_progress_init(&progress, false, true);
    tt_progress_begin(&progress, "my.pth", 1, 1);
    const tt_fetch f = {
        .url = url, .path = path, .sha256 = sv_sha256(), .tries = 1, .timeout = 10, .progress = &progress};
    for (int k = 1; k < 1000; k++) {
        tt_fetched got;
        tt_error e = {0};
        put_part(bytes, 70000);
        faults_fail(k, 0);
        const tt_status st = tt_fetch_file(&f, &got, &e);
        const bool failed = faults_failed();
        faults_fail(0, 0);
        failures += failed;
        ck_assert_msg(st == TT_OK || (failed && st == TT_ERR_MEMORY), "%d: %s", st, e.text);
        ck_assert(!st == pg_there("models/my.pth"));
        if (!st)
            is_right("models/my.pth");
        (void)remove(path);
        if (!failed)
            break;
    }
    printf("%d allocations of a fetch were made to fail\n", failures);
    ck_assert_int_ge(failures, 1);
    free(path);
    free(url);
}
END_TEST

START_TEST(nothing_else_opens_a_socket)
{
    static const char *const lines[] = {
        "upscale -q --overwrite a.png -o b.png",
        "upscale -m RealESRGAN_x4plus a.png -o c.png",
        "compare a.png a.png",
        "info a.png",
        "info default",
        "models list",
        "models info RealESRGAN_x4plus",
        "models path",
        "models verify a.png",
        "help --man",
        "version",
    };
    char line[1024];
    begin("sockets");
    pg_picture("a.png", 20, 20, 3, 8);
    if (!can_trace())
        return;
    snprintf(line, sizeof line, STRACE "-e trace=socket,connect \"$T\" models fetch -q --url %s my.pth",
             sv_url("/whole/f"));
    pg_run fetch = pg_shell(line);
    EXPECT(fetch, 0, "");
    size_t n;
    char *trace = pg_contents("trace", &n);
    ck_assert_msg(strstr(trace, "AF_INET"), "strace does not see the sockets of a fetch: %s", trace);
    free(trace);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(line, sizeof line, STRACE "-e trace=socket,connect \"$T\" %s", lines[i]);
        (void)pg_shell(line);
        trace = pg_contents("trace", &n);
        ck_assert_msg(!strstr(trace, "socket(") && !strstr(trace, "connect("), "%s: %s", lines[i], trace);
        free(trace);
    }
}
END_TEST

Suite *suite_src_fetch(void);
Suite *suite_src_fetch(void)
{
    Suite *s = suite_create("src/fetch");
    TCase *tc = tcase_create("fetch");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, pg_setup, pg_teardown);
    tcase_add_test(tc, a_file_comes_whole_and_only_once);
    tcase_add_test(tc, without_a_sum_it_is_said_that_nothing_was_checked);
    tcase_add_test(tc, machines_are_told_every_event);
    tcase_add_test(tc, a_terminal_has_a_bar);
    tcase_add_test(tc, a_mirror_has_files_by_name);
    tcase_add_loop_test(tc, a_cut_at_any_point_is_continued, 0, (int)(sizeof cuts / sizeof *cuts));
    tcase_add_test(tc, one_run_tries_again_by_itself);
    tcase_add_test(tc, servers_that_do_not_continue_send_all_of_it);
    tcase_add_test(tc, two_halves_of_two_files_cost_one_more_try);
    tcase_add_test(tc, a_part_of_something_else_costs_one_more_try);
    tcase_add_test(tc, what_is_not_wanted_is_not_kept);
    tcase_add_test(tc, redirections_are_followed_to_where_they_may_lead);
    tcase_add_test(tc, servers_errors_are_named);
    tcase_add_test(tc, slow_is_not_broken_and_silent_is);
    tcase_add_test(tc, a_certificate_that_nobody_vouches_for_is_refused);
    tcase_add_test(tc, addresses_that_are_not_safe_are_refused);
    tcase_add_test(tc, command_lines_that_make_no_sense);
    tcase_add_test(tc, without_libcurl_only_fetching_is_missing);
    tcase_add_test(tc, a_full_disk_is_told_and_survived);
    tcase_add_test(tc, places_that_cannot_be_written_are_passed_over);
    tcase_add_test(tc, a_signal_stops_it_and_keeps_the_part);
    tcase_add_test(tc, two_at_once_fetch_it_once);
    tcase_add_loop_test(tc, whatever_the_system_refuses_a_file_is_right_or_not_there, 0,
                        (int)(sizeof injected / sizeof *injected));
    tcase_add_test(tc, memory_may_end_at_any_point);
    tcase_add_test(tc, nothing_else_opens_a_socket);
    suite_add_tcase(s, tc);
    return s;
}
