//! The commands of the guides, as they have them.

mod https;

use anyhow::{Result, ensure};

use crate::{Case, Stage, When, charts, guide};

pub(super) const CASES: &[Case] = &[
    Case { name: "guide::commands", when: When::Always, run: commands },
    Case { name: "guide::https_configurations", when: When::Always, run: https::configurations },
    Case { name: "guide::https_commands", when: When::Full, run: https::commands },
];

fn commands(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    stage.configure(&format!(
        "resource \"ffe_release\" \"web\" {{\n  namespace = \"{namespace}\"\n  name = \"web\"\n  chart = \"{}\"\n}}\n",
        chart.display()
    ))?;
    stage.apply()?.ok()?;
    // What the guide calls helm is one of the testbed's.
    let folder = stage.side("bin")?;
    std::os::unix::fs::symlink(&stage.surroundings.helm4, folder.join("helm"))?;
    let all = guide::commands(&guide::text(&stage.surroundings.root)?);
    ensure!(all.len() >= 4, "the guide has {} commands", all.len());
    for command in &all {
        let command = command.replace("NAMESPACE", &namespace).replace("RELEASE", "web");
        let path = format!("PATH={}:$PATH; cd {}; {command}", folder.display(), stage.folder.display());
        let output = stage.shell(&path)?;
        ensure!(output.code == 0, "{command}\n{}", output.text());
        ensure!(!output.stdout.trim().is_empty(), "{command} says nothing");
    }
    stage.destroy()?.ok().map(|_| ())
}
