/* The B-splines of GSL 2.8 as far as splines/basis.c sees them: what was renamed has the new name only, as in 2.8's own
 * header (the old names are still in that library, but no longer declared).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_matrix.h>
#include <gsl/gsl_vector.h>

typedef struct {
    size_t spline_order, nbreak, ncontrol;
    gsl_vector *knots;
} gsl_bspline_workspace;

gsl_bspline_workspace *gsl_bspline_alloc(const size_t k, const size_t nbreak);
void gsl_bspline_free(gsl_bspline_workspace *w);
int gsl_bspline_basis_deriv(const double x, const size_t nderiv, gsl_matrix *dB, size_t *istart,
                            gsl_bspline_workspace *w);
