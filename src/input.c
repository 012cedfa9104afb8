/* Whole files into memory: the reading half of src/output.h. */
#define _GNU_SOURCE
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

tt_status tt_read_file_if(const char *path, size_t most, bool (*wanted)(const unsigned char *head, size_t n),
                          unsigned char **bytes, size_t *size, tt_error *err)
{
    const bool standard_input = !strcmp(path, "-");
    const char *name = standard_input ? "standard input" : path;
    unsigned char *p = NULL;
    size_t n = 0, room;
    struct stat st;
    tt_status status = TT_OK;
    int fd;
    *bytes = NULL;
    *size = 0;
    do
        fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return tt_fail(err, errno == EMFILE || errno == ENFILE ? TT_ERR_TEMPORARY : TT_ERR_INPUT,
                       "%s: cannot be opened: %s", name, strerror(errno));
    if (fstat(fd, &st)) {
        status = tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", name, strerror(errno));
        goto done;
    }
    if (S_ISDIR(st.st_mode)) {
        status = tt_fail(err, TT_ERR_INPUT, "%s: is a directory, not a file", name);
        goto done;
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > most) {
        status = tt_fail(err, TT_ERR_INPUT, "%s: has %lld bytes; at most %zu are read", name, (long long)st.st_size, most);
        goto done;
    }
    /* the size is a guess only: the file may grow, shrink, or be a pipe. One byte more shows its end. */
    room = HEAD + 1;
    for (bool asked = !wanted;;) {
        if (!p || n == room) {
            if (n && S_ISREG(st.st_mode) && (size_t)st.st_size >= room)
                room = (size_t)st.st_size + 1;
            else if (n && !tt_add(room, room / 2, &room))
                room = most;
            unsigned char *more = realloc(p, room);
            if (!more) {
                status = tt_fail_memory(err, room);
                goto done;
            }
            p = more;
        }
        /* at most 1 GiB at once: what read() itself gives */
        const size_t ask = room - n < (size_t)1 << 30 ? room - n : (size_t)1 << 30;
        const ssize_t r = read_again(fd, p + n, ask);
        if (r < 0) {
            status = tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", name, strerror(errno));
            goto done;
        }
        n += (size_t)r;
        if (n > most) {
            status = tt_fail(err, TT_ERR_INPUT, "%s: has more than the %zu bytes that are read", name, most);
            goto done;
        }
        if (!asked && (!r || n >= HEAD)) {
            asked = true;
            if (!wanted(p, n < HEAD ? n : HEAD))
                break;
        }
        if (!r)
            break;
    }
done:
    close(fd);
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
    return tt_read_file_if(path, most, NULL, bytes, size, err);
}
