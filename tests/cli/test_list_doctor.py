"""`sslrun list` and `sslrun doctor`."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sslrun.commands import doctor
from sslrun.commands import list as listing
from sslrun.config.errors import ConfigError
from sslrun.training import precision


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and home, no cluster and no keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SSLRUN_CONF_PATH", "SSLRUN_CACHE", "WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def listed(capsys: pytest.CaptureFixture[str], group: str) -> dict[str, dict[str, Any]]:
    listing.main([group, "--json"])
    return {choice["name"]: choice for choice in json.loads(capsys.readouterr().out)}


def test_methods_with_paper_and_description(capsys: pytest.CaptureFixture[str]) -> None:
    byol = listed(capsys, "methods")["byol"]
    assert byol["paper"] == "Grill et al. 2020, arXiv:2006.07733"
    assert byol["description"] == "predict a momentum encoder's projection of another view."
    listing.main(["method"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("byol") and "arXiv:2006.07733" in line and "momentum encoder" in line for line in lines)


def test_what_methods_read_and_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, "methods")
    told = {name: (choice["reads"], set(choice["modalities"])) for name, choice in found.items()}
    assert told["simclr"] == (["views"], {"image", "audio", "series", "pair"})
    assert told["mae"] == (["images"], {"image", "audio", "pair"})
    assert told["cpc"] == (["series", "waves"], {"audio", "series"})
    assert told["gpt"] == (["blocks of tokens"], {"text"})
    assert told["clip"] == (["image-text pairs"], {"pair"})
    listing.main(["methods"])
    assert re.search(r"^cpc +series, waves +audio, series +van den Oord", capsys.readouterr().out, re.M)


def test_what_datasets_give(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, "datasets")
    assert found["cifar10"]["gives"] == ["views", "images"] and found["cifar10"]["modalities"] == ["image"]
    assert found["spoken_digits"]["gives"] == ["views", "images", "series", "waves"]  # its kind is that of `audio`
    assert found["webdataset_pairs"]["gives"] == ["image-text pairs", "views", "images"]
    assert all(choice["gives"] and not choice["reads"] for choice in found.values())
    listing.main(["datasets"])
    assert re.search(r"^waves +series, views +series +synthetic", capsys.readouterr().out, re.M)


def test_kind_is_found_through_a_parent(capsys: pytest.CaptureFixture[str]) -> None:
    assert "arXiv:1708.03888" in listed(capsys, "optimizers")["byol"]["paper"]  # byol.yaml builds on lars.yaml


def test_augmentations_with_paper_and_modality_out_of_their_file(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, "augmentation")
    assert "arXiv:2002.05709" in found["simclr"]["description"]
    told = {name: (found[name]["paper"], found[name]["modalities"]) for name in ("simclr", "audio_weak", "none")}
    assert told == {
        "simclr": ("arXiv:2002.05709", ["image"]),
        "audio_weak": ("arXiv:1904.08779", ["audio"]),
        "none": ("", []),
    }
    assert {name for name, choice in found.items() if not choice["modalities"]} == {"none"}


def test_experiments_with_their_methods_paper_and_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, "experiments")
    dino = found["imagenet/dino"]
    assert (dino["paper"], dino["modalities"]) == ("Caron et al. 2021, arXiv:2104.14294", ["image"])
    assert found["audio/byol_fsdd"]["modalities"] == ["audio"]
    assert dino["description"].endswith("the paper reports 77.0 (linear) and 74.5 (kNN; table 2).")
    assert all(choice["paper"] and choice["description"].endswith(".") for choice in found.values())


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    listing.main(["--json"])
    counts = json.loads(capsys.readouterr().out)
    assert list(counts) == list(listing.GROUPS)
    assert counts["methods"] == len(listed(capsys, "methods")) >= 2
    listing.main([])
    assert re.search(rf"methods +{counts['methods']} +sslrun list methods", capsys.readouterr().out)


def test_the_users_own_files(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, path = elsewhere / "conf" / "method", elsewhere / "shared"
    mine.mkdir(parents=True)
    (mine / "mine.yaml").write_text("# @package _global_\n# BYOL with\n# a small head\ndefaults: [byol, _self_]\n")
    (mine / "broken.yaml").write_text("a: [")
    (mine.parent / "augmentation").mkdir()
    (mine.parent / "augmentation" / "items.yaml").write_text("- no mapping\n")
    (mine / "stranger.yaml").write_text("defaults: [/schema/method/nosuch@method]\n")
    (path / "method").mkdir(parents=True)
    (path / "method" / "byol.yaml").write_text("# another byol\n")
    monkeypatch.setenv("SSLRUN_CONF_PATH", str(path))
    found = listed(capsys, "methods")
    assert found["mine"]["description"] == "BYOL with a small head"
    assert found["byol"]["description"] == "another byol"
    assert found["broken"]["description"].startswith("(cannot be read")
    assert "nosuch" in found["stranger"]["description"]
    assert listed(capsys, "augmentations")["items"]["modalities"] == []


def test_unknown_group_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="list mehods: no such group; did you mean 'methods'"):
        listing.main(["mehods"])


@pytest.mark.parametrize("group", ["methods", "backbones", "datasets", "experiments"])
def test_list_imports_no_torch(group: str) -> None:
    code = f"import sys; from sslrun.commands.list import main; main(['{group}']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    doctor.main(["--json"])
    return {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}


def test_doctor_names_what_a_run_depends_on(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys)
    assert {"python", "torch", "precision=auto", "cpu", "memory", "runs", "cache", "wandb", "slurm"} <= found.keys()
    assert {f["state"] for f in found.values()} <= {"ok", "missing", "warn"}
    doctor.main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found)
    assert all(line.split()[0] in ("ok", "missing", "warn") for line in lines)


def test_missing_extras_have_a_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "installed", lambda package: None)
    found = report(capsys)
    assert found["datasets"]["remedy"] == "pip install 'sslrun[hf]'"
    assert found["tensorboard"]["remedy"] == "pip install 'sslrun[tensorboard]'"
    assert found["wandb"]["remedy"] == "pip install wandb"
    assert found["datasets"]["state"] == "missing"


def test_a_key_is_told_and_never_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert not doctor.has_wandb_key()
    monkeypatch.setenv("WANDB_API_KEY", "made-up-words")
    doctor.main([])
    out = capsys.readouterr().out
    assert "with a key" in out
    assert "made-up-words" not in out


def test_small_shared_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=64 << 20))
    found = report(capsys)
    assert found["/dev/shm"]["state"] == "warn"
    assert "--shm-size" in found["/dev/shm"]["remedy"]


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"/sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"/sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 2.0),
        ({"/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_cgroup_limits(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: float | None) -> None:
    monkeypatch.setattr(doctor, "_read", lambda path: files.get(path, ""))
    assert doctor.cgroup_cores() == cores


@pytest.mark.parametrize(
    ("flags", "found", "auto"),
    [
        ("avx512_bf16 amx_bf16 amx_tile", "AMX: at most 16 times the peak of fp32", "bf16 on cpu"),
        ("avx512f avx512_bf16", "AVX512-BF16: at most 2 times the peak of fp32", "bf16 on cpu"),
        ("avx2 avx512f", "neither AMX nor AVX512-BF16", "fp32 on cpu"),
    ],
)
def test_the_processors_bf16_unit_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: str, found: str, auto: str
) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: set(flags.split()))
    monkeypatch.setattr(precision, "accelerator_name", lambda asked: "cpu")
    told = report(capsys)
    assert told["cpu bf16"]["found"] == found
    assert told["precision=auto"]["found"] == auto


def test_gpus_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    gpu = SimpleNamespace(name="NVIDIA H100", total_memory=80 << 30, major=9, minor=0)
    answers: dict[str, Any] = {"is_available": True, "device_count": 1, "get_device_properties": gpu}
    answers["get_device_capability"] = (9, 0)
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    found = report(capsys)
    assert found["gpu 0"]["found"] == "NVIDIA H100, 80 GiB, compute capability 9.0"
    assert found["precision=auto"]["found"] == "bf16 on cuda"
