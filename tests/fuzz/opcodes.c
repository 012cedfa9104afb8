#include "tests/fuzz/opcodes.h"

#include "engine/weights/pickle_ops.h"

#include <string.h>

enum { MOST_OPS = 4096, MOST_MEMO = 256 };

/* Bytes of an argument of fixed size; -1: it has one of its own length */
static int fixed(uint8_t op)
{
    switch (op) {
    case TT_OP_BININT1:
    case TT_OP_BINPUT:
    case TT_OP_BINGET:
    case TT_OP_PROTO:
        return 1;
    case TT_OP_BININT2:
        return 2;
    case TT_OP_BININT:
    case TT_OP_LONG_BINPUT:
    case TT_OP_LONG_BINGET:
        return 4;
    case TT_OP_BINFLOAT:
    case TT_OP_FRAME:
        return 8;
    case TT_OP_BINUNICODE:
    case TT_OP_BINSTRING:
    case TT_OP_BINBYTES:
    case TT_OP_SHORT_BINUNICODE:
    case TT_OP_SHORT_BINSTRING:
    case TT_OP_SHORT_BINBYTES:
    case TT_OP_LONG1:
    case TT_OP_GLOBAL:
        return -1;
    default:
        return 0;
    }
}

size_t fuzz_opcode(const uint8_t *at, size_t left)
{
    if (!left)
        return 0;
    int n = fixed(at[0]);
    size_t size = 1 + (size_t)n;
    if (at[0] == TT_OP_GLOBAL) {
        const uint8_t *end = memchr(at, '\n', left);
        end = end ? memchr(end + 1, '\n', left - (size_t)(end + 1 - at)) : NULL;
        return end ? (size_t)(end + 1 - at) : 0;
    }
    if (n < 0) {
        n = at[0] == TT_OP_BINUNICODE || at[0] == TT_OP_BINSTRING || at[0] == TT_OP_BINBYTES ? 4 : 1;
        if (left < 1 + (size_t)n)
            return 0;
        size = 1 + (size_t)n + (size_t)fuzz_le(at + 1, n);
    }
    return size <= left ? size : 0;
}

size_t fuzz_pickle(const uint8_t *at, size_t left)
{
    size_t n = 0;
    for (;;) {
        const size_t op = fuzz_opcode(at + n, left - n);
        if (!op)
            return 0;
        n += op;
        if (at[n - op] == TT_OP_STOP)
            return n;
    }
}

/* ---- mutation ------------------------------------------------------------------------------------- */

typedef struct op {
    const uint8_t *at;
    size_t size;
} op;

static size_t take_apart(const uint8_t *pickle, size_t n, op *ops)
{
    size_t count = 0, at = 0;
    while (at < n && count < MOST_OPS) {
        const size_t size = fuzz_opcode(pickle + at, n - at);
        if (!size)
            break;
        ops[count++] = (op){pickle + at, size};
        at += size;
    }
    return count;
}

/* An opcode that may stand anywhere, with an argument that fits. */
static void any_opcode(fuzz_bytes *to, uint64_t size, fuzz_random *r)
{
    static const uint8_t plain[] = "(.0NQR]abest}u)\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94";
    const uint64_t n = fuzz_number(r, size);
    switch (fuzz_below(r, 8)) {
    case 0:
        fuzz_append_number(to, TT_OP_BININT, 1);
        fuzz_append_number(to, n, 4);
        break;
    case 1:
        fuzz_append_number(to, TT_OP_LONG1, 1);
        fuzz_append_number(to, 8, 1);
        fuzz_append_number(to, n, 8);
        break;
    case 2:
        fuzz_append_number(to, fuzz_below(r, 2) ? TT_OP_BINGET : TT_OP_BINPUT, 1);
        fuzz_append_number(to, fuzz_below(r, 16), 1);
        break;
    case 3:
        fuzz_append_number(to, fuzz_below(r, 2) ? TT_OP_LONG_BINGET : TT_OP_LONG_BINPUT, 1);
        fuzz_append_number(to, n, 4);
        break;
    case 4:
        fuzz_append_number(to, fuzz_next(r), 1);
        break;
    default:
        fuzz_append(to, &plain[fuzz_below(r, sizeof plain - 1)], 1);
    }
}

/* The opcode, perhaps with another number of the same form. */
static void changed(fuzz_bytes *to, op o, uint64_t size, fuzz_random *r)
{
    const int n = fixed(o.at[0]);
    fuzz_append(to, o.at, 1);
    if (n > 0 && o.at[0] != TT_OP_BINFLOAT)
        fuzz_append_number(to, o.at[0] == TT_OP_BINGET ? fuzz_below(r, 16) : fuzz_number(r, size), n);
    else
        fuzz_append(to, o.at + 1, o.size - 1);
}

void fuzz_mutate_pickle(fuzz_bytes *to, const uint8_t *pickle, size_t n, uint64_t size, fuzz_random *r)
{
    static op ops[MOST_OPS];
    const size_t count = take_apart(pickle, n, ops);
    to->size = 0;
    if (!count || !fuzz_below(r, 6)) {
        fuzz_mutate_part(to, pickle, n, r);
        return;
    }
    const size_t at = fuzz_below(r, count), other = fuzz_below(r, count);
    const size_t what = fuzz_below(r, 7), length = 1 + fuzz_below(r, 6);
    size_t end = (size_t)(ops[count - 1].at + ops[count - 1].size - pickle);
    for (size_t i = 0; i < count; i++) {
        const bool here = i == at;
        if (here && what == 0)
            any_opcode(to, size, r);
        if (here && what == 1)
            for (size_t j = other; j < count && j < other + length; j++) /* a piece of it once more */
                fuzz_append(to, ops[j].at, ops[j].size);
        if (here && what == 2) { /* a piece is left out */
            i += length - 1;
            continue;
        }
        if (here && what == 3)
            fuzz_append(to, ops[other].at, ops[other].size);
        else if ((here && what >= 4) || !fuzz_below(r, 2 * count))
            changed(to, ops[i], size, r);
        else
            fuzz_append(to, ops[i].at, ops[i].size);
    }
    if (end < n)
        fuzz_append(to, pickle + end, n - end);
}

/* ---- storages ------------------------------------------------------------------------------------- */

static size_t item_of(const uint8_t *global, size_t n)
{
    static const struct {
        const char *name;
        size_t item;
    } types[] = {{"FloatStorage\n", 4},  {"HalfStorage\n", 2}, {"BFloat16Storage\n", 2},
                 {"DoubleStorage\n", 8}, {"LongStorage\n", 8}, {"IntStorage\n", 4},
                 {"ShortStorage\n", 2},  {"CharStorage\n", 1}, {"ByteStorage\n", 1},
                 {"BoolStorage\n", 1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const size_t m = strlen(types[i].name);
        if (n > m && !memcmp(global + n - m, types[i].name, m))
            return types[i].item;
    }
    return 0;
}

static bool is_number(uint8_t o)
{
    return o == TT_OP_BININT || o == TT_OP_BININT1 || o == TT_OP_BININT2;
}

size_t fuzz_storages(const uint8_t *pickle, size_t n, fuzz_storage *to, size_t most)
{
    op last = {0}, memo[MOST_MEMO] = {{0}};
    fuzz_storage s = {0};
    int stage = 0; /* what has been seen of a storage: 1 its word, 2 type, 3 key, 4 place */
    size_t found = 0;
    for (size_t at = 0, size; at < n && found < most && (size = fuzz_opcode(pickle + at, n - at));
         at += size) {
        op o = {pickle + at, size};
        if (o.at[0] == TT_OP_BINPUT) {
            memo[o.at[1]] = last;
            continue;
        }
        if (o.at[0] == TT_OP_BINGET && memo[o.at[1]].size)
            o = memo[o.at[1]];
        last = o;
        const bool text = o.at[0] == TT_OP_BINUNICODE;
        if (text && o.size == 12 && !memcmp(o.at + 5, "storage", 7)) {
            stage = 1;
        } else if (stage == 1 && o.at[0] == TT_OP_GLOBAL) {
            s = (fuzz_storage){.item = item_of(o.at, o.size)};
            stage = 2;
        } else if (stage == 2 && text) {
            s.key = o.at + 5;
            s.key_size = o.size - 5;
            stage = 3;
        } else if (stage == 3 && text) {
            stage = 4;
        } else if (stage == 4 && is_number(o.at[0])) {
            s.count = fuzz_le(o.at + 1, (int)o.size - 1);
            to[found++] = s;
            stage = 0;
        }
    }
    return found;
}
