"""Tracking libraries with exactly the surface that is used of them, which remember what they are given."""

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any


@dataclass
class FakeRun:
    """A remote run, of whichever library."""

    opened: dict[str, Any] = field(default_factory=dict)
    logged: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    num_finished: int = 0
    offline: bool = True
    url: str = "https://wandb.test/run"

    def log(self, data, *, step):
        self.logged.append((step, dict(data)))

    def finish(self):
        self.num_finished += 1


class FakeTable:
    def __init__(self, *, columns):
        self.columns, self.rows = columns, []

    def add_data(self, *values):
        self.rows.append(dict(zip(self.columns, values, strict=True)))


def fake_wandb(monkeypatch) -> SimpleNamespace:
    """Put a made-up wandb in the place of the library; `runs` are those it opened."""
    module, runs = ModuleType("wandb"), []

    class Error(Exception):
        pass

    def init(*, project, name, id, resume, dir, config, allow_val_change, settings):  # noqa: A002
        opened = {"project": project, "name": name, "id": id, "resume": resume, "dir": dir, "config": config}
        runs.append(FakeRun(opened={**opened, "settings": settings, "allow_val_change": allow_val_change}))
        return runs[-1]

    module.Error, module.init, module.Table = Error, init, FakeTable
    module.Settings = lambda *, console, save_code, disable_code, disable_git: SimpleNamespace(
        console=console, save_code=save_code, disable_code=disable_code, disable_git=disable_git
    )
    module.Image = lambda image, *, caption: (caption, image.size)
    install(monkeypatch, module)
    return SimpleNamespace(runs=runs, Error=Error)


def fake_swanlab(monkeypatch) -> SimpleNamespace:
    """Put a made-up swanlab in the place of the library; `runs` are those it opened."""
    module, errors, runs = ModuleType("swanlab"), ModuleType("swanlab.exceptions"), []

    class AuthenticationError(Exception):
        pass

    class Settings(SimpleNamespace):
        Terminal = staticmethod(lambda *, proxy_type: SimpleNamespace(proxy_type=proxy_type))

        def __init__(self, *, interactive, terminal):
            super().__init__(interactive=interactive, terminal=terminal)

    def init(*, project, name, id, resume, log_dir, config, settings):  # noqa: A002
        opened = {"project": project, "name": name, "id": id, "resume": resume, "log_dir": log_dir, "config": config}
        runs.append(FakeRun(opened={**opened, "settings": settings}))
        return runs[-1]

    errors.AuthenticationError = AuthenticationError
    module.Settings, module.init, module.exceptions = Settings, init, errors
    module.Text = lambda text, *, caption: (text, caption)
    module.Image = lambda image, *, caption: (caption, image.size)
    install(monkeypatch, module, errors)
    return SimpleNamespace(runs=runs, AuthenticationError=AuthenticationError)


def fake_mlflow(monkeypatch) -> SimpleNamespace:
    """Put a made-up mlflow in the place of the library; `server` is what its clients talk to."""
    module, entities, errors = (ModuleType(f"mlflow{part}") for part in ("", ".entities", ".exceptions"))
    server = SimpleNamespace(experiments={}, runs={}, calls=[])

    class MlflowException(Exception):
        pass

    class MlflowClient:
        def get_experiment_by_name(self, name):
            return SimpleNamespace(experiment_id=server.experiments[name]) if name in server.experiments else None

        def create_experiment(self, name):
            return server.experiments.setdefault(name, f"e{len(server.experiments)}")

        def create_run(self, experiment_id, *, run_name):
            run_id = f"r{len(server.runs)}"
            server.runs[run_id] = SimpleNamespace(
                name=run_name, experiment=experiment_id, params={}, metrics=[], artifacts={}, status="RUNNING"
            )
            return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

        def update_run(self, run_id, *, status):
            self._run(run_id).status = status

        def log_batch(self, run_id, *, metrics=(), params=()):
            assert len(params) <= 100
            self._run(run_id).metrics += [(metric.step, metric.key, metric.value) for metric in metrics]
            self._run(run_id).params |= {param.key: param.value for param in params}

        def log_dict(self, run_id, dictionary, artifact_file):
            self._run(run_id).artifacts[artifact_file] = dictionary

        def log_image(self, run_id, image, *, artifact_file):
            self._run(run_id).artifacts[artifact_file] = ("image", image.size)

        def set_terminated(self, run_id):
            self._run(run_id).status = "FINISHED"

        def _run(self, run_id):
            if run_id not in server.runs:
                raise MlflowException(f"Run {run_id!r} not found")
            return server.runs[run_id]

    errors.MlflowException = MlflowException
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)
    module.MlflowClient, module.entities, module.exceptions = MlflowClient, entities, errors
    module.get_tracking_uri = lambda: "file:///mlruns"
    install(monkeypatch, module, entities, errors)
    return SimpleNamespace(server=server, MlflowException=MlflowException, client=MlflowClient)


FAKES = {"wandb": fake_wandb, "swanlab": fake_swanlab, "mlflow": fake_mlflow}


def install(monkeypatch, *modules):
    for module in modules:
        module.__spec__ = SimpleNamespace(name=module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
