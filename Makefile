# make help lists the targets. Everything runs from .venv, which `make setup` makes by itself.
TARGET ?=
PLAN ?=
LANG_ ?= zh
PY := .venv/bin/python
at_once = -n $(1) --max-worker-restart 0 --dist loadfile --no-loadscope-reorder
passed = .pytest_cache/passed
quoted = $(if $(1),$(2) '$(1)')

# What has not passed is done once more, one by one: most tests hold calls or chats against the clock.
define twice
@rm -f $(passed)
@$(PY) -m pytest --passed=$(passed) $(1) -m '$(2)' || { echo 'once more, one by one, what has not passed:'; $(PY) -m pytest --passed=$(passed) -m '$(2)'; }
endef

.PHONY: help setup probe test long soak chaos check bench strangers sandbox

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

setup: ## make .venv, find or install a browser
	@sh harness/setup.sh

probe: setup ## run the quick plan on the sandbox, or TARGET=… PLAN=… on a real centre
	@$(PY) -m harness probe $(call quoted,$(TARGET),--target) $(call quoted,$(PLAN),--plan) --lang $(LANG_)

strangers: setup ## 60 real calls to a centre whose recordings nobody listed, on three kinds of wire
	@$(PY) -m harness.bench.strangers

sandbox: setup ## run the sandbox centre until Ctrl-C
	@$(PY) -m harness sandbox --lang $(LANG_)

test: ## all tests but the long ones
	@sh harness/setup.sh test
	$(call twice,$(call at_once,2),not soak and not chaos and not long and not realtime and not alone)
	$(call twice,,alone)
	$(call twice,$(call at_once,2),realtime and not long and not soak and not chaos)

long: ## minutes of real calls: hostile lines, SIPp, many machines, calibration, a short chaos
	@sh harness/setup.sh test
	$(call twice,$(call at_once,2),long)

soak: ## a year of 10,000 attempts under the test clock; machines that go away
	@sh harness/setup.sh test
	@$(PY) -m pytest -m soak

chaos: ## 200 attempts while whoever takes part is killed fifty times
	@sh harness/setup.sh test
	@$(PY) -m pytest -m chaos -s

check: setup ## ruff, mypy, import-linter, file sizes
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy && .venv/bin/python -c 'from importlinter.cli import lint_imports_command as f; f()' && $(PY) -m pytest -q tests/conventions.py

bench: ## measure: time stamps, CPU and memory per call and chat, chats over HTTP beside Botium, ledger, planning, growth
	@sh harness/setup.sh test
	@$(PY) -m harness.bench
