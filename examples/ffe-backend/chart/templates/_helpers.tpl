{{- define "ffe-backend.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's own name where it says what it is, so that a release `ffe-backend` makes a service `ffe-backend`. */}}
{{- define "ffe-backend.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Never changes between versions: a Deployment's selector cannot. */}}
{{- define "ffe-backend.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ffe-backend.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ffe-backend.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "ffe-backend.selectorLabels" . }}
app.kubernetes.io/version: {{ include "ffe-backend.tag" . | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "ffe-backend.tag" -}}
{{- .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "ffe-backend.image" -}}
{{ .Values.image.repository }}:{{ include "ffe-backend.tag" . }}
{{- end }}

{{- define "ffe-backend.serviceAccountName" -}}
{{- $default := ternary (include "ffe-backend.fullname" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $default }}
{{- end }}

{{- define "ffe-backend.tlsSecretName" -}}
{{- .Values.ingress.tls.secretName | default (printf "%s-tls" (include "ffe-backend.fullname" .)) }}
{{- end }}

{{/* Settings that are not secret. `config` may replace each of them. */}}
{{- define "ffe-backend.config" -}}
{{- $data := dict
      "ENVIRONMENT" .Values.environment
      "LOG_LEVEL" .Values.logLevel
      "STRICT_SCHEMA" (ternary "1" "0" .Values.strictSchema)
      "SECURITY_HEADERS" (ternary "1" "0" .Values.securityHeaders.enabled)
      "DATA_DIR" "/data" }}
{{- range $name, $value := merge (deepCopy .Values.config) $data }}
{{ $name | quote }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* Whether the Vault agent writes the API key into the pod. */}}
{{- define "ffe-backend.vault" -}}
{{- if and .Values.vault.enabled .Values.vault.role }}true{{ end }}
{{- end }}

{{/* The environment of every container of the pod: the same settings, so that the first one finds what is wrong. */}}
{{- define "ffe-backend.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "ffe-backend.fullname" . }}
  {{- with .Values.existingConfigMap }}
  - configMapRef:
      name: {{ . | quote }}
  {{- end }}
  {{- with .Values.existingSecret }}
  - secretRef:
      name: {{ . | quote }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - name: PYTHONDONTWRITEBYTECODE
    value: "1"
  - name: PYTHONUNBUFFERED
    value: "1"
  - name: DB_POOL_SIZE
    value: {{ .Values.database.poolSize | int | quote }}
  {{- with .Values.database.existingSecret }}
  - name: DATABASE_URL
    valueFrom:
      secretKeyRef:
        name: {{ . | quote }}
        key: {{ $.Values.database.secretKey | quote }}
  {{- end }}
  {{- if include "ffe-backend.vault" . }}
  - name: API_KEY_FILE
    value: /vault/secrets/api-key
  {{- end }}
  {{- range $name, $value := .Values.env }}
  - name: {{ $name | quote }}
    value: {{ $value | toString | quote }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "ffe-backend.affinity" -}}
{{- $affinity := deepCopy (.Values.affinity | default dict) }}
{{- if and (ne .Values.podAntiAffinity "none") (not (hasKey $affinity "podAntiAffinity")) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "ffe-backend.selectorLabels" . | fromYaml)) }}
{{- if eq .Values.podAntiAffinity "hard" }}
{{- $_ := set $affinity "podAntiAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term)) }}
{{- else }}
{{- $_ := set $affinity "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term))) }}
{{- end }}
{{- end }}
{{- if $affinity }}
{{- toYaml $affinity }}
{{- end }}
{{- end }}
