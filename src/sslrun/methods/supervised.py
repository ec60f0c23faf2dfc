"""Supervised (He et al. 2016, arXiv:1512.03385): cross-entropy on labels.

The classifier is discarded after training; the rest is an encoder like any other, so that supervised pretraining is one
more row of the same table.

Formula:
    loss = mean over i of  -sum_c q_ic log softmax(W h_i + b)_c,  q_ic = (1 - eps) [c = y_i] + eps / C

    h: features; y: labels; C: classes; eps: label_smoothing (section 7 of arXiv:1512.00567).

When to choose it:
    As the upper reference: what the same network learns in the same time from all labels. To train a classifier,
    `sslrun finetune encoder=random backbone=…` does the same with early stopping.
"""

from sslrun.backbones.base import Encoder
from sslrun.config.method.supervised import SupervisedConfig
from sslrun.methods.classifier import Classifier


class Supervised(Classifier):
    """As fine-tuning, from random weights and with one learning rate for all blocks."""

    needs_labels = True
    syncs_batch_norm = False  # each worker's statistics are its own: section 2.3 of arXiv:1706.02677

    def __init__(self, config: SupervisedConfig, encoder: Encoder) -> None:
        super().__init__(encoder, num_classes=encoder.inputs["classes"], label_smoothing=config.label_smoothing)
