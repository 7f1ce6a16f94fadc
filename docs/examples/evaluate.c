/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include <core/work.h>
#include <kan/net.h>

/* y and dy/dx of a network at two points. */
int main(void) {
    const double x[2][2] = {{0.3, -0.7}, {-0.2, 0.4}}, dy[2] = {1.0, 1.0};
    double y[2], dx[2][2];
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 5, 1}, .seed = 42});
    if (!net) return 1;
    const kan_model *m = kan_net_model(net);

    double *work = kan_work_alloc(kan_model_work_size(m, 2)), *grad = kan_work_alloc(m->n_params);
    if (work && grad) {
        kan_model_forward(m, 2, *x, y, work);
        kan_model_gradient(m, 2, *x, dy, grad, *dx, work);
        for (int s = 0; s < 2; ++s)
            printf("f(%g, %g) = %.6f, slopes %.6f %.6f\n", x[s][0], x[s][1], y[s], dx[s][0], dx[s][1]);
    }
    const int status = work && grad ? 0 : 1;
    kan_work_free(grad), kan_work_free(work), kan_net_free(net);
    return status;
}
