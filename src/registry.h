/*
 * The official weight files of the networks tintype knows, as their authors publish them: a table of plain
 * facts. What is not published stays unknown here (zero, NULL) and is shown as unknown.
 */
#ifndef TT_SRC_REGISTRY_H
#define TT_SRC_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May it be used for money? */
typedef enum tt_commercial { TT_COMMERCIAL_UNSTATED, TT_COMMERCIAL_YES, TT_COMMERCIAL_NO } tt_commercial;

typedef struct tt_official {
    const char *name;    /* of the file, here; its author's but where that stands for several */
    const char *network; /* for people: "RRDBNet", ... */
    const char *uses;    /* words of TT_USES, separated by blanks */
    int scale;           /* the network's own factor; 0 where there is none, or several */
    uint64_t size;       /* bytes; 0: unknown */
    const char *sha256;  /* 64 digits, lower case; NULL: none is published */
    const char *url;     /* of the file itself; NULL: there is no lasting one, see `where` */
    const char *where;   /* how people get it, where there is no url: a phrase behind a colon */
    const char *licence; /* NULL: none is stated */
    tt_commercial commercial;
    const char *note; /* what else one should know; or NULL */
} tt_official;

#define TT_USES "photo anime denoise jpeg colour scratches faces"

extern const tt_official tt_officials[]; /* ends with a NULL name */

/* By file name, case kept; NULL: unknown. */
const tt_official *tt_official_named(const char *name);
/* By SHA-256 as tt_sha256_text() writes it; NULL: unknown. */
const tt_official *tt_official_summed(const char *sha256);
/* Is `word` the name, or the name without its ending? */
bool tt_official_is(const tt_official *o, const char *word);
/* The first that is called `word`, with or without ending, behind `after` (NULL: from the beginning). */
const tt_official *tt_official_next(const tt_official *after, const char *word);
/* "yes", "no", "not stated" */
const char *tt_commercial_text(tt_commercial c);

#endif
