// The timestamp authority's own server without its metrics, which listen on one fixed port of every
// address: a second test run on a machine could not start.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

func main() {
	port := flag.Int("port", 0, "port of 127.0.0.1 to listen on")
	key := flag.String("key", "", "PKCS#8 PEM of the signing key")
	chain := flag.String("chain", "", "PEM of its certificate and the authorities above it")
	flag.Parse()
	// As the program's own flags would set them.
	for name, value := range map[string]any{
		"timestamp-signer":         "file",
		"timestamp-signer-hash":    "sha256",
		"file-signer-key-path":     *key,
		"certificate-chain-path":   *chain,
		"enforce-intermediate-eku": true,
		"max-request-body-size":    1 << 20,
		"default-policy-oid":       "1.3.6.1.4.1.57264.2",
		"accepted-policy-oids":     []string{"1.3.6.1.4.1.57264.2"},
	} {
		viper.Set(name, value)
	}
	log.Fatal(server.NewRestAPIServer("127.0.0.1", *port, []string{"http"}, false, 30*time.Second, 30*time.Second).Serve())
}
