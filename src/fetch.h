/*
 * One file from the network, the only place in tintype that opens a socket. libcurl does it, loaded when the
 * first file is fetched: nothing else needs it.
 */
#ifndef TT_SRC_FETCH_H
#define TT_SRC_FETCH_H

#include "engine/status.h"
#include "src/digest.h"
#include "src/progress.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct tt_fetch {
    const char *url;
    const char *path;      /* where it is to lie; the directory exists */
    uint64_t size;         /* bytes; 0: unknown, and 1 GiB at most */
    const char *sha256;    /* as tt_sha256_text() writes it; NULL: unknown */
    bool overwrite;        /* replace what is there */
    bool plain;            /* http to other machines too: the user named a mirror and the SHA-256 is known */
    int tries;             /* connections that may break before it is given up */
    double timeout;        /* seconds without a byte after which a connection counts as broken */
    tt_progress *progress; /* begun */
} tt_fetch;

typedef struct tt_fetched {
    char sha256[TT_SHA256_TEXT];
    uint64_t bytes, resumed; /* of the file; of them, left from an earlier try */
    bool waited;             /* nothing was fetched: another process has put the file in place meanwhile */
} tt_fetched;

/*
 * https only, but for loopback addresses and `plain`; a redirection, of which ten are followed, may lead to
 * https only, or from a loopback address to one. The file appears whole and right or not at all. With a known
 * SHA-256 what has come stays in .NAME.part beside it until the rest is fetched, by this call or a later one;
 * a sum that is wrong after going on from there costs one more try from the beginning.
 *
 * TT_ERR_INPUT: no such file, no libcurl, a forbidden address, an untrusted certificate. TT_ERR_TEMPORARY:
 * the network or the disk; trying again may help. TT_ERR_FORMAT: it is not what is wanted, and nothing is
 * kept. TT_ERR_OUTPUT: it cannot be put there. TT_ERR_CANCELLED after a signal.
 */
tt_status tt_fetch_file(const tt_fetch *f, tt_fetched *got, tt_error *err);

#endif
