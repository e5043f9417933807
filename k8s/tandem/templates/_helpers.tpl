{{/* Name of every object. KServe appends "-predictor" to it and allows 63 characters in all. */}}
{{- define "tandem.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/*
Labels of the InferenceService. KServe copies them to the pod template, so nothing that changes with a chart release
may stand here: a new chart version alone must not restart the pods.
*/}}
{{- define "tandem.stableLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels of everything else. */}}
{{- define "tandem.labels" -}}
{{ include "tandem.stableLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tandem.serviceAccountName" -}}
{{- .Values.serviceAccount.existingName | default (include "tandem.fullname" .) -}}
{{- end }}

{{/* A digest names one image for ever, so it wins over the tag. */}}
{{- define "tandem.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* KServe mounts what storageUri names at /mnt/models; a claim is mounted there too, so the server knows one place. */}}
{{- define "tandem.bundleDir" -}}
{{- if .Values.bundle.pvc.claimName -}}
{{- list "/mnt/models" .Values.bundle.pvc.path | join "/" | clean -}}
{{- else -}}
/mnt/models
{{- end -}}
{{- end }}

{{/* Stops the rendering with every fault at once; values.schema.json has already refused unknown keys and wrong types. */}}
{{- define "tandem.requireConsistentValues" -}}
{{- $faults := list -}}
{{- if not .Values.image.repository -}}
{{- $faults = append $faults "image.repository is empty: name the serving image" -}}
{{- end -}}
{{- if and .Values.bundle.pvc.claimName .Values.bundle.storageUri -}}
{{- $faults = append $faults "bundle.pvc.claimName and bundle.storageUri are both set: keep one" -}}
{{- end -}}
{{- if not (or .Values.bundle.pvc.claimName .Values.bundle.storageUri) -}}
{{- $faults = append $faults "neither bundle.pvc.claimName nor bundle.storageUri is set: the server needs a bundle" -}}
{{- end -}}
{{- if not .Values.featureStore.registryPath -}}
{{- $faults = append $faults "featureStore.registryPath is empty: give the path of the Feast registry file" -}}
{{- end -}}
{{- with .Values.featureStore.redis -}}
{{- if and .connectionString .existingSecret -}}
{{- $faults = append $faults "featureStore.redis.connectionString and featureStore.redis.existingSecret are both set: keep one" -}}
{{- end -}}
{{- if contains "password=" .connectionString -}}
{{- $faults = append $faults "featureStore.redis.connectionString holds a password, which would lie in a ConfigMap: use existingSecret" -}}
{{- end -}}
{{- if not (or .connectionString .existingSecret) -}}
{{- $faults = append $faults "neither featureStore.redis.connectionString nor featureStore.redis.existingSecret is set: the server reads user features from Redis" -}}
{{- end -}}
{{- end -}}
{{- if lt (int .Values.replicas.max) (int .Values.replicas.min) -}}
{{- $faults = append $faults (printf "replicas.max (%d) is below replicas.min (%d)" (int .Values.replicas.max) (int .Values.replicas.min)) -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\nthese values cannot be installed:\n- %s" (join "\n- " $faults)) -}}
{{- end -}}
{{- end }}

{{/*
Feast's configuration. Feast expands environment variables in this file, so a Redis password stays in its Secret.
serve_features_while_materializing: without it every read fails while a materialize runs (Feast 0.64 and later).
*/}}
{{- define "tandem.featureStore" -}}
{{- with .Values.featureStore -}}
project: {{ .project | quote }}
provider: local
registry:
  registry_type: file
  path: {{ .registryPath | quote }}
  cache_ttl_seconds: {{ .registryCacheTtlSeconds }}
  cache_mode: thread
  serve_features_while_materializing: true
online_store:
  type: redis
  connection_string: {{ ternary "${REDIS_CONNECTION_STRING}" .redis.connectionString (not (empty .redis.existingSecret)) | quote }}
entity_key_serialization_version: 3
{{- end -}}
{{- end }}
