# make setup | reproduce-table | miniature-rates | fair | report | publish | published | test | test-fuzz | test-models | test-chaos | test-cluster | test-latex | test-browser | test-package | test-lowest | docs | site | lint | clean; each sets itself up first. Needs Python >= 3.11 and nothing else.

PYTHON ?= python3
VENV := .venv
BENCH := $(VENV)/bin/bench
STAMP := $(VENV)/.installed

TABLE ?= all
PROFILE ?= miniature
LAUNCHER ?= local
RESULTS ?= results
TABLES_miniature := glue wmt16 mmlu families
TABLES_survey := glue wmt16 learning_rate mmlu memory
TABLES_tuned := tuned
TABLES := $(if $(filter all,$(TABLE)),$(TABLES_$(PROFILE)),$(TABLE))
comma := ,
empty :=
space := $(empty) $(empty)
EXPERIMENTS := $(subst $(space),$(comma),$(addprefix $(PROFILE:tuned=miniature)/,$(TABLES)))

# PROFILE=tuned searches each method's settings first, on data that no table reports; docs/fairness.md.
TRIALS ?= 8
CHOSEN := $(if $(filter tuned,$(PROFILE)),--config-dir $(RESULTS)/chosen)

# The miniature needs no hub; whoever wants it offline elsewhere sets this too.
OFFLINE := $(if $(filter miniature tuned,$(PROFILE)),HF_HUB_OFFLINE=1)

# What a launcher needs beyond the default installation.
EXTRA := $(patsubst %,$(VENV)/.%,$(filter slurm ray,$(LAUNCHER)))

.PHONY: setup reproduce-table miniature-rates fair report publish published test test-fuzz test-models test-slow test-chaos test-cluster \
	test-latex test-browser test-package test-lowest docs site lint format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.slurm $(VENV)/.ray $(VENV)/.docs $(VENV)/.browser: $(VENV)/.%: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP) -c constraints.txt -e '.[$*]'
	touch $@

reproduce-table: setup $(EXTRA)
ifeq ($(PROFILE),tuned)
	$(OFFLINE) $(BENCH) tune experiment=$(EXPERIMENTS) trials=$(TRIALS) hydra/launcher=$(LAUNCHER) results_dir=$(RESULTS) out=$(RESULTS)/chosen
endif
	$(OFFLINE) $(BENCH) sweep $(CHOSEN) experiment=$(EXPERIMENTS) hydra/launcher=$(LAUNCHER) results_dir=$(RESULTS)
	$(OFFLINE) $(BENCH) table $(CHOSEN) experiment=$(EXPERIMENTS) results_dir=$(RESULTS) format=csv,latex out=$(RESULTS)/tables
ifeq ($(PROFILE),tuned)
	$(BENCH) compare experiment=$(EXPERIMENTS) results_dir=$(RESULTS)
endif

# The miniature's rates that the package ships: each method with as many trials, on data that no table reports; an hour on
# two cores. They are searched anew, not from those that are there; with RESULTS, stopped ones go on.
miniature-rates: setup
	HF_HUB_OFFLINE=1 $(BENCH) tune experiment=miniature/rates trials=$(TRIALS) results_dir=$(RESULTS) out=$(RESULTS)/rates
	cp -r $(RESULTS)/rates/chosen/miniature configs/chosen/
	cp $(RESULTS)/rates/*.csv configs/chosen/miniature/

# What a paper's comparison of a new method takes, docs/fairness.md: the same search for it and for BASELINES, other SEEDS,
# the table, the comparison and a paragraph of text, in RESULTS/fair/METHOD. BUDGET: trials, or seconds as in 3600s.
#   make fair METHOD=mine MODEL=miniature/roberta TASKS=miniature/sst2,miniature/cola BUDGET=8 CONFIG=my_configs
# DRY_RUN=true says what it costs; SETTINGS='training.epochs=2 workers=2' are handed on.
BUDGET ?= 16
FAIR = method='$(METHOD)' model='$(MODEL)' task='$(TASKS)' results_dir='$(RESULTS)'
FAIR += $(if $(filter %s,$(BUDGET)),budget=$(BUDGET:%s=%),trials=$(BUDGET))
FAIR += $(if $(BASELINES),baselines='$(BASELINES)') $(if $(SEEDS),seed='$(SEEDS)') $(if $(DRY_RUN),dry_run=$(DRY_RUN))
REAL = $(filter-out miniature/%,$(subst $(comma), ,$(MODEL) $(TASKS)))

fair: setup $(EXTRA)
	@$(if $(REAL),,HF_HUB_OFFLINE=1) $(BENCH) fair $(if $(CONFIG),--config-dir '$(CONFIG)') $(FAIR) hydra/launcher=$(LAUNCHER) $(SETTINGS)

report: setup
	$(BENCH) report results_dir=$(RESULTS) out=$(RESULTS)/report

# Measures a machine with a GPU, most valuable first, and goes on where it stopped: make publish MACHINE=name HOURS=2.
# SIZE=miniature rehearses it on the CPU; DATA=FOLDER and ROBERTA=FOLDER name local data and weights.
HOURS ?= 2
SIZE ?= full
publish: setup
	@$(VENV)/bin/python -m scripts.publish --machine='$(MACHINE)' --hours='$(HOURS)' --size='$(SIZE)' --data='$(DATA)' --roberta='$(ROBERTA)'

# Whether every file in results/published, and what README and docs show of them, is what the records there give;
# WRITE=true writes them anew.
published: setup
	$(VENV)/bin/python -m scripts.published $(if $(WRITE),--write)

# The stand-in device is one of the whole process, hence a run of its own.
test: setup
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest -n 2 -m "not slow" tests/device
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest -n 2 -m "not slow and not cluster"

# Small sweeps through a SLURM of one node and a local Ray, which the tests start and stop; skipped, with the reason,
# where these cannot be installed: SLURM comes from Debian's packages and needs root. SIGINT lets pytest clean up.
test-cluster: setup
	tests/cluster/install.sh
	$(MAKE) --no-print-directory -k PIP="--retries 1 --timeout 20" $(VENV)/.slurm $(VENV)/.ray || true
	HF_HUB_OFFLINE=1 timeout --signal=INT 480 $(VENV)/bin/python -m pytest tests/cluster -m cluster -rs

# The fuzzers of `make test` with many times as many inputs: command lines, YAML, records, data files. The seed is printed;
# FUZZ_SEED=… repeats a run.
FUZZ_EXAMPLES ?= 20
test-fuzz: setup
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest -n 2 tests/fuzz

# The whole support matrix of docs/models.md: every method on a tiny model of every kind.
test-models: setup
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest -n 2 tests/models

# What takes minutes and `make test` leaves out: plans against whole traces, compiled cells, ten thousand cells, and more.
test-slow: setup
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest -n 2 -m "slow and not cluster" tests

# Kills workers and sweeps at random, again and again, and compares the tables in the end.
test-chaos: setup
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest tests/sweeping/launchers/test_chaos.py -m slow -s

# Installs a LaTeX and compiles the tables with it; needs a Debian and root.
test-latex: setup
	command -v pdflatex >/dev/null && kpsewhich siunitx.sty >/dev/null || \
	  (apt-get update -qq && apt-get install -y -qq --no-install-recommends texlive-latex-recommended texlive-science)
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest tests/tables -k "latex or compile" -rs

# The live page of `bench report serve` in a headless Chromium (Debian's package, where it can be installed), with axe's rules
# of contrast and names; skipped, with the reason, where there is none. Screenshots go to pytest's temporary folder.
test-browser: setup
	$(MAKE) --no-print-directory PIP="--retries 1 --timeout 20" $(VENV)/.browser || true
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  apt-get install -y -qq --no-install-recommends chromium || true
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest tests/browser -rs

# Builds the wheel and uses it where the repository is not: tests/package says what. The libraries are those of the setup;
# EMPTY=true has pip install all of them into the new environment too.
EMPTY ?=
test-package: setup
	EMPTY=$(EMPTY) HF_HUB_OFFLINE=1 $(VENV)/bin/python -m pytest tests/package -rs

# Installs the lowest versions that pyproject.toml allows into an environment of their own and runs some tests with them.
LOWEST := tests/cli/test_commands.py tests/data/test_source.py tests/evaluation tests/methods/test_eight_bits.py
LOWEST += tests/methods/test_peft_types.py tests/running/test_runner.py tests/tables tests/tracking tests/tuning/test_budget.py
test-lowest: $(VENV)/lowest/.installed
	HF_HUB_OFFLINE=1 $(VENV)/lowest/bin/python -m pytest -n 2 -m "not slow" $(LOWEST)

$(VENV)/lowest/.installed: $(STAMP) constraints-lowest.txt
	$(PYTHON) -m venv $(VENV)/lowest
	$(VENV)/lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt '.[test]'
	touch $@

# The documentation as a site, in site/; every warning is an error, and nothing of it is fetched from elsewhere.
docs: $(VENV)/.docs
	HF_HUB_OFFLINE=1 NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict --clean
	BENCH_SITE=site $(VENV)/bin/python -m pytest tests/docs/test_site.py -rs

# The same with what was published (results/published): a page for each machine and model, with its figures.
site: $(VENV)/.docs published
	HF_HUB_OFFLINE=1 NO_MKDOCS_2_WARNING=1 report=true $(VENV)/bin/python -m mkdocs build --strict --clean
	HF_HUB_OFFLINE=1 $(VENV)/bin/python -m scripts.published --report site/report

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache
