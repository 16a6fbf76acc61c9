//! Small charts that cases make for themselves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// A chart of one ConfigMap with `data.text` from the value `text`; nothing to wait for.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn one_config_map(folder: &Path) -> Result<PathBuf> {
    write(
        folder,
        "text: hello\n",
        &[(
            "config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  text: {{ .Values.text | quote }}\n",
        )],
    )
}

/// A chart of one web server (the sample image's Python), with a hook that takes `hookSeconds` before it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn web_server(folder: &Path) -> Result<PathBuf> {
    write(
        folder,
        "image: ffe-backend:1.0.0\nhookSeconds: 0\ntext: hello\n",
        &[
            ("hook.yaml", HOOK),
            ("web.yaml", WEB),
            (
                "service.yaml",
                "apiVersion: v1\nkind: Service\nmetadata: { name: {{ .Release.Name }} }\nspec: { selector: { app: {{ .Release.Name }} }, ports: [{ name: http, port: 8000 }] }\n",
            ),
        ],
    )
}

const HOOK: &str = r#"{{- if .Values.hookSeconds }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: { "helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded" }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
      - name: hook
        image: {{ .Values.image }}
        command: [python3, -c, "import time; time.sleep({{ .Values.hookSeconds }})"]
{{- end }}
"#;

const WEB: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  replicas: 1
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata:
      labels: { app: {{ .Release.Name }} }
      annotations: { text: {{ .Values.text | quote }} }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {{ .Values.image }}
        command: [python3, -m, http.server, "8000", --directory, /app]
        readinessProbe: { httpGet: { path: /, port: 8000 }, periodSeconds: 1 }
"#;

/// A chart of these templates.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(folder: &Path, values: &str, templates: &[(&str, &str)]) -> Result<PathBuf> {
    fs::create_dir_all(folder.join("templates"))?;
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: sample\nversion: 0.1.0\nappVersion: \"1\"\n")?;
    fs::write(folder.join("values.yaml"), values)?;
    for (name, text) in templates {
        fs::write(folder.join("templates").join(name), text)?;
    }
    Ok(folder.to_owned())
}
