#!/bin/sh
# Makes .venv and finds what the harness needs from the system. `make setup` calls it; running it again is cheap.
#   sh harness/setup.sh        the environment and a browser
#   sh harness/setup.sh test   also what the tests play against: SIPp, Kamailio, PostgreSQL, ffmpeg, npm, sherpa-onnx,
#                              Chainlit
set -eu

say() { printf '%s\n' "$*" >&2; }

apt_install() { # as root on Debian or Ubuntu only
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $* ..."
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

find_python() {
    for name in ${PYTHON:-python3.12 python3.11 python3}; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    say "setup: Python 3.11 or 3.12 is needed and was not found (set PYTHON=/path/to/python3.11)"
    return 2
}

environment() {
    stamp=.venv/installed
    wanted=$(cat pyproject.toml constraints.txt | cksum)
    [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    python=$(find_python)
    say "making .venv with $("$python" --version) ..."
    if ! "$python" -m venv .venv 2>/dev/null; then
        apt_install "python3-venv" || { say "setup: $python has no venv module; install the package python3-venv"; return 2; }
        "$python" -m venv .venv
    fi
    say "installing the pinned packages (about a minute the first time) ..."
    .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
    echo "$wanted" >"$stamp"
}

browser() {
    .venv/bin/python -m probes.chat.browser >/dev/null 2>&1 && return
    apt_install chromium-headless-shell fonts-wqy-microhei 2>/dev/null && return
    say "fetching a browser with Playwright ..."
    if [ "$(id -u)" = 0 ] && .venv/bin/python -m playwright install --with-deps chromium-headless-shell; then return; fi
    .venv/bin/python -m playwright install chromium-headless-shell ||
        say "setup: no browser could be had; chats will not run. Install Chromium, or set SHOPPER_CHROMIUM to one."
}

carrier() {
    command -v kamailio >/dev/null && ls /usr/lib/*/kamailio/modules/tls.so >/dev/null 2>&1 && return
    # The tests start their own Kamailio; the service that Debian would start with the package is not wanted.
    [ "$(id -u)" = 0 ] && [ ! -e /usr/sbin/policy-rc.d ] && printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d &&
        chmod +x /usr/sbin/policy-rc.d && made=yes
    apt_install kamailio kamailio-tls-modules ||
        say "setup: Kamailio is missing (packages kamailio and kamailio-tls-modules)"
    [ "${made:-}" = yes ] && rm -f /usr/sbin/policy-rc.d
    return 0
}

database() {
    ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || command -v pg_ctl >/dev/null && return
    # The tests start servers of their own; the cluster that Debian would make with the package is not wanted.
    if [ ! -e /etc/postgresql-common/createcluster.conf ] && [ "$(id -u)" = 0 ]; then
        mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    apt_install postgresql || say "setup: PostgreSQL is missing (package postgresql)"
}

recogniser() {
    .venv/bin/python -c 'import sherpa_onnx' 2>/dev/null && return
    say "installing sherpa-onnx ..."
    .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt sherpa-onnx ||
        say "setup: sherpa-onnx is missing; the tests of transcription will fail"
}

chainlit() { # in an environment of its own: its packages must not touch ours
    home=.cache/chainlit
    wanted=$( (cat constraints-chainlit.txt; .venv/bin/python --version) | cksum)
    [ -x "$home/bin/python" ] && [ "$(cat "$home/installed" 2>/dev/null)" = "$wanted" ] && return
    say "making an environment for Chainlit (about a minute the first time) ..."
    if .venv/bin/python -m venv --clear "$home" &&
        "$home/bin/python" -m pip install -q --disable-pip-version-check -c constraints-chainlit.txt chainlit
    then echo "$wanted" >"$home/installed"
    else say "setup: Chainlit is missing; its tests will fail"
    fi
}

test_peers() {
    command -v sipp >/dev/null || apt_install sip-tester || say "setup: SIPp is missing (package sip-tester)"
    carrier
    database
    command -v ffmpeg >/dev/null || apt_install ffmpeg || say "setup: ffmpeg is missing (package ffmpeg)"
    command -v npm >/dev/null || apt_install npm || say "setup: npm is missing (package npm)"
    recogniser
    chainlit
}

environment
browser
[ "${1:-}" = test ] && test_peers
exit 0
