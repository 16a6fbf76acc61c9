//! Asking a cluster by kubectl: independent of the provider's own code.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// kubectl with one kubeconfig.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: PathBuf, kubeconfig: &Path) -> Kubectl {
        Kubectl { program, kubeconfig: kubeconfig.to_path_buf() }
    }

    /// A command, not run yet.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        command
    }

    /// Runs a command and returns what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.command(arguments))
    }

    /// What tells one cluster from another: the identity of its namespace kube-system.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(crate) fn cluster_identity(&self) -> Result<String> {
        self.output(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
    }

    /// Opens a way to a port of a service, as long as the value lives.
    ///
    /// # Errors
    /// When kubectl does not say within its own time that the way is open.
    pub(crate) fn forward(&self, namespace: &str, service: &str, port: u64) -> Result<Forward> {
        let target = format!("service/{service}");
        let ports = format!(":{port}");
        let mut command =
            self.command(&["port-forward", "--namespace", namespace, "--address", "127.0.0.1", &target, &ports]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut said)?;
        }
        let Some(local) = local_port(&said) else {
            let mut why = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = child.kill();
                stderr.read_to_string(&mut why)?;
            }
            bail!("no way to {target} in {namespace}: {}{}", said.trim(), why.trim());
        };
        Ok(Forward { child, local })
    }
}

/// `Forwarding from 127.0.0.1:40123 -> 8000`
fn local_port(line: &str) -> Option<u16> {
    line.split_once("127.0.0.1:")?.1.split(' ').next()?.parse().ok()
}

/// A way to a service, open until this is dropped.
#[derive(Debug)]
pub(crate) struct Forward {
    child: Child,
    local: u16,
}

impl Forward {
    /// Asks for a path; status line and body of the answer.
    ///
    /// # Errors
    /// When there is no answer within 20 seconds.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<(String, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.local))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        // HTTP 1.0: the answer is not chunked and ends with the connection.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n")?;
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("no answer for {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no HTTP answer for {path}"))?;
        Ok((head.lines().next().unwrap_or_default().to_owned(), body.trim().to_owned()))
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_port_is_read_from_what_kubectl_says() {
        assert_eq!(local_port("Forwarding from 127.0.0.1:40123 -> 8000\n"), Some(40123));
        assert_eq!(local_port("error: service not found\n"), None);
    }
}
