/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/work.h"
#include "kan/grid.h"
#include "splines/spline.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"

enum { N = 1031 }; /* more than one block of samples, and not a multiple of any */

static double x[2 * N], y[2 * N], other[2 * N];

static void draw_samples(uint64_t seed, double lo, double hi) {
    kan_random random = kan_random_seed(seed, 0);
    for (size_t j = 0; j < 2 * N; ++j) x[j] = draw(&random, lo, hi);
}

static double largest_difference(size_t n, const double *a, const double *b) {
    double worst = 0.0;
    for (size_t j = 0; j < n; ++j) {
        cr_assert(isfinite(a[j]) && isfinite(b[j]), "%zu", j);
        worst = fmax(worst, fabs(a[j] - b[j]));
    }
    return worst;
}

/* A net whose edges are smooth curves, each a spline through half a period of a sine or so. Hidden
 * nodes, sums of two, stay on their grids, beyond which a tangent would not be that smooth. */
static kan_net *smooth_net(const kan_net_config *config) {
    enum { POINTS = 400 };
    kan_net_config smooth = *config;
    smooth.base = KAN_BASE_ZERO;
    kan_net *net = net_with_entropy(&smooth, false, 71);
    kan_random random = kan_random_seed(72, 0);
    static double t[POINTS], curve[POINTS], coef[200];
    for (size_t l = 0; l < kan_net_n_layers(net); ++l)
        for (size_t e = 0; e < kan_net_n_in(net, l) * kan_net_n_out(net, l); ++e) {
            const size_t n_out = kan_net_n_out(net, l), i = e / n_out, o = e % n_out;
            const kan_basis b = kan_net_basis(net, l, i);
            const size_t n_basis = b.n_cells + b.degree;
            const double w = draw(&random, 0.5, 1.5), phase = draw(&random, -3.0, 3.0);
            for (size_t j = 0; j < POINTS; ++j) {
                t[j] = grid_lo(&b) + (grid_hi(&b) - grid_lo(&b)) * (double)j / (POINTS - 1);
                curve[j] = 0.4 * sin(w * t[j] + phase);
            }
            memset(coef, 0, sizeof coef);
            cr_assert(kan_spline_fit(&b, POINTS, t, NULL, 1, curve, coef, NULL) == KAN_OK);
            double *theta = kan_net_layer_theta(net, l) + i * (n_basis + 1) * n_out + o;
            for (size_t j = 0; j < n_basis; ++j) theta[j * n_out] = coef[j];
        }
    return net;
}

/* ---- update -------------------------------------------------------------------------------------- */

Test(grid, update_covers_the_samples_on_every_level) {
    kan_net *net = net_with_entropy(
        &(kan_net_config){.width = {2, 3, 2, 1}, .mult = {0, 1}, .arity = {0, 3}}, false, 73);
    size_t counts[2 + 4 + 2], before = 0;
    draw_samples(74, -2.7, 1.9);
    cr_assert(kan_grid_outside(net, N, x, counts, NULL) == KAN_OK);
    for (size_t j = 0; j < 8; ++j) before += counts[j];
    cr_assert(before > 1000 && counts[0] > 100, "there is nothing to cover");
    cr_assert(kan_grid_update(net, N, x, 0.02, NULL) == KAN_OK);
    cr_assert(kan_grid_outside(net, N, x, counts, NULL) == KAN_OK);
    for (size_t j = 0; j < 8; ++j) cr_assert(eq(sz, counts[j], 0), "node %zu", j);
    for (size_t i = 0; i < 2; ++i) {
        double lo = INFINITY, hi = -INFINITY;
        for (size_t s = 0; s < N; ++s) lo = fmin(lo, x[2 * s + i]), hi = fmax(hi, x[2 * s + i]);
        const kan_basis b = kan_net_basis(net, 0, i);
        cr_assert(grid_lo(&b) == lo && grid_hi(&b) == hi, "input %zu", i);
    }
    kan_net_free(net);
}

/* Curves that the new grid can hold are kept: the second update moves nothing. */
Test(grid, update_to_the_same_grid_keeps_the_function) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}, .mult = {0, 1}}, false, 75);
    draw_samples(76, -1.5, 1.2);
    cr_assert(kan_grid_update(net, N, x, 0.1, NULL) == KAN_OK);
    net_forward(net, N, x, y);
    cr_assert(kan_grid_update(net, N, x, 0.1, NULL) == KAN_OK);
    net_forward(net, N, x, other);
    cr_assert(largest_difference(N, y, other) < 1e-10);
    kan_net_free(net);
}

/* Splines with G cells of smooth curves, moved by a tenth of their range: the loss of a cubic refit
 * falls with G as h^4, 16 times for each doubling; 8 leaves room for grids that are not yet fine. */
Test(grid, update_keeps_smooth_functions_ever_better_with_more_cells) {
    double errors[3];
    draw_samples(77, -0.9, 1.0);
    for (size_t j = 0; j < 3; ++j) {
        kan_net *net = smooth_net(&(kan_net_config){.width = {2, 3, 1}, .n_cells = (size_t)8 << j});
        net_forward(net, N, x, y);
        cr_assert(kan_grid_update(net, N, x, 0.5, NULL) == KAN_OK);
        net_forward(net, N, x, other);
        errors[j] = largest_difference(N, y, other);
        kan_net_free(net);
    }
    cr_assert(errors[0] < 1e-2 && errors[2] > 1e-12, "%g %g %g", errors[0], errors[1], errors[2]);
    cr_assert(errors[1] < errors[0] / 8.0 && errors[2] < errors[1] / 8.0, "%g %g %g", errors[0],
              errors[1], errors[2]);
}

Test(grid, update_takes_one_sample_and_constant_columns) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, false, 78);
    size_t counts[5];
    draw_samples(79, -1.0, 1.0);
    for (size_t s = 0; s < N; ++s) x[2 * s] = 0.37;
    net_forward(net, N, x, y);
    for (size_t n = 1; n <= N; n += N - 1) {
        kan_net *copy = kan_net_copy(net);
        cr_assert(kan_grid_update(copy, n, x, 0.02, NULL) == KAN_OK);
        const kan_basis b = kan_net_basis(copy, 0, 0);
        cr_assert(epsilon_eq(dbl, grid_lo(&b), 0.37 - 1.0, DBL_EPSILON));
        cr_assert(kan_grid_outside(copy, n, x, counts, NULL) == KAN_OK);
        for (size_t j = 0; j < 5; ++j) cr_assert(eq(sz, counts[j], 0));
        net_forward(copy, n, x, other);
        cr_assert(largest_difference(n, y, other) < (n == 1 ? 0.05 : 0.3), "n = %zu: %g", n,
                  largest_difference(n, y, other));
        kan_net_free(copy);
    }
    kan_net_free(net);
}

/* ---- failures ------------------------------------------------------------------------------------ */

static void assert_unchanged(kan_net *net, kan_net *before) {
    const kan_model *m = kan_net_model(net);
    cr_assert(memcmp(m->theta, kan_net_model(before)->theta, m->n_params * sizeof *m->theta) == 0);
    for (size_t l = 0; l < kan_net_n_layers(net); ++l)
        for (size_t i = 0; i < kan_net_n_in(net, l); ++i) {
            const kan_basis a = kan_net_basis(net, l, i), b = kan_net_basis(before, l, i);
            const size_t size = kan_knots_count(a.degree, a.n_cells) * sizeof *a.knots;
            cr_assert(memcmp(a.knots, b.knots, size) == 0);
            cr_assert(memcmp(a.cells, b.cells,
                             kan_basis_cells_size(a.degree, a.n_cells) * sizeof(double)) == 0);
        }
    draw_samples(80, -1.4, 1.4);
    net_forward(net, N, x, y);
    net_forward(before, N, x, other);
    cr_assert(memcmp(y, other, N * sizeof *y) == 0);
}

Test(grid, update_with_bad_samples_fails_and_changes_nothing) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 81);
    kan_net *before = kan_net_copy(net);
    for (size_t kind = 0; kind < 4; ++kind) {
        kan_error error = {KAN_OK, ""};
        draw_samples(82, -1.0, 1.0);
        x[2 * 700 + 1] = (double[]){NAN, INFINITY, -INFINITY, -DBL_MAX}[kind];
        if (kind == 3) x[2 * 701 + 1] = DBL_MAX; /* finite, but their distance is not */
        cr_assert(eq(int, (int)kan_grid_update(net, N, x, 0.02, &error), KAN_ENONFINITE));
        cr_assert(eq(int, (int)error.status, KAN_ENONFINITE));
        cr_assert(strstr(error.message, "node 1 below layer 0") != NULL, "%s", error.message);
        if (kind < 3) cr_assert(strstr(error.message, "sample 700") != NULL, "%s", error.message);
        assert_unchanged(net, before);
    }
    kan_net_free(before), kan_net_free(net);
}

/* The samples are fine, a parameter is not: found on the second level, after the first has moved. */
Test(grid, update_that_fails_half_way_changes_nothing) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 83);
    kan_error error = {KAN_OK, ""};
    kan_net_layer_theta(net, 0)[8 * 3] = INFINITY;
    kan_net *before = kan_net_copy(net);
    draw_samples(84, -1.0, 1.0);
    cr_assert(eq(int, (int)kan_grid_update(net, N, x, 0.02, &error), KAN_ENONFINITE));
    cr_assert(strstr(error.message, "below layer 1") != NULL, "%s", error.message);
    const kan_model *m = kan_net_model(net);
    cr_assert(memcmp(m->theta, kan_net_model(before)->theta, m->n_params * sizeof *m->theta) == 0);
    const kan_basis a = kan_net_basis(net, 0, 0), b = kan_net_basis(before, 0, 0);
    cr_assert(memcmp(a.knots, b.knots, kan_knots_count(3, 5) * sizeof *a.knots) == 0);
    kan_net_free(before), kan_net_free(net);
}

static kan_status attempt_update(void *context) {
    kan_net *net = kan_net_copy(context);
    if (!net) return KAN_ENOMEM;
    const kan_status status = kan_grid_update(net, 50, x, 0.02, NULL);
    kan_net_free(net);
    return status;
}

static kan_status attempt_set(void *context) {
    const double t[] = {-1.0, -0.4, 0.0, 0.1, 0.7, 2.0};
    return kan_grid_set(context, 1, 2, t, NULL);
}

static kan_status attempt_refine(void *context) {
    kan_error error = {KAN_OK, ""};
    kan_net *fine = kan_grid_refine(context, 10, &error),
            *odd = fine ? kan_grid_refine(context, 7, &error) : NULL;
    kan_net_free(odd), kan_net_free(fine);
    return odd ? KAN_OK : error.status;
}

static kan_status attempt_outside(void *context) {
    size_t counts[5];
    return kan_grid_outside(context, 50, x, counts, NULL);
}

Test(grid, survives_failing_allocations) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 85);
    draw_samples(86, -1.0, 1.0);
    cr_assert(gt(sz, alloc_fail_every(attempt_update, net), 20));
    cr_assert(gt(sz, alloc_fail_every(attempt_set, net), 3));
    cr_assert(gt(sz, alloc_fail_every(attempt_refine, net), 20));
    cr_assert(gt(sz, alloc_fail_every(attempt_outside, net), 2));
    kan_net_free(net);
}

Test(grid, update_without_memory_changes_nothing) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 87);
    kan_net *before = kan_net_copy(net);
    kan_status status = KAN_ENOMEM;
    for (size_t k = 1; status == KAN_ENOMEM; ++k) {
        draw_samples(88, -1.0, 1.0);
        alloc_count_begin();
        alloc_fail_at(k);
        status = kan_grid_update(net, 60, x, 0.02, NULL);
        alloc_count_end();
        if (status == KAN_ENOMEM) assert_unchanged(net, before);
        cr_assert(k < 1000);
    }
    cr_assert(eq(int, (int)status, KAN_OK));
    kan_net_free(before), kan_net_free(net);
}

/* ---- set ----------------------------------------------------------------------------------------- */

Test(grid, set_takes_the_breakpoints_and_keeps_the_curves) {
    kan_net *net = smooth_net(&(kan_net_config){.width = {2, 3, 1}, .n_cells = 12});
    double t[13], phi[200], again[200], points[200];
    const kan_edge edge = {0, 1, 2};
    for (size_t i = 0; i < 13; ++i) t[i] = -0.95 + 1.87 * pow((double)i / 12.0, 1.3);
    for (size_t j = 0; j < 200; ++j) points[j] = t[0] + (t[12] - t[0]) * (double)j / 199.0;
    kan_net_edge_curve(net, edge, 200, points, phi);
    cr_assert(kan_grid_set(net, 0, 1, t, NULL) == KAN_OK);
    const kan_basis b = kan_net_basis(net, 0, 1), untouched = kan_net_basis(net, 0, 0);
    for (size_t i = 0; i < 13; ++i) cr_assert(eq(dbl, b.knots[3 + i], t[i]));
    cr_assert(grid_lo(&untouched) == -1.0 && grid_hi(&untouched) == 1.0);
    kan_net_edge_curve(net, edge, 200, points, again);
    cr_assert(largest_difference(200, phi, again) < 1e-4, "0.4 (w h)^4 / 4! or so");
    cr_assert(kan_grid_set(net, 0, 1, t, NULL) == KAN_OK);
    kan_net_edge_curve(net, edge, 200, points, phi);
    cr_assert(largest_difference(200, phi, again) < 1e-12, "nothing has moved");
    kan_net_free(net);
}

Test(grid, set_refuses_breakpoints_that_do_not_increase) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 89);
    kan_net *before = kan_net_copy(net);
    for (size_t j = 0; j < 6; ++j)
        for (size_t kind = 0; kind < 3; ++kind) {
            double t[] = {-1.0, -0.6, -0.2, 0.2, 0.6, 1.0};
            kan_error error = {KAN_OK, ""};
            t[j] = kind == 0 ? NAN : kind == 1 ? INFINITY : j > 0 ? t[j - 1] : t[1];
            cr_assert(eq(int, (int)kan_grid_set(net, 0, 1, t, &error), KAN_ECONFIG));
            cr_assert(strlen(error.message) > 10);
        }
    assert_unchanged(net, before);
    kan_net_free(before), kan_net_free(net);
}

/* ---- refine -------------------------------------------------------------------------------------- */

/* Coefficients of up to 1, three to five edges a node, slopes of up to 30 and products: 1e-12 is some
 * 1e3 roundings of the largest term met. */
Test(grid, refining_by_whole_factors_keeps_the_function) {
    static const size_t factors[] = {2, 3, 5};
    for (size_t degree = 1; degree <= KAN_MAX_DEGREE; ++degree)
        for (size_t j = 0; j < 6; ++j) {
            const kan_net_config config = {.width = {2, 2, 2},
                                           .mult = {0, 1, 1},
                                           .arity = {0, 3, 2},
                                           .n_cells = 4,
                                           .degree = degree};
            kan_net *net = net_with_entropy(&config, j % 2, 90 + j);
            const size_t parts = factors[j / 2];
            draw_samples(96, -1.6, 1.7);
            kan_net *fine = kan_grid_refine(net, 4 * parts, NULL);
            kan_net *finest = kan_grid_refine(fine, 8 * parts, NULL);
            cr_assert(fine && finest && kan_net_n_out(finest, 0) == 5);
            cr_assert(eq(sz, kan_net_get_config(fine)->n_cells, 4 * parts));
            net_forward(net, N / 2, x, y);
            double size = 1.0;
            for (size_t s = 0; s < N; ++s) size = fmax(size, fabs(y[s]));
            net_forward(fine, N / 2, x, other);
            cr_assert(largest_difference(N - 1, y, other) <
                          1e-12 * size * pow(2.0, (double)degree - 3.0) * 8,
                      "degree %zu, %zu parts: %g of %g", degree, parts,
                      largest_difference(N - 1, y, other), size);
            net_forward(finest, N / 2, x, other);
            cr_assert(largest_difference(N - 1, y, other) <
                          1e-12 * size * pow(2.0, (double)degree - 3.0) * 8,
                      "degree %zu, %zu parts, twice", degree, parts);
            kan_net_free(finest), kan_net_free(fine), kan_net_free(net);
        }
}

/* Grids that do not nest are refitted: close for smooth curves, finer and coarser. The breakpoints
 * follow the density of the old ones, so that the ends stay. */
Test(grid, refining_to_other_grids_keeps_smooth_functions) {
    draw_samples(97, -0.9, 1.0);
    for (size_t moved = 0; moved < 2; ++moved) {
        kan_net *net = smooth_net(&(kan_net_config){.width = {2, 3, 1}, .n_cells = 12});
        if (moved) cr_assert(kan_grid_update(net, N, x, 0.3, NULL) == KAN_OK);
        net_forward(net, N, x, y);
        double errors[2];
        for (size_t j = 0; j < 2; ++j) {
            kan_net *fine = kan_grid_refine(net, j ? 31 : 10, NULL);
            const kan_basis a = kan_net_basis(net, 1, 2), b = kan_net_basis(fine, 1, 2);
            cr_assert(grid_lo(&a) == grid_lo(&b) && grid_hi(&a) == grid_hi(&b));
            net_forward(fine, N, x, other);
            errors[j] = largest_difference(N, y, other);
            kan_net_free(fine);
        }
        cr_assert(errors[0] < 2e-3 && errors[1] < errors[0] / 8.0, "%g %g", errors[0], errors[1]);
        kan_net_free(net);
    }
}

Test(grid, masks_and_frozen_parameters_live_through_update_and_refine) {
    const kan_edge removed = {0, 1, 2}, frozen = {1, 0, 0}, half = {0, 0, 0};
    const double t[] = {-2.0, -0.3, 0.1, 0.8, 3.0};
    double phi[5];
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 98);
    kan_net_remove_edge(net, removed);
    kan_net_set_trainable(net, frozen, KAN_PART_BASE | KAN_PART_SPLINE, false);
    kan_net_set_trainable(net, half, KAN_PART_SPLINE, false);
    draw_samples(99, -1.3, 1.6);
    cr_assert(kan_grid_update(net, N, x, 0.05, NULL) == KAN_OK);
    kan_net *nested = kan_grid_refine(net, 10, NULL), *odd = kan_grid_refine(net, 13, NULL);
    kan_net *all[] = {net, nested, odd};
    for (size_t j = 0; j < 3; ++j) {
        const size_t rows = kan_net_get_config(all[j])->n_cells + 4;
        kan_net_edge_curve(all[j], removed, 5, t, phi);
        for (size_t s = 0; s < 5; ++s) cr_assert(eq(dbl, phi[s], 0.0), "net %zu", j);
        cr_assert(kan_net_has_edge(all[j], removed) == false);
        cr_assert(eq(sz, kan_net_n_edges(all[j]), 8));
        cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(all[j])), 6 * rows + 1), "net %zu", j);
        kan_net_set_trainable(all[j], removed, KAN_PART_SPLINE, true);
        cr_assert(eq(sz, kan_model_n_trainable(kan_net_model(all[j])), 6 * rows + 1), "for good");
    }
    for (size_t j = 0; j < 3; ++j) kan_net_free(all[j]);
}

Test(grid, refining_says_what_is_too_much) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 1}, .lo = 1e6, .hi = 1e6 + 1e-5});
    const size_t bad[] = {0, KAN_MAX_CELLS + 1, SIZE_MAX, KAN_MAX_CELLS};
    for (size_t j = 0; j < 4; ++j) {
        kan_error error = {KAN_OK, ""};
        cr_assert(kan_grid_refine(net, bad[j], &error) == NULL, "%zu cells", bad[j]);
        cr_assert(eq(int, (int)error.status, KAN_ECONFIG));
        cr_assert(strlen(error.message) > 10);
    }
    kan_net_free(net);
}

/* ---- samples outside -------------------------------------------------------------------------------
 */

/* Counted again, node by node, from the curves of the edges. */
Test(grid, outside_matches_a_direct_count) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}}, true, 100);
    size_t counts[5], expected[5] = {0};
    draw_samples(101, -1.5, 1.5);
    const kan_basis first = kan_net_basis(net, 0, 0);
    x[0] = grid_lo(&first), x[2] = grid_hi(&first), x[4] = nextafter(grid_hi(&first), 9.0), x[8] = NAN;
    for (size_t s = 0; s < N; ++s) {
        double node[5] = {x[2 * s], x[2 * s + 1], 0.0, 0.0, 0.0};
        for (size_t e = 0; e < 6; ++e) {
            double phi;
            kan_net_edge_curve(net, (kan_edge){0, e / 3, e % 3}, 1, &node[e / 3], &phi);
            node[2 + e % 3] += phi;
        }
        for (size_t j = 0; j < 5; ++j) {
            const kan_basis b = kan_net_basis(net, j >= 2, j < 2 ? j : j - 2);
            expected[j] += node[j] >= grid_lo(&b) && node[j] <= grid_hi(&b) ? 0 : 1;
        }
    }
    cr_assert(kan_grid_outside(net, N, x, counts, NULL) == KAN_OK);
    for (size_t j = 0; j < 5; ++j) {
        cr_assert(eq(sz, counts[j], expected[j]), "node %zu", j);
        cr_assert(expected[j] > 10 && expected[j] < N);
    }
    kan_net_free(net);
}

/* ---- cover --------------------------------------------------------------------------------------- */

static const kan_grid_cover_options cover = {.margin = 0.05, .least = 0.5, .grid_eps = 1.0};

Test(grid, cover_moves_what_samples_leave_and_nothing_else) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 3, 1}, .lo = -1.2, .hi = 1.2}, false,
                                    91);
    size_t counts[5];
    kan_model *m = kan_net_model(net);
    for (size_t p = 0; p < m->n_params; ++p) m->theta[p] *= 4.0; /* hidden nodes leave their grids */
    draw_samples(92, -1.1, 1.1);
    for (size_t s = 0; s < N; ++s) x[2 * s + 1] *= 0.1; /* fills a tenth of its grid */
    cr_assert(kan_grid_outside(net, N, x, counts, NULL) == KAN_OK);
    cr_assert(counts[2] + counts[3] + counts[4] > 0, "no hidden node has to move");
    cr_assert(kan_grid_cover(net, N, x, &cover, NULL) == KAN_OK);
    cr_assert(kan_grid_outside(net, N, x, counts, NULL) == KAN_OK);
    for (size_t j = 0; j < 5; ++j) cr_assert(eq(sz, counts[j], 0), "node %zu", j);
    const kan_basis first = kan_net_basis(net, 0, 0), second = kan_net_basis(net, 0, 1);
    cr_assert(grid_lo(&first) == -1.2 && grid_hi(&first) == 1.2);
    cr_assert(grid_hi(&second) < 0.13 && second.cells_per_x > 0.0);
    memcpy(other, x, sizeof x);
    net_forward(net, N, x, y);
    cr_assert(kan_grid_cover(net, N, other, &cover, NULL) == KAN_OK);
    net_forward(net, N, x, other);
    cr_assert(eq(dbl, largest_difference(N, y, other), 0.0), "a second time moves something");
    kan_net_free(net);
}

Test(grid, cover_keeps_smooth_curves) {
    kan_net *net = smooth_net(&(kan_net_config){.width = {2, 3, 1}, .n_cells = 40});
    draw_samples(93, -0.3, 0.3);
    net_forward(net, N, x, y);
    cr_assert(kan_grid_cover(net, N, x, &cover, NULL) == KAN_OK);
    net_forward(net, N, x, other);
    const double change = largest_difference(N, y, other);
    cr_assert(change > 0.0 && change < 1e-6, "%g", change);
    kan_net_free(net);
}

Test(grid, cover_stretches_curves_with_their_grids) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {1, 1}, .base = KAN_BASE_ZERO}, false,
                                    94);
    const kan_edge edge = {0, 0, 0};
    double t[5] = {-1.0, -0.4, 0.1, 0.7, 1.0}, before[5], after[5];
    kan_net_edge_curve(net, edge, 5, t, before);
    for (size_t s = 0; s < N; ++s) x[s] = 5.0 + 2.0 * (double)s / (N - 1); /* 5 to 7 */
    cr_assert(kan_grid_cover(net, N, x,
                             &(kan_grid_cover_options){.least = 2.0, .grid_eps = 1.0, .stretch = true},
                             NULL) == KAN_OK);
    for (size_t j = 0; j < 5; ++j) t[j] += 6.0;
    kan_net_edge_curve(net, edge, 5, t, after);
    cr_assert(largest_difference(5, before, after) < 1e-13 && before[1] != before[2]);
    kan_net_free(net);
}

Test(grid, cover_leaves_the_net_when_a_value_is_not_finite) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 1}}, false, 95);
    kan_error error;
    draw_samples(96, 3.0, 4.0);
    x[2 * N - 1] = INFINITY;
    cr_assert(kan_grid_cover(net, N, x, &cover, &error) == KAN_ENONFINITE &&
              strstr(error.message, "node 1"));
    const kan_basis b = kan_net_basis(net, 0, 0);
    cr_assert(grid_lo(&b) == -1.0 && grid_hi(&b) == 1.0);
    kan_net_free(net);
}

/* ---- raise --------------------------------------------------------------------------------------- */

Test(grid, raise_keeps_polynomials) {
    /* on one cell a spline is a polynomial, which every higher degree has too; base functions stay */
    kan_net *net = net_with_entropy(
        &(kan_net_config){.width = {2, 2, 1}, .n_cells = 1, .lo = -3.0, .hi = 3.0}, false, 97);
    kan_net_remove_edge(net, (kan_edge){0, 1, 0});
    draw_samples(98, -1.0, 1.0);
    net_forward(net, N, x, y);
    for (size_t degree = 4; degree <= KAN_MAX_DEGREE; ++degree) {
        kan_net *raised = kan_grid_raise(net, degree, NULL);
        cr_assert(raised && kan_net_get_config(raised)->degree == degree);
        cr_assert(kan_net_has_edge(raised, (kan_edge){0, 1, 0}) == false);
        net_forward(raised, N, x, other);
        const double change = largest_difference(N, y, other);
        /* the basis functions of high degrees on one cell are nearly dependent, and the ridge of the fit shows */
        cr_assert(change < (degree < 7 ? 1e-9 : 1e-6), "degree %zu: %g", degree, change);
        kan_net_free(raised);
    }
    kan_net_free(net);
}

Test(grid, raise_comes_close_to_smooth_curves_and_refuses_degrees) {
    kan_net *net = smooth_net(&(kan_net_config){.width = {2, 3, 1}, .n_cells = 12});
    kan_error error;
    draw_samples(99, -1.0, 1.0);
    net_forward(net, N, x, y);
    kan_net *raised = kan_grid_raise(net, 5, NULL);
    net_forward(raised, N, x, other);
    const double change = largest_difference(N, y, other);
    cr_assert(change > 0.0 && change < 1e-3, "%g", change);
    cr_assert(kan_grid_raise(net, 8, &error) == NULL && error.status == KAN_ECONFIG);
    cr_assert(kan_grid_raise(net, 0, &error) == NULL && error.status == KAN_ECONFIG);
    kan_net_free(raised);
    kan_net_free(net);
}
