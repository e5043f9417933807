{{/* Stops the rendering with every fault at once; values.schema.json has already refused unknown keys and wrong types. */}}
{{- define "tandem.requireConsistentValues" -}}
{{- $faults := concat (include "tandem.bundleFaults" . | fromJsonArray) (include "tandem.storeFaults" . | fromJsonArray) (include "tandem.trafficFaults" . | fromJsonArray) (include "tandem.jobFaults" . | fromJsonArray) (include "tandem.admissionFaults" . | fromJsonArray) -}}
{{- if not .Values.images.prefix -}}
{{- $faults = prepend $faults "images.prefix is empty: name the images, like registry.example.com/tandem" -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\nthese values cannot be installed:\n- %s" (join "\n- " $faults)) -}}
{{- end -}}
{{- end }}

{{- define "tandem.bundleFaults" -}}
{{- $faults := list -}}
{{- with .Values.bundle -}}
{{- $given := list -}}
{{- if .uri }}{{ $given = append $given "bundle.uri" }}{{ end -}}
{{- if .pvc.claimName }}{{ $given = append $given "bundle.pvc.claimName" }}{{ end -}}
{{- if .storageUri }}{{ $given = append $given "bundle.storageUri" }}{{ end -}}
{{- if gt (len $given) 1 -}}
{{- $faults = append $faults (printf "%s are both set: keep one" (join " and " $given)) -}}
{{- end -}}
{{- if not (or $given $.Values.training.enabled) -}}
{{- $faults = append $faults "none of bundle.uri, bundle.pvc.claimName and bundle.storageUri is set: the server needs a bundle" -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end }}

{{- define "tandem.storeFaults" -}}
{{- $faults := list -}}
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
{{- if not (or .connectionString .existingSecret $.Values.redis.enabled) -}}
{{- $faults = append $faults "neither featureStore.redis.connectionString nor featureStore.redis.existingSecret nor redis.enabled is set: the server reads user features from Redis" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.events.enabled (not (include "tandem.eventLog" .)) -}}
{{- $faults = append $faults "events.enabled is set and neither events.log nor redis.enabled: events need a durable log" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end }}

{{- define "tandem.trafficFaults" -}}
{{- $faults := list -}}
{{- if lt (int .Values.replicas.max) (int .Values.replicas.min) -}}
{{- $faults = append $faults (printf "replicas.max (%d) is below replicas.min (%d)" (int .Values.replicas.max) (int .Values.replicas.min)) -}}
{{- end -}}
{{- if ne (add .Values.slots.blue.weight .Values.slots.green.weight) 100 -}}
{{- $faults = append $faults (printf "slots.blue.weight (%d) and slots.green.weight (%d) do not make 100" (int .Values.slots.blue.weight) (int .Values.slots.green.weight)) -}}
{{- end -}}
{{- if and .Values.route.enabled (eq .Values.mode "Standard") (not .Values.route.hostnames) -}}
{{- $faults = append $faults "route.hostnames is empty: name the host that clients ask, or set route.enabled to false" -}}
{{- end -}}
{{- if and (eq .Values.autoscaling.class "keda") (not .Values.autoscaling.keda.prometheus) -}}
{{- $faults = append $faults "autoscaling.class is keda and autoscaling.keda.prometheus is empty: KEDA scales by a query" -}}
{{- end -}}
{{- if ge (int .Values.drainSeconds) (int .Values.terminationGracePeriodSeconds) -}}
{{- $faults = append $faults (printf "drainSeconds (%d) must be below terminationGracePeriodSeconds (%d)" (int .Values.drainSeconds) (int .Values.terminationGracePeriodSeconds)) -}}
{{- end -}}
{{- if and (eq .Values.mode "Knative") (ne .Values.autoscaling.class "hpa") -}}
{{- $faults = append $faults (printf "autoscaling.class %s is for mode Standard: Knative brings its own autoscaler" .Values.autoscaling.class) -}}
{{- end -}}
{{- toJson $faults -}}
{{- end }}

{{- define "tandem.jobFaults" -}}
{{- $faults := list -}}
{{- if and .Values.training.enabled (not .Values.training.bundles) -}}
{{- $faults = append $faults "training.enabled is set and training.bundles is empty: name the s3://bucket/prefix that bundles are published to" -}}
{{- end -}}
{{- if and .Values.drift.enabled (not .Values.impressionLog.claimName) -}}
{{- $faults = append $faults "drift.enabled is set and impressionLog.claimName is empty: drift reads what the pods have logged" -}}
{{- end -}}
{{- if and .Values.drift.enabled (not .Values.bundle.uri) -}}
{{- $faults = append $faults "drift.enabled is set and bundle.uri is empty: drift reads the reference sample of a published bundle" -}}
{{- end -}}
{{- if and .Values.training.workers.enabled (not .Values.training.claimName) -}}
{{- $faults = append $faults "training.workers.enabled is set and training.claimName is empty: all workers read the data sets of one workspace" -}}
{{- end -}}
{{- if and .Values.training.rollout (not (and .Values.training.enabled .Values.rollout.enabled)) -}}
{{- $faults = append $faults "training.rollout is set and training.enabled or rollout.enabled is not: a released bundle needs both" -}}
{{- end -}}
{{- /* The command refuses the same, but here it would do so after hours of training. */}}
{{- with .Values.rollout -}}
{{- $compared := or (has "overlap" .analysis.gates) (has "coverage" .analysis.gates) -}}
{{- if and $.Values.training.rollout (or $compared (has "answered" .analysis.gates)) (not .mirror.url) -}}
{{- $faults = append $faults "training.rollout is set and rollout.mirror.url is empty: answered, overlap and coverage ask both slots through the gateway" -}}
{{- end -}}
{{- if and $.Values.training.rollout $compared (lt (len .users) (int .analysis.minMirroredUsers)) -}}
{{- $faults = append $faults (printf "training.rollout is set and rollout.users names %d users: overlap and coverage need %d (rollout.analysis.minMirroredUsers)" (len .users) (int .analysis.minMirroredUsers)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.erasure -}}
{{- if and .receiptKeySecret (not .claimName) -}}
{{- $faults = append $faults "erasure.receiptKeySecret is set and erasure.claimName is empty: without the list of who was erased there is no receipt" -}}
{{- end -}}
{{- if and .claimName (not (or $.Values.server.apiKeySecret $.Values.server.apiKeysSecret)) -}}
{{- $faults = append $faults "erasure.claimName is set and neither server.apiKeySecret nor server.apiKeysSecret: an erasure asks for a key with the scope erase" -}}
{{- end -}}
{{- if and .claimName (eq .claimName $.Values.training.claimName) -}}
{{- $faults = append $faults "erasure.claimName and training.claimName are the same: the list needs a claim of its own" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.rollout.bundle (not .Values.rollout.enabled) -}}
{{- $faults = append $faults "rollout.bundle is set and rollout.enabled is not: the Job needs the account" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end }}

{{/* A policy that refuses the release's own pods is found here, not when the first one does not start. */}}
{{- define "tandem.admissionFaults" -}}
{{- $faults := list -}}
{{- if and .Values.admission.images.enabled .Values.admission.images.requireDigests -}}
{{- $used := list "serving" -}}
{{- if .Values.training.enabled }}{{ $used = append $used "training" }}{{ end -}}
{{- if .Values.drift.enabled }}{{ $used = append $used "monitoring" }}{{ end -}}
{{- range $used -}}
{{- if not (index $.Values.images.digests .) -}}
{{- $faults = append $faults (printf "admission.images.requireDigests is set and images.digests.%s is empty: the policy would refuse that image" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.admission.provenance.enabled (not .Values.admission.provenance.workflow) -}}
{{- $faults = append $faults "admission.provenance.enabled is set and admission.provenance.workflow is empty: name the workflow whose images may run" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end }}
