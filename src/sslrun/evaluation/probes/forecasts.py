"""Forecasts of what follows each window of a series."""

from sslrun.backbones.base import Encoder
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.forecasting import forecast_rows, lag_rows, last_vector
from sslrun.evaluation.probes.base import Frozen, Measured, Probe


class Forecasts(Probe):
    """Rows `forecast` of each horizon, for the encoder, for raw lags and for the last value."""

    data: SeriesData

    @staticmethod
    def fits(data: Data) -> bool:
        return isinstance(data, SeriesData) and bool(data.horizons)

    @staticmethod
    def remedy(data: Data) -> str | None:
        return "dataset.window and dataset.horizons to forecast" if isinstance(data, SeriesData) else None

    def measure(self, frozen: Frozen) -> Measured:
        if not isinstance(frozen.encoder, Encoder):
            return Measured()
        represent = last_vector(frozen.encoder.to(frozen.device), device=frozen.device)
        return Measured(forecast_rows(self.data, self.data.horizons, represent, key=self.key(frozen.name)))

    def references(self) -> list[Row]:
        return lag_rows(self.data, self.data.horizons, seed=self.config.seed)


PROBE = Forecasts
