/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "symbolic/constant.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* X = over/under as text; its value is the product over/under of these, and its length in bits. */
typedef struct base {
    const char *over, *under;
    long double value;
    double bits;
} base;

#define PI      3.14159265358979323846264338327950288L
#define SQRT_PI 1.77245385090551602729816748334114518L
#define SQRT_2  1.41421356237309504880168872420969808L
#define SQRT_3  1.73205080756887729352744634150587237L
#define E       2.71828182845904523536028747135266250L
#define LN_2    0.693147180559945309417232121458176568L
#define LN_3    1.09861228866810969139524523692252570L
#define LN_10   2.30258509299404568401799145468436421L

static const base bases[] = {
    {"", "", 1.0L, 0.0},
    {"pi", "", PI, 3.0},
    {"", "pi", 1.0L / PI, 4.0},
    {"pi^2", "", PI *PI, 5.0},
    {"", "pi^2", 1.0L / (PI * PI), 6.0},
    {"pi^3", "", PI *PI *PI, 7.0},
    {"", "pi^3", 1.0L / (PI * PI * PI), 8.0},
    {"sqrt(pi)", "", SQRT_PI, 5.0},
    {"", "sqrt(pi)", 1.0L / SQRT_PI, 6.0},
    {"sqrt(2*pi)", "", SQRT_2 *SQRT_PI, 6.0},
    {"", "sqrt(2*pi)", 1.0L / (SQRT_2 * SQRT_PI), 7.0},
    {"e", "", E, 4.0},
    {"", "e", 1.0L / E, 5.0},
    {"e^2", "", E *E, 6.0},
    {"", "e^2", 1.0L / (E * E), 7.0},
    {"log(2)", "", LN_2, 5.0},
    {"", "log(2)", 1.0L / LN_2, 6.0},
    {"log(3)", "", LN_3, 6.0},
    {"", "log(3)", 1.0L / LN_3, 7.0},
    {"log(10)", "", LN_10, 6.0},
    {"", "log(10)", 1.0L / LN_10, 7.0},
    {"sqrt(2)*pi", "", SQRT_2 *PI, 7.0},
    {"sqrt(3)*pi", "", SQRT_3 *PI, 8.0},
    {"sqrt(2)", "pi", SQRT_2 / PI, 8.0},
    {"sqrt(3)", "pi", SQRT_3 / PI, 9.0},
};

enum { N_BASES = sizeof bases / sizeof *bases };

static const unsigned roots[] = {2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19, 21, 22, 23, 26, 29, 30};

enum { N_ROOTS = sizeof roots / sizeof *roots, N_FORMS = N_BASES + N_ROOTS };

/* Denominators, with their length; powers of ten are for decimals. */
enum { MOST_Q = 30, N_TENS = 5, N_DENOMINATORS = MOST_Q + N_TENS };

static double denominator(size_t k) {
    static const double tens[N_TENS] = {1e2, 1e3, 1e4, 1e5, 1e6};
    return k < MOST_Q ? (double)(k + 1) : tens[k - MOST_Q];
}

static double denominator_bits(size_t k) {
    return k < MOST_Q ? 2.0 * log2((double)(k + 1)) : 6.0 + 2.0 * (double)(k - MOST_Q);
}

static base base_at(size_t i) {
    if (i < N_BASES) return bases[i];
    const double k = roots[i - N_BASES];
    return (base){NULL, "", sqrtl((long double)k), 2.0 + 2.0 * log2(k)};
}

static double common_divisor(double a, double b) {
    while (b > 0.0) {
        const double rest = fmod(a, b);
        a = b, b = rest;
    }
    return a;
}

typedef struct form {
    double p, distance, bits;
    size_t base, q; /* numbers of base and denominator */
} form;

static const double MOST_P = 1e6;

/* The shortest form within error of v > 0; bits infinite where there is none. */
static form shortest(double v, double error) {
    form best = {.bits = INFINITY};
    for (size_t i = 0; i < N_FORMS; ++i) {
        const base x = base_at(i);
        for (size_t k = 0; k < (i == 0 ? N_DENOMINATORS : MOST_Q); ++k) {
            const double q = denominator(k);
            const double p = round((double)(v * q / x.value));
            if (!(p >= 1.0) || p > MOST_P) continue;
            if (k < MOST_Q ? common_divisor(p, q) != 1.0 : fmod(p, 10.0) == 0.0)
                continue; /* has a shorter form */
            const form here = {.p = p,
                               .distance = (double)fabsl(p / q * x.value - v),
                               .bits = 2.0 * log2(p) + denominator_bits(k) + x.bits,
                               .base = i,
                               .q = k};
            if (here.distance > error || here.bits > best.bits) continue;
            if (here.bits < best.bits || here.distance < best.distance) best = here;
        }
    }
    return best;
}

/* How many forms of at most so many bits are expected within error of a random number near v: their number
 * between v/2 and 2 v, spread evenly. */
static double expected(double v, double error, double bits) {
    double count = 0.0;
    for (size_t i = 0; i < N_FORMS; ++i) {
        const base x = base_at(i);
        for (size_t k = 0; k < (i == 0 ? N_DENOMINATORS : MOST_Q); ++k) {
            const double rest = bits - x.bits - denominator_bits(k);
            if (rest < 0.0) continue;
            const double scale = (double)(v * denominator(k) / x.value);
            const double first = fmax(1.0, ceil(0.5 * scale));
            const double last = fmin(fmin(MOST_P, exp2(0.5 * rest) + 1e-9), 2.0 * scale);
            if (last >= first) count += floor(last) - first + 1.0;
        }
    }
    return count / (1.5 * v) * 2.0 * error;
}

static void write(const form *f, bool negative, kan_constant *made) {
    const base x = base_at(f->base);
    const double q = denominator(f->q);
    char over[24];
    if (x.over)
        snprintf(over, sizeof over, "%s", x.over);
    else
        snprintf(over, sizeof over, "sqrt(%u)", roots[f->base - N_BASES]);
    made->value = (double)((negative ? -f->p : f->p) / q * x.value);
    if (f->q >= MOST_Q) {                                  /* p / 10^k with its digits */
        const int digits = (int)((f->q - MOST_Q) % 8) + 2; /* never 8 of them; compilers want a bound */
        const unsigned long p = (unsigned long)f->p, ten = (unsigned long)q;
        made->value = (negative ? -f->p : f->p) / q;
        snprintf(made->text, sizeof made->text, "%s%lu.%0*lu", negative ? "-" : "", p / ten, digits,
                 p % ten);
        return;
    }
    char number[24], below[40] = "";
    snprintf(number, sizeof number, "%.0f%s", f->p, *over ? "*" : "");
    if (q > 1.0 && *x.under)
        snprintf(below, sizeof below, "/(%.0f*%s)", q, x.under);
    else if (q > 1.0)
        snprintf(below, sizeof below, "/%.0f", q);
    else if (*x.under)
        snprintf(below, sizeof below, "/%s", x.under);
    snprintf(made->text, sizeof made->text, "%s%s%s%s", negative ? "-" : "",
             f->p == 1.0 && *over ? "" : number, over, below);
}

bool kan_constant_recognise(double value, double error, kan_constant *made) {
    assert(made && error >= 0.0 && "an error is not negative");
    if (!isfinite(value) || !isfinite(error)) return false;
    if (fabs(value) <= error || value == 0.0) {
        *made = (kan_constant){.text = "0"};
        return true;
    }
    const double v = fabs(value), within = fmax(error, 2.0 * DBL_EPSILON * v);
    const form best = shortest(v, within);
    if (!isfinite(best.bits)) return false;
    const double chance = expected(v, within, best.bits);
    if (!(chance < 0.01)) return false;
    made->complexity = best.bits, made->chance = chance;
    write(&best, value < 0.0, made);
    return true;
}
