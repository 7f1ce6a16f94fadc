/* experiments/reproduce_studies.c - experiments about one question each: forgetting, noise and kinks, initialisation.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/reproduce.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- forgetting -------------------------------------------------------------------------------------- */

/* Its data are its own (experiments/reproduce_continual.c). */
static const reproduce_task continual_tasks[] = {
    {.name = "five peaks", .data = "fn:peaks", .published_kan = 3.99e-6},
};

#define PEAKS .method = REPRODUCE_CONTINUAL
static const reproduce_contender continual_contenders[] = {
    {.arm = "kan", .shape = "1,1", .cells = "200", .degree = 3, PEAKS},
    {.arm = "mlp", .family = FAMILY_MLP, .shape = "1,16,16,1", .activation = KAN_TANH, PEAKS},
    {.arm = "400 cells", .shape = "1,1", .cells = "400", .degree = 3, PEAKS},
    {.arm = "degree 5", .shape = "1,1", .cells = "200", .degree = 5, PEAKS},
};

const reproduce_experiment reproduce_continual = {
    .name = "continual",
    .title = "five Gaussian peaks, one after the other; the worst phase, on all peaks seen so far",
    .source =
        "KAN, arXiv 2404.19756, section 3.4, and notebook of pykan: 3.99e-6 in every phase, 200 cells",
    .tasks = continual_tasks,
    .n_tasks = COUNT(continual_tasks),
    .contenders = continual_contenders,
    .n_contenders = COUNT(continual_contenders),
    .seeds = {3, 1},
};

/* ---- noise and kinks ------------------------------------------------------------------------------------ */

/* Where KANs are said to lose (arXiv 2408.07906). Test targets are clean. */
static const reproduce_task noise_tasks[] = {
    {.name = "smooth, 0.1 sd", .data = "fn:hello", .shape = "2,1,1", .noise = 0.1},
    {.name = "smooth, 1 sd", .data = "fn:hello", .shape = "2,1,1", .noise = 1.0},
    {.name = "product, 0.3 sd", .data = "fn:xy", .shape = "2,2,1", .noise = 0.3},
    {.name = "kinks", .data = "fn:abs(x-0.3)+abs(y+x)", .shape = "2,2,1"},
    {.name = "jump", .data = "fn:step(x*y-0.1)", .shape = "2,2,1"},
    {.name = "root", .data = "fn:sqrt(abs(x-0.2))+y", .shape = "2,1,1"},
    {.name = "waves", .data = "fn:sin(20*x)*cos(15*y)", .shape = "2,2,1"},
    {.name = "rotated",
     .data = "fn:rotated",
     .shape = "2,5,1",
     .rows = 3000,
     .published_kan = 6e-3,
     .published_mlp = 1.8e-2,
     .source = "multilevel KAN, arXiv 2603.04827: MSE 3.67e-5; MLP 3.33e-4"},
};

#define MLP(text) \
    { .arm = "mlp", .family = FAMILY_MLP, .shape = text, .activation = KAN_TANH }
static const reproduce_contender noise_contenders[] = {
    {.arm = "kan"},
    {.arm = "kan", .shape = "n,5,c"},
    MLP("n,8,c"),
    MLP("n,16,16,c"),
    {.arm = "additive", .shape = "n,c", .degree = 3},
};

const reproduce_experiment reproduce_noise = {
    .name = "noise",
    .title = "noisy and irregular functions",
    .source = "arXiv 2408.07906 has no numbers to compare with",
    .tasks = noise_tasks,
    .n_tasks = COUNT(noise_tasks),
    .contenders = noise_contenders,
    .n_contenders = COUNT(noise_contenders),
    .rows = 1000,
    .seeds = {3, 1},
    .effort = {{.starts = 12, .generations = 1},
               {.starts = 6, .round_steps = 8, .rung_steps = 20, .generations = 1}},
    .cells = {"3,6,12,24,48", "3,6,12,24"},
};

/* ---- initialisation --------------------------------------------------------------------------------------- */

static const reproduce_task init_tasks[] = {
    {.name = "1+a sin(t)", .data = "fn:1+a*sin(theta)"},
    {.name = "asin(n sin(t))", .data = "fn:asin(n*sin(theta))", .ranges = "n=0.1,0.95;theta=-1.5,1.5"},
    {.name = "sqrt(1+a^2+b^2)", .data = "fn:sqrt(1+a^2+b^2)"},
};

#define INIT(name, scheme, text)                                                             \
    {                                                                                        \
        .arm = name, .method = REPRODUCE_TRAIN, .shape = text, .cells = "5", .init = scheme, \
        .epochs = {200, 15}, .batch = 128, .rate = 0.001                                     \
    }
static const reproduce_contender init_contenders[] = {
    INIT("kan", KAN_INIT_REFERENCE, "n,8,8,c"),
    {.arm = "mlp",
     .family = FAMILY_MLP,
     .method = REPRODUCE_TRAIN,
     .shape = "n,32,32,c",
     .epochs = {200, 15},
     .batch = 128,
     .rate = 0.001},
    INIT("glorot", KAN_INIT_GLOROT, "n,8,8,c"),
    INIT("power", KAN_INIT_POWER, "n,8,8,c"),
};

const reproduce_experiment reproduce_init = {
    .name = "init",
    .title = "three initialisations of a KAN [n,8,8,1] under Adam; \"KAN\" is the reference's",
    .source =
        "Rigas et al., arXiv 2509.03417: power-law first, Glorot-like second, on other sizes and steps",
    .tasks = init_tasks,
    .n_tasks = COUNT(init_tasks),
    .contenders = init_contenders,
    .n_contenders = COUNT(init_contenders),
    .rows = 5000,
    .seeds = {5, 1},
};
