/* What all commands say and heed: complaints, exit codes, signals. */
#define _GNU_SOURCE
#include "src/cli.h"

#include "engine/status.h"
#include "src/output.h"
#include "src/progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- saying --------------------------------------------------------------------------------------- */

void tt_cli_complain(const char *path, const tt_error *e)
{
    const char *text = tt_shown(e->text);
    if (path) {
        const char *name = tt_shown_input(path);
        const size_t n = strlen(name);
        if (strncmp(text, name, n) || (text[n] != ':' && text[n] != ' '))
            fprintf(stderr, "tintype: %s: %s\n", name, text);
        else
            path = NULL;
    }
    if (!path)
        fprintf(stderr, "tintype: %s\n", text);
}

void tt_cli_note(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int tt_exit_code(tt_status s)
{
    switch (s) {
    case TT_OK:
        return TT_EXIT_OK;
    case TT_ERR_USAGE:
        return TT_EXIT_USAGE;
    case TT_ERR_INPUT:
        return TT_EXIT_NO_INPUT;
    case TT_ERR_FORMAT:
    case TT_ERR_UNSUPPORTED:
        return TT_EXIT_DATA;
    case TT_ERR_OUTPUT:
        return TT_EXIT_NO_OUTPUT;
    case TT_ERR_MEMORY:
    case TT_ERR_TEMPORARY:
    case TT_ERR_CANCELLED:
        return TT_EXIT_TEMPORARY;
    case TT_ERR_NUMERIC:
    case TT_ERR_INTERNAL:
        break;
    }
    return TT_EXIT_INTERNAL;
}

tt_status tt_cli_no_terminal(const char *what, tt_error *err)
{
    if (!isatty(STDOUT_FILENO))
        return TT_OK;
    return tt_fail(err, TT_ERR_USAGE,
                   "standard output is a terminal, and %s is not for reading; send it on with '>' or '|'",
                   what);
}

/* ---- signals -------------------------------------------------------------------------------------- */

/*
 * A thread waits for SIGINT, SIGTERM and SIGHUP, which all others block: it may lock and look into
 * directories, as a handler may not. The first signal cancels the work, and the work's own way out removes
 * what is unfinished. Decoding, encoding and a blocked read do not hear it; so after GRACE the thread itself
 * removes our temporaries and ends the program by the signal. So does a second signal, at once.
 */
enum { GRACE_MS = 200 };

static struct {
    pthread_mutex_t lock;
    sigset_t signals;
    tt_context *context; /* at work, or NULL */
    char *directory;     /* where a temporary may lie, or NULL */
    atomic_int stopped;  /* the signal, or 0 */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

_Noreturn static void die_of(int signal_number)
{
    sigset_t one;
    signal(signal_number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(signal_number);
    _exit(128 + signal_number); /* raise() has ended the program before */
}

/* ".NAME.tintype-PID-RAND" of src/output.h, with our PID */
static void remove_temporaries(const char *directory)
{
    char mark[64];
    DIR *d = opendir(directory);
    if (!d)
        return;
    snprintf(mark, sizeof mark, ".tintype-%ld-", (long)getpid());
    for (struct dirent *e; (e = readdir(d));) {
        const char *at = e->d_name[0] == '.' ? strstr(e->d_name, mark) : NULL;
        if (at && strlen(at + strlen(mark)) == 8)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}

static void *watch_signals(void *unused)
{
    (void)unused;
    const struct timespec grace = {.tv_nsec = GRACE_MS * 1000000L};
    int first;
    while (sigwait(&watch.signals, &first))
        ;
    pthread_mutex_lock(&watch.lock);
    watch.stopped = first;
    if (watch.context)
        tt_context_cancel(watch.context);
    pthread_mutex_unlock(&watch.lock);
    const int second = sigtimedwait(&watch.signals, NULL, &grace);
    if (second < 0 && !pthread_mutex_trylock(&watch.lock) && watch.directory)
        remove_temporaries(watch.directory);
    if (isatty(STDERR_FILENO))
        (void)!write(STDERR_FILENO, "\r\033[K", 4); /* what is left of a bar */
    die_of(second > 0 ? second : first);
}

static void watch_begin(void)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    pthread_t thread;
    struct sigaction now;
    sigemptyset(&watch.signals);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted;
         i++) /* what the parent ignores stays ignored: nohup */
        if (!sigaction(wanted[i], NULL, &now) && now.sa_handler != SIG_IGN)
            sigaddset(&watch.signals, wanted[i]);
    pthread_sigmask(SIG_BLOCK, &watch.signals, NULL);
    if (!pthread_create(&thread, NULL, watch_signals, NULL))
        pthread_detach(thread);
    else /* no thread to be had: the signals end the program as they always did */
        pthread_sigmask(SIG_UNBLOCK, &watch.signals, NULL);
}

bool tt_cli_stopped(void)
{
    return watch.stopped;
}

void tt_cli_writes_in(const char *directory)
{
    pthread_mutex_lock(&watch.lock);
    free(watch.directory);
    watch.directory = directory ? strdup(directory)
                                : NULL; /* NULL: a temporary may outlive a signal; the next run sweeps */
    pthread_mutex_unlock(&watch.lock);
    if (directory)
        tt_output_sweep(directory);
}

/* The device failed: said even where nothing else is. A bar that stands there is wiped; it comes again. */
static void tell_excuse(void *user, const char *sentence)
{
    (void)user;
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    tt_cli_note("tintype: %s", tt_shown(sentence));
}

tt_status tt_cli_context(tt_context **c, const tt_args *a, tt_error *err)
{
    const tt_context_options o = {.size = sizeof o,
                                  .threads = a->threads,
                                  .memory = a->memory,
                                  .device = a->device ? a->device : "auto",
                                  .device_only = a->fallback && !strcmp(a->fallback, "none"),
                                  .device_memory = a->device_memory,
                                  .note = tell_excuse,
                                  .precision = a->precision && !strcmp(a->precision, "fp16") ? TT_FP16 : TT_FP32};
    const tt_status st = tt_context_new(c, &o, err);
    if (st)
        return st;
    pthread_mutex_lock(&watch.lock);
    watch.context = *c;
    if (watch.stopped)
        tt_context_cancel(*c);
    pthread_mutex_unlock(&watch.lock);
    return TT_OK;
}

void tt_cli_context_free(tt_context *c)
{
    pthread_mutex_lock(&watch.lock);
    watch.context = NULL;
    pthread_mutex_unlock(&watch.lock);
    tt_context_free(c);
}

/* ---- beginning and end ---------------------------------------------------------------------------- */

void tt_cli_begin(void)
{
    /* Where 0, 1 or 2 is closed, the next file opened would get the number, and a message would end up in a
     * picture. Opened the wrong way round, reading and writing fail as they would on a closed one. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
            _exit(TT_EXIT_INTERNAL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    watch_begin();
}

int tt_cli_end(int code)
{
    errno = 0;
    if (fflush(stdout) || ferror(stdout)) {
        tt_error e;
        const tt_status st = tt_fail(&e, errno == EPIPE ? TT_ERR_OUTPUT : TT_ERR_TEMPORARY,
                                     "standard output: cannot be written%s%s", errno ? ": " : "",
                                     errno ? strerror(errno) : "");
        tt_cli_complain(NULL, &e);
        if (!code)
            code = tt_exit_code(st);
    }
    tt_cli_writes_in(NULL);
    if (watch.stopped)
        die_of(watch.stopped);
    return code;
}
