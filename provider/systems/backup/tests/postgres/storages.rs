//! Other storages than a folder. Behind each protocol is a stand-in for the real service: rclone's own servers for SFTP and
//! WebDAV, Azurite for Azure Blob Storage, gcp-storage-emulator for Google Cloud Storage.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ffe_backup::scripts::{list_remote, restore_remote, take_remote};

use crate::cases::{Case, assert_same};
use crate::world::{OBJECTS, SPOIL, Store, World};

pub(crate) const SFTP: (&str, Case) = ("sftp", sftp);
pub(crate) const WEBDAV: (&str, Case) = ("webdav", webdav);
pub(crate) const AZURE_BLOB_STORAGE: (&str, Case) = ("azure_blob_storage", azure_blob_storage);
pub(crate) const GOOGLE_CLOUD_STORAGE: (&str, Case) = ("google_cloud_storage", google_cloud_storage);

const RCLONE: &str = "/usr/bin/rclone";
const PASSWORD: &str = "canary-p@ss w0rd";

/// A server that ends with the case.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(program: &str, arguments: impl Fn(u16) -> Vec<String>) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(arguments(port))
            .env("RCLONE_CONFIG", "")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Server { child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if server.child.try_wait().unwrap().is_some() {
                let mut said = String::new();
                server.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("{program} has ended: {said}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // What it says from here on is not read, and must not stop it.
        let mut said = server.child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ran(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("RCLONE_CONFIG", "").output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// As rclone wants passwords.
fn obscured(password: &str) -> String {
    ran(RCLONE, &["obscure", password]).trim().to_owned()
}

/// Names of the backups that are there.
fn listed(world: &World<'_>, store: &Store) -> Vec<String> {
    let end = world.beside("boss", &list_remote(), &[], store);
    let names = end.succeeded().log.lines().filter_map(|line| line.strip_prefix("backup {\"name\":\""));
    names.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// Takes, lists, restores, takes once more and removes what is too old then.
fn comes_back(world: &World<'_>, store: &Store) {
    world.create("boss", "");
    world.boss(OBJECTS);
    let before = world.content();
    assert_eq!(listed(world, store), [""; 0]);
    let taken = world.beside("boss", &take_remote(), &[], store);
    assert!(taken.succeeded().told["backup"]["size_bytes"].as_u64().unwrap() > 1000, "{}", taken.told);
    assert_eq!(taken.text("warning"), "");
    assert_eq!(listed(world, store), ["one"]);
    world.boss(SPOIL);
    world.beside("boss", &restore_remote(), &[], store).succeeded();
    assert_same(&world.content(), &before);
    world.beside("boss", &take_remote(), &[], store).failed_with(&["there is a backup of this name already"]);
    let two = world.beside("boss", &take_remote(), &[("FFE_BACKUP", "two"), ("FFE_RETENTION", "0")], store);
    assert_eq!(two.succeeded().told["pruned"], 1, "{}", two.log);
    assert_eq!(two.text("warning"), "", "{}", two.log);
    assert_eq!(listed(world, store), ["two"]);
}

fn sftp(world: &World<'_>) {
    let keys = world.folder("keys");
    let key = |name: &str| {
        let path = keys.join(name).display().to_string();
        ran("/usr/bin/ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path]);
        path
    };
    let (host, own) = (key("host"), key("own"));
    let served = world.folder("served").display().to_string();
    let authorized = format!("{own}.pub");
    let serve = |more: &[&str]| {
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        Server::start(RCLONE, |port| {
            let address = format!("127.0.0.1:{port}");
            let words = ["serve", "sftp", &served, "--addr", &address, "--key", &host].map(str::to_owned);
            [words.to_vec(), more.clone()].concat()
        })
    };
    let server = serve(&["--authorized-keys", &authorized]);
    let known = |port: u16| ran("/usr/bin/ssh-keyscan", &["-p", &port.to_string(), "127.0.0.1"]);
    let at = |port: u16| {
        let store = Store::new("sftp", "/my backups/production").option("host", "127.0.0.1");
        store.option("port", &port.to_string()).option("user", "backup")
    };
    let private = std::fs::read_to_string(&own).unwrap();
    assert!(private.lines().count() > 3);
    let by_key = at(server.port).secret("RCLONE_CONFIG_STORE_KEY_PEM", &private);
    // A server that cannot be told from others; the message says how to get what is missing.
    let refused = world.beside("boss", &list_remote(), &[], &by_key);
    refused.failed_with(&["host key cannot be checked", "ssh-keyscan -p PORT HOST", "known_hosts"]);
    let by_key = by_key.secret("known_hosts", &known(server.port));
    comes_back(world, &by_key);
    assert!(Path::new(&served).join("my backups/production/c0ffee/ffe/shop/two.dump").exists());
    // As a file instead of a variable.
    let by_file = at(server.port).secret("known_hosts", &known(server.port)).secret("id", &private);
    let settings = world.folder("settings").join("id").display().to_string();
    assert_eq!(listed(world, &by_file.option("key_file", &settings)), ["two"]);

    // Another server at the same address.
    let other = std::fs::read_to_string(key("other") + ".pub").unwrap();
    let swapped = by_key.clone().secret("known_hosts", &format!("[127.0.0.1]:{} {other}", server.port));
    let end = world.beside("boss", &take_remote(), &[("FFE_BACKUP", "three")], &swapped);
    end.failed_with(&["cannot be listed", "knownhosts: key mismatch"]);
    // Nobody checks where somebody says so.
    let unchecked = at(server.port).option("known_hosts_file", "").secret("RCLONE_CONFIG_STORE_KEY_PEM", &private);
    assert_eq!(listed(world, &unchecked), ["two"]);
    let stranger = std::fs::read_to_string(keys.join("other")).unwrap();
    let stranger = by_key.clone().secret("RCLONE_CONFIG_STORE_KEY_PEM", &stranger);
    world.beside("boss", &list_remote(), &[], &stranger).failed_with(&["unable to authenticate"]);
    let broken = by_key.secret("RCLONE_CONFIG_STORE_KEY_PEM", &private.replace("PRIVATE KEY-----", "PUBLIC KEY-----"));
    world.beside("boss", &list_remote(), &[], &broken).failed_with(&["cannot be listed"]);

    // By a password, which rclone wants obscured.
    let server = serve(&["--user", "backup", "--pass", PASSWORD]);
    let by_password = at(server.port).secret("known_hosts", &known(server.port));
    let pass = "RCLONE_CONFIG_STORE_PASS";
    assert_eq!(listed(world, &by_password.clone().secret(pass, &obscured(PASSWORD))), ["two"]);
    for (wrong, words) in [(PASSWORD.to_owned(), "obscured"), (obscured("canary-other"), "unable to authenticate")] {
        let end = world.beside("boss", &list_remote(), &[], &by_password.clone().secret(pass, &wrong));
        end.failed_with(&["cannot be listed", words]);
        assert!(!end.log.contains("canary"), "{}", end.log);
    }
}

fn webdav(world: &World<'_>) {
    let keys = world.folder("keys");
    let at = |name: &str| keys.join(name).display().to_string();
    let (key, certificate) = (at("key.pem"), at("certificate.pem"));
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stand-in"];
    let to = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &certificate];
    ran("/usr/bin/openssl", &[&make[..], &to].concat());
    let served = world.folder("served").display().to_string();
    let server = Server::start(RCLONE, |port| {
        let address = format!("127.0.0.1:{port}");
        [
            "serve",
            "webdav",
            &served,
            "--addr",
            &address,
            "--cert",
            &certificate,
            "--key",
            &key,
            "--user",
            "backup",
            "--pass",
            PASSWORD,
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let pass = "RCLONE_CONFIG_STORE_PASS";
    let url = format!("https://127.0.0.1:{}", server.port);
    let plain = Store::new("webdav", "files/me@example.com").option("url", &url).option("vendor", "other");
    let store = plain.clone().option("user", "backup").secret(pass, &obscured(PASSWORD));
    // An authority of its own, that nobody trusts but who has it in the Secret.
    let untrusted = world.beside("boss", &take_remote(), &[], &store);
    untrusted.failed_with(&["cannot be listed", "certificate signed by unknown authority"]);
    let authority = std::fs::read_to_string(&certificate).unwrap();
    let store = store.secret("ca.pem", &authority);
    comes_back(world, &store);
    let wrong = world.beside("boss", &list_remote(), &[], &store.clone().secret(pass, &obscured("canary-other")));
    wrong.failed_with(&["cannot be listed", "401"]);
    // All of it in a file of rclone's own.
    let file = format!("[store]\nurl = {url}\nvendor = other\nuser = backup\npass = {}\n", obscured(PASSWORD));
    let by_file =
        Store::new("webdav", "files/me@example.com").secret("rclone.conf", &file).secret("ca.pem", &authority);
    assert_eq!(listed(world, &by_file), ["two"]);
    // Behind a proxy that is not there.
    let proxied = store.secret("HTTPS_PROXY", "http://user:canary-proxy@127.0.0.1:1");
    let end = world.beside("boss", &list_remote(), &[], &proxied);
    // Go speaks to this machine itself without its proxy.
    assert!(!end.log.contains("canary-proxy"), "{}", end.log);
    let other = plain
        .without(pass)
        .option("url", "https://dav.example.invalid")
        .secret("HTTPS_PROXY", "http://user:canary-proxy@127.0.0.1:1");
    let end = world.beside("boss", &list_remote(), &[], &other);
    end.failed_with(&["cannot be listed", "proxyconnect"]);
    assert!(!end.log.contains("canary-proxy"), "{}", end.log);
}

/// The account that every Azurite has, and its key, which is no secret.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A signature that allows these things until then.
fn sas(permissions: &str, until: &str) -> String {
    let make = r#"
import base64, hashlib, hmac, sys, urllib.parse
account, key, permissions, until = sys.argv[1:]
fields = {"sv": "2020-08-04", "ss": "b", "srt": "sco", "sp": permissions, "se": until, "spr": "https,http"}
text = "\n".join([account, permissions, "b", "sco", "", until, "", "https,http", "2020-08-04", ""])
fields["sig"] = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
print(urllib.parse.urlencode(fields))
"#;
    ran("/usr/bin/python3", &["-c", make, ACCOUNT, KEY, permissions, until]).trim().to_owned()
}

fn azure_blob_storage(world: &World<'_>) {
    let azurite = format!("{}/node_modules/azurite/dist/src/blob/main.js", std::env::var("FFE_AZURITE").unwrap());
    let data = world.folder("served").display().to_string();
    let server = Server::start("/usr/bin/node", |port| {
        let port = port.to_string();
        [
            azurite.as_str(),
            "--silent",
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--location",
            &data,
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            &port,
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let endpoint = format!("http://127.0.0.1:{}/{ACCOUNT}", server.port);
    // The key itself cannot be tried: rclone looks for a stand-in at Azure's own address.
    let by_sas = |permissions: &str, until: &str| {
        let url = format!("{endpoint}?{}", sas(permissions, until));
        Store::new("azureblob", "backups/production").secret("RCLONE_CONFIG_STORE_SAS_URL", &url)
    };
    let whole = by_sas("rwdlac", "2099-01-01T00:00:00Z");
    // A container that is not there is not made, by an rclone that can be told so (1.61 and later).
    let account = format!(":azureblob,sas_url='{endpoint}?{}':", sas("rwdlac", "2099-01-01T00:00:00Z"));
    if ran(RCLONE, &["help", "flags"]).contains("azureblob-no-check-container") {
        world.create("boss", "");
        world.beside("boss", &take_remote(), &[], &whole).failed_with(&["ContainerNotFound"]);
        assert_eq!(ran(RCLONE, &["lsf", &account]), "");
        world.server.sql("postgres", "boss", &format!("DROP DATABASE {}", world.database));
    }
    ran(RCLONE, &["mkdir", &format!("{account}backups")]);
    comes_back(world, &whole);

    // A signature that may not delete: the dump is kept, and what is too old is told.
    let limited = by_sas("rwlac", "2099-01-01T00:00:00Z");
    let env = [("FFE_BACKUP", "three"), ("FFE_RETENTION", "0")];
    let taken = world.beside("boss", &take_remote(), &env, &limited);
    let warning = taken.succeeded().text("warning");
    assert!(
        warning.starts_with("two is too old and could not be removed: ") && warning.contains("Authorization"),
        "{warning}"
    );
    assert_eq!(listed(world, &limited), ["three", "two"]);
    // Who may not list, may not write, or came too late.
    for (permissions, until, words) in [
        ("rwac", "2099-01-01T00:00:00Z", &["cannot be listed", "Authorization"][..]),
        ("rl", "2099-01-01T00:00:00Z", &["nothing can be uploaded", "Authorization"]),
        ("rwdlac", "2020-01-01T00:00:00Z", &["cannot be listed", "403"]),
    ] {
        let store = by_sas(permissions, until);
        let end = world.beside("boss", &take_remote(), &[("FFE_BACKUP", "four")], &store);
        end.failed_with(words);
        assert!(!end.log.contains("sig=") || end.log.contains("sig=***"), "{}", end.log);
    }
    assert_eq!(listed(world, &whole), ["three", "two"]);
}

/// Answers as Google's server of tokens does: with one, and with a refusal at any other path.
const TOKENS: &str = r#"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        good = self.path == "/token"
        answer = b'{"access_token":"canary-token","expires_in":3600,"token_type":"Bearer"}' if good else b'{"error":"invalid_grant"}'
        self.send_response(200 if good else 400)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

fn google_cloud_storage(world: &World<'_>) {
    let packages = std::env::var("FFE_GCS").unwrap();
    let run = format!(
        "import sys; sys.path.insert(0, {packages:?}); from gcp_storage_emulator.__main__ import main; main(sys.argv[1:])"
    );
    let python = "/usr/bin/python3";
    let server = Server::start(python, |port| {
        ["-c", &run, "start", "--in-memory", &format!("--port={port}")].map(str::to_owned).to_vec()
    });
    let tokens = Server::start(python, |port| ["-c", TOKENS, &port.to_string()].map(str::to_owned).to_vec());
    let keys = world.folder("keys").join("service.pem").display().to_string();
    ran("/usr/bin/openssl", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &keys]);
    let private = std::fs::read_to_string(&keys).unwrap();
    let account = |path: &str| {
        let account = serde_json::json!({ "type": "service_account", "project_id": "shop", "private_key_id": "canary-id-of-the-key",
            "private_key": private, "client_email": "backups@shop.example.com", "client_id": "1",
            "token_uri": format!("http://127.0.0.1:{}{path}", tokens.port) });
        serde_json::to_string_pretty(&account).unwrap()
    };
    let endpoint = format!("http://127.0.0.1:{}/storage/v1/", server.port);
    let store = Store::new("gcs", "backups/production").option("endpoint", &endpoint);
    let variable = "RCLONE_CONFIG_STORE_SERVICE_ACCOUNT_CREDENTIALS";
    let by_variable = store.clone().secret(variable, &account("/token"));
    // A bucket that is not there is not made.
    world.create("boss", "");
    world.beside("boss", &take_remote(), &[], &by_variable).failed_with(&["nothing can be uploaded", "404"]);
    world.server.sql("postgres", "boss", &format!("DROP DATABASE {}", world.database));
    ran(
        "/usr/bin/curl",
        &["--fail", "--silent", "--json", "{\"name\":\"backups\"}", &format!("{endpoint}b?project=shop")],
    );
    comes_back(world, &by_variable);
    let file = world.folder("settings").join("key.json").display().to_string();
    let by_file = store.clone().option("service_account_file", &file).secret("key.json", &account("/token"));
    assert_eq!(listed(world, &by_file), ["two"]);
    // Credentials that are not taken any more, and some that are none.
    let expired = world.beside("boss", &list_remote(), &[], &store.clone().secret(variable, &account("/expired")));
    expired.failed_with(&["cannot be listed", "invalid_grant"]);
    let none = world.beside("boss", &list_remote(), &[], &store.secret(variable, &account("/token").replace(':', "=")));
    none.failed_with(&["cannot be listed", "error processing credentials"]);
    for end in [expired, none] {
        assert!(!end.log.contains("canary"), "{}", end.log);
    }
}
