//! Each kind of failure says which object it is, why, what was seen of it and what to do next; and where waiting cannot help,
//! the timeout of half an hour is not waited for.

mod setting;

use anyhow::{Result, ensure};

use crate::{Case, Stage, When};
use setting::Setting;

pub(super) const CASES: &[Case] = &[
    Case { name: "diagnosis::image_not_found", when: When::Always, run: |stage| told(stage, &IMAGE_NOT_FOUND) },
    Case { name: "diagnosis::crash_loop", when: When::Full, run: |stage| told(stage, &CRASH_LOOP) },
    Case { name: "diagnosis::probe_failing", when: When::Full, run: |stage| told(stage, &PROBE_FAILING) },
    Case { name: "diagnosis::quota", when: When::Always, run: |stage| told(stage, &QUOTA) },
    Case { name: "diagnosis::pod_security", when: When::Always, run: |stage| told(stage, &POD_SECURITY) },
    Case { name: "diagnosis::pending_volume", when: When::Always, run: |stage| told(stage, &PENDING_VOLUME) },
    Case { name: "diagnosis::unschedulable", when: When::Full, run: |stage| told(stage, &UNSCHEDULABLE) },
    Case { name: "diagnosis::hook_failed", when: When::Always, run: |stage| told(stage, &HOOK_FAILED) },
    Case { name: "diagnosis::migration_error", when: When::Always, run: |stage| told(stage, &MIGRATION_ERROR) },
    Case { name: "diagnosis::api_refused", when: When::Always, run: |stage| told(stage, &API_REFUSED) },
    Case { name: "diagnosis::webhook_away", when: When::Full, run: |stage| told(stage, &WEBHOOK_AWAY) },
];

/// A failure, and what must be said of it.
struct Failure {
    /// What is in the namespace, and how the release is asked for.
    setting: Setting,
    /// `{namespace}` stands for the case's own.
    says: &'static [&'static str],
}

fn told(stage: &mut Stage, failure: &Failure) -> Result<()> {
    setting::lay(stage, &failure.setting)?;
    let sentences: Vec<String> =
        failure.says.iter().map(|sentence| sentence.replace("{namespace}", &stage.name)).collect();
    let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
    stage.apply_for(setting::BOUND)?.failed_with(&sentences)?;
    ensure!(stage.state("ffe_release.web")?.is_none(), "a failed create is in state");
    Ok(())
}

const IMAGE_NOT_FOUND: Failure = Failure {
    // A registry that answers, and has no such image.
    setting: Setting { container: "image: 127.0.0.1:15000/web:2.0.0", ..setting::PLAIN },
    says: &[
        "Deployment {namespace}/web: ErrImagePull",
        "the image 127.0.0.1:15000/web:2.0.0 cannot be pulled",
        "not found",
        "Events, newest first",
        "What to do: Correct the image's name or tag, or push the image",
    ],
};

const CRASH_LOOP: Failure = Failure {
    setting: Setting {
        container: "image: ffe-backend:1.0.0\n        command: [sh, -c, \"echo 'no vault at vault:8200'; exit 3\"]",
        ..setting::PLAIN
    },
    says: &[
        "Deployment {namespace}/web: CrashLoopBackOff",
        "container web of Pod {namespace}/web-",
        "it ended with exit code 3",
        "Last lines of container web",
        "no vault at vault:8200",
        "What to do: The last lines of its log say why it ended",
    ],
};

const PROBE_FAILING: Failure = Failure {
    setting: Setting {
        container: "image: ffe-backend:1.0.0\n        command: [python3, -m, http.server, \"8000\"]\n        readinessProbe: { httpGet: { path: /no-such-page, port: 8000 }, periodSeconds: 1 }",
        // Only time tells whether it would have become ready.
        timeout: "20s",
        ..setting::PLAIN
    },
    says: &[
        "Deployment {namespace}/web: Unhealthy",
        "it is running and not ready: Readiness probe failed: HTTP probe failed with statuscode: 404",
        "Pod web-",
        "\"GET /no-such-page HTTP/1.1\" 404",
        "What to do: See why the program does not answer its probe",
    ],
};

const QUOTA: Failure = Failure {
    setting: Setting {
        namespace: "apiVersion: v1\nkind: ResourceQuota\nmetadata: { name: small, namespace: {namespace} }\nspec: { hard: { pods: 0 } }",
        ..setting::PLAIN
    },
    says: &[
        "Deployment {namespace}/web: FailedCreate",
        "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0",
        "What to do: Raise the environment's `quota`",
        "kubectl describe resourcequota -n {namespace}",
    ],
};

const POD_SECURITY: Failure = Failure {
    setting: Setting { level: "restricted", ..setting::PLAIN },
    says: &[
        "Deployment {namespace}/web: FailedCreate",
        "violates PodSecurity \"restricted:latest\"",
        "allowPrivilegeEscalation != false",
        "What to do: Set the securityContext that the namespace's Pod Security level demands",
    ],
};

const PENDING_VOLUME: Failure = Failure {
    setting: Setting {
        container: "image: ffe-backend:1.0.0\n        volumeMounts: [{ name: data, mountPath: /data }]",
        pod: "volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }]",
        more: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\nspec: { storageClassName: no-such-class, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }",
        ..setting::PLAIN
    },
    says: &[
        "Deployment {namespace}/web: ProvisioningFailed",
        "PersistentVolumeClaim {namespace}/data: its volume cannot be provisioned",
        "storageclass.storage.k8s.io \"no-such-class\" not found",
        "What to do: Name a storage class that exists and can provision (`kubectl get storageclass`)",
    ],
};

const UNSCHEDULABLE: Failure = Failure {
    setting: Setting { pod: "nodeSelector: { disk: fast }", ..setting::PLAIN },
    says: &[
        "Deployment {namespace}/web: Unschedulable",
        "no node takes the pod",
        "didn't match Pod's node affinity/selector",
        "FailedScheduling",
        "What to do: Lower the requests, add nodes, or correct node selector, affinity and tolerations",
    ],
};

const HOOK_FAILED: Failure = Failure {
    setting: Setting {
        more: "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: web-warm-up\n  annotations: { \"helm.sh/hook\": pre-install }\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - name: warm-up\n        image: ffe-backend:1.0.0\n        command: [python3, -c, \"print('the cache refuses us'); raise SystemExit(4)\"]",
        ..setting::PLAIN
    },
    says: &[
        "Helm could not deploy the release web",
        "Job {namespace}/web-warm-up",
        "it ended with exit code 4",
        "Last lines of container warm-up",
        "the cache refuses us",
        "What to do: The last lines of its log say why it ended",
    ],
};

const MIGRATION_ERROR: Failure = Failure {
    setting: Setting {
        release: "migration = {\n    engine = \"command\"\n    upgrade_command = [\"python3\", \"-c\", \"print('column owner is missing'); raise SystemExit(5)\"]\n  }",
        ..setting::PLAIN
    },
    says: &[
        "The database migration failed",
        "The deployment was not started",
        "image ffe-backend:1.0.0, exit code 5",
        "Job {namespace}/ffe-migrate-",
        "column owner is missing",
        "What to do: Correct the migration",
    ],
};

const API_REFUSED: Failure = Failure {
    setting: Setting { account: true, ..setting::PLAIN },
    says: &[
        "Helm could not deploy the release web",
        "\"system:serviceaccount:{namespace}:deployer\" cannot",
        "resource \"deployments\" in API group \"apps\" in the namespace \"{namespace}\"",
        "What to do: Ask for a Role that allows this verb on this resource",
    ],
};

const WEBHOOK_AWAY: Failure = Failure {
    setting: Setting { webhook: true, ..setting::PLAIN },
    says: &[
        "Deployment {namespace}/web: FailedCreate",
        "failed calling webhook \"policy.ffe.invalid\"",
        "connection refused",
        "What to do: Change what the policy objects to; when a webhook does not answer, see to its own pods first",
    ],
};
