"""Leave-one-group-out classification, for example across speakers."""

from sslrun.data.base import Data
from sslrun.evaluation.groups import group_rows
from sslrun.evaluation.probes.base import FrozenEncoder, Measurement, Probe


class LeaveOneGroupOut(Probe):
    """Rows `leave_one_group_out`."""

    @staticmethod
    def fits(data: Data) -> bool:
        return data.classes is not None and data.groups("train") is not None

    def measure(self, frozen: FrozenEncoder) -> Measurement:
        if frozen.features is None:
            return Measurement()
        return Measurement(group_rows(frozen.features, self.data, key=self.key(frozen.name)))


PROBE = LeaveOneGroupOut
