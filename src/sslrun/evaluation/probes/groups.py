"""Classes of items from groups, such as speakers, that had no labels."""

from sslrun.data.base import Data
from sslrun.evaluation.groups import group_rows
from sslrun.evaluation.probes.base import Frozen, Measured, Probe


class LeaveOneGroupOut(Probe):
    """Rows `leave_one_group_out`."""

    @staticmethod
    def fits(data: Data) -> bool:
        return data.classes is not None and data.groups("train") is not None

    def measure(self, frozen: Frozen) -> Measured:
        if frozen.features is None:
            return Measured()
        return Measured(group_rows(frozen.features, self.data, key=self.key(frozen.name)))


PROBE = LeaveOneGroupOut
