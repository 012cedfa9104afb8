/* Files, whole or in pieces. */
#define _GNU_SOURCE
#include "src/file.h"

#include "src/output.h"

#include "engine/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 1 << 16 };

static ssize_t read_again(int fd, void *to, size_t n)
{
    for (;;) {
        const ssize_t r = read(fd, to, n);
        if (r < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            (void)poll(&wait, 1, -1);
        } else if (r >= 0 || errno != EINTR) {
            return r;
        }
    }
}

/* Opened, and what it is. */
static tt_status open_file(const char *path, int *to, struct stat *st, tt_error *err)
{
    const bool standard_input = !strcmp(path, "-");
    const char *name = standard_input ? "standard input" : path;
    tt_status status = TT_OK;
    int fd;
    *to = -1;
    do
        fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return tt_fail(err, errno == EMFILE || errno == ENFILE ? TT_ERR_TEMPORARY : TT_ERR_INPUT,
                       "%s: cannot be opened: %s", name, strerror(errno));
    if (fstat(fd, st))
        status = tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", name, strerror(errno));
    else if (S_ISDIR(st->st_mode))
        status = tt_fail(err, TT_ERR_INPUT, "%s: is a directory, not a file", name);
    if (status)
        close(fd);
    else
        *to = fd;
    return status;
}

static tt_status too_long(const char *name, long long size, size_t most, tt_error *err)
{
    return tt_fail(err, TT_ERR_INPUT, "%s: has %lld bytes; at most %zu are read", name, size, most);
}

/* All that is still to be read; the descriptor stays open. */
static tt_status read_all(int fd, const struct stat *st, const char *name, size_t most,
                          bool (*wanted)(const unsigned char *head, size_t n), unsigned char **bytes, size_t *size,
                          tt_error *err)
{
    unsigned char *p = NULL;
    size_t n = 0, room = HEAD + 1;
    tt_status status = TT_OK;
    *bytes = NULL;
    *size = 0;
    if (S_ISREG(st->st_mode) && (uint64_t)st->st_size > most)
        return too_long(name, (long long)st->st_size, most, err);
    /* the size is a guess only: the file may grow, shrink, or be a pipe. One byte more shows its end. */
    for (bool asked = !wanted;;) {
        if (!p || n == room) {
            if (n && S_ISREG(st->st_mode) && (size_t)st->st_size >= room)
                room = (size_t)st->st_size + 1;
            else if (n && !tt_add(room, room / 2, &room))
                room = most;
            unsigned char *more = realloc(p, room);
            if (!more) {
                status = tt_fail_memory(err, room);
                break;
            }
            p = more;
        }
        /* at most 1 GiB at once: what read() itself gives */
        const size_t ask = room - n < (size_t)1 << 30 ? room - n : (size_t)1 << 30;
        const ssize_t r = read_again(fd, p + n, ask);
        if (r < 0) {
            status = tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", name, strerror(errno));
            break;
        }
        n += (size_t)r;
        if (n > most) {
            status = tt_fail(err, TT_ERR_INPUT, "%s: has more than the %zu bytes that are read", name, most);
            break;
        }
        if (!asked && (!r || n >= HEAD)) {
            asked = true;
            if (!wanted(p, n < HEAD ? n : HEAD))
                break;
        }
        if (!r)
            break;
    }
    if (status) {
        free(p);
        return status;
    }
    *bytes = p;
    *size = n;
    return TT_OK;
}

tt_status tt_read_file(const char *path, size_t most, unsigned char **bytes, size_t *size, tt_error *err)
{
    struct stat st;
    int fd;
    *bytes = NULL;
    *size = 0;
    tt_status status = open_file(path, &fd, &st, err);
    if (status)
        return status;
    status = read_all(fd, &st, strcmp(path, "-") ? path : "standard input", most, NULL, bytes, size, err);
    close(fd);
    return status;
}

/* ---- in pieces ------------------------------------------------------------------------------------ */

tt_file tt_file_of(const void *bytes, size_t size, const char *name)
{
    return (tt_file){.name = name, .size = size, .bytes = bytes};
}

void tt_file_close(tt_file *in)
{
    free(in->owned);
    if (in->open)
        close(in->fd);
    *in = (tt_file){0};
}

/* A file on a disk that can be read at any place; files of /proc have no size. */
static bool lies_still(tt_file *in, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || st->st_size <= 0)
        return false;
    in->base = lseek(in->fd, 0, SEEK_CUR); /* standard input may have been read from before */
    if (in->base < 0)
        return false;
    in->size = st->st_size > in->base ? (uint64_t)(st->st_size - in->base) : 0;
    (void)lseek(in->fd, 0, SEEK_END); /* and is used up now */
    return true;
}

tt_status tt_file_open(tt_file *in, const char *path, size_t most,
                        bool (*wanted)(const unsigned char *head, size_t n), tt_error *err)
{
    struct stat st;
    size_t size;
    *in = (tt_file){.name = strcmp(path, "-") ? path : "standard input"};
    tt_status status = open_file(path, &in->fd, &st, err);
    if (status)
        return status;
    in->open = true;
    if (lies_still(in, &st)) {
        if (in->size > most)
            status = too_long(in->name, (long long)in->size, most, err);
    } else {
        status = read_all(in->fd, &st, in->name, most, wanted, &in->owned, &size, err);
        in->bytes = in->owned;
        in->size = size;
        close(in->fd);
        in->open = false;
    }
    if (status)
        tt_file_close(in);
    return status;
}

size_t tt_file_read(tt_file *in, uint64_t at, void *to, size_t n)
{
    if (at >= in->size)
        return 0;
    if (n > in->size - at)
        n = (size_t)(in->size - at);
    if (in->bytes) {
        memcpy(to, in->bytes + at, n);
        return n;
    }
    for (size_t got = 0; got < n;) {
        const ssize_t r = pread(in->fd, (char *)to + got, n - got, (off_t)((uint64_t)in->base + at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            in->error = errno;
        if (r <= 0) /* or someone has made it shorter */
            return got;
        got += (size_t)r;
    }
    return n;
}

size_t tt_file_piece(tt_file *in, uint64_t at, void *buffer, size_t room, const unsigned char **piece)
{
    if (!in->bytes) {
        *piece = buffer;
        return tt_file_read(in, at, buffer, room);
    }
    *piece = at < in->size ? in->bytes + at : NULL;
    return at < in->size ? (size_t)(in->size - at) : 0;
}

tt_status tt_file_fault(const tt_file *in, tt_error *err)
{
    if (!in->error)
        return TT_OK;
    return tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", in->name, strerror(in->error));
}
