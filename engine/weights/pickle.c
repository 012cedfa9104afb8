#include "engine/weights/pickle.h"

#include "engine/weights/pickle_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_MARKS = 4 * TT_PICKLE_DEPTH, /* one level of nested modules has three */
    MAX_STACK = 1 << 20,
    MAX_MEMO = 1 << 20,
    MAX_STEPS = 16 << 20, /* opcodes: "get, pop, get, pop" makes no node */
};

/* The machine while it runs. */
typedef struct machine {
    tt_pickle *p;
    tt_cursor *c;
    tt_error *err;
    size_t at; /* of the opcode */
    tt_pickle_id *stack;
    size_t depth, stack_room;
    size_t marks[MAX_MARKS]; /* depths */
    size_t mark_count;
    tt_pickle_id *memo; /* 0: nothing put there */
    size_t memo_room, memo_count;
} machine;

/* "LABEL: byte N: " and the reason */
#define BAD(m, status, format, ...)                                                                          \
    tt_fail((m)->err, status, "%s: byte %zu: " format, (m)->p->label, (m)->at, __VA_ARGS__)
#define DAMAGED(m, reason) BAD(m, TT_ERR_FORMAT, "pickle: %s", reason)

static tt_status cut_short(const machine *m)
{
    return DAMAGED(m, "cut short: it goes on beyond the end of the data");
}

/* ---- memory --------------------------------------------------------------------------------------- */

/* Room for one more of `item` bytes in *array, zeroed as far as it grows. */
static tt_status grow(const machine *m, void *array, size_t *room, size_t need, size_t item)
{
    if (need <= *room)
        return TT_OK;
    size_t n = *room ? 2 * *room : 256;
    while (n < need)
        n *= 2; /* need is at most 2^22 */
    void *old;
    memcpy(&old, array, sizeof old);
    void *more = realloc(old, n * item);
    if (!more)
        return tt_fail_memory(m->err, n * item);
    memset((char *)more + *room * item, 0, (n - *room) * item);
    memcpy(array, &more, sizeof more);
    *room = n;
    return TT_OK;
}

static tt_status push(machine *m, tt_pickle_id n)
{
    if (m->depth >= MAX_STACK)
        return DAMAGED(m, "more values at a time than any weight file has");
    const tt_status st = grow(m, &m->stack, &m->stack_room, m->depth + 1, sizeof *m->stack);
    if (!st)
        m->stack[m->depth++] = n;
    return st;
}

/* A new node on the stack. */
static tt_status push_new(machine *m, tt_pickle_node node)
{
    tt_pickle *p = m->p;
    if (p->node_count >= TT_PICKLE_NODES)
        return DAMAGED(m, "more objects than any weight file has");
    tt_status st = grow(m, &p->nodes, &p->node_room, p->node_count + 1, sizeof *p->nodes);
    if (st)
        return st;
    node.at = (uint32_t)m->at;
    p->nodes[p->node_count] = node;
    st = push(m, (tt_pickle_id)p->node_count);
    p->node_count += !st;
    return st;
}

static tt_status push_kind(machine *m, tt_node_kind kind)
{
    return push_new(m, (tt_pickle_node){.kind = (uint8_t)kind});
}

static tt_status push_int(machine *m, int64_t number)
{
    return push_new(m, (tt_pickle_node){.kind = TT_NODE_INT, .u.number = number});
}

/* One more item at the end of a tuple, list or dict. */
static tt_status append(machine *m, tt_pickle_id to, tt_pickle_id item)
{
    tt_pickle *p = m->p;
    if (p->link_count >= TT_PICKLE_LINKS)
        return DAMAGED(m, "more items than any weight file has");
    const tt_status st = grow(m, &p->links, &p->link_room, p->link_count + 1, sizeof *p->links);
    if (st)
        return st;
    tt_pickle_node *n = &p->nodes[to];
    const uint32_t link = (uint32_t)p->link_count++;
    p->links[link] = (tt_pickle_link){.node = item};
    if (n->count)
        p->links[n->u.items.last].next = link;
    else
        n->u.items.first = link;
    n->u.items.last = link;
    n->count++;
    n->storage |= p->nodes[item].storage;
    return TT_OK;
}

/* ---- the stack ------------------------------------------------------------------------------------ */

/* What may be taken: not what lies below the last MARK. */
static size_t on_top(const machine *m)
{
    return m->depth - (m->mark_count ? m->marks[m->mark_count - 1] : 0);
}

static tt_status need(const machine *m, size_t n)
{
    return on_top(m) < n ? DAMAGED(m, "an instruction without the values it works on") : TT_OK;
}

static tt_pickle_id pop(machine *m)
{
    return m->stack[--m->depth];
}

/* The values above the last MARK are stack[*from .. depth - 1]; the MARK is gone. */
static tt_status take_mark(machine *m, size_t *from)
{
    *from = 0;
    if (!m->mark_count)
        return DAMAGED(m, "an instruction without the mark it goes back to");
    *from = m->marks[--m->mark_count];
    return TT_OK;
}

static tt_status tuple_of(machine *m, size_t from)
{
    /* the tuple is made on top of its items, then moved down to where they began */
    const size_t end = m->depth;
    tt_status st = push_kind(m, TT_NODE_TUPLE);
    if (st)
        return st;
    const tt_pickle_id tuple = pop(m);
    for (size_t i = from; !st && i < end; i++)
        st = append(m, tuple, m->stack[i]);
    m->depth = from;
    return st ? st : push(m, tuple);
}

static tt_status tuple_of_few(machine *m, size_t n)
{
    const tt_status st = need(m, n);
    return st ? st : tuple_of(m, m->depth - n);
}

/* ---- strings and numbers -------------------------------------------------------------------------- */

static tt_status text_of(machine *m, tt_node_kind kind, uint64_t n)
{
    const unsigned char *text;
    if (n > TT_PICKLE_STRING)
        return BAD(m, TT_ERR_FORMAT, "pickle: a string of %llu bytes, at most %d are allowed",
                   (unsigned long long)n, TT_PICKLE_STRING);
    if (!tt_cursor_take(m->c, (size_t)n, &text))
        return cut_short(m);
    return push_new(m, (tt_pickle_node){.kind = (uint8_t)kind, .count = (uint32_t)n, .u.text = text});
}

static tt_status short_text(machine *m, tt_node_kind kind)
{
    uint8_t n;
    return tt_cursor_u8(m->c, &n) ? text_of(m, kind, n) : cut_short(m);
}

static tt_status long_text(machine *m, tt_node_kind kind)
{
    uint32_t n;
    return tt_cursor_u32(m->c, &n) ? text_of(m, kind, n) : cut_short(m);
}

static tt_status huge_text(machine *m, tt_node_kind kind)
{
    uint64_t n;
    return tt_cursor_u64(m->c, &n) ? text_of(m, kind, n) : cut_short(m);
}

/* To the newline, which is left out. */
static tt_status line(machine *m)
{
    const size_t most = m->c->left < TT_PICKLE_STRING ? m->c->left : TT_PICKLE_STRING;
    const unsigned char *end = most ? memchr(m->c->ptr, '\n', most) : NULL;
    if (!end)
        return most < TT_PICKLE_STRING ? cut_short(m) : DAMAGED(m, "a name without an end");
    const tt_status st = text_of(m, TT_NODE_TEXT, (uint64_t)(end - m->c->ptr));
    if (!st)
        tt_cursor_skip(m->c, 1);
    return st;
}

/* Of any length, two's complement. */
static tt_status long1(machine *m)
{
    uint8_t n;
    const unsigned char *b;
    if (!tt_cursor_u8(m->c, &n) || !tt_cursor_take(m->c, n, &b))
        return cut_short(m);
    if (n > 8)
        return push_new(m, (tt_pickle_node){.kind = TT_NODE_LONG, .count = n, .u.text = b});
    uint64_t v = n && b[n - 1] & 0x80 ? UINT64_MAX : 0;
    for (int i = n; i--;)
        v = v << 8 | b[i];
    return push_int(m, (int64_t)v);
}

/* The one number that is stored big end first. */
static tt_status binfloat(machine *m)
{
    const unsigned char *b;
    uint64_t bits = 0;
    tt_pickle_node n = {.kind = TT_NODE_FLOAT};
    if (!tt_cursor_take(m->c, 8, &b))
        return cut_short(m);
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    memcpy(&n.u.real, &bits, 8);
    return push_new(m, n);
}

static tt_status number(machine *m, int op)
{
    uint8_t b;
    uint16_t h;
    uint32_t w;
    if (op == TT_OP_BININT1)
        return tt_cursor_u8(m->c, &b) ? push_int(m, b) : cut_short(m);
    if (op == TT_OP_BININT2)
        return tt_cursor_u16(m->c, &h) ? push_int(m, h) : cut_short(m);
    return tt_cursor_u32(m->c, &w) ? push_int(m, (int32_t)w) : cut_short(m);
}

/* ---- the memo ------------------------------------------------------------------------------------- */

static tt_status put(machine *m, size_t index)
{
    tt_status st = need(m, 1);
    if (st)
        return st;
    if (index >= MAX_MEMO)
        return DAMAGED(m, "a place to remember something that is beyond any weight file's");
    st = grow(m, &m->memo, &m->memo_room, index + 1, sizeof *m->memo);
    if (st)
        return st;
    m->memo_count += !m->memo[index];
    m->memo[index] = m->stack[m->depth - 1];
    return TT_OK;
}

static tt_status get(machine *m, size_t index)
{
    if (index >= m->memo_room || !m->memo[index])
        return BAD(m, TT_ERR_FORMAT, "pickle: wants back what was remembered as %zu, but nothing was", index);
    return push(m, m->memo[index]);
}

/* PUT and GET in the form with one byte and with four. */
static tt_status memo(machine *m, int op)
{
    uint8_t b;
    uint32_t w;
    const bool wide = op == TT_OP_LONG_BINPUT || op == TT_OP_LONG_BINGET;
    if (wide ? !tt_cursor_u32(m->c, &w) : !tt_cursor_u8(m->c, &b))
        return cut_short(m);
    const size_t index = wide ? w : b;
    return op == TT_OP_BINPUT || op == TT_OP_LONG_BINPUT ? put(m, index) : get(m, index);
}

/* ---- containers ----------------------------------------------------------------------------------- */

/* stack[from ..] become items of what lies below them. */
static tt_status add_items(machine *m, size_t from, tt_node_kind kind)
{
    const size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
    if (from <= floor)
        return DAMAGED(m, "items, but nothing to add them to");
    if (kind == TT_NODE_DICT && (m->depth - from) % 2)
        return DAMAGED(m, "a key without a value");
    const tt_pickle_id to = m->stack[from - 1];
    const uint8_t is = m->p->nodes[to].kind;
    tt_status st = TT_OK;
    if (is == kind) {
        for (size_t i = from; !st && i < m->depth; i++)
            st = append(m, to, m->stack[i]);
    } else if (is != TT_NODE_CALL && is != TT_NODE_OBJECT) {
        char what[200];
        tt_pickle_describe(m->p, to, what, sizeof what);
        return BAD(m, TT_ERR_FORMAT, "pickle: items of a %s are to be added to %s",
                   kind == TT_NODE_DICT ? "dict" : "list", what);
    } else {
        /* a class of its own that is also a dict or a list: inert, and so is what it holds */
        for (size_t i = from; i < m->depth; i++)
            m->p->nodes[to].storage |= m->p->nodes[m->stack[i]].storage;
    }
    m->depth = from;
    return st;
}

static tt_status add_one(machine *m, size_t n, tt_node_kind kind)
{
    const tt_status st = need(m, n + 1);
    return st ? st : add_items(m, m->depth - n, kind);
}

static tt_status add_many(machine *m, tt_node_kind kind)
{
    size_t from;
    const tt_status st = take_mark(m, &from);
    return st ? st : add_items(m, from, kind);
}

/* ---- globals, calls, objects ---------------------------------------------------------------------- */

static tt_status global(machine *m)
{
    tt_status st = need(m, 2);
    if (st)
        return st;
    const tt_pickle_id name = pop(m), module = pop(m);
    if (m->p->nodes[name].kind != TT_NODE_TEXT || m->p->nodes[module].kind != TT_NODE_TEXT)
        return DAMAGED(m, "a global whose name is not a string");
    return push_new(
        m, (tt_pickle_node){.kind = TT_NODE_GLOBAL, .u.global.module = module, .u.global.name = name});
}

static tt_status persistent(machine *m)
{
    const tt_status st = need(m, 1);
    if (st)
        return st;
    tt_pickle_id tag[1] = {0};
    const tt_pickle_id args = pop(m);
    tt_pickle_items(m->p, args, tag, 1);
    return push_new(m, (tt_pickle_node){.kind = TT_NODE_PERSISTENT,
                                        .storage = tt_pickle_is(m->p, tag[0], "storage"),
                                        .u.call.args = args});
}

/* Is it dict, set, ... of Python 3 or 2? */
static bool is_builtin(const tt_pickle *p, tt_pickle_id n, const char *name)
{
    return tt_pickle_is_global(p, n, "builtins", name) || tt_pickle_is_global(p, n, "__builtin__", name);
}

/* OrderedDict(), OrderedDict([[key, value], ...]) as Python 2 wrote it, defaultdict(class) */
static tt_status make_dict(machine *m, tt_pickle_id source)
{
    tt_pickle *p = m->p;
    tt_status st = push_kind(m, TT_NODE_DICT);
    if (st || !source)
        return st;
    const tt_pickle_id dict = m->stack[m->depth - 1];
    const bool copy = p->nodes[source].kind == TT_NODE_DICT;
    if (!copy && p->nodes[source].kind != TT_NODE_LIST && p->nodes[source].kind != TT_NODE_TUPLE)
        return DAMAGED(m, "an OrderedDict made of something that is not a list of pairs");
    uint32_t link = p->nodes[source].count ? p->nodes[source].u.items.first : 0;
    for (; !st && link; link = p->links[link].next) {
        tt_pickle_id pair[2] = {p->links[link].node};
        if (copy) {
            st = append(m, dict, pair[0]);
            continue;
        }
        const uint8_t kind = p->nodes[pair[0]].kind;
        if ((kind != TT_NODE_LIST && kind != TT_NODE_TUPLE) || tt_pickle_items(p, pair[0], pair, 2) != 2)
            return DAMAGED(m, "an OrderedDict made of something that is not a list of pairs");
        st = append(m, dict, pair[0]);
        if (!st)
            st = append(m, dict, pair[1]);
    }
    return st;
}

/* `of` was called with `args`, or an object of that class made. Few classes mean something here. */
static tt_status construct(machine *m, tt_node_kind kind)
{
    tt_status st = need(m, 2);
    if (st)
        return st;
    tt_pickle *p = m->p;
    const tt_pickle_id args = pop(m), of = pop(m);
    const uint8_t is = p->nodes[of].kind;
    if (p->nodes[args].kind != TT_NODE_TUPLE)
        return DAMAGED(m, "a call whose arguments are not a tuple");
    const bool callable =
        is == TT_NODE_GLOBAL || is == TT_NODE_PERSISTENT || is == TT_NODE_CALL || is == TT_NODE_OBJECT;
    if (!callable)
        return DAMAGED(m, "a call of something that is neither a function nor a class");
    tt_pickle_id arg[2] = {0};
    const size_t n = tt_pickle_items(p, args, arg, 2);
    if ((tt_pickle_is_global(p, of, "collections", "OrderedDict") || is_builtin(p, of, "dict")) && n < 2)
        return make_dict(m, arg[0]);
    if (tt_pickle_is_global(p, of, "collections", "defaultdict") && n < 2)
        return make_dict(m, 0);
    if (tt_pickle_is_global(p, of, "torch", "Size") && n == 1 && p->nodes[arg[0]].kind == TT_NODE_TUPLE)
        return push(m, arg[0]);
    if ((is_builtin(p, of, "set") || is_builtin(p, of, "frozenset")) && n == 1 &&
        p->nodes[arg[0]].kind == TT_NODE_LIST)
        return push(m, arg[0]);
    return push_new(m, (tt_pickle_node){.kind = (uint8_t)kind,
                                        .storage = p->nodes[args].storage,
                                        .u.call.of = of,
                                        .u.call.args = args});
}

/* The state of an object. That of an OrderedDict is "_metadata" and of no use. */
static tt_status build(machine *m)
{
    const tt_status st = need(m, 2);
    if (st)
        return st;
    const tt_pickle_id state = pop(m);
    tt_pickle_node *n = &m->p->nodes[m->stack[m->depth - 1]];
    if (n->kind == TT_NODE_DICT)
        return TT_OK;
    if (n->kind != TT_NODE_CALL && n->kind != TT_NODE_OBJECT)
        return DAMAGED(m, "a state for something that is no object");
    n->count = state;
    n->storage |= m->p->nodes[state].storage;
    return TT_OK;
}

/* ---- the machine ---------------------------------------------------------------------------------- */

static tt_status mark(machine *m)
{
    if (m->mark_count >= MAX_MARKS)
        return DAMAGED(m, "nested deeper than any weight file is");
    m->marks[m->mark_count++] = m->depth;
    return TT_OK;
}

static tt_status tuple(machine *m)
{
    size_t from;
    const tt_status st = take_mark(m, &from);
    return st ? st : tuple_of(m, from);
}

static tt_status global_of_lines(machine *m)
{
    tt_status st = line(m);
    if (!st)
        st = line(m);
    return st ? st : global(m);
}

static tt_status drop(machine *m)
{
    const tt_status st = need(m, 1);
    if (!st)
        pop(m);
    return st;
}

static tt_status step(machine *m, uint8_t op)
{
    switch (op) {
    case TT_OP_FRAME: /* the length of what follows: of use to who reads from a pipe */
        return tt_cursor_skip(m->c, 8) ? TT_OK : cut_short(m);
    case TT_OP_MARK:
        return mark(m);
    case TT_OP_POP:
        return drop(m);
    case TT_OP_NONE:
        return push_kind(m, TT_NODE_NONE);
    case TT_OP_NEWTRUE:
        return push_kind(m, TT_NODE_TRUE);
    case TT_OP_NEWFALSE:
        return push_kind(m, TT_NODE_FALSE);
    case TT_OP_BININT:
    case TT_OP_BININT1:
    case TT_OP_BININT2:
        return number(m, op);
    case TT_OP_LONG1:
        return long1(m);
    case TT_OP_BINFLOAT:
        return binfloat(m);
    case TT_OP_BINUNICODE:
    case TT_OP_BINSTRING: /* its length is signed: a negative one is far beyond the limit */
        return long_text(m, TT_NODE_TEXT);
    case TT_OP_SHORT_BINUNICODE:
    case TT_OP_SHORT_BINSTRING:
        return short_text(m, TT_NODE_TEXT);
    case TT_OP_BINBYTES:
        return long_text(m, TT_NODE_BYTES);
    case TT_OP_SHORT_BINBYTES:
        return short_text(m, TT_NODE_BYTES);
    case TT_OP_BINUNICODE8:
        return huge_text(m, TT_NODE_TEXT);
    case TT_OP_BINBYTES8:
    case TT_OP_BYTEARRAY8:
        return huge_text(m, TT_NODE_BYTES);
    case TT_OP_EMPTY_TUPLE:
        return push_kind(m, TT_NODE_TUPLE);
    case TT_OP_EMPTY_LIST:
    case TT_OP_EMPTY_SET:
        return push_kind(m, TT_NODE_LIST);
    case TT_OP_EMPTY_DICT:
        return push_kind(m, TT_NODE_DICT);
    case TT_OP_TUPLE1:
    case TT_OP_TUPLE2:
    case TT_OP_TUPLE3:
        return tuple_of_few(m, (size_t)(op - TT_OP_TUPLE1 + 1));
    case TT_OP_TUPLE:
    case TT_OP_FROZENSET:
        return tuple(m);
    case TT_OP_APPEND:
        return add_one(m, 1, TT_NODE_LIST);
    case TT_OP_APPENDS:
    case TT_OP_ADDITEMS:
        return add_many(m, TT_NODE_LIST);
    case TT_OP_SETITEM:
        return add_one(m, 2, TT_NODE_DICT);
    case TT_OP_SETITEMS:
        return add_many(m, TT_NODE_DICT);
    case TT_OP_BINPUT:
    case TT_OP_LONG_BINPUT:
    case TT_OP_BINGET:
    case TT_OP_LONG_BINGET:
        return memo(m, op);
    case TT_OP_MEMOIZE:
        return put(m, m->memo_count);
    case TT_OP_GLOBAL:
        return global_of_lines(m);
    case TT_OP_STACK_GLOBAL:
        return global(m);
    case TT_OP_BINPERSID:
        return persistent(m);
    case TT_OP_REDUCE:
        return construct(m, TT_NODE_CALL);
    case TT_OP_NEWOBJ:
        return construct(m, TT_NODE_OBJECT);
    case TT_OP_BUILD:
        return build(m);
    default:
        return BAD(m, TT_ERR_UNSUPPORTED, "pickle: the instruction 0x%02x, which no weight file needs", op);
    }
}

static tt_status begin(machine *m)
{
    uint8_t op, protocol;
    m->at = m->c->at;
    if (!tt_cursor_u8(m->c, &op) || !tt_cursor_u8(m->c, &protocol))
        return cut_short(m);
    if (op != TT_OP_PROTO)
        return DAMAGED(m, "does not begin as one of protocol 2 or later");
    if (protocol < 2 || protocol > 5)
        return BAD(m, TT_ERR_UNSUPPORTED, "pickle: of protocol %d, known are 2 to 5", protocol);
    /* what the numbers of nodes and links begin behind */
    tt_status st = grow(m, &m->p->nodes, &m->p->node_room, 1, sizeof *m->p->nodes);
    if (!st)
        st = grow(m, &m->p->links, &m->p->link_room, 1, sizeof *m->p->links);
    m->p->node_count = m->p->link_count = 1;
    return st;
}

static tt_status run(machine *m)
{
    tt_status st = begin(m);
    for (size_t steps = 0; !st; steps++) {
        uint8_t op;
        m->at = m->c->at;
        if (!tt_cursor_u8(m->c, &op))
            return cut_short(m);
        if (op == TT_OP_STOP)
            break;
        if (steps >= MAX_STEPS)
            return DAMAGED(m, "more instructions than any weight file has");
        if (m->at > UINT32_MAX)
            return DAMAGED(m, "longer than any weight file's");
        st = step(m, op);
    }
    if (st)
        return st;
    if (m->depth != 1 || m->mark_count)
        return DAMAGED(m, "ends with other than one value");
    m->p->root = m->stack[0];
    return TT_OK;
}

tt_status tt_pickle_read(tt_pickle *p, tt_cursor *c, const char *label, tt_error *err)
{
    machine m = {.p = p, .c = c, .err = err};
    *p = (tt_pickle){.label = label};
    const tt_status st = run(&m);
    free(m.stack);
    free(m.memo);
    if (st)
        tt_pickle_clear(p);
    return st;
}

void tt_pickle_clear(tt_pickle *p)
{
    free(p->nodes);
    free(p->links);
    *p = (tt_pickle){0};
}
