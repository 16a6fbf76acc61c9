//! The environment: presets, overrides, drift, protection, changes that it refuses.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use super::lifecycle::stack;
use crate::{Case, Stage, When};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "environment::nothing_downstream_is_replaced",
        when: When::Always,
        run: nothing_downstream_is_replaced,
    },
    Case { name: "environment::override_removed", when: When::Always, run: override_removed },
    Case { name: "environment::drift_shows_and_is_put_right", when: When::Always, run: drift },
    Case { name: "environment::refuses_what_it_cannot_do", when: When::Always, run: refusals },
    Case { name: "environment::restricted_with_a_database", when: When::Full, run: restricted },
    Case { name: "environment::staging_admits_a_release", when: When::Full, run: staging },
];

/// An environment without a database.
fn bare(stage: &Stage, preset: &str, body: &str) -> String {
    format!(
        "resource \"ffe_environment\" \"this\" {{\n  name = \"dev\"\n  preset = \"{preset}\"\n  namespace = \"{}\"\n{body}\n}}\n",
        stage.name
    )
}

fn nothing_downstream_is_replaced(stage: &mut Stage) -> Result<()> {
    stage.configure(&stack(stage, "1.0.0", ""))?;
    stage.apply()?.ok()?;
    let configuration = stack(stage, "1.0.0", "").replace("LOG_LEVEL = \"info\"", "LOG_LEVEL = \"debug\"");
    stage.configure(&configuration)?;
    let actions = stage.planned_actions()?;
    ensure!(actions.iter().all(|(_, action)| action == "update"), "{actions:?}");
    ensure!(actions.iter().any(|(address, _)| address == "ffe_environment.this"), "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let map = stage.kube.get(&["configmaps", "-n", &stage.name])?.context("no ConfigMaps")?;
    ensure!(map.to_string().contains("\"LOG_LEVEL\":\"debug\""), "{map}");
    stage.destroy()?.ok().map(|_| ())
}

fn hard(stage: &Stage) -> Result<Json> {
    let quotas = stage.kube.get(&["resourcequotas", "-n", &stage.name])?.context("no quota")?;
    Ok(quotas["items"][0]["spec"]["hard"].clone())
}

fn override_removed(stage: &mut Stage) -> Result<()> {
    stage.configure(&bare(stage, "dev", "quota = { pods = 7 }"))?;
    stage.apply()?.ok()?;
    ensure!(hard(stage)?["pods"] == "7" && hard(stage)?["limits.cpu"] == "4", "{}", hard(stage)?);
    stage.configure(&bare(stage, "dev", ""))?;
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_environment.this".to_owned(), "update".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(hard(stage)?["pods"] == "20", "the preset's value has not returned: {}", hard(stage)?);
    stage.configure(&bare(stage, "staging", ""))?;
    stage.apply()?.ok()?;
    ensure!(hard(stage)?["pods"] == "40" && hard(stage)?["limits.memory"] == "16Gi", "{}", hard(stage)?);
    stage.destroy()?.ok().map(|_| ())
}

fn drift(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    stage.configure(&bare(stage, "dev", "config = { LOG_LEVEL = \"info\" }\n  labels = { team = \"trading\" }"))?;
    stage.apply()?.ok()?;
    let state = stage.expect_state("ffe_environment.this")?;
    let map = state["config_map"].as_str().context("no config_map")?.to_owned();
    stage
        .kube
        .run(&[
            "patch",
            "configmap",
            "-n",
            &namespace,
            &map,
            "--type=merge",
            "-p",
            "{\"data\":{\"LOG_LEVEL\":\"theirs\"}}",
        ])?
        .ok()?;
    stage.kube.run(&["delete", "limitranges", "-n", &namespace, "--all"])?.ok()?;
    // What others add beside ours is theirs.
    stage.kube.run(&["label", "namespace", &namespace, "cost-center=42"])?.ok()?;
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_environment.this".to_owned(), "update".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let found = stage.kube.get(&["configmap", "-n", &namespace, &map])?.context("no ConfigMap")?;
    ensure!(found["data"]["LOG_LEVEL"] == "info", "{found:#}");
    ensure!(!stage.kube.names(&namespace, "limitranges")?.is_empty(), "the LimitRange is not made again");
    let found = stage.kube.get(&["namespace", &namespace])?.context("no namespace")?;
    ensure!(found["metadata"]["labels"]["cost-center"] == "42", "a label of somebody else was removed");
    stage.destroy()?.ok().map(|_| ())
}

fn refusals(stage: &mut Stage) -> Result<()> {
    let database = |size: &str, more: &str| {
        format!("database = {{ mode = \"bundled\", version = \"15\", storage = {{ size = \"{size}\" }} }}\n{more}")
    };
    stage.configure(&bare(stage, "dev", &database("256Mi", "deletion_protection = true")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    for (body, sentences) in [
        (database("128Mi", "deletion_protection = true"), &["database.storage.size"][..]),
        (database("256Mi", "deletion_protection = true").replace("\"15\"", "\"16\""), &["database.version"]),
        (
            "database = { mode = \"external\", url_wo = \"postgresql://a:b@c.invalid/d\" }\ndeletion_protection = true"
                .to_owned(),
            &["database.mode"],
        ),
        ("deletion_protection = true".to_owned(), &["database"]),
    ] {
        stage.configure(&bare(stage, "dev", &body))?;
        stage.terraform(&["plan", "-no-color"])?.failed_with(sentences)?;
    }
    stage.configure(&bare(stage, "dev", &database("256Mi", "deletion_protection = true")))?;
    stage.destroy()?.failed_with(&["deletion_protection"])?;
    let renamed = bare(stage, "dev", &database("256Mi", "deletion_protection = true"))
        .replace("name = \"dev\"", "name = \"other\"");
    stage.configure(&renamed)?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["deletion_protection"])?;
    stage.configure(&bare(stage, "dev", &database("256Mi", "deletion_protection = false")))?;
    stage.apply()?.ok()?;
    stage.destroy()?.ok().map(|_| ())
}

fn restricted(stage: &mut Stage) -> Result<()> {
    let body = "database = { mode = \"bundled\", version = \"15\", storage = { size = \"256Mi\" } }\n  deletion_protection = false";
    stage.configure(&bare(stage, "production", body))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let namespace = stage.kube.get(&["namespace", &stage.name])?.context("no namespace")?;
    ensure!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted", "{namespace:#}");
    let state = stage.expect_state("ffe_environment.this")?;
    ensure!(
        state["database_status"]["server_version"].as_str().is_some_and(|version| version.starts_with("15")),
        "{state:#}"
    );
    stage.destroy()?.ok().map(|_| ())
}

/// Pods of ours and of the chart under the level `restricted` and a quota: migration, checks and all.
fn staging(stage: &mut Stage) -> Result<()> {
    stage.configure(&stack(stage, "1.0.0", "").replace("preset     = \"dev\"", "preset     = \"staging\""))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let namespace = stage.kube.get(&["namespace", &stage.name])?.context("no namespace")?;
    ensure!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted", "{namespace:#}");
    let deployment = stage.kube.get(&["deployment", "-n", &stage.name, "ffe-backend"])?.context("no deployment")?;
    ensure!(deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "750m");
    let name = stage.name.clone();
    stage.kube.until("the autoscaler has brought the second replica", Duration::from_secs(120), |kube| {
        let deployment = kube.get(&["deployment", "-n", &name, "ffe-backend"])?.unwrap_or_default();
        Ok(deployment["status"]["readyReplicas"] == 2)
    })?;
    // What the autoscaler does is no drift.
    stage.expect_empty_plan()?;
    let release = stage.expect_state("ffe_release.backend")?;
    ensure!(release["schema_revision"].as_array().is_some_and(|heads| heads.len() == 1), "{release:#}");
    stage.destroy()?.ok().map(|_| ())
}
