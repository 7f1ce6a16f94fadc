/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/net.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/random.h"
#include "core/work.h"
#include "kan/init.h"
#include "kan/net_private.h"
#include "kan/penalty.h"
#include "kan/scales.h"
#include "kan/symbolic_edges.h"
#include "splines/spline.h"

/* ---- configuration ------------------------------------------------------------------------------ */

size_t net_n_nodes(const kan_net_config *config, size_t level) {
    return config->width[level] + config->mult[level];
}

size_t net_n_sub(const kan_net_config *config, size_t level) {
    return config->width[level] + config->mult[level] * config->arity[level];
}

size_t net_node_of(const kan_net_config *config, size_t level, size_t sub) {
    const size_t n_add = config->width[level];
    return sub < n_add ? sub : n_add + (sub - n_add) / config->arity[level];
}

static size_t count_levels(const kan_net_config *config) {
    size_t n = 0;
    while (n <= KAN_MAX_LEVELS && (config->width[n] > 0 || config->mult[n] > 0)) ++n;
    return n;
}

static kan_net_config with_defaults(const kan_net_config *config) {
    kan_net_config c = *config;
    for (size_t level = 0; level <= KAN_MAX_LEVELS; ++level)
        if (c.arity[level] == 0) c.arity[level] = 2;
    if (c.n_cells == 0) c.n_cells = 5;
    if (c.degree == 0) c.degree = 3;
    if (c.lo == c.hi) c.lo = -1.0, c.hi = 1.0;
    if (c.noise == 0.0) c.noise = 0.3;
    if (c.power_base == 0.0) c.power_base = 0.25;
    if (c.power_spline == 0.0) c.power_spline = 1.75;
    return c;
}

/* a + b, or SIZE_MAX where that overflows. */
static size_t sum(size_t a, size_t b) {
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* Parameters of a net, SIZE_MAX where their number overflows. */
static size_t count_params(const kan_net_config *c) {
    const size_t rows = sum(c->n_cells, sum(c->degree, 1)), n_levels = count_levels(c);
    size_t n = 0;
    for (size_t level = 0; level + 1 < n_levels; ++level) {
        const size_t factors = kan_work_product(c->mult[level + 1], c->arity[level + 1]);
        const size_t n_in = sum(c->width[level], c->mult[level]),
                     n_sub = sum(c->width[level + 1], factors);
        n = sum(n, kan_work_product(kan_work_product(n_in, n_sub), rows));
    }
    return n;
}

/* Whether cells on [lo, hi] are wide enough to be told apart (twice what kan_knots_check wants), and
 * the knots beyond the ends are finite. */
static bool has_room(const kan_net_config *c) {
    const double far = fmax(fabs(c->lo), fabs(c->hi)), width = (c->hi - c->lo) / (double)c->n_cells;
    return width > 16.0 * DBL_EPSILON * far + DBL_MIN && isfinite(far + width * (KAN_MAX_DEGREE + 1));
}

const char *kan_net_check(const kan_net_config *config) {
    enum { MAX_NODES = 1 << 20 };
    const kan_net_config c = with_defaults(config);
    const size_t n_levels = count_levels(&c);
    if (n_levels < 2) return "a network needs at least an input and an output level";
    if (n_levels > KAN_MAX_LEVELS) return "a network has at most 17 levels";
    if (c.mult[0] > 0) return "the input level cannot multiply";
    for (size_t level = 0; level < n_levels; ++level) {
        if (c.width[level] > MAX_NODES || c.mult[level] > MAX_NODES) return "a level is too wide";
        if (c.mult[level] > 0 && (c.arity[level] < 2 || c.arity[level] > 16))
            return "multiplying nodes take 2 to 16 factors";
    }
    if (c.degree > KAN_MAX_DEGREE) return "the degree must be 1 to 7";
    if (c.n_cells > KAN_MAX_CELLS) return "the number of cells must be 1 to 100000";
    if (!isfinite(c.lo) || !isfinite(c.hi) || !(c.lo < c.hi)) return "the grid must have lo < hi";
    if (!has_room(&c)) return "the grid is too narrow, or too wide, for its cells";
    if ((unsigned)c.base >= KAN_N_BASES) return "unknown base function";
    if ((unsigned)c.init >= KAN_N_INITS) return "unknown initialisation";
    if ((unsigned)c.precision >= KAN_N_PRECISIONS) return "unknown precision";
    if (!isfinite(c.noise) || !isfinite(c.power_base) || !isfinite(c.power_spline))
        return "the spread of the initial parameters must be finite";
    if (count_params(&c) > SIZE_MAX / 64) return "the network has too many parameters";
    return NULL;
}

size_t kan_net_count(const kan_net_config *config) {
    const kan_net_config c = with_defaults(config);
    return count_params(&c);
}

/* ---- the contract: forward and backward --------------------------------------------------------- */

/* Where a batch keeps its numbers; level l = 0 .. n_layers, x being level 0. */
typedef struct layout {
    double *traces[KAN_MAX_LEVELS - 1]; /* of the layers (layer.h) */
    double *sub[KAN_MAX_LEVELS];   /* [batch][n_sub] outputs of layer l-1, where level l multiplies */
    double *nodes[KAN_MAX_LEVELS]; /* [batch][n_nodes] of the hidden levels                         */
    double *d_nodes, *d_sub;       /* [batch][widest level] gradients on their way down             */
    double *d_below;
    double *values;   /* [n_symbolic][batch] f of the symbolic edges        */
    double *partials; /* of their gradients, see kan/symbolic_edges.h       */
    double *x;        /* [batch][n_in], for a penalty of edge scales        */
    double *scales;   /* and its scratch, see kan/scales.h                  */
    size_t size;      /* doubles */
} layout;

static bool multiplies(const kan_net *net, size_t level) {
    return net->config.mult[level] > 0;
}

static double *take(double *memory, size_t *used, size_t n) {
    double *slice = memory ? memory + *used : NULL;
    *used += (n + 7) / 8 * 8; /* every slice starts a cache line */
    return slice;
}

/* Called with NULL to measure and with the work to bind. */
static layout lay_out(const kan_net *net, size_t batch, double *work) {
    layout w = {.size = 0};
    size_t widest = 0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const size_t size = net->idle[l] ? 0 : layer_trace_size(&net->layers[l], batch);
        w.traces[l] = take(work, &w.size, size);
    }
    for (size_t level = 1; level <= net->n_layers; ++level) {
        const size_t n_sub = net_n_sub(&net->config, level), n_nodes = net_n_nodes(&net->config, level);
        if (multiplies(net, level)) w.sub[level] = take(work, &w.size, batch * n_sub);
        if (level < net->n_layers) w.nodes[level] = take(work, &w.size, batch * n_nodes);
        widest = n_sub > widest ? n_sub : widest;
    }
    w.d_nodes = take(work, &w.size, batch * widest);
    w.d_below = take(work, &w.size, batch * widest);
    w.d_sub = take(work, &w.size, batch * widest);
    w.values = take(work, &w.size, net->n_symbolic * batch);
    w.partials = take(work, &w.size, symbolic_partials_size(net, batch));
    const size_t scales = scales_size(net, batch);
    w.x = scales > 0 ? take(work, &w.size, batch * net->model.n_in) : NULL;
    w.scales = take(work, &w.size, scales);
    return w;
}

static size_t work_size(const void *self, size_t batch) {
    return lay_out(self, batch, NULL).size;
}

void net_layer_forward(const kan_net *net, size_t l, size_t batch, const double *x, double *y,
                       double *trace, double *values) {
    if (net->idle[l])
        symbolic_start(net, l, batch, x, y);
    else
        layer_forward(&net->layers[l], batch, x, y, trace);
    if (net->before[l] < net->before[l + 1]) symbolic_forward(net, l, batch, x, y, values);
}

/* Values of the nodes of level l + 1 from those of level l. */
static void forward_level(const kan_net *net, size_t l, size_t batch, const double *x, double *y,
                          layout *w) {
    double *sub = multiplies(net, l + 1) ? w->sub[l + 1] : y;
    net_layer_forward(net, l, batch, x, sub, w->traces[l], w->values);
    if (sub != y) net_multiply(&net->config, l + 1, batch, sub, y);
}

static void forward(const void *self, size_t batch, const double *x, double *y, double *work) {
    const kan_net *net = self;
    layout w = lay_out(net, batch, work);
    if (w.x) memcpy(w.x, x, batch * net->model.n_in * sizeof *x);
    for (size_t l = 0; l < net->n_layers; ++l)
        forward_level(net, l, batch, l == 0 ? x : w.nodes[l],
                      l + 1 == net->n_layers ? y : w.nodes[l + 1], &w);
}

/* The way back through one layer. The traces hold what splines need of x [batch][n_in]. */
static void backward_layer(const kan_net *net, size_t l, size_t batch, const double *x,
                           const double *d_sub, bool set, double *grad, double *dx, const layout *w) {
    const layer *a = &net->layers[l];
    double *own = grad + (a->theta - net->model.theta);
    if (!net->idle[l]) {
        layer_backward(a, batch, d_sub, w->traces[l], set, own, dx);
    } else {
        if (set) memset(own, 0, a->n_in * layer_input_size(a) * sizeof *own);
        if (dx) memset(dx, 0, batch * a->n_in * sizeof *dx);
    }
    if (net->before[l] < net->before[l + 1])
        symbolic_backward(net, l, batch, x, d_sub, w->values, w->partials, set, grad, dx);
}

static void backward_pass(const kan_net *net, size_t batch, const double *x, const double *dy, bool set,
                          double *grad, double *dx, double *work) {
    layout w = lay_out(net, batch, work);
    const double *d_nodes = dy;
    for (size_t l = net->n_layers; l-- > 0;) {
        const double *d_sub = d_nodes;
        if (multiplies(net, l + 1)) {
            net_multiply_backward(&net->config, l + 1, batch, w.sub[l + 1], d_nodes, w.d_sub);
            d_sub = w.d_sub;
        }
        double *below = l > 0 ? w.d_below : dx;
        backward_layer(net, l, batch, l > 0 ? w.nodes[l] : x, d_sub, set, grad, below, &w);
        /* what was computed below becomes what is read next */
        w.d_below = w.d_nodes, w.d_nodes = below;
        d_nodes = below;
    }
}

static void backward(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work) {
    backward_pass(self, batch, x, dy, false, grad, dx, work);
}

static void gradient(const void *self, size_t batch, const double *x, const double *dy, double *grad,
                     double *dx, double *work) {
    backward_pass(self, batch, x, dy, true, grad, dx, work);
}

static double penalty(const void *self, size_t batch, double weight, double *grad, double *work) {
    const kan_net *net = self;
    const double value = penalty_of_theta(net, weight, grad);
    if (scales_size(net, batch) == 0) return value;
    const layout w = lay_out(net, batch, work);
    return value + scales_penalty(net, batch, w.x, weight, grad, w.scales);
}

static void penalty_hessian(const void *self, size_t batch, double weight, double *hessian,
                            double *work) {
    const kan_net *net = self;
    penalty_hessian_of_theta(net, weight, hessian);
    if (scales_size(net, batch) == 0) return;
    const layout w = lay_out(net, batch, work);
    scales_hessian(net, batch, w.x, weight, hessian, w.scales);
}

static const kan_model_ops ops = {.name = "kan",
                                  .work_size = work_size,
                                  .forward = forward,
                                  .backward = backward,
                                  .penalty = penalty,
                                  .penalty_hessian = penalty_hessian,
                                  .gradient = gradient,
                                  .jacobian_runs = net_jacobian_runs,
                                  .jacobian_work_size = net_jacobian_work_size,
                                  .jacobian = net_jacobian,
                                  .save = net_save};

/* ---- construction ------------------------------------------------------------------------------- */

/* Points the layers into net->memory: theta first, of all layers and of symbolic edges, then knots and
 * cells. */
static void bind_layers(kan_net *net) {
    double *at = net->memory;
    net->model.theta = at;
    kan_basis *basis = net->bases;
    for (size_t l = 0; l < net->n_layers; ++l) {
        net->layers[l].theta = at;
        at += net->layers[l].n_in * layer_input_size(&net->layers[l]);
    }
    at += SYMBOLIC_PARAMS * net->room;
    for (size_t l = 0; l < net->n_layers; ++l) {
        layer *a = &net->layers[l];
        a->knots = at, at += a->n_in * kan_knots_count(a->degree, a->n_cells);
        a->cells = at, at += a->n_in * kan_basis_cells_size(a->degree, a->n_cells);
        a->basis = basis, basis += a->n_in;
    }
}

static size_t memory_size(const kan_net *net) {
    size_t n = net->n_spline + SYMBOLIC_PARAMS * net->room;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        n += a->n_in *
             (kan_knots_count(a->degree, a->n_cells) + kan_basis_cells_size(a->degree, a->n_cells));
    }
    return n;
}

/* All the memory of a net whose layers know their sizes. */
static kan_status alloc_memory(kan_net *net) {
    size_t n_bases = 0;
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        n_bases += a->n_in;
        net->edges[l] = malloc(a->n_in * a->n_out);
        if (!net->edges[l]) return KAN_ENOMEM;
        memset(net->edges[l], EDGE_SPLINE, a->n_in * a->n_out);
    }
    assert(n_bases > 0 && net->model.n_params > 0);
    net->memory = kan_work_alloc(memory_size(net));
    net->bases = calloc(n_bases, sizeof *net->bases);
    net->trainable = malloc(net->model.n_params);
    if (!net->memory || !net->bases || !net->trainable) return KAN_ENOMEM;
    memset(net->trainable, 1, net->model.n_params);
    net->model.trainable = net->trainable;
    bind_layers(net);
    return KAN_OK;
}

kan_status net_set_knots(kan_net *net, size_t l, size_t i, const double *knots, kan_error *error) {
    layer *a = &net->layers[l];
    double *own = a->knots + i * kan_knots_count(a->degree, a->n_cells);
    double *cells = a->cells + i * kan_basis_cells_size(a->degree, a->n_cells);
    if (own != knots) memcpy(own, knots, kan_knots_count(a->degree, a->n_cells) * sizeof *own);
    const kan_status status = kan_basis_build(a->degree, a->n_cells, own, cells, error);
    a->basis[i] = kan_basis_view(a->degree, a->n_cells, own, cells);
    return status;
}

void net_copy_grid(kan_net *net, size_t l, size_t i, const kan_basis *from) {
    layer *a = &net->layers[l];
    const size_t n_knots = kan_knots_count(a->degree, a->n_cells);
    const size_t n_cells = kan_basis_cells_size(a->degree, a->n_cells);
    double *knots = a->knots + i * n_knots, *cells = a->cells + i * n_cells;
    memcpy(knots, from->knots, n_knots * sizeof *knots);
    memcpy(cells, from->cells, n_cells * sizeof *cells);
    a->basis[i] = kan_basis_view(a->degree, a->n_cells, knots, cells);
}

/* Splines that are set aside have places from the first symbolic edge on. */
static kan_status reserve_kept(kan_net *net) {
    if (!net->kept) net->kept = kan_work_alloc(net->n_spline);
    if (!net->kept_trainable) net->kept_trainable = calloc(net->n_spline, 1);
    return net->kept && net->kept_trainable ? KAN_OK : KAN_ENOMEM;
}

kan_status net_reserve_symbolic(kan_net *net, size_t room) {
    if (reserve_kept(net) != KAN_OK) return KAN_ENOMEM;
    if (room <= net->room) return KAN_OK;
    const size_t room_before = net->room, n_params = net->model.n_params;
    net->room = room;
    double *memory = kan_work_alloc(memory_size(net));
    uint8_t *trainable = malloc(net->n_spline + SYMBOLIC_PARAMS * room);
    symbolic_edge *symbolic = malloc(room * sizeof *symbolic);
    if (!memory || !trainable || !symbolic) {
        free(symbolic), free(trainable), kan_work_free(memory);
        net->room = room_before;
        return KAN_ENOMEM;
    }
    memcpy(memory, net->model.theta, n_params * sizeof *memory);
    memcpy(trainable, net->trainable, n_params);
    if (net->n_symbolic > 0) memcpy(symbolic, net->symbolic, net->n_symbolic * sizeof *symbolic);
    double *old = net->memory;
    free(net->trainable), free(net->symbolic);
    net->memory = memory, net->trainable = trainable, net->symbolic = symbolic;
    net->model.trainable = trainable;
    bind_layers(net);
    for (size_t l = 0; l < net->n_layers; ++l) /* the views are of the old memory still */
        for (size_t i = 0; i < net->layers[l].n_in; ++i)
            net_copy_grid(net, l, i, &net->layers[l].basis[i]);
    kan_work_free(old);
    return KAN_OK;
}

/* Every node starts with the same uniform grid: GSL is asked for the first one only. */
static kan_status initial_grids(kan_net *net) {
    const kan_net_config *c = &net->config;
    for (size_t l = 0; l < net->n_layers; ++l) {
        layer *a = &net->layers[l];
        kan_knots_uniform(a->degree, a->n_cells, c->lo, c->hi, a->knots);
        if (net_set_knots(net, l, 0, a->knots, NULL) != KAN_OK) return KAN_ENOMEM;
        for (size_t i = 1; i < a->n_in; ++i) net_copy_grid(net, l, i, &a->basis[0]);
    }
    return KAN_OK;
}

kan_net *net_alloc_empty(const kan_net_config *config) {
    kan_net *net = calloc(1, sizeof *net);
    if (!net) return NULL;
    net->config = with_defaults(config);
    net->penalty.roughness = 1.0;
    net->n_layers = count_levels(&net->config) - 1;
    for (size_t l = 0; l < net->n_layers; ++l)
        net->layers[l] = (layer){.n_in = net_n_nodes(&net->config, l),
                                 .n_out = net_n_sub(&net->config, l + 1),
                                 .degree = net->config.degree,
                                 .n_cells = net->config.n_cells,
                                 .base = net->config.base,
                                 .precision = net->config.precision};
    net->model = (kan_model){.ops = &ops,
                             .self = net,
                             .n_in = net->config.width[0],
                             .n_out = net_n_nodes(&net->config, net->n_layers),
                             .n_params = count_params(&net->config)};
    net->n_spline = net->model.n_params;
    if (alloc_memory(net) == KAN_OK && initial_grids(net) == KAN_OK) return net;
    kan_net_free(net);
    return NULL;
}

kan_net *kan_net_alloc(const kan_net_config *config) {
    assert(!kan_net_check(config));
    kan_net *net = net_alloc_empty(config);
    for (size_t l = 0; net && l < net->n_layers; ++l) {
        kan_random random = kan_random_seed(net->config.seed, l);
        if (init_layer(&net->config, &net->layers[l], &random) != KAN_OK) {
            kan_net_free(net);
            return NULL;
        }
    }
    if (net) /* freezes what can never move */
        kan_net_set_trainable(net, (kan_edge){KAN_EVERY, KAN_EVERY, KAN_EVERY},
                              KAN_PART_BASE | KAN_PART_SPLINE, true);
    return net;
}

/* Room for the symbolic edges of a net, what they are, and the splines they set aside. */
static kan_status copy_symbolic(const kan_net *net, kan_net *copy) {
    if (net_reserve_symbolic(copy, net->n_symbolic) != KAN_OK) return KAN_ENOMEM;
    copy->n_symbolic = net->n_symbolic;
    copy->model.n_params = net->model.n_params;
    memcpy(copy->symbolic, net->symbolic, net->n_symbolic * sizeof *net->symbolic);
    memcpy(copy->kept, net->kept, net->n_spline * sizeof *net->kept);
    memcpy(copy->kept_trainable, net->kept_trainable, net->n_spline);
    return KAN_OK;
}

kan_net *kan_net_copy(const kan_net *net) {
    kan_net *copy = net_alloc_empty(&net->config);
    if (!copy) return NULL;
    if (net->n_symbolic > 0 && copy_symbolic(net, copy) != KAN_OK) {
        kan_net_free(copy);
        return NULL;
    }
    copy->penalty = net->penalty;
    memcpy(copy->model.theta, net->model.theta, net->model.n_params * sizeof *net->model.theta);
    memcpy(copy->trainable, net->trainable, net->model.n_params);
    for (size_t l = 0; l < net->n_layers; ++l) {
        const layer *a = &net->layers[l];
        memcpy(copy->edges[l], net->edges[l], a->n_in * a->n_out);
        for (size_t i = 0; i < a->n_in; ++i) net_copy_grid(copy, l, i, &a->basis[i]);
    }
    net_count_symbolic(copy);
    return copy;
}

void kan_net_free(kan_net *net) {
    if (!net) return;
    for (size_t l = 0; l < net->n_layers; ++l) free(net->edges[l]);
    kan_work_free(net->kept);
    free(net->kept_trainable);
    free(net->symbolic);
    free(net->trainable);
    free(net->bases);
    kan_work_free(net->memory);
    free(net);
}

/* ---- looking at a net --------------------------------------------------------------------------- */

kan_model *kan_net_model(kan_net *net) {
    return &net->model;
}

const kan_net_config *kan_net_get_config(const kan_net *net) {
    return &net->config;
}

void kan_net_set_penalty(kan_net *net, const kan_penalty *p) {
    assert((unsigned)p->metric < KAN_N_SCALES && "a metric that there is");
    net->penalty = *p;
}

const kan_penalty *kan_net_get_penalty(const kan_net *net) {
    return &net->penalty;
}

size_t kan_net_n_layers(const kan_net *net) {
    return net->n_layers;
}

size_t kan_net_n_in(const kan_net *net, size_t l) {
    return net->layers[l].n_in;
}

size_t kan_net_n_out(const kan_net *net, size_t l) {
    return net->layers[l].n_out;
}

kan_basis kan_net_basis(const kan_net *net, size_t l, size_t in) {
    return net->layers[l].basis[in];
}

double *kan_net_layer_theta(kan_net *net, size_t l) {
    return net->layers[l].theta;
}
