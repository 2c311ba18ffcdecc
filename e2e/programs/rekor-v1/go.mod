module e2e/programs/rekor-v1

go 1.26.0

require github.com/sigstore/rekor v1.5.3
