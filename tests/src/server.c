#define _GNU_SOURCE
#include "tests/src/server.h"

#include "src/digest.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOG = 256, REQUEST_MOST = 8192 };

static const char *file;
static size_t size;
static int listener = -1, port;
static atomic_int requests, flaky; /* flaky: those of /flaky/ and /other/ */
static atomic_long ranges[LOG];
static char sum[TT_SHA256_TEXT];

static void send_all(int fd, const char *p, size_t n)
{
    while (n) {
        const ssize_t r = send(fd, p, n, MSG_NOSIGNAL);
        if (r <= 0)
            return;
        p += r;
        n -= (size_t)r;
    }
}

__attribute__((format(printf, 2, 3))) static void say(int fd, const char *format, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, format);
    const int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    send_all(fd, text, (size_t)n);
}

static void nap(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void head(int fd, size_t from)
{
    if (from)
        say(fd,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n"
            "Connection: close\r\n\r\n",
            from, size - 1, size, size - from);
    else
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", size);
}

/* Is `*path` "/name/..."? Then what follows the name, at the '/' behind it. */
static int is(const char **path, const char *name)
{
    const size_t n = strlen(name);
    if ((*path)[0] != '/' || strncmp(*path + 1, name, n) || (*path)[n + 1] != '/')
        return 0;
    *path += n + 1;
    return 1;
}

static void moved(int fd, const char *to)
{
    say(fd, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 6\r\nConnection: close\r\n\r\nmoved\n",
        to);
}

static void answer(int fd, const char *path, size_t from)
{
    const char *const whole = path;
    const size_t n = strtoul(strchr(path + 1, '/') ? strchr(path + 1, '/') + 1 : "", NULL, 10);
    if (from >= size && !is(&path, "norange")) {
        say(fd, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    } else if (is(&path, "whole")) {
        head(fd, from);
        send_all(fd, file + from, size - from);
    } else if (is(&path, "norange")) {
        head(fd, 0);
        send_all(fd, file, size);
    } else if (is(&path, "cut") || is(&path, "stall")) {
        char c;
        head(fd, from);
        send_all(fd, file + from, n < size - from ? n : size - from);
        if (whole[1] == 's')
            (void)!recv(fd, &c, 1, 0);
    } else if (is(&path, "other")) {
        head(fd, from);
        if (!atomic_fetch_add(&flaky, 1))
            for (size_t i = 0; i < n; i++)
                send_all(fd, "", 1);
        else
            send_all(fd, file + from, size - from);
    } else if (is(&path, "trickle")) {
        head(fd, from);
        for (const size_t step = size / 20 + 1; from < size; from += step) {
            send_all(fd, file + from, step < size - from ? step : size - from);
            nap(50);
        }
    } else if (is(&path, "open")) {
        say(fd, "HTTP/1.0 200 OK\r\n\r\n");
        send_all(fd, file, n < size ? n : size);
    } else if (is(&path, "endless")) {
        static const char zeros[65536];
        say(fd, "HTTP/1.0 200 OK\r\n\r\n");
        while (send(fd, zeros, sizeof zeros, MSG_NOSIGNAL) > 0)
            ;
    } else if (is(&path, "wrongrange")) {
        head(fd, from ? from / 2 + 1 : 0);
        send_all(fd, file + (from ? from / 2 + 1 : 0), size - (from ? from / 2 + 1 : 0));
    } else if (is(&path, "flaky")) {
        if (atomic_fetch_add(&flaky, 1) < (int)n) {
            say(fd, "HTTP/1.1 503 Later\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlater");
        } else {
            head(fd, from);
            send_all(fd, file + from, size - from);
        }
    } else if (is(&path, "status")) {
        say(fd, "HTTP/1.1 %zu So\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno.\n", n);
    } else if (is(&path, "redirect")) {
        char to[64];
        snprintf(to, sizeof to, n > 1 ? "/redirect/%zu/f" : "/whole/f", n - 1);
        moved(fd, to);
    } else if (is(&path, "loop")) {
        moved(fd, whole);
    } else if (is(&path, "moved")) {
        moved(fd, path + 1);
    } else {
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

static void *serve(void *connection)
{
    const int fd = (int)(size_t)connection;
    char text[REQUEST_MOST + 1];
    size_t n = 0;
    text[0] = 0;
    while (n < REQUEST_MOST && !strstr(text, "\r\n\r\n")) {
        const ssize_t r = recv(fd, text + n, REQUEST_MOST - n, 0);
        if (r <= 0)
            break;
        n += (size_t)r;
        text[n] = 0;
    }
    const char *range = strcasestr(text, "\r\nRange: bytes=");
    const size_t from = range ? strtoul(range + 15, NULL, 10) : 0;
    char *path = strchr(text, '/');
    if (path && strstr(text, "\r\n\r\n")) {
        path[strcspn(path, " \r\n")] = 0;
        const int k = atomic_fetch_add(&requests, 1);
        if (k < LOG)
            atomic_store(&ranges[k], (long)from);
        answer(fd, path, from);
    }
    shutdown(fd, SHUT_WR);
    char rest[512]; /* closing with unread bytes would reset the connection and lose what was sent */
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void *accept_all(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_t thread;
        const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        if (pthread_create(&thread, NULL, serve, (void *)(size_t)fd))
            close(fd);
        else
            pthread_detach(thread);
    }
}

void sv_begin(const void *bytes, size_t n)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    pthread_t thread;
    tt_sha256 s;
    file = bytes;
    size = n;
    tt_sha256_init(&s);
    tt_sha256_add(&s, bytes, n);
    tt_sha256_text(&s, sum);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 64), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    port = ntohs(at.sin_port);
    ck_assert_int_eq(pthread_create(&thread, NULL, accept_all, NULL), 0);
    pthread_detach(thread);
}

const char *sv_url(const char *path)
{
    static char ring[8][512];
    static unsigned next;
    char *to = ring[next++ % 8];
    snprintf(to, sizeof ring[0], "http://127.0.0.1:%d%s", port, path);
    return to;
}

int sv_requests(void)
{
    return atomic_load(&requests);
}

long sv_range(int k)
{
    return atomic_load(&ranges[k]);
}

const char *sv_sha256(void)
{
    return sum;
}
