#include "src/image/meta.h"

#include "engine/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* XMP specification, parts 1 and 3. */

/* Where `what` first occurs in p[0..n), or n. */
static size_t seek(const unsigned char *p, size_t n, const char *what)
{
    const size_t length = strlen(what);
    for (size_t at = 0; at + length <= n; at++) {
        const unsigned char *q = memchr(p + at, what[0], n - length - at + 1);
        if (!q)
            break;
        at = (size_t)(q - p);
        if (!memcmp(q, what, length))
            return at;
    }
    return n;
}

/*
 * The value of a property, written name="value" or <name>value</name>: its place and length. `from` moves past it,
 * so that all that are there can be seen in turn.
 */
static bool next_value(const tt_blob *xmp, const char *name, size_t *from, size_t *at, size_t *length)
{
    const unsigned char *p = xmp->data;
    const size_t n = xmp->size;
    while (*from < n) {
        size_t i = *from + seek(p + *from, n - *from, name);
        if (i >= n)
            return false;
        const unsigned char before = i ? p[i - 1] : 0;
        i += strlen(name);
        *from = i;
        const bool element = before == '<';
        if (!element && !isspace(before))
            continue; /* the end of a longer name, or a closing tag */
        while (!element && i < n && (isspace(p[i]) || p[i] == '='))
            i++;
        if (i >= n || (element ? p[i] != '>' : p[i] != '"' && p[i] != '\''))
            continue;
        const unsigned char *end = memchr(p + i + 1, element ? '<' : p[i], n - i - 1);
        if (!end)
            return false;
        *at = i + 1;
        *length = (size_t)(end - p) - *at;
        *from = *at;
        return true;
    }
    return false;
}

/* Every value of `name` that is a number becomes `value`. */
static tt_status set_number(tt_blob *xmp, const char *name, int value, tt_error *err)
{
    char digits[16];
    const size_t n = (size_t)snprintf(digits, sizeof digits, "%d", value);
    for (size_t from = 0, at, length; next_value(xmp, name, &from, &at, &length);) {
        bool number = length > 0 && length <= 10;
        for (size_t i = 0; number && i < length; i++)
            number = isdigit(xmp->data[at + i]);
        if (!number || (length == n && !memcmp(xmp->data + at, digits, n)))
            continue;
        const size_t tail = xmp->size - at - length, size = at + n + tail;
        if (n > length) {
            unsigned char *more = realloc(xmp->data, size);
            if (!more)
                return tt_fail_memory(err, size);
            xmp->data = more;
        }
        memmove(xmp->data + at + n, xmp->data + at + length, tail);
        memcpy(xmp->data + at, digits, n);
        xmp->size = size;
    }
    return TT_OK;
}

/* JPEG's extended XMP is not kept; a packet that points to it would look incomplete. Blanks keep its length. */
static void drop_extension(tt_blob *xmp)
{
    static const char name[] = "xmpNote:HasExtendedXMP";
    for (size_t from = 0, at, length; next_value(xmp, name, &from, &at, &length);) {
        size_t start = at;
        while (start > 0 && memcmp(xmp->data + start, name, sizeof name - 1))
            start--;
        if (start && xmp->data[start - 1] == '<')
            memset(xmp->data + at, ' ', length); /* an element: emptied */
        else
            memset(xmp->data + start, ' ', at + length + 1 - start); /* with its quotation mark */
    }
}

tt_status tt_meta_settle_xmp(tt_blob *xmp, int width, int height, bool upright, tt_error *err)
{
    static const char *const widths[] = {"tiff:ImageWidth", "exif:PixelXDimension"};
    static const char *const heights[] = {"tiff:ImageLength", "exif:PixelYDimension"};
    tt_status st = TT_OK;
    if (!xmp->size)
        return TT_OK;
    for (int i = 0; !st && i < 2; i++) {
        st = set_number(xmp, widths[i], width, err);
        if (!st)
            st = set_number(xmp, heights[i], height, err);
    }
    if (!st && upright)
        st = set_number(xmp, "tiff:Orientation", 1, err);
    if (!st)
        drop_extension(xmp);
    return st;
}

static int hex(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

tt_status tt_meta_read_raw_profile(tt_blob *to, const char *text, size_t size, tt_error *err)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    size_t length = 0, n = 0;
    while (p < end && isspace(*p))
        p++;
    while (p < end && *p != '\n') /* its name again */
        p++;
    while (p < end && isspace(*p))
        p++;
    while (p < end && isdigit(*p) && length < size)
        length = length * 10 + (size_t)(*p++ - '0');
    if (!length || length > size / 2)
        return TT_OK;
    unsigned char *bytes = malloc(length);
    if (!bytes)
        return tt_fail_memory(err, length);
    while (p < end && n < length) {
        if (isspace(*p)) {
            p++;
            continue;
        }
        const int high = hex(p[0]), low = p + 1 < end ? hex(p[1]) : -1;
        if (high < 0 || low < 0)
            break;
        bytes[n++] = (unsigned char)(high << 4 | low);
        p += 2;
    }
    if (n < length) {
        free(bytes);
        return TT_OK;
    }
    tt_blob_clear(to);
    *to = (tt_blob){bytes, n};
    return TT_OK;
}

tt_status tt_meta_write_raw_profile(char **text, size_t *size, const char *name, const void *bytes, size_t n,
                                    tt_error *err)
{
    static const char digits[] = "0123456789abcdef";
    const size_t head = strlen(name) + 40;
    size_t room;
    *text = NULL;
    if (!tt_mul(n, 2, &room) || !tt_add(room, n / 36 + head, &room))
        return tt_fail_memory(err, n);
    char *p = malloc(room);
    if (!p)
        return tt_fail_memory(err, room);
    size_t at = (size_t)snprintf(p, head, "\n%s\n%8zu", name, n);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = ((const unsigned char *)bytes)[i];
        if (i % 36 == 0) /* 72 digits a line */
            p[at++] = '\n';
        p[at++] = digits[c >> 4];
        p[at++] = digits[c & 15];
    }
    p[at++] = '\n';
    p[at] = 0;
    *text = p;
    *size = at;
    return TT_OK;
}

enum { IPTC_RESOURCE = 0x0404 };

bool tt_meta_find_iptc(const unsigned char *p, size_t size, const unsigned char **iptc, size_t *n)
{
    static const char mark[] = "Photoshop 3.0";
    if (size > sizeof mark && !memcmp(p, mark, sizeof mark)) { /* its zero too */
        p += sizeof mark;
        size -= sizeof mark;
    }
    /* "8BIM" id (2) name: a length byte and text, padded to even; length (4) data, padded to even */
    while (size >= 12 && !memcmp(p, "8BIM", 4)) {
        const unsigned id = (unsigned)(p[4] << 8 | p[5]);
        const size_t head = 6 + (((size_t)p[6] + 2) & ~(size_t)1);
        if (size < head + 4)
            return false;
        const unsigned char *q = p + head;
        const size_t length = (size_t)q[0] << 24 | (size_t)q[1] << 16 | (size_t)q[2] << 8 | q[3];
        if (length > size - head - 4)
            return false;
        if (id == IPTC_RESOURCE && length) {
            *iptc = q + 4;
            *n = length;
            return true;
        }
        const size_t all = head + 4 + length + (length & 1);
        if (all > size)
            return false;
        p += all;
        size -= all;
    }
    return false;
}

void tt_meta_iptc_head(unsigned char head[TT_META_IPTC_HEAD], size_t n)
{
    memcpy(head, "8BIM\x04\x04\0\0", 8);
    for (int i = 0; i < 4; i++)
        head[8 + i] = (unsigned char)(n >> 8 * (3 - i));
}
