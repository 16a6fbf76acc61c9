//! Rendering, and how Helm's complaints come out.

use std::path::Path;

use ffe_helm::binary::{Cause, LintSeverity, RenderMode, RenderRequest};
use ffe_helm::chart::{ChartRef, Charts};
use ffe_helm::values::{Values, merge_documents};
use libtest_mimic::{Failed, Trial};
use tokio_util::sync::CancellationToken;

use crate::Helm;
use crate::support::{chart, ensure, helm, on_runtime};

const CONFIG: (&str, &str) = (
    "templates/config.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata:\n  kube: {{ .Capabilities.KubeVersion.Version | quote }}\n  \
     upgrade: {{ .Release.IsUpgrade | quote }}\n  api: {{ .Capabilities.APIVersions.Has \"x.example/v1/Thing\" | quote }}\n  value: {{ required \"value is needed\" .Values.value | quote }}\n",
);
const HOOK: (&str, &str) = (
    "templates/hook.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"3\"}\n",
);

pub(crate) fn trials(major: &str, helm: &Helm, trials: &mut Vec<Trial>) {
    let mut add = |name: &str, run: fn(&Path) -> Result<(), Failed>| {
        let binary = helm.clone();
        trials.push(helm.trial(format!("{major}::rendering::{name}"), move || run(&binary.path())));
    };
    add("what_templates_are_told", told);
    add("complaints", complaints);
    add("packed_and_unpacked_are_one_chart", packed);
    add("lint", lint);
    add("the_projects_own_chart", own_chart);
}

fn told(binary: &Path) -> Result<(), Failed> {
    on_runtime(async {
        let chart = chart("x", "1.0.0", &[CONFIG, HOOK]);
        let values = merge_documents(&["value: a\n"])?;
        let apis = ["x.example/v1/Thing".to_owned()];
        let mut request = RenderRequest::new("r", "ns", chart.path(), &values);
        request.mode = RenderMode::Offline { is_upgrade: true };
        request.kube_version = Some("v1.36.3");
        request.api_versions = &apis;
        let rendered = helm(binary).render(&request, &CancellationToken::new()).await?;
        let data = rendered.manifest.objects[0].body["data"].to_string();
        ensure(data == r#"{"kube":"v1.36.3","upgrade":"true","api":"true","value":"a"}"#, data)?;
        let hook = &rendered.manifest.hooks[0];
        ensure(hook.events == ["pre-install"] && hook.weight == 3, format!("{hook:?}"))?;
        ensure(hook.object.source.as_deref() == Some("x/templates/hook.yaml"), format!("{hook:?}"))
    })
}

fn complaints(binary: &Path) -> Result<(), Failed> {
    on_runtime(async {
        let schema = r#"{"type": "object", "properties": {"count": {"type": "integer"}}}"#;
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Files<'_>, &str, Cause, &str); 5] = [
            (&[CONFIG], "{}", Cause::Render, "value is needed"),
            (&[("templates/a.yaml", "{{ .Values.a.b }}")], "{}", Cause::Render, "nil pointer"),
            (&[("templates/a.yaml", "{{ if }}")], "{}", Cause::Render, "templates/a.yaml"),
            (&[("templates/a.yaml", "a: [")], "{}", Cause::Render, "templates/a.yaml"),
            (&[("values.schema.json", schema)], "count: x", Cause::Schema, "integer"),
        ];
        for (files, values, cause, part) in cases {
            let chart = chart("x", "1.0.0", files);
            let values = merge_documents(&[values])?;
            let request = RenderRequest::new("r", "ns", chart.path(), &values);
            let error = helm(binary)
                .render(&request, &CancellationToken::new())
                .await
                .err()
                .ok_or(format!("{part}: it rendered"))?;
            let found = error.failure().map(|failure| failure.cause);
            ensure(found == Some(cause) && error.to_string().contains(part), format!("{part}: {found:?} {error}"))?;
            ensure(!error.to_string().contains("--debug"), format!("noise in {error}"))?;
        }
        Ok(())
    })
}

fn packed(binary: &Path) -> Result<(), Failed> {
    on_runtime(async {
        let dir = chart("x", "1.2.3", &[HOOK, (".helmignore", "*.swp\n"), ("a.swp", "x")]);
        let out = tempfile::tempdir()?;
        let done =
            std::process::Command::new(binary).arg("package").arg(dir.path()).arg("-d").arg(out.path()).output()?;
        ensure(done.status.success(), String::from_utf8_lossy(&done.stderr))?;
        let charts = Charts::new(helm(binary), out.path());
        let cancel = CancellationToken::new();
        let reference = |chart: &str| ChartRef { chart: chart.into(), ..ChartRef::default() };
        let archive = charts.resolve(&reference("x-1.2.3.tgz"), &cancel).await?;
        let unpacked =
            std::process::Command::new("tar").args(["-xzf", "x-1.2.3.tgz"]).current_dir(out.path()).status()?;
        ensure(unpacked.success(), "tar failed")?;
        let directory = charts.resolve(&reference("x"), &cancel).await?;
        ensure(archive.digest == directory.digest, "the digests differ")?;
        let values = Values::empty();
        let request = RenderRequest::new("r", "ns", &archive.path, &values);
        let rendered = helm(binary).render(&request, &cancel).await?;
        ensure(rendered.manifest.hooks.len() == 1, "the archive does not render")
    })
}

fn lint(binary: &Path) -> Result<(), Failed> {
    on_runtime(async {
        let schema = r#"{"type": "object", "properties": {"count": {"type": "integer"}}}"#;
        let chart = chart("x", "1.0.0", &[HOOK, ("values.yaml", "count: 2\n"), ("values.schema.json", schema)]);
        let cancel = CancellationToken::new();
        let good = helm(binary).lint(chart.path(), "ns", &merge_documents(&["count: 1"])?, &cancel).await?;
        ensure(good.iter().all(|found| found.severity < LintSeverity::Error), format!("{good:?}"))?;
        let bad = helm(binary).lint(chart.path(), "ns", &merge_documents(&["count: x"])?, &cancel).await?;
        ensure(bad.iter().any(|found| found.severity == LintSeverity::Error), format!("{bad:?}"))
    })
}

fn own_chart(binary: &Path) -> Result<(), Failed> {
    on_runtime(async {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/ffe-backend/chart");
        let cancel = CancellationToken::new();
        let charts = Charts::new(helm(binary), &path);
        let found = charts.resolve(&ChartRef { chart: ".".into(), ..ChartRef::default() }, &cancel).await?;
        for preset in ["dev", "staging", "production"] {
            let values = merge_documents(&[std::fs::read_to_string(path.join(format!("values-{preset}.yaml")))?])?;
            let mut request = RenderRequest::new("backend", "ns", &found.path, &values);
            request.kube_version = Some("v1.36.3");
            let manifest = helm(binary).render(&request, &cancel).await?.manifest;
            let workloads = manifest.workloads("ns");
            ensure(workloads.len() == 1, format!("{preset}: {workloads:?}"))?;
            let images: Vec<_> = workloads[0].containers.iter().filter(|c| !c.init).map(|c| &c.image).collect();
            let expected = format!("ffe-backend:{}", found.metadata.app_version.as_deref().unwrap_or_default());
            ensure(images == [&expected], format!("{preset}: {images:?}"))?;
            let ports: Vec<_> = manifest.services("ns").into_iter().flat_map(|service| service.ports).collect();
            ensure(ports.iter().any(|port| port.port == 8000), format!("{preset}: {ports:?}"))?;
            ensure(manifest.digest() == helm(binary).render(&request, &cancel).await?.manifest.digest(), "not stable")?;
            let errors = helm(binary).lint(&found.path, "ns", &values, &cancel).await?;
            ensure(errors.iter().all(|found| found.severity < LintSeverity::Error), format!("{preset}: {errors:?}"))?;
        }
        Ok(())
    })
}
