"""Synthetic melodies for tests, demonstrations and first runs; not a benchmark."""

import numpy as np

from sslrun.config.dataset.audio import TonesConfig
from sslrun.data.audio.audio import AudioData
from sslrun.data.audio.clips import Clips, ragged
from sslrun.data.audio.read import as_int16

MELODIES = {"rising": (0, 4, 7), "falling": (7, 4, 0), "arch": (0, 7, 0), "valley": (7, 0, 7), "level": (4, 4, 4)}
"""Classes: semitones above the voice's base pitch."""
VOICES = {"bass": 110.0, "baritone": 147.0, "tenor": 196.0, "alto": 262.0, "mezzo": 349.0, "soprano": 466.0}
"""Groups: base pitch in Hz. Each voice also has its own overtone level."""


class Tones(AudioData):
    """Five melodies of three tones, by six voices, at random tempo and loudness, in noise."""

    def __init__(self, config: TonesConfig) -> None:
        super().__init__(config, {"train": draw(config)}, corrupt=[])


def draw(config: TonesConfig) -> Clips:
    """The tones, from a fixed seed."""
    random = np.random.Generator(np.random.Philox(20262))
    melodies, voices = sorted(MELODIES), sorted(VOICES)
    waves, labels, groups = [], [], []
    for i in range(config.items):
        melody, voice = melodies[i % len(melodies)], voices[i // len(melodies) % len(voices)]
        seconds = random.uniform(0.08, 0.16)
        pitch = VOICES[voice] * 2 ** (random.uniform(-1, 1) / 12)
        overtones = 0.3 + 0.1 * voices.index(voice)
        tones = [
            _tone(pitch * 2 ** (step / 12), round(seconds * config.sample_rate), config.sample_rate, overtones)
            for step in MELODIES[melody]
        ]
        wave = random.uniform(0.2, 0.8) * np.concatenate(tones)
        waves.append(as_int16(wave + 0.2 * config.noise * random.standard_normal(len(wave))))
        labels.append(melody)
        groups.append(voice)
    return Clips(ragged(waves), [f"tones[{i}]" for i in range(config.items)], np.array(labels), np.array(groups))


def _tone(hertz: float, samples: int, sample_rate: int, overtones: float) -> np.ndarray:
    """(samples,) of a tone with four overtones, each `overtones` times the previous one, under a half-sine envelope."""
    time = np.arange(samples) / sample_rate
    parts = [overtones**k * np.sin(2 * np.pi * hertz * (k + 1) * time) for k in range(5)]
    return np.sum(parts, axis=0) * np.sin(np.pi * np.arange(samples) / samples) / (1 + overtones)
