/* Temporaries of processes that were killed, for src/output.h. */
#define _GNU_SOURCE
#include "src/output.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ".NAME.tintype-PID-RAND" with 8 hexadecimal digits; the number, or 0. */
static long pid_in_name(const char *name)
{
    static const char mark[] = ".tintype-";
    const size_t n = strlen(name);
    if (name[0] != '.' || n < sizeof mark - 1 + 1 + 1 + 8)
        return 0;
    const char *p = name + n - 8;
    for (int i = 0; i < 8; i++)
        if (!isxdigit((unsigned char)p[i]) || isupper((unsigned char)p[i]))
            return 0;
    if (*--p != '-')
        return 0;
    long pid = 0, place = 1;
    int digits = 0;
    while (p > name && p[-1] >= '0' && p[-1] <= '9' && digits < 10) {
        p--;
        pid += place * (*p - '0');
        place *= 10;
        digits++;
    }
    if (!digits || (size_t)(p - name) < sizeof mark - 1 || memcmp(p - (sizeof mark - 1), mark, sizeof mark - 1))
        return 0;
    return pid > 0 && pid <= INT32_MAX ? pid : 0;
}

void tt_output_sweep(const char *directory)
{
    DIR *d = opendir(directory);
    if (!d)
        return;
    const int dir = dirfd(d);
    for (struct dirent *e; (e = readdir(d));) {
        const long pid = pid_in_name(e->d_name);
        /* our own number is no sign of life: in a container every run may be process 7 */
        if (!pid || (pid != (long)getpid() && (!kill((pid_t)pid, 0) || errno != ESRCH)))
            continue;
        const int fd = openat(dir, e->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
            continue;
        struct stat st;
        if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid()) {
            /* the writer holds a lock, maybe on another machine; without locks only age tells */
            const bool locked = !flock(fd, LOCK_EX | LOCK_NB);
            const bool old = errno != EWOULDBLOCK && time(NULL) - st.st_mtime > 86400;
            if (locked || old)
                (void)unlinkat(dir, e->d_name, 0);
        }
        close(fd);
    }
    closedir(d);
}
