/* The pickle machine alone: the graph it makes has no edge that leads out of it. */
#include "tests/fuzz/opcodes.h"

#include "engine/weights/pickle.h"
#include "tests/faults.h"

#include <stdlib.h>
#include <string.h>

/* Whatever a node refers to is a node. */
static void check_graph(const tt_pickle *p, const uint8_t *data, size_t size)
{
    FUZZ_CHECK(p->node_count <= TT_PICKLE_NODES && p->link_count <= TT_PICKLE_LINKS, "too much was made");
    FUZZ_CHECK(p->root && p->root < p->node_count, "root %u of %zu", p->root, p->node_count);
    for (tt_pickle_id i = 1; i < p->node_count; i++) {
        const tt_pickle_node *n = &p->nodes[i];
        char what[64];
        tt_pickle_id item[3];
        switch (n->kind) {
        case TT_NODE_LONG:
        case TT_NODE_TEXT:
        case TT_NODE_BYTES:
            FUZZ_CHECK(!n->count ||
                           (n->u.text >= data && n->count <= size && n->u.text <= data + size - n->count),
                       "node %u: text beyond the pickle", i);
            break;
        case TT_NODE_TUPLE:
        case TT_NODE_LIST:
        case TT_NODE_DICT: {
            size_t items = 0;
            for (uint32_t l = n->count ? n->u.items.first : 0; l; l = p->links[l].next, items++)
                FUZZ_CHECK(l < p->link_count && p->links[l].node < p->node_count && items <= n->count,
                           "node %u: link %u", i, l);
            FUZZ_CHECK(items == n->count && (n->kind != TT_NODE_DICT || items % 2 == 0), "node %u: %zu of %u",
                       i, items, n->count);
            FUZZ_CHECK(tt_pickle_items(p, i, item, 3) == items, "node %u: items", i);
            break;
        }
        case TT_NODE_GLOBAL:
            FUZZ_CHECK(n->u.global.module < p->node_count && n->u.global.name < p->node_count, "node %u", i);
            break;
        case TT_NODE_CALL:
        case TT_NODE_OBJECT:
            FUZZ_CHECK(n->u.call.of < p->node_count && n->count < p->node_count, "node %u", i);
            /* fall through */
        case TT_NODE_PERSISTENT:
            FUZZ_CHECK(n->u.call.args < p->node_count, "node %u", i);
            break;
        default:
            FUZZ_CHECK(n->kind <= TT_NODE_OBJECT, "node %u: kind %u", i, n->kind);
        }
        tt_pickle_describe(p, i, what, sizeof what);
        FUZZ_CHECK(memchr(what, 0, sizeof what) && *what, "node %u: no description", i);
        tt_pickle_get(p, i, "state_dict");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_status st[2];
    size_t read[2] = {0};
    tt_error err[2] = {{0}};
    long allocations = 0;
    for (int i = 0; i < 2; i++) {
        tt_pickle p;
        tt_cursor c = tt_cursor_init(data, size);
        memset(&p, 0x55, sizeof p);
        faults_allocations();
        if (i)
            faults_fail(fuzz_pick(data, size, allocations), size & 1);
        st[i] = tt_pickle_read(&p, &c, "test", &err[i]);
        faults_fail(0, 0);
        allocations = faults_allocations();
        read[i] = c.at;
        if (st[i])
            FUZZ_CHECK(!p.nodes && !p.links && strlen(err[i].text) > 10, "not cleared, or no sentence");
        else
            check_graph(&p, data, size);
        tt_pickle_clear(&p);
    }
    FUZZ_CHECK(st[1] == TT_ERR_MEMORY || (st[0] == st[1] && read[0] == read[1]), "%s; then %s", err[0].text,
               err[1].text);
    FUZZ_CHECK(st[0] != TT_ERR_MEMORY && st[0] != TT_ERR_INTERNAL, "%s", err[0].text);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    fuzz_random r = fuzz_seed(seed);
    fuzz_bytes out = {0};
    fuzz_mutate_pickle(&out, data, size, size, &r);
    return fuzz_give(&out, data, size, most);
}
