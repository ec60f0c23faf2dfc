"""Fine-tuning for classification."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.config.errors import ConfigError
from sslrun.core.atomic import write_json
from sslrun.core.rows import Row, RowKey
from sslrun.data.base import Data, Items
from sslrun.evaluation.batches import batches_of
from sslrun.evaluation.classification import classification_rows, confusion_matrix
from sslrun.evaluation.features import Features, extract
from sslrun.evaluation.few_labels import fit_logistic_head, nested_subsets, seed_of_draw
from sslrun.evaluation.goals.base import HELD_OUT, CheckResult, Goal, LabelSplit
from sslrun.evaluation.projection import project_2d, write_embedding
from sslrun.methods.classifier import Classifier
from sslrun.methods.fine_tuned import FineTuned
from sslrun.runs.rank import local_rank
from sslrun.training.plan import Plan

MIN_PER_CLASS = 5
"""With fewer labels per class nothing is held out and the run does not stop early."""
MAX_HEAD_INIT_ITEMS = 10_000
"""At most this many items, evenly spaced, are used to initialise the head."""


class Classification(Goal):
    """Single-label classification with cross-entropy."""

    head = "classifier"
    has_regression = True

    def method(self, encoder: Encoder, config: FinetuneConfig) -> Classifier:
        """Classifier with the dataset's classes."""
        assert self.data.classes is not None
        return Classifier(
            encoder,
            num_classes=len(self.data.classes),
            layer_decay=config.layer_decay,
            label_smoothing=config.label_smoothing,
        )

    def few_label_split(self, labels: int | float, *, seed: int) -> LabelSplit:
        """Stratified subset."""
        all_labels = self.data.labels("train")
        assert all_labels is not None
        targets = torch.from_numpy(all_labels)
        subsets, _ = nested_subsets(targets, budgets=[labels], seed=seed_of_draw(seed, 0))
        if labels not in subsets:
            smallest = int(np.unique(all_labels, return_counts=True)[1].min())
            raise ConfigError(
                f"labels={labels} per class: the smallest class has {smallest}; say at most that many, or all"
            )
        chosen = subsets[labels]
        if len(chosen) < MIN_PER_CLASS * len(np.unique(all_labels)):
            return LabelSplit(chosen.tolist(), "train", [])
        held_out, _ = nested_subsets(targets[chosen], budgets=[HELD_OUT], seed=seed)
        is_held_out = torch.zeros(len(chosen), dtype=torch.bool)
        is_held_out[held_out[HELD_OUT]] = True
        is_held_out &= torch.isin(targets[chosen], targets[chosen[~is_held_out]])  # keep a class's only label for train
        return LabelSplit(chosen[~is_held_out].tolist(), "train", chosen[is_held_out].tolist())

    def init_head(self, method: FineTuned, positions: Sequence[int], plan: Plan) -> None:
        """Use the logistic regression of the few-label rows, with standardisation folded in (arXiv:2202.10054)."""
        evenly = np.linspace(0, len(positions) - 1, min(len(positions), MAX_HEAD_INIT_ITEMS)).astype(int)
        positions = [positions[i] for i in evenly]
        method.to(torch.device(plan.accelerator, local_rank()) if plan.accelerator == "cuda" else plan.accelerator)
        _, features = predict(method, self.data, self.data.evaluation("train"), plan, positions=positions)
        method.cpu()
        assert features.labels is not None
        weight, bias = fit_logistic_head(features.features, features.labels, num_classes=method.head.out_features)
        with torch.no_grad():
            method.head.weight.copy_(weight)
            method.head.bias.copy_(bias)

    def check(self, method: FineTuned, split: str, positions: Sequence[int], plan: Plan) -> CheckResult:
        """By top-1, then by loss: with few items ties are common."""
        scores, features = predict(method, self.data, self.data.evaluation(split), plan, positions=positions)
        assert features.labels is not None
        top1 = float((scores.argmax(dim=1) == features.labels).double().mean())
        loss = float(F.cross_entropy(scores, features.labels))
        return CheckResult((top1, -loss), {"probe/top1": top1, "probe/loss": loss}, {"top1": f"{top1:.1%}"})

    def measure(
        self, method: FineTuned, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
    ) -> list[Row]:
        """Rows of `classification_rows`; writes confusion.json and embedding.csv."""
        data = self.data
        assert data.classes is not None
        scores, features = predict(method, data, data.evaluation("test"), plan)
        assert features.labels is not None
        write_json(
            folder / "confusion.json",
            {"classes": list(data.classes), "matrix": confusion_matrix(scores, features.labels).tolist()},
        )
        points, chosen = project_2d(features.features, seed=config.seed)
        write_embedding(folder / "embedding.csv", points, [data.classes[int(i)] for i in features.labels[chosen]])
        key = RowKey(encoder=encoder, dataset=data.name, evaluation="finetune", labels=config.labels, seed=config.seed)
        return classification_rows(scores, features.labels, key=key, logits=True)


def predict(
    method: FineTuned, data: Data, items: Items, plan: Plan, *, positions: Sequence[int] | None = None
) -> tuple[Tensor, Features]:
    """(N, C) logits in eval mode, and the features and labels of the same items."""
    device = next(method.parameters()).device
    batches = batches_of(
        data,
        items,
        device=device,
        precision=plan.precision,
        batch_size=max(64, plan.micro_batch),
        workers=plan.workers,
        positions=positions,
    )
    features = extract(method.encoder, batches)
    with torch.inference_mode():
        return method.logits(features.features.to(device)).cpu(), features
