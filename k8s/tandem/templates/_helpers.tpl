{{/* Name of every object: the release's. KServe appends "-blue-predictor" and allows 63 characters in all. */}}
{{- define "tandem.fullname" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/*
Labels of the InferenceServices. KServe copies them to the pod template, so nothing that changes with a chart release
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

{{/* What selects the pods of one part: (list $ "redis"). */}}
{{- define "tandem.selector" -}}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/*
A value as text. Helm reads a bare number of a values file as a float, and prints one of a million or more as 1e+06:
JSON has all digits of it.
*/}}
{{- define "tandem.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end }}

{{- define "tandem.serviceAccountName" -}}
{{- .Values.serviceAccount.existingName | default (include "tandem.fullname" .) -}}
{{- end }}

{{/* Image of one target: (list $ "serving"). A digest names one image for ever, so it wins over the tag. */}}
{{- define "tandem.image" -}}
{{- $root := index . 0 -}}
{{- $target := index . 1 -}}
{{- $repository := printf "%s%s%s" $root.Values.images.prefix ($root.Values.images.separator | default "-") $target -}}
{{- with index $root.Values.images.digests $target -}}
{{- printf "%s@%s" $repository . -}}
{{- else -}}
{{- printf "%s:%s" $repository (include "tandem.text" $root.Values.images.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "tandem.imagePullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* What every container of Tandem may do: nothing but its work. */}}
{{- define "tandem.containerSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tandem.redisHost" -}}
{{- printf "%s-redis" (include "tandem.fullname" .) -}}
{{- end }}

{{/* URL of the event log: what is given, or the chart's Redis with its password and its authority. */}}
{{- define "tandem.eventLog" -}}
{{- $own := "" -}}
{{- with .Values.redis -}}
{{- if .enabled -}}
{{- $scheme := ternary "rediss" "redis" (ne .tls.existingSecret "") -}}
{{- $user := ternary ":$(REDIS_PASSWORD)@" "" (ne .auth.existingSecret "") -}}
{{- $authority := ternary "?ssl_ca_certs=/redis-tls/ca.crt" "" (ne .tls.existingSecret "") -}}
{{- $own = printf "%s://%s%s:6379/0%s" $scheme $user (include "tandem.redisHost" $) $authority -}}
{{- end -}}
{{- end -}}
{{- .Values.events.log | default $own -}}
{{- end }}

{{/* Whether clients need the certificate of the authority that signed the one of the chart's Redis. */}}
{{- define "tandem.redisTls" -}}
{{- if and .Values.redis.enabled .Values.redis.tls.existingSecret }}true{{ end -}}
{{- end }}

{{- define "tandem.redisTlsMount" -}}
{{- if include "tandem.redisTls" . }}
- name: redis-tls
  mountPath: /redis-tls
  readOnly: true
{{- end }}
{{- end }}

{{/* The authority alone: the key is Redis's. */}}
{{- define "tandem.redisTlsVolume" -}}
{{- if include "tandem.redisTls" . }}
- name: redis-tls
  secret:
    secretName: {{ .Values.redis.tls.existingSecret }}
    defaultMode: 0444
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- end }}
