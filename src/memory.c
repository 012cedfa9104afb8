#define _POSIX_C_SOURCE 200809L /* getrlimit(), sysconf() */
#include "src/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The number in such a file; UINT64_MAX for "max", no number, no file. */
static uint64_t limit_in(const char *path)
{
    char text[64] = "";
    FILE *f = fopen(path, "re");
    if (!f)
        return UINT64_MAX;
    if (!fgets(text, sizeof text, f))
        text[0] = 0;
    fclose(f);
    if (text[0] < '0' || text[0] > '9')
        return UINT64_MAX;
    errno = 0;
    const unsigned long long n = strtoull(text, NULL, 10);
    return errno || n == 0 ? UINT64_MAX : n;
}

/* The least limit of a group and of those it lies in. In a container the path may be one of the host's, of
 * which only the top is seen: missing files say nothing. */
static uint64_t least_upwards(const char *root, const char *mount, char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[PATH_BYTES];
        const int n = snprintf(path, sizeof path, "%s%s%s/%s", root, mount, group, file);
        if (n > 0 && (size_t)n < sizeof path) {
            const uint64_t limit = limit_in(path);
            least = limit < least ? limit : least;
        }
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = 0;
    }
}

/* Is "memory" among the names between commas? */
static bool lists_memory(const char *names, size_t length)
{
    const char *end = names + length;
    for (const char *p = names; p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const size_t n = (size_t)((comma ? comma : end) - p);
        if (n == 6 && !memcmp(p, "memory", 6))
            return true;
        p += n + 1;
    }
    return false;
}

/* Lines of /proc/self/cgroup: "4:memory,cpu:/group" of version 1, "0::/group" of version 2. */
static uint64_t group_limit(const char *root)
{
    char line[PATH_BYTES];
    uint64_t least = UINT64_MAX;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *f = fopen(line, "re");
    if (!f)
        return UINT64_MAX;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':');
        char *group = names ? strchr(names + 1, ':') : NULL;
        if (!group)
            continue;
        names++;
        uint64_t limit = UINT64_MAX;
        if (group == names)
            limit = least_upwards(root, "/sys/fs/cgroup", group + 1, "memory.max");
        else if (lists_memory(names, (size_t)(group - names)))
            limit = least_upwards(root, "/sys/fs/cgroup/memory", group + 1, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    fclose(f);
    return least;
}

uint64_t tt_memory_limit(const char *root, uint64_t physical)
{
    if (!physical) {
        const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        physical = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)1 << 30;
    }
    const uint64_t group = group_limit(root);
    uint64_t limit = group < physical ? group : physical;
    struct rlimit r;
    if (!getrlimit(RLIMIT_AS, &r) && r.rlim_cur != RLIM_INFINITY && r.rlim_cur < limit)
        limit = r.rlim_cur;
    return limit;
}

uint64_t tt_memory_default(void)
{
    return tt_memory_limit("", 0) / 10 * 6;
}
