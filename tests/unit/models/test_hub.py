"""Row 95: names of models stand for Hugging Face's hub, or ModelScope's where the environment says so."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import huggingface_hub
import pytest

from radrl.config.environment import uses_modelscope
from radrl.errors import ConfigError
from radrl.models import hub
from radrl.models.hub import model_folder

ASKED = {"USE_MODELSCOPE_HUB": "1"}


@pytest.fixture
def modelscope(monkeypatch, tmp_path):
    """A made-up package that holds one model and remembers what it was asked for."""
    module, errors = ModuleType("modelscope"), ModuleType("modelscope.hub.errors")
    asked = []

    class HubError(Exception):
        pass

    def snapshot_download(name, *, allow_patterns):
        asked.append((name, tuple(allow_patterns)))
        if name != "Qwen/known":
            raise HubError(f"{name} does not exist")
        return str(tmp_path / "snapshot")

    module.snapshot_download, errors.HubError = snapshot_download, HubError
    module.__spec__ = SimpleNamespace(name="modelscope")
    for each in (module, ModuleType("modelscope.hub"), errors):
        monkeypatch.setitem(sys.modules, each.__name__, each)
    return SimpleNamespace(asked=asked, folder=tmp_path / "snapshot")


@pytest.mark.parametrize(("value", "is_asked"), [("1", True), ("true", True), ("Y", True), ("0", False), ("", False)])
def test_row_95_the_variable_is_read_as_cx_mind_reads_it(value, is_asked):
    assert uses_modelscope({"USE_MODELSCOPE_HUB": value}) is is_asked


def test_row_95_a_name_is_modelscopes_where_the_environment_says_so(modelscope):
    assert model_folder("Qwen/known", environment=ASKED) == modelscope.folder
    ((name, files),) = modelscope.asked
    assert name == "Qwen/known"
    assert "*.safetensors" in files


def test_row_95_what_describes_a_model_comes_without_its_weights(modelscope):
    model_folder("Qwen/known", weights=False, environment=ASKED)
    ((_, files),) = modelscope.asked
    assert "*.json" in files
    assert "*.safetensors" not in files


def test_row_95_a_name_that_modelscope_does_not_know_is_an_error_that_names_the_variable(modelscope):
    with pytest.raises(ConfigError, match=r"Qwen/other is neither .* does not exist.*unset USE_MODELSCOPE_HUB"):
        model_folder("Qwen/other", environment=ASKED)


def test_row_95_without_its_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"asks for Qwen/known from ModelScope.*pip install 'radrl\[modelscope\]'"):
        model_folder("Qwen/known", environment=ASKED)


def test_row_95_without_the_variable_a_name_is_hugging_faces(modelscope, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, *, allow_patterns: str(tmp_path / name))
    assert model_folder("Qwen/known", environment={}) == tmp_path / "Qwen/known"
    assert modelscope.asked == []


@pytest.mark.parametrize("environment", [{}, ASKED])
def test_a_folder_is_itself_whatever_the_environment_says(environment, tmp_path):
    assert model_folder(tmp_path, environment=environment) == tmp_path


def test_no_name_at_all_is_an_error():
    with pytest.raises(ConfigError, match="no model is given"):
        model_folder("", environment={})


def test_row_95_the_real_package_takes_the_same_call():
    if importlib.util.find_spec("modelscope") is None:
        pytest.skip("modelscope is not installed: pip install 'radrl[modelscope]'")
    import inspect

    import modelscope
    from modelscope.hub.errors import HubError

    assert "allow_patterns" in inspect.signature(modelscope.snapshot_download).parameters
    assert issubclass(HubError, Exception)
