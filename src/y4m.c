#include "src/y4m.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "YUV4MPEG2";

static tt_status damaged(const tt_y4m *y, const char *what, tt_error *err)
{
    return tt_fail(err, TT_ERR_FORMAT, "%s: byte %llu: %s", y->name, (unsigned long long)y->at, what);
}

/* What read() says, or that the stream ends too soon. */
static tt_status ends(const tt_y4m *y, tt_error *err)
{
    if (ferror(y->file))
        return tt_fail(err, TT_ERR_INPUT, "%s: byte %llu: cannot be read: %s", y->name,
                       (unsigned long long)y->at, strerror(errno));
    return tt_fail(err, TT_ERR_FORMAT, "%s: byte %llu: the stream is cut short in frame %llu", y->name,
                   (unsigned long long)y->at, (unsigned long long)y->frames + 1);
}

/* A line with its newline. An empty one: the stream ended before it. */
static tt_status read_line(tt_y4m *y, char *to, const char *begins, tt_error *err)
{
    const size_t head = strlen(begins);
    size_t n = 0;
    for (int c; n < TT_Y4M_LINE - 1 && (c = getc(y->file)) != EOF;) {
        y->at++;
        to[n++] = (char)c;
        if (n <= head ? to[n - 1] != begins[n - 1] : n == head + 1 && c != ' ' && c != '\n')
            return tt_fail(err, TT_ERR_FORMAT, "%s: byte %llu: %s is wanted there", y->name,
                           (unsigned long long)(y->at - n), begins);
        if (c == '\n')
            break;
        if (!c)
            return damaged(y, "a zero byte stands in a line", err);
    }
    to[n] = 0;
    if (ferror(y->file) || (n && to[n - 1] != '\n' && n < TT_Y4M_LINE - 1))
        return ends(y, err);
    if (n == TT_Y4M_LINE - 1 && to[n - 1] != '\n')
        return damaged(y, "a line does not end", err);
    return TT_OK;
}

/* Is the word of n bytes this one? */
static bool is(const char *word, size_t n, const char *text)
{
    return strlen(text) == n && !strncmp(word, text, n);
}

static int side_of(const char *word, size_t n)
{
    long v = 0;
    for (size_t i = 1; i < n; i++) {
        if (word[i] < '0' || word[i] > '9' || v > 65535)
            return 0;
        v = 10 * v + (word[i] - '0');
    }
    return v > 65535 ? 0 : (int)v;
}

static tt_status set_chroma(tt_y4m *y, const char *kind, size_t n, tt_error *err)
{
    const bool half =
        is(kind, n, "420") || is(kind, n, "420jpeg") || is(kind, n, "420mpeg2") || is(kind, n, "420paldv");
    const bool whole = is(kind, n, "444"), mono = is(kind, n, "mono");
    if (!half && !whole && !mono && !is(kind, n, "422"))
        return tt_fail(
            err, TT_ERR_UNSUPPORTED,
            "%s: frames of the kind C%.*s; C420 (jpeg, mpeg2, paldv), C422, C444 and Cmono of 8 bits are "
            "handled",
            y->name, (int)(n < 32 ? n : 32), kind);
    y->chroma_width = mono ? 0 : whole ? y->width : (y->width + 1) / 2;
    y->chroma_height = mono ? 0 : half ? (y->height + 1) / 2 : y->height;
    return TT_OK;
}

tt_status tt_y4m_open(tt_y4m *y, FILE *file, const char *name, tt_error *err)
{
    const char *kind = "420";
    size_t kind_bytes = 3;
    *y = (tt_y4m){.file = file, .name = name};
    tt_status st = read_line(y, y->line, magic, err);
    if (st)
        return st;
    if (!y->line[0])
        return damaged(y, "the stream is empty", err);
    for (const char *p = y->line + sizeof magic - 1; *p;) {
        const size_t n = strcspn(p, " \n");
        if (*p == 'W')
            y->width = side_of(p, n);
        else if (*p == 'H')
            y->height = side_of(p, n);
        else if (*p == 'C') {
            kind = p + 1;
            kind_bytes = n - 1;
        } else if (is(p, n, "XCOLORRANGE=FULL"))
            y->full = true;
        p += n + (p[n] != 0);
    }
    if (!y->width || !y->height)
        return tt_fail(err, TT_ERR_FORMAT,
                       "%s: the first line says no width or height (W and H, 1 to 65535 pixels)", y->name);
    return set_chroma(y, kind, kind_bytes, err);
}

size_t tt_y4m_frame_bytes(const tt_y4m *y)
{
    return (size_t)y->width * (size_t)y->height + 2 * (size_t)y->chroma_width * (size_t)y->chroma_height;
}

tt_status tt_y4m_read(tt_y4m *y, uint8_t *planes, bool *end, tt_error *err)
{
    const tt_status st = read_line(y, y->frame_line, "FRAME", err);
    *end = !st && !y->frame_line[0];
    if (st || *end)
        return st;
    const size_t want = tt_y4m_frame_bytes(y), got = fread(planes, 1, want, y->file);
    y->at += got;
    if (got < want)
        return ends(y, err);
    y->frames++;
    return TT_OK;
}

tt_status tt_y4m_colour_line(const tt_y4m *y, char *line, tt_error *err)
{
    const char *kind = y->chroma_width ? NULL : strstr(y->line, " Cmono");
    if (!kind) {
        strcpy(line, y->line);
        return TT_OK;
    }
    const int n =
        snprintf(line, TT_Y4M_LINE, "%.*s C444%s", (int)(kind - y->line), y->line, kind + strlen(" Cmono"));
    return n < TT_Y4M_LINE ? TT_OK : damaged(y, "a line does not end", err);
}
