/*
 * libtintype: enlarge and restore photographs with published neural networks. The one installed header.
 *
 * Every call that can fail returns a tt_status and takes a tt_error last (NULL is allowed), whose text is
 * one sentence naming the file and the fault. Nothing here prints, exits, changes the locale or installs a
 * signal handler. Handles are opaque; *_free() accepts NULL. Contexts are independent of each other; a
 * context is used by one thread at a time. Networks and images may be shared by all: what they are never changes.
 *
 *     tt_context *c; tt_network *n; tt_image *in, *out; tt_error e;
 *     if (tt_context_new(&c, NULL, &e) || tt_network_open(&n, NULL, NULL, &e) ||
 *         tt_image_load(&in, "old.jpg", &e) || tt_upscale(c, n, in, NULL, &out, &e) ||
 *         tt_image_save(out, "new.png", NULL, &e))
 *         fprintf(stderr, "%s\n", e.text);
 */
#ifndef TINTYPE_H
#define TINTYPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TT_VERSION "0.1.0"

#ifndef TT_STATUS_LIST
#define TT_STATUS_LIST
typedef enum tt_status {
    TT_OK = 0,
    TT_ERR_USAGE,       /* an argument that makes no sense */
    TT_ERR_INPUT,       /* a file that cannot be opened or read */
    TT_ERR_FORMAT,      /* data that is damaged or no such data */
    TT_ERR_UNSUPPORTED, /* sound data of a kind that is not handled */
    TT_ERR_OUTPUT,      /* a file that cannot be created */
    TT_ERR_MEMORY,      /* no memory, or more than the budget */
    TT_ERR_TEMPORARY,   /* disk full, interrupted by something that may pass */
    TT_ERR_NUMERIC,     /* not-a-number or infinite values where there must be none */
    TT_ERR_CANCELLED,   /* the caller asked to stop */
    TT_ERR_INTERNAL,    /* our own mistake */
} tt_status;
#endif

#ifndef TT_ERROR_TYPE
#define TT_ERROR_TYPE
typedef struct tt_error {
    tt_status status;
    char text[1024]; /* one sentence, no newline, unprintable bytes as \xNN */
} tt_error;
#endif

typedef struct tt_context tt_context; /* threads, memory budget, kernel table */
typedef struct tt_network tt_network; /* a described network with packed weights */
typedef struct tt_image tt_image;     /* pixels, colour profile and metadata */

const char *tt_version(void);
/* "damaged or unknown data", ...: what a status means */
const char *tt_status_text(tt_status s);

/* ---- context -------------------------------------------------------------------------------------- */

/* What lies in a device's memory between the layers of a network; weights are floats and sums are made in floats either way. */
typedef enum tt_precision {
    TT_FP32, /* floats of 32 bits */
    TT_FP16, /* of 16: half the memory, so larger tiles; levels of 255 may be off by one, seldom two. A device that fails its
              * self-test with them, and a network whose values turn out too large for them, have TT_FP32 from then on,
              * and `note` is told; so it is where the processor computes, which knows TT_FP32 only */
} tt_precision;

typedef struct tt_context_options {
    size_t size;     /* sizeof(tt_context_options): the struct may grow */
    int threads;     /* 0: all processors this process may use */
    uint64_t memory; /* bytes that work may take beside the program; 0: 60 % of RAM or of the cgroup's limit */
    /*
     * What computes, for networks opened by tt_network_open_for(). NULL, "cpu": the processor. "auto": a GPU with OpenCL
     * that passed its self-test, where there is one. "gpu", "opencl:0.1" (platform and device by number), or a part of a
     * device's name: that device.
     */
    const char *device;
    int device_only;          /* 1: what the device cannot do fails; 0: the processor does it, and `note` is told */
    uint64_t device_memory;   /* bytes of the device that may be used; 0: what is sensible */
    const char *device_cache; /* directory for compiled kernels; NULL: $XDG_CACHE_HOME/tintype or ~/.cache/tintype; "": none */
    void (*note)(void *user, const char *sentence); /* NULL, or: told when the processor takes over, and why */
    void *note_user;
    tt_precision precision;   /* of a device's maps */
} tt_context_options;
tt_status tt_context_new(tt_context **c, const tt_context_options *o, tt_error *err);
void tt_context_free(tt_context *c);
int tt_context_threads(const tt_context *c);
uint64_t tt_context_memory(const tt_context *c);
/* The name of the device that computes; NULL: the processor. As long as the context. */
const char *tt_context_device(const tt_context *c);
/* Ask the running tt_upscale(), tt_colorize() or tt_network_run() of this context to stop with TT_ERR_CANCELLED, which
 * then uses the wish up; where none runs, the next one stops. From any thread or a signal handler. */
void tt_context_cancel(tt_context *c);

/* ---- networks ------------------------------------------------------------------------------------- */

/*
 * path      a weight file (safetensors, .pth, ncnn, MATLAB 5, waifu2x JSON); NULL or "default": the network embedded
 *           in the library
 * settings  "key=value", ..., NULL for what no tensor says (see models/README.md); or NULL
 */
tt_status tt_network_open(tt_network **n, const char *path, const char *const *settings, tt_error *err);
/* The same, and its weights go to the context's device, if that has one; it is run there by whatever context. */
tt_status tt_network_open_for(tt_network **n, tt_context *c, const char *path, const char *const *settings, tt_error *err);
void tt_network_free(tt_network *n);

typedef struct tt_network_info {
    size_t size;          /* sizeof(tt_network_info), set by the caller */
    const char *name;     /* "esrgan"; lives as long as the network */
    const char *variant;  /* "RRDBNet x4, 64 features, 23 blocks" */
    int channels;         /* planes in: 3 RGB, 1 luma or grey */
    double scale;         /* output pixels for an input pixel; 1 for nets that work at the output's size */
    int receptive_field;  /* input pixels an output pixel depends on, one side of the square; 0: all */
    size_t parameters;
} tt_network_info;
tt_status tt_network_get_info(const tt_network *n, tt_network_info *info);

/*
 * Raw tensors: in [channels,h,w] to out [channels_out,out_h,out_w], planar floats. With in and out NULL
 * only the output's shape is computed. Exactly the published network: no padding, no clamp but its own.
 *
 * The network keeps what it planned for the last size, with the memory that took, so that the next run of the same size
 * and number of threads only computes; a run of another size, tt_upscale(), tt_colorize() and tt_network_free() give that
 * memory back. Several threads, each with a context of its own, may run one network at a time: one of them has the plan
 * that was kept, the others plan for themselves. Same bits either way. TT_ERR_MEMORY before the work when it would take
 * more than the context's budget.
 */
tt_status tt_network_run(tt_context *c, const tt_network *n, const float *in, int h, int w, float *out,
                         int *out_channels, int *out_h, int *out_w, tt_error *err);

/* ---- images --------------------------------------------------------------------------------------- */

/* PNG or JPEG by content; "-" is standard input. Orientation is applied; profile and metadata are kept. */
tt_status tt_image_load(tt_image **img, const char *path, tt_error *err);
/* Interleaved samples, copied: channels 1 grey, 2 grey+alpha, 3 RGB, 4 RGB+alpha; depth 8 or 16 bits. */
tt_status tt_image_new(tt_image **img, int width, int height, int channels, int depth, const void *samples,
                       tt_error *err);
void tt_image_free(tt_image *img);
int tt_image_width(const tt_image *img);
int tt_image_height(const tt_image *img);
int tt_image_channels(const tt_image *img);
int tt_image_depth(const tt_image *img);
const void *tt_image_samples(const tt_image *img); /* rows without gaps */

typedef struct tt_save_options {
    size_t size;
    const char *format; /* "png", "jpeg", NULL: by the path's ending */
    int jpeg_quality;   /* 1..100, 0: 95 */
    int overwrite;      /* replace an existing file (atomically); else TT_ERR_OUTPUT */
} tt_save_options;
/* The file appears whole or not at all. */
tt_status tt_image_save(const tt_image *img, const char *path, const tt_save_options *o, tt_error *err);

/* ---- enlarging ------------------------------------------------------------------------------------ */

typedef struct tt_upscale_options {
    size_t size;
    double scale;      /* any factor; 0: the network's own (2 for networks that need telling) */
    int width, height; /* exact size instead of scale (then 0); one of them 0: by the picture's shape */
    int tta;           /* mean of 8 flips and transposes */
    void (*progress)(void *user, double done); /* 0..1, on the calling thread */
    void *user;
} tt_upscale_options;
/*
 * The picture through the network, as often as the factor asked for needs, then reduced to it by an
 * antialiased bicubic. A result smaller than the picture is resampled only, unless the network works at
 * scale 1. Same bytes for any thread count and memory budget. TT_ERR_MEMORY when even the smallest tile is
 * over the budget, TT_ERR_NUMERIC when the network gives no numbers (then no picture is made).
 */
tt_status tt_upscale(tt_context *c, const tt_network *n, const tt_image *in, const tt_upscale_options *o,
                     tt_image **out, tt_error *err);

/* ---- colour --------------------------------------------------------------------------------------- */

typedef struct tt_colorize_options {
    size_t size;
    int render; /* the network sees a square of 16 times this, 1 to 128; 0: 35, or 21 for weights called video */
    void (*progress)(void *user, double done); /* 0..1, on the calling thread */
    void *user;
} tt_colorize_options;
/*
 * Colours for a picture by DeOldify's network: its luma stays, its own colours go. RGB of the same size, depth, alpha
 * and metadata. Same bytes for any thread count. TT_ERR_USAGE when the network does not colour pictures,
 * TT_ERR_MEMORY before the work when it would take more than the budget, TT_ERR_NUMERIC as above.
 */
tt_status tt_colorize(tt_context *c, const tt_network *n, const tt_image *in, const tt_colorize_options *o,
                      tt_image **out, tt_error *err);

/* ---- comparing ------------------------------------------------------------------------------------ */

typedef struct tt_compare_options {
    size_t size;
    int luma;   /* 1: on Y (ITU-R BT.601, 16..235) as the papers do; 0: on all colour channels */
    int border; /* pixels cut from each side first */
} tt_compare_options;
/* PSNR in dB (infinite for equal pictures) and SSIM (Wang et al. 2004, 11x11 Gaussian, sigma 1.5, valid;
 * not a number where a side is below 11). Alpha is left out, grey counts as equal channels. Sizes must
 * agree: TT_ERR_USAGE. */
tt_status tt_compare(const tt_image *a, const tt_image *b, const tt_compare_options *o, double *psnr, double *ssim,
                     tt_error *err);

#ifdef __cplusplus
}
#endif
#endif
