/* PSNR and SSIM against plain loops, and two pictures side by side. */
#include "src/compare.h"
#include "tests/src/picture.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double value(const tt_image *img, int y, int x, int c)
{
    const int colours = img->channels > 2 ? 3 : 1;
    const int i = (y * img->width + x) * img->channels + (c < colours ? c : 0);
    return img->depth == 8 ? ((uint8_t *)img->samples)[i] / 255.0 : ((uint16_t *)img->samples)[i] / 65535.0;
}

static double plane(const tt_image *img, int y, int x, int c, bool luma)
{
    if (!luma)
        return value(img, y, x, c);
    return (65.481 * value(img, y, x, 0) + 128.553 * value(img, y, x, 1) + 24.966 * value(img, y, x, 2) + 16) / 255;
}

/* The formulas word for word. */
static void plain(const tt_image *a, const tt_image *b, bool luma, int border, double *psnr, double *ssim)
{
    const int planes = !luma && (a->channels > 2 || b->channels > 2) ? 3 : 1;
    const int x0 = border, x1 = a->width - border, y0 = border, y1 = a->height - border;
    double squares = 0, sum = 0, g[11][11], total = 0;
    for (int i = 0; i < 121; i++)
        total += g[i / 11][i % 11] = exp(-((i / 11 - 5) * (i / 11 - 5) + (i % 11 - 5) * (i % 11 - 5)) / 4.5);
    int n = 0;
    for (int c = 0; c < planes; c++) {
        for (int y = y0; y < y1; y++)
            for (int x = x0; x < x1; x++)
                squares += pow(plane(a, y, x, c, luma) - plane(b, y, x, c, luma), 2);
        for (int y = y0; y + 11 <= y1; y++)
            for (int x = x0; x + 11 <= x1; x++, n++) {
                double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
                for (int i = 0; i < 121; i++) {
                    const double w = g[i / 11][i % 11] / total;
                    const double p = plane(a, y + i / 11, x + i % 11, c, luma);
                    const double q = plane(b, y + i / 11, x + i % 11, c, luma);
                    ma += w * p;
                    mb += w * q;
                    aa += w * p * p;
                    bb += w * q * q;
                    ab += w * p * q;
                }
                sum += (2 * ma * mb + 1e-4) * (2 * (ab - ma * mb) + 9e-4) /
                       ((ma * ma + mb * mb + 1e-4) * (aa - ma * ma + bb - mb * mb + 9e-4));
            }
    }
    *psnr = -10 * log10(squares / planes / (x1 - x0) / (y1 - y0));
    *ssim = sum / n;
}

START_TEST(measures)
{
    static const int kinds[][4] = {{3, 8, 3, 8}, {3, 8, 3, 16}, {1, 8, 3, 8}, {4, 16, 2, 8}, {1, 16, 1, 16}};
    const int *k = kinds[_i];
    tt_image *a = pic_new(33, 27, k[0], k[1], 1), *b = pic_new(33, 27, k[2], k[3], 2);
    for (int luma = 0; luma < 2; luma++)
        for (int border = 0; border < 6; border += 5) {
            const tt_compare_options o = {.size = sizeof o, .luma = luma, .border = border};
            double psnr, ssim, want_psnr, want_ssim;
            ck_assert(!tt_compare(a, b, &o, &psnr, &ssim, NULL));
            plain(a, b, luma, border, &want_psnr, &want_ssim);
            ck_assert_double_eq_tol(psnr, want_psnr, 1e-4);
            ck_assert_double_eq_tol(ssim, want_ssim, 1e-5);
        }
    tt_image_free(a);
    tt_image_free(b);
}
END_TEST

START_TEST(alike_and_too_small)
{
    tt_image *a = pic_new(20, 20, 3, 8, 1), *small = pic_new(5, 20, 3, 8, 1);
    double psnr = 0, ssim = 0;
    ck_assert(!tt_compare(a, a, NULL, &psnr, &ssim, NULL));
    ck_assert(isinf(psnr) && psnr > 0);
    ck_assert_double_eq_tol(ssim, 1, 1e-12);
    ck_assert(!tt_compare(small, small, NULL, &psnr, &ssim, NULL));
    ck_assert(isinf(psnr) && isnan(ssim));
    ck_assert(!tt_compare(a, a, NULL, NULL, NULL, NULL));
    ck_assert_int_eq(tt_compare(a, small, NULL, &psnr, &ssim, NULL), TT_ERR_USAGE);
    tt_compare_options o = {.size = sizeof o, .border = 10};
    ck_assert_int_eq(tt_compare(a, a, &o, &psnr, &ssim, NULL), TT_ERR_USAGE);
    o.border = -1;
    ck_assert_int_eq(tt_compare(a, a, &o, &psnr, &ssim, NULL), TT_ERR_USAGE);
    tt_image_free(a);
    tt_image_free(small);
}
END_TEST

START_TEST(side_by_side)
{
    tt_image *a = pic_new(10, 7, 1, 8, 1), *b = pic_new(30, 21, 3, 16, 2), *out, *back;
    ck_assert(!tt_side_by_side(a, b, &out, NULL));
    ck_assert(out->height == 21 && out->channels == 3 && out->depth == 16 && out->width > 60 && out->width < 70);
    const int right = out->width - 30;
    for (int y = 0; y < 21; y++)
        ck_assert(!memcmp((uint16_t *)out->samples + (y * out->width + right) * 3, (uint16_t *)b->samples + y * 90,
                          90 * sizeof(uint16_t)));
    const uint16_t *line = (uint16_t *)out->samples + 3 * 30;
    ck_assert(line[0] == 65535 && line[1] == 65535 && line[2] == 65535);
    for (int i = 0; i < 30; i++) { /* grey in colour */
        const uint16_t *p = (uint16_t *)out->samples + 3 * i;
        ck_assert(p[0] == p[1] && p[1] == p[2]);
    }
    tt_image_free(out);
    tt_image *clear = pic_new(10, 7, 2, 8, 1);
    ck_assert(!tt_side_by_side(clear, a, &back, NULL));
    ck_assert(back->channels == 2 && back->depth == 8 && back->height == 7);
    for (int i = 0; i < 7 * 10; i++) {
        const uint8_t *l = (uint8_t *)back->samples + 2 * (i / 10 * back->width + i % 10);
        const uint8_t *r = l + 2 * (back->width - 10);
        ck_assert(!memcmp(l, (uint8_t *)clear->samples + 2 * i, 2));
        ck_assert(r[0] == ((uint8_t *)a->samples)[i] && r[1] == 255);
    }
    tt_image_free(back);
    tt_image_free(clear);
    tt_image_free(a);
    tt_image_free(b);
}
END_TEST

Suite *suite_src_compare(void);
Suite *suite_src_compare(void)
{
    Suite *s = suite_create("src/compare");
    TCase *t = tcase_create("compare");
    tcase_add_loop_test(t, measures, 0, 5);
    tcase_add_test(t, alike_and_too_small);
    tcase_add_test(t, side_by_side);
    suite_add_tcase(s, t);
    return s;
}
