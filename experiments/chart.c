/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/chart.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- points ------------------------------------------------------------------------------------- */

chart_series *chart_add(chart *c, const char *name, chart_style style, chart_colour colour) {
    assert(c->n < CHART_MAX_SERIES);
    chart_series *s = &c->series[c->n++];
    *s = (chart_series){.name = name, .style = style, .colour = colour};
    return s;
}

static bool make_room(chart_series *s) {
    if (s->n < s->capacity) return true;
    const size_t capacity = s->capacity ? 2 * s->capacity : 64;
    double *x = realloc(s->x, capacity * sizeof *x);
    if (x) s->x = x;
    double *y = realloc(s->y, capacity * sizeof *y);
    if (y) s->y = y;
    if (x && y) s->capacity = capacity;
    return x && y;
}

void chart_point(chart *c, chart_series *s, double x, double y) {
    if (!isfinite(x) || !isfinite(y) || (c->log_x && x <= 0.0) || (c->log_y && y <= 0.0)) return;
    if (!make_room(s)) {
        c->failed = true;
        return;
    }
    s->x[s->n] = x, s->y[s->n++] = y;
}

bool chart_has_points(const chart *c) {
    size_t n = 0;
    for (size_t k = 0; k < c->n; ++k) n += c->series[k].n;
    return n > 1 && !c->failed;
}

table chart_table(const chart *c, size_t most, bool *thinned) {
    table t = table_make("lrr");
    table_add(&t, "series"), table_add(&t, "%s", c->x_label), table_add(&t, "%s", c->y_label);
    *thinned = false;
    for (size_t k = 0; k < c->n; ++k) {
        const chart_series *s = &c->series[k];
        const size_t stride = (s->n + most - 1) / most;
        *thinned = *thinned || stride > 1;
        for (size_t j = 0; j < s->n; j += stride) {
            const size_t tic = c->n_tics > 0 ? (size_t)(s->x[j] + 0.5) : 0;
            table_add(&t, "%s", s->name);
            if (tic < c->n_tics)
                table_add(&t, "%s", c->tics[tic]);
            else
                table_add(&t, "%.4g", s->x[j]);
            table_add(&t, "%.4g", s->y[j]);
        }
    }
    return t;
}

void chart_free(chart *c) {
    for (size_t k = 0; k < c->n; ++k) free(c->series[k].x), free(c->series[k].y);
    *c = (chart){.n = 0};
}

/* ---- the script of gnuplot ------------------------------------------------------------------------- */

/* Colours that can be told apart on white and on black, and by people who see fewer of them. */
static const char *const colours[] = {"#2f7ed8", "#e07b1a", "#2a9d6f", "#888888"};

static void write_style(const chart_series *s, FILE *script) {
    const char *colour = colours[s->colour];
    const int point = s->colour == CHART_KAN     ? 7
                      : s->colour == CHART_MLP   ? 5
                      : s->colour == CHART_OTHER ? 9
                                                 : 2;
    const int shape = s->hollow && point > 1 ? point - 1 : point;
    switch (s->style) {
    case CHART_LINE: fprintf(script, "lines lw 2 lc rgb '%s'", colour); break;
    case CHART_DASHES: fprintf(script, "lines lw 2 dt 2 lc rgb '%s'", colour); break;
    case CHART_POINTS:
        fprintf(script, "points pt %d ps %s lw 2 lc rgb '%s'", shape,
                s->colour == CHART_GREY ? "0.9" : "0.6", colour);
        break;
    case CHART_BOTH:
        fprintf(script, "linespoints lw 1.5 pt %d ps 0.6 lc rgb '%s'", shape, colour);
        break;
    }
}

/* 1, 2 and 5 times powers of ten, of a short range 3 and 7 times too, where powers of ten alone would be
 * too few. */
static void write_fine_tics(char axis, double lo, double hi, FILE *script) {
    static const double digits[] = {1.0, 2.0, 5.0, 3.0, 7.0};
    const size_t n = log10(hi / lo) < 1.0 ? 5 : 3;
    const char *comma = "";
    fprintf(script, "set format %c '%%g'\nset %ctics (", axis, axis);
    for (int decade = (int)floor(log10(lo)); decade <= (int)ceil(log10(hi)); ++decade)
        for (size_t k = 0; k < n; ++k) {
            const double tic = digits[k] * pow(10.0, decade);
            if (tic < lo || tic > hi) continue;
            fprintf(script, "%s%.6g", comma, tic);
            comma = ",";
        }
    fputs(")\n", script);
}

/* Room beyond the outermost points, so that none lies on the frame; and a range where all values are equal. */
static void write_range(const chart *c, char axis, FILE *script) {
    const bool logarithmic = axis == 'x' ? c->log_x : c->log_y;
    double lo = INFINITY, hi = -INFINITY;
    for (size_t k = 0; k < c->n; ++k)
        for (size_t j = 0; j < c->series[k].n; ++j) {
            const double value = axis == 'x' ? c->series[k].x[j] : c->series[k].y[j];
            lo = fmin(lo, value), hi = fmax(hi, value);
        }
    if (axis == 'x' && c->n_tics > 0)
        lo = -0.5, hi = (double)c->n_tics - 0.5;
    else if (logarithmic)
        lo /= 1.3 * pow(hi / lo, 0.03), hi *= 1.3 * pow(hi / lo, 0.03);
    else if (hi > lo)
        lo -= 0.04 * (hi - lo), hi += 0.04 * (hi - lo);
    else
        lo -= 0.5 + 0.1 * fabs(lo), hi += 0.5 + 0.1 * fabs(hi);
    fprintf(script, "set %crange [%.12g:%.12g]\n", axis, lo, hi);
    if (!logarithmic) return;
    fprintf(script, "set logscale %c\n", axis);
    if (log10(hi / lo) > 2.0)
        fprintf(script, "set format %c '1e%%T'\n", axis);
    else
        write_fine_tics(axis, lo, hi, script);
}

static void write_tics(const chart *c, FILE *script) {
    size_t longest = 0;
    if (c->n_tics == 0) return;
    for (size_t k = 0; k < c->n_tics; ++k)
        if (strlen(c->tics[k]) > longest) longest = strlen(c->tics[k]);
    fputs("set xtics rotate by -55 (", script);
    for (size_t k = 0; k < c->n_tics; ++k)
        fprintf(script, "%s\"%s\" %zu", k > 0 ? "," : "", c->tics[k], k);
    fprintf(script, ")\nset bmargin at screen %.3f\n",
            0.07 + 0.016 * (double)(longest < 20 ? longest : 20));
}

static void write_script(const chart *c, FILE *script) {
    const bool tall = c->n_tics > 0;
    fprintf(script,
            "set encoding utf8\nset terminal svg size %d,%d font 'sans-serif,15' noenhanced\n"
            "set grid\nset border 3\nset tics nomirror\n"
            "set key top center outside horizontal font ',14'\n"
            "set xlabel \"%s\"\nset ylabel \"%s\"\n",
            c->wide ? 1120 : 560, tall ? 430 : 370, c->x_label, c->y_label);
    write_range(c, 'x', script);
    write_range(c, 'y', script);
    write_tics(c, script);
    for (size_t k = 0; k < c->n; ++k) {
        if (c->series[k].n == 0) continue;
        fprintf(script, "$s%zu << EOD\n", k);
        for (size_t j = 0; j < c->series[k].n; ++j)
            fprintf(script, "%.8g %.8g\n", c->series[k].x[j], c->series[k].y[j]);
        fputs("EOD\n", script);
    }
    const char *begin = "plot ";
    for (size_t k = 0; k < c->n; ++k) {
        if (c->series[k].n == 0) continue;
        fprintf(script, "%s$s%zu title \"%s\" with ", begin, k, c->series[k].name);
        write_style(&c->series[k], script);
        begin = ", ";
    }
    fputs("\n", script);
}

/* ---- the program --------------------------------------------------------------------------------- */

/* gnuplot without its start-up files, script as its input, svg as its output. */
static bool run_gnuplot(FILE *script, FILE *svg) {
    static char name[] = "gnuplot", no_defaults[] = "-d";
    char *const arguments[] = {name, no_defaults, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int how = -1;
    if (fflush(script) != 0) return false;
    rewind(script);
    if (lseek(fileno(script), 0, SEEK_SET) != 0 || posix_spawn_file_actions_init(&actions) != 0)
        return false;
    int wrong = posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
    if (!wrong) wrong = posix_spawn_file_actions_adddup2(&actions, fileno(svg), STDOUT_FILENO);
    if (!wrong) wrong = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
    if (!wrong) wrong = posix_spawnp(&pid, name, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (wrong) return false;
    while (waitpid(pid, &how, 0) < 0)
        if (errno != EINTR) return false;
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* The whole of a file as a text, NULL without memory. */
static char *read_whole(FILE *file) {
    if (fseek(file, 0, SEEK_END) != 0) return NULL;
    const long size = ftell(file);
    rewind(file);
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (text) text[fread(text, 1, (size_t)size, file)] = '\0';
    return text;
}

/* From <svg on, with a number in every id and in what refers to it. */
static bool copy_svg(const char *text, unsigned number, FILE *out) {
    static const char *const marks[] = {"id='", "id=\"", "'#", "url(#"};
    const char *at = text ? strstr(text, "<svg") : NULL;
    if (!at || !strstr(at, "</svg>")) return false;
    while (*at) {
        size_t taken = 1;
        bool marked = false;
        for (size_t k = 0; k < sizeof marks / sizeof *marks && !marked; ++k) {
            marked = strncmp(at, marks[k], strlen(marks[k])) == 0;
            if (marked) taken = strlen(marks[k]);
        }
        fwrite(at, 1, taken, out);
        if (marked) fprintf(out, "c%u-", number);
        at += taken;
    }
    return true;
}

bool chart_write(const chart *c, unsigned number, FILE *out) {
    FILE *script = tmpfile(), *svg = tmpfile();
    bool good = script && svg && !c->failed;
    if (good) {
        write_script(c, script);
        good = run_gnuplot(script, svg);
    }
    char *text = good && svg ? read_whole(svg) : NULL;
    good = copy_svg(text, number, out);
    free(text);
    if (script) (void)fclose(script);
    if (svg) (void)fclose(svg);
    return good;
}
