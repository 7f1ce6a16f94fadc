/* kan/net.h - Kolmogorov-Arnold networks.
 *
 * A layer bends every input and mixes the results:
 *
 *     y[o] = sum_i phi_io(x[i])
 *     phi_io(x) = base[i][o] b(x) + sum_r coef[i][r][o] B_r(x; knots of i)
 *
 * A level of the network has adding nodes, whose value is one y[o], and multiplying nodes of arity a,
 * whose value is the product of a of the y[o]. The layer below it has so many outputs: n_add + sum of
 * arities, the adding ones first. (Liu et al., KAN: arXiv 2404.19756, eq. 2.10 - 2.12; KAN 2.0: arXiv
 * 2408.10205, section 3.)
 *
 * An edge may be a function of symbolic/function.h instead of a spline:
 *
 *     phi_io(x) = c f(a x + b) + d
 *
 * with four parameters that are trained like all others. They stand in theta behind those of the layers,
 * 4 for each symbolic edge, ascending by (layer, in, out). A net without symbolic edges is what it was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_KAN_NET_H
#define KAN_KAN_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "core/model.h"
#include "core/status.h"
#include "splines/basis.h"
#include "symbolic/function.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { KAN_MAX_LEVELS = 17 }; /* levels of nodes: 16 layers */

/* The base function b of the edges of a KAN. */
typedef enum kan_base { KAN_BASE_SILU = 0, KAN_BASE_IDENTITY, KAN_BASE_ZERO, KAN_N_BASES } kan_base;

/* How parameters start; G = n_cells, k = degree, U and N uniform and normal.
 *
 *   REFERENCE  pykan's: base ~ U(-1, 1) / sqrt(n_in); coef = the spline of smallest coefficients through
 *              noise * U(-1/2, 1/2) / G at the G + 1 breakpoints, over sqrt(n_in)
 *   GLOROT     base ~ N(0, s_r^2), coef ~ N(0, s_b^2), with x uniform on [lo, hi] and gain = sd(x):
 *              s_b^2 = 2 gain^2 / ((G+k+1) (n_in mean B^2 + n_out mean B'^2)), and s_r the same with b
 *   POWER      base ~ N(0, s_r^2), s_r = (n_in (G+k+1))^-power_base; coef the same with power_spline
 *
 * GLOROT and POWER: Rigas et al., arXiv 2509.03417. */
typedef enum kan_init { KAN_INIT_REFERENCE = 0, KAN_INIT_GLOROT, KAN_INIT_POWER, KAN_N_INITS } kan_init;

/* What is asked for. Every zero means the default in brackets. */
typedef struct kan_net_config {
    size_t width[KAN_MAX_LEVELS + 1]; /* adding nodes of each level: {2, 5, 1} */
    size_t mult[KAN_MAX_LEVELS + 1]; /* multiplying nodes; the first level with neither ends the list */
    size_t
        arity[KAN_MAX_LEVELS + 1]; /* factors of a multiplying node                             [2]  */
    size_t n_cells, degree;        /* grid cells and polynomial degree                        [5, 3]  */
    double lo, hi;                 /* the initial grid of every node                        [-1, 1]  */
    kan_base base;                 /* b                                                       [silu]  */
    kan_init init;                 /*                                                    [REFERENCE]  */
    double noise;                  /* of REFERENCE                                             [0.3]  */
    double power_base, power_spline; /* of POWER                                         [0.25, 1.75] */
    kan_precision precision;         /* of what is computed inside, see core/model.h         [double] */
    uint64_t seed;
} kan_net_config;

/* What the penalty of the contract (kan_model_penalty) is, R = sum of these, each with its factor; 0 is without.
 *
 *   roughness  how rough the splines are (kan/penalty.h)
 *   l1         of each layer, sum of the scales v_io of its edges, standard deviations over the batch
 *   entropy    of each layer, -mean_o sum_i p log2(p + 1e-4), p = v_io / (1 + sum_i v_io), and the same by rows
 *   coef       sum_i sum_r mean_o |coef[i][r][o]|
 *   coefdiff   sum_i sum_r mean_o |coef[i][r+1][o] - coef[i][r][o]|, both with |c| = sqrt(c^2 + 1e-10) - 1e-5
 *
 * The last four are those of the reference (KAN: arXiv 2404.19756, eq. 2.17 - 2.20), whose factors are l1 = 1 and
 * entropy = 2. Scales v_io, with s the standard deviation over a batch of two samples or more:
 *
 *   SPLINE      s(phi_io) / (s(x_i) + 0.1), 0 for symbolic edges     "edge_forward_spline_n", the reference's default
 *   EDGE        s(phi_io)                                            "edge_forward_spline_u"
 *   RELATIVE    s(phi_io) / (s(x_i) + 0.1)                           "edge_forward_sum"
 *   ATTRIBUTED  the scores of kan/attribution.h                      "edge_backward"
 *   NODES       of level l = 1, 2, .. in the place of a layer: the scores of the inputs for each node of the level,
 *               times the score of the node                         "node_backward"
 *
 * The gradient is that of R, through all layers; the reference cuts it off under "edge_forward_sum". */
typedef enum kan_scale {
    KAN_SCALE_SPLINE = 0,
    KAN_SCALE_EDGE,
    KAN_SCALE_RELATIVE,
    KAN_SCALE_ATTRIBUTED,
    KAN_SCALE_NODES,
    KAN_N_SCALES
} kan_scale;
typedef struct kan_penalty {
    double roughness, l1, entropy, coef, coefdiff;
    kan_scale metric;
} kan_penalty;

/* Edge from node `in` of level `layer` to output `out` of that layer. KAN_EVERY stands for all of them.
 */
#define KAN_EVERY SIZE_MAX
/* An edge by its place. */
typedef struct kan_edge {
    size_t layer, in, out;
} kan_edge;

/* The two parts of a spline edge, to be combined with |. */
enum { KAN_PART_BASE = 1, KAN_PART_SPLINE = 2 };

/* A KAN, behind the contract of core/model.h. */
typedef struct kan_net kan_net;

/* "silu", "reference", ..; and back: KAN_N_BASES, KAN_N_INITS for a name that is none. */
const char *kan_net_base_name(kan_base base);
kan_base kan_net_base_from_name(const char *name);
const char *kan_net_init_name(kan_init init);
kan_init kan_net_init_from_name(const char *name);

/* A symbolic edge; f, with its f and d1, is kept by reference and must outlive the net and its copies (rows of
 * the table do). A row of the caller's own cannot be saved: files know functions by name. */
typedef struct kan_symbolic {
    const kan_function *f;
    double a, b, c, d;
} kan_symbolic;

/* Its parameters, to be combined with |. */
enum { KAN_SYMBOLIC_A = 1, KAN_SYMBOLIC_B = 2, KAN_SYMBOLIC_C = 4, KAN_SYMBOLIC_D = 8 };

/* "edge_forward_spline_n", ..; and back: KAN_N_SCALES for a name that is none. */
const char *kan_net_scale_name(kan_scale scale);
kan_scale kan_net_scale_from_name(const char *name);

/* Parameters of a network of that config; SIZE_MAX where their number overflows. */
size_t kan_net_count(const kan_net_config *config);

const char *kan_net_check(const kan_net_config *config); /* NULL, or what is wrong with it            */
kan_net *kan_net_alloc(const kan_net_config *config);    /* a config that passes; NULL without memory */
kan_net *kan_net_copy(const kan_net *net); /* grids, parameters, masks; NULL without memory */
kan_net *kan_net_load(const kan_file *file, kan_error *error); /* KAN_EFORMAT, KAN_ENOMEM */
void kan_net_free(kan_net *net);                               /* or NULL */

kan_model *kan_net_model(kan_net *net); /* the contract; owned by net */

/* What the net is: the config with its defaults filled in; n_cells that of layer 0. */
const kan_net_config *kan_net_get_config(const kan_net *net);

/* The penalty of a net: roughness = 1 alone until it is set, factors >= 0. Copies, nets made from a net and files have
 * it (a file without it, from an older program, gives roughness = 1 alone); its weight belongs to the trainer. The size of
 * the model's work depends on it. */
void kan_net_set_penalty(kan_net *net, const kan_penalty *penalty);
const kan_penalty *kan_net_get_penalty(const kan_net *net);

/* Sizes of the network. */
size_t kan_net_n_layers(const kan_net *net);
size_t kan_net_n_in(const kan_net *net, size_t layer); /* nodes below the layer */
size_t kan_net_n_out(const kan_net *net,
                     size_t layer);         /* outputs of the layer, before multiplication      */
size_t kan_net_n_edges(const kan_net *net); /* edges that are not removed                       */

/* The grid of node `in` below the layer: a view into the net, good until the grid is changed. */
kan_basis kan_net_basis(const kan_net *net, size_t layer, size_t in);

/* The parameters of a layer inside theta: [n_in][n_cells + degree + 1][n_out], the last row of each
 * input being the base weights. */
double *kan_net_layer_theta(kan_net *net, size_t layer);

/* phi [n] of the edge at t [n]. */
void kan_net_edge_curve(const kan_net *net, kan_edge edge, size_t n, const double *t, double *phi);

/* Freezes or frees the parameters of the given parts of an edge, or of many edges. Removed edges stay
 * frozen, and so do base weights where b is zero. Of a symbolic edge it means the spline that is set
 * aside, once that comes back. */
void kan_net_set_trainable(kan_net *net, kan_edge edge, unsigned parts, bool trainable);

/* Removes an edge: it becomes the zero function, its parameters are zero and frozen for good. Those of a
 * symbolic edge leave theta. */
void kan_net_remove_edge(kan_net *net, kan_edge edge);
bool kan_net_has_edge(const kan_net *net, kan_edge edge);

/* ---- symbolic edges: what changes their number, or removes an edge beside them, lays out parameters and
 * Jacobians anew, so that trainers, work and pointers into theta must be made anew after it ------------- */

/* The edge, which must not have been removed, becomes c f(a x + b) + d with all four trainable. Its spline
 * is set aside: zero and frozen in theta, and moved along with the grid. A symbolic edge is replaced.
 * KAN_ENOMEM, the net being as it was. A value of f outside its domain is NaN, which no trainer accepts. */
kan_status kan_net_set_symbolic(kan_net *net, kan_edge edge, const kan_symbolic *s, kan_error *error);

/* Brings the spline back as it was set aside, frozen or not; nothing where the edge is not symbolic. */
void kan_net_unset_symbolic(kan_net *net, kan_edge edge);

/* Whether the edge is symbolic; and its function and parameters as they are now, unless s is NULL. */
bool kan_net_get_symbolic(const kan_net *net, kan_edge edge, kan_symbolic *s);

/* Freezes those of a, b, c, d of a symbolic edge that `which` names (KAN_SYMBOLIC_A | ..), frees the
 * others. */
void kan_net_lock_symbolic(kan_net *net, kan_edge edge, unsigned which);

size_t kan_net_n_symbolic(const kan_net *net); /* symbolic edges */

/* A copy of a net all of whose edges are symbolic or removed, without the grids and the splines that were
 * set aside: one cell, degree 1, as few parameters as may be. Levenberg-Marquardt's matrices have a row for
 * frozen parameters too, so refits of it are many times faster. NULL without memory. */
kan_net *kan_net_compact(const kan_net *net);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
