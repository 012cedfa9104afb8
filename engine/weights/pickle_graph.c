/* Looking at what pickle.c made. */
#include "engine/weights/pickle.h"

#include <stdio.h>
#include <string.h>

size_t tt_pickle_items(const tt_pickle *p, tt_pickle_id n, tt_pickle_id *items, size_t most)
{
    const tt_pickle_node *node = &p->nodes[n];
    if (node->kind != TT_NODE_TUPLE && node->kind != TT_NODE_LIST && node->kind != TT_NODE_DICT)
        return 0;
    uint32_t link = node->count ? node->u.items.first : 0;
    for (size_t i = 0; link && i < most; i++, link = p->links[link].next)
        items[i] = p->links[link].node;
    return node->count;
}

bool tt_pickle_is(const tt_pickle *p, tt_pickle_id n, const char *text)
{
    const tt_pickle_node *node = &p->nodes[n];
    return node->kind == TT_NODE_TEXT && node->count == strlen(text) &&
           !memcmp(node->u.text, text, node->count);
}

bool tt_pickle_is_global(const tt_pickle *p, tt_pickle_id n, const char *module, const char *name)
{
    const tt_pickle_node *node = &p->nodes[n];
    return node->kind == TT_NODE_GLOBAL && tt_pickle_is(p, node->u.global.module, module) &&
           tt_pickle_is(p, node->u.global.name, name);
}

tt_pickle_id tt_pickle_get(const tt_pickle *p, tt_pickle_id dict, const char *key)
{
    const tt_pickle_node *node = &p->nodes[dict];
    tt_pickle_id found = 0;
    if (node->kind != TT_NODE_DICT || !node->count)
        return 0;
    for (uint32_t link = node->u.items.first; link;) {
        const tt_pickle_link value = p->links[p->links[link].next]; /* they come in pairs */
        if (tt_pickle_is(p, p->links[link].node, key))
            found = value.node;
        link = value.next;
    }
    return found;
}

void tt_pickle_describe(const tt_pickle *p, tt_pickle_id n, char *to, size_t size)
{
    static const char *const words[] = {
        [TT_NODE_NONE] = "None",
        [TT_NODE_FALSE] = "False",
        [TT_NODE_TRUE] = "True",
        [TT_NODE_INT] = "a number",
        [TT_NODE_LONG] = "a number",
        [TT_NODE_FLOAT] = "a number",
        [TT_NODE_TEXT] = "a string",
        [TT_NODE_BYTES] = "bytes",
        [TT_NODE_TUPLE] = "a tuple",
        [TT_NODE_LIST] = "a list",
        [TT_NODE_DICT] = "a dict",
        [TT_NODE_GLOBAL] = "a class or function",
        [TT_NODE_CALL] = "something",
        [TT_NODE_OBJECT] = "an object",
        [TT_NODE_PERSISTENT] = "something stored apart",
    };
    const tt_pickle_node *node = &p->nodes[n];
    const tt_pickle_node *of = node;
    if (node->kind == TT_NODE_CALL || node->kind == TT_NODE_OBJECT)
        of = &p->nodes[node->u.call.of];
    /* ('module', class, file, source) stands for the class in old files */
    tt_pickle_id part[2];
    if (of->kind == TT_NODE_PERSISTENT && tt_pickle_items(p, of->u.call.args, part, 2) >= 2 &&
        tt_pickle_is(p, part[0], "module"))
        of = &p->nodes[part[1]];
    if (of->kind != TT_NODE_GLOBAL) {
        snprintf(to, size, "%s", words[node->kind]);
        return;
    }
    const tt_pickle_node *module = &p->nodes[of->u.global.module], *name = &p->nodes[of->u.global.name];
    const char *what = node->kind == TT_NODE_OBJECT ? "an object of class"
                       : node->kind == TT_NODE_CALL ? "a result of"
                                                    : "the class or function";
    snprintf(to, size, "%s '%.*s.%.*s'", what, (int)(module->count < 80 ? module->count : 80),
             (const char *)module->u.text, (int)(name->count < 80 ? name->count : 80),
             (const char *)name->u.text);
}
