/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/contract/model_contract.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "core/parallel.h"
#include "tests/contract/contract_parts.h"

/* ---- the checks --------------------------------------------------------------------------------- */

static void check_values(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 1);
    reference r = reference_alloc(m, c, &p);
    run(m, &p);
    for (size_t s = 0; s < p.batch; ++s) {
        c->reference(c->context, r.theta, r.x + s * m->n_in, r.y);
        for (size_t o = 0; o < m->n_out; ++o)
            cr_assert(epsilon_eq(dbl, p.y[s * m->n_out + o], (double)r.y[o],
                                 c->ulps * c->epsilon * r.magnitude[s]),
                      "sample %zu, output %zu", s, o);
    }
    reference_free(&r);
    pass_free(&p);
}

static void check_gradients(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 2);
    reference r = reference_alloc(m, c, &p);
    const double tolerance = derivative_tolerance(&r);
    double largest_grad = 0.0, largest_dx = 0.0;
    run(m, &p);
    for (size_t j = 0; j < p.n_params; ++j) {
        r.v_theta[j] = 1.0L;
        const double expected = derivative(&r, 0, p.batch);
        r.v_theta[j] = 0.0L;
        cr_assert(epsilon_eq(dbl, p.grad[j], expected, tolerance), "parameter %zu", j);
        largest_grad = fmax(largest_grad, fabs(expected));
    }
    for (size_t j = 0; j < p.n_x; ++j) {
        r.v_x[j] = 1.0L;
        const double expected = derivative(&r, j / m->n_in, 1);
        r.v_x[j] = 0.0L;
        cr_assert(epsilon_eq(dbl, p.dx[j], expected, tolerance), "sample %zu, input %zu", j / m->n_in,
                  j % m->n_in);
        largest_dx = fmax(largest_dx, fabs(expected));
    }
    cr_assert(largest_grad > 100.0 * tolerance && largest_dx > 100.0 * tolerance,
              "gradients of %g and %g say nothing at a tolerance of %g", largest_grad, largest_dx,
              tolerance);
    reference_free(&r);
    pass_free(&p);
}

/* u is dy. A product <v, g> collects the error of each entry of g times that of v. */
static void check_adjoint(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 3);
    reference r = reference_alloc(m, c, &p);
    kan_random random = kan_random_seed(c->seed, 4);
    double sum_v = 0.0;
    run(m, &p);

    for (size_t j = 0; j < p.n_params; ++j) r.v_theta[j] = 2.0 * kan_random_uniform(&random) - 1.0;
    double product = dot(p.n_params, r.v_theta, p.grad, &sum_v);
    cr_assert(epsilon_eq(dbl, product, derivative(&r, 0, p.batch), derivative_tolerance(&r) * sum_v));

    sum_v = 0.0;
    for (size_t j = 0; j < p.n_params; ++j) r.v_theta[j] = 0.0L;
    for (size_t j = 0; j < p.n_x; ++j) r.v_x[j] = 2.0 * kan_random_uniform(&random) - 1.0;
    product = dot(p.n_x, r.v_x, p.dx, &sum_v);
    cr_assert(epsilon_eq(dbl, product, derivative(&r, 0, p.batch), derivative_tolerance(&r) * sum_v));
    reference_free(&r);
    pass_free(&p);
}

static void check_samples(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 5), one = pass_alloc(m, 1);
    reference r = reference_alloc(m, c, &p);
    const double ulps = c->ulps * c->epsilon;
    double *sum = numbers(p.n_params);
    run(m, &p);
    for (size_t s = 0; s < p.batch; ++s) {
        memcpy(one.x, p.x + s * m->n_in, m->n_in * sizeof *one.x);
        memcpy(one.dy, p.dy + s * m->n_out, m->n_out * sizeof *one.dy);
        run(m, &one);
        for (size_t o = 0; o < m->n_out; ++o)
            cr_assert(epsilon_eq(dbl, p.y[s * m->n_out + o], one.y[o], ulps * r.magnitude[s]),
                      "y of sample %zu, output %zu", s, o);
        for (size_t i = 0; i < m->n_in; ++i)
            cr_assert(epsilon_eq(dbl, p.dx[s * m->n_in + i], one.dx[i], ulps * r.total),
                      "dx of sample %zu, input %zu", s, i);
        for (size_t j = 0; j < p.n_params; ++j) sum[j] += one.grad[j];
    }
    for (size_t j = 0; j < p.n_params; ++j)
        cr_assert(epsilon_eq(dbl, p.grad[j], sum[j], ulps * r.total), "grad of parameter %zu", j);
    kan_work_free(sum);
    reference_free(&r);
    pass_free(&one);
    pass_free(&p);
}

static void check_work(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 6), q = pass_draw(m, c, 6);
    reference r = reference_alloc(m, c, &p);
    double *preset = numbers(p.n_params), *theta = numbers(p.n_params);
    kan_random random = kan_random_seed(c->seed, 7);
    draw(&random, p.n_params, -1.0, 1.0, preset);
    memcpy(theta, m->theta, p.n_params * sizeof *theta);
    run(m, &p);

    /* work is zero, dx not wanted: the same y and grad */
    alloc_count_begin();
    kan_model_forward(m, q.batch, q.x, q.y, q.work);
    kan_model_backward(m, q.batch, q.x, q.dy, q.grad, NULL, q.work);
    cr_assert(eq(sz, alloc_count_end(), 0), "a step allocates");
    assert_same_bits("y with zeros in work", p.n_y, p.y, q.y);
    assert_same_bits("grad without dx", p.n_params, p.grad, q.grad);

    /* grad holds numbers before: they are added to */
    memcpy(q.grad, preset, p.n_params * sizeof *preset);
    kan_model_forward(m, q.batch, q.x, q.y, q.work);
    alloc_count_begin();
    kan_model_backward(m, q.batch, q.x, q.dy, q.grad, q.dx, q.work);
    cr_assert(eq(sz, alloc_count_end(), 0), "a step with dx allocates");
    for (size_t j = 0; j < p.n_params; ++j)
        cr_assert(epsilon_eq(dbl, q.grad[j], preset[j] + p.grad[j],
                             c->ulps * c->epsilon * (r.total + (double)p.batch)),
                  "grad of parameter %zu is not added to", j);
    assert_same_bits("dx", p.n_x, p.dx, q.dx);

    /* or they are not looked at */
    fill(q.n_params, NAN, q.grad);
    fill(q.n_x, NAN, q.dx);
    kan_model_forward(m, q.batch, q.x, q.y, q.work);
    alloc_count_begin();
    kan_model_gradient(m, q.batch, q.x, q.dy, q.grad, q.dx, q.work);
    cr_assert(eq(sz, alloc_count_end(), 0), "a step that sets the gradient allocates");
    for (size_t j = 0; j < p.n_params; ++j)
        cr_assert(q.grad[j] == p.grad[j], "grad of parameter %zu set: %.17g, added to zero: %.17g", j,
                  q.grad[j], p.grad[j]);
    assert_same_bits("dx of a gradient that is set", p.n_x, p.dx, q.dx);

    assert_same_bits("theta after a step", p.n_params, theta, m->theta);
    pass original = pass_draw(m, c, 6);
    assert_same_bits("x after a step", p.n_x, original.x, q.x);
    assert_same_bits("dy after a step", p.n_y, original.dy, q.dy);
    pass_free(&original);
    kan_work_free(theta);
    kan_work_free(preset);
    reference_free(&r);
    pass_free(&q);
    pass_free(&p);
}

static void check_penalty(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 12), q = pass_draw(m, c, 12);
    reference r = reference_alloc(m, c, &p);
    double *alone = numbers(p.n_params), sum = 0.0;
    run(m, &p);
    kan_model_forward(m, q.batch, q.x, q.y, q.work);
    const double penalty = kan_model_penalty(m, q.batch, 0.385, q.grad, q.work);
    memcpy(alone, q.grad, q.n_params * sizeof *alone);
    for (size_t j = 0; j < q.n_params; ++j) sum += fabs(alone[j]);
    cr_assert(isfinite(penalty) && isfinite(sum));
    if (!m->ops->penalty) cr_assert(penalty == 0.0 && sum == 0.0, "no penalty is %g", penalty);

    kan_model_backward(m, q.batch, q.x, q.dy, q.grad, q.dx, q.work);
    assert_same_bits("dx after a penalty", p.n_x, p.dx, q.dx);
    for (size_t j = 0; j < p.n_params; ++j)
        cr_assert(epsilon_eq(dbl, q.grad[j], alone[j] + p.grad[j],
                             c->ulps * c->epsilon * (r.total + fabs(alone[j]))),
                  "grad of parameter %zu with a penalty", j);
    kan_work_free(alone);
    reference_free(&r);
    pass_free(&q);
    pass_free(&p);
}

static void check_nan(const kan_model *m, const model_contract *c) {
    pass p = pass_draw(m, c, 8);
    double *clean = numbers(p.n_y);
    kan_random random = kan_random_seed(c->seed, 9);
    run(m, &p);
    memcpy(clean, p.y, p.n_y * sizeof *clean);
    const size_t row = kan_random_below(&random, p.batch), n_out = m->n_out;
    for (size_t i = 0; i < m->n_in; ++i) {
        double *x = p.x + row * m->n_in + i;
        const double kept = *x;
        *x = NAN;
        fill(p.n_y, 0.0, p.y);
        kan_model_forward(m, p.batch, p.x, p.y, p.work);
        for (size_t o = 0; o < n_out; ++o)
            cr_assert(isnan(p.y[row * n_out + o]), "input %zu is NaN, output %zu is not", i, o);
        const size_t after = (row + 1) * n_out;
        assert_same_bits("rows before one with NaN", row * n_out, clean, p.y);
        assert_same_bits("rows after one with NaN", p.n_y - after, clean + after, p.y + after);
        *x = kept;
    }
    kan_work_free(clean);
    pass_free(&p);
}

/* ---- model files --------------------------------------------------------------------------------- */

static char *read_bytes(const char *path, size_t *size) {
    FILE *stream = fopen(path, "rb");
    cr_assert(stream != NULL, "%s cannot be opened", path);
    fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    rewind(stream);
    char *bytes = malloc(*size);
    cr_assert(bytes && fread(bytes, 1, *size, stream) == *size, "%s cannot be read", path);
    fclose(stream);
    return bytes;
}

static void write_bytes(const char *path, size_t size, const char *bytes) {
    FILE *stream = fopen(path, "wb");
    cr_assert(stream && fwrite(bytes, 1, size, stream) == size, "%s cannot be written", path);
    fclose(stream);
}

/* A hundred lengths, none and all but one byte among them. */
static void check_truncated(const char *path) {
    size_t size;
    char *bytes = read_bytes(path, &size);
    for (size_t j = 0; j < 100; ++j) {
        const size_t length = j * (size - 1) / 99;
        kan_error error = {KAN_OK, ""};
        write_bytes(path, length, bytes);
        kan_file *file = kan_file_read(path, &error);
        cr_assert(file == NULL, "%zu of %zu bytes are taken for a model", length, size);
        cr_assert(eq(int, (int)error.status, KAN_EFORMAT), "%zu of %zu bytes", length, size);
        cr_assert(error.message[0] != '\0');
    }
    free(bytes);
}

static void assert_same_model(const kan_model *m, const kan_model *copy, const model_contract *c) {
    cr_assert(eq(sz, copy->n_in, m->n_in));
    cr_assert(eq(sz, copy->n_out, m->n_out));
    cr_assert(eq(sz, copy->n_params, m->n_params));
    cr_assert(strcmp(copy->ops->name, m->ops->name) == 0);
    assert_same_bits("theta of a loaded model", m->n_params, m->theta, copy->theta);
    for (size_t j = 0; j < m->n_params; ++j)
        cr_assert(eq(int, copy->trainable[j] != 0, m->trainable[j] != 0), "trainable[%zu]", j);
    pass p = pass_draw(m, c, 10), q = pass_draw(copy, c, 10);
    run(m, &p);
    run(copy, &q);
    assert_same_bits("y of a loaded model", p.n_y, p.y, q.y);
    assert_same_bits("grad of a loaded model", p.n_params, p.grad, q.grad);
    assert_same_bits("dx of a loaded model", p.n_x, p.dx, q.dx);
    pass_free(&q);
    pass_free(&p);
}

static void check_file(const kan_model *m, const model_contract *c) {
    char directory[] = "/tmp/kan_contract_XXXXXX", path[sizeof directory + 16];
    kan_error error = {KAN_OK, ""};
    cr_assert(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/model", directory);

    cr_assert(eq(int, (int)kan_model_save(m, path, &error), KAN_OK), "%s", error.message);
    kan_file *file = kan_file_read(path, &error);
    cr_assert(file != NULL, "%s", error.message);
    cr_assert(strcmp(kan_file_get(file, "model"), m->ops->name) == 0);
    kan_model *copy = c->load(file, &error);
    cr_assert(copy != NULL, "%s", error.message);
    kan_file_free(file);
    assert_same_model(m, copy, c);
    c->release(copy);

    check_truncated(path);
    unlink(path);
    rmdir(directory);
}

/* ---- what a test calls --------------------------------------------------------------------------- */

static model_contract with_defaults(const model_contract *contract) {
    model_contract c = *contract;
    if (c.lo == c.hi) c.lo = -1.5, c.hi = 1.5;
    if (c.ulps == 0.0) c.ulps = 16.0;
    if (c.epsilon == 0.0) c.epsilon = DBL_EPSILON;
    if (c.step == 0.0) c.step = 0x1p-16;
    return c;
}

void model_contract_check(kan_model *m, const model_contract *contract) {
    const model_contract c = with_defaults(contract);
    cr_assert(c.batch > 0 && m->n_in > 0 && m->n_out > 0 && m->n_params > 0);
    cr_assert(kan_model_work_size(m, c.batch) >= kan_model_work_size(m, 1),
              "work grows with the batch");
    check_values(m, &c);
    check_gradients(m, &c);
    check_adjoint(m, &c);
    check_samples(m, &c);
    check_work(m, &c);
    check_penalty(m, &c);
    check_nan(m, &c);
    contract_check_jacobian(m, &c);
    contract_check_jacobian_of_nan(m, &c);
    check_file(m, &c);
}

/* Threads of this process; 0 where that cannot be known. */
static size_t count_threads(void) {
    size_t n = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return 0;
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

/* Samples whose Jacobian is no more than some millions of numbers. */
static size_t jacobian_batch(const kan_model *m, size_t batch) {
    const size_t most = (1 << 22) / (m->n_out * m->n_params) + 1;
    return batch < most ? batch : most;
}

void model_contract_check_threads(kan_model *m, const model_contract *contract) {
    const model_contract c = with_defaults(contract);
    static const size_t n_threads[] = {1, 4, 2};
    pass p[3], few[3];
    jacobian j[3];
    size_t before = 0, after = 0;
    for (size_t k = 0; k < 3; ++k) {
        p[k] = pass_draw(m, &c, 11);
        few[k] = p[k];
        few[k].batch = jacobian_batch(m, c.batch), few[k].n_y = few[k].batch * m->n_out;
        kan_parallel_set_threads(n_threads[k]);
        if (k == 1) before = count_threads();
        run(m, &p[k]);
        if (k == 1) after = count_threads();
        j[k] = jacobian_run(m, &few[k]);
    }
    if (kan_parallel_threads() > 1 && before > 0)
        cr_assert(after > before, "the batch is too small to use threads: %zu and %zu", before, after);
    for (size_t k = 1; k < 3; ++k) {
        assert_same_bits("y with more threads", p[0].n_y, p[0].y, p[k].y);
        assert_same_bits("grad with more threads", p[0].n_params, p[0].grad, p[k].grad);
        assert_same_bits("dx with more threads", p[0].n_x, p[0].dx, p[k].dx);
        assert_same_bits("a Jacobian's y with more threads", few[0].n_y, j[0].y, j[k].y);
        assert_same_bits("a Jacobian with more threads", few[0].n_y * j[0].width, j[0].values,
                         j[k].values);
        cr_assert(memcmp(j[0].starts, j[k].starts, few[0].batch * j[0].n_runs * sizeof *j[0].starts) ==
                  0);
    }
    for (size_t j = 0; j < p[0].n_y; ++j) cr_assert(isfinite(p[0].y[j]), "y[%zu]", j);
    for (size_t k = 0; k < 3; ++k) pass_free(&p[k]), jacobian_free(&j[k]);
}
