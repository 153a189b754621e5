#!/bin/sh
# Installs what is missing, builds, and runs the tests through ctest: tests/run.sh [PART...]
#
#   unit     the unit tests of a release build
#   system   the release build, driven as a user would
#   asan     both but the catalog with AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan     both with ThreadSanitizer
#   fuzz     every fuzz target for ten seconds, from its corpus; those of the DNS for thirty
#   fuzz-dns the DNS's fuzz targets only: a minute in all
#   bench    the benchmarks of the release build
#   catalog  the bind report of real servers (tests/catalog) against real connects; installs some eighty of them, and takes long
#
# Without a PART: unit, system, asan and fuzz-dns, which is what CI runs. The exit code is 1 if any part failed, 2 if a PART does not exist.
set -u
cd "$(dirname "$0")/.." || exit

[ $# -gt 0 ] || set -- unit system asan fuzz-dns
for part in "$@"; do
  case "$part" in
    unit | system | asan | tsan | fuzz | fuzz-dns | bench | catalog) ;;
    *)
      echo "there is no part $part; these exist: unit system asan tsan fuzz fuzz-dns bench catalog" >&2
      exit 2
      ;;
  esac
done

# A machine that is there for testing has to be able to run sandboxes: what cannot run is no skipped test then.
if [ "${CI:-}" = true ]; then
  FLYLOCAL_NETNS_MUST_WORK=1
  export FLYLOCAL_NETNS_MUST_WORK
fi
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# tests PRESET LABELS [OPTION...]: a part that finds no test has failed.
tests() {
  preset=$1
  labels=$2
  shift 2
  $wrapper ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -L "^($labels)\$" "$@"
}

# The sanitizers' run-time libraries are only recommended by Debian's clang.
build_fuzz() { FLYLOCAL_EXTRA_PACKAGES="libclang-rt-14-dev llvm ${FLYLOCAL_EXTRA_PACKAGES:-}" tests/build.sh fuzz "$@"; }

run() {
  wrapper=
  case "$1" in
    unit) tests/build.sh release && tests release unit ;;
    system) tests/build.sh release && tests release system ;;
    # What real servers do is no matter of memory: the release build has been held to it.
    asan) tests/build.sh asan && tests asan 'unit|system' -E '^catalog' ;;
    tsan)
      # Its fixed layout of memory and a kernel that randomizes addresses by more than 28 bits exclude each other.
      if setarch -R true 2>/dev/null; then wrapper='setarch -R'; fi
      tests/build.sh tsan && tests tsan 'unit|system'
      ;;
    fuzz) build_fuzz && tests fuzz fuzz ;;
    fuzz-dns) build_fuzz fuzz_dns_query fuzz_dns_record_text fuzz_dns_relay && tests fuzz fuzz -R '^fuzz\.dns\.' -j 2 ;;
    bench)
      # The peers of its comparisons, of which unbound is a service.
      tests/catalog/install.sh --debian dnsperf dnsmasq-base unbound nginx-light haproxy wrk nghttp2-client nghttp2-proxy
      tests/build.sh release && tests release bench --verbose
      ;;
    catalog) tests/build.sh release && tests/catalog/install.sh && PYTHONDONTWRITEBYTECODE=1 python3 tests/catalog/catalog.py ;;
  esac
}

failed=
for part in "$@"; do
  printf '\n===== %s =====\n' "$part"
  run "$part" || failed="$failed $part"
done
if [ -n "$failed" ]; then
  printf '\nFailed:%s (of: %s)\n' "$failed" "$*"
  exit 1
fi
printf '\nPassed: %s\n' "$*"
