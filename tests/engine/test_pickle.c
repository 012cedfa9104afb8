#include "engine/weights/pickle.h"

#include "engine/weights/pickle_ops.h"
#include "tests/engine/hostile.h"
#include "tests/engine/pth_write.h"
#include "tests/faults.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_engine_pickle(void);

/* ---- tools ---------------------------------------------------------------------------------------- */

static tt_status read_bytes(tt_pickle *p, const void *bytes, size_t n, tt_error *err)
{
    tt_cursor c = tt_cursor_init(bytes, n);
    memset(p, 0x55, sizeof *p); /* it must not look at what was there */
    memset(err, 0, sizeof *err);
    const tt_status st = tt_pickle_read(p, &c, "test", err);
    if (st) {
        ck_assert_int_eq(err->status, st);
        ck_assert_msg(st == TT_ERR_MEMORY || !strncmp(err->text, "test: byte ", 11), "%s", err->text);
        ck_assert(!p->nodes && !p->links && !p->root);
    }
    return st;
}

/* A node as text, to a small depth. */
static void show(const tt_pickle *p, tt_pickle_id n, int depth, pw_bytes *to)
{
    const tt_pickle_node *node = tt_pickle_at(p, n);
    static const char *const brackets[] = {
        [TT_NODE_TUPLE] = "()", [TT_NODE_LIST] = "[]", [TT_NODE_DICT] = "{}"};
    char text[64];
    int k = 0;
    ck_assert(n > 0 && n < p->node_count);
    if (depth > 6) {
        pw_put(to, "...", 3);
        return;
    }
    switch (node->kind) {
    case TT_NODE_NONE:
    case TT_NODE_TRUE:
    case TT_NODE_FALSE:
        tt_pickle_describe(p, n, text, sizeof text);
        k = (int)strlen(text);
        break;
    case TT_NODE_INT:
        k = snprintf(text, sizeof text, "%lld", (long long)node->u.number);
        break;
    case TT_NODE_FLOAT:
        k = snprintf(text, sizeof text, "%g", node->u.real);
        break;
    case TT_NODE_LONG:
        k = snprintf(text, sizeof text, "long%u", node->count);
        break;
    case TT_NODE_TEXT:
    case TT_NODE_BYTES:
        k = snprintf(text, sizeof text, "%s'%.*s'", node->kind == TT_NODE_BYTES ? "b" : "", (int)node->count,
                     (const char *)node->u.text);
        break;
    case TT_NODE_GLOBAL:
        pw_put(to, "@", 1);
        show(p, node->u.global.module, depth + 1, to);
        show(p, node->u.global.name, depth + 1, to);
        return;
    case TT_NODE_PERSISTENT:
        pw_put(to, "#", 1);
        show(p, node->u.call.args, depth + 1, to);
        return;
    case TT_NODE_CALL:
    case TT_NODE_OBJECT:
        pw_put(to, node->kind == TT_NODE_CALL ? "call " : "new ", node->kind == TT_NODE_CALL ? 5 : 4);
        show(p, node->u.call.of, depth + 1, to);
        show(p, node->u.call.args, depth + 1, to);
        if (node->count) {
            pw_put(to, "+", 1);
            show(p, node->count, depth + 1, to);
        }
        return;
    default: {
        tt_pickle_id items[64];
        const size_t count = tt_pickle_items(p, n, items, 64);
        pw_put(to, brackets[node->kind], 1);
        for (size_t i = 0; i < count && i < 64; i++) {
            if (i)
                pw_put(to, ",", 1);
            show(p, items[i], depth + 1, to);
        }
        pw_put(to, brackets[node->kind] + 1, 1);
        return;
    }
    }
    pw_put(to, text, (size_t)k);
}

static void means(const char *words, const char *wanted)
{
    pw_bytes b = pw_pickle(words), got = {0};
    tt_pickle p;
    tt_error err;
    ck_assert_msg(!read_bytes(&p, b.p, b.n, &err), "%s: %s", words, err.text);
    show(&p, p.root, 0, &got);
    pw_put(&got, "", 1);
    ck_assert_msg(!strcmp((char *)got.p, wanted), "%s: is %s, wanted %s", words, got.p, wanted);
    tt_pickle_clear(&p);
    free(b.p);
    free(got.p);
}

static void refused(const char *words, tt_status status, const char *reason)
{
    pw_bytes b = pw_pickle(words);
    tt_pickle p;
    tt_error err;
    const tt_status st = read_bytes(&p, b.p, b.n, &err);
    ck_assert_msg(st == status, "%s: status %d: %s", words, st, st ? err.text : "accepted");
    ck_assert_msg(strstr(err.text, reason), "%s: '%s' lacks '%s'", words, err.text, reason);
    tt_pickle_clear(&p);
    free(b.p);
}

static void survives(const unsigned char *bytes, size_t size, const char *what, void *arg)
{
    size_t *good = arg;
    tt_pickle p;
    tt_error err;
    (void)what;
    if (!read_bytes(&p, bytes, size, &err)) {
        pw_bytes text = {0};
        show(&p, p.root, 0, &text); /* every string can be read */
        free(text.p);
        tt_pickle_clear(&p);
        ++*good;
    }
}

/* ---- what opcodes mean ---------------------------------------------------------------------------- */

START_TEST(values)
{
    means("N", "None");
    means("True", "True");
    means("False", "False");
    means("x4b07", "7");
    means("x4bff", "255");
    means("x4dffff", "65535");
    means("x4a00000080", "-2147483648");
    means("x4affffff7f", "2147483647");
    means("x8a00", "0");
    means("x8a01ff", "-1");
    means("x8a0180", "-128");
    means("x8a02ff00", "255");
    means("x8a08ffffffffffffff7f", "9223372036854775807");
    means("x8a080000000000000080", "-9223372036854775808");
    means("x8a09000000000000000001", "long9");
    means("x473ff8000000000000", "1.5");
    means("x47c000000000000000", "-2");
    means("x5803000000616263", "'abc'");
    means("x5800000000", "''");
    means("x8c0161", "'a'");
    means("x550161", "'a'");
    means("x540100000061", "'a'");
    means("x430161", "b'a'");
    means("x420100000061", "b'a'");
    means("x8d010000000000000061", "'a'");
    means("x8e010000000000000061", "b'a'");
    means("x96010000000000000061", "b'a'");
    means("'a' 'b' 0", "'a'");
}
END_TEST

START_TEST(containers)
{
    means(")", "()");
    means("]", "[]");
    means("}", "{}");
    means("x8f", "[]");
    means("'a' x85", "('a')");
    means("'a' 'b' x86", "('a','b')");
    means("'a' 'b' 'c' x87", "('a','b','c')");
    means("( t", "()");
    means("( 1 2 3 4 t", "(1,2,3,4)");
    means("( 1 ( 2 ( t t ) t", "(1,(2,()),())");
    means("] 1 a 2 a", "[1,2]");
    means("] ( 1 2 e ( e ( 3 e", "[1,2,3]");
    means("x8f ( 1 2 x90", "[1,2]");
    means("( 1 2 x91", "(1,2)");
    means("} 'a' 1 s 'b' 2 s", "{'a',1,'b',2}");
    means("} ( 'a' 1 'b' 2 u ( u", "{'a',1,'b',2}");
    means("] q0 ( h0 'a' e", "[[[[[[[...,...],'a'],'a'],'a'],'a'],'a'],'a']"); /* contains itself */
}
END_TEST

START_TEST(memory)
{
    means("'a' q0 0 h0", "'a'");
    means("( 'a' q7 'b' q7 h7 t", "('a','b','b')");
    means("'a' x7210000000 0 x6a10000000", "'a'");
    means("'a' x94 'b' x94 0 0 ( h0 h1 t", "('a','b')");
    means("'a' q0 q0 x94 0 h1", "'a'"); /* MEMOIZE counts places, not calls */
    refused("h0", TT_ERR_FORMAT, "remembered as 0");
    refused("'a' q0 h1", TT_ERR_FORMAT, "remembered as 1");
    refused("'a' q0 x6a00010000", TT_ERR_FORMAT, "remembered as 256");
    refused("'a' q0 x6affffffff", TT_ERR_FORMAT, "remembered as 4294967295");
    refused("'a' x72ffffffff", TT_ERR_FORMAT, "beyond");
    refused("q0", TT_ERR_FORMAT, "without the values");
}
END_TEST

START_TEST(globals_and_calls)
{
    means("@os.system", "@'os''system'");
    means("@torch.nn.modules.conv.Conv2d", "@'torch.nn.modules.conv''Conv2d'");
    means("'os' 'system' x93", "@'os''system'");
    means("@os.system ( 'ls' t R", "call @'os''system'('ls')");
    means("@a.b ) x81", "new @'a''b'()");
    means("@a.b ) x81 } b", "new @'a''b'()+{}");
    means("@a.b ) R 1 b 2 b", "call @'a''b'()+2");
    means("@a.b ) R ) R", "call call @'a''b'()()");
    means("'x' Q", "#'x'");
    means("( 'module' @a.b t Q ) x81", "new #('module',@'a''b')()");
    /* known ones */
    means("@collections.OrderedDict ) R", "{}");
    means("@collections.OrderedDict ) R ( 'a' 1 u } b", "{'a',1}");
    means("@collections.OrderedDict ] ( ] ( 'a' 1 e ( 'b' 2 t e x85 R", "{'a',1,'b',2}");
    means("@collections.OrderedDict } 'a' 1 s x85 R", "{'a',1}");
    means("@collections.OrderedDict ) x81", "{}");
    means("@builtins.dict ) R", "{}");
    means("@collections.defaultdict @builtins.list x85 R 'a' 1 s", "{'a',1}");
    means("@builtins.set ] 'a' a x85 R", "['a']");
    means("@__builtin__.set ] x85 R", "[]");
    means("@torch.Size ( 1 2 t x85 R", "(1,2)");
    /* classes that are dicts and lists of their own keep nothing */
    means("@a.b ) R ( 'a' 1 u 'x' 2 s 3 a ( 4 e", "call @'a''b'()");
}
END_TEST

START_TEST(storages_are_seen)
{
    tt_pickle p;
    tt_error err;
    static const struct {
        const char *words;
        bool storage;
    } tries[] = {
        {"#Float:0:1", true},
        {"( 'module' 'x' t Q", false},
        {"( 1 #Float:0:1 t", true},
        {"] #Float:0:1 a", true},
        {"} 'a' #Float:0:1 s", true},
        {"} 'a' 1 s", false},
        {"@a.b #Float:0:1 x85 R", true},
        {"@a.b ) x81 } 'a' #Float:0:1 s b", true},
        {"@a.b ) R ( 'a' #Float:0:1 u", true},
        {"@a.b ) R", false},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        pw_bytes b = pw_pickle(tries[i].words);
        ck_assert_msg(!read_bytes(&p, b.p, b.n, &err), "%s", err.text);
        ck_assert_msg(tt_pickle_at(&p, p.root)->storage == tries[i].storage, "%s", tries[i].words);
        tt_pickle_clear(&p);
        free(b.p);
    }
}
END_TEST

START_TEST(looks_things_up)
{
    pw_bytes b = pw_pickle("} ( 'a' 1 'b' 2 'a' 3 7 4 u");
    tt_pickle p;
    tt_error err;
    tt_pickle_id items[3] = {0};
    ck_assert(!read_bytes(&p, b.p, b.n, &err));
    ck_assert_int_eq(tt_pickle_at(&p, tt_pickle_get(&p, p.root, "a"))->u.number, 3); /* the last one */
    ck_assert_int_eq(tt_pickle_at(&p, tt_pickle_get(&p, p.root, "b"))->u.number, 2);
    ck_assert_uint_eq(tt_pickle_get(&p, p.root, "c"), 0);
    ck_assert_uint_eq(tt_pickle_get(&p, 0, "a"), 0);
    ck_assert_uint_eq(tt_pickle_items(&p, p.root, items, 3), 8);
    ck_assert(tt_pickle_is(&p, items[0], "a") && !tt_pickle_is(&p, items[0], "ab") &&
              !tt_pickle_is(&p, items[1], "1"));
    ck_assert_uint_eq(tt_pickle_items(&p, items[0], items, 3), 0);
    tt_pickle_clear(&p);
    tt_pickle_clear(&p); /* zeros are accepted */
    free(b.p);
}
END_TEST

START_TEST(describes_things)
{
    static const char *const tries[][2] = {
        {"N", "None"},
        {"1", "a number"},
        {"'a'", "a string"},
        {"}", "a dict"},
        {"@a.b.C ) x81", "an object of class 'a.b.C'"},
        {"( 'module' @vdsr.Net 'f' 's' t Q ) x81", "an object of class 'vdsr.Net'"},
        {"@a.f ) R", "a result of 'a.f'"},
        {"@a.f ) R ) R", "something"},
        {"@a.f", "the class or function 'a.f'"},
        {"( 'storage' t Q", "something stored apart"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        pw_bytes b = pw_pickle(tries[i][0]);
        tt_pickle p;
        tt_error err;
        char what[256];
        ck_assert(!read_bytes(&p, b.p, b.n, &err));
        tt_pickle_describe(&p, p.root, what, sizeof what);
        ck_assert_str_eq(what, tries[i][1]);
        tt_pickle_describe(&p, p.root, what, 5);
        ck_assert_uint_lt(strlen(what), 5);
        tt_pickle_clear(&p);
        free(b.p);
    }
}
END_TEST

START_TEST(protocols_2_to_5)
{
    means("! x8002 1 .", "1");
    means("! x8003 1 .", "1");
    means("! x8004 x95ffffffffffffffff 1 .", "1"); /* a frame's length says nothing that matters */
    means("! x8005 1 .", "1");
    refused("! x8001 1 .", TT_ERR_UNSUPPORTED, "protocol 1");
    refused("! x8006 1 .", TT_ERR_UNSUPPORTED, "protocol 6");
    refused("! 1 .", TT_ERR_FORMAT, "byte 0: pickle: does not begin");
    refused("! x80", TT_ERR_FORMAT, "cut short");
    refused("! ", TT_ERR_FORMAT, "cut short");
}
END_TEST

START_TEST(stops_at_stop)
{
    tt_pickle p;
    tt_error err;
    tt_cursor c = tt_cursor_init("\x80\2N.\x80\2].x", 9);
    ck_assert(!tt_pickle_read(&p, &c, "test", &err));
    ck_assert_uint_eq(c.at, 4);
    tt_pickle_clear(&p);
    ck_assert(!tt_pickle_read(&p, &c, "test", &err));
    ck_assert_uint_eq(c.at, 8);
    ck_assert_uint_eq(c.left, 1);
    tt_pickle_clear(&p);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------------ */

START_TEST(unknown_opcodes)
{
    static const unsigned char known[] = {TT_OP_MARK,
                                          TT_OP_STOP,
                                          TT_OP_POP,
                                          TT_OP_BINBYTES,
                                          TT_OP_SHORT_BINBYTES,
                                          TT_OP_BINFLOAT,
                                          TT_OP_BININT,
                                          TT_OP_BININT1,
                                          TT_OP_BININT2,
                                          TT_OP_NONE,
                                          TT_OP_BINPERSID,
                                          TT_OP_REDUCE,
                                          TT_OP_BINSTRING,
                                          TT_OP_SHORT_BINSTRING,
                                          TT_OP_BINUNICODE,
                                          TT_OP_EMPTY_LIST,
                                          TT_OP_APPEND,
                                          TT_OP_BUILD,
                                          TT_OP_GLOBAL,
                                          TT_OP_APPENDS,
                                          TT_OP_BINGET,
                                          TT_OP_LONG_BINGET,
                                          TT_OP_BINPUT,
                                          TT_OP_LONG_BINPUT,
                                          TT_OP_SETITEM,
                                          TT_OP_TUPLE,
                                          TT_OP_SETITEMS,
                                          TT_OP_EMPTY_DICT,
                                          TT_OP_EMPTY_TUPLE,
                                          TT_OP_NEWOBJ,
                                          TT_OP_TUPLE1,
                                          TT_OP_TUPLE2,
                                          TT_OP_TUPLE3,
                                          TT_OP_NEWTRUE,
                                          TT_OP_NEWFALSE,
                                          TT_OP_LONG1,
                                          TT_OP_SHORT_BINUNICODE,
                                          TT_OP_EMPTY_SET,
                                          TT_OP_ADDITEMS,
                                          TT_OP_FROZENSET,
                                          TT_OP_STACK_GLOBAL,
                                          TT_OP_MEMOIZE,
                                          TT_OP_FRAME,
                                          TT_OP_BINUNICODE8,
                                          TT_OP_BINBYTES8,
                                          TT_OP_BYTEARRAY8};
    for (int op = 0; op < 256; op++) {
        const unsigned char bytes[] = {0x80, 2, (unsigned char)op};
        tt_pickle p;
        tt_error err;
        const tt_status st = read_bytes(&p, bytes, 3, &err);
        ck_assert(st);
        const bool is_known = memchr(known, op, sizeof known) != NULL;
        ck_assert_msg((st == TT_ERR_UNSUPPORTED) == !is_known, "0x%02x: %s", op, err.text);
        ck_assert(is_known || strstr(err.text, "byte 2: pickle: the instruction 0x"));
    }
}
END_TEST

START_TEST(values_of_the_wrong_kind)
{
    static const char *const empty[] = {"s",   "u",   "a",   "e",   "t",   "R",   "b",   "Q",  "x81",
                                        "x85", "x86", "x87", "x93", "x90", "x91", "x94", "q0", "0"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        char words[64];
        refused(empty[i], TT_ERR_FORMAT, "without the");
        snprintf(words, sizeof words, "} 'a' 1 1 ( %s", empty[i]); /* not what lies below a mark */
        pw_bytes b = pw_pickle(words);
        tt_pickle p;
        tt_error err;
        ck_assert_msg(read_bytes(&p, b.p, b.n, &err), "%s", words);
        free(b.p);
    }
    refused("1 'a' 2 s", TT_ERR_FORMAT, "a dict are to be added to a number");
    refused("] 'a' 2 s", TT_ERR_FORMAT, "a dict are to be added to a list");
    refused(") ( 'a' 2 u", TT_ERR_FORMAT, "a dict are to be added to a tuple");
    refused("} ( 'a' u", TT_ERR_FORMAT, "key without a value");
    refused("} 1 a", TT_ERR_FORMAT, "a list are to be added to a dict");
    refused("'a' ( 1 e", TT_ERR_FORMAT, "a list are to be added to a string");
    refused("( ( 1 e", TT_ERR_FORMAT, "nothing to add them to");
    refused("1 ( ( 1 e", TT_ERR_FORMAT, "nothing to add them to");
    refused("@a.b 1 R", TT_ERR_FORMAT, "arguments are not a tuple");
    refused("@a.b ] x81", TT_ERR_FORMAT, "arguments are not a tuple");
    refused("'a' ) R", TT_ERR_FORMAT, "neither a function nor a class");
    refused("} ) x81", TT_ERR_FORMAT, "neither a function nor a class");
    refused("1 } b", TT_ERR_FORMAT, "no object");
    refused("] } b", TT_ERR_FORMAT, "no object");
    refused("1 'a' x93", TT_ERR_FORMAT, "name is not a string");
    refused("'a' } x93", TT_ERR_FORMAT, "name is not a string");
    refused("@collections.OrderedDict 1 x85 R", TT_ERR_FORMAT, "list of pairs");
    refused("@collections.OrderedDict ] 1 a x85 R", TT_ERR_FORMAT, "list of pairs");
    refused("@collections.OrderedDict ] ( 1 2 3 t a x85 R", TT_ERR_FORMAT, "list of pairs");
    refused("@collections.OrderedDict ] } 'a' 1 s a x85 R", TT_ERR_FORMAT, "list of pairs");
    refused("", TT_ERR_FORMAT, "other than one value");
    refused("1 2", TT_ERR_FORMAT, "other than one value");
    refused("1 (", TT_ERR_FORMAT, "other than one value");
}
END_TEST

START_TEST(cut_short)
{
    static const char *const cut[] = {"x4b",
                                      "x4d01",
                                      "x4a010203",
                                      "x47000000",
                                      "x8a",
                                      "x8a0201",
                                      "x58010000",
                                      "x580100000",
                                      "x8c",
                                      "x8c0261",
                                      "x55",
                                      "x5502",
                                      "x5401000000",
                                      "x42ff000000",
                                      "x4305",
                                      "x8d01000000000000",
                                      "x9602000000000000000a",
                                      "x95000000",
                                      "x71",
                                      "x72000000",
                                      "x68",
                                      "x6a0000",
                                      "x6361",
                                      "x63610a62"};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        char words[64];
        snprintf(words, sizeof words, "! x8002 'a' %s", cut[i]);
        refused(words, TT_ERR_FORMAT, "cut short");
    }
    /* how long a string says it is costs nothing */
    refused("x8dffffffffffffffff", TT_ERR_FORMAT, "string of 18446744073709551615 bytes");
    refused("x58ffffffff", TT_ERR_FORMAT, "string of 4294967295 bytes");
    refused("x54ffffffff", TT_ERR_FORMAT, "string of 4294967295 bytes"); /* -1 */
    refused("x4201000100", TT_ERR_FORMAT, "string of 65537 bytes");
}
END_TEST

/* `n` times the same bytes between a head and STOP. */
static tt_status repeated(const char *head, const char *what, size_t n, const char *tail, tt_error *err)
{
    pw_bytes b = pw_pickle(head), w = pw_pickle(what), t = pw_pickle(tail);
    tt_pickle p;
    for (size_t i = 0; i < n; i++)
        pw_put(&b, w.p, w.n);
    pw_put(&b, t.p, t.n);
    const tt_status st = read_bytes(&p, b.p, b.n, err);
    ck_assert(p.node_count <= TT_PICKLE_NODES && p.link_count <= TT_PICKLE_LINKS);
    tt_pickle_clear(&p);
    free(b.p);
    free(w.p);
    free(t.p);
    return st;
}

START_TEST(limits)
{
    tt_error err;
    ck_assert(!repeated("! x8002 N", "! ( 0", 0, "! .", &err));
    ck_assert(!repeated("! x8002", "! N 0", TT_PICKLE_NODES - 2, "! N .", &err));
    ck_assert(repeated("! x8002", "! N 0", TT_PICKLE_NODES, "! N .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "more objects"), "%s", err.text);
    ck_assert(!repeated("! x8002 ] q0", "! h0 a", TT_PICKLE_LINKS - 1, "! .", &err));
    ck_assert(repeated("! x8002 ] q0", "! h0 a", TT_PICKLE_LINKS, "! .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "more items"), "%s", err.text);
    ck_assert(repeated("! x8002 (", "! (", 255, "! x94", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "without the values"), "%s", err.text);
    ck_assert(repeated("! x8002", "! (", 257, "! N .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "nested deeper"), "%s", err.text);
    ck_assert(repeated("! x8002 N q0", "! h0", 1 << 20, "! .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "more values at a time"), "%s", err.text);
    ck_assert(repeated("! x8002 N q0", "! h0 0", 8 << 20, "! .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "more instructions"), "%s", err.text);
    ck_assert(repeated("! x8002 'a' x63", "! x61", (64 << 10) + 1, "! x0a610a .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "name without an end"), "%s", err.text);
    ck_assert(!repeated("! x8002 x5800000100", "! x61", 64 << 10, "! .", &err));
    /* a list of pairs used again and again becomes no more than the limit */
    ck_assert(repeated("! x8002 ] ( ] ( 1 2 e ] ( 1 2 e ] ( 1 2 e e x85 q0 0 @collections.OrderedDict q1 0",
                       "! h1 h0 R 0", 400000, "! N .", &err) == TT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "more"), "%s", err.text);
}
END_TEST

/* Some of everything. */
static const char rich[] =
    "} q0 ( 'iter' x4b07 'big' x8a09000000000000000001 'f' x473ff8000000000000 'long' x8a0201ff 'py2' "
    "x550161 "
    "'b' x430162 'w' x4d0100 'd' x4a01000000 'n' N 'l' ] ( 1 True ) False e 'one' ] 1 a 'set' x8f ( 1 x90 "
    "'od' @collections.OrderedDict ] ( ] ( 'a' 1 e e x85 R } b 'ns' 'argparse' 'Namespace' x93 ) x81 } 'x' 1 "
    "s b "
    "'t' $Float:0:6:0:2x3:3x1 'p' @torch._utils._rebuild_parameter ( h0 True N t R 'size' @torch.Size 1 2 3 "
    "x87 "
    "x85 R x94 u 'last' ( 1 x91 s 'self' h0 s";

START_TEST(every_prefix)
{
    pw_bytes b = pw_pickle(rich);
    size_t good = 0;
    hostile_plain(b.p, b.n, "as it is", survives, &good);
    ck_assert_uint_eq(good, 1);
    hostile_prefixes(b.p, b.n, survives, &good);
    ck_assert_uint_eq(good, 1);
    free(b.p);
}
END_TEST

START_TEST(every_byte_changed)
{
    pw_bytes b = pw_pickle(rich);
    size_t good = 0;
    const size_t made = hostile_bits(b.p, b.n, 0, b.n, survives, &good);
    ck_assert_uint_eq(made, 10 * b.n);
    ck_assert(good > 0 && good < made);
    free(b.p);
}
END_TEST

START_TEST(no_memory)
{
    pw_bytes b = pw_pickle(rich);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        tt_status st;
        long k = 0;
        do {
            tt_pickle p;
            tt_error err = {0};
            tt_cursor c = tt_cursor_init(b.p, b.n);
            faults_fail(++k, for_ever);
            st = tt_pickle_read(&p, &c, "test", &err);
            const bool failed = faults_failed();
            faults_fail(0, 0);
            ck_assert_msg(st == (failed ? TT_ERR_MEMORY : TT_OK), "allocation %ld: %s", k, err.text);
            tt_pickle_clear(&p);
        } while (st);
        ck_assert_int_gt(k, 4);
    }
    free(b.p);
}
END_TEST

Suite *suite_engine_pickle(void)
{
    Suite *s = suite_create("engine/pickle");
    TCase *sound = tcase_create("sound"), *hostile = tcase_create("hostile");
    tcase_add_test(sound, values);
    tcase_add_test(sound, containers);
    tcase_add_test(sound, memory);
    tcase_add_test(sound, globals_and_calls);
    tcase_add_test(sound, storages_are_seen);
    tcase_add_test(sound, looks_things_up);
    tcase_add_test(sound, describes_things);
    tcase_add_test(sound, protocols_2_to_5);
    tcase_add_test(sound, stops_at_stop);
    suite_add_tcase(s, sound);
    tcase_set_timeout(hostile, 60); /* sanitizers are slow */
    tcase_add_test(hostile, unknown_opcodes);
    tcase_add_test(hostile, values_of_the_wrong_kind);
    tcase_add_test(hostile, cut_short);
    tcase_add_test(hostile, limits);
    tcase_add_test(hostile, every_prefix);
    tcase_add_test(hostile, every_byte_changed);
    tcase_add_test(hostile, no_memory);
    suite_add_tcase(s, hostile);
    return s;
}
