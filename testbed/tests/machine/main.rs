//! What a testbed takes of the machine that it runs on, and that it gives it back: a second one, in a cache folder of its
//! own with the binaries of the first, is started on a machine with a firewall that forwards nothing and lets nobody in.
//! That machine is a network and mounts of its own, so that whatever else runs here changes nothing of it. Ignored unless the environment says where a
//! testbed runs, and failing where FFE_REQUIRE says that it does; only root can start one.
//!
//! ```text
//! FFE_TEST_KUBECONFIG=$(cargo xtask testbed kubeconfig) cargo test -p ffe-testbed --test machine
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod seen;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, ExitCode};

use ffe_surroundings::Needs;
use ffe_testbed::{Part, Testbed, ToStderr};
use libtest_mimic::{Arguments, Trial};
use seen::Seen;

fn main() -> ExitCode {
    let testbed = Needs::variables(&["FFE_TEST_KUBECONFIG"]);
    let trials: Vec<Trial> =
        vec![testbed.trial("a_testbed_takes_one_interface_of_the_machine_and_gives_it_back", || {
            if std::env::var_os(INSIDE).is_some() {
                a_testbed_takes_one_interface_of_the_machine_and_gives_it_back();
            } else {
                on_a_machine_of_its_own();
            }
            Ok(())
        })];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Set for the run on the other machine.
const INSIDE: &str = "FFE_TEST_ON_MACHINE";

/// Nobody else's notes, and what Docker and usual firewalls do to connections but for those that the machine itself began.
/// `$1` is the testbed's folder.
const MACHINE: &str = "
ip link set lo up
mount -t tmpfs machine /run
mount -t tmpfs machine /var/log
case \"$1\" in /var/lib/*) ;; *) mount -t tmpfs machine /var/lib ;; esac
nft -f - <<'RULES'
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    ct state established,related accept
  }
  chain forward { type filter hook forward priority filter; policy drop; }
}
RULES
exec \"$0\"
";

fn on_a_machine_of_its_own() {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--propagation=private", "--", "sh", "-euc", MACHINE]);
    unshare.arg(std::env::current_exe().unwrap()).arg(Testbed::locate().unwrap().folder()).env(INSIDE, "1");
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let done = unshare.env("PATH", path).output().unwrap();
    let told = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(done.status.success() && told.contains("1 passed"), "{told}");
}

/// Ends with the test, whatever that finds.
struct Second {
    testbed: Testbed,
    _folder: tempfile::TempDir,
}

impl Second {
    /// In a folder beside the first one's, with its binaries.
    fn beside(first: &Testbed) -> Self {
        let cache = first.folder().parent().unwrap().to_path_buf();
        let folder = tempfile::Builder::new().prefix(".machine-").tempdir_in(cache).unwrap();
        let testbed = Testbed::at(folder.path()).unwrap();
        link(&first.folder().join("bin"), &testbed.folder().join("bin"));
        Self { testbed, _folder: folder }
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let mut kubectl = Command::new(self.testbed.binary("kubectl"));
        kubectl.env("KUBECONFIG", self.testbed.kubeconfig()).env("NO_PROXY", "*").args(arguments);
        let done = kubectl.output().unwrap();
        assert!(done.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ended = self.testbed.down(&ToStderr);
    }
}

/// The same files in another folder.
fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            link(&from, &to);
        } else {
            std::fs::hard_link(&from, &to).unwrap();
        }
    }
}

fn a_testbed_takes_one_interface_of_the_machine_and_gives_it_back() {
    let second = Second::beside(&Testbed::locate().unwrap());
    let testbed = &second.testbed;
    let before = Seen::now();

    testbed.up(&[Part::Cluster], &ToStderr).unwrap();
    let status = testbed.status();
    assert!(status.is_up(), "{status}");
    assert_eq!(second.kubectl(&["get", "nodes", "-o", "name"]).trim(), "node/node1");
    let during = Seen::now();
    assert_eq!(during.interfaces.difference(&before.interfaces).count(), 1, "{during:?}");
    assert!(before.interfaces.is_subset(&during.interfaces), "{during:?}");
    assert_eq!(during.others(), before.others());

    // The firewall lets nobody in: what pods are to reach has to be let in by its interface.
    let listener = TcpListener::bind((testbed.host_address(), 0)).unwrap();
    let (host, port) = (testbed.host_address(), listener.local_addr().unwrap().port());
    let mut blocked = testbed.on_node(Path::new("timeout")).unwrap();
    assert!(!blocked.args(["1", "bash", "-c", &format!("</dev/tcp/{host}/{port}")]).status().unwrap().success());
    let interface = during.interfaces.difference(&before.interfaces).next().unwrap();
    let nft = |arguments: &[&str]| assert!(Command::new("nft").args(arguments).status().unwrap().success());
    nft(&["add", "rule", "inet", "filter", "input", "iifname", interface, "accept"]);
    // From the node to the machine and to a service, and what the node finds at places of the machine's.
    let mut bash = testbed.on_node(Path::new("bash")).unwrap();
    let script = format!(
        "exec 3<>/dev/tcp/{host}/{port} && exec 4<>/dev/tcp/10.96.0.10/53 && cat /proc/sys/kernel/panic && \
                          ls /var/lib"
    );
    let on_node = String::from_utf8(bash.args(["-ec", &script]).output().unwrap().stdout).unwrap();
    assert!(on_node.starts_with("10\n") && !on_node.contains("dpkg"), "{on_node}");

    nft(&["flush", "chain", "inet", "filter", "input"]);
    nft(&["add", "rule", "inet", "filter", "input", "iifname", "lo", "accept"]);
    nft(&["add", "rule", "inet", "filter", "input", "ct", "state", "established,related", "accept"]);

    // What a crash leaves is mended: the node itself ends, and everything with it.
    let first_process = status.processes.iter().find(|process| process.name == "node1").and_then(|process| process.pid);
    let killed = Command::new("kill").args(["-KILL", &first_process.unwrap().to_string()]).status().unwrap();
    assert!(killed.success());
    testbed.up(&[Part::Cluster], &ToStderr).unwrap();
    assert!(testbed.status().is_up());
    assert_eq!(Seen::now().others(), before.others());

    testbed.down(&ToStderr).unwrap();
    assert_eq!(Seen::now(), before);
    assert!(testbed.on_node(Path::new("true")).is_err());
}
