"""A few questions, with images and without, a model that is in its first steps, and runs on a cluster of processes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from radrl.cluster.open import Cluster
from radrl.cluster.worker import on_device
from radrl.config.schema import Config
from radrl.models.tiny import build_tiny
from radrl.train import open_pool, train_on, warm_up_on

TRACE = "<think>fluid</think><answer>left pleural effusion ✅</answer><think>sum</think><answer>yes</answer>"
REWARD = '''
def letters(attempt):
    """1 for the reference; else by the number of different letters, so that nonsense has a spread too."""
    return 1.0 if attempt.text == attempt.sample.reference else len(set(attempt.text)) % 7 / 7
'''
SAMPLERS = '''
import json
import os
import pathlib

import torch

from radrl.engines.checkpoint import StateFiles
from radrl.engines.learner import PolicyLearner
from radrl.engines.native import NativeSampler


class Counting:
    """Writes with the policy itself, and notes the process and the prompts."""

    def __init__(self, adapter, config):
        self.sampler = NativeSampler(adapter, max_sequences=8)
        self.publish = self.sampler.publish
        self.note = pathlib.Path(config.trainer.save_checkpoint_path) / f"asked-{os.getpid()}.txt"

    def generate(self, prompts, sampling):
        with self.note.open("a") as file:
            file.write(f"{sampling.first} {len(prompts)}\\n")
        yield from self.sampler.generate(prompts, sampling)


class Deadly(Counting):
    """Kills its process at the moment that a file in the run's folder names, once."""

    def __init__(self, adapter, config):
        super().__init__(adapter, config)
        self.order = self.note.with_name("kill.json")
        self.num_seen = 0
        self.adapter = adapter
        self.publish = self.publishing
        before(PolicyLearner, "learn", lambda: self.obey("update"))
        before(StateFiles, "save", lambda: self.obey("save"))

    def generate(self, prompts, sampling):
        for place, group in enumerate(self.sampler.generate(prompts, sampling)):
            yield group
            if place == 0:
                self.obey("rollout")

    def publishing(self, version):
        self.obey("sync")
        self.sampler.publish(version)

    def obey(self, moment):
        """Ranks are told apart by their place in the process group."""
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        try:
            order = json.loads(self.order.read_text())
        except FileNotFoundError:
            return
        if order["moment"] != moment or order["rank"] != rank:
            return
        self.num_seen += 1
        if self.num_seen == order["count"]:
            self.order.unlink()
            os.kill(os.getpid(), 9)


def before(owner, name, call):
    """Let something happen before a method, in this process."""
    method = getattr(owner, name)

    def wrapped(*args, **named):
        call()
        return method(*args, **named)

    setattr(owner, name, wrapped)


class NoSampler:
    def __init__(self, adapter, config):
        pass
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Files that every test may read and none may change."""

    folder: Path

    @property
    def samplers(self) -> Path:
        return self.folder / "samplers.py"


def build_world(folder: Path) -> World:
    rows = []
    for at in range(8):
        images = []
        if at % 2:
            Image.new("RGB", (64, 64), (20 * at, 90, 255 - 20 * at)).save(folder / f"{at}.png")
            images = [f"{at}.png"]
        prompt = f"{'<image>' * len(images)}Is there a left pleural effusion, {at}?"
        rows.append({"id": f"q{at}", "prompt": prompt, "answer": TRACE, "images": images})
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "rewards.py").write_text(REWARD, encoding="utf-8")
    (folder / "samplers.py").write_text(SAMPLERS, encoding="utf-8")
    build_tiny(folder / "model", corpus=[TRACE, *(row["prompt"] for row in rows)], vocab_size=400)
    return World(folder=folder)


def a_config(world: World, out: Path, changes: Mapping[str, object] | None = None) -> Config:
    """Three steps of one update on four prompts; `changes` are by dotted key."""
    tree: dict = {
        "data": {
            "train_files": [str(world.folder / "train.jsonl")],
            "rollout_batch_size": 4,
            "max_prompt_length": 96,
            "max_response_length": 12,
            "max_pixels": 4096,
        },
        "worker": {
            "actor": {
                "model": {"model_path": str(world.folder / "model")},
                "optim": {"lr": 1e-2, "strategy": "sgd"},
                "global_batch_size": 4,
                "row_tokens": 256,
            },
            "rollout": {"n": 4},
        },
        "rewards": [{"name": f"{world.folder / 'rewards.py'}:letters", "outcome": True}],
        "trainer": {"max_steps": 3, "device": "cpu", "logger": ["console"], "save_checkpoint_path": str(out)},
    }
    for key, value in (changes or {}).items():
        section = tree
        *path, name = key.split(".")
        for part in path:
            section = section.setdefault(part, {})
        section[name] = value
    return Config.model_validate(tree)


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def completions(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "completions.jsonl").read_text().splitlines()]


def weights(out: Path, *, step: int = 3) -> dict[str, Tensor]:
    folder = out / "checkpoints" / f"global_step_{step}" / "actor" / "huggingface"
    return {
        f"{file.name}/{name}": each for file in folder.rglob("*.safetensors") for name, each in load_file(file).items()
    }


def train_in(cluster: Cluster, config: Config) -> Path:
    """Train in the processes of a cluster that is there already; they become workers of this run."""
    with open_pool(config) as pool:
        return train_on(_again(cluster, config), config, pool, command=["radrl", "train"])


def warm_up_in(cluster: Cluster, config: Config) -> Path:
    """Warm up in the processes of a cluster that is there already."""
    return warm_up_on(_again(cluster, config), config, command=["radrl", "sft"])


def _again(cluster: Cluster, config: Config) -> Cluster:
    return Cluster(cluster.workers, cluster.joined, on_device(config, "cpu"))
