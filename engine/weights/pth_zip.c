#define _POSIX_C_SOURCE 200809L /* strdup */
/*
 * PyTorch's .pth file since 1.6: a zip archive whose members share one folder.
 *
 *     X/data.pkl   the object that was saved, a pickle
 *     X/data/KEY   the bytes of a storage
 *     X/byteorder  "little", if it is there
 *
 * Members are stored as they are, so tensors are views into the file; of a file that was packed again by
 * another program they may be deflated. libzip reads the archive and checks it: that the two headers of a
 * member agree, that no name stands twice, each member's CRC. A name that leads elsewhere, encryption and
 * TorchScript are refused.
 */
#include "engine/weights/torch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum {
    /* libzip looks names up in chains of equal hashes: of so many that were made to collide, in 0.4 s */
    MAX_MEMBERS = 1 << 14,
    MAX_READS = 4 * MAX_MEMBERS + 64, /* four for each member's two headers */
    MAX_MEMBER_NAME = 1024,
    MAX_PICKLE = 64 << 20, /* bytes */
    CHUNK = 64 << 10,
};

typedef struct archive {
    tt_weights *w;
    zip_t *zip;
    char *root;  /* "X/" */
    char *label; /* "FILE: X/data.pkl" */
    unsigned char *chunk;
    /* what libzip reads from */
    size_t at;
    size_t reads; /* so many may still come: a directory that is too large is not even read */
    zip_error_t error;
} archive;

static bool probe(const unsigned char *bytes, size_t size)
{
    return size >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4));
}

/* ---- the file as libzip sees it ------------------------------------------------------------------- */

/* A zip_source_callback. One of our own, not a zip_source_buffer: where it stood after a member was read is
 * where the member's bytes end. */
static zip_int64_t serve(void *arg, void *data, zip_uint64_t size, zip_source_cmd_t command)
{
    archive *a = arg;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        a->at = 0;
        return 0;
    case ZIP_SOURCE_READ: {
        const size_t left = a->w->size - a->at, n = size < left ? (size_t)size : left;
        if (!a->reads) {
            zip_error_set(&a->error, ZIP_ER_INCONS, 0);
            return -1;
        }
        a->reads--;
        memcpy(data, a->w->bytes + a->at, n);
        a->at += n;
        return (zip_int64_t)n;
    }
    case ZIP_SOURCE_SEEK: {
        const zip_int64_t to = zip_source_seek_compute_offset(a->at, a->w->size, data, size, &a->error);
        if (to < 0)
            return -1;
        a->at = (size_t)to;
        return 0;
    }
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)a->at;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *s = ZIP_SOURCE_GET_ARGS(zip_stat_t, data, size, &a->error);
        if (!s)
            return -1;
        zip_stat_init(s);
        s->size = a->w->size;
        s->valid = ZIP_STAT_SIZE;
        return sizeof *s;
    }
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&a->error, data, size);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    default: /* CLOSE, FREE: nothing is held */
        return 0;
    }
}

/* What libzip says, as one of ours. */
static tt_status zip_failed(const archive *a, const char *record, zip_error_t *e, tt_error *err)
{
    const int code = zip_error_code_zip(e);
    if (code == ZIP_ER_MEMORY)
        return tt_fail(err, TT_ERR_MEMORY, "%s: %sno memory for reading it", a->w->path, record);
    return tt_fail(err, TT_ERR_FORMAT, "%s: %scut short or damaged: %s", a->w->path, record,
                   code == ZIP_ER_EXISTS ? "two members have the same name" : zip_error_strerror(e));
}

static tt_status member_failed(const archive *a, const char *name, zip_error_t *e, tt_error *err)
{
    char record[MAX_MEMBER_NAME + 3];
    snprintf(record, sizeof record, "%s: ", name);
    return zip_failed(a, record, e, err);
}

static tt_status too_many(const archive *a, tt_error *err)
{
    return tt_fail(err, TT_ERR_FORMAT, "%s: zip archive of more than %d members", a->w->path, MAX_MEMBERS);
}

static tt_status open_zip(archive *a, tt_error *err)
{
    zip_error_t e;
    zip_error_init(&e);
    tt_status st = TT_OK;
    a->reads = MAX_READS;
    errno = 0;
    zip_source_t *source = zip_source_function_create(serve, a, &e);
    if (source)
        a->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &e);
    if (!a->zip) {
        if (errno == ENOMEM) /* it takes a directory it had no memory for for one that is not there */
            zip_error_set(&e, ZIP_ER_MEMORY, 0);
        st = a->reads ? zip_failed(a, "zip archive: ", &e, err) : too_many(a, err);
        zip_source_free(source); /* else it is the archive's */
    }
    zip_error_fini(&e);
    a->reads = SIZE_MAX;
    return st;
}

/* ---- members -------------------------------------------------------------------------------------- */

/* What stands in the directory about one. */
static tt_status look_at(const archive *a, zip_uint64_t index, zip_stat_t *s, tt_error *err)
{
    const zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_init(s);
    if (zip_stat_index(a->zip, index, ZIP_FL_ENC_RAW, s))
        return zip_failed(a, "zip archive: ", zip_get_error(a->zip), err);
    if ((s->valid & wanted) != wanted)
        return tt_fail(err, TT_ERR_FORMAT, "%s: zip archive: member %llu is described incompletely",
                       a->w->path, (unsigned long long)index);
    return TT_OK;
}

/* Relative, each step downwards. */
static bool stays_inside(const char *name)
{
    if (!*name || *name == '/' || strchr(name, '\\'))
        return false;
    for (const char *p = name; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
            return false;
    }
    return true;
}

/* All bytes of the open member, through a->chunk; where they stand in the file. */
static tt_status pass_through(archive *a, zip_file_t *file, const zip_stat_t *s, const unsigned char **data,
                              tt_error *err)
{
    zip_int64_t n;
    size_t got = 0;
    while ((n = zip_fread(file, a->chunk, CHUNK)) > 0)
        got += (size_t)n;
    if (n < 0)
        return member_failed(a, s->name, zip_file_get_error(file), err);
    if (got != s->size || got > a->at)
        return tt_fail(err, TT_ERR_FORMAT, "%s: %s: %zu bytes, its header says %llu", a->w->path, s->name,
                       got, (unsigned long long)s->size);
    *data = a->w->bytes + (got ? a->at - got : 0);
    return TT_OK;
}

/* The bytes of the open member to `to`, which has room for s->size. */
static tt_status inflate_to(archive *a, zip_file_t *file, const zip_stat_t *s, unsigned char *to,
                            tt_error *err)
{
    size_t got = 0;
    zip_int64_t n = 1;
    while (n > 0 && got < s->size) {
        n = zip_fread(file, to + got, s->size - got);
        got += n > 0 ? (size_t)n : 0;
    }
    if (n >= 0)
        n = zip_fread(file, a->chunk,
                      1); /* there must be no more; and only at the end the CRC is looked at */
    if (n < 0)
        return member_failed(a, s->name, zip_file_get_error(file), err);
    if (n || got != s->size)
        return tt_fail(err, TT_ERR_FORMAT, "%s: %s: not the %llu bytes that its header says", a->w->path,
                       s->name, (unsigned long long)s->size);
    return TT_OK;
}

/* A member's contents, which live as long as the weights. */
static tt_status read_member(archive *a, tt_torch *t, zip_uint64_t index, const zip_stat_t *s,
                             const unsigned char **data, tt_error *err)
{
    unsigned char *made = NULL;
    tt_status st = TT_OK;
    *data = NULL;
    if (s->comp_method != ZIP_CM_STORE && s->comp_method != ZIP_CM_DEFLATE)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %s: packed by method %u, known are 0 and 8", a->w->path,
                       s->name, s->comp_method);
    if (s->comp_method == ZIP_CM_DEFLATE) {
        st = tt_torch_alloc(t, (size_t)s->size, &made, err);
        if (st)
            return st;
    }
    zip_file_t *file = zip_fopen_index(a->zip, index, 0);
    if (!file)
        return member_failed(a, s->name, zip_get_error(a->zip), err);
    *data = made;
    st = made ? inflate_to(a, file, s, made, err) : pass_through(a, file, s, data, err);
    zip_fclose(file);
    return st;
}

/* ---- the archive ---------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* All members once: nothing strange among them, and one of them is the pickle. */
static tt_status check_members(archive *a, zip_uint64_t *pickle, tt_error *err)
{
    const zip_int64_t count = zip_get_num_entries(a->zip, 0);
    size_t packed = 0, pickles = 0;
    if (count > MAX_MEMBERS)
        return too_many(a, err);
    for (zip_uint64_t i = 0; i < (zip_uint64_t)count; i++) {
        zip_stat_t s;
        const tt_status st = look_at(a, i, &s, err);
        if (st)
            return st;
        const size_t length = strlen(s.name);
        if (length > MAX_MEMBER_NAME)
            return tt_fail(err, TT_ERR_FORMAT,
                           "%s: zip archive: a member's name of %zu bytes, at most %d are allowed",
                           a->w->path, length, MAX_MEMBER_NAME);
        if (!stays_inside(s.name))
            return tt_fail(err, TT_ERR_FORMAT, "%s: zip archive: a member's name leads elsewhere: '%s'",
                           a->w->path, s.name);
        if (s.encryption_method != ZIP_EM_NONE)
            return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %s: is encrypted", a->w->path, s.name);
        /* members that lie in each other make a small file large */
        if (s.comp_size > a->w->size - packed)
            return tt_fail(err, TT_ERR_FORMAT, "%s: %s: the members up to this one are larger than the file",
                           a->w->path, s.name);
        packed += (size_t)s.comp_size;
        if (!ends_with(s.name, "/data.pkl"))
            continue;
        if (pickles++)
            return tt_fail(err, TT_ERR_FORMAT,
                           "%s: zip archive: two members are called data.pkl, '%s' is the second", a->w->path,
                           s.name);
        *pickle = i;
    }
    if (!pickles)
        return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: a zip archive without a member data.pkl: not of PyTorch",
                       a->w->path);
    return TT_OK;
}

/* a->root and a->label */
static tt_status name_root(archive *a, const char *pickle, tt_error *err)
{
    const size_t n = strlen(a->w->path) + 2 + strlen(pickle) + 1;
    a->root = strdup(pickle);
    a->label = malloc(n);
    if (!a->root || !a->label)
        return tt_fail_memory(err, n);
    strrchr(a->root, '/')[1] = 0;
    snprintf(a->label, n, "%s: %s", a->w->path, pickle);
    return TT_OK;
}

/* The index of ROOT/folder/key, or -1. */
static zip_int64_t find(const archive *a, const char *folder, const unsigned char *key, size_t size)
{
    char name[2 * MAX_MEMBER_NAME];
    if (size >= MAX_MEMBER_NAME - 8 || memchr(key, 0, size))
        return -1;
    snprintf(name, sizeof name, "%s%s%.*s", a->root, folder, (int)size, (const char *)key);
    return zip_name_locate(a->zip, name, ZIP_FL_ENC_RAW);
}

/* TorchScript keeps programs beside the data; another byte order would turn every number over. */
static tt_status check_kind(archive *a, tt_torch *t, tt_error *err)
{
    static const unsigned char constants[] = "constants.pkl", order[] = "byteorder";
    if (find(a, "", constants, sizeof constants - 1) >= 0)
        return tt_fail(err, TT_ERR_UNSUPPORTED,
                       "%s: %sconstants.pkl: a TorchScript archive, wanted one of torch.save", a->w->path,
                       a->root);
    const zip_int64_t index = find(a, "", order, sizeof order - 1);
    if (index < 0)
        return TT_OK;
    zip_stat_t s;
    const unsigned char *text = NULL;
    tt_status st = look_at(a, (zip_uint64_t)index, &s, err);
    if (!st && s.size <= 6)
        st = read_member(a, t, (zip_uint64_t)index, &s, &text, err);
    if (st)
        return st;
    if (s.size == 6 && !memcmp(text, "little", 6))
        return TT_OK;
    return tt_fail(err, TT_ERR_UNSUPPORTED, "%s: %s: written on a %s machine, which is not supported",
                   a->w->path, s.name, s.size == 3 && !memcmp(text, "big", 3) ? "big-endian" : "strange");
}

/* tt_torch.load: the member of a storage's key. */
static tt_status load_storage(tt_torch *t, tt_torch_storage *s, tt_error *err)
{
    archive *a = t->arg;
    const int shown = tt_torch_shown(s->key_size);
    const zip_int64_t index = find(a, "data/", s->key, s->key_size);
    if (index < 0)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, s->node,
                             "storage '%.*s': the archive has no member %sdata/%.*s", shown,
                             (const char *)s->key, a->root, shown, (const char *)s->key);
    zip_stat_t stat;
    const tt_status st = look_at(a, (zip_uint64_t)index, &stat, err);
    if (st)
        return st;
    if (stat.size != s->bytes)
        return TT_TORCH_FAIL(t, err, TT_ERR_FORMAT, s->node,
                             "storage '%.*s': %zu values of type %s are %zu bytes, %s has %llu", shown,
                             (const char *)s->key, s->count, tt_dtype_name(s->dtype), s->bytes, stat.name,
                             (unsigned long long)stat.size);
    return read_member(a, t, (zip_uint64_t)index, &stat, &s->data, err);
}

static tt_status read_archive(archive *a, tt_torch *t, tt_pickle *object, tt_error *err)
{
    zip_uint64_t pickle = 0;
    zip_stat_t s;
    const unsigned char *bytes;
    tt_status st = open_zip(a, err);
    if (!st)
        st = check_members(a, &pickle, err);
    if (!st)
        st = look_at(a, pickle, &s, err);
    if (!st)
        st = name_root(a, s.name, err);
    if (!st)
        st = check_kind(a, t, err);
    if (!st && s.size > MAX_PICKLE)
        st = tt_fail(err, TT_ERR_FORMAT, "%s: %llu bytes, at most %d are allowed", a->label,
                     (unsigned long long)s.size, MAX_PICKLE);
    if (!st)
        st = read_member(a, t, pickle, &s, &bytes, err);
    if (st)
        return st;
    tt_cursor c = tt_cursor_init(bytes, (size_t)s.size);
    st = tt_pickle_read(object, &c, a->label, err);
    if (!st && c.left)
        st = tt_fail(err, TT_ERR_FORMAT, "%s: byte %zu: %zu bytes after the pickle's end", a->label, c.at,
                     c.left);
    if (!st)
        st = tt_torch_storages(t, err);
    return st ? st : tt_torch_tensors(t, err);
}

static tt_status open_pth_zip(tt_weights *w, tt_error *err)
{
    tt_pickle object = {0};
    archive a = {.w = w, .chunk = malloc(CHUNK)};
    tt_torch t = {.w = w, .p = &object, .load = load_storage, .arg = &a};
    if (!a.chunk)
        return tt_fail_memory(err, CHUNK);
    zip_error_init(&a.error);
    const tt_status st = read_archive(&a, &t, &object, err);
    free(t.storages);
    tt_pickle_clear(&object);
    if (a.zip)
        zip_discard(a.zip);
    zip_error_fini(&a.error);
    free(a.label);
    free(a.root);
    free(a.chunk);
    return st;
}

const tt_weight_reader tt_weight_reader_pth_zip = {
    .name = "PyTorch",
    .probe = probe,
    .open = open_pth_zip,
};
