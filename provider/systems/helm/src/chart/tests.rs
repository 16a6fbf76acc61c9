#![allow(clippy::unwrap_used)]

use super::*;

fn chart(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

const CHART: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.2.3\nappVersion: '4'\n");

#[test]
fn a_chart_is_read_as_a_whole() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n---\n";
    let dir = chart(&[
        CHART,
        ("values.yaml", "on: yes\n"),
        ("crds/a.yaml", crd),
        ("crds/README.md", "not: [yaml"),
        ("charts/y/Chart.yaml", "name: y\nversion: 1.0.0\n"),
        ("charts/y/crds/b.yaml", crd),
        ("charts/y/charts/z/crds/c.yaml", crd),
        // No definitions of a chart: a template, and a chart that is called so.
        ("charts/y/templates/crds/d.yaml", "{{- if .Values.crds }}"),
        ("charts/crds/Chart.yaml", "name: crds\nversion: 1.0.0\n"),
        ("charts/crds/templates/e.yaml", "{{- if .Values.crds }}"),
        ("charts/crds/crds/f.yaml", crd),
    ]);
    let chart = Chart::load(dir.path()).unwrap();
    assert_eq!(chart.metadata.name, "x");
    assert_eq!(chart.metadata.app_version.as_deref(), Some("4"));
    assert_eq!(chart.default_values["true"], Value::Bool(true));
    assert_eq!(chart.crds.len(), 4);
}

#[test]
fn what_is_no_chart_says_what_was_looked_for() {
    let error = |path: &Path| Chart::load(path).unwrap_err().to_string();
    assert_eq!(error(Path::new("/nonexistent/x")), "there is no chart at /nonexistent/x");
    let dir = chart(&[("values.yaml", "a: 1\n")]);
    assert!(error(dir.path()).ends_with("is not a chart: it has no Chart.yaml"));
    let dir = chart(&[CHART, ("values.yaml", "a: [\n")]);
    assert!(error(dir.path()).contains("values.yaml is invalid: not valid YAML"));
    let dir = chart(&[("Chart.yaml", "name: x\nversion: 1.0.0\ntype: library\n")]);
    assert!(error(dir.path()).contains("is a library"));
}

#[test]
fn missing_dependencies_say_what_to_run() {
    let text = format!("{}dependencies:\n- {{name: redis, version: 1.x, repository: https://r}}\n", CHART.1);
    let dir = chart(&[("Chart.yaml", &text)]);
    let error = Chart::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("redis") && error.contains("helm dependency build"), "{error}");
}

#[test]
fn an_exact_version_must_be_the_one() {
    let dir = chart(&[CHART]);
    let check = |wanted| Chart::load(dir.path()).unwrap().checked(wanted).map(drop);
    assert_eq!(check(None), Ok(()));
    assert_eq!(check(Some("1.2.3")), Ok(()));
    assert_eq!(check(Some("v1.2.3")), Ok(()));
    assert_eq!(check(Some("^2.0.0")), Ok(()));
    assert_eq!(check(Some("2.x")), Ok(()));
    assert!(check(Some("1.2.4")).unwrap_err().to_string().contains("has version 1.2.3, not 1.2.4"));
}

#[test]
fn debug_hides_the_password() {
    let reference = ChartRef { password: Some("hunter2".into()), ..ChartRef::default() };
    assert!(!format!("{reference:?}").contains("hunter2"));
}
