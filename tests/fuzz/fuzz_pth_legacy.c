/* .pth of PyTorch before 1.6: the mutator changes one of the five pickles and then, often, gives each storage
 * the count and the bytes that the object's pickle asks for. */
#include "tests/fuzz/opcodes.h"

#include <stdlib.h>
#include <string.h>

enum { PICKLES = 5, OBJECT = 3, KEYS = 4, MOST_STORAGES = 64, MOST_VALUES = 1 << 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_open(&(fuzz_file){.data = data, .size = size, .format = "PyTorch before 1.6"});
    return 0;
}

/* Behind the pickles, for each of the keys: count and bytes, of what was there as far as it goes. */
static void append_storages(fuzz_bytes *to, const fuzz_bytes *object, const fuzz_bytes *keys,
                            const uint8_t *old, size_t left)
{
    static const uint8_t zeros[MOST_VALUES];
    fuzz_storage s[MOST_STORAGES];
    const size_t count = fuzz_storages(object->data, object->size, s, MOST_STORAGES);
    for (size_t at = 0, size; at < keys->size; at += size) {
        size = fuzz_opcode(keys->data + at, keys->size - at);
        if (!size)
            return;
        if (keys->data[at] != 'X')
            continue;
        size_t i = 0;
        while (i < count && (s[i].key_size != size - 5 || memcmp(s[i].key, keys->data + at + 5, size - 5)))
            i++;
        const uint64_t bytes = i < count ? s[i].count * (s[i].item ? s[i].item : 1) : 0;
        if (i == count || s[i].count > MOST_VALUES || bytes > MOST_VALUES)
            continue;
        const size_t skip = left < 8 ? left : 8;
        old += skip;
        left -= skip;
        const size_t from = bytes < left ? (size_t)bytes : left;
        fuzz_append_number(to, s[i].count, 8);
        fuzz_append(to, old, from);
        fuzz_append(to, zeros, (size_t)bytes - from);
        old += from;
        left -= from;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes out = {0}, part[PICKLES] = {{0}};
    size_t at = 0, i = 0;
    const size_t chosen = fuzz_below(&r, 3) ? OBJECT : fuzz_below(&r, PICKLES);
    for (; i < PICKLES; i++) {
        const size_t n = fuzz_pickle(data + at, size - at);
        if (!n)
            break;
        if (i == chosen)
            fuzz_mutate_pickle(&part[i], data + at, n, size, &r);
        else
            fuzz_append(&part[i], data + at, n);
        at += n;
    }
    if (i == PICKLES && fuzz_below(&r, 8)) {
        for (i = 0; i < PICKLES; i++)
            fuzz_append(&out, part[i].data, part[i].size);
        if (fuzz_below(&r, 4))
            append_storages(&out, &part[OBJECT], &part[KEYS], data + at, size - at);
        else
            fuzz_append(&out, data + at, size - at);
    }
    for (i = 0; i < PICKLES; i++)
        free(part[i].data);
    return fuzz_give(&out, data, size, most); /* nothing in it: libFuzzer's own mutation */
}
