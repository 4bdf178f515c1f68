# The README's two commands: `make test` and `make demo`. Each does all of its own set-up.
VENV ?= .venv
PY := $(VENV)/bin/python
SEED ?= 0
export MUJOCO_GL ?= egl
export OMP_NUM_THREADS ?= 1

.PHONY: setup ros2 test browser devices demo data reproduce check format

# A ROS 2 that is sourced is used once the packages are built for it and sourced as well; else the embedded one.
ifeq ($(wildcard $(addsuffix /share/tenon_session,$(subst :, ,$(AMENT_PREFIX_PATH)))),)
ifneq ($(AMENT_PREFIX_PATH),)
$(info [make] ROS 2 $(ROS_DISTRO) is sourced, Tenon's packages are not: the embedded ROS 2 is used. To use it: make ros2)
unexport PYTHONPATH
unexport AMENT_PREFIX_PATH
endif
endif

setup: $(VENV)/.stamp

# Set up anew only when what is installed could have changed.
$(VENV)/.stamp: pyproject.toml src/embedded_ros2/pyproject.toml scripts/setup.sh
	VENV=$(VENV) scripts/setup.sh
	touch $@

ros2: setup
	VENV=$(VENV) PYTHONPATH="$(PYTHONPATH)" AMENT_PREFIX_PATH="$(AMENT_PREFIX_PATH)" scripts/ros2.sh

# What runs graphs, devices or consoles in real time is given the machine to itself; all else runs side by side.
ONE_BY_ONE = tests/session_graph tests/hardware tests/nodes tests/console tests/benchmarks src/embedded_ros2/tests
# Tests are of the embedded ROS 2, whatever is sourced.
PYTEST = env -u PYTHONPATH -u AMENT_PREFIX_PATH $(PY) -m pytest
UNIT = $(PYTEST) -n auto --dist loadfile -m "not browser and not devices and not session" tests $(addprefix --ignore=,$(ONE_BY_ONE))
SESSIONS = $(PYTEST) -m "not browser and not devices" $(ONE_BY_ONE)
COMMANDS = $(PYTEST) -m "session and not browser and not devices" tests/cli

test: setup
	status=0; $(UNIT) || status=1; $(SESSIONS) || status=1; $(COMMANDS) || status=1; exit $$status

# The web console in headless Chromium, against a session that runs: minutes, and sensitive to other load.
browser: setup
	$(PYTEST) -m browser

# Sessions on emulated arms in real time whose devices fail: false faults of timing (stale_command) come up on two cores.
devices: setup
	$(PYTEST) -m devices

demo: setup
	$(VENV)/bin/tenon demo --seed $(SEED)

# What the experiments on the job learn from: many connectors with little of each, and those that are held out.
data: setup
	$(VENV)/bin/tenon collect --out runs/fifty --train-per-series 80 --episodes-per-connector 4
	$(VENV)/bin/tenon collect --out runs/fifty

# All experiments, or NAME=iql-maze; OPTIONS=--seeds=5. Goes on where it was interrupted.
NAME ?= residual-bias insertion-table demos-her-pick demos-her-stack awac-drawer awac-valve iql-maze intervention residual-blocks $(ON_THE_JOB)
ON_THE_JOB = daib-classifier on-the-job-far on-the-job-near daib-ablation
reproduce: $(if $(filter $(ON_THE_JOB),$(NAME)),data,setup)
	status=0; for name in $(NAME); do $(VENV)/bin/tenon reproduce $$name $(OPTIONS) || status=1; done; exit $$status

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

check: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(MAKE) test
