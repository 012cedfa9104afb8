#define _GNU_SOURCE
#include "tests/src/program.h"

#include "src/image/image.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dirent.h>

#ifndef TT_BIN
#define TT_BIN "build/tintype"
#endif

enum { MOST_ARGUMENTS = 64, RING = 16, NOT_POSSIBLE = 126 };

static char top[] = "/tmp/tintype-test-XXXXXX"; /* of the suite */
static char directory[128];                     /* of the test: top, or one below */

static const char *program(void)
{
    static char full[4096];
    const char *bin = getenv("TINTYPE_BIN");
    ck_assert_msg(realpath(bin && *bin ? bin : TT_BIN, full) || full[0] == '/',
                  "%s: there is no such program", bin && *bin ? bin : TT_BIN);
    return full;
}

/* ---- the directory --------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)st;
    (void)type;
    (void)w;
    return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)w;
    return type == FTW_D ? chmod(path, st->st_mode | 0700) : 0;
}

void pg_setup(void)
{
    strcpy(top + sizeof top - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chmod(top, 0755), 0);
    strcpy(directory, top);
    signal(SIGPIPE, SIG_IGN);
}

void pg_teardown(void)
{
    nftw(top, open_up, 16, FTW_PHYS);
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void pg_within(const char *name)
{
    snprintf(directory, sizeof directory, "%s/%.64s", top, name);
    ck_assert_msg(!mkdir(directory, 0777), "%s: %s", directory, strerror(errno));
    ck_assert_int_eq(chmod(directory, 0777), 0); /* whatever the umask */
}

const char *pg_at(const char *name)
{
    static char ring[RING][4096];
    static unsigned next;
    char *to = ring[next++ % RING];
    snprintf(to, sizeof ring[0], "%s/%s", directory, name);
    return to;
}

bool pg_there(const char *name)
{
    struct stat st;
    return !lstat(pg_at(name), &st);
}

char *pg_contents(const char *name, size_t *size)
{
    FILE *f = fopen(pg_at(name), "rb");
    ck_assert_msg(f != NULL, "%s: %s", name, strerror(errno));
    struct stat st;
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    ck_assert_ptr_nonnull(bytes);
    *size = fread(bytes, 1, (size_t)st.st_size, f);
    bytes[*size] = 0;
    fclose(f);
    return bytes;
}

bool pg_same(const char *a, const char *b)
{
    size_t n, m;
    char *p = pg_contents(a, &n), *q = pg_contents(b, &m);
    const bool same = n == m && !memcmp(p, q, n);
    free(p);
    free(q);
    return same;
}

void pg_store(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(pg_at(name), "wb");
    ck_assert_msg(f != NULL, "%s: %s", name, strerror(errno));
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

int pg_entries(const char *name)
{
    DIR *d = opendir(pg_at(name));
    int n = 0;
    ck_assert_msg(d != NULL, "%s: %s", name, strerror(errno));
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

/* ---- pictures -------------------------------------------------------------------------------------- */

void pg_picture(const char *name, int width, int height, int channels, int depth)
{
    tt_image img;
    tt_error e;
    const tt_write_options o = {.overwrite = true};
    ck_assert_msg(!tt_image_init(&img, width, height, channels, depth, &e), "%s", e.text);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                const size_t i = ((size_t)y * (size_t)width + (size_t)x) * (size_t)channels + (size_t)c;
                const unsigned v = (unsigned)(x * (3 + c) + y * 5 + 40 * ((x / 9 + y / 7) % 2)) & 255;
                if (depth == 16)
                    ((uint16_t *)img.samples)[i] = (uint16_t)(v * 257u + (unsigned)(x + y) % 250u);
                else
                    ((uint8_t *)img.samples)[i] = (uint8_t)v;
            }
    ck_assert_msg(!tt_image_write(&img, pg_at(name), &o, &e), "%s", e.text);
    tt_image_clear(&img);
}

pg_shape pg_shape_of(const char *name)
{
    tt_image img;
    tt_error e;
    ck_assert_msg(!tt_image_read(&img, pg_at(name), NULL, &e), "%s", e.text);
    const pg_shape s = {img.width, img.height, img.channels, img.depth};
    tt_image_clear(&img);
    return s;
}

/* ---- processes ------------------------------------------------------------------------------------- */

/* What a program said stays until the test's process ends, and is no leak: it can be reached from here. */
static char *keep(size_t n)
{
    static struct kept {
        struct kept *next;
        char bytes[];
    } *all;
    struct kept *k = calloc(1, sizeof *k + n);
    ck_assert_ptr_nonnull(k);
    k->next = all;
    all = k;
    return k->bytes;
}

static char *drain(int fd, size_t *size)
{
    const off_t n = lseek(fd, 0, SEEK_END);
    ck_assert_int_ge(n, 0);
    char *bytes = keep((size_t)n + 1);
    ck_assert_int_eq(pread(fd, bytes, (size_t)n, 0), n);
    *size = (size_t)n;
    close(fd);
    return bytes;
}

static void finish(pg_run *r, pid_t pid)
{
    int status;
    struct rusage used;
    while (wait4(pid, &status, 0, &used) < 0)
        ck_assert_int_eq(errno, EINTR);
    r->peak_kib = used.ru_maxrss;
    r->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Check's own handlers, inherited by a child until it is another program, would hand a signal on to the whole
 * group. */
static pid_t fork_quietly(int *terminal, const struct winsize *wide)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    const pid_t pid = terminal ? forkpty(terminal, NULL, NULL, wide) : fork();
    if (!pid) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_ge(pid, 0);
    return pid;
}

/* In the child: nothing of the test's surroundings but what it sets itself. */
_Noreturn static void become(const char *path, const char *const *arguments, bool nobody)
{
    const char *argv[MOST_ARGUMENTS + 2] = {path};
    for (int i = 0; i < MOST_ARGUMENTS && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    if (chdir(directory))
        _exit(NOT_POSSIBLE);
    if (nobody && geteuid() == 0 &&
        (setgroups(0, NULL) || setgid(65534) || setuid(65534) || access(path, X_OK)))
        _exit(NOT_POSSIBLE);
    execv(path, (char *const *)argv);
    _exit(NOT_POSSIBLE);
}

static pg_run launch(const char *path, const char *const *arguments, const void *input, size_t size,
                     bool nobody)
{
    pg_run r = {0};
    int in[2];
    const int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    ck_assert_int_ge(out, 0);
    ck_assert_int_ge(err, 0);
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    const pid_t pid = fork_quietly(NULL, NULL);
    if (!pid) {
        dup2(in[0], 0);
        dup2(out, 1);
        dup2(err, 2);
        become(path, arguments, nobody);
    }
    close(in[0]);
    for (const char *p = input; size;) { /* the output goes to files: nobody waits for us */
        const ssize_t n = write(in[1], p, size);
        if (n <= 0)
            break;
        p += n;
        size -= (size_t)n;
    }
    close(in[1]);
    finish(&r, pid);
    r.out = drain(out, &r.out_size);
    r.err = drain(err, &r.err_size);
    return r;
}

pg_run pg_exec(const char *const *arguments, const void *input, size_t size)
{
    return launch(program(), arguments, input, size, false);
}

pg_run pg_nobody(const char *const *arguments)
{
    return launch(program(), arguments, NULL, 0, true);
}

pg_run pg_shell(const char *line)
{
    setenv("T", program(), 1);
    return launch("/bin/sh", (const char *const[]){"-c", line, NULL}, NULL, 0, false);
}

pid_t pg_begin(const char *const *arguments, int *out)
{
    int ends[2];
    const char *path = program();
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork_quietly(NULL, NULL);
    if (!pid) {
        const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(nothing, 0);
        dup2(ends[1], 1);
        dup2(nothing, 2);
        become(path, arguments, false);
    }
    close(ends[1]);
    *out = ends[0];
    return pid;
}

pg_run pg_end(pid_t pid)
{
    pg_run r = {0};
    finish(&r, pid);
    return r;
}

pg_run pg_terminal(const char *const *arguments)
{
    pg_run r = {0};
    int terminal;
    const char *path = program();
    size_t room = 1 << 20;
    const struct winsize wide = {.ws_row = 24, .ws_col = 100};
    setenv("TERM", "xterm", 1);
    const pid_t pid = fork_quietly(&terminal, &wide);
    if (!pid)
        become(path, arguments, false);
    r.out = keep(room + 1);
    r.err = r.out;
    while (r.out_size < room) {
        const ssize_t n = read(terminal, r.out + r.out_size, room - r.out_size);
        if (n <= 0 && errno != EINTR) /* EIO: the other end is closed */
            break;
        r.out_size += n > 0 ? (size_t)n : 0;
    }
    close(terminal);
    finish(&r, pid);
    return r;
}

/* The address sanitizer's search for leaks sometimes dies itself of a thread of PoCL's that ends beside it, once in hundreds
 * of runs, when all of ours is done; its exit code stands in the place of ours then. */
static bool checker_crashed(const pg_run *r)
{
    if (!strstr(r->err, "LeakSanitizer has encountered a fatal error"))
        return false;
    printf("SKIPPED, leaks and the exit code of one run: the leak checker crashed\n");
    return true;
}

void pg_expect(const pg_run *r, int code, const char *part, const char *file, int line)
{
    if ((r->code == code || checker_crashed(r)) && (!part || strstr(r->err, part)))
        return;
    ck_abort_msg("%s:%d: exit code %d, signal %d, wanted %d and \"%s\"; it said:\n%s", file, line, r->code,
                 r->signal, code, part ? part : "", r->err);
}
