"""Forecasting evaluation of series encoders."""

from sslrun.backbones.base import Encoder
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.forecasting import forecast_rows, lag_rows, last_vector
from sslrun.evaluation.probes.base import FrozenEncoder, Measurement, Probe


class Forecasts(Probe):
    """Rows `forecast` of each horizon, for the encoder, raw lags and the last value."""

    data: SeriesData

    @staticmethod
    def fits(data: Data) -> bool:
        return isinstance(data, SeriesData) and bool(data.horizons)

    @staticmethod
    def remedy(data: Data) -> str | None:
        return "dataset.window and dataset.horizons to forecast" if isinstance(data, SeriesData) else None

    def measure(self, frozen: FrozenEncoder) -> Measurement:
        if not isinstance(frozen.encoder, Encoder):
            return Measurement()
        represent = last_vector(frozen.encoder.to(frozen.device), device=frozen.device)
        return Measurement(forecast_rows(self.data, self.data.horizons, represent, key=self.key(frozen.name)))

    def references(self) -> list[Row]:
        return lag_rows(self.data, self.data.horizons, seed=self.config.seed)


PROBE = Forecasts
