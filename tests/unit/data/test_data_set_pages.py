import re
from pathlib import Path

import pytest

from radrl.data.adapters.registry import NAMES, adapter_named
from radrl.phantom.layouts import LAYOUTS

PAGES = Path(__file__).parents[3] / "docs" / "datasets"


def page_of(name):
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    row = next(line for line in index.splitlines() if f"`{name}`" in line and line.startswith("| `"))
    return PAGES / re.search(r"\(([a-z0-9_]+\.md)\)", row)[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_has_a_page_with_its_licence_and_its_command(name):
    text = page_of(name).read_text(encoding="utf-8")
    assert "**Licence.**" in text
    assert f"--from {name} " in text
    assert "**Traps that are taken care of**" in text
    for url in re.findall(r"https?://[^\s,;)]+[^\s,;).]", adapter_named(name).access):
        assert url.rstrip("/") in text, url


def test_the_phantom_writes_every_data_sets_layout():
    assert set(NAMES) <= set(LAYOUTS)
