//! What a failure plays in: a namespace, a chart of one Deployment, and a release of it.

use std::time::Duration;

use anyhow::Result;

use crate::cases::clusters::server;
use crate::{Stage, charts};

/// Far beyond what any of the cases takes, and far before their release's own timeout.
pub(super) const BOUND: Duration = Duration::from_secs(300);

/// What differs from a release that would come up.
pub(super) struct Setting {
    /// The container, after its name.
    pub(super) container: &'static str,
    /// More of the pod's specification.
    pub(super) pod: &'static str,
    /// Another object of the chart.
    pub(super) more: &'static str,
    /// Something that is in the namespace already; `{namespace}` is its name.
    pub(super) namespace: &'static str,
    /// The Pod Security level of the namespace.
    pub(super) level: &'static str,
    /// More of the release.
    pub(super) release: &'static str,
    /// The release's timeout.
    pub(super) timeout: &'static str,
    /// With a service account that may look at everything in the namespace, and deploy nothing.
    pub(super) account: bool,
    /// A webhook that must admit the namespace's pods, and that nobody answers for.
    pub(super) webhook: bool,
}

/// It would come up.
pub(super) const PLAIN: Setting = Setting {
    container: "image: ffe-backend:1.0.0\n        command: [python3, -m, http.server, \"8000\"]",
    pod: "",
    more: "",
    namespace: "",
    level: "privileged",
    release: "",
    timeout: "30m",
    account: false,
    webhook: false,
};

/// Makes what the setting says and writes the configuration.
pub(super) fn lay(stage: &mut Stage, setting: &Setting) -> Result<()> {
    let name = stage.name.clone();
    stage.kube.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels: {{ pod-security.kubernetes.io/enforce: {} }}\n",
        setting.level
    ))?;
    if !setting.namespace.is_empty() {
        stage.kube.apply(&setting.namespace.replace("{namespace}", &name))?;
    }
    if setting.webhook {
        stage.kube.apply(&WEBHOOK.replace("{namespace}", &name))?;
    }
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n  replicas: 1\n  selector: {{ matchLabels: {{ app: web }} }}\n  template:\n    metadata: {{ labels: {{ app: web }} }}\n    spec:\n      terminationGracePeriodSeconds: 1\n      {}\n      containers:\n      - name: web\n        {}\n",
        setting.pod, setting.container
    );
    let mut templates = vec![("web.yaml", deployment.as_str())];
    if !setting.more.is_empty() {
        templates.push(("more.yaml", setting.more));
    }
    let chart = charts::write(&stage.side("chart")?, "", &templates)?;
    let kubernetes = if setting.account {
        account(stage)?
    } else {
        format!("{{ config_path = \"{}\" }}", stage.surroundings.kubeconfig.display())
    };
    stage.configure_with(&format!(
        r#"
variable "token" {{
  ephemeral = true
  default   = ""
}}

provider "ffe" {{
  kubernetes = {kubernetes}
  helm       = {{ binary = "{helm}" }}
}}

resource "ffe_release" "web" {{
  namespace = "{name}"
  name      = "web"
  chart     = "{chart}"
  timeout   = "{timeout}"
  {release}
}}
"#,
        helm = stage.surroundings.helm4.display(),
        chart = chart.display(),
        timeout = setting.timeout,
        release = setting.release,
    ))
}

const WEBHOOK: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: "{namespace}" }
webhooks:
- name: policy.ffe.invalid
  clientConfig: { url: "https://127.0.0.1:1/admit" }
  rules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }]
  namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: "{namespace}" } }
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
"#;

const ACCOUNT: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: { name: deployer, namespace: "{namespace}" }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: deployer, namespace: "{namespace}" }
rules:
- { apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch] }
- { apiGroups: ["", coordination.k8s.io], resources: [secrets, leases], verbs: ["*"] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: deployer, namespace: "{namespace}" }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer }
subjects: [{ kind: ServiceAccount, name: deployer, namespace: "{namespace}" }]
"#;

/// The `kubernetes` block of a service account with few rights.
fn account(stage: &mut Stage) -> Result<String> {
    let name = stage.name.clone();
    stage.kube.apply(&ACCOUNT.replace("{namespace}", &name))?;
    let token = stage.kube.run(&["create", "token", "-n", &name, "deployer"])?.ok()?.stdout.trim().to_owned();
    stage.set("TF_VAR_token", token);
    let path = "jsonpath={.clusters[0].cluster.certificate-authority-data}";
    let authority = stage.kube.run(&["config", "view", "--raw", "--minify", "-o", path])?.ok()?.stdout;
    Ok(format!(
        "{{ host = \"https://{}\", token = var.token, cluster_ca_certificate = base64decode(\"{}\") }}",
        server(stage)?,
        authority.trim()
    ))
}
