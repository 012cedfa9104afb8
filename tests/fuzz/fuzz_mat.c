/* MATLAB 5: the mutator changes an element of a variable, gives all around it their sizes again, and packs
 * what was compressed. */
#include "tests/fuzz/deflate.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 128, MATRIX = 14, COMPRESSED = 15, MOST_DEPTH = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_open(&(fuzz_file){.data = data, .size = size, .format = "MATLAB 5"});
    return 0;
}

/* How many elements there are, those inside matrices and compressed ones counted too; and which is to be
 * changed. */
typedef struct walk {
    size_t count, chosen;
    fuzz_random *r;
    size_t size;
} walk;

static void append_element(fuzz_bytes *to, uint32_t type, const fuzz_bytes *payload)
{
    fuzz_append_number(to, type, 4);
    fuzz_append_number(to, payload->size, 4);
    fuzz_append(to, payload->data, payload->size);
    while (type != COMPRESSED && to->size % 8)
        fuzz_append_number(to, 0, 1);
}

/* A payload of numbers with one or some of them changed. */
static void change(fuzz_bytes *to, const uint8_t *payload, size_t n, walk *w)
{
    if (n >= 4 && fuzz_below(w->r, 2)) {
        const size_t at = fuzz_below(w->r, n / 4) * 4;
        to->size = 0;
        fuzz_append(to, payload, at);
        fuzz_append_number(to, fuzz_number(w->r, w->size), 4);
        fuzz_append(to, payload + at + 4, n - at - 4);
    } else {
        fuzz_mutate_part(to, payload, n, w->r);
    }
}

/* The elements of `data` to *to, the chosen one changed, left out, repeated or of another type. */
static void copy_elements(fuzz_bytes *to, const uint8_t *data, size_t size, walk *w, int depth)
{
    while (size >= 8) {
        uint32_t type = (uint32_t)fuzz_le(data, 4);
        uint32_t n = (uint32_t)fuzz_le(data + 4, 4);
        const bool here = w->count++ == w->chosen;
        const size_t what = here ? fuzz_below(w->r, 6) : 6;
        fuzz_bytes inside = {0}, packed = {0}, inflated = {0};
        size_t all = 8;
        if (type >> 16) { /* a small one */
            n = type >> 16;
            if (what == 1)
                fuzz_append_number(to, type ^ (uint32_t)fuzz_below(w->r, 1 << 19), 4);
            else if (what != 0)
                fuzz_append(to, data, 4);
            if (what >= 2 && what < 6)
                fuzz_append_number(to, fuzz_number(w->r, w->size), 4);
            else if (what != 0)
                fuzz_append(to, data + 4, 4);
        } else {
            const uint8_t *payload = data + 8;
            n = n < size - 8 ? n : (uint32_t)(size - 8);
            all += type == COMPRESSED ? n : (n + 7) / 8 * 8;
            if (type == COMPRESSED && depth < MOST_DEPTH) {
                fuzz_inflate(&inflated, payload, n, false);
                copy_elements(&packed, inflated.data, inflated.size, w, depth + 1);
                fuzz_deflate(&inside, packed.data, packed.size, false);
            } else if (type == MATRIX && depth < MOST_DEPTH && what != 5) {
                copy_elements(&inside, payload, n, w, depth + 1);
            } else if (what >= 2 && what < 6) {
                change(&inside, payload, n, w);
            } else {
                fuzz_append(&inside, payload, n);
            }
            if (what == 1)
                type = (uint32_t)fuzz_below(w->r, 20);
            if (what != 0)
                append_element(to, type, &inside);
            if (what == 2)
                append_element(to, type, &inside);
        }
        free(inside.data);
        free(packed.data);
        free(inflated.data);
        all = all < size ? all : size;
        data += all;
        size -= all;
    }
    fuzz_append(to, data, size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes out = {0};
    walk w = {.chosen = SIZE_MAX, .r = &r, .size = size};
    if (size < HEADER || !fuzz_below(&r, 8))
        return LLVMFuzzerMutate(data, size, most);
    copy_elements(&out, data + HEADER, size - HEADER, &w, 0); /* how many are there? */
    out.size = 0;
    w.chosen = fuzz_below(&r, w.count);
    w.count = 0;
    fuzz_append(&out, data, HEADER);
    copy_elements(&out, data + HEADER, size - HEADER, &w, 0);
    return fuzz_give(&out, data, size, most);
}
