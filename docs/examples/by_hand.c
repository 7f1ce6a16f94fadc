/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include <core/work.h>
#include <kan/net.h>
#include <mlp/mlp.h>
#include <train/loss.h>

/* One gradient step of a network with the parameters given, on one sample. */
static void gradient_step(kan_model *m, const double *theta, double x, double y, double rate) {
    double y_hat, dy, grad[8], *work = kan_work_alloc(kan_model_work_size(m, 1));
    if (!work) return;
    memcpy(m->theta, theta, m->n_params * sizeof *theta);
    kan_model_forward(m, 1, &x, &y_hat, work);
    double loss = kan_loss_mse->eval(1, 1, &y_hat, &y, NULL, 1.0, &dy);
    printf("forward pass   y = %.5f, loss %.5f\n", y_hat, loss);

    kan_model_gradient(m, 1, &x, &dy, grad, NULL, work);
    printf("gradient      ");
    for (size_t p = 0; p < m->n_params; ++p) printf(" %.5f", grad[p]);
    for (size_t p = 0; p < m->n_params; ++p) m->theta[p] -= rate * grad[p];
    printf("\nparameters    ");
    for (size_t p = 0; p < m->n_params; ++p) printf(" %.5f", m->theta[p]);

    kan_model_forward(m, 1, &x, &y_hat, work);
    loss = kan_loss_mse->eval(1, 1, &y_hat, &y, NULL, 1.0, NULL);
    printf("\nafter the step y = %.5f, loss %.5f\n", y_hat, loss);
    kan_work_free(work);
}

int main(void) {
    /* theta of an MLP: weights and biases, layer by layer; of a KAN: coefficients of the edge, base weight last. */
    const double neuron[4] = {1.0, 0.0, 0.5, 0.0}, edge[4] = {0.2, -0.4, 0.6, 0.0};
    kan_mlp *mlp = kan_mlp_alloc(&(kan_mlp_config){.width = {1, 1, 1}, .activation = KAN_TANH});
    kan_net *net = kan_net_alloc(
        &(kan_net_config){.width = {1, 1}, .n_cells = 2, .degree = 1, .base = KAN_BASE_ZERO});
    if (mlp && net) {
        puts("MLP");
        gradient_step(kan_mlp_model(mlp), neuron, 0.5, 1.0, 0.1);
        puts("KAN");
        gradient_step(kan_net_model(net), edge, 0.25, 1.0, 0.1);
    }
    kan_net_free(net), kan_mlp_free(mlp);
    return mlp && net ? 0 : 1;
}
