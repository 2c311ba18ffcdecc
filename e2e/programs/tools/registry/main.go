// A loopback OCI registry (in memory) over go-containerregistry's, with the
// referrers API. That package puts each referrer's config media type where the
// distribution specification wants its artifactType, and knows no
// ?artifactType= filter; this corrects both unless -raw is given.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on; the log says which it is")
	referrers := flag.Bool("referrers", true, "serve the referrers API (false: clients fall back to sha256-... tags)")
	delay := flag.Duration("delay", 0, "time before each answer, as of a registry far away")
	raw := flag.Bool("raw", false, "leave the referrers answer as go-containerregistry makes it")
	flag.Parse()
	inner := registry.New(registry.WithReferrersSupport(*referrers), registry.Logger(log.New(os.Stderr, "", log.LstdFlags)))
	h := inner
	if *referrers && !*raw {
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i := strings.LastIndex(r.URL.Path, "/referrers/")
			if r.Method != http.MethodGet || i < 0 {
				inner.ServeHTTP(w, r)
				return
			}
			fixReferrers(inner, w, r, r.URL.Path[:i])
		})
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", l.Addr())
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(*delay)
		h.ServeHTTP(w, r)
	})))
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

func fixReferrers(inner http.Handler, w http.ResponseWriter, r *http.Request, repo string) {
	rec := get(inner, r.URL.Path)
	var idx map[string]any
	if rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), &idx) != nil {
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
		return
	}
	want := r.URL.Query().Get("artifactType")
	out := []any{}
	ms, _ := idx["manifests"].([]any)
	for _, m := range ms {
		d := m.(map[string]any)
		var man struct {
			ArtifactType string `json:"artifactType"`
			Config       struct {
				MediaType string `json:"mediaType"`
			} `json:"config"`
		}
		_ = json.Unmarshal(get(inner, repo+"/manifests/"+d["digest"].(string)).Body.Bytes(), &man)
		if man.ArtifactType == "" {
			man.ArtifactType = man.Config.MediaType
		}
		d["artifactType"] = man.ArtifactType
		if want == "" || want == man.ArtifactType {
			out = append(out, d)
		}
	}
	idx["manifests"] = out
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	if want != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	_ = json.NewEncoder(w).Encode(idx)
}
