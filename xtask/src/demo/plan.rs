//! What the demo says before it begins: what it will do and how long that takes here, and where else it could be done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use ffe_testbed::Part;

use super::Args;
use crate::workspace::{DEMO, Workspace};
use crate::{tell, testbed};

/// What the demo needs of the testbed.
pub(super) const PARTS: [&[Part]; 2] = [&testbed::USUAL, &Part::TLS];

/// Seconds of one processor: the provider in the demo's profile, with all that it depends on.
const PROVIDER: u32 = 700;
/// Starting an empty testbed, and the apply.
const APPLY: Duration = Duration::from_secs(90);

pub(super) fn tell(workspace: &Workspace, args: &Args) -> Result<()> {
    if args.kubeconfig.is_some() {
        return Ok(());
    }
    if let Some((path, context)) = current_cluster(&workspace.testbed.kubeconfig()) {
        tell::note(format!(
            "Your kubeconfig {} leads to a cluster ({context}). The demo leaves it alone. To have the example there, with \
             nothing built but the provider:\n  cargo xtask demo --kubeconfig {} --image NAME:TAG   # an image that it \
             can pull; see examples/ffe-backend",
            path.display(),
            path.display()
        ));
    }
    let missing = workspace.testbed.not_built(&PARTS.concat())?;
    let built = workspace.target()?.join(DEMO).join("terraform-provider-ffe").is_file();
    tell::note(text(&missing.programs, missing.time, (!built).then(provider_time), args.destroy));
    Ok(())
}

/// About how long the provider takes here, with nothing else to do.
fn provider_time() -> Duration {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Duration::from_secs(u64::from(PROVIDER)) / u32::try_from(processors).unwrap_or(1)
}

fn text(missing: &[&str], testbed: Duration, provider: Option<Duration>, destroy: bool) -> String {
    let mut lines = vec!["What is to be done:".to_owned()];
    let mut whole = APPLY + testbed;
    lines.push(if missing.is_empty() {
        "  the testbed: built already".to_owned()
    } else {
        format!("  the testbed: compile once, about {}: {}", minutes(testbed), missing.join(", "))
    });
    lines.push(match provider {
        Some(time) => {
            whole += time;
            format!("  the provider: compile once, about {}", minutes(time))
        }
        None => "  the provider: built before, only what has changed is compiled".to_owned(),
    });
    lines.push("  start a Kubernetes of one node on this machine, unless it runs".to_owned());
    let last = if destroy { "terraform destroy" } else { "terraform apply, and show what answers" };
    lines.push(format!("  {last}"));
    lines.push(format!("About {} in all, when this machine has nothing else to do.", minutes(whole)));
    lines.join("\n")
}

fn minutes(time: Duration) -> String {
    match time.as_secs().div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        more => format!("{more} minutes"),
    }
}

/// The kubeconfig that kubectl would use, with the name of its current context; not when it is the testbed's own.
fn current_cluster(ours: &Path) -> Option<(PathBuf, String)> {
    let named = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let usual = || std::env::home_dir().map(|home| home.join(".kube/config"));
    let path = match named {
        Some(list) => std::env::split_paths(&list).find(|path| path.is_file())?,
        None => usual()?,
    };
    if path == ours {
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    current_context(&text).map(|context| (path, context))
}

/// The value of `current-context` in a kubeconfig, as kubectl and its like write it.
fn current_context(kubeconfig: &str) -> Option<String> {
    let value = kubeconfig.lines().find_map(|line| line.strip_prefix("current-context:"))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_told_from_what_is_not() {
        let all = text(&["kubelet", "traefik"], Duration::from_secs(700), Some(Duration::from_secs(290)), false);
        assert!(all.contains("once, about 12 minutes: kubelet, traefik"), "{all}");
        assert!(all.contains("once, about 5 minutes"), "{all}");
        assert!(all.contains("About 18 minutes in all") && all.contains("terraform apply"), "{all}");
        let again = text(&[], Duration::ZERO, None, true);
        assert!(again.contains("built already") && again.contains("built before"), "{again}");
        assert!(again.contains("About 2 minutes in all") && again.contains("terraform destroy"), "{again}");
    }

    #[test]
    fn a_kubeconfig_without_a_current_context_leads_nowhere() {
        let of = |text| current_context(text);
        assert_eq!(of("kind: Config\ncurrent-context: prod\n").as_deref(), Some("prod"));
        assert_eq!(of("current-context: \"prod\"\n").as_deref(), Some("prod"));
        assert_eq!(of("current-context: \"\"\n"), None);
        assert_eq!(of("kind: Config\n"), None);
    }
}
