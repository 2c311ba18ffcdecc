module e2e/programs/ct-log

go 1.26.0

require github.com/google/certificate-transparency-go v1.3.3
