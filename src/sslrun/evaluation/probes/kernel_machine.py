"""Classification of series by a support vector machine."""

from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.probes.base import FrozenEncoder, Measurement, Probe
from sslrun.evaluation.svm import svm_row


class KernelMachine(Probe):
    """Row `svm`."""

    @staticmethod
    def fits(data: Data) -> bool:
        return isinstance(data, SeriesData) and data.classes is not None

    def measure(self, frozen: FrozenEncoder) -> Measurement:
        assert frozen.features is not None  # series have no ClassifierBaseline
        splits = (f.labelled(split=split, dataset=self.data.name) for split, f in frozen.features.items())
        return Measurement([svm_row(*splits, key=self.key(frozen.name))])


PROBE = KernelMachine
