/*
 * The networks: one file a paper in this folder, one line each in models/models.c.
 * Architecture and every hyper-parameter come from tensor names and shapes.
 */
#ifndef TT_MODELS_MODELS_H
#define TT_MODELS_MODELS_H

#include "engine/build.h"
#include "engine/status.h"
#include "engine/weights.h"

typedef enum tt_planes {
    TT_PLANES_RGB,  /* as many planes as the network takes: 3 RGB, 1 luma */
    TT_PLANES_LUMA, /* one plane: Y of the picture, MATLAB's (16..235 of 255); chroma goes another way */
} tt_planes;

/* What a network of one plane, of model.planes RGB, is given of a picture in colour. */
typedef enum tt_grey {
    TT_GREY_LUMA,   /* luma, full range; chroma goes another way */
    TT_GREY_MATLAB, /* MATLAB's luma, 16..235 of 255; chroma likewise */
    TT_GREY_EACH,   /* red, green and blue, one after the other */
} tt_grey;

/* What a build finds out beyond the graph: filled by build(), zeros are the usual values. */
typedef struct tt_traits {
    char variant[96];  /* for people: "9-5-5", "RRDBNet x4, 64 features, 23 blocks" */
    int enlarge_first; /* 1: works at the output's size, the picture is enlarged by bicubic before (SRCNN,
                          VDSR) */
    int border;        /* input pixels the network eats on each side; the picture is extended by replicate */
    int multiple;      /* width and height must be multiples of it, border included (0: 1) */
    int mirrored;      /* 1: a picture is extended right and below even where it is a multiple already, by 1 to
                          `multiple` pixels, mirrored with the edge pixel repeated (SwinIR's script) */
    tt_grey grey;
    int least;         /* the smallest side, border included (0: 1) */
    int block; /* not 0: global pooling inside, so the result depends on the block; a picture is cut into
                  squares of this many input pixels, border included, whatever the memory */
    int colours; /* 1: paints a square of a grey picture, ImageNet-normalised on both sides; tt_colorize() alone knows
                    what to do with it (src/colorize.h) */
} tt_traits;

enum { TT_LAYOUTS = 4 };

typedef struct tt_model {
    const char *name;  /* "esrgan" */
    const char *title; /* "ESRGAN / Real-ESRGAN (RRDBNet)" */
    const char *paper; /* "Wang et al., ESRGAN, 2018" */
    /* Each layout of tensor names, without ".weight" and ".bias", '#' for a number: "conv_first body.#.rdb#.conv#".
     * Only for the sentence that says what comes closest to a file of no network. */
    const char *names[TT_LAYOUTS];
    tt_planes planes;
    /* Do the names in the file look like this network's? Names only; build() checks the rest. */
    bool (*match)(const tt_weights *w);
    tt_val (*build)(tt_build *b, tt_traits *t);
    /*
     * Or NULL: gives weights that came in another program's file (models/foreign.h) this network's names. Leaves
     * alone what is not of this network; build() and the check of the file's graph say what is wrong with the rest.
     */
    tt_status (*adopt)(tt_weights *w, tt_error *err);
} tt_model;

extern const tt_model *const tt_models[]; /* ends with NULL */

/*
 * Give weights from files of other programs (ncnn, MATLAB, waifu2x JSON) the published names, and note what their
 * coming from there says. Call it once on every file that was opened; most are left as they are.
 */
tt_status tt_model_adopt(tt_weights *w, tt_error *err);

/*
 * Find the network a file holds and describe it. TT_ERR_UNSUPPORTED when no network matches (the sentence
 * says what was found), TT_ERR_FORMAT when one matches and the shapes do not fit, or the file itself says what is
 * computed (ncnn) and that is something else.
 * settings as in tt_build_new().
 */
tt_status tt_model_build(const tt_weights *w, const char *const *settings, const tt_model **model,
                         tt_traits *traits, tt_graph **graph, tt_error *err);

#endif
