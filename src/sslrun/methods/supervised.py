"""Supervised (He et al. 2016, arXiv:1512.03385): cross-entropy on labels.

The classifier is thrown away after the training; what was below it is an encoder like any other, so that supervised
pretraining is one more row of the same table.

Formula:
    loss = mean over i of  -sum_c q_ic log softmax(W h_i + b)_c,  q_ic = (1 - eps) [c = y_i] + eps / C

    h: features; y: labels; C: classes; eps: label_smoothing (section 7 of arXiv:1512.00567).

When to choose it:
    As the yardstick: what the same net learns in the same time when it is given every label. To train a classifier,
    `sslrun finetune encoder=random backbone=…` does the same with early stopping.
"""

from sslrun.backbones.base import Encoder
from sslrun.config.method.supervised import SupervisedConfig
from sslrun.methods.classifier import Classifier


class Supervised(Classifier):
    """What fine-tuning trains, from random weights and with one rate for all blocks."""

    needs_labels = True
    syncs_batch_norm = False  # each worker's statistics are its own: section 2.3 of arXiv:1706.02677

    def __init__(self, config: SupervisedConfig, encoder: Encoder) -> None:
        super().__init__(encoder, num_classes=encoder.inputs["classes"], label_smoothing=config.label_smoothing)
