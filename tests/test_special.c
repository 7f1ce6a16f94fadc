/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_ellint.h>
#include <gsl/gsl_sf_legendre.h>

#include "core/random.h"
#include "symbolic/special.h"

static const double pi = 3.14159265358979323846;

static const kan_special *find(const char *name) {
    size_t n;
    const kan_special *table = kan_special_table(&n);
    for (size_t i = 0; i < n; ++i)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    cr_assert(false, "there is no function %s", name);
    return NULL;
}

static double eval(const char *name, double a, double b) {
    return find(name)->eval(a, b);
}

/* ---- against mpmath ---------------------------------------------------------------------- */

/* The tolerance is on |y - reference| / max(|reference|, 1e-3), the measure of the manifest: a few
 * epsilon for functions that keep their sign. One that goes through zero has an absolute error of a few
 * epsilon there, and so up to a thousand times as much in this measure. */
typedef struct reference {
    char name[16], file[24];
    size_t column; /* of the value */
    double tolerance;
} reference;

static reference references[] = {
    {"ellipj_sn", "ellipj", 2, 1e-12},
    {"ellipj_cn", "ellipj", 3, 1e-12},
    {"ellipj_dn", "ellipj", 4, 1e-14},
    {"ellipkinc", "ellipkinc", 2, 4e-15},
    {"ellipeinc", "ellipeinc", 2, 4e-15},
    {"jv", "jv", 2, 1e-12},
    {"yv", "yv", 2, 1e-12},
    {"kv", "kv", 2, 2e-14},
    {"iv", "iv", 2, 2e-14},
    {"lpmv0", "lpmv0", 2, 5e-12},
    {"lpmv1", "lpmv1", 2, 1e-12},
    {"lpmv2", "lpmv2", 2, 1e-12},
    {"lpmv0", "lpmv0_integer", 2, 1e-12},
    {"lpmv1", "lpmv1_integer", 2, 1e-12},
    {"lpmv2", "lpmv2_integer", 2, 1e-12},
    {"sph_harm01", "sph_harm_m0_n1", 2, 2e-15},
    {"sph_harm11", "sph_harm_m1_n1", 2, 2e-15},
    {"sph_harm02", "sph_harm_m0_n2", 2, 2e-13}, /* 3 c^2 - 1 cancels at its zero */
    {"sph_harm12", "sph_harm_m1_n2", 2, 2e-15},
    {"sph_harm22", "sph_harm_m2_n2", 2, 2e-15},
};

ParameterizedTestParameters(special, matches_mpmath)
{ return cr_make_param_array(reference, references, sizeof references / sizeof *references); }

ParameterizedTest(reference *r, special, matches_mpmath) {
    char path[512], line[1024];
    snprintf(path, sizeof path, KAN_SHARED "/data/reference/special/%s.csv", r->file);
    FILE *in = fopen(path, "r");
    if (!in) cr_skip_test("%s is not there", path);
    size_t rows = 0;
    double worst = 0.0;
    cr_assert(fgets(line, sizeof line, in) != NULL);
    for (; fgets(line, sizeof line, in); ++rows) {
        double cell[5] = {NAN, NAN, NAN, NAN, NAN};
        char *at = line;
        for (size_t c = 0; c < 5 && *at; ++c) {
            cell[c] = strtod(at, &at);
            if (*at == ',') ++at;
        }
        const double y = eval(r->name, cell[0], cell[1]), expected = cell[r->column];
        const double error = fabs(y - expected) / fmax(fabs(expected), 1e-3);
        cr_assert(error <= r->tolerance, "%s(%.17g, %.17g) = %.17g, not %.17g: %.1e", r->name, cell[0],
                  cell[1], y, expected, error);
        worst = fmax(worst, error);
    }
    fclose(in);
    cr_assert(eq(sz, rows, 500));
    cr_log_info("%s: worst error %.1e\n", r->file, worst);
}

Test(special, ranges_are_those_of_the_reference) {
    static const char path[] = KAN_SHARED "/data/reference/special/manifest.csv";
    char line[1024];
    FILE *in = fopen(path, "r");
    if (!in) cr_skip_test("%s is not there", path);
    size_t checked = 0;
    while (fgets(line, sizeof line, in))
        for (size_t j = 0; j < sizeof references / sizeof *references; ++j) {
            const size_t length = strlen(references[j].file);
            if (strncmp(line, references[j].file, length) != 0 || line[length] != '.') continue;
            if (strstr(references[j].file, "integer")) continue;
            const kan_special *s = find(references[j].name);
            char argument[2][32];
            double lo[2], hi[2];
            const char *rest = strchr(line, ',') + 1;
            cr_assert(eq(int,
                         sscanf(rest, "%31[^,],%lf,%lf,%31[^,],%lf,%lf", argument[0], &lo[0], &hi[0],
                                argument[1], &lo[1], &hi[1]),
                         6));
            for (size_t i = 0; i < 2; ++i) {
                cr_assert(strcmp(s->arguments[i], argument[i]) == 0, "%s", s->name);
                cr_assert(s->lo[i] == lo[i] && s->hi[i] == hi[i], "%s", s->name);
            }
            ++checked;
        }
    fclose(in);
    cr_assert(eq(sz, checked, 17));
}

/* ---- against closed forms and GSL's other functions -------------------------------------- */

/* Values of mpmath, 17 digits. */
Test(special, a_few_values) {
    cr_assert(epsilon_eq(dbl, eval("ellipj_sn", -5.0, 0.5), 9.1800818479024131e-1, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("ellipj_cn", -5.0, 0.5), -3.9656143617115137e-1, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("ellipj_dn", -5.0, 0.5), 7.6067764942126641e-1, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("ellipkinc", -1.5, 0.495), -1.750318699110146, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("ellipeinc", -1.5, 0.495), -1.3028053887669828, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("jv", 0.0, 10.0), -2.4593576445134834e-1, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("yv", 0.0, 0.1), -1.5342386513503667, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("kv", 0.0, 0.1), 2.4270690247020166, 1e-14));
    cr_assert(epsilon_eq(dbl, eval("iv", 0.0, 2.5), 3.289839144050123, 1e-14));
}

static void close_to(const char *name, double a, double b, double expected, double tolerance) {
    const double y = eval(name, a, b);
    cr_assert(fabs(y - expected) <= tolerance * fmax(1.0, fabs(expected)),
              "%s(%g, %g) = %.17g, not %.17g", name, a, b, y, expected);
}

Test(special, elliptic_functions_at_the_ends_of_the_parameter) {
    for (double u = -4.385; u < 5.0; u += 0.7317) {
        close_to("ellipj_sn", u, 0.0, sin(u), 1e-14);
        close_to("ellipj_cn", u, 0.0, cos(u), 1e-14);
        close_to("ellipj_dn", u, 0.0, 1.0, 1e-14);
        close_to("ellipj_sn", u, 1.0, tanh(u), 1e-14);
        close_to("ellipj_cn", u, 1.0, 1.0 / cosh(u), 1e-14);
        close_to("ellipj_dn", u, 1.0, 1.0 / cosh(u), 1e-14);
        close_to("ellipkinc", u, 0.0, u, 1e-14);
        close_to("ellipeinc", u, 0.0, u, 1e-14);
    }
    close_to("ellipkinc", 1.3, 1.0, asinh(tan(1.3)), 1e-14);
    close_to("ellipeinc", -1.3, 1.0, -sin(1.3), 1e-14);
    close_to("ellipeinc", 2.1, 1.0, 2.0 - sin(2.1), 1e-14);
    cr_assert(eq(dbl, eval("ellipkinc", 1.6, 1.0), INFINITY));
    cr_assert(eq(dbl, eval("ellipkinc", -1.6, 1.0), -INFINITY));
}

/* F and E grow by 2 K and 2 E(pi/2) with every half period; sn inverts F. */
Test(special, elliptic_integrals_beyond_a_quarter_period) {
    for (double m = 0.013; m < 1.0; m += 0.0979)
        for (double phi = -8.377; phi < 9.0; phi += 1.2391) {
            const double k = sqrt(m), half = floor(phi / pi + 0.5), rest = phi - half * pi;
            const double whole_f = 2.0 * half * gsl_sf_ellint_Kcomp(k, GSL_PREC_DOUBLE);
            const double whole_e = 2.0 * half * gsl_sf_ellint_Ecomp(k, GSL_PREC_DOUBLE);
            close_to("ellipkinc", phi, m, whole_f + gsl_sf_ellint_F(rest, k, GSL_PREC_DOUBLE), 4e-14);
            close_to("ellipeinc", phi, m, whole_e + gsl_sf_ellint_E(rest, k, GSL_PREC_DOUBLE), 4e-14);
            close_to("ellipj_sn", eval("ellipkinc", phi, m), m, sin(phi), 1e-12);
        }
}

/* Degree 1/2 is elementary (DLMF 10.16.1 and 10.39.1, 10.39.2). */
Test(special, bessel_functions_of_degree_one_half) {
    for (double x = 0.0713; x < 60.0; x *= 1.4331) {
        const double wave = sqrt(2.0 / (pi * x));
        close_to("jv", 0.5, x, wave * sin(x), 1e-14);
        close_to("yv", 0.5, x, -wave * cos(x), 1e-14);
        close_to("iv", 0.5, x, wave * sinh(x), 1e-13);
        close_to("kv", 0.5, x, sqrt(pi / (2.0 * x)) * exp(-x), 1e-14);
    }
}

/* J_(v+1) Y_v - J_v Y_(v+1) = 2 / (pi x), I_v K_(v+1) + I_(v+1) K_v = 1 / x (DLMF 10.5.2 and 10.28.2):
 * degrees and arguments beyond the reference files. */
Test(special, bessel_functions_have_their_wronskians) {
    for (double v = 0.0; v < 40.0; v += 3.237)
        for (double x = 2.385; x < 280.0; x *= 1.691) {
            const double a = eval("jv", v + 1.0, x) * eval("yv", v, x);
            const double b = eval("jv", v, x) * eval("yv", v + 1.0, x);
            const double c = eval("iv", v, x) * eval("kv", v + 1.0, x);
            const double d = eval("iv", v + 1.0, x) * eval("kv", v, x);
            const double size = fabs(a) + fabs(b);
            cr_assert(epsilon_eq(dbl, a - b, 2.0 / (pi * x), 1e-11 * size), "v = %g, x = %g", v, x);
            cr_assert(epsilon_eq(dbl, (c + d) * x, 1.0, 1e-12), "v = %g, x = %g", v, x);
        }
}

Test(special, bessel_functions_of_integer_degree_take_negative_arguments) {
    cr_assert(eq(dbl, eval("jv", 2.0, -3.7), eval("jv", 2.0, 3.7)));
    cr_assert(eq(dbl, eval("jv", 3.0, -3.7), -eval("jv", 3.0, 3.7)));
    cr_assert(eq(dbl, eval("iv", 1.0, -3.7), -eval("iv", 1.0, 3.7)));
    cr_assert(fabs(eval("jv", 3.0, 3.7)) > 0.1);
}

Test(special, legendre_functions_of_integer_degree_match_gsl) {
    static const char *names[] = {"lpmv0", "lpmv1", "lpmv2"};
    for (int m = 0; m <= 2; ++m)
        for (int n = m; n <= 60; ++n)
            for (double x = -1.0; x <= 1.0; x += 0.0625) {
                /* P_n^m is n^m large; upward recurrences lose about an epsilon a step. */
                const double expected = gsl_sf_legendre_Plm(n, m, x);
                const double y = eval(names[m], n, x), size = pow(n + 1.0, m);
                cr_assert(epsilon_eq(dbl, y, expected, 64 * DBL_EPSILON * (n + 1) * size), "%s(%d, %g)",
                          names[m], n, x);
            }
    cr_assert(eq(dbl, eval("lpmv1", 0.0, 0.3), 0.0));
    cr_assert(eq(dbl, eval("lpmv2", 1.0, -0.3), 0.0));
}

/* P_v of degree n + 1/2 from complete elliptic integrals, DLMF 14.5.20 and 14.5.21, then up by the
 * recurrence; P_v^1 and P_v^2 from it by DLMF 14.10.5 and 14.10.1. With x = cos(theta), k =
 * sin(theta/2):
 *     P_(-1/2) = (2/pi) K(k)    P_(1/2) = (2/pi) (2 E(k) - K(k)) */
Test(special, legendre_functions_of_half_integer_degree_match_elliptic_integrals) {
    for (double x = -0.9973; x < 1.0; x += 0.0713) {
        const double k = sqrt((1.0 - x) / 2.0), s = sqrt((1.0 - x) * (1.0 + x));
        const double K = gsl_sf_ellint_Kcomp(k, GSL_PREC_DOUBLE),
                     E = gsl_sf_ellint_Ecomp(k, GSL_PREC_DOUBLE);
        double p = 2.0 / pi * K, above = 2.0 / pi * (2.0 * E - K);
        for (double v = -0.5; v < 30.0; v += 1.0) {
            const double p1 = -(v + 1.0) * (x * p - above) / s;
            const double p2 = -2.0 * x / s * p1 - v * (v + 1.0) * p;
            /* An error of p goes into p1 times v/s, and into p2 times (v/s)^2. */
            const double error = 256 * DBL_EPSILON * (v + 1.5) * fmax(1.0, K), up = (v + 1.5) / s;
            cr_assert(epsilon_eq(dbl, eval("lpmv0", v, x), p, error), "v = %g, x = %g", v, x);
            cr_assert(epsilon_eq(dbl, eval("lpmv1", v, x), p1, error * up), "v = %g, x = %g", v, x);
            cr_assert(epsilon_eq(dbl, eval("lpmv2", v, x), p2, error * up * up), "v = %g, x = %g", v,
                      x);
            cr_assert(eq(dbl, eval("lpmv0", -1.0 - v, x), eval("lpmv0", v, x)));
            const double next = ((2.0 * v + 3.0) * x * above - (v + 1.0) * p) / (v + 2.0);
            p = above;
            above = next;
        }
    }
}

/* The two series, and the one of a degree close to an integer beside the integer's own formula, must
 * join: P_v^m changes by about 1e-9 |d P / d v| there. */
Test(special, legendre_functions_are_continuous) {
    static const char *names[] = {"lpmv0", "lpmv1", "lpmv2"};
    for (size_t m = 0; m <= 2; ++m)
        for (double v = 0.0; v <= 6.0; v += 0.5) {
            const double zero = eval(names[m], v, 0.0), below = eval(names[m], v, -1e-12);
            cr_assert(epsilon_eq(dbl, below, zero, 1e-9), "%s, v = %g at 0", names[m], v);
            for (double x = -0.8971; x < 1.0; x += 0.2137)
                cr_assert(epsilon_eq(dbl, eval(names[m], v + 1e-11, x), eval(names[m], v, x), 1e-7),
                          "%s, v = %g, x = %g", names[m], v, x);
        }
}

Test(special, spherical_harmonics_match_gsl) {
    static const char *names[] = {"sph_harm01", "sph_harm11", "sph_harm02", "sph_harm12", "sph_harm22"};
    static const int n[] = {1, 1, 2, 2, 2}, m[] = {0, 1, 0, 1, 2};
    for (size_t j = 0; j < 5; ++j)
        for (double polar = 0.0713; polar < pi; polar += 0.317)
            for (double azimuth = -1.3; azimuth < 7.0; azimuth += 0.771)
                close_to(names[j], azimuth, polar,
                         gsl_sf_legendre_sphPlm(n[j], m[j], cos(polar)) * cos(m[j] * azimuth), 4e-15);
}

/* ---- the edges of the domain ------------------------------------------------------------- */

Test(special, nan_outside_the_domain) {
    static const struct {
        const char *name;
        double a, b;
    } outside[] = {
        {"ellipj_sn", 1.0, -0.1}, {"ellipj_cn", 1.0, 1.1},   {"ellipj_dn", INFINITY, 0.5},
        {"ellipkinc", 0.5, 1.01}, {"ellipeinc", 0.5, -0.01}, {"jv", -0.5, 1.0},
        {"jv", 0.5, -1.0},        {"yv", 1.0, -1.0},         {"kv", 1.0, -0.1},
        {"iv", 51.0, 1.0},        {"iv", 1.0, 280.1},        {"lpmv0", 0.5, 1.1},
        {"lpmv1", 1e4, 0.5},      {"lpmv2", 0.5, -1.1},      {"sph_harm01", 1.0, -0.1},
        {"sph_harm22", 1.0, 3.2},
    };
    for (size_t j = 0; j < sizeof outside / sizeof *outside; ++j)
        cr_assert(isnan(eval(outside[j].name, outside[j].a, outside[j].b)), "%s", outside[j].name);
    size_t n;
    const kan_special *table = kan_special_table(&n);
    for (size_t i = 0; i < n; ++i) {
        cr_assert(isnan(table[i].eval(NAN, 0.5)), "%s", table[i].name);
        cr_assert(isnan(table[i].eval(0.5, NAN)), "%s", table[i].name);
    }
}

Test(special, poles_and_zeros_are_exact) {
    cr_assert(eq(dbl, eval("jv", 0.0, 0.0), 1.0));
    cr_assert(eq(dbl, eval("jv", 1.5, 0.0), 0.0));
    cr_assert(eq(dbl, eval("iv", 0.0, 0.0), 1.0));
    cr_assert(eq(dbl, eval("iv", 1.5, 0.0), 0.0));
    cr_assert(eq(dbl, eval("yv", 1.0, 0.0), -INFINITY));
    cr_assert(eq(dbl, eval("kv", 1.0, 0.0), INFINITY));
    cr_assert(eq(dbl, eval("kv", 50.0, 1e-100), INFINITY));
    cr_assert(eq(dbl, eval("jv", 50.0, 1e-100), 0.0));
    cr_assert(eq(dbl, eval("lpmv0", 2.5, 1.0), 1.0));
    cr_assert(eq(dbl, eval("lpmv1", 2.5, 1.0), 0.0));
    /* P_v goes to +-infinity at -1 with the sign of -sin(pi v), on both sides of it. */
    for (double v = -0.3; v < 6.0; v += 1.0) {
        cr_assert(isinf(eval("lpmv0", v, -1.0)) != 0, "v = %g", v);
        cr_assert(eval("lpmv0", v, -1.0) * eval("lpmv0", v, -1.0 + 1e-15) > 0.0, "v = %g", v);
        cr_assert(eval("lpmv1", v, -1.0) * eval("lpmv1", v, -1.0 + 1e-15) > 0.0, "v = %g", v);
        cr_assert(eval("lpmv2", v, -1.0) * eval("lpmv2", v, -1.0 + 1e-15) > 0.0, "v = %g", v);
    }
}

static size_t handler_calls;

static void count_call(const char *reason, const char *file, int line, int error) {
    (void)reason, (void)file, (void)line, (void)error;
    ++handler_calls;
}

Test(special, never_calls_the_error_handler_of_gsl) {
    static const double extremes[] = {-INFINITY, -1e308, -1e10,  -1001,
                                      -701,      -50,    -3,     -1.5,
                                      -1,        -0.5,   -1e-10, -1e-300,
                                      -0.0,      0,      5e-324, 1e-300,
                                      1e-200,    1e-100, 1e-20,  1e-8,
                                      1e-3,      0.1,    0.5,    0.9,
                                      1 - 1e-15, 1,      1.2,    1.5707963267948966,
                                      2,         2.5,    3,      3.1415926535897931,
                                      5,         10,     20.5,   49.5,
                                      50,        50.1,   100,    300,
                                      279,       280,    281,    1000,
                                      1e5,       1e10,   1e300,  INFINITY,
                                      NAN};
    const size_t n_extremes = sizeof extremes / sizeof *extremes;
    gsl_set_error_handler(count_call);
    gsl_error("the handler is ours", __FILE__, __LINE__, GSL_EFAILED);
    cr_assert(eq(sz, handler_calls, 1));

    size_t n, finite = 0;
    const kan_special *table = kan_special_table(&n);
    kan_random random = kan_random_seed(11, 0);
    for (size_t i = 0; i < n; ++i) {
        for (size_t a = 0; a < n_extremes; ++a)
            for (size_t b = 0; b < n_extremes; ++b) {
                finite += isfinite(table[i].eval(extremes[a], extremes[b]));
                cr_assert(eq(sz, handler_calls, 1), "%s(%g, %g)", table[i].name, extremes[a],
                          extremes[b]);
            }
        for (size_t j = 0; j < 20000; ++j) {
            /* Twelve times the range of the first argument, and a second one that is often small. */
            const double a = table[i].lo[0] + (table[i].hi[0] - table[i].lo[0]) *
                                                  (12.0 * kan_random_uniform(&random) - 2.0);
            const double wide = strlen(table[i].name) == 2 ? 35.0 : 1.0;
            const double b = wide * table[i].hi[1] * pow(kan_random_uniform(&random), 4.0);
            finite += isfinite(table[i].eval(a, b));
            cr_assert(eq(sz, handler_calls, 1), "%s(%.17g, %.17g)", table[i].name, a, b);
        }
    }
    cr_assert(gt(sz, finite, 200000)); /* most of it was inside the domains */
}
