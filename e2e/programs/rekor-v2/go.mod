module e2e/programs/rekor-v2

go 1.26.0

require github.com/sigstore/rekor-tiles/v2 v2.3.0
