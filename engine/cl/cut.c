/*
 * How kernels are cut for a device that nobody has tuned for. What is here for NVIDIA was measured (bench/NOTES.md); the
 * others are what their registers and local memory suggest, and `tintype bench --tune` finds out.
 */
#include "engine/cl/cl.h"

#include <ctype.h>
#include <string.h>

bool tt_cl_has_in_it(const char *text, const char *part)
{
    const size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n)
            return true;
    }
    return false;
}

bool tt_cl_is_nvidia(const tt_cl_info *i)
{
    return tt_cl_has_in_it(i->platform, "NVIDIA");
}

/* CPUs: wide vectors, many pixels an item, no local memory, which there is memory like any other. */
static const tt_cl_cut for_cpus = {.lanes = 16, .pixels = 12, .outputs = 2, .beside = 1, .group_x = 64, .group_y = 1};
/* GPUs: enough registers for 32 sums of a direct convolution, and for the 96 of Winograd's. */
static const tt_cl_cut for_gpus = {.lanes = 4, .pixels = 4, .outputs = 2, .tile_x = 16, .tile_y = 8, .beside = 32,
                                   .group_x = 32, .group_y = 4, .wino = 1};
/* Those with few registers an item and little local memory: phones, small boards. */
static const tt_cl_cut for_small = {.lanes = 4, .pixels = 2, .outputs = 2, .tile_x = 8, .tile_y = 8, .beside = 16,
                                    .group_x = 16, .group_y = 4};

/* By a word in the name of the platform or the device; the first that fits. */
static const struct {
    const char *word;
    const tt_cl_cut *cut;
    bool wino;
} known[] = {
    {"NVIDIA", &for_gpus, true},      {"AMD", &for_gpus, true},         {"Radeon", &for_gpus, true},
    {"Intel", &for_gpus, false}, /* 64 floats an item */                {"Apple", &for_gpus, true},
    {"Mali", &for_small, false},      {"ARM Platform", &for_small, false}, {"Adreno", &for_small, false},
    {"QUALCOMM", &for_small, false},  {"PowerVR", &for_small, false},   {"VideoCore", &for_small, false},
};

static tt_cl_cut by_name(const tt_cl_info *i)
{
    for (size_t n = 0; n < sizeof known / sizeof *known; n++)
        if (tt_cl_has_in_it(i->platform, known[n].word) || tt_cl_has_in_it(i->name, known[n].word)) {
            tt_cl_cut c = *known[n].cut;
            c.wino = known[n].wino;
            c.registers = tt_cl_is_nvidia(i) ? TT_CL_TWO_GROUPS : 0;
            return c;
        }
    tt_cl_cut c = for_gpus; /* who knows what it is: what any of them can do */
    c.wino = 0;
    return c;
}

/* No larger groups and no more local memory than the device gives. */
static void fit(const tt_cl_info *i, tt_cl_cut *c)
{
    const uint64_t patch = (uint64_t)(c->tile_x + 2) * (uint64_t)(c->tile_y * c->pixels + 2) * (uint64_t)c->lanes * sizeof(float);
    if (c->tile_x && ((size_t)(c->tile_x * c->tile_y) > i->group || patch > i->local))
        c->tile_x = c->tile_y = 0;
    while (c->group_y > 1 && (size_t)(c->group_x * c->group_y) > i->group)
        c->group_y /= 2;
    while (c->group_x > 1 && (size_t)c->group_x > i->group)
        c->group_x /= 2;
    while (c->beside > 1 && (size_t)c->beside > i->group)
        c->beside /= 2;
    if (i->group < TT_CL_WINO_ITEMS || i->local < TT_CL_WINO_LOCAL)
        c->wino = 0;
}

tt_cl_cut tt_cl_cut_for(const tt_cl_info *i, int as)
{
    tt_cl_cut c = as == TT_CL_CUT_CPU     ? for_cpus
                  : as == TT_CL_CUT_GPU   ? for_gpus
                  : as == TT_CL_CUT_SMALL ? for_small
                  : i->kind == TT_CL_CPU  ? for_cpus
                                          : by_name(i);
    fit(i, &c);
    return c;
}
