#include "tests/engine/pth_write.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pw_put(pw_bytes *b, const void *bytes, size_t n)
{
    if (b->room - b->n < n) {
        b->room = 2 * b->room + n + 64;
        b->p = realloc(b->p, b->room);
        if (!b->p)
            abort();
    }
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
}

void pw_number(pw_bytes *b, unsigned long long v, int bytes)
{
    unsigned char le[8];
    for (int i = 0; i < 8; i++)
        le[i] = (unsigned char)(v >> 8 * i);
    pw_put(b, le, (size_t)bytes);
}

/* ---- pickles -------------------------------------------------------------------------------------- */

static void op(pw_bytes *b, int code)
{
    pw_number(b, (unsigned)code, 1);
}

static void text(pw_bytes *b, const char *s, size_t n)
{
    op(b, 'X');
    pw_number(b, n, 4);
    pw_put(b, s, n);
}

static void number(pw_bytes *b, long long v)
{
    if (v >= -0x7fffffffLL && v <= 0x7fffffffLL) {
        op(b, 'J');
        pw_number(b, (unsigned long long)v, 4);
    } else {
        op(b, 0x8a);
        op(b, 8);
        pw_number(b, (unsigned long long)v, 8);
    }
}

static void global(pw_bytes *b, const char *module, size_t m, const char *name, size_t n)
{
    op(b, 'c');
    pw_put(b, module, m);
    op(b, '\n');
    pw_put(b, name, n);
    op(b, '\n');
}

/* "Float:key:count"; returns what follows on it */
static const char *storage(pw_bytes *b, const char *s)
{
    char type[64];
    const char *key = strchr(s, ':') + 1, *count = strchr(key, ':') + 1;
    const int n = snprintf(type, sizeof type, "%.*sStorage", (int)(key - 1 - s), s);
    op(b, '(');
    text(b, "storage", 7);
    global(b, "torch", 5, type, (size_t)n);
    text(b, key, (size_t)(count - 1 - key));
    text(b, "cpu", 3);
    number(b, strtoll(count, NULL, 10));
    op(b, 't');
    op(b, 'Q');
    return count + strspn(count, "-0123456789");
}

/* "2x3" or "-"; returns what follows */
static const char *tuple(pw_bytes *b, const char *s)
{
    op(b, '(');
    if (*s == '-' && (!s[1] || s[1] == ':' || s[1] == ' ')) {
        s++;
    } else {
        for (char *end;; s = end + 1) {
            number(b, strtoll(s, &end, 10));
            if (*end != 'x') {
                s = end;
                break;
            }
        }
    }
    op(b, 't');
    return s;
}

static void tensor(pw_bytes *b, const char *s)
{
    char *end;
    global(b, "torch._utils", 12, "_rebuild_tensor_v2", 18);
    op(b, '(');
    s = storage(b, s) + 1;
    number(b, strtoll(s, &end, 10));
    s = tuple(b, end + 1) + 1;
    tuple(b, s);
    op(b, 0x89);
    global(b, "collections", 11, "OrderedDict", 11);
    op(b, ')');
    op(b, 'R');
    op(b, 't');
    op(b, 'R');
}

static void bytes(pw_bytes *b, const char *s, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        char hex[3] = {s[i], s[i + 1], 0};
        op(b, (int)strtol(hex, NULL, 16));
    }
}

static void word(pw_bytes *b, const char *s, size_t n)
{
    const char *dot = s + n;
    if (*s == '\'') {
        text(b, s + 1, n - 2);
    } else if (*s == '@') {
        while (*--dot != '.')
            ;
        global(b, s + 1, (size_t)(dot - s - 1), dot + 1, (size_t)(s + n - dot - 1));
    } else if (*s == '%') {
        global(b, "torch.nn", 8, s + 1, n - 1);
        op(b, ')');
        op(b, 0x81);
    } else if (*s == '#') {
        storage(b, s + 1);
    } else if (*s == '$') {
        tensor(b, s + 1);
    } else if (*s == 'x' && n > 1) {
        bytes(b, s + 1, n - 1);
    } else if (isdigit((unsigned char)*s) || (*s == '-' && n > 1)) {
        if (n == 1 && *s == '0')
            op(b, '0');
        else
            number(b, strtoll(s, NULL, 10));
    } else if ((*s == 'q' || *s == 'h') && n > 1) {
        op(b, *s);
        op(b, atoi(s + 1));
    } else if (n == 4 && !strncmp(s, "True", 4)) {
        op(b, 0x88);
    } else if (n == 5 && !strncmp(s, "False", 5)) {
        op(b, 0x89);
    } else {
        if (n != 1 || !strchr("(}])NtsuaeRbQ.", *s)) {
            fprintf(stderr, "pw_pickle: '%.*s'\n", (int)n, s);
            abort();
        }
        op(b, *s);
    }
}

pw_bytes pw_pickle(const char *words)
{
    pw_bytes b = {0};
    const bool bare = *words == '!';
    if (bare)
        words++;
    else
        pw_put(&b, "\x80\2", 2);
    for (const char *s = words + strspn(words, " "); *s;) {
        const size_t n = strcspn(s, " ");
        word(&b, s, n);
        s += n;
        s += strspn(s, " ");
    }
    if (!bare)
        op(&b, '.');
    return b;
}

/* ---- zip ------------------------------------------------------------------------------------------ */

static unsigned long crc32_of(const unsigned char *p, size_t n)
{
    unsigned long crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return crc ^ 0xffffffff;
}

typedef struct entry {
    size_t at, size, packed;
    unsigned long crc;
    int method, flags;
} entry;

/* From "version needed" to the name's length: the same in both headers. `bare` is what a local header says of
 * a member whose sizes stand behind it. */
static void common(pw_bytes *b, const entry *e, bool bare, bool zip64, size_t name, size_t extra)
{
    pw_number(b, zip64 ? 45 : 20, 2);
    pw_number(b, (unsigned)e->flags, 2);
    pw_number(b, (unsigned)e->method, 2);
    pw_number(b, 0, 4); /* the time */
    pw_number(b, bare ? 0 : e->crc, 4);
    pw_number(b, bare ? 0 : zip64 ? 0xffffffff : e->packed, 4);
    pw_number(b, bare ? 0 : zip64 ? 0xffffffff : e->size, 4);
    pw_number(b, name, 2);
    pw_number(b, extra, 2);
}

/* All of it in one block that is not packed; at most 65535 bytes. */
static void deflate(pw_bytes *b, const pw_member *m)
{
    op(b, 1);
    pw_number(b, m->n, 2);
    pw_number(b, ~m->n, 2);
    pw_put(b, m->data, m->n);
}

static void local(pw_bytes *b, entry *e, const pw_member *m, const pw_oddity *odd, bool last)
{
    const char *name = last && odd->other ? odd->other : m->name;
    const bool behind = !odd->sizes && m->n; /* as PyTorch does */
    *e = (entry){.at = b->n,
                 .size = m->n + (size_t)(last ? odd->wrong_size : 0),
                 .packed = m->n + (odd->packed ? 5 : 0),
                 .crc = crc32_of(m->data, m->n) ^ (last && odd->wrong_crc),
                 .method = odd->packed ? 8 : odd->method,
                 .flags = odd->flags | 0x800 | (behind ? 8 : 0)};
    if (!odd->packed && last)
        e->packed = e->size;
    const size_t extra = odd->zip64 && odd->sizes ? 20 : 0;
    pw_put(b, "PK\3\4", 4);
    common(b, e, behind, odd->zip64 && odd->sizes, strlen(name), extra);
    pw_put(b, name, strlen(name));
    if (extra) {
        pw_number(b, 1, 2);
        pw_number(b, 16, 2);
        pw_number(b, e->size, 8);
        pw_number(b, e->packed, 8);
    }
    if (odd->packed)
        deflate(b, m);
    else
        pw_put(b, m->data, m->n);
    if (behind) {
        pw_put(b, "PK\7\10", 4);
        pw_number(b, e->crc, 4);
        pw_number(b, e->packed, odd->zip64 ? 8 : 4);
        pw_number(b, e->size, odd->zip64 ? 8 : 4);
    }
}

static void central(pw_bytes *b, const entry *e, const pw_member *m, bool zip64)
{
    pw_put(b, "PK\1\2", 4);
    pw_number(b, zip64 ? 45 : 20, 2);
    common(b, e, false, zip64, strlen(m->name), zip64 ? 28 : 0);
    pw_number(b, 0, 2 + 2 + 2); /* comment, disk, attributes */
    pw_number(b, 0, 4);
    pw_number(b, zip64 ? 0xffffffff : e->at, 4);
    pw_put(b, m->name, strlen(m->name));
    if (zip64) {
        pw_number(b, 1, 2);
        pw_number(b, 24, 2);
        pw_number(b, e->size, 8);
        pw_number(b, e->packed, 8);
        pw_number(b, e->at, 8);
    }
}

static void ends(pw_bytes *b, size_t at, size_t count, bool zip64)
{
    const size_t size = b->n - at, end = b->n;
    if (zip64) {
        pw_put(b, "PK\6\6", 4);
        pw_number(b, 44, 8);
        pw_number(b, 45, 2);
        pw_number(b, 45, 2);
        pw_number(b, 0, 8);
        pw_number(b, count, 8);
        pw_number(b, count, 8);
        pw_number(b, size, 8);
        pw_number(b, at, 8);
        pw_put(b, "PK\6\7", 4);
        pw_number(b, 0, 4);
        pw_number(b, end, 8);
        pw_number(b, 1, 4);
    }
    pw_put(b, "PK\5\6", 4);
    pw_number(b, 0, 4);
    pw_number(b, zip64 ? 0xffff : count, 2);
    pw_number(b, zip64 ? 0xffff : count, 2);
    pw_number(b, zip64 ? 0xffffffff : size, 4);
    pw_number(b, zip64 ? 0xffffffff : at, 4);
    pw_number(b, 0, 2);
}

pw_bytes pw_zip(const pw_member *m, size_t count, const pw_oddity *odd)
{
    static const pw_oddity none;
    pw_bytes b = {0};
    entry *e = calloc(count + 1, sizeof *e);
    if (!e)
        abort();
    if (!odd)
        odd = &none;
    for (size_t i = 0; i < count; i++)
        local(&b, &e[i], &m[i], odd, i + 1 == count);
    const size_t at = b.n;
    for (size_t i = 0; i < count; i++)
        central(&b, &e[i], &m[i], odd->zip64);
    ends(&b, at, count, odd->zip64);
    free(e);
    return b;
}

pw_bytes pw_pth(const char *words, const pw_member *storages, size_t count, const pw_oddity *odd)
{
    pw_bytes pickle = pw_pickle(words);
    pw_member m[40] = {{"X/data.pkl", pickle.p, pickle.n}, {"X/version", "3\n", 2}};
    char names[38][64];
    if (count > 38)
        abort();
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "X/data/%s", storages[i].name);
        m[2 + i] = (pw_member){names[i], storages[i].data, storages[i].n};
    }
    pw_bytes b = pw_zip(m, 2 + count, odd);
    free(pickle.p);
    return b;
}

/* ---- before 1.6 ----------------------------------------------------------------------------------- */

static void put_pickle(pw_bytes *b, const char *words)
{
    pw_bytes p = pw_pickle(words);
    pw_put(b, p.p, p.n);
    free(p.p);
}

pw_bytes pw_legacy_head(const char *version, const char *system)
{
    pw_bytes b = {0};
    put_pickle(&b, "x8a0a6cfc9c46f9206aa85019");
    put_pickle(&b, version);
    put_pickle(&b, system);
    return b;
}

pw_bytes pw_legacy(const char *words, const pw_member *storages, size_t count, size_t item,
                   const pw_bytes *head)
{
    pw_bytes b = {0};
    if (head)
        pw_put(&b, head->p, head->n);
    else
        b = pw_legacy_head("1001", "} ( 'protocol_version' 1001 'little_endian' True u");
    put_pickle(&b, words);
    pw_put(&b, "\x80\2](", 4);
    for (size_t i = 0; i < count; i++)
        text(&b, storages[i].name, strlen(storages[i].name));
    pw_put(&b, "e.", 2);
    for (size_t i = 0; i < count; i++) {
        pw_number(&b, storages[i].n / item, 8);
        pw_put(&b, storages[i].data, storages[i].n);
    }
    return b;
}
