import multiprocessing
import os
import pickle

import numpy as np
import pytest

from sslrun.config.errors import DataError
from sslrun.data.vision.cache import Wanted, open_cache
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.source import ArraySource

WANTED = Wanted(image_size=8, channels=3)


class Counted(ArraySource):
    """Notes every read in a file, so that other processes' reads count too; some positions fail."""

    def __init__(self, images, *, notes, broken=()):
        super().__init__(images, None, decoder=Decoder(channels=3), name="counted")
        self.notes, self.broken = notes, broken

    def read(self, position):
        with self.notes.open("a") as file:
            file.write(f"{position}\n")
        if position in self.broken:
            raise DataError(f"{self.name(position)}: broken")
        return super().read(position)

    @property
    def reads(self):
        return self.notes.read_text().split() if self.notes.exists() else []


def images(n=40, side=8):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def test_the_second_opening_decodes_nothing(tmp_path):
    source = Counted(images(), notes=tmp_path / "reads")
    first = open_cache(source, WANTED, folder=tmp_path)
    reads = len(source.reads)
    second = open_cache(source, WANTED, folder=tmp_path)
    assert len(source.reads) == reads
    for position in (0, 17, 39):
        np.testing.assert_array_equal(first.read(position), images()[position])
        np.testing.assert_array_equal(second.read(position), images()[position])


def test_other_content_or_size_is_another_file(tmp_path):
    for wanted in (WANTED, Wanted(image_size=6, channels=3), Wanted(image_size=8, channels=3, intensity_range=(0, 9))):
        open_cache(Counted(images(), notes=tmp_path / "reads"), wanted, folder=tmp_path)
    open_cache(Counted(images()[::-1], notes=tmp_path / "reads"), WANTED, folder=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 4


def test_images_of_the_size_are_kept_and_larger_ones_keep_a_margin(tmp_path):
    kept = open_cache(Counted(images(), notes=tmp_path / "a"), WANTED, folder=tmp_path)
    assert kept.read(0).shape == (8, 8, 3)
    larger = open_cache(
        Counted(images(side=28), notes=tmp_path / "b"), Wanted(image_size=14, channels=3), folder=tmp_path
    )
    assert larger.read(0).shape == (16, 16, 3)  # 14 * 8 / 7


def test_broken_images_are_remembered_with_their_reason(tmp_path):
    source = Counted(images(), notes=tmp_path / "reads", broken=(3, 7))
    open_cache(source, WANTED, folder=tmp_path)
    assert open_cache(source, WANTED, folder=tmp_path).corrupt == {3: "counted[3]: broken", 7: "counted[7]: broken"}


def test_a_pickled_store_is_mapped_anew(tmp_path):
    store = open_cache(Counted(images(400), notes=tmp_path / "reads"), WANTED, folder=tmp_path)
    data = pickle.dumps(store)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).read(399), images(400)[399])


def test_what_is_read_may_be_changed(tmp_path):
    store = open_cache(Counted(images(), notes=tmp_path / "reads"), WANTED, folder=tmp_path)
    store.read(0)[:] = 0
    np.testing.assert_array_equal(store.read(0), images()[0])


def test_an_interrupted_write_leaves_nothing_valid(tmp_path):
    class Interrupted(Counted):
        def read(self, position):
            if position == 30:
                raise KeyboardInterrupt
            return super().read(position)

    with pytest.raises(KeyboardInterrupt):
        open_cache(Interrupted(images(), notes=tmp_path / "reads"), WANTED, folder=tmp_path)
    assert not [f for f in tmp_path.iterdir() if f.suffix in (".npy", ".json", ".tmp")]
    whole = open_cache(Counted(images(), notes=tmp_path / "reads"), WANTED, folder=tmp_path)
    np.testing.assert_array_equal(whole.read(30), images()[30])


def test_images_are_decoded_where_the_system_tells_no_affinity(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # macOS has none
    store = open_cache(Counted(images(), notes=tmp_path / "reads"), WANTED, folder=tmp_path)
    np.testing.assert_array_equal(store.read(0), images()[0])


def _open(source, folder, results):
    results.put(int(open_cache(source, WANTED, folder=folder).read(5).sum()))


def test_two_processes_decode_once(tmp_path):
    source = Counted(images(), notes=tmp_path / "reads")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_open, args=(source, tmp_path, results)) for _ in range(2)]
    for process in processes:
        process.start()
    sums = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert sums == [int(images()[5].sum())] * 2
    assert len(source.reads) == 40 + 16  # each once, after a look at the first 16


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file.*dataset.cache_dir"):
        open_cache(Counted(images(), notes=tmp_path / "reads"), WANTED, folder=tmp_path / "file")
