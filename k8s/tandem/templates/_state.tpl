{{/*
State that `tandem rollout` changes while the release runs, read back so that `helm upgrade` keeps it (k8s/README.md).
Without a cluster to ask (`helm template`), and at the first installation, the values decide.
*/}}

{{/* The variable that says where a slot's bundle lies. With storageUri KServe downloads, and the server reads /mnt/models. */}}
{{- define "tandem.bundleVariable" -}}
{{- ternary "STORAGE_URI" "TANDEM_BUNDLE_DIR" (not (empty .Values.bundle.storageUri)) -}}
{{- end }}

{{/* Bundle of one slot: (list $ NAME-OF-INFERENCESERVICE FIRST). FIRST is the slot's own value, or empty. */}}
{{- define "tandem.slotBundle" -}}
{{- $root := index . 0 -}}
{{- $bundle := dict "is" (index . 2 | default (include "tandem.firstBundle" $root)) -}}
{{- $live := lookup "serving.kserve.io/v1beta1" "InferenceService" $root.Release.Namespace (index . 1) -}}
{{- range (dig "spec" "predictor" "containers" list $live) -}}
{{- range .env -}}
{{- if and (eq .name (include "tandem.bundleVariable" $root)) .value -}}
{{- $_ := set $bundle "is" .value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $bundle.is -}}
{{- end }}

{{/* Slot of the latest revision in Knative mode, where the two slots take turns in one InferenceService: its predictor. */}}
{{- define "tandem.liveVariant" -}}
{{- $slot := dict "is" "blue" -}}
{{- range (.containers | default list) -}}
{{- range .env -}}
{{- if and (eq .name "TANDEM_VARIANT") .value -}}
{{- $_ := set $slot "is" .value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $slot.is -}}
{{- end }}

{{- define "tandem.firstBundle" -}}
{{- with .Values.bundle -}}
{{- if .pvc.claimName -}}
{{- list "/mnt/models" (include "tandem.text" .pvc.path) | join "/" | clean -}}
{{- else -}}
{{- .uri | default .storageUri -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* {"blue": 100, "green": 0} as JSON. The weighted rule is the last one. */}}
{{- define "tandem.weights" -}}
{{- $name := include "tandem.fullname" . -}}
{{- $weights := dict "blue" .Values.slots.blue.weight "green" .Values.slots.green.weight -}}
{{- $live := lookup "gateway.networking.k8s.io/v1" "HTTPRoute" .Release.Namespace $name -}}
{{- with dig "spec" "rules" list $live -}}
{{- range (last .).backendRefs -}}
{{- $slot := .name | trimPrefix (printf "%s-" $name) | trimSuffix "-predictor" -}}
{{- if hasKey $weights $slot -}}
{{- $_ := set $weights $slot .weight -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $weights -}}
{{- end }}

{{/* "yes" where there is a bundle to serve; without one the slots wait for the first training run. */}}
{{- define "tandem.serves" -}}
{{- if include "tandem.firstBundle" . }}yes{{ end -}}
{{- end }}

{{/* Bundle of the slot with the larger share, as of this rendering. */}}
{{- define "tandem.stableBundle" -}}
{{- $name := include "tandem.fullname" . -}}
{{- if eq .Values.mode "Standard" -}}
{{- $weights := include "tandem.weights" . | fromJson -}}
{{- $slot := ternary "green" "blue" (gt (int $weights.green) (int $weights.blue)) -}}
{{- include "tandem.slotBundle" (list . (printf "%s-%s" $name $slot) (include "tandem.text" (index .Values.slots $slot).bundle)) -}}
{{- else -}}
{{- include "tandem.slotBundle" (list . $name "") -}}
{{- end -}}
{{- end }}
