{{/*
What outlives a pod beside features and events: who was erased, who changed what; and files that operators write. Every
part that reads or writes them has the same variables, mounts and volumes, so each is written down once.
*/}}

{{/* Variables of servers and of the consumer of events: both read serving/settings.py. */}}
{{- define "tandem.sharedEnv" -}}
{{- if .Values.erasure.claimName }}
- name: TANDEM_ERASURES
  value: /erasures
{{- end }}
- name: TANDEM_EVENT_RETENTION_DAYS
  value: {{ include "tandem.text" .Values.events.retentionDays | quote }}
{{- range $name, $value := .Values.server.extraEnv }}
- name: {{ $name }}
  value: {{ include "tandem.text" $value | quote }}
{{- end }}
{{- end }}

{{/* Variables of servers alone. */}}
{{- define "tandem.recordsEnv" -}}
- name: TANDEM_NOT_INTERESTED_DAYS
  value: {{ include "tandem.text" .Values.server.notInterestedDays | quote }}
{{- with .Values.erasure }}
{{- if .claimName }}
- name: TANDEM_BUNDLE_LIFE_DAYS
  value: {{ include "tandem.text" .bundleLifeDays | quote }}
{{- if .receiptKeySecret }}
- name: TANDEM_RECEIPT_KEY
  value: /receipt-key/receipt-key
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.server.rules }}
- name: TANDEM_RULES
  value: /server-files/rules.yaml
{{- end }}
{{- if .Values.server.experiment }}
- name: TANDEM_EXPERIMENT
  value: /server-files/experiment.yaml
{{- end }}
{{- include "tandem.auditEnv" . }}
{{- end }}

{{- define "tandem.recordsMounts" -}}
{{- include "tandem.erasureMount" (list . "/erasures") }}
{{- if and .Values.erasure.claimName .Values.erasure.receiptKeySecret }}
- name: receipt-key
  mountPath: /receipt-key
  readOnly: true
{{- end }}
{{- if or .Values.server.rules .Values.server.experiment }}
# A folder and not single files: a mounted file never changes, and a change is in effect without a restart.
- name: server-files
  mountPath: /server-files
  readOnly: true
{{- end }}
{{- include "tandem.auditMount" . }}
{{- end }}

{{- define "tandem.recordsVolumes" -}}
{{- include "tandem.erasureVolume" . }}
{{- if .Values.erasure.claimName }}
{{- with .Values.erasure.receiptKeySecret }}
- name: receipt-key
  secret:
    secretName: {{ . }}
    # Knative knows no group of a pod's files.
    defaultMode: {{ ternary "0440" "0444" (eq $.Values.mode "Standard") }}
{{- end }}
{{- end }}
{{- if or .Values.server.rules .Values.server.experiment }}
- name: server-files
  configMap:
    name: {{ include "tandem.fullname" . }}-server-files
{{- end }}
{{- include "tandem.auditVolume" . }}
{{- end }}

{{/* The list of who was erased: (list $ PATH). */}}
{{- define "tandem.erasureMount" -}}
{{- if (index . 0).Values.erasure.claimName }}
- name: erasures
  mountPath: {{ index . 1 }}
{{- end }}
{{- end }}

{{- define "tandem.erasureVolume" -}}
{{- with .Values.erasure.claimName }}
- name: erasures
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- end }}

{{- define "tandem.auditEnv" -}}
{{- if .Values.auditLog.claimName }}
- name: TANDEM_AUDIT_LOG
  value: /audit/audit.jsonl
{{- end }}
{{- end }}

{{- define "tandem.auditMount" -}}
{{- if .Values.auditLog.claimName }}
- name: audit
  mountPath: /audit
{{- end }}
{{- end }}

{{- define "tandem.auditVolume" -}}
{{- with .Values.auditLog.claimName }}
- name: audit
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- end }}
