/* Films through `tintype colorize --y4m`: what is kept, what is cut short, what is refused. */
#include "tests/golden.h"
#include "tests/src/program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_src_y4m(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *weights(void)
{
    return golden_path("deoldify/unet_deep.safetensors");
}

static const struct {
    const char *kind, *out_kind;
    int chroma_width, chroma_height;
} streams[] = {{"C420jpeg", "C420jpeg", 13, 9}, {"C420mpeg2", "C420mpeg2", 13, 9}, {"C422", "C422", 13, 17},
               {"C444", "C444", 25, 17},        {"Cmono", "C444", 0, 0},           {"", "", 13, 9}};
enum { W = 25, H = 17, FRAMES = 3 };

/* A stream of random frames; every frame's line says something that must be kept. */
static unsigned char *stream(int i, bool full, size_t *size)
{
    const size_t chroma = (size_t)(streams[i].chroma_width * streams[i].chroma_height);
    unsigned char *s = calloc(1, 4096 + FRAMES * (W * H + 2 * chroma + 64));
    unsigned seed = 7;
    size_t n = (size_t)sprintf((char *)s, "YUV4MPEG2 W%d H%d F25:1 Ip A1:1%s%s%s\n", W, H,
                               *streams[i].kind ? " " : "", streams[i].kind, full ? " XCOLORRANGE=FULL" : "");
    for (int f = 0; f < FRAMES; f++) {
        n += (size_t)sprintf((char *)s + n, "FRAME I%d\n", f);
        for (size_t j = 0; j < W * H + 2 * chroma; j++)
            s[n++] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
    }
    *size = n;
    return s;
}

static pg_run run_stream(const unsigned char *s, size_t n)
{
    return pg_exec(
        (const char *const[]){"colorize", "-m", weights(), "--render", "2", "--y4m", "-", "-o", "-", NULL}, s,
        n);
}

START_TEST(streams_keep_luma_and_lines)
{
    size_t n;
    const int kind = _i / 2;
    unsigned char *s = stream(kind, _i % 2, &n);
    pg_run r = run_stream(s, n);
    EXPECT(r, 0, "3 frames");
    const size_t chroma = (size_t)(streams[kind].chroma_width * streams[kind].chroma_height);
    const size_t out_chroma = chroma ? chroma : W * H;
    const char *line = strchr((char *)s, '\n') + 1, *out_line = strchr(r.out, '\n') + 1;
    if (chroma)
        ck_assert(line - (char *)s == out_line - r.out && !memcmp(s, r.out, (size_t)(line - (char *)s)));
    ck_assert(strstr(r.out, streams[kind].out_kind) && strstr(r.out, streams[kind].out_kind) < out_line);
    const unsigned char *a = (const unsigned char *)line, *b = (const unsigned char *)out_line;
    int colourful = 0;
    for (int f = 0; f < FRAMES; f++) {
        ck_assert(!memcmp(a, b, 9)); /* "FRAME I0\n" */
        ck_assert_msg(!memcmp(a + 9, b + 9, W * H), "frame %d: another Y", f);
        for (size_t i = 0; i < 2 * out_chroma; i++)
            colourful += b[9 + W * H + i] != 128;
        a += 9 + W * H + 2 * chroma;
        b += 9 + W * H + 2 * out_chroma;
    }
    ck_assert_ptr_eq(b, r.out + r.out_size);
    ck_assert_int_gt(colourful, FRAMES * (int)out_chroma);
    free(s);
}
END_TEST

/* Cut anywhere: an error that names the byte, and the whole frames before it are there. */
START_TEST(cut_streams_give_the_whole_frames)
{
    size_t n;
    unsigned char *s = stream(0, false, &n);
    const size_t frame = 9 + W * H + 2 * 13 * 9, head = n - FRAMES * frame;
    const size_t cuts[] = {0, 5, head - 1, head + 3, head + 9, head + frame - 1, head + frame + 100, n - 1};
    for (size_t i = 0; i < COUNT(cuts); i++) {
        pg_run r = run_stream(s, cuts[i]);
        char byte[64];
        snprintf(byte, sizeof byte, "byte %zu", cuts[i]);
        EXPECT(r, 65, byte);
        const size_t whole = cuts[i] < head ? 0 : head + (cuts[i] - head) / frame * frame;
        ck_assert_msg(r.out_size == whole, "cut at %zu: %zu bytes, not %zu", cuts[i], r.out_size, whole);
    }
    pg_run r = run_stream(s, head + frame); /* between two frames a stream may end */
    EXPECT(r, 0, "1 frame,");
    free(s);
}
END_TEST

START_TEST(wrong_streams_are_refused)
{
    static const struct {
        const char *text;
        int code;
        const char *said;
    } tries[] = {
        {"RIFF....", 65, "YUV4MPEG2 is wanted"},
        {"YUV4MPEG2X W4 H4\n", 65, "YUV4MPEG2 is wanted"},
        {"YUV4MPEG2 W4 H4 C420p10\nFRAME\n", 65, "C420p10"},
        {"YUV4MPEG2 W4 H4 C411\nFRAME\n", 65, "C411"},
        {"YUV4MPEG2 W4 Hx\nFRAME\n", 65, "no width or height"},
        {"YUV4MPEG2 W0 H4\nFRAME\n", 65, "no width or height"},
        {"YUV4MPEG2 W99999999999 H4\nFRAME\n", 65, "no width or height"},
        {"YUV4MPEG2 W2 H2 Cmono\nFRAMX\n", 65, "FRAME is wanted"},
        {"YUV4MPEG2 W65535 H65535 C444\n", 75, "memory budget"},
    };
    for (size_t i = 0; i < COUNT(tries); i++) {
        pg_run r = pg_exec((const char *const[]){"colorize", "-m", weights(), "--render", "2", "--memory",
                                                 "1G", "--y4m", "-", "-o", "-", NULL},
                           tries[i].text, strlen(tries[i].text));
        EXPECT(r, tries[i].code, tries[i].said);
    }
    char *endless = malloc(100000);
    memset(endless, 'A', 100000);
    memcpy(endless, "YUV4MPEG2 ", 10);
    pg_run r = run_stream((unsigned char *)endless, 100000);
    EXPECT(r, 65, "a line does not end");
    free(endless);
}
END_TEST

START_TEST(streams_become_files)
{
    size_t n;
    unsigned char *s = stream(0, false, &n);
    pg_within("y4m");
    pg_store("in.y4m", s, n);
    pg_run r = RUN("colorize", "-m", weights(), "--render", "2", "--y4m", "in.y4m", "-o", "out.y4m");
    EXPECT(r, 0, "3 frames");
    size_t size;
    free(pg_contents("out.y4m", &size));
    ck_assert_uint_eq(size, n);
    r = RUN("colorize", "-m", weights(), "--render", "2", "--y4m", "in.y4m", "-o", "out.y4m");
    EXPECT(r, 73, "exists already");
    r = RUN("colorize", "-m", weights(), "--render", "2", "--y4m", "none.y4m", "-o", "other.y4m");
    EXPECT(r, 66, "none.y4m");
    ck_assert(!pg_there("other.y4m"));
    r = RUN("colorize", "-m", weights(), "--render", "2", "--overwrite", "--y4m", "in.y4m", "-o",
            "/dev/full");
    EXPECT(r, 75, "/dev/full");
    free(s);
}
END_TEST

START_TEST(ffmpeg_reads_and_writes_them)
{
    pg_within("ffmpeg");
    pg_run there = pg_shell("ffmpeg -version");
    if (there.code) {
        printf("SKIPPED: the pipe through ffmpeg: there is no ffmpeg\n");
        return;
    }
    char line[2048];
    snprintf(line, sizeof line,
             "set -e; ffmpeg -loglevel error -f lavfi -i testsrc=size=64x48:rate=5 -t 1 -pix_fmt yuv420p -f "
             "yuv4mpegpipe - | "
             "\"$T\" colorize -m '%s' --render 2 --y4m - -o - | "
             "ffmpeg -loglevel error -i - -c:v ffv1 -y out.mkv; "
             "ffmpeg -loglevel error -i out.mkv -f framemd5 - | grep -c '^0,'",
             weights());
    pg_run r = pg_shell(line);
    EXPECT(r, 0, "5 frames");
    ck_assert_msg(!strcmp(r.out, "5\n"), "%s", r.out);
}
END_TEST

Suite *suite_src_y4m(void)
{
    Suite *s = suite_create("src/y4m");
    TCase *tc = tcase_create("y4m");
    tcase_set_timeout(tc, 120);
    tcase_add_unchecked_fixture(tc, pg_setup, pg_teardown);
    tcase_add_loop_test(tc, streams_keep_luma_and_lines, 0, 2 * (int)COUNT(streams));
    tcase_add_test(tc, cut_streams_give_the_whole_frames);
    tcase_add_test(tc, wrong_streams_are_refused);
    tcase_add_test(tc, streams_become_files);
    tcase_add_test(tc, ffmpeg_reads_and_writes_them);
    suite_add_tcase(s, tc);
    return s;
}
