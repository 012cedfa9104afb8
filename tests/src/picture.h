/* Pictures, networks and the goldens of whole pictures, for the tests of src/. Everything checks itself. */
#ifndef TT_TESTS_SRC_PICTURE_H
#define TT_TESTS_SRC_PICTURE_H

#include "engine/weights.h"
#include "src/context.h"
#include "src/image/image.h"
#include "src/upscale.h"

/* A picture with smooth parts, edges and, with alpha, holes and rims. Free with tt_image_free(). */
tt_image *pic_new(int w, int h, int channels, int depth, unsigned seed);
/* Tensor [h,w,3] of bytes of an open golden file, as a picture. */
tt_image *pic_golden(const tt_weights *g, const char *name);
/* A context of so many threads and bytes (0: no limit to speak of). */
tt_context *pic_context(int threads, uint64_t memory);
/* The network of a golden file, "drivers/srvgg_x4/weights.safetensors"; setting may be NULL. */
tt_network *pic_network(const char *golden, const char *setting);
/* tt_upscale_report() that must succeed. */
tt_image *pic_upscale(tt_context *c, const tt_network *n, const tt_image *in, double scale, int tta, tt_report *r);
/* Are size, kind and samples the same? */
bool pic_same(const tt_image *a, const tt_image *b);

#endif
