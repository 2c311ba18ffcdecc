module e2e/programs/kubectl-sigstore
go 1.21
require github.com/sigstore/k8s-manifest-sigstore v0.5.4
