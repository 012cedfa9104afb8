/* .pth as a zip archive: the mutator takes it apart with libzip, changes a member or the set of them, often
 * gives the storages the size that the pickle asks for, and lets libzip put it together with fresh sizes and
 * checksums. */
#include "tests/fuzz/opcodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { MOST_MEMBERS = 64, MOST_MEMBER = 1 << 16, MOST_STORAGES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_open(&(fuzz_file){.data = data, .size = size, .format = "PyTorch"});
    return 0;
}

typedef struct member {
    char name[256];
    fuzz_bytes data;
    int method;
} member;

static size_t take_apart(const uint8_t *data, size_t size, member *m)
{
    zip_source_t *source = zip_source_buffer_create(data, size, 0, NULL);
    zip_t *z = source ? zip_open_from_source(source, ZIP_RDONLY, NULL) : NULL;
    if (!z) {
        zip_source_free(source);
        return 0;
    }
    const zip_int64_t members = zip_get_num_entries(z, 0);
    size_t count = 0;
    for (zip_uint64_t i = 0; (zip_int64_t)i < members && count < MOST_MEMBERS; i++) {
        zip_stat_t s;
        if (zip_stat_index(z, i, 0, &s) || s.size > MOST_MEMBER || strlen(s.name) >= sizeof m->name)
            continue;
        zip_file_t *f = zip_fopen_index(z, i, 0);
        uint8_t *bytes = malloc((size_t)s.size + 1);
        if (f && bytes) {
            const zip_int64_t n = zip_fread(f, bytes, s.size);
            if (n >= 0) {
                m[count] = (member){.method = s.comp_method ? ZIP_CM_DEFLATE : ZIP_CM_STORE};
                strcpy(m[count].name, s.name);
                fuzz_append(&m[count++].data, bytes, (size_t)n);
            }
        }
        free(bytes);
        if (f)
            zip_fclose(f);
    }
    zip_discard(z);
    return count;
}

/* A name that stands twice is left out. libzip would put the clock into what it writes, but the same seed is
 * to make the same bytes. */
static void add_member(zip_t *z, const member *m)
{
    zip_source_t *s =
        zip_source_buffer(z, m->data.data ? m->data.data : (const uint8_t *)"", m->data.size, 0);
    const zip_int64_t i = s ? zip_file_add(z, m->name, s, ZIP_FL_ENC_GUESS) : -1;
    if (i < 0) {
        zip_source_free(s);
        return;
    }
    zip_set_file_compression(z, (zip_uint64_t)i, m->method, 1);
    zip_file_set_dostime(z, (zip_uint64_t)i, 0, 33, 0);
}

static void put_together(fuzz_bytes *to, const member *m, size_t count)
{
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_t *z = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, NULL) : NULL;
    if (!z) {
        zip_source_free(source);
        return;
    }
    zip_source_keep(source);
    for (size_t i = 0; i < count; i++)
        add_member(z, &m[i]);
    zip_stat_t s;
    if (zip_close(z)) {
        zip_discard(z);
    } else if (!zip_source_open(source)) {
        zip_stat_init(&s);
        zip_source_stat(source, &s);
        uint8_t *bytes = malloc((size_t)s.size + 1);
        const zip_int64_t n = bytes ? zip_source_read(source, bytes, s.size) : 0;
        fuzz_append(to, bytes, n > 0 ? (size_t)n : 0);
        free(bytes);
        zip_source_close(source);
    }
    zip_source_free(source);
}

static void rename_member(member *m, fuzz_random *r)
{
    static const char *const names[] = {"m/data.pkl",  "../data.pkl",    "m/data/0",        "m/data/1",
                                        "m/byteorder", "/m/x",           "m/constants.pkl", "m/version",
                                        "data.pkl",    "m/../m/data.pkl"};
    strcpy(m->name, names[fuzz_below(r, sizeof names / sizeof *names)]);
}

static bool is_pickle(const member *m)
{
    const size_t n = strlen(m->name);
    return n >= 8 && !strcmp(m->name + n - 8, "data.pkl");
}

/* Every ROOT/data/KEY gets the bytes that the pickle says. */
static void fit_storages(member *m, size_t count)
{
    static const uint8_t zeros[256];
    fuzz_storage s[MOST_STORAGES];
    size_t found = 0;
    for (size_t i = 0; i < count && !found; i++)
        if (is_pickle(&m[i]))
            found = fuzz_storages(m[i].data.data, m[i].data.size, s, MOST_STORAGES);
    for (size_t i = 0; i < count; i++) {
        const char *key = strstr(m[i].name, "/data/");
        for (size_t j = 0; key && j < found; j++) {
            const uint64_t bytes = s[j].count * s[j].item;
            if (strlen(key + 6) != s[j].key_size || memcmp(key + 6, s[j].key, s[j].key_size) || bytes > 4096)
                continue;
            while (m[i].data.size < bytes)
                fuzz_append(&m[i].data, zeros, bytes - m[i].data.size < 256 ? bytes - m[i].data.size : 256);
            m[i].data.size = (size_t)bytes;
            break;
        }
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static member m[MOST_MEMBERS];
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes out = {0}, part = {0};
    if (!fuzz_below(&r, 8))
        return LLVMFuzzerMutate(data, size, most);
    size_t count = take_apart(data, size, m);
    if (count) {
        size_t i = fuzz_below(&r, count);
        for (size_t j = 0; fuzz_below(&r, 4) && j < count; j++) /* mostly the pickle */
            if (is_pickle(&m[j]))
                i = j;
        switch (fuzz_below(&r, 12)) {
        case 0:
            rename_member(&m[i], &r);
            break;
        case 1:
            m[i].method = m[i].method == ZIP_CM_STORE ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
            break;
        case 2:
            free(m[i].data.data);
            m[i] = m[--count];
            break;
        case 3:
            fuzz_mutate_part(&part, m[i].data.data, m[i].data.size, &r);
            free(m[i].data.data);
            m[i].data = part;
            break;
        default:
            fuzz_mutate_pickle(&part, m[i].data.data, m[i].data.size, size, &r);
            free(m[i].data.data);
            m[i].data = part;
        }
        if (fuzz_below(&r, 4))
            fit_storages(m, count);
        put_together(&out, m, count);
        for (i = 0; i < count; i++)
            free(m[i].data.data);
    }
    return fuzz_give(&out, data, size, most);
}
