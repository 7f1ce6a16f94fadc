/* experiments/model_file.h - a complete saved model: the model, the scaler of its data, the names of
 * its columns and classes, and how it was trained.
 *
 * The texts "kan.command", "kan.program_version" and "kan.training" (a JSON object) stand beside those
 * of the model, of the scaler and of the schema.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef KAN_EXPERIMENTS_MODEL_FILE_H
#define KAN_EXPERIMENTS_MODEL_FILE_H

#include <jansson.h>

#include "core/file.h"
#include "kan/net.h"
#include "mlp/mlp.h"
#include "train/dataset.h"
#include "train/scaler.h"

typedef struct model_file {
    kan_file *file; /* what was read: its texts */
    kan_net *net;   /* one of the two           */
    kan_mlp *mlp;
    kan_model *model; /* that of net or mlp                                   */
    kan_scaler *scaler;
    kan_dataset *schema; /* names, classes and sizes; no rows                    */
    json_t *training;    /* how it was trained, NULL where the file does not say */
} model_file;

/* Writes all of it; training is borrowed. KAN_EIO, KAN_ENOMEM, KAN_EFORMAT. */
kan_status model_file_write(const char *path, const kan_model *model, const kan_scaler *scaler,
                            const kan_dataset *schema, const char *command, const json_t *training,
                            kan_error *error);

/* Reads it and checks that its parts fit together. On failure m is empty. KAN_EIO, KAN_ENOMEM,
 * KAN_EFORMAT. */
kan_status model_file_read(const char *path, model_file *m, kan_error *error);
/* The rows of a file as the model is given them, scaled, to be freed with kan_dataset_free; *has_target (NULL: not
 * wanted) says whether the file has the target too. KAN_EIO, KAN_ENOMEM, KAN_EFORMAT. */
kan_status model_file_rows(const model_file *m, const char *path, kan_dataset **d, bool *has_target,
                           kan_error *error);

void model_file_free(model_file *m);

#endif
