#!/usr/bin/env bash
# What Debian must have before Python's packages can be installed.
#   tools/bootstrap.sh run      to build and run: a Python of 3.11 or newer with venv, a font with Chinese letters
#   tools/bootstrap.sh test     the real peers of the tests besides: browser, camera, media tools
#   tools/bootstrap.sh python   prints the Python to use
# Missing packages are installed with apt as root or by sudo; where neither is possible the sentence says what to
# install. Quick when nothing is missing.
set -euo pipefail

RUN=(python3 python3-venv make ca-certificates)
# Chinese letters in exported films; any of the fonts that recorder/export/fonts.py knows is as good.
FONT=fonts-noto-cjk
TEST=(coturn haproxy iproute2 nftables chromium firefox-esr libnss3-tools "$FONT" ffmpeg sip-tester libatomic1 procps
    python3-gi gir1.2-gst-rtsp-server-1.0
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
    gstreamer1.0-libav)

has_font() {
    local folders=() folder
    for folder in /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" "$HOME/.local/share/fonts"; do
        [ -d "$folder" ] && folders+=("$folder")
    done
    [ ${#folders[@]} -gt 0 ] || return 1
    [ -n "$(find -L "${folders[@]}" \( -name NotoSansCJK-Regular.ttc -o -name NotoSansSC-Regular.otf \
        -o -name SourceHanSansSC-Regular.otf -o -name NotoSansCJKsc-Regular.otf -o -name wqy-microhei.ttc \
        -o -name wqy-zenhei.ttc -o -name DroidSansFallbackFull.ttf -o -name DroidSansFallback.ttf \) -print -quit 2>/dev/null)" ]
}

say() { printf '%s\n' "$*" >&2; }

# The first Python that is new enough and can make virtual environments.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" - <<'PY' 2>/dev/null; then
import sys, venv, ensurepip
sys.exit(sys.version_info < (3, 11))
PY
            command -v "$candidate"
            return
        fi
    done
    return 1
}

missing() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
    done
}

install() {
    local packages=("$@") sudo=()
    [ ${#packages[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        # Never a question for a password in the middle of a build that nobody watches.
        if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            sudo=(sudo)
        else
            say "缺少软件包，请以 root 安装 / packages are missing, install them as root: apt-get install ${packages[*]}"
            return 1
        fi
    fi
    say "正在安装 / installing: ${packages[*]}"
    local log
    log=$(mktemp)
    if ! {
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get -qq install --yes --no-install-recommends "${packages[@]}"
    } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

need() {
    local packages
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        return 0 # not a Debian: what is missing will say so itself
    fi
    mapfile -t packages < <(missing "$@")
    install "${packages[@]}"
}

case ${1:-} in
python)
    find_python
    ;;
run)
    # A Python that did not come from apt is as good.
    if ! find_python >/dev/null || ! command -v make >/dev/null 2>&1; then
        need "${RUN[@]}"
    fi
    find_python >/dev/null || {
        say "需要带 venv 的 Python 3.11 或更新版本 / Python 3.11 or newer with venv is needed."
        exit 1
    }
    # Everything but the names in films is there without it.
    if ! has_font; then
        need "$FONT" || true
        has_font || say "没有中文字体，导出影片中的中文将无法显示，请安装 / no font with Chinese letters, names in films will not be readable; install $FONT"
    fi
    ;;
test)
    "$0" run
    if ! command -v cargo >/dev/null 2>&1 && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
        # A crate is a peer of the tests; Debian 12's own cargo is too old for it.
        case $(cat /etc/debian_version 2>/dev/null) in 12*) TEST+=(cargo-web) ;; *) TEST+=(cargo) ;; esac
    fi
    # Any version will do; tests start servers of their own, without the one that Debian may set up.
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || TEST+=(postgresql)
    need "${TEST[@]}"
    ;;
*)
    say "用法 / usage: $0 run|test|python"
    exit 2
    ;;
esac
