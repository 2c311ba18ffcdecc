#!/usr/bin/env bash
# Makes the signed files of the examples anew, with fresh keys. Only needed when an example changes.
#   examples/make.sh            everything signed with keys
#   examples/make.sh keyless DIR   also the keyless example, by a real cosign against the private Sigstore
#                                  that runs in DIR (trusted_root.json, port, and a `cosign` on PATH)
set -euo pipefail
cd "$(dirname "$0")"
trust() { cargo run --quiet --manifest-path ../Cargo.toml --bin kubectl-trust -- "$@"; }
export COSIGN_PASSWORD=
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
indent() { sed 's/^/                /'; }
deployment() { # NAME NAMESPACE IMAGE REPLICAS
  cat <<X
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $1
  namespace: $2
spec:
  replicas: $4
  selector:
    matchLabels:
      app: $1
  template:
    metadata:
      labels:
        app: $1
    spec:
      containers:
      - name: $1
        image: $3
X
}

# --- allow-replicas
trust keygen --output-prefix "$work/release" > /dev/null
deployment web shop registry.example.com/shop/web:1.4.2 2 > "$work/web.yaml"
deployment api shop registry.example.com/shop/api:2.0.0 3 > "$work/api.yaml"
trust sign -f "$work/web.yaml" --key "$work/release.key" | sed 's/replicas: 2/replicas: 5/' > allow-replicas/good.yaml
{ trust sign -f "$work/api.yaml" --key "$work/release.key" | sed 's/api:2.0.0/api:2.0.1/'
  echo ---; deployment worker shop registry.example.com/shop/worker:1.0.0 1; } > allow-replicas/bad.yaml
cp "$work/release.pub" allow-replicas/release.pub
cat > allow-replicas/policy.yaml <<X
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: verify-manifest-integrity
spec:
  rules:
  - name: verify-deployment-allow-replicas
    match:
      any:
      - resources:
          kinds:
          - Deployment
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - entries:
          - keys:
              publicKeys: |-
$(indent < "$work/release.pub")
        ignoreFields:
        - objects:
          - kind: Deployment
          fields:
          - spec.replicas
X

# --- two-of-three
for who in build security release; do trust keygen --output-prefix "$work/$who" --force > /dev/null; done
sign_by() { # FILE SIGNER...
  file=$1; shift
  trust sign -f "$file" --key "$work/$1.key" --in-place 2> /dev/null; shift
  for who; do trust sign -f "$file" --key "$work/$who.key" --append --in-place 2> /dev/null; done
}
role() { # NAME VERB
  cat <<X
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: $1
rules:
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["$2"]
X
}
role backup get > two-of-three/good.yaml; sign_by two-of-three/good.yaml build security
role audit list > "$work/one.yaml"; sign_by "$work/one.yaml" release
role ops get > "$work/twice.yaml"; sign_by "$work/twice.yaml" build build
role debug get > "$work/widened.yaml"; sign_by "$work/widened.yaml" build release; sed -i 's/^  - get$/  - "*"/' "$work/widened.yaml"
{ cat "$work/one.yaml"; echo ---; cat "$work/twice.yaml"; echo ---; cat "$work/widened.yaml"; } > two-of-three/bad.yaml
{ cat <<X
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: roles-need-two-signers
spec:
  rules:
  - name: two-of-three
    match:
      any:
      - resources:
          kinds:
          - rbac.authorization.k8s.io/v1/ClusterRole
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - count: 2
          entries:
X
for who in build security release; do printf '          - keys:\n              publicKeys: |-\n'; indent < "$work/$who.pub"; done; } > two-of-three/policy.yaml

# --- gitops-folder
trust keygen --output-prefix "$work/gitops" > /dev/null
cat > gitops-folder/manifests/namespace.yaml <<X
apiVersion: v1
kind: Namespace
metadata:
  name: blog
X
deployment blog blog registry.example.com/blog/web:3.1.0 2 > gitops-folder/manifests/deployment.yaml
cat > gitops-folder/manifests/network.yaml <<X
apiVersion: v1
kind: Service
metadata:
  name: blog
  namespace: blog
spec:
  selector:
    app: blog
  ports:
  - port: 80
    targetPort: 8080
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: deny-all
  namespace: blog
spec:
  podSelector: {}
  ingress: []
X
trust sign -f gitops-folder/manifests --key "$work/gitops.key" --in-place 2> /dev/null
cp "$work/gitops.pub" gitops-folder/gitops.pub
# What somebody with write access to the repository might do: `[]` denies everything, `[{}]` allows it.
{ cat <<X
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-web
  namespace: blog
spec:
  podSelector: {}
  ingress: []
X
} > gitops-folder/bad.yaml
trust sign -f gitops-folder/bad.yaml --key "$work/gitops.key" --in-place 2> /dev/null
sed -i 's/ingress: \[\]/ingress: [{}]/' gitops-folder/bad.yaml
cat > gitops-folder/policy.yaml <<X
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: only-what-is-in-git
spec:
  rules:
  - name: signed-by-gitops
    match:
      any:
      - resources:
          kinds:
          - Namespace
          - Deployment
          - Service
          - NetworkPolicy
    exclude:
      any:
      - resources:
          namespaces:
          - kube-system
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - entries:
          - keys:
              publicKeys: |-
$(indent < "$work/gitops.pub")
X

# --- keyless-release
[ "${1:-}" = keyless ] || exit 0
sigstore=$2; port=$(cat "$sigstore/port"); issuer=http://127.0.0.1:$port
export HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1,localhost TUF_ROOT="$work/tuf" DOCKER_CONFIG="$work"
cp "$sigstore/trusted_root.json" keyless-release/trusted-root.json
keyless() { # FILE EMAIL: signs the message that `sign` would make, with an identity instead of a key
  trust sign -f "$1" --key "$work/release.key" -o "$work/signed.yaml" 2> /dev/null
  python3 - "$work/signed.yaml" "$work/message" <<'P'
import base64, gzip, re, sys
text = open(sys.argv[1]).read()
open(sys.argv[2], "wb").write(gzip.decompress(base64.b64decode(re.search(r"sigstore\.dev/message: (\S+)", text)[1])))
P
  token=$(curl -sf --noproxy '*' "$issuer/token?email=$2")
  cosign sign-blob --yes --identity-token="$token" --fulcio-url="http://127.0.0.1:$((port + 10))" --rekor-url="http://127.0.0.1:$((port + 40))" \
    --new-bundle-format=false --use-signing-config=false --trusted-root="$sigstore/trusted_root.json" --bundle="$work/bundle.json" "$work/message" > /dev/null
  python3 - "$work/signed.yaml" "$work/bundle.json" "$1" <<'P'
import base64, gzip, json, re, sys
text, bundle = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))
pack = lambda data: base64.b64encode(gzip.compress(data, mtime=0)).decode()
entry = bundle["rekorBundle"]
lines = {
    "bundle": pack(json.dumps(entry, separators=(",", ":")).encode()),
    "certificate": pack(base64.b64decode(bundle["cert"])),
}
annotations = "".join(f"    cosign.sigstore.dev/{name}: {value}\n" for name, value in lines.items())
text = re.sub(r"(sigstore\.dev/signature: )\S+", lambda m: m[1] + bundle["base64Signature"], text)
open(sys.argv[3], "w").write(text.replace("  annotations:\n", "  annotations:\n" + annotations, 1))
P
}
config() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: release\ndata:\n  version: "%s"\n' "$1" "$2"; }
config stable 4.2.0 > keyless-release/good.yaml; keyless keyless-release/good.yaml release@example.com
config nightly 4.3.0-dev > "$work/other.yaml"; keyless "$work/other.yaml" intern@example.com
config edge 4.2.1 > "$work/edge.yaml"; keyless "$work/edge.yaml" release@example.com; sed -i 's/4.2.1/4.2.2/' "$work/edge.yaml"
{ cat "$work/other.yaml"; echo ---; cat "$work/edge.yaml"; } > keyless-release/bad.yaml
# --- private-sigstore: the same manifests, and the root as an object
cp keyless-release/good.yaml keyless-release/bad.yaml private-sigstore/
python3 - keyless-release/trusted-root.json > private-sigstore/trust-root.yaml <<'P'
import json, sys
def block(value, indent):
    pad, lines = " " * indent, []
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and inner:
                lines += [f"{pad}{key}:"] + block(inner, indent + (0 if isinstance(inner, list) else 2))
            else:
                lines.append(f"{pad}{key}: {json.dumps(inner)}")
    else:
        for inner in value:
            first, *rest = block(inner, indent + 2)
            lines += [f"{pad}- {first.lstrip()}"] + rest
    return lines
print("apiVersion: kubectl-trust.io/v1alpha1\nkind: TrustRoot\nmetadata:\n  name: release-sigstore\nspec:\n  trustedRoot:")
print("\n".join(block(json.load(open(sys.argv[1])), 4)))
P
sed -i "s|issuer: .*|issuer: $issuer|" private-sigstore/policy.yaml
cat > keyless-release/policy.yaml <<X
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: released-by-release-team
spec:
  rules:
  - name: signed-by-identity
    match:
      any:
      - resources:
          kinds:
          - ConfigMap
          namespaces:
          - release
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - entries:
          - keyless:
              subject: release@example.com
              issuer: $issuer
X
