"""One page per method, docs/methods/NAME.md, and their index, made of code, conf and results.

    python scripts/method_pages.py [--check]

A method says what it is in its module's docstring: `Name (paper): idea.`, then the sections `Formula:` and
`When to choose it:`, indented. The numbers and their sources are those of conf/method/NAME.yaml and its groups, the
recipes those of conf/experiment, the measured row that of docs/results/cifar10-small.jsonl.
"""

import argparse
import ast
import importlib.util
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import yaml

from cifar10_page import REFERENCES, RESULTS, table_lines
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.folders import conf_dir
from sslrun.config.optimizer import LrScaling
from sslrun.config.registry import Entry, entries
from sslrun.core.batch import BATCH_NAMES, ViewsBatch
from table_runs import ROOT, read_rows

PAGES = ROOT / "docs" / "methods"
SECTIONS = ("Formula", "When to choose it")
SCALING = {LrScaling.linear: " x B/256", LrScaling.sqrt: " x sqrt(B/256)", LrScaling.none: ""}


def main() -> None:
    """Write the pages, or say which are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is not up to date")
    check = parser.parse_args().check
    methods = [entry for entry in entries("method") if entry.target.startswith("sslrun.")]
    wanted = {"README.md": index(methods), **{f"{entry.kind}.md": page(entry) for entry in methods}}
    present = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if check:
        sys.exit(f"docs/methods: not up to date: {', '.join(stale)}; python scripts/method_pages.py" if stale else 0)
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (PAGES / name).write_text(wanted[name])
        else:
            (PAGES / name).unlink()
    print(f"docs/methods: {len(wanted)} pages, {len(stale)} changed")


def index(methods: list[Entry]) -> str:
    """The page that lists all others."""
    rows = [
        f"| [{told['title']}]({entry.kind}.md) | `method={entry.kind}` | {first_sentence(told['idea'])} | "
        f"{reads(entry)} | {backbones(entry)} | {linked(entry.paper)} |"
        for entry in methods
        if (told := docstring(entry))
    ]
    head = ["| method | | idea | reads | backbones | paper |", "|---|---|---|---|---|---|"]
    return "\n".join(
        [
            "# Methods",
            "",
            "`sslrun list methods` prints what each reads, its paper and its idea; these pages are made by",
            "`python scripts/method_pages.py`.",
            "Measured at one budget: [CIFAR-10 in 6 minutes on 2 cores](../results/cifar10-small.md).",
            "",
            *head,
            *rows,
            "",
        ]
    )


def page(entry: Entry) -> str:
    """All that is known of one method."""
    told = docstring(entry)
    parts = [
        f"# {told['title']}",
        f"{linked(entry.paper)}.\n{told['idea']}",
        f"    {command(entry)}",
    ]
    if "Formula" in told:
        parts += ["## Formula", textwrap.indent(told["Formula"], "    ")]
    if "When to choose it" in told:
        parts += ["## When to choose it", told["When to choose it"]]
    path = conf_dir() / "method" / f"{entry.kind}.yaml"
    parts += ["## Numbers", f"Of {conf_link(path)}:", "\n".join(number_table(path)), "## What it brings"]
    parts += ["\n".join(brings(entry, path)), "## Recipes", "\n".join(recipe_table(entry.kind))]
    if measured := measured_lines(entry.kind):
        parts += ["## Measured", "[CIFAR-10 at one CPU budget](../results/cifar10-small.md):", "\n".join(measured)]
    return "\n\n".join(parts) + "\n"


def command(entry: Entry) -> str:
    """That trains the method, on data that need no file where it can."""
    bare = f"sslrun pretrain method={entry.kind}"
    of_patches = entry.modality == "image" and entry.load().needs_tokens is not None
    return f"{bare} dataset=cifar10 dataset.download=true backbone=vit_tiny" if of_patches else bare


def docstring(entry: Entry) -> dict[str, str]:
    """`title`, `idea` and the sections of a method's module docstring, read without importing it."""
    spec = importlib.util.find_spec(entry.target.partition(":")[0])
    assert spec is not None and spec.origin is not None
    text = inspect.cleandoc(ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or "")
    head, *rest = re.split(rf"^({'|'.join(SECTIONS)}):\n", text, flags=re.MULTILINE)
    named = re.match(r"(?P<title>[^(]+) \([^)]*\): (?P<idea>.*)", head.strip(), flags=re.DOTALL)
    title, idea = (named["title"], named["idea"]) if named else (entry.kind, head.strip())
    sections = {name: textwrap.dedent(body).strip() for name, body in zip(rest[::2], rest[1::2], strict=True)}
    return {"title": title, "idea": idea[:1].upper() + idea[1:], **sections}


def number_table(path: Path) -> list[str]:
    """Keys below `defaults` with their values and the comments beside or above them."""
    lines = ["| number | value | source |", "|---|---|---|"]
    keys: list[tuple[int, str]] = []
    above = ""
    for line in path.read_text().partition("_self_\n")[2].splitlines():
        if line.lstrip().startswith("#"):
            above = f"{above} {line.strip('# ')}".strip()
            continue
        if not (found := re.match(r"( *)([\w.]+):\s*(.*?)(?:\s+# (.*))?$", line)):
            continue
        indent, key, value, comment = len(found[1]), found[2], found[3], found[4]
        keys = [(depth, name) for depth, name in keys if depth < indent] + [(indent, key)]
        if value:
            source = linked(comment or above).replace("|", "\\|")
            lines.append(f"| `{'.'.join(name for _, name in keys)}` | {value} | {source} |")
            above = ""
    return lines


def brings(entry: Entry, path: Path) -> list[str]:
    """What the method reads, and the groups that it chooses."""
    config = compose("pretrain", [f"method={entry.kind}"])
    assert isinstance(config, PretrainConfig)
    chosen = overrides(path)
    optimizer, schedule = config.optimizer, config.schedule
    decay = f"weight decay {optimizer.weight_decay:g}"
    if optimizer.weight_decay_end is not None:
        decay += f" to {optimizer.weight_decay_end:g} along a cosine"
    if optimizer.decay_all:
        decay += " of biases and norms too"
    lines = [
        f"- It reads {reads(entry)}.",
        f"- Backbones: {backbones(entry)}.",
        f"- Optimizer {group_link('optimizer', chosen)}: {optimizer.kind}, learning rate {optimizer.lr:g}"
        f"{SCALING[optimizer.scaling]}, {decay}. {header('optimizer', chosen)}",
        f"- Schedule: {schedule.shape.value} after {schedule.warmup_epochs:g} epochs of warm-up.",
        f"- Augmentation {group_link('augmentation', chosen)}. {header('augmentation', chosen)}",
    ]
    for view in config.augmentation.views:
        size = "" if view.size is None else f" at {view.size:g} {'of the side' if view.size < 1 else 'px'}"
        names = ", ".join(t if isinstance(t, str) else next(iter(t)) for t in view.transforms)
        lines.append(f"  - {view.count} x{size}: {names or 'as it is'}")
    return [line.rstrip() for line in lines]


def reads(entry: Entry) -> str:
    """`views (2 at least) and labels`."""
    cls = entry.load()
    views = f" ({cls.views} at least)" if cls.batch_type is ViewsBatch else ""
    kinds = " or ".join(BATCH_NAMES[kind] for kind in (cls.batch_type, *cls.also_reads))
    return kinds + views + (" and labels" if cls.needs_labels else "")


def backbones(entry: Entry) -> str:
    """What it takes."""
    if entry.modality == "text":
        kinds = {True: "GPT-2, Llama (causal ones)", False: "BERT (it reads both ways)", None: "any of text"}
        return kinds[entry.load().needs_causal]
    if entry.kind == "cpc":
        return "`backbone=cpc` of log-mel frames and series, `cpc_wave` of samples"
    if entry.modality in ("series", "audio"):
        return f"`backbone={entry.kind}`"
    return "ViTs (it needs patch tokens)" if entry.load().needs_tokens else "CNNs and ViTs"


def recipe_table(kind: str) -> list[str]:
    """Experiments of the method, with what their headers expect."""
    lines = ["| `sslrun pretrain …` | what to expect |", "|---|---|"]
    for path in sorted((conf_dir() / "experiment").rglob("*.yaml")):
        if overrides(path).get("method") == kind:
            name = path.relative_to(conf_dir() / "experiment").with_suffix("")
            said = re.search(r"(Not run here|Expected).*?(?= Differs from|$)", comment_head(path))
            lines.append(f"| [`experiment={name}`](../../conf/experiment/{name}.yaml) | {said[0] if said else ''} |")
    return lines


def measured_lines(kind: str) -> list[str]:
    """The method's line of the table, with its references'; none where it was not measured."""
    rows = read_rows(RESULTS)
    nets = {row["architecture"] for row in rows if row["method"] == kind}
    beside = [row for row in rows if row["method"] in REFERENCES and row["architecture"] in {*nets, ""}]
    return table_lines([row for row in rows if row["method"] == kind] + beside) if nets else []


def overrides(path: Path) -> dict[str, str]:
    """Groups that a file chooses in its defaults list."""
    items: list[Any] = yaml.safe_load(path.read_text())["defaults"]
    pairs = [pair for item in items if isinstance(item, dict) for pair in item.items()]
    return {key.removeprefix("override /"): value for key, value in pairs if key.startswith("override /")}


def comment_head(path: Path) -> str:
    """The comment at the head of a YAML file as one line, without Hydra's and without commands."""
    head = re.match(r"(?:#.*\n)*", path.read_text())
    assert head is not None
    lines = [line[1:] for line in head[0].splitlines()]
    return " ".join(line.strip() for line in lines if not line.startswith((" @", "   ")))


def header(group: str, chosen: dict[str, str]) -> str:
    """What the chosen file of a group says of itself."""
    return linked(comment_head(conf_dir() / group / f"{chosen[group]}.yaml")) if group in chosen else ""


def group_link(group: str, chosen: dict[str, str]) -> str:
    return conf_link(conf_dir() / group / f"{chosen[group]}.yaml") if group in chosen else "(the command's own)"


def conf_link(path: Path) -> str:
    name = path.relative_to(conf_dir())
    return f"[`conf/{name}`](../../conf/{name})"


def linked(text: str) -> str:
    """arXiv numbers as links."""
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0].replace("\n", " ")


if __name__ == "__main__":
    main()
