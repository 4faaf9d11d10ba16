#!/usr/bin/env bash
# Builds etcd, kube-apiserver and kube-controller-manager from the Go module proxy; prints the folder with the three.
# Idempotent: one folder per hash of what decides the result. About 6 minutes on two cores and 4 GB of build cache the
# first time (the cache, controlplane-go, may be deleted afterwards), 0.1 s from then on, for every clone on the machine.
#   CONTROLPLANE_CACHE  cache folder   (default ${XDG_CACHE_HOME:-~/.cache}/llmd-autoscaler)
#   CONTROLPLANE_JOBS   go build -p N  (default: number of cores)
# --where prints the folder and builds nothing; exit status 3 without Go, 5 when nothing is built there yet.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CONTROLPLANE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/llmd-autoscaler}
jobs=${CONTROLPLANE_JOBS:-$(nproc)}

version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v1\./ { print $2; exit }
               $1 == "require" && $2 == "k8s.io/kubernetes" { print $3; exit }' "$here/go.mod")
[[ $version =~ ^v1\.[0-9]+\.[0-9]+ ]] || { echo "build.sh: no k8s.io/kubernetes version in go.mod" >&2; exit 4; }
minor=${version#v1.}; minor=${minor%%.*}
flags="-s -w"                             # without -X the server says v0.0.0-master and clients cannot parse it
for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags+=" -X $p.gitVersion=$version -X $p.gitMajor=1 -X $p.gitMinor=$minor -X $p.gitTreeState=clean"
  flags+=" -X $p.gitCommit=0000000000000000000000000000000000000000 -X $p.buildDate=2026-01-01T00:00:00Z"
done

# The toolchain is no part of the key: a machine that has the binaries needs no Go.
key=$(cat "$here/go.mod" "$here/go.sum" <(echo "$flags") | sha256sum | cut -c1-16)
out=$cache/controlplane-$key
is_built() { [[ -x $out/etcd && -x $out/kube-apiserver && -x $out/kube-controller-manager ]]; }
if is_built; then echo "$out"; exit 0; fi
if [[ ${1:-} == --where ]]; then echo "$out"; exit 5; fi

command -v go >/dev/null || { echo "build.sh: no Go toolchain on PATH" >&2; exit 3; }
mkdir -p "$cache"
exec 9>"$cache/.controlplane.lock"
flock 9                                   # two test runs at once: the second waits, then finds the result
if is_built; then echo "$out"; exit 0; fi
work=$(mktemp -d "$cache/.controlplane.XXXXXX")
trap 'rm -rf "$work"' EXIT
start=$SECONDS
( cd "$here" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-mod=readonly -buildvcs=false -modcacherw" \
    GOCACHE="$cache/controlplane-go/build" GOMODCACHE="$cache/controlplane-go/mod" nice -n 10 \
    go build -trimpath -p "$jobs" -o "$work/" -ldflags "$flags" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager go.etcd.io/etcd/server/v3 )
mv "$work/server" "$work/etcd"            # the main package of etcd is the module root, so go names it "server"
chmod 755 "$work"
rm -rf "$out"; mv "$work" "$out"
trap - EXIT
echo "build.sh: built $version in $((SECONDS - start)) s, $(du -sm "$out" | cut -f1) MB" >&2
echo "$out"
