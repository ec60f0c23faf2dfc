"""What the transforms of sound do to a spectrogram."""

import math

import numpy as np
import pytest

from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.data.audio.augment import TRANSFORMS, Facts, Policy

BANDS, FRAMES, STD, SILENCE = 6, 20, 2.0, -4.0


def facts(*, max_length: int = FRAMES, fixed: bool = True) -> Facts:
    other = np.ones((BANDS, 30), np.float32)
    return Facts(std=STD, max_length=max_length, silence=SILENCE, fixed=fixed, random_clip=lambda random: other)


def apply(
    name: str, x: np.ndarray, *, max_length: int = FRAMES, fixed: bool = True, seed: int = 0, **options: float
) -> np.ndarray:
    transform = TRANSFORMS[name](facts(max_length=max_length, fixed=fixed), **options)
    result: np.ndarray = transform(x, np.random.default_rng(seed))
    return result


def ramp() -> np.ndarray:
    return np.tile(np.arange(FRAMES, dtype=np.float32), (BANDS, 1)) + 1


def test_crop_is_a_stretch_no_longer_than_the_room() -> None:
    cut = apply("Crop", ramp(), max_length=8)
    assert cut.shape == (BANDS, 8) and (np.diff(cut, axis=1) == 1).all()


def test_place_keeps_the_clip_and_fills_with_silence() -> None:
    x = ramp()[:, :12]
    placed = [apply("Place", x, seed=seed) for seed in range(20)]
    starts = {int(p[0].tolist().index(1.0)) for p in placed}
    assert len(starts) > 3
    assert all(p.shape == (BANDS, FRAMES) and (p == SILENCE).sum() == 8 * BANDS for p in placed)
    assert np.array_equal(apply("Place", x, fixed=False), x)


@pytest.mark.parametrize(("name", "axis"), [("FrequencyMask", 0), ("TimeMask", 1)])
def test_masks_are_stripes_at_the_mean(name: str, axis: int) -> None:
    masked = [apply(name, ramp(), seed=seed, width=0.5) for seed in range(30)]
    for x in masked:
        hidden = (x == 0).all(axis=1 - axis)
        assert (x == 0).sum() == hidden.sum() * x.shape[1 - axis]
        assert hidden.sum() <= 0.5 * x.shape[axis] and np.abs(np.diff(hidden.astype(int))).sum() <= 2
    assert len({int((x == 0).sum()) for x in masked}) > 2


def test_time_stretch_changes_the_length_alone() -> None:
    lengths = {apply("TimeStretch", ramp(), seed=seed).shape for seed in range(30)}
    assert {bands for bands, _ in lengths} == {BANDS}
    assert min(n for _, n in lengths) >= 16 and max(n for _, n in lengths) <= 25 and len(lengths) > 3


def test_gain_shifts_all_values_by_decibels_in_units_of_the_deviation() -> None:
    shifts = [apply("Gain", ramp(), seed=seed, decibel=6) - ramp() for seed in range(50)]
    assert all(np.allclose(s, s[0, 0], atol=1e-5) for s in shifts)
    largest = max(abs(float(s[0, 0])) for s in shifts)
    assert 0.8 * math.log(10**0.6) / STD < largest <= math.log(10**0.6) / STD + 1e-5


def test_gain_of_waves_is_a_factor() -> None:
    transform = TRANSFORMS["Gain"](
        Facts(std=1.0, max_length=FRAMES, silence=0.0, fixed=False, of_waves=True), decibel=6
    )
    wave = np.sin(np.arange(FRAMES, dtype=np.float32))[None]
    factors = [float((transform(wave, np.random.default_rng(seed))[:, 1:] / wave[:, 1:]).std()) for seed in range(20)]
    sizes = [float(transform(wave, np.random.default_rng(seed))[0, 1] / wave[0, 1]) for seed in range(50)]
    assert max(factors) < 1e-6 and 0.5 < min(sizes) < 0.56 and 1.8 < max(sizes) < 2.0  # 10^(6 / 20) = 1.995


def test_mixup_adds_energies() -> None:
    x = np.zeros((BANDS, FRAMES), np.float32)
    random = np.random.default_rng(0)
    share = random.uniform(0, 0.4)
    expected = math.log((1 - share) * math.exp(0) + share * math.exp(STD * 1.0)) / STD
    assert np.allclose(apply("Mixup", x), expected, atol=1e-5)


def test_resized_crop_keeps_the_shape() -> None:
    made = [apply("ResizedCrop", ramp(), seed=seed) for seed in range(10)]
    assert {m.shape for m in made} == {(BANDS, FRAMES)}
    assert len({round(float(m.mean()), 3) for m in made}) == 10


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "RandomResizedCrop",
            "RandomResizedCrop is no transform of sound; did you mean 'ResizedCrop'?; there are Crop",
        ),
        ({"TimeMask": {"widht": 0.1}}, "TimeMask takes no widht; did you mean 'width'?"),
        ({"TimeMask": {"width": 1.5}}, "TimeMask.width must be in (0, 1), got 1.5"),
    ],
)
def test_a_wrong_policy_is_refused(entry: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Policy(AugmentationConfig(name="mine", views=[ViewConfig(transforms=[entry])]), facts())
    assert message in str(error.value)
