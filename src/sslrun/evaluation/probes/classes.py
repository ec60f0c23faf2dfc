"""Classification by kNN, by a linear probe and with few labels."""

from pathlib import Path

from sslrun.config.command.probe import ProbeConfig
from sslrun.core.atomic import write_json
from sslrun.data.base import Data, check_labelled
from sslrun.evaluation.probes.base import FrozenEncoder, Measurement, Probe
from sslrun.evaluation.projection import project_2d, write_embedding
from sslrun.evaluation.raw import ClassifierBaseline
from sslrun.evaluation.table import ProbeResult, probe_rows


class Classes(Probe):
    """Rows `knn1`, `knn20`, `linear` and `few_labels`; the confusion matrix and a 2D projection."""

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

    def measure(self, frozen: FrozenEncoder) -> Measurement:
        config, key = self.config, self.key(frozen.name)
        if isinstance(frozen.encoder, ClassifierBaseline):
            result = frozen.encoder.probe(self.data, key=key, budgets=config.labels, draws=config.draws)
        else:
            assert frozen.features is not None and self.data.classes is not None
            result = probe_rows(
                *frozen.features.values(),
                num_classes=len(self.data.classes),
                key=key,
                budgets=config.labels,
                draws=config.draws,
                device=frozen.device,
            )
        self._result = result
        return Measurement(result.rows, result.chosen, result.notes)

    def write_figure_data(self, frozen: FrozenEncoder, folder: Path) -> None:
        if frozen.features is None:
            return
        test, classes = frozen.features["test"], self.data.classes
        assert self._result is not None and test.labels is not None and classes is not None
        points, shown = project_2d(test.features, seed=self.config.seed)
        write_embedding(folder / "embedding.csv", points, [classes[int(i)] for i in test.labels[shown]])
        matrix = self._result.confusion.tolist()
        write_json(folder / "confusion.json", {"classes": list(classes), "matrix": matrix})


PROBE = Classes
