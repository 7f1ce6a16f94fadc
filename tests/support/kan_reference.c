/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/kan_reference.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* a / (t_j - t_i), which is 0 where the knots coincide: the convention of the recursion. */
static long double over(long double a, const double *t, size_t i, size_t j) {
    const long double width = (long double)t[j] - t[i];
    return width > 0.0L ? a / width : 0.0L;
}

/* B_b,0 = 1 on its interval, and
 *     B_b,k   = (x - t_b) / (t_b+k - t_b) B_b,k-1 + (t_b+k+1 - x) / (t_b+k+1 - t_b+1) B_b+1,k-1
 *     B_b,k^(d) = k ( B_b,k-1^(d-1) / (t_b+k - t_b) - B_b+1,k-1^(d-1) / (t_b+k+1 - t_b+1) ) */
long double reference_bspline(const double *t, size_t degree, size_t interval, size_t b, long double x,
                              size_t d) {
    const size_t k = degree;
    if (d > k || interval < b || interval > b + k) return 0.0L;
    if (k == 0) return 1.0L;
    const long double left = reference_bspline(t, k - 1, interval, b, x, d > 0 ? d - 1 : 0);
    const long double right = reference_bspline(t, k - 1, interval, b + 1, x, d > 0 ? d - 1 : 0);
    if (d > 0) return (long double)k * (over(left, t, b, b + k) - over(right, t, b + 1, b + k + 1));
    return over((x - t[b]) * left, t, b, b + k) + over((t[b + k + 1] - x) * right, t, b + 1, b + k + 1);
}

size_t reference_cell(const kan_basis *grid, long double x) {
    size_t c = 0;
    while (c + 1 < grid->n_cells && x >= grid->knots[grid->degree + c + 1]) ++c;
    return c;
}

long double reference_basis(const kan_basis *grid, size_t b, long double x, size_t d) {
    const size_t k = grid->degree, interval = k + reference_cell(grid, x);
    const long double lo = grid->knots[k], hi = grid->knots[k + grid->n_cells];
    if (isnan(x)) return x;
    if (x >= lo && x <= hi) return reference_bspline(grid->knots, k, interval, b, x, d);
    const long double end = x < lo ? lo : hi;
    const long double slope = reference_bspline(grid->knots, k, interval, b, end, 1);
    if (d > 0) return d == 1 ? slope : 0.0L;
    return reference_bspline(grid->knots, k, interval, b, end, 0) + slope * (x - end);
}

long double reference_base(kan_base base, long double x, size_t d) {
    const long double s = 1.0L / (1.0L + expl(-x));
    switch (base) {
    case KAN_BASE_SILU: return d == 0 ? x * s : s + x * s * (1.0L - s);
    case KAN_BASE_IDENTITY: return d == 0 ? x : 1.0L;
    default: return 0.0L;
    }
}

long double reference_function(const char *name, long double x, size_t d) {
    if (strcmp(name, "x") == 0) return d == 0 ? x : 1.0L;
    if (strcmp(name, "x^2") == 0) return d == 0 ? x * x : 2.0L * x;
    if (strcmp(name, "sin") == 0) return d == 0 ? sinl(x) : cosl(x);
    if (strcmp(name, "exp") == 0) return expl(x);
    cr_assert(strcmp(name, "tanh") == 0, "no reference of %s", name);
    return d == 0 ? tanhl(x) : 1.0L - tanhl(x) * tanhl(x);
}

enum { MAX_NODES = 64 };

/* What node i at x adds to the outputs of a layer: base[o] b(x) + sum_b coef[b][o] B_b(x). To their bounds:
 * the absolute values of these terms, and the bound of x, its own rounding included, through the slopes. */
static void add_node(const kan_basis *grid, kan_base base, size_t n_out, const long double *coef,
                     long double x, long double bound, long double *y, long double *y_bound) {
    const size_t first = reference_cell(grid, x), n_basis = grid->n_cells + grid->degree;
    for (size_t j = 0; j <= grid->degree + 1; ++j) { /* the last one is the base function */
        const size_t b = j <= grid->degree ? first + j : n_basis;
        const long double value = b < n_basis ? reference_basis(grid, b, x, 0)
                                              : reference_base(base, x, 0);
        const long double slope = b < n_basis ? reference_basis(grid, b, x, 1)
                                              : reference_base(base, x, 1);
        for (size_t o = 0; o < n_out; ++o) {
            const long double c = coef[b * n_out + o];
            y[o] += c * value;
            y_bound[o] += fabsl(c * value) + fabsl(c * slope) * (bound + fabsl(x));
        }
    }
}

/* The symbolic edges of layer l, which own the next of the parameters t; their number. */
static size_t add_symbolic(const kan_net *net, size_t l, const long double *t, const long double *x,
                           const long double *bound, long double *y, long double *y_bound) {
    size_t n = 0;
    for (size_t i = 0; i < kan_net_n_in(net, l); ++i)
        for (size_t o = 0; o < kan_net_n_out(net, l); ++o) {
            kan_symbolic s;
            if (!kan_net_get_symbolic(net, (kan_edge){l, i, o}, &s)) continue;
            const long double u = t[0] * x[i] + t[1];
            const long double value = t[2] * reference_function(s.f->name, u, 0);
            const long double slope = t[2] * reference_function(s.f->name, u, 1);
            y[o] += value + t[3];
            y_bound[o] += fabsl(value) + fabsl(t[3]) +
                          fabsl(slope) * (fabsl(t[0]) * (bound[i] + fabsl(x[i])) + fabsl(t[1]));
            ++n, t += 4;
        }
    return n;
}

static bool has_splines(const kan_net *net, size_t l) {
    for (size_t i = 0; i < kan_net_n_in(net, l); ++i)
        for (size_t o = 0; o < kan_net_n_out(net, l); ++o) {
            const kan_edge edge = {l, i, o};
            if (kan_net_has_edge(net, edge) && !kan_net_get_symbolic(net, edge, NULL)) return true;
        }
    return kan_net_n_symbolic(net) == 0;
}

/* Values and error bounds of the outputs of one layer. A layer that has no splines left has no derivatives by
 * their frozen coefficients. */
static void layer(const kan_net *net, size_t l, const long double *theta, const long double *x,
                  const long double *bound, long double *y, long double *y_bound) {
    const kan_net_config *config = kan_net_get_config(net);
    const size_t n_out = kan_net_n_out(net, l), rows = config->n_cells + config->degree + 1;
    for (size_t o = 0; o < n_out; ++o) y[o] = y_bound[o] = 0.0L;
    for (size_t i = 0; i < kan_net_n_in(net, l) && has_splines(net, l); ++i) {
        const kan_basis grid = kan_net_basis(net, l, i);
        add_node(&grid, config->base, n_out, theta + i * rows * n_out, x[i], bound[i], y, y_bound);
    }
}

/* Nodes from the outputs of the layer below, in place: products of `arity` of them. */
static void multiply(const kan_net_config *config, size_t level, long double *y, long double *bound) {
    const size_t n_add = config->width[level], arity = config->arity[level];
    for (size_t m = 0; m < config->mult[level]; ++m) {
        long double product = 1.0L, error = 0.0L;
        for (size_t a = 0; a < arity; ++a) {
            const size_t at = n_add + m * arity + a;
            error = error * fabsl(y[at]) + bound[at] * fabsl(product);
            product *= y[at];
        }
        y[n_add + m] = product, bound[n_add + m] = error + (long double)arity * fabsl(product);
    }
}

long double reference_net(const void *context, const long double *theta, const long double *x,
                          long double *y) {
    const kan_net *net = context;
    const kan_net_config *config = kan_net_get_config(net);
    long double here[MAX_NODES], bound[MAX_NODES] = {0.0L}, next[MAX_NODES], next_bound[MAX_NODES];
    long double largest = 0.0L;
    const size_t n_layers = kan_net_n_layers(net), rows = config->n_cells + config->degree + 1;
    const long double *symbolic = theta;
    for (size_t l = 0; l < n_layers; ++l)
        symbolic += kan_net_n_in(net, l) * rows * kan_net_n_out(net, l);
    for (size_t i = 0; i < config->width[0]; ++i) here[i] = x[i];
    for (size_t l = 0; l < n_layers; ++l) {
        layer(net, l, theta, here, bound, next, next_bound);
        symbolic += 4 * add_symbolic(net, l, symbolic, here, bound, next, next_bound);
        for (size_t o = 0; o < kan_net_n_out(net, l); ++o) largest = fmaxl(largest, next_bound[o]);
        multiply(config, l + 1, next, next_bound);
        theta += kan_net_n_in(net, l) * rows * kan_net_n_out(net, l);
        for (size_t o = 0; o < config->width[l + 1] + config->mult[l + 1]; ++o) {
            here[o] = next[o], bound[o] = next_bound[o];
            largest = fmaxl(largest, bound[o]);
        }
    }
    for (size_t o = 0; o < config->width[n_layers] + config->mult[n_layers]; ++o) y[o] = here[o];
    return largest;
}
