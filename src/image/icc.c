#include "src/image/icc.h"

#include <lcms2.h>
#include <lcms2_plugin.h>
#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * lcms2 2.14 goes on with NULL in places where an allocation failed (its optimiser, its mutexes), and where it does
 * look, it answers the same for a bad profile. So its memory comes through functions that never come back with
 * less than was asked: they leave lcms2 altogether, and as they know every piece, all of it is given back.
 */
typedef struct piece {
    struct piece *before, *after;
    max_align_t bytes[];
} piece;

typedef struct lcms {
    cmsContext context;
    piece head; /* of the ring of all pieces */
    jmp_buf leave;
    bool armed;     /* leave is set */
    size_t refused; /* bytes that could not be had */
} lcms;

enum { LCMS_MOST = 512 << 20 }; /* lcms2's own limit for one piece; more is asked for by damaged profiles only */

static void *refuse(lcms *l, size_t bytes)
{
    if (l->armed) {
        l->refused = bytes;
        l->armed = false;
        longjmp(l->leave, 1);
    }
    return NULL;
}

/* Into the ring: a new piece, or one that moved. */
static void *link_piece(lcms *l, piece *p)
{
    p->before = &l->head;
    p->after = l->head.after;
    p->before->after = p->after->before = p;
    return p->bytes;
}

static piece *unlink_piece(void *bytes)
{
    piece *p = (piece *)((char *)bytes - offsetof(piece, bytes));
    p->before->after = p->after;
    p->after->before = p->before;
    return p;
}

/* While the context is being made its user data is not there yet, nor is it told of a failure; but then lcms2
 * looks. */
static _Thread_local lcms *in_the_making;

static lcms *owner(cmsContext context)
{
    lcms *l = in_the_making;
    return l ? l : cmsGetContextUserData(context);
}

static void *lcms_malloc(cmsContext context, cmsUInt32Number bytes)
{
    lcms *l = owner(context);
    if (bytes > LCMS_MOST)
        return NULL;
    piece *p = malloc(sizeof *p + bytes);
    return p ? link_piece(l, p) : refuse(l, bytes);
}

static void lcms_free(cmsContext context, void *bytes)
{
    (void)context;
    if (bytes)
        free(unlink_piece(bytes));
}

static void *lcms_realloc(cmsContext context, void *bytes, cmsUInt32Number size)
{
    lcms *l = owner(context);
    if (!bytes)
        return lcms_malloc(context, size);
    if (size > LCMS_MOST)
        return NULL;
    piece *p = unlink_piece(bytes), *q = realloc(p, sizeof *q + size);
    if (q)
        return link_piece(l, q);
    link_piece(l, p);
    return refuse(l, size);
}

/*
 * No context here is seen by two threads, and lcms2 2.14 initialises a mutex without looking whether there was
 * memory for it. So it gets locks that are nothing.
 */
static void *no_mutex(cmsContext context)
{
    return context;
}

static void forget_mutex(cmsContext context, void *mutex)
{
    (void)context;
    (void)mutex;
}

static cmsBool lock_nothing(cmsContext context, void *mutex)
{
    (void)context;
    (void)mutex;
    return TRUE;
}

static void unlock_nothing(cmsContext context, void *mutex)
{
    (void)context;
    (void)mutex;
}

static void be_silent(cmsContext context, cmsUInt32Number code, const char *text)
{
    (void)context;
    (void)code;
    (void)text;
}

static void lcms_close(lcms *l)
{
    if (l->context)
        cmsDeleteContext(l->context);
    l->context = NULL;
    while (l->head.after && l->head.after != &l->head) /* after a refusal: what lcms2 had no chance to free */
        free(unlink_piece(l->head.after->bytes));
}

static tt_status lcms_open(lcms *l, tt_error *err)
{
    cmsPluginMutex mutex = {
        .base = {.Magic = cmsPluginMagicNumber, .ExpectedVersion = 2060, .Type = cmsPluginMutexSig},
        .CreateMutexPtr = no_mutex,
        .DestroyMutexPtr = forget_mutex,
        .LockMutexPtr = lock_nothing,
        .UnlockMutexPtr = unlock_nothing,
    };
    cmsPluginMemHandler memory = {
        .base = {.Magic = cmsPluginMagicNumber,
                 .ExpectedVersion = 2000,
                 .Type = cmsPluginMemHandlerSig,
                 .Next = &mutex.base},
        .MallocPtr = lcms_malloc,
        .FreePtr = lcms_free,
        .ReallocPtr = lcms_realloc,
    };
    *l = (lcms){0};
    l->head.before = l->head.after = &l->head;
    in_the_making = l;
    l->context = cmsCreateContext(&memory, l);
    in_the_making = NULL;
    if (!l->context) {
        lcms_close(l);
        return tt_fail_memory(err, 4096);
    }
    cmsSetLogErrorHandlerTHR(l->context, be_silent);
    return TT_OK;
}

/*
 * Do what calls lcms2: `work` is left in the middle where memory is refused, so it may own nothing but what lcms2
 * gave it. What is NULL in it is a bad profile's fault.
 */
static tt_status lcms_do(lcms *l, void (*work)(lcms *l, void *arg), void *arg, tt_error *err)
{
    if (setjmp(l->leave))
        return tt_fail_memory(err, l->refused);
    l->armed = true;
    work(l, arg);
    l->armed = false;
    return TT_OK;
}

static void close_profile(cmsHPROFILE p)
{
    if (p)
        cmsCloseProfile(p);
}

/* IEC 61966-2-1 */
static cmsToneCurve *srgb_curve(cmsContext context)
{
    static const double parameters[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    return cmsBuildParametricToneCurve(context, 4, parameters);
}

static cmsHPROFILE grey_profile(cmsContext context, cmsToneCurve *curve)
{
    return curve ? cmsCreateGrayProfileTHR(context, cmsD50_xyY(), curve) : NULL;
}

static cmsHPROFILE srgb_profile(cmsContext context, bool grey)
{
    if (!grey)
        return cmsCreate_sRGBProfileTHR(context);
    cmsToneCurve *curve = srgb_curve(context);
    const cmsHPROFILE p = grey_profile(context, curve);
    if (curve)
        cmsFreeToneCurve(curve);
    return p;
}

/* What a profile's header says: bytes, and whose samples. */
static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool header_says(const tt_blob *icc, const char space[4])
{
    return icc->size >= 132 && icc->size <= TT_ICC_MOST && be32(icc->data) >= 132 && be32(icc->data) <= icc->size &&
           !memcmp(icc->data + 36, "acsp", 4) && !memcmp(icc->data + 16, space, 4);
}

bool tt_icc_fits(const tt_blob *icc, int channels)
{
    return header_says(icc, channels < 3 ? "GRAY" : "RGB ");
}

static cmsUInt32Number pixel_format(const tt_image *img)
{
    const bool wide = img->depth == 16;
    switch (img->channels) {
    case 1:
        return wide ? TYPE_GRAY_16 : TYPE_GRAY_8;
    case 2:
        return wide ? TYPE_GRAYA_16 : TYPE_GRAYA_8;
    case 3:
        return wide ? TYPE_RGB_16 : TYPE_RGB_8;
    default:
        return wide ? TYPE_RGBA_16 : TYPE_RGBA_8;
    }
}

typedef struct checking {
    const tt_blob *icc;
    bool grey, good;
} checking;

/* a header proves little: the profile is good if colours can be computed with it */
static void check(lcms *l, void *arg)
{
    checking *c = arg;
    const cmsHPROFILE from = cmsOpenProfileFromMemTHR(l->context, c->icc->data, (cmsUInt32Number)c->icc->size);
    const cmsHPROFILE to = from ? srgb_profile(l->context, c->grey) : NULL;
    const cmsUInt32Number format = c->grey ? TYPE_GRAY_8 : TYPE_RGB_8;
    const cmsHTRANSFORM t = to ? cmsCreateTransformTHR(l->context, from, format, to, format,
                                                       INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_NOOPTIMIZE)
                               : NULL;
    c->good = t != NULL;
    if (t)
        cmsDeleteTransform(t);
    close_profile(to);
    close_profile(from);
}

tt_status tt_icc_check(tt_blob *icc, int channels, tt_error *err)
{
    if (!icc->size)
        return TT_OK;
    if (!tt_icc_fits(icc, channels)) {
        tt_blob_clear(icc);
        return TT_OK;
    }
    icc->size = be32(icc->data);
    lcms l;
    tt_status st = lcms_open(&l, err);
    if (st)
        return st;
    checking c = {.icc = icc, .grey = channels < 3};
    st = lcms_do(&l, check, &c, err);
    lcms_close(&l);
    if (!st && !c.good)
        tt_blob_clear(icc);
    return st;
}

struct tt_icc_cmyk {
    lcms l;
    const tt_blob *icc;      /* while the transform is made */
    cmsHTRANSFORM transform; /* NULL: naive */
    bool inverted;
};

static void make_cmyk(lcms *l, void *arg)
{
    tt_icc_cmyk *c = arg;
    const cmsHPROFILE from = cmsOpenProfileFromMemTHR(l->context, c->icc->data, (cmsUInt32Number)c->icc->size);
    const cmsHPROFILE to = from ? srgb_profile(l->context, false) : NULL;
    if (to)
        c->transform =
            cmsCreateTransformTHR(l->context, from, c->inverted ? TYPE_CMYK_8_REV : TYPE_CMYK_8, to, TYPE_RGB_8,
                                  INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_BLACKPOINTCOMPENSATION);
    close_profile(to);
    close_profile(from);
}

tt_status tt_icc_cmyk_new(tt_icc_cmyk **out, const tt_blob *icc, bool inverted, tt_error *err)
{
    *out = NULL;
    tt_icc_cmyk *c = calloc(1, sizeof *c);
    if (!c)
        return tt_fail_memory(err, sizeof *c);
    c->icc = icc;
    c->inverted = inverted;
    tt_status st = TT_OK;
    if (header_says(icc, "CMYK")) {
        st = lcms_open(&c->l, err);
        if (!st)
            st = lcms_do(&c->l, make_cmyk, c, err);
    }
    c->icc = NULL;
    if (st)
        tt_icc_cmyk_free(c);
    else
        *out = c;
    return st;
}

void tt_icc_cmyk_row(const tt_icc_cmyk *c, unsigned char *rgb, const unsigned char *cmyk, size_t pixels)
{
    enum { PIECE = 1 << 16 }; /* lcms2 counts in 32 bits */
    while (c->transform && pixels) {
        const size_t n = pixels < PIECE ? pixels : PIECE;
        cmsDoTransform(c->transform, cmyk, rgb, (cmsUInt32Number)n);
        cmyk += 4 * n;
        rgb += 3 * n;
        pixels -= n;
    }
    const unsigned flip = c->inverted ? 0 : 255;
    for (size_t i = 0; i < pixels; i++, cmyk += 4, rgb += 3)
        for (int k = 0; k < 3; k++)
            rgb[k] = (unsigned char)(((cmyk[k] ^ flip) * (cmyk[3] ^ flip) + 127) / 255);
}

void tt_icc_cmyk_free(tt_icc_cmyk *c)
{
    if (!c)
        return;
    if (c->transform)
        cmsDeleteTransform(c->transform);
    lcms_close(&c->l);
    free(c);
}

/* x and y of D65, and of the primaries of ITU-R BT.709, as libpng and everybody rounds them */
static const double srgb_chrm[8] = {0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06};

static bool has_chrm(const tt_image *img)
{
    return img->channels >= 3 && img->chrm[1] > 0;
}

/* Whether gamma and cHRM say anything but what a viewer assumes anyway. */
static bool says_something(const tt_image *img)
{
    if (img->srgb)
        return false;
    if (img->gamma > 0 && fabs(img->gamma - 1 / 2.2) > 0.002)
        return true;
    for (int i = 0; has_chrm(img) && i < 8; i++)
        if (fabs(img->chrm[i] - srgb_chrm[i]) > 0.001)
            return true;
    return false;
}

/* NULL: no memory, or numbers that make no colours. */
static cmsHPROFILE gamma_profile(cmsContext context, const tt_image *img)
{
    /* without gAMA, or with the ordinary one, the samples are meant as on an sRGB screen */
    const bool plain = !(img->gamma > 0) || fabs(img->gamma - 1 / 2.2) <= 0.002;
    cmsToneCurve *curve = plain ? srgb_curve(context) : cmsBuildGamma(context, 1 / img->gamma);
    cmsHPROFILE p = NULL;
    if (curve && img->channels < 3) {
        p = grey_profile(context, curve);
    } else if (curve) {
        const double *c = has_chrm(img) ? img->chrm : srgb_chrm;
        const cmsCIExyY white = {c[0], c[1], 1};
        const cmsCIExyYTRIPLE primaries = {{c[2], c[3], 1}, {c[4], c[5], 1}, {c[6], c[7], 1}};
        cmsToneCurve *const curves[3] = {curve, curve, curve};
        p = cmsCreateRGBProfileTHR(context, &white, &primaries, curves);
    }
    if (curve)
        cmsFreeToneCurve(curve);
    return p;
}

typedef struct saving {
    const tt_image *img;
    unsigned char *bytes; /* lcms2's, like the rest: to be copied */
    cmsUInt32Number size;
} saving;

static void save_gamma(lcms *l, void *arg)
{
    saving *s = arg;
    const cmsHPROFILE p = gamma_profile(l->context, s->img);
    if (p && cmsSaveProfileToMem(p, NULL, &s->size) && s->size) {
        s->bytes = lcms_malloc(l->context, s->size);
        if (s->bytes && !cmsSaveProfileToMem(p, s->bytes, &s->size))
            s->bytes = NULL;
    }
    close_profile(p);
}

tt_status tt_icc_from_gamma(tt_blob *icc, const tt_image *img, tt_error *err)
{
    tt_blob_clear(icc);
    if (!says_something(img))
        return TT_OK;
    lcms l;
    tt_status st = lcms_open(&l, err);
    if (st)
        return st;
    saving s = {.img = img};
    st = lcms_do(&l, save_gamma, &s, err);
    if (!st && s.bytes) {
        unsigned char *copy = malloc(s.size);
        if (copy)
            *icc = (tt_blob){memcpy(copy, s.bytes, s.size), s.size};
        else
            st = tt_fail_memory(err, s.size);
    }
    lcms_close(&l);
    return st;
}

struct tt_icc_rows {
    lcms l;
    const tt_image *img; /* while the transform is made */
    bool by_profile;
    cmsHTRANSFORM transform;
    size_t pixel_bytes;
};

static void make_rows(lcms *l, void *arg)
{
    tt_icc_rows *c = arg;
    const tt_image *img = c->img;
    const cmsHPROFILE from =
        c->by_profile ? cmsOpenProfileFromMemTHR(l->context, img->icc.data, (cmsUInt32Number)img->icc.size)
                      : gamma_profile(l->context, img);
    const cmsHPROFILE to = from ? srgb_profile(l->context, img->channels < 3) : NULL;
    const cmsUInt32Number format = pixel_format(img);
    /* its shortcut for grey is a table of evenly spaced points: five grey levels off in the shadows */
    const cmsUInt32Number exact = img->channels < 3 ? cmsFLAGS_NOOPTIMIZE : 0;
    if (to)
        c->transform = cmsCreateTransformTHR(l->context, from, format, to, format, INTENT_RELATIVE_COLORIMETRIC,
                                             cmsFLAGS_BLACKPOINTCOMPENSATION | cmsFLAGS_COPY_ALPHA | exact);
    close_profile(to);
    close_profile(from);
}

tt_status tt_icc_rows_new(tt_icc_rows **out, const tt_image *img, tt_error *err)
{
    const bool by_profile = tt_icc_fits(&img->icc, img->channels);
    *out = NULL;
    if (!by_profile && !says_something(img))
        return TT_OK;
    tt_icc_rows *c = calloc(1, sizeof *c);
    if (!c)
        return tt_fail_memory(err, sizeof *c);
    c->img = img;
    c->by_profile = by_profile;
    c->pixel_bytes = tt_image_pixel_bytes(img);
    tt_status st = lcms_open(&c->l, err);
    if (!st)
        st = lcms_do(&c->l, make_rows, c, err);
    if (!st && !c->transform)
        st = tt_fail(err, TT_ERR_FORMAT, "the picture's colour profile cannot be used");
    c->img = NULL;
    if (st)
        tt_icc_rows_free(c);
    else
        *out = c;
    return st;
}

void tt_icc_row(const tt_icc_rows *c, void *samples, size_t pixels)
{
    enum { PIECE = 1 << 16 }; /* lcms2 counts in 32 bits */
    unsigned char *p = samples;
    while (pixels) {
        const size_t n = pixels < PIECE ? pixels : PIECE;
        cmsDoTransform(c->transform, p, p, (cmsUInt32Number)n);
        p += n * c->pixel_bytes;
        pixels -= n;
    }
}

void tt_icc_rows_free(tt_icc_rows *c)
{
    if (!c)
        return;
    if (c->transform)
        cmsDeleteTransform(c->transform);
    lcms_close(&c->l);
    free(c);
}

void tt_icc_is_srgb(tt_image *img)
{
    tt_blob_clear(&img->icc);
    img->gamma = 0;
    memset(img->chrm, 0, sizeof img->chrm);
    img->srgb = true;
}

tt_status tt_icc_to_srgb(tt_image *img, tt_error *err)
{
    tt_icc_rows *c;
    const tt_status st = tt_icc_rows_new(&c, img, err);
    if (st)
        return st;
    const size_t row = (size_t)img->width * tt_image_pixel_bytes(img);
    for (int y = 0; c && y < img->height; y++)
        tt_icc_row(c, (char *)img->samples + (size_t)y * row, (size_t)img->width);
    tt_icc_rows_free(c);
    tt_icc_is_srgb(img);
    return TT_OK;
}
