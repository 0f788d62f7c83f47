#!/usr/bin/env bash
# Installs Debian's SLURM, for `make test-slurm` with its accounting, which --without-accounting leaves out. Starts nothing,
# and leaves nothing running.
set -euo pipefail

packages=(slurm-wlm munge)
[[ ${1:-} == --without-accounting ]] || packages+=(slurmdbd mariadb-server)
missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi
if ((EUID != 0)); then
    echo "SLURM is missing: as root, run apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

# Packages start their services where there is an init system; the tests start daemons of their own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
