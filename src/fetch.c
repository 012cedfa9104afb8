#define _GNU_SOURCE
#include "src/fetch.h"

#include "src/cli.h"
#include "src/output.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    REDIRECTS_MOST = 10,
    CONNECT_SECONDS = 30,
    PAGE_MOST = 1 << 16,
    SHOWN_URL = 300,
    WAIT_MS = 100,
};
static const uint64_t unknown_most = 1u << 30;  /* bytes of a file whose size nobody states */
static const uint64_t progress_made = 1u << 20; /* a connection that brought so much was no failure */

/* ---- libcurl -------------------------------------------------------------------------------------- */

#define FUNCTIONS(X)                                                                                         \
    X(global_init)                                                                                           \
    X(easy_init)                                                                                             \
    X(easy_setopt)                                                                                           \
    X(easy_perform)                                                                                          \
    X(easy_getinfo) X(easy_cleanup) X(easy_strerror) X(url) X(url_set) X(url_get) X(url_cleanup) X(free)

#define POINTER(name) __typeof__(curl_##name) *name;
static struct {
    bool ready;
    FUNCTIONS(POINTER)
} curl;

static tt_status load(tt_error *err)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
    const char *only = getenv("TINTYPE_LIBCURL");
    void *library = NULL;
    if (curl.ready)
        return TT_OK;
    if (only && *only)
        library = dlopen(only, RTLD_NOW);
    for (const char *const *n = names; !(only && *only) && *n && !library; n++)
        library = dlopen(*n, RTLD_NOW);
    if (!library)
        return tt_fail(err, TT_ERR_INPUT,
                       "fetching needs libcurl, and %s cannot be loaded (Debian's package is libcurl4)",
                       only && *only ? only : names[0]);
    void *symbol; /* a pointer to a function comes out of a pointer to data by its bytes */
#define FIND(name)                                                                                           \
    symbol = dlsym(library, "curl_" #name);                                                                  \
    if (!symbol)                                                                                             \
        return tt_fail(err, TT_ERR_INPUT, "fetching needs libcurl 7.85 or newer; this one has no curl_%s",   \
                       #name);                                                                               \
    memcpy(&curl.name, &symbol, sizeof symbol);
    FUNCTIONS(FIND)
    if (curl.global_init(CURL_GLOBAL_DEFAULT))
        return tt_fail(err, TT_ERR_INPUT, "fetching needs libcurl, which does not start");
    curl.ready = true;
    return TT_OK;
}

/* ---- addresses ------------------------------------------------------------------------------------ */

typedef struct address {
    bool https, loopback;
    char shown[SHOWN_URL]; /* without user, password and what stands behind '?': they may be secrets */
    char host[128];
} address;

static bool is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    char bare[64];
    if (!strcasecmp(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    const size_t n = strlen(host);
    if (host[0] != '[' || n < 3 || n > sizeof bare)
        return false;
    snprintf(bare, sizeof bare, "%.*s", (int)(n - 2), host + 1);
    return inet_pton(AF_INET6, bare, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Taken apart by the library that will go there, so that both mean the same machine. */
static tt_status look_at(const char *url, address *a, tt_error *err)
{
    char *scheme = NULL, *host = NULL, *shown = NULL;
    CURLU *u = curl.url();
    tt_status st = TT_OK;
    *a = (address){0};
    if (!u)
        return tt_fail_memory(err, strlen(url));
    if (curl.url_set(u, CURLUPART_URL, url, 0) || curl.url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
        curl.url_get(u, CURLUPART_HOST, &host, 0)) {
        st = tt_fail(err, TT_ERR_INPUT, "%.200s: is no address that can be fetched; https://... is wanted",
                     url);
    } else {
        a->https = !strcasecmp(scheme, "https");
        a->loopback = (a->https || !strcasecmp(scheme, "http")) && is_loopback(host);
        snprintf(a->host, sizeof a->host, "%s://%.110s", scheme, host);
        (void)curl.url_set(u, CURLUPART_USER, NULL, 0);
        (void)curl.url_set(u, CURLUPART_PASSWORD, NULL, 0);
        (void)curl.url_set(u, CURLUPART_QUERY, NULL, 0);
        if (!curl.url_get(u, CURLUPART_URL, &shown, 0))
            snprintf(a->shown, sizeof a->shown, "%s", shown);
        if (!a->https && strcasecmp(scheme, "http"))
            st = tt_fail(err, TT_ERR_INPUT, "%s: %s is not fetched from, only https", a->shown, scheme);
    }
    curl.free(scheme);
    curl.free(host);
    curl.free(shown);
    curl.url_cleanup(u);
    return st;
}

/* ---- a connection --------------------------------------------------------------------------------- */

/* What one request came to. */
typedef enum outcome {
    COMPLETE,
    MOVED,  /* to `next` */
    BROKEN, /* worth trying again; `why` says what happened */
    WHOLE,  /* the server does not go on from where we are: without Range, please */
    FAILED, /* for good; the status and the sentence are set */
} outcome;

typedef struct transfer {
    const tt_fetch *f;
    tt_output *out;
    CURL *h;
    address at, first;
    char *next;
    uint64_t have;  /* bytes in the part */
    uint64_t asked; /* where the range asked for begins */
    uint64_t most;
    uint64_t offered_from, offered_total; /* of Content-Range */
    uint64_t total;                       /* bytes of the file, as far as is known by now; or 0 */
    size_t page;                          /* bytes of the body that are not of the file */
    bool offered, answered;
    bool aside;     /* the body is a page about an error or a redirection */
    bool refused;   /* no more of it */
    bool again;     /* because the part asked for is not what comes */
    bool continued; /* some answer went on from where an earlier one ended */
    tt_status status;
    tt_error *err;
    char why[200];
} transfer;

static void refuse(transfer *t, tt_status st)
{
    t->refused = true;
    t->status = st;
}

static bool number(const char **p, const char *end, uint64_t *v)
{
    const char *begin = *p;
    *v = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        if (*v > (UINT64_MAX - 9) / 10)
            return false;
        *v = *v * 10 + (uint64_t)(**p - '0');
    }
    return *p > begin;
}

/* "Content-Range: bytes 5-99/100", with any blanks; the total may be '*'. */
static size_t on_header(char *line, size_t one, size_t n, void *user)
{
    static const char name[] = "content-range:";
    transfer *t = user;
    const char *p = line, *end = line + n;
    uint64_t last;
    (void)one;
    if (n > 5 && !memcmp(line, "HTTP/", 5))
        t->offered = false;
    if (n < sizeof name || strncasecmp(line, name, sizeof name - 1))
        return n;
    p += sizeof name - 1;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (end - p < 6 || strncasecmp(p, "bytes ", 6))
        return n;
    p += 6;
    t->offered_total = 0;
    t->offered = number(&p, end, &t->offered_from) && p < end && *p++ == '-' && number(&p, end, &last) &&
                 last >= t->offered_from && p < end && *p++ == '/';
    if (t->offered && p < end && *p != '*')
        t->offered = number(&p, end, &t->offered_total);
    return n;
}

/* `what`: "the server offers", "is of" */
static tt_status wrong_size(transfer *t, const char *what, uint64_t size)
{
    if (t->f->size)
        return tt_fail(t->err, TT_ERR_FORMAT, "%s: %s %" PRIu64 " bytes, and the file wanted has %" PRIu64,
                       t->at.shown, what, size, t->f->size);
    return tt_fail(t->err, TT_ERR_FORMAT,
                   "%s: %s %" PRIu64 " bytes; %" PRIu64 " are the most where no size is known", t->at.shown,
                   what, size, t->most);
}

/* Before the first byte of the body: does it begin where the part ends, is it of the size it should be? */
static void on_answer(transfer *t)
{
    long code = 0;
    curl_off_t length = -1;
    t->answered = true;
    (void)curl.easy_getinfo(t->h, CURLINFO_RESPONSE_CODE, &code);
    (void)curl.easy_getinfo(t->h, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (code == 206 && t->asked) {
        if (!t->offered || t->offered_from != t->asked ||
            (t->f->size && t->offered_total && t->offered_total != t->f->size)) {
            t->again = true;
            t->refused = true;
        } else {
            t->continued = true;
        }
    } else if (code == 200) {
        if (t->have) {
            tt_output_restart(t->out);
            t->have = 0;
        }
    } else {
        t->aside = true; /* finish() tells by the code */
    }
    if (t->refused || t->aside || length < 0)
        return;
    const uint64_t size = t->total = t->have + (uint64_t)length;
    if (t->f->size ? size != t->f->size : size > t->most)
        refuse(t, wrong_size(t, "the server offers", size));
}

static size_t on_body(char *bytes, size_t one, size_t n, void *user)
{
    transfer *t = user;
    (void)one;
    if (!t->answered)
        on_answer(t);
    if (t->refused || tt_cli_stopped())
        return 0;
    if (t->aside) { /* libcurl says where a redirection leads at its body's end */
        t->page += n;
        return t->page > PAGE_MOST ? 0 : n;
    }
    if (n > t->most - t->have) {
        refuse(t, tt_fail(t->err, TT_ERR_FORMAT, "%s: the server sends more than the %" PRIu64 " bytes %s",
                          t->at.shown, t->most,
                          t->f->size ? "of the file wanted" : "that are the most where no size is known"));
        return 0;
    }
    if (!tt_output_put(t->out, bytes, n))
        return 0;
    t->have += n;
    if (t->total)
        tt_progress_at(t->f->progress, (double)t->have / (double)t->total);
    return n;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)user, (void)a, (void)b, (void)c, (void)d;
    return tt_cli_stopped(); /* not 0: stop */
}

static const char *meaning(long code)
{
    switch (code) {
    case 401:
    case 403:
        return " (not allowed)";
    case 404:
    case 410:
        return " (there is no such file)";
    case 408:
    case 429:
        return " (too busy)";
    case 503:
        return " (not available)";
    }
    return "";
}

static outcome by_code(transfer *t, CURLcode rc, long code)
{
    char *next = NULL;
    if (code >= 300 && code < 400) {
        (void)curl.easy_getinfo(t->h, CURLINFO_REDIRECT_URL, &next);
        free(t->next);
        t->next = next ? strdup(next) : NULL;
        if (t->next)
            return MOVED;
        t->status =
            next ? tt_fail_memory(t->err, strlen(next) + 1)
                 : tt_fail(t->err, TT_ERR_INPUT, "%s: the server answers %ld and does not say where to go",
                           t->at.shown, code);
        return FAILED;
    }
    if (code == 416 && t->asked)
        return WHOLE;
    if (code == 408 || code == 429 || (code >= 500 && code < 600)) {
        snprintf(t->why, sizeof t->why, "the server answers %ld%s", code, meaning(code));
        return BROKEN;
    }
    if (code != 200 && !(code == 206 && t->asked)) {
        t->status =
            tt_fail(t->err, TT_ERR_INPUT, "%s: the server answers %ld%s", t->at.shown, code, meaning(code));
        return FAILED;
    }
    if (rc == CURLE_OK && !t->answered)
        on_answer(t); /* an empty body */
    if (t->status)
        return FAILED;
    if (t->f->size && t->have < t->f->size) { /* no length was said, so nobody but us can know */
        snprintf(t->why, sizeof t->why, "it ended early");
        return BROKEN;
    }
    return COMPLETE;
}

static outcome finish(transfer *t, CURLcode rc)
{
    long code = 0;
    (void)curl.easy_getinfo(t->h, CURLINFO_RESPONSE_CODE, &code);
    if (tt_cli_stopped()) {
        t->status = tt_fail(t->err, TT_ERR_CANCELLED, "%s: stopped", t->at.shown);
        return FAILED;
    }
    if (t->status)
        return FAILED;
    if (t->again)
        return WHOLE;
    if (rc == CURLE_OK || t->aside)
        return by_code(t, rc, code);
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        snprintf(t->why, sizeof t->why, "%s", curl.easy_strerror(rc));
        return BROKEN;
    case CURLE_OUT_OF_MEMORY:
        t->status = tt_fail_memory(t->err, 0);
        return FAILED;
    case CURLE_WRITE_ERROR: /* tt_output_put() failed: keep or commit tells */
        t->status = TT_ERR_TEMPORARY;
        return FAILED;
    default:
        t->status = tt_fail(t->err, TT_ERR_INPUT, "%s: %s", t->at.shown, curl.easy_strerror(rc));
        return FAILED;
    }
}

static bool prepare(transfer *t, const char *url, char range[32])
{
    const tt_fetch *f = t->f;
    const long seconds = f->timeout < 1 ? 1 : (long)f->timeout;
    bool good = true;
#define SET(option, value) good = good && !curl.easy_setopt(t->h, CURLOPT_##option, value)
    SET(URL, url);
    SET(PROTOCOLS_STR, t->at.https ? "https" : "http");
    SET(FOLLOWLOCATION, 0L); /* here, so that every address is looked at */
    SET(NOSIGNAL, 1L);
    SET(NOPROGRESS, 0L);
    SET(XFERINFOFUNCTION, on_progress);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, t);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, t);
    SET(CONNECTTIMEOUT, seconds < CONNECT_SECONDS ? seconds : (long)CONNECT_SECONDS);
    SET(LOW_SPEED_LIMIT, 1L);
    SET(LOW_SPEED_TIME, seconds);
    SET(USERAGENT, "tintype/" TT_VERSION);
    if (t->at.loopback)
        SET(PROXY, "");
    if (t->asked) {
        snprintf(range, 32, "%" PRIu64 "-", t->asked);
        SET(RANGE, range);
    }
#undef SET
    return good;
}

static outcome request(transfer *t, const char *url, bool whole)
{
    char range[32];
    t->h = curl.easy_init();
    t->offered = t->answered = t->aside = t->refused = t->again = false;
    t->page = 0;
    t->total = t->f->size;
    t->asked = whole ? 0 : t->have;
    if (!t->h || !prepare(t, url, range)) {
        t->status =
            t->h ? tt_fail(t->err, TT_ERR_INPUT, "fetching needs libcurl 7.85 or newer; this one is older")
                 : tt_fail_memory(t->err, 0);
        curl.easy_cleanup(t->h);
        return FAILED;
    }
    const outcome o = finish(t, curl.easy_perform(t->h));
    curl.easy_cleanup(t->h);
    t->h = NULL;
    return o;
}

/* From the file's own address through its redirections to an answer. */
static outcome connection(transfer *t, bool whole)
{
    char *url = strdup(t->f->url);
    outcome o = FAILED;
    t->status = url ? look_at(url, &t->at, t->err) : tt_fail_memory(t->err, strlen(t->f->url));
    t->first = t->at;
    if (!t->status && !t->at.https && !t->at.loopback && !t->f->plain)
        t->status =
            tt_fail(t->err, TT_ERR_INPUT,
                    "%s: anybody on the way could change what comes over http; https is wanted", t->at.shown);
    for (int n = 0; !t->status; n++) {
        o = request(t, url, whole);
        if (o != MOVED)
            break;
        free(url);
        url = t->next;
        t->next = NULL;
        if (n == REDIRECTS_MOST) {
            t->status = tt_fail(t->err, TT_ERR_INPUT, "%s: is redirected more than %d times", t->first.shown,
                                REDIRECTS_MOST);
        } else {
            t->status = look_at(url, &t->at, t->err);
            if (t->status == TT_ERR_INPUT ||
                (!t->status && !t->at.https && !(t->at.loopback && t->first.loopback)))
                t->status =
                    tt_fail(t->err, TT_ERR_INPUT, "%s: is redirected to %s, and only https is followed",
                            t->first.shown, t->at.host[0] ? t->at.host : "no address");
        }
    }
    free(url);
    return t->status ? FAILED : o;
}

/* ---- a file --------------------------------------------------------------------------------------- */

/* False: stopped by a signal. */
static bool pause_for(double seconds)
{
    const struct timespec step = {.tv_nsec = WAIT_MS * 1000000L};
    for (const double end = tt_seconds() + seconds; tt_seconds() < end;) {
        if (tt_cli_stopped())
            return false;
        (void)nanosleep(&step, NULL);
    }
    return !tt_cli_stopped();
}

static tt_status given_up(transfer *t, tt_error *err)
{
    char kept[96] = "";
    if (t->f->sha256 && t->have)
        snprintf(kept, sizeof kept, "; %" PRIu64 " bytes are kept, the next try goes on from there", t->have);
    return tt_fail(err, TT_ERR_TEMPORARY, "%s: %s%s", t->at.shown, t->why, kept);
}

/* Until the whole body is in the part. */
static tt_status all_of_it(transfer *t, tt_error *err)
{
    double wait = 0.5;
    bool whole = false;
    for (int tries = 1;; tries++) {
        const uint64_t before = t->have;
        const outcome o = connection(t, whole);
        if (o == COMPLETE)
            return TT_OK;
        if (o == FAILED)
            return t->status;
        if (o == WHOLE && whole)
            return tt_fail(err, TT_ERR_INPUT, "%s: the server answers nonsense", t->at.shown);
        whole = o == WHOLE;
        if (whole || !t->f->sha256) { /* without a sum nobody could tell two halves of two files */
            tt_output_restart(t->out);
            t->have = 0;
        }
        if (whole)
            continue;
        if (t->have > before && t->have - before >= progress_made) {
            tries = 0;
            wait = 0.5;
        }
        if (tries >= t->f->tries)
            return given_up(t, err);
        tt_progress_phase(t->f->progress, "connecting again");
        if (!pause_for(wait))
            return tt_fail(err, TT_ERR_CANCELLED, "%s: stopped", t->at.shown);
        wait *= 2;
    }
}

/* What lies on the disk now, not what came: a disk that loses bytes shows here. */
static tt_status check(transfer *t, tt_fetched *got, tt_error *err)
{
    tt_sha256 s;
    tt_progress_phase(t->f->progress, "checking");
    const int fd = tt_output_read_back(t->out);
    tt_sha256_init(&s);
    const int e = fd < 0 ? 0 : tt_sha256_fd(&s, fd, &got->bytes);
    tt_sha256_text(&s, got->sha256);
    if (fd < 0)
        return TT_ERR_TEMPORARY; /* keep tells */
    if (e)
        return tt_fail(err, TT_ERR_TEMPORARY, "%s: what was fetched cannot be read: %s", t->f->path,
                       strerror(e));
    if (t->f->size && got->bytes != t->f->size)
        return wrong_size(t, "is of", got->bytes);
    if (t->f->sha256 && strcmp(got->sha256, t->f->sha256))
        return tt_fail(err, TT_ERR_FORMAT,
                       "%s: has the SHA-256 %s, and the file wanted has %s; it is not kept", t->first.shown,
                       got->sha256, t->f->sha256);
    return TT_OK;
}

/* The part, once no other process is at it; *out NULL: that one has put the file in place. */
static tt_status take_part(const tt_fetch *f, tt_output **out, uint64_t *have, tt_error *err)
{
    struct stat st;
    const bool there = !stat(f->path, &st);
    for (bool told = false;; told = true) {
        const tt_status s = tt_output_open_part(out, f->path, f->overwrite, have, err);
        const bool done = !there && !stat(f->path, &st);
        if (*out && done)
            (void)tt_output_keep(*out, false, NULL);
        if (done)
            *out = NULL;
        if (s || *out || done)
            return s;
        if (!told)
            tt_progress_phase(f->progress, "another process is fetching it");
        if (!pause_for(2 * WAIT_MS / 1000.0))
            return tt_fail(err, TT_ERR_CANCELLED, "%s: stopped", f->path);
    }
}

tt_status tt_fetch_file(const tt_fetch *f, tt_fetched *got, tt_error *err)
{
    transfer t = {.f = f, .err = err, .most = f->size ? f->size : unknown_most};
    address a;
    *got = (tt_fetched){0};
    tt_status st = load(err);
    if (st || (st = look_at(f->url, &a, err)))
        return st;
    t.at = t.first = a;
    tt_progress_phase(f->progress, "connecting");
    st = take_part(f, &t.out, &t.have, err);
    if (st || !t.out) {
        got->waited = !st;
        return st;
    }
    if (!f->sha256 || t.have > t.most) {
        tt_output_restart(t.out);
        t.have = 0;
    }
    got->resumed = t.have;
    if (!f->size || t.have < f->size)
        st = all_of_it(&t, err);
    if (!st)
        st = check(&t, got, err);
    if (st == TT_ERR_FORMAT && (got->resumed || t.continued)) { /* pieces of different files */
        got->resumed = t.have = 0;
        tt_output_restart(t.out);
        st = all_of_it(&t, err);
        if (!st)
            st = check(&t, got, err);
    }
    free(t.next);
    if (!st)
        return tt_output_commit(t.out, err);
    /* a disk that is full is what happened, wherever it was noticed */
    tt_error disk;
    const tt_status kept = tt_output_keep(t.out, f->sha256 && st != TT_ERR_FORMAT && t.have, &disk);
    if (!kept)
        return st;
    *err = disk;
    return kept;
}
