"""Descriptions for `sslrun list`, read from YAML files and docstrings without importing torch."""

import ast
import importlib.util
import inspect
import itertools
import re
from pathlib import Path
from typing import Any

import yaml

from sslrun.config.registry import Entry


def first_comment(text: str) -> str:
    """The leading comment of a YAML file, without `# @package`, up to the first line that ends a sentence."""
    lines = [line.removeprefix("#") for line in _head(text) if not line.startswith("# @")]
    kept: list[str] = []
    for line in lines:
        if kept and (kept[-1].endswith((".", ":")) or not line.strip() or line.startswith("  ")):
            break
        kept.append(line.strip())
    return " ".join(kept)


def first_paper(text: str) -> str:
    """The first arXiv id in the leading comment of a YAML file; empty if there is none."""
    found = re.search(r"arXiv:\d{4}\.\d{4,5}", " ".join(_head(text)))
    return found[0] if found else ""


def _head(text: str) -> list[str]:
    return list(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines()))


def describe_entry(entry: Entry) -> str:
    """The summary after the paper in a method module's first line; else the first line of the config's docstring."""
    of_module = _module_docstring(entry).partition("\n")[0]
    if after_paper := re.match(r"[^:(]*\([^)]*\): (.*)", of_module):  # SimCLR (Chen et al. 2020, arXiv:…): …
        return after_paper[1]
    own = (inspect.getdoc(entry.config) or "").partition("\n")[0]
    lists_attributes = re.match(r"\w+(, \w+)*: ", own)
    return re.split(r"; \w+: ", own)[0] if own and not lists_attributes else of_module or own


def _module_docstring(entry: Entry) -> str:
    """The docstring, read without importing the module, which would import torch."""
    try:
        spec = importlib.util.find_spec(entry.target.partition(":")[0])
    except ModuleNotFoundError:
        return ""
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ""
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""


def settings(text: str) -> str:
    """`shape=cosine warmup_epochs=10`, for a file without a leading comment."""
    values: Any = yaml.safe_load(text) or {}
    plain = {k: v for k, v in values.items() if isinstance(v, int | float | str)} if isinstance(values, dict) else {}
    return " ".join(f"{key}={value}" for key, value in plain.items())
