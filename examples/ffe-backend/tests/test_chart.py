"""The chart, as both Helm versions render it. Needs no cluster.

`HELM` names one or more Helm binaries, separated by colons; without it, those of the testbed and of PATH are used.
"""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent.parent / "chart"
TESTBED = Path.home() / ".cache/terraform-provider-ffe/testbed/bin"
# The columns of the preset table.
PRESETS = {
    "dev": dict(
        replicas=1, cpu=("100m", "500m"), memory=("256Mi", "1Gi"), autoscaling=None, probes=(5, 10, 3), persistence=None,
        budget=None, pool=5, requests=100, issuer=None, headers="0", apart=False,
    ),
    "staging": dict(
        replicas=2, cpu=("250m", "750m"), memory=("512Mi", "1.5Gi"), autoscaling=(2, 5), probes=(5, 10, 2),
        persistence="5Gi", budget=1, pool=5, requests=100, issuer="letsencrypt-staging", headers="0", apart=False,
    ),
    "production": dict(
        replicas=3, cpu=("500m", "2"), memory=("1Gi", "2Gi"), autoscaling=(3, 10), probes=(3, 5, 1), persistence="20Gi",
        budget=2, pool=20, requests=200, issuer="letsencrypt-prod", headers="1", apart=True,
    ),
}
# What a production environment of the provider hands over; every key of the contract is in it.
FROM_PROVIDER = """
environment: production
replicaCount: 3
workers: 4
requestsPerMinute: 200
resources:
  requests: {cpu: 500m, memory: 1Gi}
  limits: {cpu: '2', memory: 2Gi}
autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 10, targetCPUUtilizationPercentage: 70}
probes: {timeoutSeconds: 3, readinessPeriodSeconds: 5, failureThreshold: 1}
persistence: {enabled: true, size: 20Gi}
podDisruptionBudget: {enabled: true, minAvailable: 2}
podAntiAffinity: soft
strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
podSecurityContext: {runAsNonRoot: true, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
serviceAccount: {create: false, name: ffe-shop}
existingConfigMap: ffe-shop-config
existingSecret: ffe-shop-app
config_revision: c1
secrets_revision: s1
database: {existingSecret: ffe-shop-database, poolSize: 20}
initContainers: {waitForPostgres: {enabled: true}, alembicMigrate: {enabled: false}}
ingress: {enabled: false}
securityHeaders: {enabled: true}
vault: {enabled: true}
"""


def binaries():
    named = os.environ.get("HELM")
    found = named.split(":") if named else [str(path) for path in (TESTBED / "helm3", TESTBED / "helm4") if path.exists()]
    found = found or [path for path in [shutil.which("helm")] if path]
    if not found:
        raise AssertionError("no Helm found; set HELM to its path")
    return found


HELM = binaries()


class Chart(unittest.TestCase):
    def helm(self, binary, *arguments, values="{}"):
        return subprocess.run([binary, *arguments, "-f", "-"], input=values, capture_output=True, text=True, cwd=CHART)

    def render(self, *arguments, values="{}", release="ffe-backend"):
        """The objects by kind; both versions of Helm must agree on them."""
        answers = []
        for binary in HELM:
            done = self.helm(binary, "template", release, ".", *arguments, values=values)
            self.assertEqual(done.returncode, 0, done.stderr)
            objects = [document for document in yaml.safe_load_all(done.stdout) if document]
            answers.append({document["kind"]: document for document in objects})
            self.assertEqual(len(objects), len(answers[-1]), "two objects of a kind")
        for answer in answers[1:]:
            self.assertEqual(answer, answers[0])
        return answers[0]

    def refused(self, *words, values="{}"):
        for binary in HELM:
            done = self.helm(binary, "template", "ffe-backend", ".", values=values)
            self.assertNotEqual(done.returncode, 0, values)
            for word in words:
                self.assertIn(word, done.stderr)

    def pod(self, objects):
        return objects["Deployment"]["spec"]["template"]["spec"]

    def environment(self, container):
        return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}

    def test_lint(self):
        for binary in HELM:
            for arguments in ([], *(["-f", f"values-{name}.yaml"] for name in PRESETS)):
                done = self.helm(binary, "lint", "--strict", ".", *arguments)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertNotRegex(done.stdout, "WARNING|ERROR")
            done = self.helm(binary, "lint", "--strict", ".", values=FROM_PROVIDER)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_preset_table(self):
        for name, column in PRESETS.items():
            with self.subTest(name):
                objects = self.render("-f", f"values-{name}.yaml")
                deployment, pod = objects["Deployment"], self.pod(objects)
                container = pod["containers"][0]
                values = yaml.safe_load((CHART / f"values-{name}.yaml").read_text())
                self.assertEqual(values["replicaCount"], column["replicas"])
                self.assertEqual(deployment["spec"].get("replicas"), None if column["autoscaling"] else column["replicas"])
                for kind, place in (("requests", 0), ("limits", 1)):
                    wanted = {"cpu": column["cpu"][place], "memory": column["memory"][place]}
                    self.assertEqual(container["resources"][kind], wanted)
                scaler = objects.get("HorizontalPodAutoscaler", {}).get("spec")
                found = (scaler["minReplicas"], scaler["maxReplicas"]) if scaler else None
                self.assertEqual(found, column["autoscaling"])
                readiness, liveness = container["readinessProbe"], container["livenessProbe"]
                found = readiness["timeoutSeconds"], readiness["periodSeconds"], readiness["failureThreshold"]
                self.assertEqual(found, column["probes"])
                self.assertEqual(liveness["timeoutSeconds"], column["probes"][0])
                self.assertEqual((readiness["httpGet"]["path"], liveness["httpGet"]["path"]), ("/ready", "/health"))
                claim = objects.get("PersistentVolumeClaim", {}).get("spec")
                self.assertEqual(claim and claim["resources"]["requests"]["storage"], column["persistence"])
                budget = objects.get("PodDisruptionBudget", {}).get("spec")
                self.assertEqual(budget and budget["minAvailable"], column["budget"])
                self.assertEqual(self.environment(container)["DB_POOL_SIZE"], str(column["pool"]))
                ingress = objects.get("Ingress")
                self.assertEqual(ingress is not None, column["issuer"] is not None)
                if ingress:
                    notes = ingress["metadata"]["annotations"]
                    self.assertEqual(notes["cert-manager.io/cluster-issuer"], column["issuer"])
                    self.assertEqual(notes["nginx.ingress.kubernetes.io/limit-rpm"], str(column["requests"]))
                    self.assertEqual(ingress["spec"]["tls"][0]["hosts"], values["ingress"]["hosts"])
                self.assertEqual(values["requestsPerMinute"], column["requests"])
                self.assertEqual("podAntiAffinity" in pod.get("affinity", {}), column["apart"])
                self.assertEqual(objects["ConfigMap"]["data"]["SECURITY_HEADERS"], column["headers"])
                self.assertEqual(deployment["spec"]["strategy"]["rollingUpdate"], {"maxSurge": 1, "maxUnavailable": 0})
                self.assertEqual(container["command"][-2:], ["--workers", "4"])
                self.assertEqual([init["name"] for init in pod["initContainers"]], ["wait-for-postgres"])

    def test_the_defaults_are_those_of_dev(self):
        self.assertEqual(self.render(), self.render("-f", "values-dev.yaml"))

    def test_values_of_the_provider(self):
        objects = self.render(values=FROM_PROVIDER)
        self.assertNotIn("ServiceAccount", objects)
        self.assertNotIn("Ingress", objects)
        pod = self.pod(objects)
        self.assertEqual(pod["serviceAccountName"], "ffe-shop")
        self.assertEqual(pod["securityContext"]["runAsUser"], 10001)
        self.assertEqual(pod["securityContext"]["fsGroup"], 1000)
        for container in [*pod["containers"], *pod["initContainers"]]:
            sources = [list(source.values())[0]["name"] for source in container["envFrom"]]
            self.assertEqual(sources, ["ffe-backend", "ffe-shop-config", "ffe-shop-app"])
            wanted = {"secretKeyRef": {"name": "ffe-shop-database", "key": "DATABASE_URL"}}
            self.assertEqual(self.environment(container)["DATABASE_URL"], wanted)
        notes = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(notes["ffe.three-rivers.tech/config-revision"], "c1")
        self.assertEqual(notes["ffe.three-rivers.tech/secrets-revision"], "s1")
        self.assertFalse([name for name in notes if "vault" in name], "Vault without a role")

    def test_restricted(self):
        everything = FROM_PROVIDER.replace("alembicMigrate: {enabled: false}", "alembicMigrate: {enabled: true}")
        for values in ("{}", everything):
            pod = self.pod(self.render(values=values))
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            self.assertFalse(pod["automountServiceAccountToken"])
            for container in [*pod["containers"], *pod["initContainers"]]:
                context = container["securityContext"]
                self.assertFalse(context["allowPrivilegeEscalation"])
                self.assertTrue(context["readOnlyRootFilesystem"])
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                self.assertEqual(set(container["resources"]), {"requests", "limits"})
                self.assertIn("/tmp", [mount["mountPath"] for mount in container["volumeMounts"]])

    def test_pods_are_replaced_when_a_setting_changes_and_only_then(self):
        def template(values, *arguments):
            return self.render(*arguments, values=values)["Deployment"]["spec"]["template"]

        before = template("{config_revision: a}")
        self.assertEqual(before, template("{config_revision: a, service: {annotations: {note: changed}}}"))
        for changed in ("{config_revision: b}", "{config_revision: a, secrets_revision: a}",
                        "{config_revision: a, logLevel: debug}", "{config_revision: a, config: {X: 1}}"):
            self.assertNotEqual(before, template(changed), changed)
        self.assertEqual(template("{config_revision: null}"), template("{}"))

    def test_a_changed_chart_version_alone_replaces_no_pods(self):
        labels = self.render()["Deployment"]["spec"]["template"]["metadata"]["labels"]
        self.assertNotIn("helm.sh/chart", labels)

    def test_migration_by_the_pods(self):
        pod = self.pod(self.render(values="initContainers: {alembicMigrate: {enabled: true, lockTimeout: 3s}}"))
        self.assertEqual([init["name"] for init in pod["initContainers"]], ["wait-for-postgres", "alembic-migrate"])
        self.assertEqual(pod["initContainers"][1]["command"], ["alembic", "-x", "lock_timeout=3s", "upgrade", "head"])
        none = self.pod(self.render(values="initContainers: {waitForPostgres: {enabled: false}}"))
        self.assertNotIn("initContainers", none)

    def test_the_last_word_on_settings(self):
        objects = self.render(values="{logLevel: info, strictSchema: true, config: {LOG_LEVEL: debug, LIMIT: 1.5, \"ON\": true}}")
        wanted = {"LOG_LEVEL": "debug", "STRICT_SCHEMA": "1", "LIMIT": "1.5", "ON": "true"}
        self.assertEqual({name: objects["ConfigMap"]["data"][name] for name in wanted}, wanted)
        container = self.pod(self.render(values="{env: {A: 1}, extraEnv: [{name: B, value: b}]}"))["containers"][0]
        self.assertEqual({name: self.environment(container)[name] for name in "AB"}, {"A": "1", "B": "b"})

    def test_names(self):
        self.assertEqual(self.render(release="shop")["Service"]["metadata"]["name"], "shop-ffe-backend")
        self.assertEqual(self.render(release="ffe-backend-2")["Service"]["metadata"]["name"], "ffe-backend-2")
        self.assertEqual(self.render(values="fullnameOverride: api")["Service"]["metadata"]["name"], "api")
        image = self.pod(self.render(values="image: {tag: 1.2.0-bad-ready}"))["containers"][0]["image"]
        self.assertEqual(image, "ffe-backend:1.2.0-bad-ready")
        port = self.render()["Service"]["spec"]["ports"][0]
        self.assertEqual((port["name"], port["port"]), ("http", 8000))

    def test_accounts_volumes_and_placement(self):
        self.assertEqual(self.pod(self.render(values="serviceAccount: {create: false}"))["serviceAccountName"], "default")
        objects = self.render(values="persistence: {enabled: true, existingClaim: mine}")
        self.assertNotIn("PersistentVolumeClaim", objects)
        claim = [v for v in self.pod(objects)["volumes"] if v["name"] == "data"][0]["persistentVolumeClaim"]
        self.assertEqual(claim["claimName"], "mine")
        hard = self.pod(self.render(values="{podAntiAffinity: hard, affinity: {nodeAffinity: {x: []}}}"))["affinity"]
        self.assertEqual(set(hard), {"podAntiAffinity", "nodeAffinity"})
        self.assertIn("requiredDuringSchedulingIgnoredDuringExecution", hard["podAntiAffinity"])

    def test_vault_with_a_role(self):
        objects = self.render(values="{environment: production, vault: {enabled: true, role: ffe}}")
        notes = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(notes["vault.hashicorp.com/agent-inject-secret-api-key"], "secret/production/app")
        wanted = '{{ with secret "secret/production/app" }}{{ .Data.data.API_KEY }}{{ end }}'
        self.assertEqual(notes["vault.hashicorp.com/agent-inject-template-api-key"], wanted)
        container = self.pod(objects)["containers"][0]
        self.assertEqual(self.environment(container)["API_KEY_FILE"], "/vault/secrets/api-key")

    def test_ingress_without_tls(self):
        ingress = self.render(values="ingress: {enabled: true, hosts: [a.example], className: traefik, tls: {enabled: false}}")
        self.assertNotIn("tls", ingress["Ingress"]["spec"])
        self.assertEqual(ingress["Ingress"]["spec"]["ingressClassName"], "traefik")
        self.assertFalse([n for n in ingress["Ingress"]["metadata"]["annotations"] if "redirect" in n or "cert" in n])

    def test_bad_values_are_named(self):
        self.refused("replicaCounts", values="replicaCounts: 2")
        self.refused("replicaCount", values="replicaCount: two")
        self.refused("poolsize", values="database: {poolsize: 2}")
        self.refused("memory", values="resources: {limits: {memory: lots}}")
        self.refused("podAntiAffinity", values="podAntiAffinity: strong")
        self.refused("tag", values="image: {tag: latest}")
        self.refused("tag", values="image: {tag: 1.1}")
        self.refused("workers", values="workers: 0")
        self.refused("ingress.hosts", values="ingress: {enabled: true}")
        self.refused("maxReplicas", values="autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 2}")

    def test_every_value_is_in_the_schema_and_used(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        schema = yaml.safe_load((CHART / "values.schema.json").read_text())
        self.assertEqual(set(values), set(schema["properties"]) - {"global"})
        text = "".join(path.read_text() for path in (CHART / "templates").iterdir())
        for name in values:
            self.assertTrue(re.search(rf"\.Values\.{name}\b", text), name)


if __name__ == "__main__":
    unittest.main()
