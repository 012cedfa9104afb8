#define _GNU_SOURCE
#include "src/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16, DIGITS = TT_SHA256_TEXT - 1 };

void tt_sha256_init(tt_sha256 *s)
{
    SHA256Init(&s->state);
}

void tt_sha256_add(tt_sha256 *s, const void *bytes, size_t n)
{
    if (n) /* memcpy of nothing from NULL is undefined all the same */
        SHA256Update(&s->state, bytes, n);
}

void tt_sha256_text(tt_sha256 *s, char text[TT_SHA256_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t sum[DIGITS / 2];
    SHA256Final(sum, &s->state);
    for (int i = 0; i < DIGITS; i++)
        text[i] = hex[(sum[i / 2] >> (i % 2 ? 0 : 4)) & 15];
    text[DIGITS] = 0;
}

int tt_sha256_fd(tt_sha256 *s, int fd, uint64_t *size)
{
    unsigned char piece[PIECE];
    *size = 0;
    for (;;) {
        const ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        tt_sha256_add(s, piece, (size_t)n);
        *size += (uint64_t)n;
    }
}

tt_status tt_sha256_file(const char *path, char text[TT_SHA256_TEXT], uint64_t *size, tt_error *err)
{
    tt_sha256 s;
    struct stat st;
    uint64_t bytes = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st)) {
        const int e = errno;
        if (fd >= 0)
            close(fd);
        return tt_fail(err, TT_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(e));
    }
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) { /* /dev/zero has no end */
        close(fd);
        return tt_fail(err, TT_ERR_INPUT, "%s: is %s; a file is wanted", path,
                       S_ISDIR(st.st_mode) ? "a directory" : "a device");
    }
    tt_sha256_init(&s);
    const int e = tt_sha256_fd(&s, fd, &bytes);
    close(fd);
    if (e)
        return tt_fail(err, TT_ERR_INPUT, "%s: cannot be read: %s", path, strerror(e));
    tt_sha256_text(&s, text);
    if (size)
        *size = bytes;
    return TT_OK;
}

bool tt_sha256_parse(const char *text, char to[TT_SHA256_TEXT])
{
    for (int i = 0; i < DIGITS; i++) {
        const char c = text[i];
        if (c >= 'A' && c <= 'F')
            to[i] = (char)(c - 'A' + 'a');
        else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
            to[i] = c;
        else
            return false;
    }
    to[DIGITS] = 0;
    return !text[DIGITS];
}
