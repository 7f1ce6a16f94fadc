/* experiments/reproduce_tables.c - experiments whose data are files below --data: tables, MNIST and knots.
 *
 * Baselines are the better of the two MLP columns that data/README.md has of scikit-learn: one run, one split, not
 * tuned.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/reproduce.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define MNIST       "mnist/"
#define MNIST_TRAIN MNIST "train-images-idx3-ubyte.gz:" MNIST "train-labels-idx1-ubyte.gz"
#define MNIST_TEST  MNIST "t10k-images-idx3-ubyte.gz:" MNIST "t10k-labels-idx1-ubyte.gz"
#define FASHION     "fashion_mnist_1k/images-idx3-ubyte.gz:fashion_mnist_1k/labels-idx1-ubyte.gz"

/* ---- tables ------------------------------------------------------------------------------------------ */

static const reproduce_task table_tasks[] = {
    {.name = "diabetes",
     .data = "sklearn/diabetes.csv",
     .split = "splits/diabetes.csv",
     .published_mlp = 60.29},
    {.name = "concrete",
     .data = "uci_regression/concrete.csv",
     .split = "splits/concrete.csv",
     .published_mlp = 5.393},
    {.name = "energy_heating",
     .data = "uci_regression/energy_heating.csv",
     .split = "splits/energy_heating.csv",
     .published_mlp = 0.7134},
    {.name = "energy_cooling",
     .data = "uci_regression/energy_cooling.csv",
     .split = "splits/energy_cooling.csv",
     .published_mlp = 1.251},
    {.name = "yacht",
     .data = "uci_regression/yacht.csv",
     .split = "splits/yacht.csv",
     .published_mlp = 1.417},
    {.name = "boston",
     .data = "uci_regression/boston.csv",
     .split = "splits/boston.csv",
     .published_mlp = 4.076},
    {.name = "airfoil",
     .data = "uci_regression/airfoil.csv",
     .split = "splits/airfoil.csv",
     .published_mlp = 1.696},
    {.name = "wine_quality_red",
     .data = "uci_regression/wine_quality_red.csv",
     .split = "splits/wine_quality_red.csv",
     .published_mlp = 0.6123},
    {.name = "wine_quality_white",
     .data = "uci_regression/wine_quality_white.csv",
     .split = "splits/wine_quality_white.csv",
     .published_mlp = 0.7445},
    {.name = "power_plant",
     .data = "uci_regression/power_plant.csv",
     .split = "splits/power_plant.csv",
     .published_mlp = 3.859,
     .full_only = true},
    {.name = "kin8nm",
     .data = "uci_regression/kin8nm.csv",
     .split = "splits/kin8nm.csv",
     .published_mlp = 0.07463,
     .full_only = true},
    {.name = "naval_compressor",
     .data = "uci_regression/naval_compressor.csv",
     .split = "splits/naval_compressor.csv",
     .published_mlp = 0.0003767,
     .full_only = true},
    {.name = "california_housing",
     .data = "uci_regression/california_housing.csv",
     .split = "splits/california_housing.csv",
     .published_mlp = 0.5249,
     .full_only = true},
    {.name = "protein",
     .data = "uci_regression/protein.csv",
     .split = "splits/protein.csv",
     .published_mlp = 4.086,
     .full_only = true},
    {.name = "iris",
     .data = "sklearn/iris.csv",
     .split = "splits/iris.csv",
     .classes = true,
     .published_mlp = 1},
    {.name = "wine",
     .data = "sklearn/wine.csv",
     .split = "splits/wine.csv",
     .classes = true,
     .published_mlp = 0.9722},
    {.name = "breast_cancer",
     .data = "sklearn/breast_cancer.csv",
     .split = "splits/breast_cancer.csv",
     .classes = true,
     .published_mlp = 0.9649},
    {.name = "digits",
     .data = "sklearn/digits.csv",
     .split = "splits/digits.csv",
     .classes = true,
     .published_mlp = 0.9749},
    {.name = "banknote",
     .data = "uci_classification/banknote.csv",
     .split = "splits/banknote.csv",
     .classes = true,
     .published_mlp = 1},
    {.name = "sonar",
     .data = "uci_classification/sonar.csv",
     .split = "splits/sonar.csv",
     .classes = true,
     .published_mlp = 0.8571},
    {.name = "titanic",
     .data = "uci_classification/titanic.csv",
     .split = "splits/titanic.csv",
     .classes = true,
     .published_mlp = 0.7978},
    {.name = "musk1",
     .data = "uci_classification/musk1.csv",
     .split = "splits/musk1.csv",
     .classes = true,
     .published_mlp = 0.9053},
    {.name = "spambase",
     .data = "uci_classification/spambase.csv",
     .split = "splits/spambase.csv",
     .classes = true,
     .published_mlp = 0.938},
    {.name = "magic",
     .data = "uci_classification/magic.csv",
     .split = "splits/magic.csv",
     .classes = true,
     .published_mlp = 0.8749,
     .full_only = true},
    {.name = "adult",
     .data = "uci_classification/adult_onehot_train.csv.gz",
     .test = "uci_classification/adult_onehot_test.csv.gz",
     .classes = true,
     .published_mlp = 0.8423,
     .full_only = true},
    {.name = "knot",
     .data = "knot/knot_train.csv",
     .test = "knot/knot_test.csv",
     .classes = true,
     .published_mlp = 0.9412,
     .full_only = true},
    {.name = "fashion_1k",
     .data = FASHION,
     .split = "splits/fashion_mnist_1k.csv",
     .classes = true,
     .published_mlp = 0.8100},
};

/* Configurations of `kan compare`, as many of either family, some of them with less freedom for data that are noisy or
 * few (coarser grids, slower steps, more decay); and what the data ask for without hidden nodes: a linear model and one
 * spline an input, of numbers a least-squares fit, of classes logistic. */
#define EPOCHS  .epochs = {200, 40}
#define PICK(j) .method = REPRODUCE_CANDIDATE, .number = j, EPOCHS
#define KAN(j)  .arm = "kan", PICK(j)
#define MLP(j)  .arm = "mlp", .family = FAMILY_MLP, PICK(j)
#define CALM    .rate = 0.003, .decay = 1.0
static const reproduce_contender table_contenders[] = {
    {KAN(0)},
    {KAN(1)},
    {KAN(2)},
    {KAN(0), .cells = "3", .decay = 1.0},
    {KAN(2), .cells = "3", CALM},
    {KAN(5), .full_only = true},
    {KAN(4), CALM, .full_only = true},
    {MLP(0)},
    {MLP(1)},
    {MLP(2)},
    {MLP(3)},
    {MLP(3), CALM},
    {MLP(4), .full_only = true},
    {MLP(5), CALM, .full_only = true},
    {.arm = "linear", .tasks = "regression", .shape = "n,c", .cells = "1", .degree = 1},
    {.arm = "linear",
     .tasks = "classification",
     .method = REPRODUCE_TRAIN,
     .shape = "n,c",
     .cells = "1",
     .degree = 1,
     .batch = 64,
     .rate = 0.01,
     .epochs = {60, 40}},
    {.arm = "additive", .tasks = "regression", .shape = "n,c", .cells = "3,6,12", .degree = 3},
    {.arm = "additive", .tasks = "classification", PICK(0), .cells = "5"},
};
#undef KAN
#undef MLP

const reproduce_experiment reproduce_tabular = {
    .name = "tabular",
    .title = "tables of regression (rmse) and classification (accuracy)",
    .source = "scikit-learn 1.2.1, the better of two MLPs of 64,64 (data/README.md); no published KAN",
    .tasks = table_tasks,
    .n_tasks = COUNT(table_tasks),
    .contenders = table_contenders,
    .n_contenders = COUNT(table_contenders),
    .seeds = {5, 1},
    .effort = {{.starts = 2, .round_steps = 5, .rung_steps = 15, .generations = 1},
               {.starts = 2, .round_steps = 5, .rung_steps = 10, .generations = 1}},
};

/* ---- MNIST ------------------------------------------------------------------------------------------------ */

static const reproduce_task mnist_tasks[] = {
    {.name = "784,64,10",
     .data = MNIST_TRAIN,
     .test = MNIST_TEST,
     .classes = true,
     .shape = "784,64,10",
     .published_kan = 0.9616,
     .published_mlp = 0.9794,
     .published_seconds = 965.0},
    {.name = "784,16,10",
     .data = MNIST_TRAIN,
     .test = MNIST_TEST,
     .classes = true,
     .shape = "784,16,10",
     .published_kan = 0.9616,
     .published_mlp = 0.9794,
     .full_only = true,
     .published_seconds = 965.0},
};

#define IMAGES(rate_of_adam) \
    .method = REPRODUCE_TRAIN, .batch = 128, .rate = rate_of_adam, .precision = KAN_SINGLE
#define AS_LONG(most_epochs) .epochs = {most_epochs}, .as_long = true, .full_only = true
static const reproduce_contender mnist_contenders[] = {
    {.arm = "kan", .cells = "5", .epochs = {10, 3}, IMAGES(0.001)},
    {.arm = "mlp", .family = FAMILY_MLP, .shape = "n,64,c", .epochs = {10, 5}, IMAGES(0.005)},
    {.arm = "mlp_equal", .family = FAMILY_MLP, .shape = "equal", .epochs = {10, 2}, IMAGES(0.001)},
    {.arm = "mlp_flops", .family = FAMILY_MLP, .shape = "flops", .epochs = {10, 3}, IMAGES(0.001)},
    {.arm = "mlp_time", .family = FAMILY_MLP, .shape = "n,64,c", IMAGES(0.005), AS_LONG(200)},
    {.arm = "mlp_time", .family = FAMILY_MLP, .shape = "n,256,256,c", IMAGES(0.001), AS_LONG(200)},
};

const reproduce_experiment reproduce_mnist = {
    .name = "mnist",
    .title = "MNIST; the MLP has 64 hidden nodes, mlp_equal as many parameters and mlp_flops as many "
             "multiply-adds as the KAN; mlp_time (64, or 256 and 256) trains as long as the KAN",
    .source =
        "KAN or MLP: A Fairer Comparison, arXiv 2407.16674: best KAN, best MLP up to 102k parameters",
    .metric = REPRODUCE_ACCURACY,
    .tasks = mnist_tasks,
    .n_tasks = COUNT(mnist_tasks),
    .contenders = mnist_contenders,
    .n_contenders = COUNT(mnist_contenders),
    .seeds = {3, 1},
};

/* ---- knots ------------------------------------------------------------------------------------------------- */

#define KNOTS .data = "knot/knot_train.csv", .test = "knot/knot_test.csv", .classes = true
static const reproduce_task knot_tasks[] = {
    {.name = "17,1,14", KNOTS, .shape = "n,1,c", .published_kan = 0.816, .published_mlp = 0.780},
    {.name = "17,8,14", KNOTS, .shape = "n,8,c"},
    {.name = "17,32,14", KNOTS, .shape = "n,32,c"},
};

/* One hidden node ends in one of many local minima: it is searched from several starts, and by Levenberg-Marquardt. */
#define ADAM       .method = REPRODUCE_TRAIN, .batch = 128, .rate = 0.01, .decay = 0.01
#define KNOTS_ADAM ADAM, .epochs = {100, 30}
static const reproduce_contender knot_contenders[] = {
    {.arm = "kan", .cells = "3", KNOTS_ADAM},
    {.arm = "kan", .tasks = "17,1,14", .cells = "3", .degree = 3},
    {.arm = "mlp", .family = FAMILY_MLP, .shape = "n,64,64,c", KNOTS_ADAM},
    {.arm = "mlp_equal", .family = FAMILY_MLP, .shape = "equal", KNOTS_ADAM},
    {.arm = "mlp_time", .family = FAMILY_MLP, .shape = "n,64,64,c", ADAM, AS_LONG(1000)},
};

const reproduce_experiment reproduce_knots = {
    .name = "knots",
    .title = "the signature of a knot from 17 invariants",
    .source = "KAN, arXiv 2404.19756, table 3: KAN [17,1,14] with about 200 parameters, MLP of 3e5",
    .metric = REPRODUCE_ACCURACY,
    .tasks = knot_tasks,
    .n_tasks = COUNT(knot_tasks),
    .contenders = knot_contenders,
    .n_contenders = COUNT(knot_contenders),
    .seeds = {3, 1},
    .effort = {{.starts = 16, .round_steps = 5, .rung_steps = 60, .generations = 1},
               {.starts = 8, .round_steps = 5, .rung_steps = 20, .generations = 1}},
    .attributed = true,
};
