"""Classes by neighbours, by a linear probe and by few labels."""

from pathlib import Path

from sslrun.config.command.probe import ProbeConfig
from sslrun.core.atomic import write_json
from sslrun.data.base import Data, check_labelled
from sslrun.evaluation.plane import plane, write_embedding
from sslrun.evaluation.probes.base import Frozen, Measured, Probe
from sslrun.evaluation.raw import Fitted
from sslrun.evaluation.table import ProbeResult, probe_rows


class Classes(Probe):
    """Rows `knn1`, `knn20`, `linear` and `few_labels`; the confusion matrix and the embedding in the plane."""

    def __init__(self, data: Data, config: ProbeConfig) -> None:
        super().__init__(data, config)
        self._result: ProbeResult | None = None

    @staticmethod
    def fits(data: Data) -> bool:
        if data.classes is None:
            return False
        check_labelled(data)
        return True

    @staticmethod
    def remedy(data: Data) -> str:
        return "a labelled dataset: dataset=…"

    def measure(self, frozen: Frozen) -> Measured:
        config, key = self.config, self.key(frozen.name)
        if isinstance(frozen.encoder, Fitted):
            found = frozen.encoder.probe(self.data, key=key, budgets=config.labels, draws=config.draws)
        else:
            assert frozen.features is not None and self.data.classes is not None
            found = probe_rows(
                *frozen.features.values(),
                num_classes=len(self.data.classes),
                key=key,
                budgets=config.labels,
                draws=config.draws,
                device=frozen.device,
            )
        self._result = found
        return Measured(found.rows, found.chosen, found.notes)

    def draw(self, frozen: Frozen, folder: Path) -> None:
        if frozen.features is None:
            return
        test, classes = frozen.features["test"], self.data.classes
        assert self._result is not None and test.labels is not None and classes is not None
        points, shown = plane(test.features, seed=self.config.seed)
        write_embedding(folder / "embedding.csv", points, [classes[int(i)] for i in test.labels[shown]])
        matrix = self._result.confusion.tolist()
        write_json(folder / "confusion.json", {"classes": list(classes), "matrix": matrix})


PROBE = Classes
