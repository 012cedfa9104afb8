/*
 * The points of the Winograd forms. With points p of which the last is infinity, row p of G is 1 p p^2 ..., divided by the
 * product of the differences between p and the others; row p of B^T has the coefficients of the product of (x - q) over the
 * other points q; column p of A^T is 1 p p^2 ... So they could be any; these lose the fewest digits.
 *
 * Six points, 0 +-5/8 +-3/2 infinity: rounding errors are half of those of 0 +-1 +-2 (64 channels, unit variance: 7.6e-7 of
 * the result's rms against 1.7e-6; the direct sum 1.6e-7). Eight points, 0 +-1/2 +-1 +-2 infinity: 3.3e-6; the best of all
 * triples from 1/4, 3/8 ... 5/2 that were tried.
 */
#ifndef TT_KERNELS_WINO_H
#define TT_KERNELS_WINO_H

#define TT_WINO6_A 0.625f
#define TT_WINO6_B 1.5f

#define TT_WINO8_A 0.5f
#define TT_WINO8_B 1.0f
#define TT_WINO8_C 2.0f

#define TT_SQUARE(p) ((p) * (p))

#endif
