"""docs/methods is what scripts/method_pages.py makes."""

from collections.abc import Callable
from types import ModuleType

import pytest


def test_the_pages_are_up_to_date(load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["method_pages.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        load_script("method_pages").main()
    assert ended.value.code == 0
