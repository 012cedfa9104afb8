#include "engine/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tt_status tt_fail(tt_error *err, tt_status status, const char *format, ...)
{
    if (!err)
        return status;
    char raw[sizeof err->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(raw, sizeof raw, format, ap);
    va_end(ap);
    /* names from files and from users may hold anything: keep the sentence one printable line.
     * Bytes from 0x80 up are kept as they are: UTF-8 file names should be readable. */
    char *to = err->text, *end = err->text + sizeof err->text;
    for (const char *p = raw; *p && end - to > 4; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f)
            to += snprintf(to, (size_t)(end - to), "\\x%02x", c);
        else
            *to++ = (char)c;
    }
    *to = 0;
    err->status = status;
    return status;
}

tt_status tt_fail_memory(tt_error *err, size_t bytes)
{
    return tt_fail(err, TT_ERR_MEMORY, "%zu bytes of memory could not be had", bytes);
}
