/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/kan_cases.h"

#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "kan/grid.h"

double draw(kan_random *random, double lo, double hi) {
    return lo + (hi - lo) * kan_random_uniform(random);
}

grid grid_from_knots(size_t degree, size_t n_cells, const double *knots) {
    const size_t n_knots = kan_knots_count(degree, n_cells);
    grid g = {poisoned(n_knots), poisoned(kan_basis_cells_size(degree, n_cells)), {.degree = degree}};
    memcpy(g.knots, knots, n_knots * sizeof *knots);
    const char *wrong = kan_knots_check(degree, n_cells, knots);
    cr_assert(wrong == NULL, "%s", wrong);
    cr_assert(kan_basis_build(degree, n_cells, g.knots, g.cells, NULL) == KAN_OK);
    g.basis = kan_basis_view(degree, n_cells, g.knots, g.cells);
    return g;
}

grid grid_uniform(size_t degree, size_t n_cells, double lo, double hi) {
    double *knots = poisoned(kan_knots_count(degree, n_cells));
    kan_knots_uniform(degree, n_cells, lo, hi, knots);
    grid g = grid_from_knots(degree, n_cells, knots);
    kan_work_free(knots);
    return g;
}

grid grid_uneven(kan_random *random, size_t degree, size_t n_cells) {
    double *t = poisoned(n_cells + 1), *knots = poisoned(kan_knots_count(degree, n_cells));
    t[0] = draw(random, -1.4, -1.2);
    for (size_t i = 1; i <= n_cells; ++i)
        t[i] = t[i - 1] + draw(random, 0.2, 1.0) * 5.0 / (double)n_cells;
    kan_knots_extend(degree, n_cells, t, knots);
    grid g = grid_from_knots(degree, n_cells, knots);
    kan_work_free(knots);
    kan_work_free(t);
    return g;
}

grid grid_any(kan_random *random, size_t degree, size_t max_cells) {
    const size_t n_cells = 1 + kan_random_below(random, max_cells);
    if (kan_random_below(random, 2)) return grid_uneven(random, degree, n_cells);
    const double lo = draw(random, -2.0, 0.5);
    return grid_uniform(degree, n_cells, lo, lo + draw(random, 0.5, 3.0));
}

void grid_free(grid *g) {
    kan_work_free(g->knots);
    kan_work_free(g->cells);
}

double grid_lo(const kan_basis *b) {
    return b->knots[b->degree];
}

double grid_hi(const kan_basis *b) {
    return b->knots[b->degree + b->n_cells];
}

double grid_narrowest(const kan_basis *b) {
    double h = INFINITY;
    for (size_t c = b->degree; c < b->degree + b->n_cells; ++c)
        h = fmin(h, b->knots[c + 1] - b->knots[c]);
    return h;
}

double grid_point(kan_random *random, const kan_basis *b) {
    const double lo = grid_lo(b), hi = grid_hi(b);
    const double knot = b->knots[b->degree + kan_random_below(random, b->n_cells + 1)];
    switch (kan_random_below(random, 8)) {
    case 0: return knot;
    case 1: return nextafter(knot, INFINITY);
    case 2: return nextafter(knot, -INFINITY);
    case 3: return kan_random_below(random, 2) ? lo : hi;
    case 4: return draw(random, lo - (hi - lo), lo);
    case 5: return draw(random, hi, hi + (hi - lo));
    default: return draw(random, lo, hi);
    }
}

double grid_tolerance(const kan_basis *b, size_t d) {
    const double half = grid_narrowest(b) / 2.0, far = fmax(fabs(grid_lo(b)), fabs(grid_hi(b)));
    double bound = 2.0 * (double)(b->degree + 1) * DBL_EPSILON * (1.0 + far / half);
    for (size_t k = 0; k < b->degree; ++k) bound *= 2.0;
    for (size_t j = 0; j < d && j < b->degree; ++j) bound *= (double)(b->degree - j) / half;
    return bound;
}

kan_net *net_with_entropy(const kan_net_config *config, bool moved, uint64_t seed) {
    enum { SAMPLES = 37 };
    kan_random random = kan_random_seed(seed, 77);
    kan_net *net = kan_net_alloc(config);
    cr_assert(net != NULL);
    const kan_model *m = kan_net_model(net);
    for (size_t p = 0; p < m->n_params; ++p) m->theta[p] = draw(&random, -1.0, 1.0);
    if (!moved) return net;
    double *x = poisoned(SAMPLES * m->n_in);
    for (size_t j = 0; j < SAMPLES * m->n_in; ++j) x[j] = draw(&random, -1.2, 1.3);
    cr_assert(kan_grid_update(net, SAMPLES, x, 0.3, NULL) == KAN_OK);
    kan_work_free(x);
    /* The refit knows the coefficients of wide grids only faintly: entropy anew. */
    for (size_t p = 0; p < m->n_params; ++p) m->theta[p] = draw(&random, -1.0, 1.0);
    return net;
}

double *poisoned(size_t n) {
    double *values = kan_work_alloc(n);
    cr_assert(values != NULL, "no memory for %zu numbers", n);
    for (size_t j = 0; j < n; ++j) values[j] = NAN;
    return values;
}

void net_forward(kan_net *net, size_t n, const double *x, double *y) {
    const kan_model *m = kan_net_model(net);
    double *work = poisoned(kan_model_work_size(m, n));
    kan_model_forward(m, n, x, y, work);
    kan_work_free(work);
}
