"""Classes told by their names alone (Radford et al. 2021, arXiv:2103.00020, section 3.1)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.core.rows import Row
from sslrun.evaluation.classification import classification_rows
from sslrun.evaluation.intervals import mean_row

NAME = "zeroshot"


def prompted(classes: Sequence[str], templates: Sequence[str]) -> list[str]:
    """T x K texts, template by template."""
    return [template.replace("{}", name) for template in templates for name in classes]


def zeroshot_rows(
    images: Tensor,
    labels: Tensor,
    prompts: Tensor,
    *,
    classes: Sequence[str],
    templates: Sequence[str],
    scale: float,
    encoder: str,
    dataset: str,
    split: str,
    seed: int,
) -> list[Row]:
    """Rows of the templates' mean, of the first template alone, of each class, and of chance.

    Args:
        images: (N, P) of unit length.
        labels: (N,) int64.
        prompts: (T, K, P) of unit length; a class is the mean over templates, of unit length again.
        scale: by which the method multiplies cosines, for calibration.
    """
    about = {"encoder": encoder, "dataset": dataset, "split": split, "seed": seed}
    scores = scale * images @ F.normalize(prompts.mean(dim=0), dim=1).T  # (N, K)
    rows = classification_rows(scores, labels, evaluation=NAME, logits=True, **about)  # type: ignore[arg-type]
    rows += [
        Row(
            evaluation=NAME,
            metric=f"top{k}",
            value=k / len(classes),
            n=len(labels),
            encoder="chance",
            dataset=dataset,
            split=split,
            seed=seed,
        )
        for k in ((1, 5) if len(classes) > 5 else (1,))
    ]
    if len(templates) > 1:
        alone = scale * images @ prompts[0].T
        told = classification_rows(
            alone,
            labels,
            evaluation=NAME,
            logits=True,
            condition=f"template={templates[0]}",
            **about,  # type: ignore[arg-type]
        )
        rows += [row for row in told if row.metric.startswith("top")]
    correct = (scores.argmax(dim=1) == labels).double()
    for k in torch.unique(labels).tolist():
        rows.append(
            mean_row(
                correct[labels == k],
                evaluation=NAME,
                metric="top1",
                condition=f"class={classes[k]}",
                **about,  # type: ignore[arg-type]
            )
        )
    return rows
