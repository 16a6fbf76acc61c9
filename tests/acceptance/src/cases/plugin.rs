//! The plugin as a process: who may talk to it, and debugging it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::{Case, Stage, When, program, run};

pub(super) const CASES: &[Case] = &[
    Case { name: "plugin::wrong_cookie", when: When::Always, run: wrong_cookie },
    Case { name: "plugin::unauthenticated_client_is_refused", when: When::Always, run: unauthenticated },
    Case { name: "plugin::reattach", when: When::Always, run: reattach },
];

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// A provider that the case has started itself. It does not outlive the case, however that ends.
struct Plugin(Child);

impl Plugin {
    /// Starts it; what it says comes with it.
    fn start(command: &mut Command) -> Result<(Plugin, BufReader<ChildStdout>)> {
        let mut plugin = Plugin(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
        let output = plugin.0.stdout.take().context("no stdout")?;
        Ok((plugin, BufReader::new(output)))
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn wrong_cookie(stage: &mut Stage) -> Result<()> {
    for cookie in [None, Some("wrong")] {
        let mut command = program(&stage.surroundings.provider);
        if let Some(cookie) = cookie {
            command.env("TF_PLUGIN_MAGIC_COOKIE", cookie);
        }
        let output = run(&mut command)?;
        ensure!(output.code == 1 && output.stdout.is_empty(), "{output:?}");
        ensure!(output.stderr.contains("Terraform"), "no sentence: {output:?}");
    }
    Ok(())
}

fn unauthenticated(stage: &mut Stage) -> Result<()> {
    let folder = stage.side("tls")?;
    let certificate = folder.join("client.pem");
    // What terraform presents: a self-signed certificate on P-521 that is its own authority.
    let made = program("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:secp521r1",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout"])
        .arg(folder.join("client.key"))
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()?;
    ensure!(made.success(), "openssl made no certificate");
    let mut command = program(&stage.surroundings.provider);
    command
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
        .env("PLUGIN_CLIENT_CERT", std::fs::read_to_string(&certificate)?);
    let (plugin, mut output) = Plugin::start(&mut command)?;
    let mut line = String::new();
    output.read_line(&mut line)?;
    let socket = line.split('|').nth(3).context("no address in the handshake")?.to_owned();
    // With the pinned certificate the connection stands, and the first frame of HTTP/2 follows openssl's own lines;
    // without one, it is ended by an alert.
    let connect = |with: bool| -> Result<String> {
        let mut command = program("openssl");
        command.args(["s_client", "-unix", &socket, "-alpn", "h2", "-ign_eof", "-tls1_3"]);
        if with {
            command.arg("-cert").arg(&certificate).arg("-key").arg(folder.join("client.key"));
        }
        heard(&mut command, &folder.join("said"), if with { "---\n\0\0" } else { "alert" })
    };
    let refused = connect(false)?;
    let accepted = connect(true)?;
    drop(plugin);
    ensure!(refused.contains("alert") && refused.contains("certificate"), "not refused:\n{refused}");
    ensure!(accepted.contains("ALPN protocol: h2") && !accepted.contains("alert"), "not accepted:\n{accepted}");
    Ok(())
}

/// What a program says until it has said a text, or half a minute is over; then it is ended.
fn heard(command: &mut Command, file: &Path, text: &str) -> Result<String> {
    let output = std::fs::File::create(file)?;
    let mut child = command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output).spawn()?;
    let started = Instant::now();
    let said = || anyhow::Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned());
    while !said()?.contains(text) && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ended = child.kill();
    child.wait()?;
    said()
}

fn reattach(stage: &mut Stage) -> Result<()> {
    let (plugin, mut output) = Plugin::start(program(&stage.surroundings.provider).arg("--debug"))?;
    let mut line = String::new();
    while !line.contains("TF_REATTACH_PROVIDERS=") {
        line.clear();
        ensure!(output.read_line(&mut line)? > 0, "the plugin printed no TF_REATTACH_PROVIDERS");
    }
    let value = line.trim().split_once('=').context("no value")?.1.trim_matches('\'').to_owned();
    stage.configure(&format!(
        "resource \"ffe_environment\" \"this\" {{\n  name = \"dev\"\n  namespace = \"{}\"\n}}\n",
        stage.name
    ))?;
    stage.set("TF_REATTACH_PROVIDERS", value);
    stage.terraform(&["plan", "-no-color"])?.ok()?.says(&["1 to add"])?;
    drop(plugin);
    Ok(())
}
