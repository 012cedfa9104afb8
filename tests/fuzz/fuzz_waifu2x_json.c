/* waifu2x JSON, as text and as gzip: the mutator works on the text and packs it again. Words of the text are
 * moved as they are: a bracket, a comma, a string, a number. */
#include "tests/fuzz/deflate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_open(&(fuzz_file){.data = data, .size = size, .format = "waifu2x JSON"});
    return 0;
}

typedef struct word {
    const uint8_t *at;
    size_t size;
} word;

static bool alone(uint8_t c)
{
    return c <= ' ' || strchr("[]{},:\"", c);
}

static size_t take_apart(const uint8_t *text, size_t n, word *words)
{
    size_t count = 0;
    for (size_t at = 0; at < n && count < MOST_WORDS;) {
        size_t end = at + 1;
        if (text[at] == '"') {
            while (end < n && text[end] != '"')
                end++;
            end += end < n;
        } else if (!alone(text[at])) {
            while (end < n && !alone(text[end]))
                end++;
        }
        words[count++] = (word){text + at, end - at};
        at = end;
    }
    return count;
}

static void mutate_text(fuzz_bytes *to, const uint8_t *text, size_t n, fuzz_random *r)
{
    static word words[MOST_WORDS];
    const size_t count = take_apart(text, n, words);
    const size_t at = fuzz_below(r, count), other = fuzz_below(r, count), what = fuzz_below(r, 5);
    const size_t length = 1 + fuzz_below(r, 12);
    for (size_t i = 0; i < count; i++) {
        char number[32];
        if (i == at && what == 0) {
            i += length - 1;
            continue;
        }
        if (i == at && what == 1)
            for (size_t j = other; j < count && j < other + length; j++)
                fuzz_append(to, words[j].at, words[j].size);
        if (i == at && what == 2) {
            fuzz_append(to, words[other].at, words[other].size);
        } else if (i >= at && i < at + 8 && what > 2 && words[i].at[0] >= '0' && words[i].at[0] <= '9') {
            snprintf(number, sizeof number, "%lld", (long long)fuzz_number(r, 3));
            fuzz_append(to, number, strlen(number));
        } else {
            fuzz_append(to, words[i].at, words[i].size);
        }
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes text = {0}, out = {0}, packed = {0};
    bool gz = size > 2 && data[0] == 0x1f && data[1] == 0x8b;
    if (!fuzz_below(&r, 8))
        return LLVMFuzzerMutate(data, size, most);
    if (gz)
        fuzz_inflate(&text, data, size, true);
    else
        fuzz_append(&text, data, size);
    if (fuzz_below(&r, 4))
        mutate_text(&out, text.data, text.size, &r);
    else
        fuzz_mutate_part(&out, text.data, text.size, &r);
    if (!fuzz_below(&r, 8))
        gz = !gz;
    if (gz) {
        fuzz_deflate(&packed, out.data, out.size, true);
        free(out.data);
        out = packed;
    }
    free(text.data);
    return fuzz_give(&out, data, size, most);
}
