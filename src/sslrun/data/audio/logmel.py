"""Log-mel spectrograms."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

from sslrun.config.dataset.audio import AudioDatasetConfig
from sslrun.data.audio.clips import Clips, Computed, Ragged, Rows, ragged
from sslrun.data.audio.store import cached_rows
from sslrun.data.folders import cache_folder
from sslrun.data.labels import digest

FLOOR = 1e-6
"""Added to band energies (of samples in [-1, 1]) before the logarithm."""


class LogMel:
    """Samples to log-mel frames: one centred frame per `hop`, with reflection padding at the ends."""

    def __init__(self, config: AudioDatasetConfig) -> None:
        self.hop, self.window_size = config.hop, config.window
        self.fft = 1 << (config.window - 1).bit_length()
        self.window = torch.hann_window(config.window)
        bank = _bank(config, self.fft)
        while (bank.max(axis=0) == 0).any():  # a narrow band falls between two FFT bins
            self.fft *= 2
            bank = _bank(config, self.fft)
        self.bank = torch.from_numpy(bank).float()  # (bins, mels)

    def __call__(self, wave: np.ndarray) -> np.ndarray:
        """(n,) int16 -> (frames, mels) float32, unnormalised."""
        samples = torch.from_numpy(wave.astype(np.float32) / 32767)
        if len(samples) <= self.fft // 2:  # too short for reflection padding
            samples = torch.nn.functional.pad(samples, (0, self.fft // 2 + 1 - len(samples)))
        spectrum = torch.stft(
            samples, self.fft, self.hop, self.window_size, self.window, center=True, return_complex=True
        )  # (bins, frames)
        power = spectrum.abs().square() / self.window.square().sum()
        return torch.log(power.T @ self.bank + FLOOR).numpy()


def logmel_of(clips: Clips, config: AudioDatasetConfig) -> Rows:
    """(frames, mels) float32 of each clip; cached in files if the clips are, computed on access if streamed."""
    make = LogMel(config)
    if not isinstance(clips.waves, Ragged):
        return Computed(clips.waves, make)

    def rows() -> Iterator[np.ndarray]:
        return (make(clips.waves[i]) for i in range(len(clips)))

    if clips.key is None:
        return ragged(list(rows()))
    key = digest(clips.key, config.mels, config.window, config.hop, config.low_hz, config.high_hz)
    return cached_rows(cache_folder(config.cache_dir) / "audio", key, rows)


def _bank(config: AudioDatasetConfig, fft: int) -> np.ndarray:
    """(bins, mels) weights of triangular filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about empty bands, which the caller checks
        bank: np.ndarray = mel_filter_bank(
            num_frequency_bins=fft // 2 + 1,
            num_mel_filters=config.mels,
            min_frequency=config.low_hz,
            max_frequency=config.high_hz or config.sample_rate / 2,
            sampling_rate=config.sample_rate,
        )
    return bank
