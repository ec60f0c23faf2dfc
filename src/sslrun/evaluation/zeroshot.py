"""Zero-shot classification with class-name prompts (Radford et al. 2021, arXiv:2103.00020, section 3.1)."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.classification import classification_rows
from sslrun.evaluation.intervals import mean_row

EVALUATION = "zeroshot"


def fill_templates(classes: Sequence[str], templates: Sequence[str]) -> list[str]:
    """T x K prompts, template by template."""
    return [template.replace("{}", name) for template in templates for name in classes]


def zeroshot_rows(
    images: Tensor,
    labels: Tensor,
    prompts: Tensor,
    *,
    classes: Sequence[str],
    templates: Sequence[str],
    scale: float,
    key: RowKey,
) -> list[Row]:
    """Rows of the prompt ensemble, of the first template alone, of each class, and of encoder `chance`.

    Args:
        images: (N, P) of unit length.
        labels: (N,) int64.
        prompts: (T, K, P) of unit length; a class's embedding is the normalised mean over templates.
        scale: the method's logit scale, for calibration.
    """
    key = replace(key, evaluation=EVALUATION)
    scores = scale * images @ F.normalize(prompts.mean(dim=0), dim=1).T  # (N, K)
    rows = classification_rows(scores, labels, key=key, logits=True)
    for k in (1, 5) if len(classes) > 5 else (1,):
        rows.append(replace(key, encoder="chance").row(f"top{k}", k / len(classes), n=len(labels)))
    if len(templates) > 1:
        first_key = replace(key, condition=f"template={templates[0]}")
        first_rows = classification_rows(scale * images @ prompts[0].T, labels, key=first_key, logits=True)
        rows += [row for row in first_rows if row.metric.startswith("top")]
    correct = (scores.argmax(dim=1) == labels).double()
    for k in torch.unique(labels).tolist():
        rows.append(mean_row(replace(key, condition=f"class={classes[k]}"), "top1", correct[labels == k]))
    return rows
