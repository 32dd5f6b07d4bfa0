#!/usr/bin/env bash
# Draws docs/terminal.svg from a real run of the demo. It needs Go and util-linux's script.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'kill "${up:-}" 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
go build -o "$scratch/sealstream" ./cmd/sealstream
export PATH="$scratch:$PATH" XDG_CONFIG_HOME="$scratch" NO_COLOR=
sealstream up --demo --data "$scratch/data" --http 127.0.0.1:0 --nats 127.0.0.1:0 > "$scratch/up.log" &
up=$!
until grep -q 'demo: recorded' "$scratch/up.log"; do sleep 0.1; done
SEALSTREAM_SERVER=$(sed -n 's/^  API *//p' "$scratch/up.log")
export SEALSTREAM_SERVER
cat > "$scratch/session" <<'EOF'
stty cols 108
show() { printf '\033[1;32m$\033[0m %s\n' "$*"; "$@"; echo; }
printf '\033[1;32m$\033[0m sealstream up --demo\n'; grep -E '^(  (API|NATS|log) |demo)' "$1"; echo
show sealstream query --type policy_violation --limit 3
show sealstream trace --session tau-airline-0-4
EOF
script -qec "bash $scratch/session $scratch/up.log" /dev/null < /dev/null | tr -d '\r' > "$scratch/session.ansi"
go run github.com/charmbracelet/freeze@v0.2.2 "$scratch/session.ansi" --language ansi \
	--font.family monospace --font.size 13 --padding 16 --background '#171717' --output docs/terminal.svg
