/* Weight files of published architectures, made in memory with seeded values. */
#include "bench/weights.h"
#include "engine/weights.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct making {
    tt_tensor_out *t;
    size_t count, room;
    bool failed;
} making;

static void tensor(making *m, const char *name, const char *suffix, int rank, size_t a, size_t b, size_t k)
{
    const size_t n = rank == 1 ? a : a * b * k * k;
    char *full = malloc(128);
    float *v = malloc(n * sizeof *v);
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 256;
        tt_tensor_out *more = realloc(m->t, m->room * sizeof *more);
        m->failed |= !more;
        m->t = more ? more : m->t;
    }
    if (m->failed || !full || !v) {
        m->failed = true;
        free(full);
        free(v);
        return;
    }
    snprintf(full, 128, "%s%s", name, suffix);
    uint32_t seed = (uint32_t)m->count + 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = ((float)(seed >> 8) / 8388608.0f - 1.0f) * 0.03f;
    }
    m->t[m->count++] = (tt_tensor_out){.name = full, .rank = rank, .shape = {a, b, k, k}, .data = v};
}

static void layer(making *m, const char *name, size_t out, size_t in)
{
    tensor(m, name, ".weight", 4, out, in, 3);
    tensor(m, name, ".bias", 1, out, 0, 0);
}

static unsigned char *write_file(making *m, size_t *size)
{
    unsigned char *bytes = NULL;
    if (!m->failed)
        (void)tt_safetensors_write(m->t, m->count, NULL, &bytes, size, NULL);
    for (size_t i = 0; i < m->count; i++) {
        free((void *)m->t[i].name);
        free((void *)m->t[i].data);
    }
    free(m->t);
    return bytes;
}

static void linear(making *m, const char *prefix, const char *name, size_t out, size_t in)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (in)
        tensor(m, full, ".weight", 2, out, in, 1);
    else
        tensor(m, full, ".weight", 1, out, 0, 0); /* a layer norm */
    tensor(m, full, ".bias", 1, out, 0, 0);
}

unsigned char *tt_bench_swinir(const tt_bench_network *s, size_t *size)
{
    const int stages = s->depth;
    const size_t c = (size_t)s->channels;
    making m = {0};
    char name[64];
    layer(&m, "conv_first", c, 3);
    linear(&m, "patch_embed.", "norm", c, 0);
    for (int j = 0; j < stages; j++) {
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof name, "layers.%d.residual_group.blocks.%d.", j, i);
            linear(&m, name, "norm1", c, 0);
            linear(&m, name, "attn.qkv", 3 * c, c);
            tensor(&m, name, "attn.relative_position_bias_table", 2, 225, 6, 1);
            linear(&m, name, "attn.proj", c, c);
            linear(&m, name, "norm2", c, 0);
            linear(&m, name, "mlp.fc1", 2 * c, c);
            linear(&m, name, "mlp.fc2", c, 2 * c);
        }
        snprintf(name, sizeof name, "layers.%d.conv", j);
        layer(&m, name, c, c);
    }
    linear(&m, "", "norm", c, 0);
    layer(&m, "conv_after_body", c, c);
    if (c == 60) {
        layer(&m, "upsample.0", 12, c);
        return write_file(&m, size);
    }
    layer(&m, "conv_before_upsample.0", 64, c);
    layer(&m, "upsample.0", 256, 64);
    layer(&m, "upsample.2", 256, 64);
    layer(&m, "conv_last", 3, 64);
    return write_file(&m, size);
}

unsigned char *tt_bench_rrdb(const tt_bench_network *s, size_t *size)
{
    making m = {0};
    char name[64];
    layer(&m, "conv_first", 64, 3);
    for (int b = 0; b < s->depth; b++)
        for (int r = 1; r <= 3; r++)
            for (int c = 1; c <= 5; c++) {
                snprintf(name, sizeof name, "body.%d.rdb%d.conv%d", b, r, c);
                layer(&m, name, c < 5 ? 32 : 64, 64 + 32 * (size_t)(c - 1));
            }
    static const char *const tail[] = {"conv_body", "conv_up1", "conv_up2", "conv_hr"};
    for (int i = 0; i < 4; i++)
        layer(&m, tail[i], 64, 64);
    layer(&m, "conv_last", 3, 64);
    return write_file(&m, size);
}

/* ---- networks without anything that repeats: their convolutions ------------------------------------------ */

typedef struct conv {
    const char *name;
    unsigned short first, second, k; /* the weight's shape [first,second,k,k] */
    unsigned short bias;             /* 0: as many as first; a transposed convolution has second */
} conv;

static const conv srcnn_955[] = {{"conv1", 64, 1, 9, 0}, {"conv2", 32, 64, 5, 0}, {"conv3", 1, 32, 5, 0}};

static const conv upconv_7[] = {
    {"net.0", 16, 3, 3, 0},   {"net.2", 32, 16, 3, 0},   {"net.4", 64, 32, 3, 0},   {"net.6", 128, 64, 3, 0},
    {"net.8", 128, 128, 3, 0}, {"net.10", 256, 128, 3, 0}, {"net.12", 256, 3, 4, 3},
};

static const conv upcunet[] = {
    {"unet1.conv1.conv.0", 32, 3, 3, 0},
    {"unet1.conv1.conv.2", 64, 32, 3, 0},
    {"unet1.conv1_down", 64, 64, 2, 0},
    {"unet1.conv2.conv.0", 128, 64, 3, 0},
    {"unet1.conv2.conv.2", 64, 128, 3, 0},
    {"unet1.conv2.seblock.conv1", 8, 64, 1, 0},
    {"unet1.conv2.seblock.conv2", 64, 8, 1, 0},
    {"unet1.conv2_up", 64, 64, 2, 0},
    {"unet1.conv3", 64, 64, 3, 0},
    {"unet1.conv_bottom", 64, 3, 4, 3},
    {"unet2.conv1.conv.0", 32, 3, 3, 0},
    {"unet2.conv1.conv.2", 64, 32, 3, 0},
    {"unet2.conv1_down", 64, 64, 2, 0},
    {"unet2.conv2.conv.0", 64, 64, 3, 0},
    {"unet2.conv2.conv.2", 128, 64, 3, 0},
    {"unet2.conv2.seblock.conv1", 16, 128, 1, 0},
    {"unet2.conv2.seblock.conv2", 128, 16, 1, 0},
    {"unet2.conv2_down", 128, 128, 2, 0},
    {"unet2.conv3.conv.0", 256, 128, 3, 0},
    {"unet2.conv3.conv.2", 128, 256, 3, 0},
    {"unet2.conv3.seblock.conv1", 16, 128, 1, 0},
    {"unet2.conv3.seblock.conv2", 128, 16, 1, 0},
    {"unet2.conv3_up", 128, 128, 2, 0},
    {"unet2.conv4.conv.0", 64, 128, 3, 0},
    {"unet2.conv4.conv.2", 64, 64, 3, 0},
    {"unet2.conv4.seblock.conv1", 8, 64, 1, 0},
    {"unet2.conv4.seblock.conv2", 64, 8, 1, 0},
    {"unet2.conv4_up", 64, 64, 2, 0},
    {"unet2.conv5", 64, 64, 3, 0},
    {"unet2.conv_bottom", 3, 64, 3, 0},
};

static unsigned char *list_file(const conv *c, size_t count, size_t *size)
{
    making m = {0};
    for (size_t i = 0; i < count; i++) {
        tensor(&m, c[i].name, ".weight", 4, c[i].first, c[i].second, c[i].k);
        tensor(&m, c[i].name, ".bias", 1, c[i].bias ? c[i].bias : c[i].first, 0, 0);
    }
    return write_file(&m, size);
}

#define LIST(network, convs)                                                                                 \
    unsigned char *tt_bench_##network(const tt_bench_network *s, size_t *size)                               \
    {                                                                                                        \
        (void)s;                                                                                             \
        return list_file(convs, sizeof convs / sizeof *convs, size);                                         \
    }
LIST(srcnn, srcnn_955)
LIST(upconv_7, upconv_7)
LIST(cunet, upcunet)

unsigned char *tt_bench_srvgg(const tt_bench_network *s, size_t *size)
{
    making m = {0};
    char name[32];
    layer(&m, "body.0", 64, 3);
    tensor(&m, "body.1", ".weight", 1, 64, 0, 0); /* PReLU */
    for (int i = 1; i <= s->depth; i++) {
        snprintf(name, sizeof name, "body.%d", 2 * i);
        layer(&m, name, 64, 64);
        snprintf(name, sizeof name, "body.%d", 2 * i + 1);
        tensor(&m, name, ".weight", 1, 64, 0, 0);
    }
    snprintf(name, sizeof name, "body.%d", 2 * s->depth + 2);
    layer(&m, name, 48, 64);
    return write_file(&m, size);
}
