"""Classes of series by a support vector machine."""

from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.probes.base import Found, Frozen, Probe
from sslrun.evaluation.svm import svm_row


class KernelMachine(Probe):
    """The row `svm`."""

    @staticmethod
    def fits(data: Data) -> bool:
        return isinstance(data, SeriesData) and data.classes is not None

    def measure(self, frozen: Frozen) -> Found:
        assert frozen.features is not None  # no baseline of series is a Fitted one
        features = frozen.features.values()
        return Found([svm_row(*features, encoder=frozen.name, dataset=self.data.name, seed=self.config.seed)])


PROBE = KernelMachine
