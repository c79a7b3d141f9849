"""Stand-ins for `radrl`, `radrl train` and `radrl evaluate`, and a bench that they work on."""

import json
import sys

from radrl.config.sweep import SweepConfig
from radrl.sweep.command import sweep

NOTED = """
import json, os, pathlib, signal, sys

bench = pathlib.Path(__file__).parent
told = dict(arg.split("=", 1) for arg in sys.argv[1:] if "=" in arg)

def note(text):
    with (bench / "calls.txt").open("a") as calls:
        calls.write(text + "\\n")

def order_of(name):
    orders = bench / "orders.json"
    return json.loads(orders.read_text()).get(name) if orders.exists() else None
"""

PREPARE = (
    NOTED
    + '''
"""Makes the file or folder of its first argument, from those of the others."""
made, sources = pathlib.Path(sys.argv[1]), [pathlib.Path(path) for path in sys.argv[2:] if "=" not in path]
note("prepare " + made.name)
assert all(source.exists() for source in sources), sources
made.parent.mkdir(parents=True, exist_ok=True)
if order_of(made.name) == "half":
    made.write_text("half")
    sys.exit(1)
assert not made.exists()
if order_of(made.name) != "nothing":
    made.write_text("whole")
'''
)

TRAIN = (
    NOTED
    + '''
"""Trains nothing: logs what it was told, and leaves a checkpoint."""
folder = pathlib.Path(told["trainer.save_checkpoint_path"])
note("train " + folder.name)
folder.mkdir(parents=True, exist_ok=True)
print("threads", os.environ.get("OMP_NUM_THREADS"), flush=True)
order = order_of(folder.name)
if order == "stop":
    def stop(number, frame):
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()
if order in ("read", "write"):
    # Returns when another run has the other end open: both are at work at the same time.
    os.close(os.open(bench / "meeting", os.O_RDONLY if order == "read" else os.O_WRONLY))
(folder / "checkpoints" / "global_step_2" / "actor" / "huggingface").mkdir(parents=True, exist_ok=True)
start = 0.5 if "outcome" in folder.name else 0.25
with (folder / "metrics.jsonl").open("w") as file:
    for step in (1, 2):
        record = {"step": step, "perf/total_num_tokens": 100.0 * step, "timing_s/step": 36.0}
        file.write(json.dumps({**record, "val/reward_score": start + 0.1 * step * int(told["trainer.seed"])}) + "\\n")
'''
)

EVALUATE = (
    NOTED
    + '''
"""Writes an evaluation of four questions; the first so many are right."""
out = pathlib.Path(told["out"])
note("evaluate " + told["model"])
out.mkdir(parents=True)
rights = json.loads((bench / "rights.json").read_text())[out.parent.parent.name if "model" in told else out.name]
rows = [
    dict(id=f"q{k}", index=0, patient_id=f"p{k}", kind="presence", question="?", answer=["yes"],
         prediction=["yes" if k < rights else "no"], generated_text="", correct=k < rights, is_correct_legacy=True,
         parse_ok=True, token_ids=[1], token_logprobs=[0.0], confidence=0.5)
    for k in range(4)
]
(out / "samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
block = {"metrics": {"accuracy": {"value": rights / 4}, "hallucination_rate": {"value": 0.5 - rights / 10}}}
(out / "summary.json").write_text(json.dumps({
    "overall": block, "per_file": {"world/test.jsonl": block}, "per_kind": {"presence": block},
    "blind": {"majority": {"accuracy": {"value": 0.25}}, "shuffled_image": None, "notes": []},
}))
'''
)

ARMS = {"outcome": ["data.max_response_length=40"], "final": ["config={bench}/final.yaml"]}


def lay_out(bench):
    """Write the stand-ins, a base and an arm's file; one evaluation gets as many right as `rights.json` says."""
    for name, text in {"prepare": PREPARE, "train": TRAIN, "evaluate": EVALUATE}.items():
        (bench / f"{name}.py").write_text(text)
    (bench / "base.yaml").write_text(
        "data: {rollout_batch_size: 4}\nworker: {actor: {global_batch_size: 2}, rollout: {n: 3}}\n"
        "trainer: {max_steps: 2}\n"
    )
    (bench / "final.yaml").write_text("algorithm.kl_coef: 0.25\n")
    rights = {"outcome_seed1": 1, "outcome_seed2": 2, "final_seed1": 3, "final_seed2": 4}
    (bench / "rights.json").write_text(json.dumps(rights))


def config_of(bench, **changes):
    """Two arms with two seeds."""
    settings = {
        "base": [str(bench / "base.yaml")],
        "out": str(bench / "out"),
        "arms": {name: [entry.format(bench=bench) for entry in told] for name, told in ARMS.items()},
        "seeds": [1, 2],
        "settings": ["worker.actor.model.model_path={out}/warm_{seed}"],
        "prepare": [{"name": "warm_up", "command": ["{out}/warm_{seed}"], "makes": "{out}/warm_{seed}"}],
        **changes,
    }
    return SweepConfig(**settings)


def run(bench, config):
    """Run a sweep by the stand-ins."""
    train, evaluate, prepare = (
        (sys.executable, str(bench / f"{name}.py")) for name in ("train", "evaluate", "prepare")
    )
    return sweep(config, train=train, evaluate=evaluate, radrl=prepare)


def calls(bench):
    """What was called, in order."""
    return (bench / "calls.txt").read_text().splitlines()


def give_order(bench, orders):
    """Tell stand-ins by name what to do."""
    (bench / "orders.json").write_text(json.dumps(orders))
