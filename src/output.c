#define _GNU_SOURCE /* O_TMPFILE, O_PATH, renameat2() */
#include "src/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER = 1 << 16,
    NAME_MOST = 255,  /* bytes of a file name on every common file system */
    SUFFIX_MOST = 32, /* ".tintype-", a process number, "-", 8 hexadecimal digits */
    LINKS_MOST = 40,  /* symbolic links to follow, as the kernel does */
};

struct tt_output {
    char *path; /* as given, for sentences */
    char *name; /* in the directory; NULL where the file is written in place */
    int dir;    /* the directory, or -1 */
    int fd;
    bool overwrite;
    bool in_place;
    bool replaces; /* a file was there: `uid` and `gid` are its owner */
    uid_t uid;
    gid_t gid;
    char temp[NAME_MOST + 1]; /* its name in the directory, empty: none (O_TMPFILE, in place) */
    int error;                /* errno of the first failure */
    size_t fill;
    unsigned char buffer[BUFFER];
};

/* What went wrong, in the class that decides whether trying again makes sense. */
static tt_status fail_errno(tt_error *err, const char *path, const char *doing, int e)
{
    tt_status st = TT_ERR_OUTPUT;
    switch (e) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EFBIG: /* a file size limit: may be raised */
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ESTALE:
    case ETIMEDOUT:
        st = TT_ERR_TEMPORARY;
        break;
    case EPIPE:
        return tt_fail(err, st, "%s: nobody reads the other end any more", path);
    }
    return tt_fail(err, st, "%s: %s: %s", path, doing, strerror(e));
}

static int open_again(int dir, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(dir, path, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Linux closes the file whatever close() says; after EINTR there is nothing left to do. */
static int close_once(int fd)
{
    return close(fd) && errno != EINTR ? -1 : 0;
}

static int sync_again(int fd)
{
    int r;
    do
        r = fsync(fd);
    while (r && errno == EINTR);
    return r;
}

/* Errno of a complete write, 0 if all is written. A non-blocking pipe is waited for. */
static int write_all(int fd, const unsigned char *p, size_t n)
{
    while (n) {
        const ssize_t r = write(fd, p, n);
        if (r > 0) {
            p += r;
            n -= (size_t)r;
        } else if (r < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
        } else if (r < 0 && errno != EINTR) {
            return errno;
        } else if (!r) {
            return EIO; /* never for files; and never try for ever */
        }
    }
    return 0;
}

static uint32_t random32(void)
{
    uint32_t r;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) == (ssize_t)sizeof r)
        return r;
    struct timespec t; /* names need only differ: O_EXCL decides */
    clock_gettime(CLOCK_MONOTONIC, &t);
    static uint32_t count;
    return (uint32_t)t.tv_nsec * 2654435761u + __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
}

/*
 * A named temporary, locked as long as it is written: tt_output_sweep() of another process, on another machine
 * even, sees by the lock that it is alive. Sweeping may come between creating and locking; then the lock is
 * taken or the name is gone, and another one is tried. -1 and errno.
 */
static int open_temp(int dir, const char *name, char temp[NAME_MOST + 1])
{
    size_t most = NAME_MOST - 1 - SUFFIX_MOST;
    for (int tries = 0; tries < 100; tries++) {
        size_t keep = strlen(name);
        if (keep > most) {
            keep = most;
            while (keep && ((unsigned char)name[keep] & 0xc0) == 0x80) /* no half characters: some systems mind */
                keep--;
        }
        snprintf(temp, NAME_MOST + 1, ".%.*s.tintype-%ld-%08x", (int)keep, name, (long)getpid(), random32());
        const int fd = open_again(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) {
            if (errno == ENAMETOOLONG && most > 60)
                most = 60; /* some file systems allow 143 bytes */
            else if (errno != EEXIST)
                break;
            continue;
        }
        struct stat st;
        if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
            close(fd);
            continue;
        }
        if (!fstat(fd, &st) && st.st_nlink)
            return fd;
        close(fd);
        errno = EEXIST;
    }
    temp[0] = 0;
    return -1;
}

/* Split "a/b" into "a" and "b", "b" into "." and "b", "/b" into "/" and "b". False: no memory. */
static bool split(const char *path, char **dir, char **name)
{
    const char *slash = strrchr(path, '/');
    *name = strdup(slash ? slash + 1 : path);
    *dir = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    return *dir && *name;
}

/* Follow symbolic links at the end of `path`, dangling ones too: the file they name is meant. */
static tt_status follow(const char *path, char **resolved, tt_error *err)
{
    char *at = strdup(path);
    for (int n = 0; at; n++) {
        char to[4097];
        const ssize_t length = readlink(at, to, sizeof to - 1);
        if (length < 0) {
            *resolved = at;
            return TT_OK;
        }
        if (n == LINKS_MOST || length == (ssize_t)sizeof to - 1) {
            free(at);
            return tt_fail(err, TT_ERR_OUTPUT, "%s: too many symbolic links", path);
        }
        to[length] = 0;
        const char *slash = strrchr(at, '/');
        char *next = NULL;
        if (to[0] == '/' || !slash) {
            next = strdup(to);
        } else if (asprintf(&next, "%.*s/%s", (int)(slash - at), at, to) < 0) {
            next = NULL;
        }
        free(at);
        at = next;
    }
    return tt_fail_memory(err, strlen(path));
}

static tt_status open_in_place(tt_output *o, bool standard_output, tt_error *err)
{
    o->in_place = true;
    if (standard_output)
        o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3); /* a copy: closing it shows late errors */
    else
        o->fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY); /* EINTR: someone waited long enough for a FIFO */
    if (o->fd < 0)
        return fail_errno(err, o->path, "cannot be opened for writing", errno);
    return TT_OK;
}

/* The file does not exist, or is to be replaced: a temporary beside it. */
static tt_status open_beside(tt_output *o, const char *dir, const struct stat *old, tt_error *err)
{
    o->dir = open_again(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (o->dir < 0 && errno == EACCES) /* may be searched and written but not read */
        o->dir = open_again(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (o->dir < 0)
        return fail_errno(err, o->path, "its directory cannot be opened", errno);
    if (old) {
        o->fd = open_temp(o->dir, o->name, o->temp);
        if (o->fd >= 0) {
            (void)fchmod(o->fd, old->st_mode & 0777); /* now: a private picture stays private while written */
            o->replaces = true; /* the owner only at the end: tt_output_sweep() goes by it */
            o->uid = old->st_uid;
            o->gid = old->st_gid;
        }
    } else {
        /* without a name a kill leaves nothing; it gets its name through /proc, so that must be there */
        o->fd = open_again(o->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", o->fd);
        if (o->fd >= 0 && access(link, F_OK)) {
            close(o->fd);
            o->fd = -1;
        }
        if (o->fd < 0)
            o->fd = open_temp(o->dir, o->name, o->temp);
    }
    if (o->fd < 0)
        return fail_errno(err, o->path, "cannot be created", errno);
    return TT_OK;
}

const char *tt_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

tt_status tt_output_open(tt_output **out, const char *path, bool overwrite, tt_error *err)
{
    *out = NULL;
    tt_output *o = calloc(1, sizeof *o);
    char *final = NULL, *dir = NULL;
    struct stat old, named;
    tt_status st;
    if (!o)
        return tt_fail_memory(err, sizeof *o);
    o->dir = o->fd = -1;
    o->overwrite = overwrite;
    const bool standard_output = !strcmp(path, "-");
    o->path = strdup(standard_output ? "standard output" : path);
    if (!o->path) {
        st = tt_fail_memory(err, strlen(path) + 1);
        goto done;
    }
    if (standard_output) {
        st = open_in_place(o, true, err);
        goto done;
    }
    const size_t length = strlen(path);
    if (!length) {
        st = tt_fail(err, TT_ERR_OUTPUT, "an empty file name cannot be written to");
        goto done;
    }
    const bool exists = !stat(path, &old);
    if (!exists && errno != ENOENT) {
        st = fail_errno(err, path, "cannot be created", errno);
        goto done;
    }
    if (path[length - 1] == '/' || (exists && S_ISDIR(old.st_mode))) {
        st = tt_fail(err, TT_ERR_OUTPUT, "%s: is a directory; a file name is wanted", path);
        goto done;
    }
    if (exists && S_ISBLK(old.st_mode)) {
        st = tt_fail(err, TT_ERR_OUTPUT, "%s: is a disk, which is not written to", path);
        goto done;
    }
    if (exists && !S_ISREG(old.st_mode)) {
        st = open_in_place(o, false, err);
        goto done;
    }
    if (exists && !overwrite) {
        st = tt_fail(err, TT_ERR_OUTPUT, "%s: exists already and is left as it is", path);
        goto done;
    }
    if (exists && access(path, W_OK)) {
        st = fail_errno(err, path, "may not be replaced", errno);
        goto done;
    }
    st = follow(path, &final, err);
    if (st)
        goto done;
    /* /proc/self/fd/3 and the like are links whose text need not be a path */
    if (exists && (stat(final, &named) || named.st_dev != old.st_dev || named.st_ino != old.st_ino)) {
        st = tt_fail(err, TT_ERR_OUTPUT, "%s: the file behind this link has no name", path);
        goto done;
    }
    if (!split(final, &dir, &o->name)) {
        st = tt_fail_memory(err, strlen(final));
        goto done;
    }
    st = open_beside(o, dir, exists ? &old : NULL, err);
done:
    free(final);
    free(dir);
    if (st)
        tt_output_abort(o);
    else
        *out = o;
    return st;
}

bool tt_output_put(void *out, const void *bytes, size_t n)
{
    tt_output *o = out;
    const unsigned char *p = bytes;
    while (n && !o->error) {
        if (!o->fill && n >= BUFFER) { /* large pieces need no copy */
            o->error = write_all(o->fd, p, n);
            break;
        }
        const size_t take = n < BUFFER - o->fill ? n : BUFFER - o->fill;
        memcpy(o->buffer + o->fill, p, take);
        o->fill += take;
        p += take;
        n -= take;
        if (o->fill == BUFFER) {
            o->error = write_all(o->fd, o->buffer, o->fill);
            o->fill = 0;
        }
    }
    return !o->error;
}

/* What is in the buffer goes to the file. */
static void flush(tt_output *o)
{
    if (!o->error && o->fill)
        o->error = write_all(o->fd, o->buffer, o->fill);
    o->fill = 0;
}

/* The nameless file gets `name`. linkat(AT_EMPTY_PATH) would need a privilege. */
static int link_fd(const tt_output *o, const char *name)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", o->fd);
    return linkat(AT_FDCWD, link, o->dir, name, AT_SYMLINK_FOLLOW);
}

/* A nameless file that may not be linked (rare file systems) goes on under a temporary name. */
static int copy_to_temp(tt_output *o)
{
    char temp[NAME_MOST + 1];
    const int to = open_temp(o->dir, o->name, temp);
    if (to < 0)
        return errno;
    int e = 0;
    off_t at = 0;
    for (;;) {
        const ssize_t r = pread(o->fd, o->buffer, BUFFER, at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0) {
            e = r < 0 ? errno : 0;
            break;
        }
        at += r;
        e = write_all(to, o->buffer, (size_t)r);
        if (e)
            break;
    }
    if (!e && sync_again(to))
        e = errno;
    close(o->fd);
    o->fd = to;
    memcpy(o->temp, temp, sizeof temp);
    return e;
}

/* The temporary takes the name; 0 or errno, EEXIST if it may not replace what appeared meanwhile. */
static int take_name(tt_output *o)
{
    if (!o->temp[0]) {
        if (!link_fd(o, o->name))
            return 0;
        if (errno == EEXIST && !o->overwrite)
            return EEXIST;
        if (errno == EEXIST) { /* appeared meanwhile, and may be replaced: by way of a name of our own */
            const int fd = open_temp(o->dir, o->name, o->temp); /* a free name, for certain */
            if (fd < 0)
                return errno;
            close(fd);
            char other[NAME_MOST + 1];
            memcpy(other, o->temp, sizeof other);
            (void)unlinkat(o->dir, other, 0);
            o->temp[0] = 0;
            if (link_fd(o, other))
                return errno;
            memcpy(o->temp, other, sizeof other);
        } else {
            const int e = copy_to_temp(o);
            if (e)
                return e;
        }
    }
    if (o->overwrite)
        return renameat(o->dir, o->temp, o->dir, o->name) ? errno : 0;
    if (!renameat2(o->dir, o->temp, o->dir, o->name, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (!linkat(o->dir, o->temp, o->dir, o->name, 0)) {
        (void)unlinkat(o->dir, o->temp, 0);
        return 0;
    }
    if (errno == EEXIST)
        return EEXIST;
    struct stat st; /* neither on this file system: look, then rename; the gap is all that can be had */
    if (!fstatat(o->dir, o->name, &st, AT_SYMLINK_NOFOLLOW))
        return EEXIST;
    return renameat(o->dir, o->temp, o->dir, o->name) ? errno : 0;
}

tt_status tt_output_commit(tt_output *o, tt_error *err)
{
    const char *doing = "cannot be written";
    flush(o);
    /* pipes and devices cannot be synced, and say so by EINVAL */
    if (!o->error && sync_again(o->fd) && !(o->in_place && (errno == EINVAL || errno == ENOTSUP || errno == EROFS)))
        o->error = errno;
    if (!o->error) { /* network file systems report at close(): closing a copy shows it before the rename */
        const int copy = fcntl(o->fd, F_DUPFD_CLOEXEC, 3);
        if (copy >= 0 && close_once(copy))
            o->error = errno;
    }
    if (!o->error && !o->in_place) {
        /* whose it was stays, where we may decide that; else it is ours */
        if (o->replaces && fchown(o->fd, o->uid, o->gid) && fchown(o->fd, (uid_t)-1, o->gid))
            errno = 0;
        o->error = take_name(o);
        if (o->error == EEXIST) {
            const tt_status st =
                tt_fail(err, TT_ERR_OUTPUT, "%s: appeared meanwhile and is left as it is", o->path);
            tt_output_abort(o);
            return st;
        }
        doing = "cannot be put in place";
        if (!o->error) {
            o->temp[0] = 0;
            /* Makes the new name outlast a power cut. If it fails, the name stands all the same, whole; the
             * worst that can come is the old state, whole too. So it is no error of this file. */
            (void)sync_again(o->dir);
        }
    }
    tt_status st = TT_OK;
    if (o->error)
        st = fail_errno(err, o->path, doing, o->error);
    tt_output_abort(o);
    return st;
}

void tt_output_abort(tt_output *o)
{
    if (!o)
        return;
    if (o->temp[0])
        (void)unlinkat(o->dir, o->temp, 0);
    if (o->fd >= 0)
        close(o->fd);
    if (o->dir >= 0)
        close(o->dir);
    free(o->name);
    free(o->path);
    free(o);
}

/* ---- downloads ------------------------------------------------------------------------------------ */

/* Locked and ours, or -1 and errno; EWOULDBLOCK: another process is at it, or has just put it in place. */
static int open_part(int dir, const char *name, uint64_t *length)
{
    struct stat st, named;
    const int fd = open_again(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd < 0)
        return -1;
    int e = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK ? EWOULDBLOCK : 0;
    if (!e && (fstat(fd, &st) || fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) || st.st_ino != named.st_ino))
        e = EWOULDBLOCK;
    /* what another user may write to could change between the check and the renaming */
    if (!e && (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1))
        e = EPERM;
    const off_t end = e ? 0 : lseek(fd, 0, SEEK_END);
    if (!e && end < 0)
        e = errno;
    *length = end > 0 ? (uint64_t)end : 0;
    if (!e)
        return fd;
    close(fd);
    errno = e;
    return -1;
}

tt_status tt_output_open_part(tt_output **out, const char *path, bool overwrite, uint64_t *length, tt_error *err)
{
    tt_output *o = calloc(1, sizeof *o);
    char *dir = NULL;
    tt_status st = TT_OK;
    *out = NULL;
    if (!o)
        return tt_fail_memory(err, sizeof *o);
    o->dir = o->fd = -1;
    o->overwrite = overwrite;
    o->path = strdup(path);
    if (!o->path || !split(path, &dir, &o->name)) {
        st = tt_fail_memory(err, strlen(path) + 1);
    } else if (strlen(o->name) > NAME_MOST - SUFFIX_MOST) {
        st = fail_errno(err, path, "cannot be created", ENAMETOOLONG);
    } else if ((o->dir = open_again(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0) {
        st = fail_errno(err, path, "its directory cannot be opened", errno);
    } else {
        char part[NAME_MOST + 1];
        snprintf(part, sizeof part, ".%s.part", o->name);
        o->fd = open_part(o->dir, part, length);
        if (o->fd >= 0) {
            memcpy(o->temp, part, sizeof part);
            *out = o;
        } else if (errno != EWOULDBLOCK) {
            st = fail_errno(err, path, "its .part beside it cannot be taken", errno);
        }
    }
    free(dir);
    if (!*out)
        tt_output_abort(o);
    return st;
}

void tt_output_restart(tt_output *o)
{
    o->fill = 0;
    if (!o->error && (ftruncate(o->fd, 0) || lseek(o->fd, 0, SEEK_SET)))
        o->error = errno;
}

int tt_output_read_back(tt_output *o)
{
    flush(o);
    if (!o->error && lseek(o->fd, 0, SEEK_SET))
        o->error = errno;
    return o->error ? -1 : o->fd;
}

tt_status tt_output_keep(tt_output *o, bool keep, tt_error *err)
{
    flush(o);
    const tt_status st = o->error ? fail_errno(err, o->path, "cannot be written", o->error) : TT_OK;
    if (keep)
        o->temp[0] = 0; /* so that it is not removed */
    tt_output_abort(o);
    return st;
}

tt_status tt_output_write(const char *path, const void *bytes, size_t n, bool overwrite, tt_error *err)
{
    tt_output *o;
    const tt_status st = tt_output_open(&o, path, overwrite, err);
    if (st)
        return st;
    (void)tt_output_put(o, bytes, n);
    return tt_output_commit(o, err);
}
