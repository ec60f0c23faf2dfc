"""Docstrings of Python's standard library: English text that needs no download but varies with Python's version."""

import ast
import inspect
import json
import sys
import sysconfig
import warnings
from pathlib import Path

import numpy as np

from sslrun.config.dataset.text import PyDocsConfig
from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once, write_json
from sslrun.data.folders import cache_folder
from sslrun.data.text.documents import Documents
from sslrun.data.text.texts import InMemoryTexts

VERSION = 1
"""Incremented when reading changes, to invalidate old cache files."""
SHORTEST = 40
"""Shorter docstrings, in characters, are dropped."""
FAMILIES = {
    "data": "array bisect calendar collections copy copyreg datetime _pydatetime enum graphlib heapq numbers decimal "
    "_pydecimal fractions random statistics types weakref _weakrefset zoneinfo queue reprlib pprint functools operator",
    "text": "string re difflib textwrap locale gettext stringprep codecs encodings html xml csv configparser tomllib "
    "json plistlib netrc optparse argparse getopt cmd shlex",
    "files": "io _pyio os posixpath ntpath genericpath pathlib fileinput filecmp tempfile glob fnmatch linecache "
    "shutil gzip bz2 lzma zipfile tarfile _compression pickle shelve dbm sqlite3 mimetypes mailbox",
    "network": "asyncio socket ssl selectors email http urllib ftplib poplib imaplib smtplib socketserver xmlrpc "
    "ipaddress wsgiref webbrowser cgi cgitb nntplib telnetlib asyncore asynchat smtpd",
    "concurrency": "threading _threading_local multiprocessing concurrent subprocess sched signal contextvars "
    "contextlib",
    "tools": "pydoc doctest unittest bdb pdb profile pstats cProfile timeit trace tracemalloc logging ensurepip venv "
    "zipapp distutils lib2to3 sysconfig platform warnings traceback",
    "language": "ast symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis pickletools inspect abc "
    "_py_abc importlib pkgutil modulefinder runpy code codeop dataclasses typing opcode site",
    "interfaces": "tkinter turtle turtledemo curses idlelib colorsys wave sunau aifc chunk sndhdr imghdr ctypes",
}
"""Top-level modules of each family; modules in none are skipped."""
SKIPPED = ("test", "tests", "idle_test", "__pycache__")


class PyDocs(InMemoryTexts):
    """Docstrings of modules, classes and functions, labelled by module family, and pydoc's help topics."""

    def __init__(self, config: PyDocsConfig) -> None:
        super().__init__(config, {"train": cached(cache_folder(config.cache_dir))})


def cached(folder: Path) -> Documents:
    """The docstrings of the running Python version, read once."""
    path = folder / "pydocs" / f"{VERSION}-{'.'.join(map(str, sys.version_info[:3]))}.json"
    make_once(lambda temporary: write_json(temporary, read(Path(sysconfig.get_paths()["stdlib"]))), path)
    names, families, texts = zip(*json.loads(path.read_text(encoding="utf-8")), strict=True)
    return Documents(list(texts), list(names), np.array(families))


def read(library: Path) -> list[tuple[str, str, str]]:
    """(name, family, text) of every distinct docstring, by module; nothing is imported.

    Raises:
        DataError: the library's sources are missing.
    """
    found: dict[str, tuple[str, str]] = {}
    for family, modules in FAMILIES.items():
        for module in modules.split():
            for file in sorted({library / f"{module}.py", *(library / module).rglob("*.py")}):
                if file.is_file() and not set(file.relative_to(library).parts[:-1]) & set(SKIPPED):
                    _collect(found, docstrings(file), family=family, where=str(file.relative_to(library)))
    topics = library / "pydoc_data" / "topics.py"
    if topics.is_file():
        _collect(found, _topics(topics), family="language", where="pydoc_data/topics.py")
    if not found:
        raise DataError(f"dataset=pydocs: no sources of Python's library under {library}; choose dataset=text")
    return [(name, family, text) for text, (name, family) in found.items()]


def docstrings(file: Path) -> list[str]:
    """Docstrings of a module, its classes and its functions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes in the library
        tree = ast.parse(file.read_bytes())
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [text for node in ast.walk(tree) if isinstance(node, kinds) and (text := ast.get_docstring(node))]


def _topics(file: Path) -> list[str]:
    tree = ast.parse(file.read_bytes())
    tables = [n.value for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Dict)]
    return [inspect.cleandoc(text) for table in tables for text in ast.literal_eval(table).values()]


def _collect(found: dict[str, tuple[str, str]], texts: list[str], *, family: str, where: str) -> None:
    for i, text in enumerate(texts):
        if len(text) >= SHORTEST:
            found.setdefault(text, (f"{where}[{i}]", family))
