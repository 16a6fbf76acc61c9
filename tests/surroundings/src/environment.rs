//! What of the user's environment reaches a program that a test or the demo starts.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// All that a test's program gets. What it needs beyond that, the test sets.
const PASSED: [&str; 6] = ["PATH", "TMPDIR", "LANG", "LC_ALL", "USER", "LOGNAME"];

/// A command that gets nothing of this process's environment but where programs lie and the language. No home, no proxy,
/// no setting of Terraform, Kubernetes, Helm or Cloudflare: none of them may decide how a test ends.
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(passed(std::env::vars_os()));
    command
}

fn passed(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, _)| PASSED.iter().any(|passed| name == passed))
}

/// A command of somebody who watches, as the demo's: their own environment, without what would lead Terraform elsewhere
/// than it was called to. Values for the configuration (`TF_VAR_…`) and logs (`TF_LOG…`) stay. On the testbed
/// (`own_cluster` false) also nothing that leads to another cluster, registry or account.
pub fn watched(program: impl AsRef<OsStr>, own_cluster: bool) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if misleads(&name.to_string_lossy(), own_cluster) {
            command.env_remove(name);
        }
    }
    command
}

fn misleads(name: &str, own_cluster: bool) -> bool {
    let of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let terraform = of(&["TF_"]) && !of(&["TF_VAR_", "TF_LOG"]);
    // The demo is told by FFE_HELM_BINARY which Helm to use.
    let cluster = of(&["KUBE", "HELM_", "CLOUDFLARE_", "FFE_"]) && name != "FFE_HELM_BINARY";
    terraform || (cluster && !own_cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a user may have set, and what must not reach a test.
    const HOSTILE: [&str; 22] = [
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_apply",
        "TF_CLI_CONFIG_FILE",
        "TF_REATTACH_PROVIDERS",
        "TF_VAR_image_tag",
        "TF_WORKSPACE",
        "TF_DATA_DIR",
        "TF_LOG",
        "TF_LOG_PROVIDER",
        "TF_PLUGIN_CACHE_DIR",
        "FFE_HELM_BINARY",
        "FFE_LEASE_DURATION",
        "CLOUDFLARE_API_TOKEN",
        "HELM_NAMESPACE",
        "KUBECONFIG",
        "KUBE_CTX",
        "KUBERNETES_SERVICE_HOST",
        "HTTPS_PROXY",
        "http_proxy",
        "PLUGIN_UNIX_SOCKET_DIR",
        "RUST_LOG",
        "HOME",
    ];

    #[test]
    fn nothing_that_could_decide_a_test_is_passed() {
        let all = HOSTILE.iter().chain(&PASSED).map(|name| (OsString::from(name), OsString::from("x")));
        let passed: Vec<_> = passed(all).map(|(name, _)| name).collect();
        assert_eq!(passed, PASSED);
    }

    #[test]
    fn a_clean_command_has_only_what_is_passed_and_what_is_set() {
        let output = clean("env").env("MINE", "1").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        assert!(text.contains("MINE=1") && text.contains("PATH="), "{text}");
        // Cargo sets this one for every test.
        assert!(!text.contains("CARGO_MANIFEST_DIR"), "{text}");
    }

    #[test]
    fn the_demo_takes_values_for_its_configuration_and_nothing_that_leads_elsewhere() {
        let misled = |own| HOSTILE.iter().filter(|name| misleads(name, own)).copied().collect::<Vec<_>>();
        let terraform = [
            "TF_CLI_ARGS",
            "TF_CLI_ARGS_apply",
            "TF_CLI_CONFIG_FILE",
            "TF_REATTACH_PROVIDERS",
            "TF_WORKSPACE",
            "TF_DATA_DIR",
            "TF_PLUGIN_CACHE_DIR",
        ];
        assert_eq!(misled(true), terraform);
        let cluster = [
            "FFE_LEASE_DURATION",
            "CLOUDFLARE_API_TOKEN",
            "HELM_NAMESPACE",
            "KUBECONFIG",
            "KUBE_CTX",
            "KUBERNETES_SERVICE_HOST",
        ];
        assert_eq!(misled(false), [&terraform[..], &cluster].concat());
        assert!(!misleads("TF_VAR_image_tag", false));
    }
}
