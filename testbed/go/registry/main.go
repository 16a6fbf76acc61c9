// registry is an OCI registry on one address, for charts pushed and pulled by
// tests. With -users, only who is named in that file (lines of user:password)
// is let in. Names of what was pushed are kept in memory.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func readUsers(path string) (map[string][32]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	users := map[string][32]byte{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, password, found := strings.Cut(lines.Text(), ":")
		if !found || name == "" {
			return nil, fmt.Errorf("%s: every line must be user:password", path)
		}
		users[name] = sha256.Sum256([]byte(password))
	}
	return users, lines.Err()
}

// onlyUsers lets requests through that carry the password of one of the users.
func onlyUsers(users map[string][32]byte, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		wanted, known := users[name]
		given := sha256.Sum256([]byte(password))
		if !known || subtle.ConstantTimeCompare(given[:], wanted[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="testbed registry"`)
			w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:15000", "address to listen on")
	root := flag.String("root", "", "folder of the blobs; they are kept in memory without it")
	usersFile := flag.String("users", "", "file of user:password lines; everybody is let in without it")
	flag.Parse()
	blobs := registry.NewInMemoryBlobHandler()
	if *root != "" {
		if err := os.MkdirAll(*root, 0o755); err != nil {
			return err
		}
		blobs = registry.NewDiskBlobHandler(*root)
	}
	var handler http.Handler = registry.New(registry.WithBlobHandler(blobs))
	if *usersFile != "" {
		users, err := readUsers(*usersFile)
		if err != nil {
			return err
		}
		handler = onlyUsers(users, handler)
	}
	server := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}
