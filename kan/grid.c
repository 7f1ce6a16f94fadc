/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/grid.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "kan/net_private.h"
#include "splines/spline.h"

/* Samples are pushed through the net in blocks of this many. */
enum { BLOCK = 1024 };

/* ---- refitting the curves of one node ----------------------------------------------------------- */

/* Besides the samples, every new cell has degree + 1 points at which the old curve is to be kept: as
 * many as determine a polynomial of that degree. They weigh so little that samples decide wherever
 * there are any. */
static const double cell_point_weight = 1e-3;

/* Old curves of all edges that leave a node, at the points x [n]: y [n][n_out]. */
static void old_curves(const kan_basis *old, const double *coef, size_t n_out, size_t n,
                       const double *x, double *y) {
    double values[KAN_MAX_DEGREE + 1];
    for (size_t s = 0; s < n; ++s) {
        const size_t first = kan_basis_eval(old, x[s], values, NULL, NULL);
        for (size_t o = 0; o < n_out; ++o) {
            double sum = 0.0;
            for (size_t r = 0; r <= old->degree; ++r) sum += values[r] * coef[(first + r) * n_out + o];
            y[s * n_out + o] = sum;
        }
    }
}

/* Points and weights of a refit: x_data [n_data], then the points of every cell of the new grid. */
static void fit_points(const kan_basis *b, size_t n_data, const double *x_data, double *x,
                       double *weight) {
    for (size_t s = 0; s < n_data; ++s) x[s] = x_data[s], weight[s] = 1.0;
    const double light = cell_point_weight * fmax(1.0, (double)n_data / (double)b->n_cells);
    const size_t per_cell = b->degree + 1;
    for (size_t c = 0; c < b->n_cells; ++c) {
        const double *t = b->knots + b->degree + c;
        for (size_t j = 0; j < per_cell; ++j) {
            *(x + n_data + c * per_cell + j) = t[0] +
                                               (t[1] - t[0]) * ((double)j + 0.5) / (double)per_cell;
            *(weight + n_data + c * per_cell + j) = light;
        }
    }
}

/* Coefficients new_coef [new n_basis][n_out] of the spline on the new grid that is nearest to the old
 * one. */
static kan_status refit(const kan_basis *old, const double *old_coef, const kan_basis *new,
                        size_t n_data, const double *x_data, size_t n_out, double *new_coef,
                        kan_error *error) {
    const size_t n = n_data + new->n_cells *(new->degree + 1);
    double *x = kan_work_alloc(kan_work_product(n, 2 + n_out));
    if (!x) return kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    double *weight = x + n, *y = weight + n;
    fit_points(new, n_data, x_data, x, weight);
    old_curves(old, old_coef, n_out, n, x, y);
    for (size_t j = 0; j < (new->n_cells + new->degree) * n_out; ++j) new_coef[j] = 0.0;
    const kan_status status = kan_spline_fit(new, n, x, weight, n_out, y, new_coef, error);
    kan_work_free(x);
    return status;
}

/* Removed edges are zero to the bit, whatever the fit left of them. */
static void clear_removed(const kan_net *net, size_t l, size_t i) {
    const layer *a = &net->layers[l];
    double *coef = a->theta + i * layer_input_size(a);
    for (size_t o = 0; o < a->n_out; ++o)
        for (size_t b = 0; b < layer_n_basis(a) && !net->edges[l][i * a->n_out + o]; ++b)
            coef[b * a->n_out + o] = 0.0;
}

/* Gives node i below layer l new knots and refits its curves, at the samples x_data [n_data] of the
 * node. */
static kan_status move_grid(kan_net *net, size_t l, size_t i, const double *knots, size_t n_data,
                            const double *x_data, kan_error *error) {
    const layer *a = &net->layers[l];
    const size_t n_basis = layer_n_basis(a), n_coef = n_basis * a->n_out;
    double *coef = a->theta + i * layer_input_size(a);
    double *cells = kan_work_alloc(kan_basis_cells_size(a->degree, a->n_cells)),
           *new_coef = kan_work_alloc(n_coef);
    kan_status status = KAN_ENOMEM;
    net_swap_kept(net, l, i); /* splines that are set aside move along */
    if (!cells || !new_coef) goto done;
    status = kan_basis_build(a->degree, a->n_cells, knots, cells, error);
    if (status != KAN_OK) goto done;
    const kan_basis moved = kan_basis_view(a->degree, a->n_cells, knots, cells);
    status = refit(&a->basis[i], coef, &moved, n_data, x_data, a->n_out, new_coef, error);
    if (status != KAN_OK) goto done;
    memcpy(coef, new_coef, n_coef * sizeof *coef);
    clear_removed(net, l, i);
    net_copy_grid(net, l, i, &moved);
done:
    net_swap_kept(net, l, i);
    kan_work_free(new_coef);
    kan_work_free(cells);
    return status == KAN_ENOMEM ? kan_status_fail(error, status, "grid: out of memory") : status;
}

/* ---- node values of samples --------------------------------------------------------------------- */

/* The values of the nodes of the next level, y [n][n_nodes], block by block. */
static kan_status push_forward(const kan_net *net, size_t l, size_t n, const double *x, double *y) {
    const layer *a = &net->layers[l];
    const size_t block = n < BLOCK ? n : BLOCK, n_nodes = net_n_nodes(&net->config, l + 1);
    double *memory = kan_work_alloc(layer_trace_size(a, block)),
           *sub = kan_work_alloc(block * a->n_out);
    kan_status status = KAN_ENOMEM;
    if (!memory || !sub) goto done;
    for (size_t begin = 0; begin < n; begin += block) {
        const size_t size = n - begin < block ? n - begin : block;
        net_layer_forward(net, l, size, x + begin * a->n_in, sub, memory, NULL);
        net_multiply(&net->config, l + 1, size, sub, y + begin * n_nodes);
    }
    status = KAN_OK;
done:
    kan_work_free(sub);
    kan_work_free(memory);
    return status;
}

/* Samples on their way up: values of the nodes of one level, and room for the next. */
typedef struct walk {
    const kan_net *net;
    size_t n;
    double *memory, *here, *next; /* here [n][nodes of the level] */
} walk;

static kan_status walk_start(walk *w, const kan_net *net, size_t n, const double *x, kan_error *error) {
    size_t widest = 0;
    for (size_t level = 0; level < net->n_layers; ++level)
        widest = net->layers[level].n_in > widest ? net->layers[level].n_in : widest;
    *w = (walk){
        .net = net, .n = n, .memory = kan_work_alloc(kan_work_product(kan_work_product(n, widest), 2))};
    if (!w->memory) return kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    w->here = w->memory, w->next = w->memory + n * widest;
    memcpy(w->here, x, n * net->model.n_in * sizeof *x);
    return KAN_OK;
}

/* From the inputs of layer l to those of layer l + 1; after the last layer there is nowhere to go. */
static kan_status walk_up(walk *w, size_t l, kan_error *error) {
    if (l + 1 == w->net->n_layers) return KAN_OK;
    double *next = w->next;
    const kan_status status = push_forward(w->net, l, w->n, w->here, next);
    w->next = w->here, w->here = next;
    return status == KAN_OK ? KAN_OK : kan_status_fail(error, status, "grid: out of memory");
}

static void walk_end(walk *w) {
    kan_work_free(w->memory);
}

double *net_node_values(const kan_net *net, size_t level, size_t n, const double *x, kan_error *error) {
    walk w;
    kan_status status = walk_start(&w, net, n, x, error);
    for (size_t l = 0; l < level && status == KAN_OK; ++l) status = walk_up(&w, l, error);
    double *values = status == KAN_OK ? kan_work_alloc(n * net->layers[level].n_in) : NULL;
    if (values) memcpy(values, w.here, n * net->layers[level].n_in * sizeof *values);
    if (!values && status == KAN_OK) kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    if (w.memory) walk_end(&w);
    return values;
}

/* ---- moving grids to the data ------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values of node i below layer l, from those of all its nodes, z [n][n_in]. */
static kan_status take_node(size_t l, size_t n_in, size_t i, size_t n, const double *z, double *values,
                            kan_error *error) {
    for (size_t s = 0; s < n; ++s) {
        values[s] = z[s * n_in + i];
        if (!isfinite(values[s]))
            return kan_status_fail(error, KAN_ENONFINITE,
                                   "grid: node %zu below layer %zu is %g for sample %zu", i, l,
                                   values[s], s);
    }
    return KAN_OK;
}

/* All grids below layer l, from the node values z [n][n_in]. */
static kan_status update_layer(kan_net *net, size_t l, size_t n, const double *z, double grid_eps,
                               kan_error *error) {
    const layer *a = &net->layers[l];
    double *sorted = kan_work_alloc(n), *knots = kan_work_alloc(kan_knots_count(a->degree, a->n_cells));
    kan_status status = sorted && knots ? KAN_OK
                                        : kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    for (size_t i = 0; i < a->n_in && status == KAN_OK; ++i) {
        status = take_node(l, a->n_in, i, n, z, sorted, error);
        if (status != KAN_OK) break;
        qsort(sorted, n, sizeof *sorted, compare_doubles);
        kan_knots_adapt(a->degree, a->n_cells, n, sorted, grid_eps, knots);
        const char *wrong = kan_knots_check(a->degree, a->n_cells, knots);
        status = wrong ? kan_status_fail(error, KAN_ENONFINITE, "grid: node %zu below layer %zu: %s", i,
                                         l, wrong)
                       : move_grid(net, l, i, knots, n, sorted, error);
    }
    kan_work_free(knots);
    kan_work_free(sorted);
    return status;
}

/* How grids are moved: towards quantiles by grid_eps, or, where `cover` is not NULL, by that. */
typedef struct movement {
    double grid_eps;
    const kan_grid_cover_options *cover;
} movement;

/* A new grid for one node with the given values [n], if it needs one; they are sorted then, and the ends moved. */
static kan_status cover_node(kan_net *net, size_t l, size_t i, size_t n, double *values,
                             const kan_grid_cover_options *o, double *knots, kan_error *error) {
    const layer *a = &net->layers[l];
    const double *old = a->basis[i].knots + a->degree;
    qsort(values, n, sizeof *values, compare_doubles);
    const double width = values[n - 1] - values[0];
    const bool inside = values[0] >= old[0] && values[n - 1] <= old[a->n_cells];
    if (inside && width >= o->least * (old[a->n_cells] - old[0])) return KAN_OK;
    values[0] -= o->margin * width, values[n - 1] += o->margin * width;
    kan_knots_adapt(a->degree, a->n_cells, n, values, o->grid_eps, knots);
    const char *wrong = kan_knots_check(a->degree, a->n_cells, knots);
    if (wrong)
        return kan_status_fail(error, KAN_ENONFINITE, "grid: node %zu below layer %zu: %s", i, l,
                               wrong);
    return o->stretch ? net_set_knots(net, l, i, knots, error)
                      : move_grid(net, l, i, knots, n, values, error);
}

static kan_status cover_layer(kan_net *net, size_t l, size_t n, const double *z,
                              const kan_grid_cover_options *o, kan_error *error) {
    const layer *a = &net->layers[l];
    double *values = kan_work_alloc(n), *knots = kan_work_alloc(kan_knots_count(a->degree, a->n_cells));
    kan_status status = values && knots ? KAN_OK
                                        : kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    for (size_t i = 0; i < a->n_in && status == KAN_OK; ++i) {
        status = take_node(l, a->n_in, i, n, z, values, error);
        if (status == KAN_OK) status = cover_node(net, l, i, n, values, o, knots, error);
    }
    kan_work_free(knots);
    kan_work_free(values);
    return status;
}

/* The grids below the first n_layers layers. */
static kan_status move_layers(kan_net *net, size_t n_layers, size_t n, const double *x,
                              const movement *how, kan_error *error) {
    walk w;
    kan_status status = walk_start(&w, net, n, x, error);
    for (size_t l = 0; l < n_layers && status == KAN_OK; ++l) {
        if (!how->cover)
            status = update_layer(net, l, n, w.here, how->grid_eps, error);
        else if (l >= how->cover->first)
            status = cover_layer(net, l, n, w.here, how->cover, error);
        if (status == KAN_OK) status = walk_up(&w, l, error);
    }
    walk_end(&w);
    return status;
}

/* Takes grids and parameters over from a copy of the same shape. */
static void adopt(kan_net *net, const kan_net *from) {
    for (size_t l = 0; l < net->n_layers; ++l) {
        layer *a = &net->layers[l];
        memcpy(a->theta, from->layers[l].theta, a->n_in * layer_input_size(a) * sizeof *a->theta);
        for (size_t i = 0; i < a->n_in; ++i) net_copy_grid(net, l, i, &from->layers[l].basis[i]);
    }
    if (net->n_symbolic > 0) memcpy(net->kept, from->kept, net->n_spline * sizeof *net->kept);
}

/* On a copy, so that a failure half-way leaves the net as it was. */
static kan_status move_on_a_copy(kan_net *net, size_t n_layers, size_t n, const double *x,
                                 const movement *how, kan_error *error) {
    assert(n > 0);
    kan_net *copy = kan_net_copy(net);
    if (!copy) return kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    const kan_status status = move_layers(copy, n_layers, n, x, how, error);
    if (status == KAN_OK) adopt(net, copy);
    kan_net_free(copy);
    return status;
}

kan_status kan_grid_update(kan_net *net, size_t n, const double *x, double grid_eps, kan_error *error) {
    return move_on_a_copy(net, net->n_layers, n, x, &(movement){.grid_eps = grid_eps}, error);
}

kan_status kan_grid_update_inputs(kan_net *net, size_t n, const double *x, double grid_eps,
                                  kan_error *error) {
    return move_on_a_copy(net, 1, n, x, &(movement){.grid_eps = grid_eps}, error);
}

kan_status kan_grid_cover(kan_net *net, size_t n, const double *x,
                          const kan_grid_cover_options *options, kan_error *error) {
    return move_on_a_copy(net, net->n_layers, n, x, &(movement){.cover = options}, error);
}

kan_status kan_grid_set(kan_net *net, size_t l, size_t in, const double *breakpoints,
                        kan_error *error) {
    const layer *a = &net->layers[l];
    double *knots = kan_work_alloc(kan_knots_count(a->degree, a->n_cells));
    if (!knots) return kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    kan_knots_extend(a->degree, a->n_cells, breakpoints, knots);
    const char *wrong = kan_knots_check(a->degree, a->n_cells, knots);
    const kan_status status = wrong ? kan_status_fail(error, KAN_ECONFIG, "grid: %s", wrong)
                                    : move_grid(net, l, in, knots, 0, NULL, error);
    kan_work_free(knots);
    return status;
}

/* ---- refining ----------------------------------------------------------------------------------- */

/* Breakpoints of n_cells cells with the density of the old ones: the piecewise linear map from cell
 * number to breakpoint, sampled anew. */
static void resample_knots(const kan_basis *old, size_t n_cells, double *knots) {
    const double *t = old->knots + old->degree;
    double *u = knots + old->degree;
    for (size_t i = 0; i <= n_cells; ++i) {
        const double position = (double)i / (double)n_cells * (double)old->n_cells;
        size_t c = (size_t)position;
        c = c < old->n_cells ? c : old->n_cells - 1;
        u[i] = t[c] + (t[c + 1] - t[c]) * (position - (double)c);
    }
    u[n_cells] = t[old->n_cells];
    kan_knots_extend(old->degree, n_cells, u, knots);
}

/* Node i below layer l of the fine net: its knots, and the curves of the coarse net on them. */
static kan_status refine_node(const kan_net *net, kan_net *fine, size_t l, size_t i, kan_error *error) {
    const layer *a = &net->layers[l], *b = &fine->layers[l];
    const double *coef = a->theta + i * layer_input_size(a);
    double *fine_coef = b->theta + i * layer_input_size(b);
    const size_t base_row = layer_n_basis(a) * a->n_out, fine_base_row = layer_n_basis(b) * b->n_out;
    double *knots = b->knots + i * kan_knots_count(b->degree, b->n_cells);
    const bool splits = b->n_cells % a->n_cells == 0, nests = splits && a->degree == b->degree;
    if (splits && b->degree != a->degree) /* another degree on the same grid */
        kan_knots_extend(b->degree, b->n_cells, a->basis[i].knots + a->degree, knots);
    else if (splits)
        kan_knots_split(a->degree, a->n_cells, a->basis[i].knots, b->n_cells, knots);
    else
        resample_knots(&a->basis[i], b->n_cells, knots);
    const char *wrong = kan_knots_check(b->degree, b->n_cells, knots);
    if (wrong) return kan_status_fail(error, KAN_ECONFIG, "grid: too fine: %s", wrong);
    kan_status status = net_set_knots(fine, l, i, knots, error);
    if (status != KAN_OK) return status;
    if (nests)
        kan_spline_refine(&a->basis[i], coef, &b->basis[i], fine_coef, a->n_out);
    else
        status = refit(&a->basis[i], coef, &b->basis[i], 0, NULL, a->n_out, fine_coef, error);
    memcpy(fine_coef + fine_base_row, coef + base_row, a->n_out * sizeof *coef);
    clear_removed(fine, l, i);
    return status;
}

/* An edge's spline is trainable in the fine net where any of its coefficients was. */
static void copy_trainable(const kan_net *net, kan_net *fine, size_t l) {
    const layer *a = &net->layers[l];
    const uint8_t *entry = net->trainable + (a->theta - net->model.theta);
    const size_t n_basis = layer_n_basis(a);
    for (size_t i = 0; i < a->n_in; ++i, entry += layer_input_size(a))
        for (size_t o = 0; o < a->n_out; ++o) {
            bool spline = false;
            for (size_t b = 0; b < n_basis; ++b) spline = spline || entry[b * a->n_out + o];
            kan_net_set_trainable(fine, (kan_edge){l, i, o}, KAN_PART_SPLINE, spline);
            kan_net_set_trainable(fine, (kan_edge){l, i, o}, KAN_PART_BASE,
                                  entry[n_basis * a->n_out + o]);
        }
}

/* A net of splines on other grids, in another degree: config has n_cells and degree. */
static kan_net *express_splines(const kan_net *net, const kan_net_config *config, kan_error *error) {
    kan_net *fine = net_alloc_empty(config);
    kan_status status = fine ? KAN_OK : kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    if (fine) fine->penalty = net->penalty;
    for (size_t l = 0; status == KAN_OK && l < net->n_layers; ++l) {
        memcpy(fine->edges[l], net->edges[l], net->layers[l].n_in * net->layers[l].n_out);
        for (size_t i = 0; i < net->layers[l].n_in && status == KAN_OK; ++i)
            status = refine_node(net, fine, l, i, error);
        if (status == KAN_OK) copy_trainable(net, fine, l);
    }
    if (status == KAN_OK) return fine;
    kan_net_free(fine);
    return NULL;
}

/* The same of any net: its splines with those that are set aside, and then its symbolic edges. */
static kan_net *express(const kan_net *net, const kan_net_config *config, kan_error *error) {
    if (net->n_symbolic == 0) return express_splines(net, config, error);
    kan_net *splines = kan_net_copy(net), *fine = NULL;
    while (splines && splines->n_symbolic > 0)
        kan_net_unset_symbolic(splines, splines->symbolic[0].edge);
    if (!splines)
        kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    else
        fine = express_splines(splines, config, error);
    kan_net_free(splines);
    if (!fine || net_transfer_symbolic(net, fine) == KAN_OK) return fine;
    kan_net_free(fine);
    kan_status_fail(error, KAN_ENOMEM, "grid: out of memory");
    return NULL;
}

kan_net *kan_grid_refine(const kan_net *net, size_t n_cells, kan_error *error) {
    kan_net_config config = net->config;
    config.n_cells = n_cells;
    if (n_cells == 0 || n_cells > KAN_MAX_CELLS || kan_net_check(&config)) {
        kan_status_fail(error, KAN_ECONFIG, "grid: %zu cells are not 1 to %d", n_cells, KAN_MAX_CELLS);
        return NULL;
    }
    return express(net, &config, error);
}

kan_net *kan_grid_raise(const kan_net *net, size_t degree, kan_error *error) {
    kan_net_config config = net->config;
    config.degree = degree;
    if (degree == 0 || kan_net_check(&config)) {
        kan_status_fail(error, KAN_ECONFIG, "grid: degree %zu is not 1 to %d", degree, KAN_MAX_DEGREE);
        return NULL;
    }
    return express(net, &config, error);
}

/* ---- samples outside ---------------------------------------------------------------------------- */

static void count_layer(const layer *a, size_t n, const double *z, size_t *counts) {
    for (size_t i = 0; i < a->n_in; ++i) {
        const double *t = a->basis[i].knots + a->degree;
        counts[i] = 0;
        for (size_t s = 0; s < n; ++s) {
            const double x = z[s * a->n_in + i];
            counts[i] += !(x >= t[0] && x <= t[a->n_cells]);
        }
    }
}

kan_status kan_grid_outside(const kan_net *net, size_t n, const double *x, size_t *counts,
                            kan_error *error) {
    walk w;
    kan_status status = walk_start(&w, net, n, x, error);
    for (size_t l = 0; l < net->n_layers && status == KAN_OK; ++l) {
        count_layer(&net->layers[l], n, w.here, counts);
        counts += net->layers[l].n_in;
        status = walk_up(&w, l, error);
    }
    walk_end(&w);
    return status;
}
