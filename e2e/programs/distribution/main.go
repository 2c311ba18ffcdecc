// The registry of the distribution project, as its own cmd/registry runs it, with one storage driver
// instead of all, memory, and one kind of logins, a password file. It answers no referrers API.
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

func main() {
	if registry.RootCmd.Execute() != nil {
		os.Exit(1)
	}
}
