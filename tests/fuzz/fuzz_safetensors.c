/* safetensors: the mutator keeps N the length of the header, and often the offsets in step with the shapes.
 */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_open(&(fuzz_file){.data = data, .size = size, .format = "safetensors"});
    return 0;
}

static const struct {
    const char *name;
    size_t size;
} types[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"I8", 1}, {"BOOL", 1}, {"F8", 1}};
enum { TYPES = sizeof types / sizeof *types };

/* Bytes of a tensor as its entry says, 0 where it makes no sense. */
static uint64_t bytes_of(const json_t *entry)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    uint64_t n = 1;
    size_t i = 0;
    const json_t *shape = json_object_get(entry, "shape");
    while (i < TYPES - 1 && type && strcmp(type, types[i].name))
        i++;
    for (size_t j = 0; j < json_array_size(shape); j++)
        n *= (uint64_t)json_integer_value(json_array_get(shape, j));
    return n * types[i].size;
}

/* One tensor's entry gets something that it should not have. */
static void spoil(json_t *entry, fuzz_random *r, size_t size)
{
    json_t *shape = json_object_get(entry, "shape"), *range = json_object_get(entry, "data_offsets");
    json_t *number = json_integer((json_int_t)fuzz_number(r, size));
    const size_t dims = json_array_size(shape);
    switch (fuzz_below(r, 5)) {
    case 0:
        json_object_set_new(entry, "dtype", json_string(types[fuzz_below(r, TYPES)].name));
        break;
    case 1:
        if (dims)
            json_array_set(shape, fuzz_below(r, dims), number);
        break;
    case 2:
        json_array_insert(shape, fuzz_below(r, dims + 1), number);
        break;
    case 3:
        if (dims)
            json_array_remove(shape, fuzz_below(r, dims));
        break;
    default:
        if (json_array_size(range))
            json_array_set(range, fuzz_below(r, json_array_size(range)), number);
    }
    json_decref(number);
}

/* All tensors behind each other; returns where the last ends. */
static uint64_t tile(json_t *root)
{
    const char *name;
    json_t *entry;
    uint64_t at = 0;
    json_object_foreach(root, name, entry)
    {
        if (!json_object_get(entry, "shape"))
            continue;
        const uint64_t n = bytes_of(entry);
        json_object_set_new(entry, "data_offsets", json_pack("[II]", (json_int_t)at, (json_int_t)(at + n)));
        at += n;
    }
    return at;
}

/* A tensor under its own or another name once more, or a changed one. */
static void edit(json_t *root, fuzz_random *r, size_t size)
{
    size_t n = fuzz_below(r, json_object_size(root));
    void *it = json_object_iter(root);
    while (it && n--)
        it = json_object_iter_next(root, it);
    if (!it)
        return;
    json_t *entry = json_object_iter_value(it);
    if (fuzz_below(r, 6)) {
        spoil(entry, r, size);
    } else {
        char name[32];
        snprintf(name, sizeof name, "%s%u", fuzz_below(r, 2) ? "module." : "", (unsigned)fuzz_below(r, 9));
        json_object_set_new(root, name, json_deep_copy(entry));
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes out = {0}, part = {0};
    const uint64_t n = size < 8 ? 0 : fuzz_le(data, 8);
    if (size < 9 || n > size - 8 || !fuzz_below(&r, 8))
        return LLVMFuzzerMutate(data, size, most);
    const uint8_t *header = data + 8, *values = header + n;
    size_t bytes = size - 8 - (size_t)n;
    const size_t what = fuzz_below(&r, 3);
    json_t *root = what ? json_loadb((const char *)header, (size_t)n, 0, NULL) : NULL;
    if (json_is_object(root)) {
        static const uint8_t zeros[4096];
        for (size_t times = 1 + fuzz_below(&r, 3); times--;)
            edit(root, &r, bytes);
        const uint64_t end = what == 2 ? tile(root) : bytes;
        char *text = json_dumps(root, JSON_COMPACT);
        if (text) {
            fuzz_append_number(&out, strlen(text), 8);
            fuzz_append(&out, text, strlen(text));
            fuzz_append(&out, values, end < bytes ? (size_t)end : bytes);
            if (end > bytes && end - bytes <= sizeof zeros)
                fuzz_append(&out, zeros, (size_t)(end - bytes));
        }
        free(text);
    } else {
        fuzz_mutate_part(&part, header, (size_t)n, &r);
        fuzz_append_number(&out, part.size, 8);
        fuzz_append(&out, part.data, part.size);
        fuzz_append(&out, values, bytes);
    }
    json_decref(root);
    free(part.data);
    return fuzz_give(&out, data, size, most);
}
