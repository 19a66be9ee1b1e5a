#!/bin/sh
# SLURM and munge from Debian's packages, if they are not here yet; where that cannot be, says why and is no failure.
PATH="$PATH:/usr/sbin:/sbin"
command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "SLURM is not installed, and only root can install it, with apt-get" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # a runlevel in which no service is started
options="-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20"
# shellcheck disable=SC2086
timeout 120 apt-get $options update && timeout 240 apt-get $options install -y --no-install-recommends slurm-wlm munge \
  >/dev/null || echo "SLURM could not be installed from Debian's packages" >&2
exit 0
