{{/* Settings of the server; serving/settings.py reads the TANDEM_ ones. Same arguments as tandem.predictorPod. */}}
{{- define "tandem.predictorEnv" -}}
{{- $values := .root.Values }}
{{- include "tandem.storeEnv" .root }}
- name: TANDEM_HOST
  value: "0.0.0.0" # the server's default is loopback
{{- if eq $values.mode "Standard" }}
- name: TANDEM_GRPC_PORT
  value: "8081"
{{- end }}
- name: TANDEM_VARIANT
  value: {{ .variant }}
- name: {{ include "tandem.bundleVariable" .root }}
  value: {{ .bundle | quote }}
{{- if $values.bundle.storageUri }}
# KServe's contract for a custom container: it reads STORAGE_URI, downloads to /mnt/models in an init container and then
# replaces the value by that path. The `storageUri` field exists on `predictor.model` only.
- name: TANDEM_BUNDLE_DIR
  value: /mnt/models
{{- end }}
- name: TANDEM_BUNDLE_CACHE
  value: /var/cache/tandem
- name: TANDEM_BUNDLE_TRIAL_SECONDS
  value: {{ include "tandem.text" $values.bundle.trial.seconds | quote }}
- name: TANDEM_BUNDLE_TRIAL_MEGABYTES
  value: {{ include "tandem.text" $values.bundle.trial.megabytes | quote }}
{{- with $values.bundle.publicKey }}
- name: TANDEM_BUNDLE_PUBLIC_KEY
  value: {{ . | quote }}
{{- end }}
- name: TANDEM_FEATURE_REPO
  value: /feature-repo
- name: TANDEM_CLOCK
  value: {{ $values.server.clock }}
{{- if eq $values.mode "Standard" }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
- name: TANDEM_IMPRESSION_LOG
  value: /var/log/tandem/{{ ternary "$(POD_NAME)" "impressions" (eq $values.mode "Standard") }}.jsonl
{{- if $values.impressionLog.claimName }}
- name: TANDEM_IMPRESSION_FOLDER_SHARED
  value: "true"
{{- end }}
- name: TANDEM_IMPRESSION_LOG_BYTES
  value: {{ include "tandem.text" $values.impressionLog.maxBytes | quote }}
- name: TANDEM_IMPRESSION_LOG_HOURS
  value: {{ include "tandem.text" $values.impressionLog.maxHours | quote }}
- name: TANDEM_LOG_LEVEL
  value: {{ $values.server.logLevel }}
{{- if $values.events.enabled }}
- name: TANDEM_EVENT_LOG
  value: {{ include "tandem.eventLog" .root | quote }}
{{- end }}
- name: TANDEM_OPEN_SCOPES
  value: {{ $values.server.openScopes | join "," | default "none" | quote }}
- name: TANDEM_LISTS_PER_SECOND
  value: {{ include "tandem.text" $values.server.listsPerSecond | quote }}
- name: TANDEM_LISTS_IN_FLIGHT
  value: {{ include "tandem.text" $values.server.listsInFlight | quote }}
- name: TANDEM_TRUSTED_PROXIES
  value: {{ include "tandem.text" $values.server.trustedProxies | quote }}
- name: TANDEM_ALLOWED_HOSTS
  value: {{ $values.server.allowedHosts | join "," | quote }}
- name: TANDEM_ALLOWED_ORIGINS
  value: {{ $values.server.allowedOrigins | join "," | quote }}
{{- with $values.server.apiKeysSecret }}
# A folder and not one file: a mounted file never changes, and keys are rotated without a restart.
- name: TANDEM_API_KEYS
  value: /keys/keys.yaml
{{- end }}
{{- with $values.server.apiKeySecret }}
- name: TANDEM_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: api-key
{{- end }}
{{- with $values.server.userTokenSecret }}
- name: TANDEM_USER_TOKEN_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: user-token-key
{{- end }}
{{ include "tandem.recordsEnv" .root | trim }}
{{ include "tandem.sharedEnv" .root | trim }}
{{- end }}

{{/* Before what refers to it as $(REDIS_PASSWORD): the kubelet knows only variables that came earlier. */}}
{{- define "tandem.redisPassword" -}}
{{- with .Values.redis }}
{{- if and .enabled .auth.existingSecret }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .auth.existingSecret }}
      key: {{ .auth.existingSecretKey }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where features and objects lie; every part of the release reads the same. */}}
{{- define "tandem.storeEnv" -}}
{{- include "tandem.redisPassword" . }}
{{- with .Values.featureStore.redis }}
{{- if .existingSecret }}
- name: REDIS_CONNECTION_STRING
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .existingSecretKey }}
{{- end }}
{{- end }}
{{- with .Values.objectStore }}
- name: AWS_DEFAULT_REGION
  value: {{ .region }}
{{- if .endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ .endpoint | quote }}
- name: FEAST_S3_ENDPOINT_URL # Feast does not read the usual name
  value: {{ .endpoint | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tandem.storeCredentials" -}}
{{- with .Values.objectStore.existingSecret }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end }}
