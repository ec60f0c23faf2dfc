"""On real speech, cpc learns what an untrained net does not know."""

import json
from pathlib import Path

import pytest

from sslrun.commands import pretrain, probe
from sslrun.config.compose import compose


@pytest.mark.real
def test_cpc_on_spoken_digits_knows_them_by_voices_without_labels(real_data: Path, tmp_path: Path) -> None:
    """120 of the recipe's 500 steps, with a net of half its width."""
    overrides = [
        f"dataset.path={real_data}/fsdd", "trainer.steps=120", "backbone.width=128", "backbone.hidden=128",
        "loader.workers=0", "monitor.every_epochs=0", f"run.dir={tmp_path}/run",
    ]  # fmt: skip
    pretrain.run(compose("pretrain", ["experiment=audio/cpc_fsdd", *overrides]))  # type: ignore[arg-type]
    options = ["loader.workers=0", "precision=fp32", "labels=[10]", "draws=2", f"run.dir={tmp_path}/probe"]
    probe.run(compose("probe", [f"encoder={tmp_path}/run", *options]))  # type: ignore[arg-type]
    rows = json.loads((tmp_path / "probe" / "results.json").read_text())["rows"]
    left_out = {r["encoder"]: r for r in rows if r["evaluation"] == "leave_one_group_out" and not r["condition"]}
    own = next(r for name, r in left_out.items() if name not in ("random", "logmel"))
    assert own["n"] == 3000 and own["draws"] == 6
    assert own["value"] > left_out["random"]["value"] + 0.08
    assert left_out["logmel"]["value"] > 0.45
