#!/bin/sh
# Installs what the catalogue's servers need and is missing: tests/catalog/install.sh [--small] [--only ID...]
# or these packages of Debian's, for other tests that need servers: tests/catalog/install.sh --debian PACKAGE...
# Debian's packages into the system (with sudo where this is not root), npm's into build/catalog. No service of theirs is
# started, now or at the next boot. Says what could not be installed; catalog.py leaves out what needs it.
set -eu
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --debian ]; then
  shift
  list=$(printf 'debian %s\n' "$@")
else
  list=$(PYTHONDONTWRITEBYTECODE=1 python3 tests/catalog/catalog.py --packages "$@")
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
if [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; then sudo=none; fi

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

# ---- Debian ----
missing=""
for package in $(echo "$list" | sed -n 's/^debian //p'); do
  # A Node.js that was installed by other means serves as well.
  if [ "$package" = nodejs ] && command -v node >/dev/null 2>&1; then continue; fi
  installed "$package" || missing="$missing $package"
done

policy=/usr/sbin/policy-rc.d
saved=""
restore_policy() {
  if [ -n "$saved" ]; then $sudo mv -f "$saved" "$policy"; else $sudo rm -f "$policy"; fi
  trap - EXIT
}

if [ -n "$missing" ] && [ "$sudo" = none ]; then
  echo "NOT INSTALLED: this is not root and there is no sudo, so none of$missing"
elif [ -n "$missing" ]; then
  echo "Installing:$missing"
  # invoke-rc.d asks this program before it starts anything; 101 is "no".
  if [ -e "$policy" ]; then
    saved=$policy.flylocal-catalog
    $sudo mv -f "$policy" "$saved"
  fi
  trap restore_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  printf '#!/bin/sh\nexit 101\n' | $sudo sh -c "umask 022; cat >$policy; chmod 755 $policy"

  before=$(mktemp)
  dpkg-query -W -f '${Package}\n' | sort >"$before"
  apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600"
  $apt update -qq || echo "apt-get update failed; going on with the lists that are there"
  # All at once if that goes; if one package cannot be had, each for itself, so that the others are.
  # shellcheck disable=SC2086
  if ! $apt install -y -qq --no-install-recommends $missing >/dev/null; then
    for package in $missing; do
      $apt install -y -qq --no-install-recommends "$package" >/dev/null || echo "NOT INSTALLED: Debian package $package"
    done
  fi
  restore_policy

  # Packages enable their units for the next boot; these are here to be run by hand.
  if command -v systemctl >/dev/null 2>&1; then
    for package in $(dpkg-query -W -f '${Package}\n' | sort | comm -13 "$before" -); do
      for unit in $(dpkg -L "$package" | sed -n 's|^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|timer\|socket\)\)$|\2|p'); do
        $sudo systemctl disable --quiet "$unit" >/dev/null 2>&1 || true
      done
    done
  fi
  rm -f "$before"
fi

# ---- npm ----
missing=""
for package in $(echo "$list" | sed -n 's/^npm //p'); do
  [ -e "build/catalog/node_modules/${package%@*}/package.json" ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if command -v npm >/dev/null 2>&1; then
    echo "Installing from npm:$missing"
    mkdir -p build/catalog
    [ -e build/catalog/package.json ] || echo '{"private": true}' >build/catalog/package.json
    # No package's own scripts are run.
    install_from_npm() { (cd build/catalog && npm install --ignore-scripts --no-fund --no-audit --loglevel=error "$@"); }
    # shellcheck disable=SC2086
    if ! install_from_npm $missing >/dev/null; then
      for package in $missing; do install_from_npm "$package" >/dev/null || echo "NOT INSTALLED: npm package $package"; done
    fi
  else
    echo "NOT INSTALLED: there is no npm, so none of$missing"
  fi
fi
