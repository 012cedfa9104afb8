/* ncnn: both files as one input: the .param's length (4 bytes), the .param, the .bin. The mutator works on
 * words of the text, and keeps the length, often the numbers of layers and blobs, and sometimes the size of
 * the .bin right. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 2048, MOST_BLOBS = 256 };

static size_t text_size(const uint8_t *data, size_t size)
{
    const size_t n = size < 4 ? 0 : (size_t)fuzz_le(data, 4);
    return size < 4 ? 0 : n < size - 4 ? n : size - 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t n = text_size(data, size);
    if (size < 4)
        return 0;
    /* copies: neither may be read beyond its own end */
    uint8_t *param = malloc(n + !n), *bin = malloc(size - 4 - n + !(size - 4 - n));
    if (param && bin) {
        memcpy(param, data + 4, n);
        memcpy(bin, data + 4 + n, size - 4 - n);
        fuzz_open(&(fuzz_file){
            .data = param, .size = n, .beside = bin, .beside_size = size - 4 - n, .format = "ncnn"});
    }
    free(param);
    free(bin);
    return 0;
}

/* A word, and the blank behind it */
typedef struct word {
    const char *at;
    size_t size;
} word;

static size_t take_apart(const char *text, size_t n, word *words)
{
    size_t count = 0;
    for (size_t at = 0; at < n && count < MOST_WORDS;) {
        size_t end = at;
        while (end < n && text[end] > ' ')
            end++;
        while (end < n && text[end] <= ' ')
            end++;
        words[count++] = (word){text + at, end - at};
        at = end;
    }
    return count;
}

static void append_word(fuzz_bytes *to, const char *format, long long a, long long b)
{
    char text[64];
    snprintf(text, sizeof text, format, a, b);
    fuzz_append(to, text, strlen(text));
}

static void any_word(fuzz_bytes *to, fuzz_random *r, size_t size)
{
    const long long n = (long long)fuzz_number(r, size);
    switch (fuzz_below(r, 4)) {
    case 0:
        append_word(to, "%lld=%lld ", (long long)fuzz_below(r, 20), n);
        break;
    case 1:
        append_word(to, "-2330%lld=2,%lld,1 ", (long long)fuzz_below(r, 10), n);
        break;
    default:
        append_word(to, "%lld ", n, 0);
    }
}

static void mutate_text(fuzz_bytes *to, const char *text, size_t n, fuzz_random *r, size_t size)
{
    static word words[MOST_WORDS];
    const size_t count = take_apart(text, n, words);
    const size_t at = fuzz_below(r, count), other = fuzz_below(r, count), what = fuzz_below(r, 6);
    const size_t length = 1 + fuzz_below(r, 8);
    for (size_t i = 0; i < count; i++) {
        const word *w = &words[i];
        const char *equals = memchr(w->at, '=', w->size);
        if (i == at && what == 0)
            any_word(to, r, size);
        if (i == at && what == 1) {
            i += length - 1;
            continue;
        }
        if (i == at && what == 2)
            for (size_t j = other; j < count && j < other + length; j++)
                fuzz_append(to, words[j].at, words[j].size);
        if (i == at && what == 3) {
            fuzz_append(to, words[other].at, words[other].size);
        } else if (i == at && what == 4 && equals) {
            fuzz_append(to, w->at, (size_t)(equals + 1 - w->at));
            append_word(to, "%lld ", (long long)fuzz_number(r, size), 0);
        } else {
            fuzz_append(to, w->at, w->size);
        }
    }
}

/* Line 2 says how many layers and blobs there are: every line behind it, every name that a layer makes. */
static void count_again(fuzz_bytes *text)
{
    if (!text->size)
        return;
    const char *all = (const char *)text->data, *first = memchr(all, '\n', text->size);
    const char *end = all + text->size,
               *second = first ? memchr(first + 1, '\n', (size_t)(end - first - 1)) : NULL;
    fuzz_bytes out = {0};
    long long layers = 0, blobs = 0;
    if (!second)
        return;
    for (const char *line = second + 1; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        char copy[256];
        int outs;
        stop = stop ? stop : end;
        snprintf(copy, sizeof copy, "%.*s", (int)(stop - line), line);
        layers += copy[strspn(copy, " \t\r")] != 0;
        if (sscanf(copy, "%*s %*s %*d %d", &outs) == 1 && outs > 0 && outs < MOST_BLOBS)
            blobs += outs;
        line = stop + (stop < end);
    }
    fuzz_append(&out, all, (size_t)(first + 1 - all));
    append_word(&out, "%lld %lld", layers, blobs);
    fuzz_append(&out, second, (size_t)(end - second));
    free(text->data);
    *text = out;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes text = {0}, bin = {0}, out = {0};
    const size_t n = text_size(data, size);
    if (!n || !fuzz_below(&r, 8))
        return LLVMFuzzerMutate(data, size, most);
    const uint8_t *rest = data + 4 + n;
    const size_t left = size - 4 - n, what = fuzz_below(&r, 5);
    if (what == 0) /* a tag, most likely, or the size */
        fuzz_mutate_part(&bin, rest, left, &r);
    else
        fuzz_append(&bin, rest, left);
    if (what == 1)
        fuzz_mutate_part(&text, data + 4, n, &r);
    else if (what > 1)
        mutate_text(&text, (const char *)data + 4, n, &r, size);
    else
        fuzz_append(&text, data + 4, n);
    if (fuzz_below(&r, 4))
        count_again(&text);
    if (what == 2) { /* some more or fewer bytes of weights */
        const size_t to = fuzz_below(&r, left + 256) & ~(size_t)3;
        while (bin.size < to)
            fuzz_append_number(&bin, 0, 4);
        bin.size = to;
    }
    fuzz_append_number(&out, text.size, 4);
    fuzz_append(&out, text.data, text.size);
    fuzz_append(&out, bin.data, bin.size);
    free(text.data);
    free(bin.data);
    return fuzz_give(&out, data, size, most);
}
