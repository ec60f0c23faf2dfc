"""Tar files: what stands in them, how they are named, what is wrong with them."""

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest

from shards import write_shard, write_shards
from sslrun.config.errors import DataError
from sslrun.data.shards.index import Members, Shards
from sslrun.data.shards.labels import as_values
from sslrun.data.shards.patterns import expand, shard_files
from sslrun.data.shards.tar import read_contents
from sslrun.data.shards.texts import all_each, one_each


def texts(count: int) -> list[dict[str, bytes]]:
    return [{"txt": f"text {i}".encode() * (i + 1), "cls": str(i % 3).encode()} for i in range(count)]


def test_braces_count_and_list() -> None:
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{x,y}/{0..1}") == ["x/0", "x/1", "y/0", "y/1"]
    assert expand("plain.tar") == ["plain.tar"]
    with pytest.raises(DataError, match=r"\{3\.\.1\} is no range; write \{000000\.\.000012\}"):
        expand("a-{3..1}.tar")


def test_files_by_folder_pattern_and_range(tmp_path: Path) -> None:
    pattern = write_shards(tmp_path, texts(6), per_shard=2)
    names = ["made-000.tar", "made-001.tar", "made-002.tar"]
    for asked in (pattern, str(tmp_path), f"{tmp_path}/made-*.tar"):
        assert [f.name for f in shard_files("dataset.train", asked)] == names
    with pytest.raises(DataError, match=r"dataset.train=.*: there is no .*made-003.tar"):
        shard_files("dataset.train", f"{tmp_path}/made-{{000..003}}.tar")
    with pytest.raises(DataError, match="no tar file there"):
        shard_files("dataset.train", f"{tmp_path}/none-*.tar")
    with pytest.raises(DataError, match="must be local files; mount or copy them"):
        shard_files("dataset.train", "https://host/shard-{0..3}.tar")


def test_a_sample_is_neighbours_of_one_key(tmp_path: Path) -> None:
    shard = write_shard(
        tmp_path / "a.tar",
        {
            "dir.v1/one": {"JPG": b"1", "seg.png": b"22"},
            "./two": {"jpg": b"333"},
            "README": {},
            "._hidden": {"jpg": b""},
        },
    )
    found = read_contents(shard)
    assert found.keys == ["dir.v1/one", "./two"] and found.extensions == ["jpg", "seg.png"]
    assert found.sample.tolist() == [0, 0, 1] and found.size.tolist() == [1, 2, 3]
    raw = shard.read_bytes()
    assert [raw[o : o + s] for o, s in zip(found.offset, found.size, strict=True)] == [b"1", b"22", b"333"]


def test_members_are_read_at_any_place(tmp_path: Path) -> None:
    samples = texts(7)
    samples[2] = {"json": b'{"caption": "of json", "year": 7}', "cls": b"0"}
    shards = Shards(
        shard_files("dataset.train", write_shards(tmp_path, samples, per_shard=3)), folder=tmp_path / "kept"
    )
    assert shards.ends.tolist() == [3, 6, 7]
    members = Members(shards, ["txt", "json:caption"], key="dataset.text")
    again = pickle.loads(pickle.dumps(members))
    for i in (6, 0, 3, 5):
        assert members.read(i) == again.read(i) == samples[i]["txt"]
    assert members.text(2) == "of json"
    assert members.name(4) == "made-001.tar:00004.txt"
    with pytest.raises(DataError, match=r"made-000.tar:00000 has no .json:caption"):
        Members(shards, ["json:caption"], key="dataset.text").read(0)
    with pytest.raises(DataError, match=r"made-000.tar:00002.json:title: no JSON object with a field title"):
        Members(shards, ["json:title"], key="dataset.text").read(2)
    with pytest.raises(
        DataError, match=r"dataset.text=text: no sample of .*; did you mean 'txt'.; there are cls, json, txt"
    ):
        Members(shards, ["text"], key="dataset.text")


def of_json(folder: Path, values: list[Any]) -> Members:
    """The field `said` of as many samples."""
    samples = [{"json": json.dumps({"said": value}).encode()} for value in values]
    shards = Shards(shard_files("dataset.train", write_shards(folder, samples, per_shard=2)), folder=folder)
    return Members(shards, ["json:said"], key="dataset.label")


def test_a_field_is_text_or_a_number(tmp_path: Path) -> None:
    members = of_json(tmp_path, [" an ash", 7, 0.5, None, ["a", "b"], {"a": 1}, True, "\ud800"])
    assert [members.text(i) for i in range(3)] == [" an ash", "7", "0.5"]
    for i, kind in ((3, "null"), (4, "a list"), (5, "an object"), (6, "true or false")):
        told = (
            rf"made-00{i // 2}.tar:0000{i}.json:said: dataset.label takes text or a number, not {kind}; mend the sample"
        )
        with pytest.raises(DataError, match=told):
            members.text(i)
    with pytest.raises(DataError, match=r"made-003.tar:00007.json:said: .*surrogates not allowed"):
        members.read(7)
    with pytest.raises(DataError, match=r"made-001.tar:00003.json:said: dataset.label takes .* not null"):
        one_each(members, folder=tmp_path)


def test_all_texts_of_a_sample(tmp_path: Path) -> None:
    assert all_each(of_json(tmp_path, [" one ", ["two", "three"], None, []]), folder=tmp_path) == [
        ["one"], ["two", "three"], [], [],
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"made-000.tar:00001.json:said: dataset.label takes .* not null"):
        all_each(of_json(tmp_path / "null", ["one", ["two", None]]), folder=tmp_path)
    with pytest.raises(DataError, match=r"dataset.label=json:said: no sample of .*made-000.tar has text there"):
        all_each(of_json(tmp_path / "bare", [None, [" "]]), folder=tmp_path)


def test_a_tar_is_indexed_once_and_anew_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = write_shards(tmp_path, texts(4), per_shard=2)
    files = shard_files("dataset.train", pattern)
    first = Shards(files, folder=tmp_path / "kept")
    write_shard(files[1], {"new": {"txt": b"x"}})
    read: list[str] = []
    monkeypatch.setattr("sslrun.data.shards.index.read_contents", lambda f: (read.append(f.name), read_contents(f))[1])
    again = Shards(files, folder=tmp_path / "kept")
    assert read == ["made-001.tar"] and again.ends.tolist() == [2, 3]
    assert again.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (512 + 10, "is broken at or after member one.jpg: unexpected end of data"),
        (2 * 512, "is broken at or after member one.jpg: it is truncated: its end marker is missing"),
        (2 * 512 + 40, "is broken at or after member one.jpg: it is truncated: its end marker is missing"),
        (3 * 512 + 5, "is broken at or after member two.jpg: unexpected end of data"),
        (100, "is broken at or after its beginning: truncated header"),
    ],
)
def test_a_tar_that_breaks_off_is_named_with_its_last_member(tmp_path: Path, cut: int, message: str) -> None:
    whole = write_shard(tmp_path / "a.tar", {"one": {"jpg": b"x" * 400}, "two": {"jpg": b"y" * 400}})
    whole.write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(DataError, match=f"a.tar {message}"):
        read_contents(whole)


def test_a_header_that_is_overwritten_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.tar", {"one": {"jpg": b"x"}, "two": {"jpg": b"y"}})
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"?" * 76
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a.tar is broken at or after member one.jpg: no header at byte 1,024"):
        read_contents(path)


def test_compressed_tars_and_doubled_files_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("one.jpg"), io.BytesIO())
    with pytest.raises(DataError, match=r"a.tar is compressed \(gzip\), .*; decompress it"):
        read_contents(tmp_path / "a.tar")
    double = write_shard(tmp_path / "b.tar", {"one": {"jpg": b"1", "JPG": b"2"}})
    with pytest.raises(DataError, match=r"b.tar: sample one has two files .jpg"):
        read_contents(double)


def test_numbers_are_classes_in_their_order() -> None:
    assert as_values(["10", "2"]).tolist() == [10, 2]
    assert as_values(["10", "b"]).tolist() == ["10", "b"]
