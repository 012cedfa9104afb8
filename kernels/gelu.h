/*
 * GELU as x * P(x), P the normal distribution: P(x) = 1/2 + x * Q(s) for |x| < 5.4 with
 * s = 2 * (x / 5.4)^2 - 1, which runs from -1 to 1, and Q a polynomial; beyond, 0 or 1. The coefficients are
 * our own: (P(x) - 1/2) / x fitted to 400 Chebyshev nodes of s by a sum of Chebyshev polynomials up to degree
 * 16, written in powers of s.
 */
#ifndef TT_KERNELS_GELU_H
#define TT_KERNELS_GELU_H

#define TT_GELU_END 5.4f
#define TT_GELU_SQUARE 0.0685871f /* 2 / 5.4^2 */

/* the constant first */
static const float tt_gelu_q[] = {
    1.309281141e-01f, -6.532794237e-02f, 4.849984869e-02f, -3.921138868e-02f, 3.211292252e-02f,
    -2.569293603e-02f, 1.966087893e-02f, -1.423778757e-02f, 9.643085301e-03f, -5.996486172e-03f,
    3.561567282e-03f, -2.190206200e-03f, 1.125575160e-03f, -3.173326259e-04f, 1.551415771e-04f,
    -2.007674484e-04f, 8.030624304e-05f,
};
enum { TT_GELU_DEGREE = 16 };

#endif
