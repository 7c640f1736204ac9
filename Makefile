# Everything happens in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs/demo
DEMO := $(BIN)/nacre

.PHONY: install demo gallery test lint types unit wheel bench clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nacre needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
# Alone, since the torchvision that it asks for is not used by what nacre takes from it.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt torch-fidelity
	touch $@

# Three models of three families on the digits that scikit-learn carries, then one page that compares them.
demo: install
	rm -rf $(RUNS)
	$(DEMO) train vae digits --latent 8 --hidden 256 128 --likelihood gaussian --steps 4000 --eval-every 1000 --out $(RUNS)/vae
	$(DEMO) train wgan-gp digits --latent 32 --hidden 256 256 --lr 3e-4 --steps 4000 --eval-every 500 --out $(RUNS)/wgan-gp
	$(DEMO) train rbm digits --hidden 400 --k 2 --lr 0.05 --steps 12000 --eval-every 2000 --out $(RUNS)/rbm
	$(DEMO) compare $(RUNS)/vae $(RUNS)/wgan-gp $(RUNS)/rbm --html $(RUNS)/report.html

# One picture of every model for docs/gallery.md: half an hour. NACRE_DATA names the folder with MNIST and adult.
gallery: install
	bash docs/gallery.sh

test: lint types unit wheel

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/pyright

unit: install
	$(BIN)/pytest -n 2 --durations 10

# The wheel, installed alone into a fresh environment, must answer on its own.
wheel: install
	rm -rf build/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt build/wheel/*.whl
	cd build/wheel && venv/bin/nacre --version && venv/bin/nacre models && venv/bin/nacre data digits && venv/bin/nacre reproduce --list \
		&& venv/bin/nacre train vae digits --steps 20 --out run --no-progress && venv/bin/nacre sample run -n 4 \
		&& venv/bin/nacre evaluate run --metrics elbo reconstruction

# The peers live in an environment of their own, which sees .venv's packages and so its torch.
bench: .venv-bench/.installed
	.venv-bench/bin/python benchmarks/speed.py --out benchmarks/results/speed.jsonl
	.venv-bench/bin/python benchmarks/memory.py --out benchmarks/results/memory.jsonl
	.venv-bench/bin/python benchmarks/startup.py --out benchmarks/results/startup.jsonl

.venv-bench/.installed: $(VENV)/.installed benchmarks/peers.txt
	$(PYTHON) -m venv .venv-bench
	echo "import site; site.addsitedir('$(CURDIR)/$(VENV)/lib/$(notdir $(wildcard $(VENV)/lib/python3*))/site-packages')" \
		> .venv-bench/lib/$(notdir $(wildcard $(VENV)/lib/python3*))/site-packages/nacre.pth
	.venv-bench/bin/pip install --quiet --no-deps -r benchmarks/peers.txt
	.venv-bench/bin/pip install --quiet -c constraints.txt greenlet imageio pydantic
	touch $@

clean:
	rm -rf $(VENV) .venv-bench build dist runs
