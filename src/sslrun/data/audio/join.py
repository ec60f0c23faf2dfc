"""Clips of single words concatenated into recordings of several words, with transcripts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sslrun.config.dataset.audio import AudioDatasetConfig
from sslrun.config.errors import DataError
from sslrun.data.audio.clips import Clips, Ragged, Rows, ragged
from sslrun.data.audio.store import cached_rows
from sslrun.data.folders import cache_folder
from sslrun.data.labels import digest
from sslrun.data.splits import Part


def joined_sources(
    sources: Mapping[str, Clips], parts: Mapping[str, Part], classes: Sequence[str] | None, config: AudioDatasetConfig
) -> tuple[dict[str, Clips], dict[str, Part], tuple[str, ...]]:
    """Replace the clips of each split by concatenations of them; also returns the characters of all words.

    Raises:
        DataError: no labels, not one word for each label, or streamed clips.
    """
    if classes is None:
        raise DataError(
            f"dataset.join={list(config.join or ())}: dataset={config.name} has no labels to make transcripts of; tell "
            "them by class folders, dataset.table or dataset.pattern"
        )
    if any(not isinstance(clips.waves, Ragged) for clips in sources.values()):
        raise DataError(f"dataset.join: dataset={config.name} streams its recordings; dataset=audio can join them")
    words = config.words or list(classes)
    if len(words) != len(classes):
        raise DataError(
            f"dataset.words has {len(words)} words; there are {len(classes)} labels: {', '.join(classes[:10])}"
        )
    spelling = dict(zip(classes, words, strict=True))
    non_empty = {split: part for split, part in parts.items() if len(part)}
    joined = {s: joined_clips(sources[part.source], part.positions, config, spelling) for s, part in non_empty.items()}
    wholes = {s: Part(s if s in non_empty else "train", np.arange(len(p), dtype=np.int64)) for s, p in parts.items()}
    return joined, wholes, tuple(sorted({" ", *"".join(words)}))


def joined_clips(clips: Clips, positions: np.ndarray, config: AudioDatasetConfig, spelling: Mapping[str, str]) -> Clips:
    """One recording per position: the clip there and random others of the same group, in random order.

    The draw depends on `dataset.split_seed` and the position only, so transcripts never change. Each clip is first
    truncated to `dataset.seconds`.

    Args:
        clips: with labels.
        positions: (n,) of the clips to use.
        spelling: word of each label.
    """
    assert config.join is not None and clips.labels is not None
    fewest, most = config.join
    pools = _pools(clips, positions)
    chosen = []
    for position in positions.tolist():
        random = np.random.default_rng([config.split_seed, position])
        pool = pools["" if clips.groups is None else str(clips.groups[position])]
        others = random.choice(pool, size=int(random.integers(fewest, most + 1)) - 1)
        chosen.append(random.permutation([position, *others]))
    transcripts = [" ".join(spelling[str(label)] for label in clips.labels[parts]) for parts in chosen]
    key = None if clips.key is None else digest("joined", clips.key, config.clip_samples, *chosen)
    waves = _waves(clips.waves, chosen, config, key)
    groups = None if clips.groups is None else clips.groups[positions]
    names = [" + ".join(clips.names[i] for i in parts) for parts in chosen]
    return Clips(waves, names, None, groups, transcripts, key=key)


def _pools(clips: Clips, positions: np.ndarray) -> dict[str, np.ndarray]:
    if clips.groups is None:
        return {"": positions}
    groups = clips.groups[positions]
    return {str(name): positions[groups == name] for name in np.unique(groups)}


def _waves(waves: Rows, chosen: list[np.ndarray], config: AudioDatasetConfig, key: str | None) -> Ragged:
    def rows() -> Iterator[np.ndarray]:
        return (np.concatenate([waves[int(i)][: config.clip_samples] for i in parts]) for parts in chosen)

    return ragged(list(rows())) if key is None else cached_rows(cache_folder(config.cache_dir) / "audio", key, rows)
