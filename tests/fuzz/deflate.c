#include "tests/fuzz/deflate.h"

#include <stdlib.h>
#include <zlib.h>

enum { MOST_INFLATED = 1 << 20, WINDOW = 15, GZIP = 16 };

void fuzz_inflate(fuzz_bytes *to, const uint8_t *data, size_t size, bool gz)
{
    z_stream z = {.next_in = (uint8_t *)data, .avail_in = (uInt)size};
    uint8_t piece[4096];
    int st = inflateInit2(&z, WINDOW + (gz ? GZIP : 0));
    to->size = 0;
    while (st == Z_OK && to->size < MOST_INFLATED) {
        z.next_out = piece;
        z.avail_out = sizeof piece;
        st = inflate(&z, Z_NO_FLUSH);
        fuzz_append(to, piece, sizeof piece - z.avail_out);
    }
    inflateEnd(&z);
}

void fuzz_deflate(fuzz_bytes *to, const uint8_t *data, size_t size, bool gz)
{
    z_stream z = {.next_in = (uint8_t *)data, .avail_in = (uInt)size};
    uint8_t piece[4096];
    int st = deflateInit2(&z, 1, Z_DEFLATED, WINDOW + (gz ? GZIP : 0), 8, Z_DEFAULT_STRATEGY);
    while (st == Z_OK) {
        z.next_out = piece;
        z.avail_out = sizeof piece;
        st = deflate(&z, Z_FINISH);
        fuzz_append(to, piece, sizeof piece - z.avail_out);
    }
    deflateEnd(&z);
}
