/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kan/node_scores.h"

#include <assert.h>
#include <string.h>

typedef struct scores {
    double *t[KAN_MAX_LEVELS], *bar_t[KAN_MAX_LEVELS]; /* T_l [n_l][n_{l+1}] */
    double *s[KAN_MAX_LEVELS], *bar_s[KAN_MAX_LEVELS]; /* S_l [n_l]          */
    double *a[KAN_MAX_LEVELS], *bar_a[KAN_MAX_LEVELS]; /* A_l [n_in][n_l]    */
    double *v, *bar_v;                                 /* of one level       */
    size_t top, size;                                  /* the last level, doubles */
} scores;

/* An array and its bar. */
static void take(double *memory, size_t *used, size_t n, double **values, double **bar) {
    *values = memory ? memory + *used : NULL;
    *bar = memory ? memory + *used + n : NULL;
    *used += 2 * n;
}

static scores lay_out(const kan_net *net, double *memory) {
    scores w = {.top = net->n_layers};
    size_t most = 0;
    for (size_t l = 0; l <= w.top; ++l) {
        const size_t n = net_n_nodes(&net->config, l);
        take(memory, &w.size, n, &w.s[l], &w.bar_s[l]);
        take(memory, &w.size, net->model.n_in * n, &w.a[l], &w.bar_a[l]);
        if (l < w.top)
            take(memory, &w.size, n * net_n_nodes(&net->config, l + 1), &w.t[l], &w.bar_t[l]);
        if (net->model.n_in * n > most) most = net->model.n_in * n;
    }
    take(memory, &w.size, most, &w.v, &w.bar_v);
    return w;
}

size_t node_scores_size(const kan_net *net) {
    return lay_out(net, NULL).size;
}

/* c [n][m] += a [n][k] b [k][m] */
static void add_product(size_t n, size_t k, size_t m, const double *a, const double *b, double *c) {
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < k; ++j)
            for (size_t q = 0; q < m; ++q) c[i * m + q] += a[i * k + j] * b[j * m + q];
}

/* bar_a += bar_c b^T, bar_b += a^T bar_c */
static void add_product_bars(size_t n, size_t k, size_t m, const double *a, const double *b,
                             const double *bar_c, double *bar_a, double *bar_b) {
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < k; ++j)
            for (size_t q = 0; q < m; ++q) {
                bar_a[i * k + j] += bar_c[i * m + q] * b[j * m + q];
                bar_b[j * m + q] += a[i * k + j] * bar_c[i * m + q];
            }
}

/* T, A and S from r; bars are left at 0. */
static void make_scores(const kan_net *net, double *const *r, scores *w) {
    const kan_net_config *c = &net->config;
    const size_t n_in = net->model.n_in, top = w->top;
    for (size_t l = 0; l < top; ++l) {
        const layer *q = &net->layers[l];
        const size_t n_above = net_n_nodes(c, l + 1);
        for (size_t i = 0; i < q->n_in; ++i)
            for (size_t o = 0; o < q->n_out; ++o)
                w->t[l][i * n_above + net_node_of(c, l + 1, o)] += r[l][i * q->n_out + o];
        if (l == 0)
            memcpy(w->a[1], w->t[0], n_in * n_above * sizeof(double));
        else
            add_product(n_in, q->n_in, n_above, w->a[l], w->t[l], w->a[l + 1]);
    }
    for (size_t k = 0; k < net->model.n_out; ++k) w->s[top][k] = 1.0 / (double)net->model.n_out;
    for (size_t l = top; l-- > 1;)
        add_product(net->layers[l].n_in, net_n_nodes(c, l + 1), 1, w->t[l], w->s[l + 1], w->s[l]);
}

/* One level: its penalty, and what that adds to bar S and bar A. */
static double add_level(const kan_net *net, size_t l, double weight, node_scores_matrix *matrix,
                        scores *w) {
    const size_t n_in = net->model.n_in, n = net_n_nodes(&net->config, l);
    for (size_t e = 0; e < n * n_in; ++e)
        w->v[e] = w->s[l][e / n_in] * w->a[l][e % n_in * n + e / n_in];
    const double value = matrix(&net->penalty, n, n_in, w->v, weight, w->bar_v);
    for (size_t k = 0; k < n; ++k)
        for (size_t i = 0; i < n_in; ++i) {
            const double bar = w->bar_v[k * n_in + i];
            w->bar_s[l][k] += bar * w->a[l][i * n + k];
            w->bar_a[l][i * n + k] += bar * w->s[l][k];
        }
    return value;
}

/* bar r from bar S, on its way up, and bar A, on its way down. */
static void pull(const kan_net *net, double *const *bar_r, scores *w) {
    const kan_net_config *c = &net->config;
    const size_t n_in = net->model.n_in, top = w->top;
    for (size_t l = 1; l < top; ++l)
        add_product_bars(net->layers[l].n_in, net_n_nodes(c, l + 1), 1, w->t[l], w->s[l + 1],
                         w->bar_s[l], w->bar_t[l], w->bar_s[l + 1]);
    for (size_t l = top; l-- > 1;)
        add_product_bars(n_in, net->layers[l].n_in, net_n_nodes(c, l + 1), w->a[l], w->t[l],
                         w->bar_a[l + 1], w->bar_a[l], w->bar_t[l]);
    memcpy(w->bar_t[0], w->bar_a[1], n_in * net_n_nodes(c, 1) * sizeof(double));
    for (size_t l = 0; l < top; ++l) {
        const size_t n_out = net->layers[l].n_out, n_above = net_n_nodes(c, l + 1);
        for (size_t e = 0; e < net->layers[l].n_in * n_out; ++e)
            bar_r[l][e] = w->bar_t[l][e / n_out * n_above + net_node_of(c, l + 1, e % n_out)];
    }
}

double node_scores_penalty(const kan_net *net, double *const *r, double *const *bar_r, double weight,
                           node_scores_matrix *matrix, double *work) {
    assert(work && net->n_layers > 0);
    scores w = lay_out(net, work);
    double value = 0.0;
    memset(work, 0, w.size * sizeof *work);
    make_scores(net, r, &w);
    for (size_t l = 1; l <= w.top; ++l) value += add_level(net, l, weight, matrix, &w);
    pull(net, bar_r, &w);
    return value;
}
