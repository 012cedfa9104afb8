/* `tintype info --devices`: what OpenCL has on this machine, and whether it computes rightly. */
#include "src/cli.h"
#include "src/device.h"
#include "src/facts.h"
#include "src/progress.h"

#include <stdlib.h>

static const char *kind_name(tt_cl_kind k)
{
    return k == TT_CL_GPU ? "GPU" : k == TT_CL_CPU ? "CPU" : "accelerator";
}

static json_t *describe(const tt_device_state *s)
{
    const tt_cl_info *i = &s->info;
    json_t *o = json_pack("{so so ss so so so si si sI sI sI sb sb sb}", "device", tt_json_text(i->id), "name",
                          tt_json_text(i->name), "type", kind_name(i->kind), "platform", tt_json_text(i->platform),
                          "version", tt_json_text(i->version), "driver", tt_json_text(i->driver), "units",
                          (int)i->units, "megahertz", (int)i->megahertz, "memory_bytes", (json_int_t)i->memory,
                          "largest_buffer_bytes", (json_int_t)i->most_at_once, "local_bytes", (json_int_t)i->local,
                          "shares_memory", (int)i->unified, "self_test_passed", (int)s->works,
                          "fp16_self_test_passed", (int)s->halves_work);
    if (o && !s->works)
        json_object_set_new(o, "trouble", tt_json_text(s->why_not));
    if (o && s->works && !s->halves_work)
        json_object_set_new(o, "fp16_trouble", tt_json_text(s->why_no_halves));
    return o;
}

int tt_facts_devices(bool as_json)
{
    tt_device_state *list = NULL;
    const char *why = NULL;
    tt_error e = {0};
    int count = 0;
    const tt_status st = tt_device_list(&list, &count, &why, &e);
    if (st)
        tt_cli_complain(NULL, &e);
    else if (!count)
        tt_cli_note("no device besides the processor: %s", why ? why : "OpenCL has none");
    for (int i = 0; i < count && !st; i++) {
        json_t *o = describe(&list[i]);
        if (!o) {
            free(list);
            return TT_EXIT_TEMPORARY;
        }
        tt_facts_show(o, as_json, i + 1 < count);
    }
    free(list);
    return tt_exit_code(st);
}
