/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/work.h"
#include "kan/diagram.h"
#include "tests/support/alloc.h"
#include "tests/support/kan_cases.h"

/* The picture as text, to be freed. */
static char *draw_net(const kan_net *net, const kan_diagram_options *options) {
    enum { N = 50 };
    char *text = NULL;
    size_t size = 0;
    double *x = poisoned(N * kan_net_n_in(net, 0));
    kan_attribution_points(net, N, 1, x);
    kan_attribution *a = kan_attribution_alloc(net, N, x, NULL);
    FILE *stream = open_memstream(&text, &size);
    cr_assert(kan_diagram_write(net, a, options, stream, NULL) == KAN_OK);
    fclose(stream);
    kan_attribution_free(a);
    kan_work_free(x);
    cr_assert(strncmp(text, "<svg ", 5) == 0 && strcmp(text + size - 7, "</svg>\n") == 0);
    cr_assert(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL);
    return text;
}

static size_t count(const char *text, const char *word) {
    size_t n = 0;
    for (; (text = strstr(text, word)); ++text) ++n;
    return n;
}

/* Each box is two rectangles, one of them white, and the background one more. */
static size_t n_boxes(const char *text) {
    return (count(text, "<rect ") - 1) / 2;
}

Test(diagram, every_edge_has_a_box_and_every_node_a_circle) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 5, 1}}, false, 2);
    char *text = draw_net(net, NULL);
    cr_assert(eq(sz, n_boxes(text), 15));
    cr_assert(eq(sz, count(text, "<circle "), 8));
    cr_assert(strstr(text, ">x0</text>") != NULL && strstr(text, ">x1</text>") != NULL &&
              strstr(text, ">y0</text>") != NULL);
    free(text);
    kan_net_remove_edge(net, (kan_edge){0, 1, 3});
    text = draw_net(net, NULL);
    cr_assert(eq(sz, n_boxes(text), 14));
    free(text);
    kan_net_free(net);
}

/* Three factors, and the circle of the product. */
Test(diagram, products_have_a_cross_above_their_factors) {
    kan_net *net = net_with_entropy(
        &(kan_net_config){.width = {1, 1, 1}, .mult = {0, 1}, .arity = {0, 3}}, false, 2);
    char *text = draw_net(net, NULL);
    cr_assert(eq(sz, count(text, "<circle "), 1 + 1 + 4 + 1));
    cr_assert(eq(sz, count(text, "l7 7m0 -7l-7 7"), 1));
    free(text);
    kan_net_free(net);
}

Test(diagram, functions_have_their_names_and_another_colour) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {2, 1}}, false, 2);
    char *text = draw_net(net, NULL);
    cr_assert(eq(sz, count(text, "stroke=\"#c0392b\""), 0));
    free(text);
    const kan_symbolic s = {kan_function_find("log"), 1.0, 0.5, 1.0,
                            0.0}; /* not finite on half of the grid */
    cr_assert(kan_net_set_symbolic(net, (kan_edge){0, 1, 0}, &s, NULL) == KAN_OK);
    kan_attribution *a = kan_attribution_alloc(net, 2, (const double[]){0.0, 0.1, 0.3, 0.9}, NULL);
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    cr_assert(kan_diagram_write(net, a, NULL, stream, NULL) == KAN_OK);
    fclose(stream);
    cr_assert(strstr(text, ">log</text>") != NULL && count(text, "stroke=\"#c0392b\"") == 3);
    cr_assert(strstr(text, "nan") == NULL);
    kan_attribution_free(a);
    free(text);
    kan_net_free(net);
}

Test(diagram, says_what_it_leaves_out) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {17, 10, 14}}, false, 2);
    char *text = draw_net(net, NULL);
    cr_assert(eq(sz, n_boxes(text), 72));
    cr_assert(
        strstr(text, "layer 0: boxes for the 36 strongest of 170 edges, thin lines for the others") !=
        NULL);
    cr_assert(strstr(text, "layer 1: boxes for the 36 strongest of 140 edges") != NULL);
    free(text);
    kan_net_free(net);
    net = net_with_entropy(&(kan_net_config){.width = {70, 12}}, false, 2);
    text = draw_net(net, NULL);
    cr_assert(strstr(text, "the weakest left out") != NULL &&
              strstr(text, "names are left out") != NULL);
    free(text);
    kan_net_free(net);
}

Test(diagram, names_may_hold_anything) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {3, 1}}, false, 2);
    char amp[] = "a<b>&\"", bytes[] = "\xff\x01\xc3\xa9",
         longer[] = "a name of more than eighteen letters";
    char *names[] = {amp, bytes, longer};
    char *text = draw_net(
        net, &(kan_diagram_options){.input_names = names, .title = "<t>", .note = "n & n"});
    cr_assert(strstr(text, ">a&#60;b&#62;&#38;&#34;</text>") != NULL &&
              strstr(text, ">??\xc3\xa9</text>") != NULL);
    cr_assert(strstr(text, "<title>a name of more than eighteen letters</title>"
                           "a name of more tha\xe2\x80\xa6</text>") != NULL);
    cr_assert(strstr(text, "&#60;t&#62;") != NULL);
    cr_assert(strstr(text, "n &#38; n") != NULL);
    free(text);
    kan_net_free(net);
}

Test(diagram, names_are_as_long_as_there_is_room) {
    kan_net *net = net_with_entropy(&(kan_net_config){.width = {1, 1}}, false, 2);
    char longer[] = "a name of more than eighteen letters";
    char *names[] = {longer};
    char *text = draw_net(net, &(kan_diagram_options){.input_names = names});
    cr_assert(strstr(text, ">a name of more than eighteen letters</text>") != NULL);
    cr_assert(strstr(text, "<title>") == NULL && strstr(text, "rotate") == NULL);
    free(text);
    kan_net_free(net);
}

static kan_status attempt(void *context) {
    kan_net *net = context;
    static const double x[] = {0.1, 0.2, 0.5, -0.3};
    kan_attribution *a = kan_attribution_alloc(net, 2, x, NULL);
    FILE *nowhere = fopen("/dev/null", "w");
    const kan_status status = a ? kan_diagram_write(net, a, NULL, nowhere, NULL) : KAN_ENOMEM;
    fclose(nowhere);
    kan_attribution_free(a);
    return status;
}

Test(diagram, survives_any_failing_allocation) {
    kan_net *net = kan_net_alloc(&(kan_net_config){.width = {2, 3, 1}});
    cr_assert(eq(sz, alloc_fail_every(attempt, net), 5));
    kan_net_free(net);
}
