/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include <gsl/gsl_mode.h>
#include <gsl/gsl_sf_bessel.h>
#include <gsl/gsl_sf_elljac.h>
#include <gsl/gsl_sf_ellint.h>
#include <gsl/gsl_sf_gamma.h>
#include <gsl/gsl_sf_psi.h>

static const double pi = 3.14159265358979323846;

/* GSL calls its error handler, which may end the process, for a bad argument and for an overflow or an
 * underflow alike. So every function here first sees to it that neither can happen. */

/* ---- elliptic functions and integrals ---------------------------------------------------- */

static bool elliptic_domain(double u, double m) {
    return isfinite(u) && m >= 0.0 && m <= 1.0;
}

static double ellipj_sn(double u, double m) {
    double sn = NAN, cn, dn;
    if (elliptic_domain(u, m)) gsl_sf_elljac_e(u, m, &sn, &cn, &dn);
    return sn;
}

static double ellipj_cn(double u, double m) {
    double sn, cn = NAN, dn;
    if (elliptic_domain(u, m)) gsl_sf_elljac_e(u, m, &sn, &cn, &dn);
    return cn;
}

static double ellipj_dn(double u, double m) {
    double sn, cn, dn = NAN;
    if (elliptic_domain(u, m)) gsl_sf_elljac_e(u, m, &sn, &cn, &dn);
    return dn;
}

static double carlson_rf(double x, double y) {
    gsl_sf_result result;
    gsl_sf_ellint_RF_e(x, y, 1.0, GSL_PREC_DOUBLE, &result);
    return result.val;
}

static double carlson_rd(double x, double y) {
    gsl_sf_result result;
    gsl_sf_ellint_RD_e(x, y, 1.0, GSL_PREC_DOUBLE, &result);
    return result.val;
}

/* The integrals over whole half periods, from 0 to j * pi + rest, |rest| <= pi/2, in Carlson's form
 * (DLMF 19.25.5 and 19.25.9), which takes m itself: with s = sin(rest), c = cos(rest),
 *     F = 2 j K(m) + s R_F(c^2, 1 - m s^2, 1)           K(m) = R_F(0, 1-m, 1)
 *     E = 2 j E(m) + s R_F(..) - m s^3 R_D(..) / 3      E(m) = R_F(0, 1-m, 1) - m R_D(0, 1-m, 1) / 3
 * and 1 - m s^2 = c^2 + (1-m) s^2, which loses no digits where m and s are near 1. */

static double ellipkinc(double phi, double m) {
    if (!elliptic_domain(phi, m)) return NAN;
    if (m == 1.0) return fabs(phi) < pi / 2 ? asinh(tan(phi)) : copysign(INFINITY, phi);
    const double j = floor(phi / pi + 0.5), rest = phi - j * pi, s = sin(rest), c = cos(rest);
    const double whole = j == 0.0 ? 0.0 : 2.0 * j * carlson_rf(0.0, 1.0 - m);
    return whole + s * carlson_rf(c * c, c * c + (1.0 - m) * s * s);
}

static double ellipeinc(double phi, double m) {
    if (!elliptic_domain(phi, m)) return NAN;
    const double j = floor(phi / pi + 0.5), rest = phi - j * pi, s = sin(rest), c = cos(rest);
    if (m == 1.0) return 2.0 * j + s;
    const double y0 = 1.0 - m, y = c * c + (1.0 - m) * s * s;
    const double whole = j == 0.0 ? 0.0 : 2.0 * j * (carlson_rf(0.0, y0) - m * carlson_rd(0.0, y0) / 3);
    return whole + s * carlson_rf(c * c, y) - m * s * s * s * carlson_rd(c * c, y) / 3;
}

/* ---- Bessel functions -------------------------------------------------------------------- */

/* Further out GSL goes over to expansions in 1/v: less exact, and NaN for I of degree 0. */
enum { MAX_BESSEL_DEGREE = 50, MAX_BESSEL_X = 280 };

static const double log_range = 690.0; /* exp(-log_range) and exp(log_range) are well inside a double */

static bool bessel_domain(double v, double x) {
    return v >= 0.0 && v <= MAX_BESSEL_DEGREE && x >= 0.0 && x <= MAX_BESSEL_X;
}

/* log( (x/2)^v / Gamma(v+1) ): J and I are about exp of it where x is small, K and -Y about exp of
 * minus it, over v. */
static double log_leading_term(double v, double x) {
    gsl_sf_result log_gamma;
    gsl_sf_lngamma_e(v + 1.0, &log_gamma);
    return v * log(x / 2.0) - log_gamma.val;
}

/* A function f_v that is regular at zero, where f_v(-x) = (-1)^v f_v(x) for an integer v. */
static double bessel_regular(int f(double, double, gsl_sf_result *), double v, double x) {
    double sign = 1.0;
    if (x < 0.0 && v == floor(v)) {
        if (fmod(v, 2.0) != 0.0) sign = -1.0;
        x = -x;
    }
    if (!bessel_domain(v, x)) return NAN;
    if (x == 0.0) return v == 0.0 ? 1.0 : 0.0;
    if (log_leading_term(v, x) < -log_range) return 0.0;
    gsl_sf_result result;
    f(v, x, &result);
    return sign * result.val;
}

/* A function that goes to `pole`, infinity or minus infinity, as x falls to zero. */
static double bessel_singular(int f(double, double, gsl_sf_result *), double v, double x, double pole) {
    if (!bessel_domain(v, x)) return NAN;
    if (x == 0.0 || -log_leading_term(v, x) > log_range) return pole;
    gsl_sf_result result;
    f(v, x, &result);
    return result.val;
}

static double jv(double v, double x) {
    return bessel_regular(gsl_sf_bessel_Jnu_e, v, x);
}

static double iv(double v, double x) {
    return bessel_regular(gsl_sf_bessel_Inu_e, v, x);
}

static double yv(double v, double x) {
    return bessel_singular(gsl_sf_bessel_Ynu_e, v, x, -INFINITY);
}

static double kv(double v, double x) {
    return bessel_singular(gsl_sf_bessel_Knu_e, v, x, INFINITY);
}

/* ---- Ferrers' functions of real degree --------------------------------------------------- */

enum {
    MAX_LEGENDRE_DEGREE = 1000,
    MAX_SERIES_DEGREE = 4, /* above it the terms of the series grow before they cancel */
    MAX_SERIES_TERMS = 90  /* the arguments z, w are at most 1/2, so the rest is below 2^-70 */
};

static double psi(double x) {
    gsl_sf_result result;
    gsl_sf_psi_e(x, &result);
    return result.val;
}

/* The m-th derivative of P_v at x >= 0, from P_v(x) = 2F1(-v, v+1; 1; z) with z = (1-x)/2:
 *
 *     (-1/2)^m sum_(k>=m) A_k k! / (k-m)! z^(k-m)      A_k = (-v)_k (v+1)_k / k!^2 */
static double legendre_near_one(size_t m, double v, double x) {
    const double z = (1.0 - x) / 2.0, half = -0.5;
    double term = 1.0, sum = 0.0;
    for (size_t i = 0; i < m; ++i) {
        const double k = (double)i;
        term *= half * (k - v) * (k + v + 1.0) / (k + 1.0);
    }
    for (size_t j = 0; j < MAX_SERIES_TERMS && term != 0.0; ++j) {
        const double k = (double)(m + j);
        sum += term;
        term *= (k - v) * (k + v + 1.0) / ((k + 1.0) * (double)(j + 1)) * z;
    }
    return sum;
}

/* The m-th derivative of P_v at -1 < x < 0 for a v that is no integer, with w = (1+x)/2:
 *
 *     P_v(x) = sum_k A_k w^k (S ln w + c_k)      S = sin(pi v) / pi,  A_k as above
 *     c_k = S (psi(k-v) + psi(k+v+1) - 2 psi(k+1))
 *
 * (DLMF 15.8.10). Below the pole of psi its reflection S psi(k-v) = S psi(v+1-k) + cos(pi v) keeps the
 * digits of a v near an integer. The derivatives of w^k (S ln w + c_k) are
 *     w^(k-1) (k (S ln w + c_k) + S)      w^(k-2) (k (k-1) (S ln w + c_k) + (2k-1) S) */
static double legendre_near_minus_one(size_t m, double v, double x) {
    const double w = (1.0 + x) / 2.0, nearest = nearbyint(v),
                 sign = fmod(nearest, 2.0) != 0.0 ? -1.0 : 1.0;
    const double S = sign * sin(pi * (v - nearest)) / pi, cosine = sign * cos(pi * (v - nearest));
    double a = 1.0, sum = 0.0; /* a = A_k w^(k-m) (1/2)^m */
    for (size_t i = 0; i < m; ++i) a *= 0.5 / w;

    for (size_t j = 0; j < MAX_SERIES_TERMS; ++j) {
        const double k = (double)j;
        const double reflected = k <= v ? S * psi(v + 1.0 - k) + cosine : S * psi(k - v);
        const double g = S * log(w) + reflected + S * (psi(k + v + 1.0) - 2.0 * psi(k + 1.0));
        const double term = m == 0 ? g : m == 1 ? k * g + S : k * (k - 1.0) * g + (2.0 * k - 1.0) * S;
        sum += a * term;
        if (k > v + 2.0 && fabs(a * term) < DBL_EPSILON / 16 * fabs(sum)) break;
        a *= (k - v) * (k + v + 1.0) / ((k + 1.0) * (k + 1.0)) * w;
    }
    return sum;
}

/* P_v^m(x) = (-1)^m (1-x^2)^(m/2) d^m P_v / dx^m for a degree that the series can do. */
static double legendre_series(size_t m, double v, double x) {
    const double slope = x < 0.0 ? legendre_near_minus_one(m, v, x) : legendre_near_one(m, v, x);
    const double s2 = (1.0 - x) * (1.0 + x);
    return m == 0 ? slope : m == 1 ? -sqrt(s2) * slope : s2 * slope;
}

/* P_v^m(x) for m <= 2. Higher degrees come by the recurrence, which is stable upwards for |x| < 1,
 *     (u-m+1) P_(u+1) = (2u+1) x P_u - (u+m) P_(u-1). */
static double lpmv(size_t m, double v, double x) {
    if (!(fabs(v) <= MAX_LEGENDRE_DEGREE && fabs(x) <= 1.0)) return NAN;
    if (v < -0.5) v = -1.0 - v; /* P_v = P_(-v-1) */
    double sign = 1.0;
    if (x < 0.0 && v == floor(v)) { /* P_n^m(-x) = (-1)^(n+m) P_n^m(x) */
        if (fmod(v + (double)m, 2.0) != 0.0) sign = -1.0;
        x = -x;
    }
    if (x == -1.0) return -copysign(INFINITY, fmod(floor(v), 2.0) == 0.0 ? 1.0 : -1.0);
    if (v < MAX_SERIES_DEGREE) return sign * legendre_series(m, v, x);

    const double mu = (double)m, steps = floor(v) - (MAX_SERIES_DEGREE - 1);
    double u = v - steps, below = legendre_series(m, u - 1.0, x), p = legendre_series(m, u, x);
    for (; u < v - 0.5; u += 1.0) {
        const double above = ((2.0 * u + 1.0) * x * p - (u + mu) * below) / (u - mu + 1.0);
        below = p;
        p = above;
    }
    return sign * p;
}

static double lpmv0(double v, double x) {
    return lpmv(0, v, x);
}

static double lpmv1(double v, double x) {
    return lpmv(1, v, x);
}

static double lpmv2(double v, double x) {
    return lpmv(2, v, x);
}

/* ---- spherical harmonics, real parts ----------------------------------------------------- */

static bool sphere_domain(double azimuth, double polar) {
    return isfinite(azimuth) && polar >= 0.0 && polar <= pi;
}

static double sph_harm01(double azimuth, double polar) {
    return sphere_domain(azimuth, polar) ? sqrt(3.0 / (4.0 * pi)) * cos(polar) : NAN;
}

static double sph_harm11(double azimuth, double polar) {
    return sphere_domain(azimuth, polar) ? -sqrt(3.0 / (8.0 * pi)) * sin(polar) * cos(azimuth) : NAN;
}

static double sph_harm02(double azimuth, double polar) {
    const double c = cos(polar);
    return sphere_domain(azimuth, polar) ? sqrt(5.0 / (16.0 * pi)) * (3.0 * c * c - 1.0) : NAN;
}

static double sph_harm12(double azimuth, double polar) {
    if (!sphere_domain(azimuth, polar)) return NAN;
    return -sqrt(15.0 / (8.0 * pi)) * sin(polar) * cos(polar) * cos(azimuth);
}

static double sph_harm22(double azimuth, double polar) {
    const double s = sin(polar);
    return sphere_domain(azimuth, polar) ? sqrt(15.0 / (32.0 * pi)) * s * s * cos(2.0 * azimuth) : NAN;
}

/* ---- the table --------------------------------------------------------------------------- */

#define TWO_PI 6.28318530717958647692
#define PI     3.14159265358979323846

static const kan_special table[] = {
    {"ellipj_sn", "Jacobi's sn(u|m)", {"u", "m"}, {-5, 0}, {5, 1}, ellipj_sn},
    {"ellipj_cn", "Jacobi's cn(u|m)", {"u", "m"}, {-5, 0}, {5, 1}, ellipj_cn},
    {"ellipj_dn", "Jacobi's dn(u|m)", {"u", "m"}, {-5, 0}, {5, 1}, ellipj_dn},
    {"ellipkinc", "elliptic integral F(phi|m)", {"phi", "m"}, {-1.5, 0}, {1.5, 0.99}, ellipkinc},
    {"ellipeinc", "elliptic integral E(phi|m)", {"phi", "m"}, {-1.5, 0}, {1.5, 0.99}, ellipeinc},
    {"jv", "Bessel function J_v(x)", {"v", "x"}, {0, 0}, {5, 20}, jv},
    {"yv", "Bessel function Y_v(x)", {"v", "x"}, {0, 0.1}, {5, 20}, yv},
    {"kv", "Bessel function K_v(x)", {"v", "x"}, {0, 0.1}, {5, 10}, kv},
    {"iv", "Bessel function I_v(x)", {"v", "x"}, {0, 0}, {5, 5}, iv},
    {"lpmv0", "Legendre function P_v(x)", {"v", "x"}, {0, -0.95}, {5, 0.99}, lpmv0},
    {"lpmv1", "associated Legendre function P_v^1(x)", {"v", "x"}, {0, -0.95}, {5, 0.99}, lpmv1},
    {"lpmv2", "associated Legendre function P_v^2(x)", {"v", "x"}, {0, -0.95}, {5, 0.99}, lpmv2},
    {"sph_harm01", "spherical harmonic Y_1^0", {"azimuth", "polar"}, {0, 0}, {TWO_PI, PI}, sph_harm01},
    {"sph_harm11", "real part of Y_1^1", {"azimuth", "polar"}, {0, 0}, {TWO_PI, PI}, sph_harm11},
    {"sph_harm02", "spherical harmonic Y_2^0", {"azimuth", "polar"}, {0, 0}, {TWO_PI, PI}, sph_harm02},
    {"sph_harm12", "real part of Y_2^1", {"azimuth", "polar"}, {0, 0}, {TWO_PI, PI}, sph_harm12},
    {"sph_harm22", "real part of Y_2^2", {"azimuth", "polar"}, {0, 0}, {TWO_PI, PI}, sph_harm22},
};

const kan_special *kan_special_table(size_t *n) {
    *n = sizeof table / sizeof *table;
    return table;
}
