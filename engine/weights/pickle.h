/*
 * A pickle (Python's object stream, protocols 2 to 5) read as data: the opcodes build a graph of inert nodes, and
 * nothing in it can be called, imported or executed. A global name is a node that holds two strings; what Python
 * would call is a node that says so. Opcodes that no weight file needs are refused.
 *
 *     {'conv.weight': _rebuild_tensor_v2(storage '0', 0, (64, 3, 3, 3), ...)}
 *
 *     DICT --items--> TEXT "conv.weight", CALL --of----> GLOBAL torch._utils / _rebuild_tensor_v2
 *                                              --args--> TUPLE --items--> PERSISTENT, INT 0, TUPLE ...
 *
 * The graph may share nodes and, through the memo, contain itself: whoever walks it counts depth and steps.
 */
#ifndef TT_ENGINE_WEIGHTS_PICKLE_H
#define TT_ENGINE_WEIGHTS_PICKLE_H

#include "engine/status.h"
#include "engine/weights/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TT_PICKLE_DEPTH = 64,        /* for whoever walks the graph */
    TT_PICKLE_NODES = 1 << 20,   /* made, also where they are thrown away again */
    TT_PICKLE_LINKS = 2 << 20,   /* items of all tuples, lists and dicts */
    TT_PICKLE_STRING = 64 << 10, /* bytes */
};

/* A node's number; 0 is none. */
typedef uint32_t tt_pickle_id;

typedef enum tt_node_kind {
    TT_NODE_NONE, TT_NODE_FALSE, TT_NODE_TRUE,
    TT_NODE_INT,        /* fits an int64 */
    TT_NODE_LONG,       /* does not: u.text, its bytes, little endian */
    TT_NODE_FLOAT,
    TT_NODE_TEXT,       /* whatever bytes: neither checked to be UTF-8 nor free of NUL */
    TT_NODE_BYTES,
    TT_NODE_TUPLE,      /* also a frozen set */
    TT_NODE_LIST,       /* also a set */
    TT_NODE_DICT,       /* also OrderedDict and defaultdict; items are key, value, key, value, ... */
    TT_NODE_GLOBAL,     /* a name of a module */
    TT_NODE_PERSISTENT, /* u.call.args: what names an object outside of the pickle */
    TT_NODE_CALL,       /* u.call.of was to be called with the tuple u.call.args */
    TT_NODE_OBJECT,     /* of class u.call.of, a GLOBAL or PERSISTENT */
} tt_node_kind;

typedef struct tt_pickle_node {
    uint8_t kind;
    bool storage;   /* a PERSISTENT ('storage', ...) stood somewhere in it when it was made or added to */
    uint32_t at;    /* of its opcode, counted as tt_cursor.at */
    uint32_t count; /* items (a dict's keys and values, both), bytes; the state of a CALL or OBJECT, a tt_pickle_id */
    union {
        int64_t number;
        double real;
        const unsigned char *text; /* borrowed from the pickle's bytes */
        struct {
            uint32_t first, last;
        } items; /* links */
        struct {
            tt_pickle_id of, args;
        } call;
        struct {
            tt_pickle_id module, name; /* TEXT */
        } global;
    } u;
} tt_pickle_node;

typedef struct tt_pickle_link {
    tt_pickle_id node;
    uint32_t next; /* 0 at the end */
} tt_pickle_link;

typedef struct tt_pickle {
    const char *label; /* borrowed; "FILE" or "FILE: RECORD", begins every sentence */
    tt_pickle_id root;
    tt_pickle_node *nodes; /* [0] is not used */
    size_t node_count, node_room;
    tt_pickle_link *links; /* [0] is not used */
    size_t link_count, link_room;
} tt_pickle;

/*
 * Read one pickle at *c, to its STOP and no further. *c must not lie beyond 4 GiB. The nodes borrow strings from
 * its bytes. TT_ERR_FORMAT with the byte, TT_ERR_UNSUPPORTED for an opcode or protocol that is none of ours,
 * TT_ERR_MEMORY. On failure *p is cleared.
 */
tt_status tt_pickle_read(tt_pickle *p, tt_cursor *c, const char *label, tt_error *err);
void tt_pickle_clear(tt_pickle *p); /* accepts zeros */

static inline const tt_pickle_node *tt_pickle_at(const tt_pickle *p, tt_pickle_id n)
{
    return &p->nodes[n];
}

/*
 * The first `most` items of a tuple, list or dict into items[]; returns how many there are in all, 0 for any
 * other kind.
 */
size_t tt_pickle_items(const tt_pickle *p, tt_pickle_id n, tt_pickle_id *items, size_t most);

/* Is it this text? */
bool tt_pickle_is(const tt_pickle *p, tt_pickle_id n, const char *text);
/* Is it the global of this module and name? */
bool tt_pickle_is_global(const tt_pickle *p, tt_pickle_id n, const char *module, const char *name);

/* The value of a dict's last entry with that key, or 0. */
tt_pickle_id tt_pickle_get(const tt_pickle *p, tt_pickle_id dict, const char *key);

/* What a node is, for messages: "a number", "an object of class 'vdsr.Net'"; written to `to`. */
void tt_pickle_describe(const tt_pickle *p, tt_pickle_id n, char *to, size_t size);

#endif
