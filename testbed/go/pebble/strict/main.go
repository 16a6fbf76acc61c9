// strict stands before an ACME server and refuses what a public authority
// would refuse, in the words of Let's Encrypt's: new orders for names below
// one domain have reached their limit, and names below another are forbidden
// by their CAA record, which is found when they are validated.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// untilFree is how long a limit holds: 5 certificates a week for the same
// names are one in 34 hours.
const untilFree = 34 * time.Hour

type identifier struct {
	Value string `json:"value"`
}

type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Status int    `json:"status"`
}

func isBelow(name, domain string) bool {
	return strings.HasSuffix(strings.TrimPrefix(name, "*."), "."+domain)
}

// ordered is which names a request orders a certificate for; its signature is
// not ours to check.
func ordered(body []byte) []identifier {
	var signed struct{ Payload string }
	if json.Unmarshal(body, &signed) != nil {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err != nil {
		return nil
	}
	var order struct{ Identifiers []identifier }
	if json.Unmarshal(payload, &order) != nil {
		return nil
	}
	return order.Identifiers
}

// limit answers orders for names below a domain; everything else goes on.
func limit(domain string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, name := range ordered(body) {
			if !isBelow(name.Value, domain) {
				continue
			}
			free := time.Now().Add(untilFree).UTC().Format("2006-01-02 15:04:05 MST")
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", strconv.Itoa(int(untilFree.Seconds())))
			w.WriteHeader(http.StatusTooManyRequests)
			_ = json.NewEncoder(w).Encode(problem{
				Type: "urn:ietf:params:acme:error:rateLimited",
				Detail: "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after " + free +
					": see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers",
				Status: http.StatusTooManyRequests,
			})
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// forbid turns what was validated for names below a domain into what it is
// when their CAA record names another authority.
func forbid(domain string, answer map[string]any) bool {
	names, _ := answer["identifiers"].([]any)
	if one, found := answer["identifier"]; found {
		names = append(names, one)
	}
	for _, name := range names {
		fields, _ := name.(map[string]any)
		value, _ := fields["value"].(string)
		status, _ := answer["status"].(string)
		if !isBelow(value, domain) || status == "pending" || status == "invalid" {
			continue
		}
		answer["status"] = "invalid"
		challenges, _ := answer["challenges"].([]any)
		for _, challenge := range challenges {
			if fields, is := challenge.(map[string]any); is {
				fields["status"] = "invalid"
				fields["error"] = problem{
					Type:   "urn:ietf:params:acme:error:caa",
					Detail: "While processing CAA for " + value + ": CAA record for " + value + " prevents issuance",
					Status: http.StatusForbidden,
				}
			}
		}
		return true
	}
	return false
}

func forbidding(domain string) func(*http.Response) error {
	return func(response *http.Response) error {
		if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
			return nil
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		var answer map[string]any
		if json.Unmarshal(body, &answer) == nil && forbid(domain, answer) {
			if body, err = json.Marshal(answer); err != nil {
				return err
			}
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		response.ContentLength = int64(len(body))
		response.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
}

func run() error {
	listen := flag.String("listen", "", "address to listen on")
	server := flag.String("server", "", "URL of the ACME server, without a path")
	authority := flag.String("authority", "", "file of the authority by which that is trusted")
	certificate := flag.String("certificate", "", "file of the certificate to show")
	key := flag.String("key", "", "file of its key")
	limited := flag.String("limited", "", "domain below which orders have reached their limit")
	caa := flag.String("caa", "", "domain below which CAA records forbid certificates")
	flag.Parse()
	target, err := url.Parse(*server)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(*authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", *authority)
	}
	proxy := &httputil.ReverseProxy{
		// The Host stays: the server makes its URLs of it, and clients sign them.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport:      &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		ModifyResponse: forbidding(*caa),
	}
	front := &http.Server{Addr: *listen, Handler: limit(*limited, proxy), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = front.Close()
	}()
	if err := front.ListenAndServeTLS(*certificate, *key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "strict:", err)
		os.Exit(1)
	}
}
