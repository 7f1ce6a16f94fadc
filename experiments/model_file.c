/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiments/model_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static kan_status add_texts(kan_file *file, const char *command, const json_t *training,
                            kan_error *error) {
    char *text = json_dumps(training, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) return kan_status_fail(error, KAN_ENOMEM, "out of memory");
    kan_status status = kan_file_set(file, "kan.command", command, error);
    if (status == KAN_OK) status = kan_file_set(file, "kan.program_version", KAN_VERSION, error);
    if (status == KAN_OK) status = kan_file_set(file, "kan.training", text, error);
    free(text);
    return status;
}

kan_status model_file_write(const char *path, const kan_model *model, const kan_scaler *scaler,
                            const kan_dataset *schema, const char *command, const json_t *training,
                            kan_error *error) {
    kan_file *file = kan_file_alloc();
    if (!file) return kan_status_fail(error, KAN_ENOMEM, "%s: out of memory", path);
    kan_status status = kan_model_add_to(model, file, error);
    if (status == KAN_OK) status = kan_scaler_save(scaler, file, error);
    if (status == KAN_OK) status = kan_dataset_save_schema(schema, file, error);
    if (status == KAN_OK) status = add_texts(file, command, training, error);
    if (status == KAN_OK) status = kan_file_write(file, path, error);
    kan_file_free(file);
    return status;
}

static kan_status read_model(const char *path, model_file *m, kan_error *error) {
    const char *kind = kan_file_get(m->file, "model");
    if (kind && strcmp(kind, "kan") == 0) {
        if ((m->net = kan_net_load(m->file, error))) m->model = kan_net_model(m->net);
    } else if (kind && strcmp(kind, "mlp") == 0) {
        if ((m->mlp = kan_mlp_load(m->file, error))) m->model = kan_mlp_model(m->mlp);
    } else {
        return kan_status_fail(error, KAN_EFORMAT, "%s: holds no model: 'model' is '%.40s'", path,
                               kind ? kind : "");
    }
    return m->model ? KAN_OK : error->status;
}

/* Parts that each are sound may still come from different files. */
static kan_status check_parts(const char *path, const model_file *m, kan_error *error) {
    assert(m->model && m->scaler && m->schema);
    const kan_dataset *d = m->schema;
    if (m->model->n_in != d->n_in || m->model->n_out != d->n_out)
        return kan_status_fail(error, KAN_EFORMAT,
                               "%s: a model of %zu inputs and %zu outputs for data of %zu and %zu",
                               path, m->model->n_in, m->model->n_out, d->n_in, d->n_out);
    const size_t n_y = d->task == KAN_REGRESSION ? d->n_out : 0;
    if ((m->scaler->n_in != 0 && m->scaler->n_in != d->n_in) || m->scaler->n_y != n_y)
        return kan_status_fail(error, KAN_EFORMAT, "%s: the scaler is not that of these data", path);
    return KAN_OK;
}

kan_status model_file_read(const char *path, model_file *m, kan_error *error) {
    kan_error inner;
    *m = (model_file){.file = kan_file_read(path, &inner)};
    if (!m->file) return kan_status_fail(error, inner.status, "%s", inner.message);
    kan_status status = read_model(path, m, &inner);
    if (status == KAN_OK && !(m->scaler = kan_scaler_load(m->file, &inner))) status = inner.status;
    if (status == KAN_OK && !(m->schema = kan_dataset_load_schema(m->file, &inner)))
        status = inner.status;
    if (status == KAN_OK) status = check_parts(path, m, &inner);
    if (status != KAN_OK) {
        model_file_free(m);
        const bool named = strncmp(inner.message, path, strlen(path)) == 0;
        return kan_status_fail(error, status, "%s%s%s", named ? "" : path, named ? "" : ": ",
                               inner.message);
    }
    const char *training = kan_file_get(m->file, "kan.training");
    if (training)
        m->training = json_loads(training, 0, NULL); /* only shown: NULL where it is damaged */
    return KAN_OK;
}

/* Whether there is a target is not part of what a reader returns: it is asked with and without. */
kan_status model_file_rows(const model_file *m, const char *path, kan_dataset **d, bool *has_target,
                           kan_error *error) {
    kan_error why = {KAN_OK, ""};
    kan_read_options how = {.like = m->schema};
    *d = has_target ? kan_dataset_read(path, &how, &why) : NULL;
    if (has_target) *has_target = *d != NULL;
    how.target_optional = true;
    if (!*d && (!has_target || why.status == KAN_EFORMAT)) *d = kan_dataset_read(path, &how, &why);
    if (!*d) return kan_status_fail(error, why.status, "%s", why.message);
    if (!(*d)->bytes || m->scaler->n_in == 0) {
        kan_scaler_apply(m->scaler, *d);
        return KAN_OK;
    }
    kan_dataset_free(*d);
    *d = NULL;
    return kan_status_fail(error, KAN_EFORMAT,
                           "%s: images, but the model was trained on columns of numbers", path);
}

void model_file_free(model_file *m) {
    kan_net_free(m->net);
    kan_mlp_free(m->mlp);
    kan_scaler_free(m->scaler);
    kan_dataset_free(m->schema);
    json_decref(m->training);
    kan_file_free(m->file);
    *m = (model_file){.file = NULL};
}
