// pki DIR [CT-TREE-ID]: makes the keys and certificates of a private Sigstore
// once (existing files are kept), and ct_server's configuration for a tree id.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var dir string

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func write(name, typ string, ders ...[]byte) {
	var b []byte
	for _, d := range ders {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: d})...)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		log.Fatal(err)
	}
}

func save(name string, k crypto.Signer) crypto.Signer {
	write(name+".key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k)))
	write(name+".pub", "PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.Public())))
	return k
}

func p256() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func tmpl(cn string, ca bool, path int, ekus ...x509.ExtKeyUsage) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:      pkix.Name{Organization: []string{"e2e.test"}, CommonName: cn},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: ekus, BasicConstraintsValid: true,
	}
	if ca {
		t.IsCA, t.MaxPathLen, t.MaxPathLenZero = true, path, path == 0
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	return t
}

func issue(t, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, parent, pub, by))))
}

func main() {
	dir = os.Args[1]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "done")); err != nil {
		make1()
		write("done", "DONE")
	}
	if len(os.Args) > 2 {
		ctConfig(os.Args[2])
	}
}

func make1() {
	// Fulcio: root, and an intermediate limited to code signing.
	rk, ik := p256(), save("fulcio-int", p256())
	rt := tmpl("e2e fulcio root", true, 1)
	root := issue(rt, rt, rk.Public(), rk)
	in := issue(tmpl("e2e fulcio intermediate", true, 0, x509.ExtKeyUsageCodeSigning), root, ik.Public(), rk)
	write("fulcio-chain.pem", "CERTIFICATE", in.Raw, root.Raw)
	write("fulcio-root.pem", "CERTIFICATE", root.Raw)

	// Timestamp authority: leaf with a critical time-stamping EKU.
	trk, tk := p256(), save("tsa", p256())
	trt := tmpl("e2e tsa root", true, 0)
	troot := issue(trt, trt, trk.Public(), trk)
	lt := tmpl("e2e tsa", false, 0)
	lt.ExtraExtensions = []pkix.Extension{{
		Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
		Value: must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})),
	}}
	leaf := issue(lt, troot, tk.Public(), trk)
	write("tsa-chain.pem", "CERTIFICATE", leaf.Raw, troot.Raw)

	_, ek, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	save("rekor2", ek)
	save("rekor1", p256())
	save("ct", p256())
	save("oidc", must(rsa.GenerateKey(rand.Reader, 2048)))
}

func ctConfig(tree string) {
	p, _ := pem.Decode(must(os.ReadFile(filepath.Join(dir, "ct.key"))))
	var esc strings.Builder
	for _, c := range p.Bytes {
		fmt.Fprintf(&esc, "\\x%02x", c)
	}
	s := fmt.Sprintf(`config {
  log_id: %s
  prefix: "ct"
  roots_pem_file: %q
  private_key: { [type.googleapis.com/keyspb.PrivateKey] { der: "%s" } }
  ext_key_usages: "CodeSigning"
}
`, tree, filepath.Join(dir, "fulcio-root.pem"), esc.String())
	if err := os.WriteFile(filepath.Join(dir, "ct_server.cfg"), []byte(s), 0o600); err != nil {
		log.Fatal(err)
	}
}
