/*
 * A web server on a loopback address with the manners of bad ones, in a thread of the test. What it does is
 * in the path asked for: /whole/...        the file, parts of it too /norange/...      the whole file,
 * whatever part is asked for /cut/N/...        N bytes of what is asked for, and the connection is cut
 *   /other/N/...      the first time N bytes of another file and a cut, then the file
 *   /stall/N/...      N bytes, and then silence until the other end leaves
 *   /trickle/...      in small pieces with pauses
 *   /open/N/...       no length, no pieces: N bytes and the end
 *   /endless/...      no length, and no end either
 *   /wrongrange/...   a part, but not the one asked for
 *   /flaky/N/...      N times 503, then the file
 *   /status/N/...     that status and an error's page
 *   /redirect/N/...   N redirections, then the file
 *   /loop/...         a redirection to itself
 *   /moved/URL        a redirection there
 */
#ifndef TT_TESTS_SRC_SERVER_H
#define TT_TESTS_SRC_SERVER_H

#include <stddef.h>

/* Serve these bytes (borrowed) until the test's process ends. */
void sv_begin(const void *bytes, size_t size);
/* "http://127.0.0.1:PORT" and `path`. Good until the eighth call after this one. */
const char *sv_url(const char *path);
/* Requests so far; where the range of the k-th (0 is the first) began, 0 for none asked for. */
int sv_requests(void);
long sv_range(int k);
/* Of the bytes, in hexadecimal. */
const char *sv_sha256(void);

#endif
