/* symbolic/special.h - the special functions of two variables that the KAN paper fits (its table 1),
 * from GSL, in SciPy's conventions.
 *
 *   name                      function                                      domain
 *   ellipj_sn, _cn, _dn(u,m)  Jacobi's elliptic functions, m = k^2          0 <= m <= 1
 *   ellipkinc, ellipeinc      elliptic integrals F(phi|m), E(phi|m)         0 <= m <= 1
 *   jv, yv, kv, iv(v,x)       Bessel functions of real degree v             0 <= v <= 50,
 *                                                                           0 <= x <= 280
 *   lpmv0, lpmv1, lpmv2(v,x)  Ferrers' functions P_v^m of real degree v,    |v| <= 1000,
 *                             m = 0, 1, 2, with the sign (-1)^m             |x| <= 1
 *   sph_harmMN(azimuth,polar) real part of Y_N^M for MN = 01,11,02,12,22    0 <= polar <= pi
 *
 * jv and iv of an integer degree also take -280 <= x < 0. A pole is an infinity, as in <math.h>.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_SYMBOLIC_SPECIAL_H
#define KAN_SYMBOLIC_SPECIAL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A special function of two variables. */
typedef struct kan_special {
    const char *name;    /* "ellipj_sn", "jv", "lpmv1", "sph_harm11", ..                              */
    const char *formula; /* one line for people                                                       */
    const char *arguments[2];
    double lo[2], hi[2]; /* the range used for data unless another is asked for                       */
    double (*eval)(double a, double b); /* NaN outside the domain; never calls GSL's error handler */
} kan_special;

/* All of them: an array of *n, static. */
const kan_special *kan_special_table(size_t *n);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
