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
{{- printf "%s:%s" $repository ($root.Values.images.tag | default $root.Chart.AppVersion) -}}
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

{{/* redis://host:port/db of the event log, or what is given. */}}
{{- define "tandem.eventLog" -}}
{{- .Values.events.log | default (ternary (printf "redis://%s:6379/0" (include "tandem.redisHost" .)) "" .Values.redis.enabled) -}}
{{- end }}
