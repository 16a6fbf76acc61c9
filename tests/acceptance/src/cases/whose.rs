//! What is somebody else's, or was there before, is neither changed nor deleted: with both majors of Helm.

use anyhow::{Context as _, Result, ensure};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "whose::what_was_there_before_is_given_back",
        when: When::Always,
        run: |stage| given_back(stage, false),
    },
    Case {
        name: "whose::what_was_there_before_is_given_back_with_helm3",
        when: When::Full,
        run: |stage| given_back(stage, true),
    },
    Case { name: "whose::a_release_installed_by_hand_meanwhile", when: When::Always, run: by_hand },
    Case { name: "whose::records_lost_or_elsewhere", when: When::Always, run: records_lost },
];

/// A ConfigMap and a claim, as somebody has made them.
const THEIRS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, labels: { team: theirs } }
data: { text: theirs }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 10Mi } } }
";

const SETTINGS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }\ndata: { text: {{ .Values.text }} }\n";
const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\nspec: { accessModes: [ReadWriteOnce], resources: { \
                     requests: { storage: 10Mi } } }\n";
const OWN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: own }\ndata: { text: {{ .Values.text }} }\n";

const FAILING: &str = "verify = { url = \"http://127.0.0.1:1\", timeout = \"2s\" }";

fn configure(stage: &Stage, chart: &str, helm3: bool, more: &str) -> Result<()> {
    let release = format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  chart = \"{chart}\"\n  {more}\n}}\n",
        stage.name
    );
    if !helm3 {
        return stage.configure(&release);
    }
    stage.configure_with(&format!(
        "provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{}\" }}\n  helm = {{ binary = \"{}\" }}\n}}\n\n{release}",
        stage.surroundings.kubeconfig.display(),
        stage.surroundings.helm3.display(),
    ))
}

fn given_back(stage: &mut Stage, helm3: bool) -> Result<()> {
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let in_it = |text: &str| text.replace("metadata: { ", &format!("metadata: {{ namespace: {namespace}, "));
    stage.kube.apply(&in_it(THEIRS))?;
    let look = |stage: &Stage, kind: &str, name: &str| stage.kube.get(&[kind, "-n", &namespace, name]);
    let uid = |stage: &Stage| -> Result<String> {
        let claim = look(stage, "pvc", "data")?.context("the claim was deleted")?;
        Ok(claim["metadata"]["uid"].to_string())
    };
    let before = uid(stage)?;
    let as_it_was = |stage: &Stage| -> Result<()> {
        let settings = look(stage, "configmap", "settings")?.context("the ConfigMap was deleted")?;
        ensure!(settings["data"]["text"] == "theirs", "{settings:#}");
        ensure!(settings["metadata"]["labels"] == serde_json::json!({ "team": "theirs" }), "{settings:#}");
        let notes = settings["metadata"]["annotations"].to_string();
        ensure!(!notes.contains("meta.helm.sh"), "it carries Helm's annotations: {settings:#}");
        ensure!(uid(stage)? == before, "the claim is another one");
        Ok(())
    };
    let both = charts::write(
        &stage.side("both")?,
        "text: ours\n",
        &[("a.yaml", SETTINGS), ("b.yaml", CLAIM), ("c.yaml", OWN)],
    )?;
    let own = charts::write(&stage.side("own")?, "text: ours\n", &[("c.yaml", OWN)])?;
    let (both, own) = (both.display().to_string(), own.display().to_string());
    let failing = format!("take_ownership = true\n  {FAILING}");

    // A first install that is uninstalled, and a second in a row.
    configure(stage, &both, helm3, &failing)?;
    for _ in 0..2 {
        stage.apply()?.failed_with(&["failed its checks", "uninstalled"])?;
        as_it_was(stage)?;
        ensure!(look(stage, "configmap", "own")?.is_none(), "what the release made is left");
    }
    // An upgrade that takes them over, and is rolled back.
    configure(stage, &own, helm3, "take_ownership = true")?;
    stage.apply()?.ok()?;
    configure(stage, &both, helm3, &failing)?;
    stage.apply()?.failed_with(&["failed its checks", "rolled back"])?;
    as_it_was(stage)?;
    // Part of the release at last; destroy leaves them.
    configure(stage, &both, helm3, "take_ownership = true")?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    configure(stage, &both, helm3, &format!("set = [{{ name = \"text\", value = \"newer\" }}]\n  {failing}"))?;
    stage.apply()?.failed_with(&["failed its checks", "rolled back"])?;
    let settings = look(stage, "configmap", "settings")?.context("the ConfigMap was deleted")?;
    ensure!(settings["data"]["text"] == "ours", "{settings:#}");
    configure(stage, &both, helm3, "take_ownership = true")?;
    stage.destroy()?.ok()?.says(&["were left", "PersistentVolumeClaim", "ConfigMap"])?;
    ensure!(
        uid(stage)? == before && look(stage, "configmap", "settings")?.is_some(),
        "destroy has deleted what was there before"
    );
    ensure!(look(stage, "configmap", "own")?.is_none(), "what the release made is left");
    Ok(())
}

/// After a first install of ours that failed, somebody installs by hand; and one of ours in the state is replaced by hand.
fn by_hand(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let chart = charts::one_config_map(&stage.side("chart")?)?.display().to_string();
    configure(stage, &chart, false, FAILING)?;
    stage.apply()?.failed_with(&["failed its checks"])?;
    let install = ["install", "one", &chart, "-n", &namespace, "--set", "text=theirs"];
    stage.helm(&install)?.ok()?;
    let theirs = |stage: &Stage| -> Result<()> {
        let map = stage.kube.get(&["configmap", "-n", &namespace, "one"])?.context("their release was uninstalled")?;
        ensure!(map["data"]["text"] == "theirs", "{map:#}");
        ensure!(stage.helm_records("")?.len() == 1, "their release was touched");
        Ok(())
    };
    for _ in 0..2 {
        stage.apply()?.failed_with(&["exists already", "terraform import ffe_release.<name>"])?;
        theirs(stage)?;
    }
    stage.helm(&["uninstall", "one", "-n", &namespace])?.ok()?;
    configure(stage, &chart, false, "")?;
    stage.apply()?.ok()?;
    stage.helm(&["uninstall", "one", "-n", &namespace])?.ok()?;
    stage.helm(&install)?.ok()?;
    configure(stage, &chart, false, "set = [{ name = \"text\", value = \"ours\" }]")?;
    stage.apply()?.failed_with(&["another one than the one in the state", "terraform state rm"])?;
    theirs(stage)?;
    stage.destroy()?.ok()?.says(&["was left running"])?;
    theirs(stage)
}

/// Helm's records are lost, or another storage driver is asked.
fn records_lost(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let chart = charts::one_config_map(&stage.side("chart")?)?.display().to_string();
    configure(stage, &chart, false, "")?;
    stage.apply()?.ok()?;
    let there = |stage: &Stage| -> Result<()> {
        ensure!(stage.kube.get(&["configmap", "-n", &namespace, "one"])?.is_some(), "a running object was deleted");
        Ok(())
    };
    stage.set("HELM_DRIVER", "configmap");
    for done in [stage.apply()?, stage.destroy()?] {
        done.failed_with(&["kept by another storage driver", "helm.driver = \"secret\""])?;
    }
    stage.unset("HELM_DRIVER");
    stage.expect_state("ffe_release.one")?;
    stage.expect_empty_plan()?;
    stage.kube.run(&["delete", "secrets", "-n", &namespace, "-l", "owner=helm"])?.ok()?;
    for done in [stage.apply()?, stage.destroy()?] {
        done.failed_with(&["Helm has no record", "ConfigMap", "take_ownership = true"])?;
        there(stage)?;
    }
    // The way out that the message names.
    stage.terraform(&["state", "rm", "ffe_release.one"])?.ok()?;
    stage.apply()?.failed_with(&["Helm has no record"])?;
    configure(stage, &chart, false, "take_ownership = true")?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?.says(&["were left"])?;
    there(stage)
}
