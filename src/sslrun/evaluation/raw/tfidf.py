"""Raw baseline of text: TF-IDF features and logistic regression."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from sslrun.config.dataset.splits import SPLITS
from sslrun.core.rows import Labels, RowKey
from sslrun.data.base import Data
from sslrun.data.text.texts import TextData
from sslrun.evaluation.classification import classification_rows, confusion_matrix
from sslrun.evaluation.features import labels_of
from sslrun.evaluation.few_labels import budget_rows
from sslrun.evaluation.table import ProbeResult

INVERSE_PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""scikit-learn's C with all labels, selected on validation."""
FEW_LABELS_INVERSE_PENALTY = 10.0
"""scikit-learn's C with few labels."""
MAX_ITERATIONS = 1000


class TfIdf:
    """Rows `linear` and `few_labels`; the vocabulary and IDF come from all of train, without labels.

    Unreadable texts are omitted, as for all encoders.
    """

    def probe(self, data: Data, *, key: RowKey, budgets: Sequence[Labels], draws: int) -> ProbeResult:
        """The penalty is selected on validation with all labels, and fixed with few."""
        assert isinstance(data, TextData) and data.classes is not None
        texts = {split: dict(data.readable(split)) for split in SPLITS}  # by position
        vectorizer = TfidfVectorizer()
        train = vectorizer.fit_transform(texts["train"].values())
        validation, test = (vectorizer.transform(texts[split].values()) for split in ("validation", "test"))
        train_labels, validation_labels, test_labels = (
            labels_of(data.labels(split), split=split, dataset=data.name)[list(of_split)]
            for split, of_split in texts.items()
        )
        heads = [
            LogisticRegression(C=c, max_iter=MAX_ITERATIONS).fit(train, train_labels.numpy()) for c in INVERSE_PENALTIES
        ]
        accuracies = [head.score(validation, validation_labels.numpy()) for head in heads]
        best = max(range(len(heads)), key=accuracies.__getitem__)
        probabilities = torch.zeros(len(test_labels), len(data.classes))  # train may lack a class
        probabilities[:, heads[best].classes_] = torch.from_numpy(heads[best].predict_proba(test)).float()
        linear = classification_rows(probabilities, test_labels, key=replace(key, evaluation="linear"), logits=False)

        def predict(index: Tensor) -> tuple[Tensor, Tensor]:
            labels = train_labels[index]
            classes = torch.unique(labels)
            if len(classes) == 1:  # scikit-learn refuses to fit it
                return classes, torch.ones(len(test_labels), 1)
            head = LogisticRegression(C=FEW_LABELS_INVERSE_PENALTY, max_iter=MAX_ITERATIONS).fit(
                train[index.numpy()], labels.numpy()
            )
            return classes, torch.from_numpy(head.predict_proba(test))

        few, notes = budget_rows(predict, train_labels, test_labels, key=key, budgets=budgets, draws=draws)
        return ProbeResult(
            rows=[*linear, *few],
            notes=notes,
            chosen={"inverse_penalty": INVERSE_PENALTIES[best], "validation_top1": float(accuracies[best])},
            linear=None,
            confusion=confusion_matrix(probabilities, test_labels),
        )


BASELINE = TfIdf
