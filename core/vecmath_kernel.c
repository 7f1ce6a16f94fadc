/* core/vecmath_kernel.c - the loops behind core/vecmath.h.
 *
 * Everything rests on e^x and, for gelu, on the tail of the normal distribution; both are written without
 * branches, as choices between two values, so that the loops become vector code.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/vecmath_kernel.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- constants ------------------------------------------------------------------------------------- */

/* range: e^-range is just above the smallest normal number. limit: e^limit overflows, e^-limit is 0. tail_end: so is e^(-tail_end^2 / 2).
 * log 2 is split in two (Cody and Waite), so that the product of its first part with an integer is exact.
 * Adding the shifter rounds to an integer, and leaves that in the low bits.
 * upper_half: the bits of a number whose square is exact.
 *
 * The polynomials are minimax fits by Remez's algorithm, constant term first. With r within
 * +-log(2) / 2, and G(a) = e^(a^2 / 2) (1 - Phi(a)):
 *     expm1:  (e^r - 1 - r) / r^2
 *     near:   G(a),   a = near_centre + z,      0 <= a <= 2 near_centre
 *     far:    a G(a), 1 / a = far_centre + z,   2 near_centre <= a <= tail_end
 * The relative errors they bring to e^r - 1 and G are at most 3e-19, 6e-18, 1e-17 in double and 3e-10, 3e-9,
 * 8e-9 in single precision, before rounding; near_lost and far_lost are what their first coefficients lost by
 * that. pdf_0, in two parts, is 1 / sqrt(2 pi). */
#ifdef KAN_KERNEL_SINGLE
typedef uint32_t word;
static const word upper_half = 0xfffff000, exponent_bias = 127;
enum { FRACTION_BITS = 23 };
static const real range = 87.3F, limit = 170.0F, tail_end = 15.0F, shifter = 0x1.8p23F,
                  log2_e = 0x1.715476p0F, log_2_high = 0x1.62e4p-1F, log_2_low = 0x1.7f7d1cp-20F,
                  pdf_0_high = 0x1.988p-2F, pdf_0_low = 0x1.14cf5p-16F, near_centre = 0.875F,
                  near_lost = -0x1.ad2ce8p-27F, far_centre = 0.3125F, far_lost = -0x1.25a3p-28F;
static const real expm1_coef[] = {0x1p-1F,       0x1.555556p-3F,  0x1.5554aep-5F,
                                  0x1.11109p-7F, 0x1.6d751ap-10F, 0x1.a1a0e8p-13F};
static const real near_coef[] = {0x1.1e7c2ep-2F,  -0x1.3baf58p-3F,  0x1.28beecp-4F,  -0x1.ef9eb6p-6F,
                                 0x1.78a896p-7F,  -0x1.08c26ap-8F,  0x1.5bce24p-10F, -0x1.aab2eep-12F,
                                 0x1.f93b58p-14F, -0x1.4958b2p-15F, 0x1.540bbp-17F};
static const real far_coef[] = {0x1.78c64cp-2F,  -0x1.4b17f8p-3F, -0x1.59665p-4F, 0x1.29d514p-2F,
                                -0x1.566c02p-2F, 0x1.4e760ap-4F,  0x1.157facp-1F, -0x1.7f5f5cp0F,
                                0x1.e416e6p0F,   0x1.5886dcp0F,   -0x1.659b9ap2F};
static inline real magnitude(real x) {
    return fabsf(x);
}
static inline real with_sign(real x, real sign) {
    return copysignf(x, sign);
}
#else
typedef uint64_t word;
static const word upper_half = 0xfffffffff8000000, exponent_bias = 1023;
enum { FRACTION_BITS = 52 };
static const real range = 708.39, limit = 1000.0, tail_end = 40.0, shifter = 0x1.8p52,
                  log2_e = 0x1.71547652b82fep0, log_2_high = 0x1.62e42fefa0000p-1,
                  log_2_low = 0x1.cf79abc9e3b3ap-40, pdf_0_high = 0x1.988453p-2,
                  pdf_0_low = 0x1.ea1b284687e5ap-29, near_centre = 1.375,
                  near_lost = -0x1.3af6a54c5d78dp-57, far_centre = 0.1875,
                  far_lost = -0x1.62b3b3a0b459bp-56;
static const real expm1_coef[] = {0x1p-1,
                                  0x1.5555555555559p-3,
                                  0x1.555555555555ap-5,
                                  0x1.111111110f67ep-7,
                                  0x1.6c16c16c1444fp-10,
                                  0x1.a01a01b000271p-13,
                                  0x1.a01a01b0bfe39p-16,
                                  0x1.71ddf7ff302fcp-19,
                                  0x1.27e4c581ea5c7p-22,
                                  0x1.af5f6b605d189p-26,
                                  0x1.1f95a0c884151p-29};
static const real near_coef[] = {
    0x1.bdb9f2a73a6d4p-3,  -0x1.9851f1a92ce7dp-4,  0x1.4a033905d71b5p-5,  -0x1.e3d49be317ee1p-7,
    0x1.476446df8dff2p-8,  -0x1.9dff78424b312p-10, 0x1.ed8be41745bcep-12, -0x1.173f4b3fccacdp-13,
    0x1.2d90605e290e8p-15, -0x1.38268468918aap-17, 0x1.36d1d119e8bf3p-19, -0x1.2aa07bf5bc64dp-21,
    0x1.158e344a9c79cp-23, -0x1.f43e01c89c658p-26, 0x1.b5e463a92bde7p-28, -0x1.74ce76147e2fap-30,
    0x1.35a5a918709a1p-32, -0x1.f9b2d9e539aecp-35, 0x1.8e6364dd25a88p-37, -0x1.1cabdf4973367p-39,
    0x1.bd960d060f917p-42, -0x1.edf05bb082013p-44, 0x1.52427d9d5b122p-46};
static const real far_coef[] = {
    0x1.8b742d8b2b8b3p-2,  -0x1.fd7b09019c803p-4, -0x1.c92cbf3f3a933p-3, 0x1.bcd8d58d10986p-2,
    -0x1.125dd5792097ap-3, -0x1.e33e6ee7f81f3p-1, 0x1.1f25b019d2ef2p1,   -0x1.604d7809abab7p0,
    -0x1.76ed3cfe0f609p2,  0x1.4e034c84a75e4p4,   -0x1.c2b40157d12f6p4,  -0x1.a7497c1f27d4fp4,
    0x1.ce91d7ec34138p7,   -0x1.1ce43de951183p9,  0x1.dfab423cba289p8,   0x1.cf7bd32f5cb21p10,
    -0x1.39e90ccade23cp13, 0x1.9e8d8369bd2a3p14,  -0x1.6cb00afca0812p13, -0x1.aae3ab32c7fdbp17,
    0x1.23af1f5de4ddfp19,  0x1.3b9df04d1d51p18,   -0x1.099cc15bde38ap21};
static inline real magnitude(real x) {
    return fabs(x);
}
static inline real with_sign(real x, real sign) {
    return copysign(x, sign);
}
#endif
static const real half = (real)0.5;

static inline word bits_of(real x) {
    word bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline real from_bits(word bits) {
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x without the lower half of its digits. */
static inline real upper(real x) {
    return from_bits(bits_of(x) & upper_half);
}

/* What the rounded sum of a and b is short of (Knuth's two-sum). */
static inline real lost_by_sum(real a, real b, real sum) {
    const real b_seen = sum - a;
    return (a - (sum - b_seen)) + (b - b_seen);
}

/* x held within [-limit, limit]; the comparisons let NaN through. */
static inline real clamp(real x) {
    x = x < -limit ? -limit : x;
    return x > limit ? limit : x;
}

/* The same within [-range, range]. */
static inline real hold(real x) {
    x = x < -range ? -range : x;
    return x > range ? range : x;
}

/* ---- the exponential --------------------------------------------------------------------------------- */

/* e^r - 1 - r = r^2 (c0 + c1 r + ..), as a tree: half as deep as Horner's chain, whose every addition waits for
 * the one before. */
static inline real expm1_rest(real r) {
    const real *c = expm1_coef, r2 = r * r, r4 = r2 * r2;
    const real first = (c[0] + r * c[1]) + r2 * (c[2] + r * c[3]);
#ifdef KAN_KERNEL_SINGLE
    return r2 * (first + r4 * (c[4] + r * c[5]));
#else
    const real second = (c[4] + r * c[5]) + r2 * (c[6] + r * c[7]);
    return r2 * (first + r4 * (second + r4 * ((c[8] + r * c[9]) + r2 * c[10])));
#endif
}

/* (1 + p) f g, f and g powers of 2; p is r + rest, and r too small by r_lost. The product is to be formed in this order, with other factors
 * in the middle: f is near the square root of f g, so only the last product may leave the range of numbers. */
typedef struct exponential {
    real p, f, g, r, r_lost, rest;
} exponential;

/* e^(x + low) for |x| <= limit: with n the integer nearest to (x + low) / log 2 and r = x - n log 2 + low,
 * p = e^r - 1 and f g = 2^n. `about` is x + low, to choose n by. */
static inline exponential exp_of_sum(real about, real x, real low) {
    const real shifted = about * log2_e + shifter, n = shifted - shifter;
    const real most = x - n * log_2_high, little = low - n * log_2_low;
    const real r = most + little, rest = expm1_rest(r);
    const word k = bits_of(shifted) + 2 * exponent_bias, k1 = k >> 1;
    return (exponential){.p = r + rest,
                         .f = from_bits(k1 << FRACTION_BITS),
                         .g = from_bits((k - k1) << FRACTION_BITS),
                         .r = r,
                         .r_lost = (most - r) + little,
                         .rest = rest};
}

/* What the functions of e = e^x, |x| <= range, are made of: e, rounded, and, nearly exact, d + d_lost = 1 + e, with
 * power a power of 2 and e = power (1 + p + p_lost). */
typedef struct logistic {
    real power, p, p_lost, e, d, d_lost, inverse; /* inverse: 1 / d, rounded */
} logistic;

static inline logistic logistic_of(real x) {
    const real shifted = x * log2_e + shifter, n = shifted - shifter;
    const real whole = x - n * log_2_high, little = n * log_2_low, r = whole - little;
    const real rest = expm1_rest(r), p = r + rest;
    const real power = from_bits((bits_of(shifted) + exponent_bias) << FRACTION_BITS);
    const real most = 1 + power, d = most + power * p;
    return (logistic){.power = power,
                      .p = p,
                      .p_lost = ((r - p) + rest) + ((whole - r) - little),
                      .e = power + power * p,
                      .d = d,
                      .d_lost = ((most - d) + power * p) + ((power - most) + 1),
                      .inverse = 1 / d};
}

/* (a + a_lost) / (d + d_lost): what the rounded quotient of a and d is short of comes from what it leaves over.
 * Without fused multiply-adds the product would hide that. */
static inline real quotient(real a, real a_lost, const logistic *s) {
#ifdef __FMA__
    const real q = a * s->inverse, left = a - q * s->d;
#else
    const real q = a / s->d, left = 0;
#endif
    return q + (left + (a_lost - q * s->d_lost)) * s->inverse;
}

/* c e (1 - lost), up to the factor g, rounded once. */
static inline real times_exp(real c, exponential q, real lost) {
    return c * q.f + c * q.f * (q.p - (lost + lost * q.p));
}

/* (c + lost) e, up to the factor g, rounded once; p_lost is what p is short of, or 0 to do without. */
static inline real times_exp_and(real c, real lost, exponential q, real p_lost) {
    return c * q.f + q.f * (c * q.p + (c * p_lost + (lost + lost * q.p)));
}

/* ---- one value ----------------------------------------------------------------------------------------- */

/* Left to themselves, compilers do not inline the longer ones, and then do not vectorise the loops. */
#define INLINED __attribute__((always_inline)) static inline

INLINED real exp_one(real x) {
    const real v = clamp(x);
    const exponential q = exp_of_sum(v, v, 0);
    return times_exp(1, q, 0) * q.g;
}

/* s = 1 / (1 + e) with e = e^-x, and s' = s (1 - s), 1 - s = e / (1 + e). */
INLINED real sigmoid(real x, real *slope) {
    const logistic q = logistic_of(-hold(x));
    const real s = x < -range ? 0 : quotient(1, 0, &q);
    *slope = x > range ? 0 : s * (q.e * q.inverse);
    return s;
}

/* y = x s, s the sigmoid, and y' = s + y (1 - s). Beyond range y is 0 below and x above; x itself must not get into
 * the sums, where infinities would meet. */
INLINED real silu(real x, real *slope) {
    const real v = hold(x);
    const logistic q = logistic_of(-v);
    const real y = quotient(v, 0, &q);
    *slope = x < -range ? 0 : q.inverse + y * (q.e * q.inverse);
    return with_sign(x < -range ? 0 : x > range ? x : y, x);
}

/* With e = e^(-2 |x|) = power (1 + p): tanh |x| = (1 - e) / (1 + e), where 1 - e keeps every digit near 0, since
 * there power is 1; and the slope 1 - tanh^2 = 4 e / (1 + e)^2. */
INLINED real tanh_one(real x, real *slope) {
    const logistic q = logistic_of(-magnitude(hold(2 * x)));
    *slope = magnitude(x) > range ? 0 : 4 * (q.e * q.inverse) * q.inverse;
    const real most = 1 - q.power, a = most - q.power * q.p;
    const real a_lost = ((most - a) - q.power * q.p) - q.power * q.p_lost;
    return with_sign(quotient(a, a_lost, &q), x);
}

/* Coefficient k of the one or the other polynomial. */
static inline real coef(bool is_far, size_t k) {
    return is_far ? far_coef[k] : near_coef[k];
}

static inline real two_terms(bool is_far, size_t k, real z) {
    return coef(is_far, k) + z * coef(is_far, k + 1);
}

static inline real four_terms(bool is_far, size_t k, real z, real z2) {
    return two_terms(is_far, k, z) + z2 * two_terms(is_far, k + 2, z);
}

/* The polynomial at z, from its quadratic term on, over z. */
static inline real higher_terms(bool is_far, real z) {
    const real z2 = z * z, z4 = z2 * z2;
    const real first = four_terms(is_far, 2, z, z2);
#ifdef KAN_KERNEL_SINGLE
    return z * (first + z4 * (four_terms(is_far, 6, z, z2) + z4 * coef(is_far, 10)));
#else
    const real second = first + z4 * four_terms(is_far, 6, z, z2);
    const real third = four_terms(is_far, 10, z, z2) + z4 * four_terms(is_far, 14, z, z2);
    const real fourth = four_terms(is_far, 18, z, z2) + z4 * coef(is_far, 22);
    return z * (second + (z4 * z4) * (third + (z4 * z4) * fourth));
#endif
}

/* The polynomial at z is the returned value and *lost. Its first two sums and the product between them are kept
 * to twice the digits, as they decide about the last one. */
static inline real tail_polynomial(bool is_far, real z, real *lost) {
    const real higher = higher_terms(is_far, z), c0 = coef(is_far, 0), c1 = coef(is_far, 1);
    const real slope = c1 + higher, slope_lost = lost_by_sum(c1, higher, slope);
    const real slope_high = upper(slope), slope_low = (slope - slope_high) + slope_lost;
    const real z_high = upper(z), most = z_high * slope_high;
    const real little = z_high * slope_low + (z - z_high) * slope;
    const real sum = c0 + most;
    *lost = lost_by_sum(c0, most, sum) + (little + (is_far ? far_lost : near_lost));
    return sum;
}

/* With a = |x|, E = e^(-a^2 / 2) and 1 - Phi(a) = E G(a):
 *     x Phi(x) = max(x, 0) - a E G(a)
 *     its slope Phi(x) + x phi(x) = (1 above 0, else 0) + sign(x) E (a / sqrt(2 pi) - G(a))
 * Nothing cancels, in the left tail least of all. Large a^2 needs more digits than one number has, so it is
 * split: h^2 is exact, h being a without the lower half of its digits, and a^2 = h^2 + (a - h) (a + h). */
INLINED real gelu(real x, real *slope) {
    real a = magnitude(x);
    a = a > tail_end ? tail_end : a;
    const real h = upper(a);
    const exponential q = exp_of_sum(-half * a * a, -half * h * h, -half * (a - h) * (a + h));
    const real p_lost = ((q.r - q.p) + q.rest) + q.r_lost;

    /* m + m_lost = a G(a) when far, else G(a), which is short of a factor a */
    const bool is_far = a > 2 * near_centre;
    const real inverse = 1 / (is_far ? a : 1);
    real m_lost;
    const real m = tail_polynomial(is_far, is_far ? inverse - far_centre : a - near_centre, &m_lost);

    /* d + d_lost = a / sqrt(2 pi) - G(a) */
    const real first = h * pdf_0_high, second = m * inverse, d = first - second;
    const real d_lost = lost_by_sum(first, -second, d) +
                        (h * pdf_0_low + (a - h) * (pdf_0_high + pdf_0_low) - m_lost * inverse);
    const real tail = times_exp_and(d, d_lost, q, p_lost) * q.g;
    *slope = x < 0 ? -tail : 1 + tail;

    /* the missing factor u times m, exact but for the smallest digits, then times E */
    const real u = is_far ? 1 : a, u_high = is_far ? 1 : h, m_high = upper(m),
               product = u_high * m_high;
    const real product_lost = u_high * (m - m_high) + (u - u_high) * m + u * m_lost;
    const real loss = times_exp_and(product, product_lost, q, p_lost) * q.g;
    return with_sign((x > 0 ? x : 0) - loss, x);
}

/* ---- arrays -------------------------------------------------------------------------------------------- */

/* Arrays are worked on by tiles, which are copied first: a compiler knows that a local array is not y, so the
 * loops are vectorised also where x is y, and for any stride. A last tile that is not full is filled up to whole
 * vectors: the same code for every value, and no slow remainders. */
enum { TILE = 64 };
typedef void tile_function(size_t m, const real *restrict x, real *restrict y, real *restrict slope);

static inline void by_tiles(tile_function *f, size_t n, const real *x, size_t stride, real *y,
                            real *slope) {
    real u[TILE], v[TILE], d[TILE];
    size_t begin = 0;
    for (; n - begin >= TILE; begin += TILE) {
        for (size_t j = 0; j < TILE; ++j) u[j] = x[(begin + j) * stride];
        f(TILE, u, y + begin, slope ? slope + begin : NULL);
    }
    const size_t m = n - begin;
    if (m == 0) return;
    for (size_t j = 0; j < m; ++j) u[j] = x[(begin + j) * stride];
    const size_t filled = (m + LANES - 1) / LANES * LANES;
    for (size_t j = m; j < filled; ++j) u[j] = 0;
    f(filled, u, v, slope ? d : NULL);
    memcpy(y + begin, v, m * sizeof *y);
    if (slope) memcpy(slope + begin, d, m * sizeof *slope);
}

static void exp_tile(size_t m, const real *restrict x, real *restrict y, real *restrict slope) {
    if (slope)
        for (size_t j = 0; j < m; ++j) slope[j] = y[j] = exp_one(x[j]);
    else
        for (size_t j = 0; j < m; ++j) y[j] = exp_one(x[j]);
}

static void sigmoid_tile(size_t m, const real *restrict x, real *restrict y, real *restrict slope) {
    real unused;
    if (slope)
        for (size_t j = 0; j < m; ++j) y[j] = sigmoid(x[j], slope + j);
    else
        for (size_t j = 0; j < m; ++j) y[j] = sigmoid(x[j], &unused);
}

static void silu_tile(size_t m, const real *restrict x, real *restrict y, real *restrict slope) {
    real unused;
    if (slope)
        for (size_t j = 0; j < m; ++j) y[j] = silu(x[j], slope + j);
    else
        for (size_t j = 0; j < m; ++j) y[j] = silu(x[j], &unused);
}

static void tanh_tile(size_t m, const real *restrict x, real *restrict y, real *restrict slope) {
    real unused;
    if (slope)
        for (size_t j = 0; j < m; ++j) y[j] = tanh_one(x[j], slope + j);
    else
        for (size_t j = 0; j < m; ++j) y[j] = tanh_one(x[j], &unused);
}

static void gelu_tile(size_t m, const real *restrict x, real *restrict y, real *restrict slope) {
    real unused;
    if (slope)
        for (size_t j = 0; j < m; ++j) y[j] = gelu(x[j], slope + j);
    else
        for (size_t j = 0; j < m; ++j) y[j] = gelu(x[j], &unused);
}

static void vec_exp(size_t n, const real *x, size_t stride, real *y, real *slope) {
    by_tiles(exp_tile, n, x, stride, y, slope);
}

static void vec_sigmoid(size_t n, const real *x, size_t stride, real *y, real *slope) {
    by_tiles(sigmoid_tile, n, x, stride, y, slope);
}

static void vec_silu(size_t n, const real *x, size_t stride, real *y, real *slope) {
    by_tiles(silu_tile, n, x, stride, y, slope);
}

static void vec_tanh(size_t n, const real *x, size_t stride, real *y, real *slope) {
    by_tiles(tanh_tile, n, x, stride, y, slope);
}

static void vec_gelu(size_t n, const real *x, size_t stride, real *y, real *slope) {
    by_tiles(gelu_tile, n, x, stride, y, slope);
}

const vecmath_kernel KAN_KERNEL(vecmath_kernel) = {
    .exp = vec_exp, .sigmoid = vec_sigmoid, .silu = vec_silu, .tanh = vec_tanh, .gelu = vec_gelu};
