/* experiments/chart.h - curves and points as SVG within a page, drawn by the program gnuplot where it is on
 * the PATH.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_CHART_H
#define KAN_EXPERIMENTS_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "experiments/report.h"

enum { CHART_MAX_SERIES = 16, CHART_MAX_TICS = 64 };

typedef enum chart_style { CHART_LINE = 0, CHART_DASHES, CHART_POINTS, CHART_BOTH } chart_style;
typedef enum chart_colour { CHART_KAN = 0, CHART_MLP, CHART_OTHER, CHART_GREY } chart_colour;

/* Points, and names for the key. Texts are ours, printable ASCII: those of users belong into the caption. */
typedef struct chart_series {
    const char *name;
    chart_style style;
    chart_colour colour;
    bool hollow; /* points */
    size_t n, capacity;
    double *x, *y;
} chart_series;

/* Open; zeroed it is a chart without series. */
typedef struct chart {
    const char *x_label, *y_label;
    bool log_x, log_y;
    bool wide; /* twice as wide as others */
    size_t n_tics;
    const char *tics[CHART_MAX_TICS]; /* names of x = 0, 1, .. instead of numbers */
    size_t n;
    chart_series series[CHART_MAX_SERIES];
    bool failed; /* memory was short */
} chart;

/* A new series of the chart, without points; the chart owns it. At most CHART_MAX_SERIES. */
chart_series *chart_add(chart *c, const char *name, chart_style style, chart_colour colour);

/* A point. Those that are not finite are left out, and on logarithmic axes those that are not positive. */
void chart_point(chart *c, chart_series *s, double x, double y);

/* Whether there are two points or more. */
bool chart_has_points(const chart *c);

/* Its numbers, a row a point: at most so many evenly spaced ones of a series. */
table chart_table(const chart *c, size_t most, bool *thinned);

/* Writes the SVG; `number` makes its ids unique in a page. False, with nothing written, where gnuplot is
 * not to be had or made nothing. */
bool chart_write(const chart *c, unsigned number, FILE *out);

void chart_free(chart *c);

#endif
