"""Every knob of `radrl demo`, once. `radrl/demo.yaml` gives the values that ship."""

from typing import Any

from pydantic import Field

from radrl.config.schema import Config
from radrl.config.section import Fraction, NonNegativeInt, PositiveInt, Section


class DemoData(Section):
    """How many patients of the phantom world each part of the demo sees. Real films are split in these proportions."""

    warm_up: PositiveInt = 1000
    """Questions of the supervised warm-up."""
    pool: PositiveInt = 400
    """Questions the hard examples are selected from."""
    test: PositiveInt = 200
    """Questions about held-out patients."""
    ood: PositiveInt = 100
    """Held-out patients with pairs of finding and zone that training never shows; there are none of real films."""


class DemoModel(Section):
    """Size of the policy, which starts untrained."""

    family: str = "qwen2_5_vl"
    hidden_size: PositiveInt = 128
    """Width of the language model."""
    num_layers: PositiveInt = 2
    """Decoder layers."""
    vision_hidden_size: PositiveInt = 64
    """Width of the image encoder."""
    vision_layers: PositiveInt = 2
    """Encoder layers."""
    image_px: PositiveInt = 64
    """Side that square images are brought to, in pixels."""
    patch_px: PositiveInt = 16
    """Side of an image patch; four patches make a token."""
    vocab_size: PositiveInt = 700
    """Most tokens the tokenizer may learn."""


class DemoConfig(Section):
    """The end-to-end job: data, warm-up, selection, reinforcement, evaluation, report."""

    seed: NonNegativeInt = 0
    """Data, initial weights and training follow from it."""
    out: str = "runs/demo"
    """Folder of the run."""
    real_cxr: str | None = None
    """Folder of real radiographs (images/ and metadata.csv) to use in place of the phantom world."""
    world: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the phantom world that selection and evaluation see."""
    under_report: Fraction = 0.55
    """Probability that the author of the warm-up's traces overlooks a finding, as labels mined from reports do."""
    data: DemoData = DemoData()
    model: DemoModel = DemoModel()
    num_selected: PositiveInt = 512
    """Questions selected for reinforcement."""
    num_threads: PositiveInt = 1
    """Threads of the tensor library. A second one gains a third on an idle machine and makes a step ten times slower
    where anything else runs, because threads spin while they wait for each other."""
    num_workers: PositiveInt = 2
    """Processes that draw images."""
    sft: Config = Config()
    """The warm-up; paths and seeds are filled in."""
    rl: Config = Config()
    """The reinforcement; paths and seeds are filled in."""
    eval_batch_size: PositiveInt = 128
    """Questions decoded at the same time in evaluation."""
