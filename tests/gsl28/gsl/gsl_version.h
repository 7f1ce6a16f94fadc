/* As GSL 2.8 says it; see gsl_bspline.h. SPDX-License-Identifier: GPL-3.0-or-later */
#define GSL_VERSION       "2.8"
#define GSL_MAJOR_VERSION 2
#define GSL_MINOR_VERSION 8
