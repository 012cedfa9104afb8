/*
 * How kernels are best cut for a device: a few ways are tried on a layer of 64 channels, and the fastest is kept in the
 * store, for this device, driver and program. Without that cut_for() in device.c guesses.
 */
#include "engine/cl/cl.h"

#include "engine/weights.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char tt_cl_source[];

/* ---- what is kept ------------------------------------------------------------------------------------- */

enum { SUM = 32, NUMBERS = 10, SIZE = SUM + NUMBERS * 4 + SUM };

static void key_of(const tt_cl *cl, const tt_cl_store *store, uint8_t key[SUM])
{
    const char *const parts[] = {"tintype opencl tune 3", store->version ? store->version : "", cl->info.platform,
                                 cl->info.name, cl->info.version, cl->info.driver, tt_cl_source};
    SHA2_CTX s;
    SHA256Init(&s);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        SHA256Update(&s, (const uint8_t *)parts[i], strlen(parts[i]) + 1);
    SHA256Final(key, &s);
}

static void name_of(const uint8_t key[SUM], char name[2 * SUM + 8])
{
    for (int i = 0; i < SUM; i++)
        snprintf(name + 2 * i, 3, "%02x", key[i]);
    memcpy(name + 2 * SUM, ".tuned", 7);
}

static void seal_of(const unsigned char *file, uint8_t sum[SUM])
{
    SHA2_CTX s;
    SHA256Init(&s);
    SHA256Update(&s, file, SIZE - SUM);
    SHA256Final(sum, &s);
}

static void list(const tt_cl_cut *c, int n[NUMBERS])
{
    const int all[NUMBERS] = {c->lanes, c->pixels, c->outputs, c->tile_x, c->tile_y, c->beside, c->group_x, c->group_y,
                              c->wino,   c->registers};
    memcpy(n, all, sizeof all);
}

/* Could kernels be cut so for this device? */
static bool sensible(const tt_cl_info *i, const tt_cl_cut *c)
{
    const int most = i->group > 1 << 16 ? 1 << 16 : (int)i->group;
    return (c->lanes == 4 || c->lanes == 8 || c->lanes == 16) && c->pixels >= 1 && c->pixels <= 16 && c->outputs >= 1 &&
           c->outputs <= 4 && c->tile_x >= 0 && c->tile_x <= 64 && c->tile_y >= 0 && c->tile_y <= 64 &&
           c->tile_x * c->tile_y <= most && !c->tile_x == !c->tile_y && c->beside >= 1 && c->beside <= most &&
           c->group_x >= 1 && c->group_y >= 1 && c->group_x <= most && c->group_y <= most / c->group_x &&
           (!c->wino || (c->wino == 1 && c->lanes == 4 && most >= TT_CL_WINO_ITEMS && i->local >= TT_CL_WINO_LOCAL)) &&
           (!c->registers || (c->registers >= 32 && c->registers <= 255 && tt_cl_is_nvidia(i)));
}

bool tt_cl_tuned(const tt_cl *cl, const tt_cl_store *store, tt_cl_cut *cut)
{
    uint8_t key[SUM], sum[SUM];
    char name[2 * SUM + 8];
    unsigned char *file = NULL;
    size_t size = 0;
    bool good = false;
    key_of(cl, store, key);
    name_of(key, name);
    if (store->get(store->user, name, &file, &size) && size == SIZE && !memcmp(file, key, SUM)) {
        seal_of(file, sum);
        int n[NUMBERS];
        for (int i = 0; i < NUMBERS; i++) {
            const unsigned char *p = file + SUM + 4 * i;
            n[i] = p[0] | p[1] << 8 | p[2] << 16;
        }
        const tt_cl_cut c = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]};
        good = !memcmp(sum, file + SIZE - SUM, SUM) && sensible(&cl->info, &c);
        if (good)
            *cut = c;
    }
    free(file);
    return good;
}

static void keep(const tt_cl *cl, const tt_cl_store *store, const tt_cl_cut *cut)
{
    unsigned char file[SIZE] = {0};
    char name[2 * SUM + 8];
    int n[NUMBERS];
    key_of(cl, store, file);
    name_of(file, name);
    list(cut, n);
    for (int i = 0; i < NUMBERS; i++)
        for (int b = 0; b < 4; b++)
            file[SUM + 4 * i + b] = (unsigned char)((unsigned)n[i] >> (8 * b));
    seal_of(file, file + SIZE - SUM);
    store->put(store->user, name, file, SIZE);
}

/* ---- the layer ---------------------------------------------------------------------------------------- */

enum { CHANNELS = 64, SIDE_CPU = 96, SIDE_GPU = 512 };

/* 3 -> 64 -> 64 -> 64 -> 3 channels, so that most of the work is what most networks' is. */
static tt_val describe(tt_build *b)
{
    tt_val x = tt_conv(b, tt_input(b, 3), "a", .act = TT_ACT_RELU);
    for (int i = 0; i < 4; i++)
        x = tt_conv(b, x, "b", .act = TT_ACT_RELU);
    return tt_conv(b, x, "c");
}

static tt_status layer(tt_graph **g, tt_net **net, tt_weights *w, unsigned char **bytes, float *values, tt_error *err)
{
    const tt_tensor_out t[] = {{.name = "a.weight", .rank = 4, .shape = {CHANNELS, 3, 3, 3}, .data = values},
                               {.name = "b.weight", .rank = 4, .shape = {CHANNELS, CHANNELS, 3, 3}, .data = values},
                               {.name = "c.weight", .rank = 4, .shape = {3, CHANNELS, 3, 3}, .data = values}};
    tt_kernels k;
    size_t size;
    tt_kernels_init(&k, 0);
    tt_status st = tt_safetensors_write(t, 3, NULL, bytes, &size, err);
    if (!st)
        st = tt_weights_open_memory(w, *bytes, size, "tune", err);
    if (!st) {
        tt_build *b = tt_build_new(w, NULL);
        st = b ? tt_build_finish(b, describe(b), g, err) : tt_fail_memory(err, 0);
    }
    return st ? st : tt_net_new(net, *g, &k, err);
}

/* The least seconds of a few runs. */
static tt_status timed(tt_cl *cl, const tt_net *net, const tt_graph *g, int side, float *picture, double *seconds,
                       double *flops, tt_error *err)
{
    tt_cl_net *n = NULL;
    tt_cl_plan *plan = NULL;
    tt_cl_plan_facts f;
    tt_status st = tt_cl_net_new(&n, cl, net, g, err);
    if (!st)
        st = tt_cl_plan_new(&plan, n, side, side, NULL, err);
    *seconds = 1e30;
    for (int i = 0; i < 4 && !st; i++) {
        const double began = tt_cl_now();
        st = tt_cl_plan_run(plan, picture, picture + 3 * side * side, NULL, err);
        const double took = tt_cl_now() - began;
        *seconds = took < *seconds ? took : *seconds;
    }
    if (!st) {
        tt_cl_plan_get_facts(plan, &f);
        *flops = f.flops;
    }
    tt_cl_plan_free(plan);
    tt_cl_net_free(n);
    return st;
}

/* ---- trying ------------------------------------------------------------------------------------------- */

static const tt_cl_cut for_gpus[] = {
    {4, 4, 4, 16, 8, 32, 32, 4, 0, 0}, {4, 4, 2, 16, 8, 32, 32, 4, 0, 0},  {4, 8, 2, 16, 8, 32, 32, 4, 0, 0},
    {4, 4, 4, 32, 4, 32, 32, 4, 0, 0}, {4, 4, 4, 8, 8, 32, 32, 2, 0, 0},   {4, 4, 4, 16, 16, 64, 32, 4, 0, 0},
    {4, 2, 4, 16, 8, 32, 32, 4, 0, 0}, {4, 4, 4, 0, 0, 32, 32, 4, 0, 0},   {4, 4, 2, 0, 0, 64, 64, 1, 0, 0},
};
static const tt_cl_cut for_cpus[] = {
    {16, 12, 2, 0, 0, 1, 64, 1, 0, 0}, {16, 8, 1, 0, 0, 1, 64, 1, 0, 0}, {16, 6, 4, 0, 0, 1, 64, 1, 0, 0},
    {8, 6, 2, 0, 0, 1, 64, 1, 0, 0},   {8, 4, 1, 0, 0, 1, 64, 1, 0, 0},  {4, 8, 1, 0, 0, 1, 64, 1, 0, 0},
};

static void tell_cut(const tt_cl_cut *c, double rate, char *to, size_t room)
{
    char tile[64] = "", registers[40] = "";
    if (c->tile_x)
        snprintf(tile, sizeof tile, ", tiles of %d x %d in local memory", c->tile_x, c->tile_y * c->pixels);
    if (c->registers)
        snprintf(registers, sizeof registers, ", %d registers an item", c->registers);
    snprintf(to, room, "%.1f GFLOP/s: %d channels in a block, %d pixels x %d blocks an item%s%s%s", 1e-9 * rate, c->lanes,
             c->pixels, c->outputs, tile, c->wino ? ", 3x3 by Winograd's F(4,3)" : "", registers);
}

/* What is tried, with what, and the best so far. */
typedef struct search {
    const tt_net *net;
    const tt_graph *graph;
    float *picture;
    const tt_cl_info *info;
    tt_cl_cut best;
    double least, flops; /* seconds of the best, and the work */
    void (*tell)(void *user, const char *line);
    void *user;
} search;

/* A device that is cut so. What cannot be done is told, and not chosen. */
static void try(search *s, const tt_cl_cut *cut)
{
    char line[300];
    double seconds = 0, flops = 0;
    tt_cl *tried = NULL;
    tt_error why = {0};
    if (!sensible(s->info, cut))
        return;
    tt_status bad = tt_cl_open_cut(&tried, s->info->id, cut, &why);
    if (!bad)
        bad = timed(tried, s->net, s->graph, s->info->kind == TT_CL_CPU ? SIDE_CPU : SIDE_GPU, s->picture, &seconds, &flops,
                    &why);
    tt_cl_free(tried);
    tell_cut(cut, bad ? 0 : flops / seconds, line, sizeof line);
    s->tell(s->user, bad ? why.text : line);
    if (bad || seconds >= s->least)
        return;
    s->least = seconds;
    s->flops = flops;
    s->best = *cut;
}

/* The direct convolutions first; then, with the best of them for all that is not done so, Winograd's. */
static tt_status try_all(search *s, tt_error *err)
{
    const bool cpu = s->info->kind == TT_CL_CPU;
    const tt_cl_cut *list_of = cpu ? for_cpus : for_gpus;
    const int count = cpu ? (int)(sizeof for_cpus / sizeof *for_cpus) : (int)(sizeof for_gpus / sizeof *for_gpus);
    s->least = 1e30;
    for (int i = 0; i < count; i++)
        try(s, &list_of[i]);
    tt_cl_cut cut = s->best;
    cut.wino = 1;
    for (int i = 0; i < 2 && s->least < 1e30; i++, cut.registers = TT_CL_TWO_GROUPS)
        try(s, &cut);
    return s->least < 1e30 ? TT_OK
                           : tt_fail(err, TT_ERR_UNSUPPORTED, "%s: no way of cutting the kernels works", s->info->name);
}

tt_status tt_cl_tune(const char *which, const tt_cl_options *o, void (*tell)(void *user, const char *line), void *user,
                     tt_error *err)
{
    const size_t numbers = CHANNELS * CHANNELS * 9, pixels = 6 * SIDE_GPU * SIDE_GPU;
    tt_graph *g = NULL;
    tt_net *net = NULL;
    tt_weights w = {0};
    unsigned char *bytes = NULL;
    float *values = malloc((numbers + pixels) * sizeof *values);
    for (size_t i = 0; values && i < numbers + pixels; i++)
        values[i] = (float)(i * 2654435761u % 1024) / 8192.0f - 0.0625f;
    tt_status st = values ? layer(&g, &net, &w, &bytes, values, err) : tt_fail_memory(err, numbers * sizeof *values);
    tt_cl *cl = NULL;
    if (!st)
        st = tt_cl_open(&cl, which, &(tt_cl_options){.untested = true, .memory = o->memory}, err);
    if (!st) {
        search s = {.net = net, .graph = g, .picture = values + numbers, .info = &cl->info, .tell = tell, .user = user};
        char line[300], kept[320];
        st = try_all(&s, err);
        if (!st && o->store)
            keep(cl, o->store, &s.best);
        if (!st) {
            tell_cut(&s.best, s.flops / s.least, line, sizeof line);
            snprintf(kept, sizeof kept, "%s %s", o->store ? "kept:" : "best:", line);
            tell(user, kept);
        }
    }
    tt_cl_free(cl);
    tt_net_free(net);
    tt_graph_free(g);
    tt_weights_clear(&w);
    free(bytes);
    free(values);
    return st;
}
