#!/usr/bin/env bash
# Makes the images of the examples anew, with fresh keys, in a local registry, signed by a real cosign.
#   examples/make-images.sh REGISTRY SIGSTORE
# REGISTRY is 127.0.0.1:PORT; SIGSTORE the folder of a private Sigstore (trusted_root.json, signing_config.json,
# signing_config_rekor1.json); cosign 3 is on PATH. This brings all three:
#   cargo run -p e2e --example stack -- examples/make-images.sh
# Keys and trust roots go to the folders of the examples below $TO (default: this folder). Prints a line for each
# image: EXAMPLE NAME DIGEST. Times in predicates are fixed; a test that looks at one says what time it is.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
registry=$1 sigstore=$(cd "$2" && pwd) here=$(cd "$(dirname "$0")" && pwd)
to=${TO:-$here}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1,localhost
export TUF_ROOT="$work/tuf" DOCKER_CONFIG="$work" COSIGN_PASSWORD=
get() { curl -sSf --noproxy '*' "$@"; }
config() { # KIND [FILE]: the first URL of that kind
  tr -d ' \n' < "$sigstore/${2:-signing_config.json}" | sed -n "s/.*\"$1\":\[{\"url\":\"\([^\"]*\)\".*/\1/p"
}
issuer=$(config oidcUrls)
cd "$work"

# --- images
blob() { # REPOSITORY FILE: pushes it; prints its descriptor without the media type
  digest=sha256:$(sha256sum < "$2" | cut -d' ' -f1)
  location=$(get -X POST -o /dev/null -D - "http://$registry/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  case $location in /*) location=http://$registry$location;; esac
  case $location in *\?*) location="$location&digest=$digest";; *) location="$location?digest=$digest";; esac
  get -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" -o /dev/null "$location"
  printf '"digest":"%s","size":%s' "$digest" "$(wc -c < "$2" | tr -d ' ')"
}
image() { # EXAMPLE NAME: pushes an image with one small file, the same bytes each time; sets $ref to its digest reference
  repository=${2%:*}; type=application/vnd.oci.image
  mkdir -p root; echo "$2" > root/name
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -C root -cf layer.tar name
  gzip -n < layer.tar > layer.tar.gz
  printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum < layer.tar | cut -d' ' -f1)" > config.json
  layer=$(blob "$repository" layer.tar.gz); configuration=$(blob "$repository" config.json)
  printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip",%s}]}' \
    "$type" "$type" "$configuration" "$type" "$layer" > manifest.json
  get -X PUT -H "Content-Type: $type.manifest.v1+json" --data-binary @manifest.json -o /dev/null "http://$registry/v2/$repository/manifests/${2##*:}"
  digest=sha256:$(sha256sum < manifest.json | cut -d' ' -f1)
  ref=$registry/$repository@$digest
  echo "$1 $2 $digest" | tee -a images
}

# --- signers
quietly() { "$@" > log 2>&1 || { cat log >&2; echo "failed: $1 $2" >&2; exit 1; }; }
email() { get "$issuer/token?email=$1"; }
workflow() { # OWNER/REPOSITORY REF: the token of its release workflow
  get -X POST -d "{\"sub\": \"repo:$1:ref:$2\", \"repository\": \"$1\", \"ref\": \"$2\", \"job_workflow_ref\": \"$1/.github/workflows/release.yaml@$2\",
    \"workflow\": \"release\", \"event_name\": \"push\", \"sha\": \"9f2c1d5e8a7b40c3d6e1f0a2b3c4d5e6f7a8b9c0\", \"runner_environment\": \"github-hosted\"}" "$issuer/github/token"
}
key() { quietly cosign generate-key-pair --output-key-prefix "$1"; } # NAME
# The tag `sha256-….sig`, as cosign 1 and 2 wrote it.
legacy=(--yes --new-bundle-format=false --use-signing-config=false)
by_identity=("${legacy[@]}" --trusted-root="$sigstore/trusted_root.json" --fulcio-url="$(config caUrls)" --rekor-url="$(config rekorTlogUrls signing_config_rekor1.json)")
# A bundle as referrer, as cosign 3 writes it.
bundle=(--yes --trusted-root="$sigstore/trusted_root.json" --signing-config="$sigstore/signing_config.json")
rm -rf "$to"/{check-image,control-plane-identities,provenance-required,scan-required}/images
give() { mkdir -p "$to/$1"; cp "$2" "$to/$1/$3"; } # EXAMPLE FILE NAME

# --- check-image: one key, no log
key release; give check-image release.pub cosign.pub
image check-image docker.io/314315960/nginx-demo:signed
quietly cosign sign "${legacy[@]}" --tlog-upload=false --key release.key "$ref"
image check-image docker.io/314315960/nginx-demo:unsigned
key stranger
image check-image docker.io/314315960/nginx-demo:signed-by-other
quietly cosign sign "${legacy[@]}" --tlog-upload=false --key stranger.key "$ref"

# --- control-plane-identities: who may sign differs by image
krel=krel-trust@k8s-releng-prod.iam.gserviceaccount.com
promoter=k8s-infra-gcr-promoter@k8s-artifacts-prod.iam.gserviceaccount.com
give control-plane-identities "$sigstore/trusted_root.json" trusted-root.json
signed_by() { # EMAIL NAME
  image control-plane-identities "registry.k8s.io/$2"
  quietly cosign sign "${by_identity[@]}" --identity-token="$(email "$1")" "$ref"
}
signed_by $krel kube-apiserver:v1.30.0
signed_by $krel kube-scheduler:v1.30.0
signed_by $promoter etcd:3.5.12-0
signed_by $promoter kube-controller-manager:v1.30.0   # a good signature by the wrong one of the two
image control-plane-identities registry.k8s.io/kube-proxy:v1.30.0   # by nobody

# --- provenance-required: SLSA provenance by the release workflow; a signature is not enough
give provenance-required "$sigstore/trusted_root.json" trusted-root.json
provenance() { # OWNER/REPOSITORY REF
  cat <<P
{"buildDefinition": {
   "buildType": "https://actions.github.io/buildtypes/workflow/v1",
   "externalParameters": {"workflow": {"ref": "$2", "repository": "https://github.com/$1", "path": ".github/workflows/release.yaml"}},
   "internalParameters": {"github": {"event_name": "push", "runner_environment": "github-hosted"}},
   "resolvedDependencies": [{"uri": "git+https://github.com/$1@$2", "digest": {"gitCommit": "9f2c1d5e8a7b40c3d6e1f0a2b3c4d5e6f7a8b9c0"}}]},
 "runDetails": {
   "builder": {"id": "https://github.com/$1/.github/workflows/release.yaml@$2"},
   "metadata": {"invocationId": "https://github.com/$1/actions/runs/1/attempts/1"}}}
P
}
attested_by() { # OWNER/REPOSITORY REF
  provenance "$1" "$2" > provenance.json
  quietly cosign attest "${bundle[@]}" --identity-token="$(workflow "$1" "$2")" --type slsaprovenance1 --predicate provenance.json "$ref"
}
image provenance-required ghcr.io/example/app:1.0.0
attested_by example/app refs/tags/v1.0.0
image provenance-required ghcr.io/example/app:signed-only
quietly cosign sign "${bundle[@]}" --identity-token="$(workflow example/app refs/tags/v1.0.0)" "$ref"
image provenance-required ghcr.io/example/app:from-a-fork
attested_by mallory/app refs/tags/v1.0.0

# --- scan-required: a scan not older than a week, without critical findings that could be fixed
key scanner; give scan-required scanner.pub scanner.pub; give scan-required "$sigstore/trusted_root.json" trusted-root.json
scan() { # FINISHED FINDINGS
  cat <<P
{"invocation": {"parameters": null, "uri": "https://ci.example.com/scans/1", "event_id": "1", "builder.id": "https://ci.example.com"},
 "scanner": {"uri": "pkg:github/aquasecurity/trivy@0.58.0", "version": "0.58.0",
   "db": {"uri": "ghcr.io/aquasecurity/trivy-db", "version": "2", "lastUpdate": "$1"},
   "result": {"SchemaVersion": 2, "Results": [{"Target": "debian 12", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [$2]}]}},
 "metadata": {"scanStartedOn": "$1", "scanFinishedOn": "$1"}}
P
}
low='{"VulnerabilityID": "CVE-2026-0001", "PkgName": "bash", "InstalledVersion": "5.2-1", "Severity": "LOW"}'
critical='{"VulnerabilityID": "CVE-2026-0002", "PkgName": "openssl", "InstalledVersion": "3.0.11-1", "FixedVersion": "3.0.15-1", "Severity": "CRITICAL"}'
scanned() { # TAG FINISHED FINDINGS
  image scan-required "registry.example.com/shop/web:$1"
  scan "$2" "$3" > scan.json
  quietly cosign attest "${bundle[@]}" --key scanner.key --type vuln --predicate scan.json "$ref"
}
scanned fresh 2026-11-20T08:00:00Z "$low"
scanned critical 2026-11-20T08:00:00Z "$low, $critical"
scanned old 2026-10-01T08:00:00Z "$low"

# --- the policies name the keys and the issuer of this run
put_key() { # EXAMPLE FILE: in place of the key that the policy has
  awk -v file="$2" '
    /-----BEGIN PUBLIC KEY-----/ { match($0, /^ */); indent = substr($0, 1, RLENGTH); while ((getline line < file) > 0) print indent line; skip = 1 }
    !skip { print }
    /-----END PUBLIC KEY-----/ { skip = 0 }' "$here/$1/policy.yaml" > policy.yaml
  cp policy.yaml "$here/$1/policy.yaml"
}
if [ -z "${TO:-}" ]; then
  put_key check-image release.pub; put_key scan-required scanner.pub
  for example in control-plane-identities provenance-required; do
    sed -i "s#issuer: http://127.0.0.1:[0-9]*#issuer: $issuer#" "$here/$example/policy.yaml"
  done
fi

# --- the layouts that `trust test` reads where there is no registry; not while somebody only tries the images
record_all() {
  while read -r example name _; do
    cargo run --quiet --manifest-path "$here/../Cargo.toml" --bin kubectl-trust -- \
      record "$registry/$name" --to "$to/$example/images" --as "$name" >&2
  done < images
}
[ -n "${TO:-}" ] || record_all
