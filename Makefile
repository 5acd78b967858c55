# All commands of the project. `make` alone lists them.

GO ?= go
PKGS = ./...
APT = DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120

.PHONY: help run demo build test check fmt bench soak fuzz cover screenshots deps

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the program, ./leadloop
	$(GO) build -o leadloop .

run: build ## run the server on leadloop.db
	./leadloop serve

demo: build ## see the loop turn, with sample data and a stand-in CRM
	./leadloop demo

test: deps ## run every test, with the race detector, on SQLite and PostgreSQL
	$(GO) test -race -timeout 15m $(PKGS)

check: ## formatting, vet, staticcheck, the import rules
	@unformatted=$$($(GO) tool gofumpt -l .); test -z "$$unformatted" || { echo "run make fmt; not formatted:"; echo "$$unformatted"; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool staticcheck $(PKGS)
	$(GO) test -run TestHouse .

fmt: ## format the code
	$(GO) tool gofumpt -w .

bench: ## measure against hand-written code, side by side, and print the ratios
	$(GO) test -run TestMeasure -count 1 -timeout 20m -v ./server -measure

soak: ## play a day of 5,000 leads, and ask 20,000 times for what is others', on each database (SEED=1 for the same again)
	@seed=$${SEED:-$$(date +%s)}; echo "SEED=$$seed"; \
	$(GO) test -run 'TestDay$$' -count 1 -timeout 30m -v ./server -day-leads 5000 -day-seed $$seed && \
	$(GO) test -run TestCustomersSeeNothingOfOthers -count 1 -timeout 30m -v ./server \
		-first-world $$seed -worlds 20 -rapid.seed $$seed -rapid.checks 1600 -rapid.steps 20

fuzz: ## run each fuzz target for a while (FUZZTIME=30s)
	@set -e; for target in $$(grep -rhoE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | awk '{print $$2}' | sort -u); do \
		dir=$$(grep -rlE "^func $$target\(" --include='*_test.go' . | head -1 | xargs dirname); \
		echo "$$dir $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-30s} -fuzzminimizetime 10x $$dir; \
	done

screenshots: deps ## draw the pictures of the console in the README anew, docs/pictures
	$(GO) test -run TestConsolePages -count 1 -timeout 5m ./server -pictures

cover: deps ## show how much the tests cover
	$(GO) test -coverpkg ./... -coverprofile coverage.out $(PKGS)
	$(GO) tool cover -func coverage.out | tail -1

# What the tests need beside Go and gcc: PostgreSQL's programs, a browser with
# letters for Hebrew, and what the README's examples call.
deps:
	@missing=; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v chromium-headless-shell >/dev/null || missing="$$missing chromium-headless-shell"; \
	fc-list 2>/dev/null | grep -q NotoSansHebrew || missing="$$missing fontconfig fonts-noto-core"; \
	for program in curl jq openssl; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing$$missing"; $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "missing; please run: sudo apt-get install$$missing"; exit 1; fi
