#!/bin/sh
# Installs the Debian packages that are missing and builds: tests/build.sh PRESET [TARGET...]
# Uses sudo where it is not root; where nothing is missing it needs neither.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift

packages="g++ cmake ninja-build pkg-config ccache ca-certificates
  libnl-3-dev libnl-route-3-dev libboost1.81-dev libboost-json1.81-dev libtomlplusplus-dev libsqlitecpp-dev
  libsqlite3-dev libcli11-dev libnghttp2-dev catch2 libssl-dev zlib1g-dev libbrotli-dev libzstd-dev libspdlog-dev libfmt-dev
  curl iproute2 procps python3 nodejs make ${FLYLOCAL_EXTRA_PACKAGES:-}"
if [ "$preset" = fuzz ]; then
  packages="$packages clang"
else
  # The clients of tests/system/test_dns_clients.py; Erlang is below, as it brings a service.
  packages="$packages bind9-dnsutils bind9-host knot-dnsutils ldnsutils busybox musl-tools libc-ares-dev"
  # So that machines of ordinary users have more users than root: nginx and PostgreSQL want to be another one.
  packages="$packages uidmap"
  # Those of tests/system/test_tls.py, test_http2.py and test_real_peers.py.
  packages="$packages nghttp2-client openssl postgresql-client python3-httpx python3-h2 python3-grpcio python3-websockets node-ws"
fi

missing=""
for package in $packages; do
  case "$package" in
    # A program that was installed by other means serves as well.
    nodejs) command -v node >/dev/null 2>&1 && continue ;;
    cmake) command -v cmake >/dev/null 2>&1 && continue ;;
  esac
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "Installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
# The servers of catalog.small (nginx, redis, ...): what installs them sees to it that none of them is started here.
if [ $# -eq 0 ] && [ "$preset" != fuzz ]; then
  tests/catalog/install.sh --small
  tests/catalog/install.sh --debian erlang-base
fi

cmake --preset "$preset" >/dev/null
if [ $# -gt 0 ]; then
  cmake --build --preset "$preset" --target "$@"
else
  cmake --build --preset "$preset"
fi
