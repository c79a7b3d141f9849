"""What a test registers or loads as a plugin, no other test sees."""

import sys

import pytest

from radrl.rewards import api


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(api, "_REGISTRY", dict(api._REGISTRY))
    monkeypatch.setattr(api, "_ALIASES", dict(api._ALIASES))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("radrl_plugin_"):
            del sys.modules[name]
