{{/*
Pod of one predictor, the part of an InferenceService that Kubernetes, not KServe, defines:
(dict "root" $ "name" NAME-OF-INFERENCESERVICE "variant" SLOT "bundle" BUNDLE). Knative refuses some keys of a pod.
*/}}
{{- define "tandem.predictorPod" -}}
{{- $root := .root }}
{{- $standard := eq $root.Values.mode "Standard" }}
serviceAccountName: {{ include "tandem.serviceAccountName" $root }}
{{- include "tandem.imagePullSecrets" $root }}
# A Service named tandem-* would otherwise add TANDEM_*_PORT to the variables the settings are read from.
enableServiceLinks: false
{{- if $standard }}
terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
  # One node less must not be a slot less.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        serving.kserve.io/inferenceservice: {{ .name }}
securityContext:
  # KServe's download container runs as this user too; sharing it lets both read the files.
  fsGroup: 1000
{{- end }}
containers:
  # KServe looks this name up to inject the bundle and to fill in defaults.
  - name: kserve-container
    image: {{ include "tandem.image" (list $root "serving") | quote }}
    imagePullPolicy: {{ $root.Values.images.pullPolicy }}
    command: ["python", "-m", "serving"]
    ports:
      # HTTP first: KServe maps port 80 of the Service to the first port. Knative allows one port, named for its protocol.
      - name: {{ ternary "http" "http1" $standard }}
        containerPort: 8080
        protocol: TCP
      {{- if $standard }}
      - name: grpc
        containerPort: 8081
        protocol: TCP
      {{- end }}
    env:
      {{- include "tandem.predictorEnv" . | trim | nindent 6 }}
    {{- include "tandem.storeCredentials" $root | nindent 4 }}
    {{- include "tandem.predictorProbes" $root | nindent 4 }}
    resources:
      {{- toYaml $root.Values.resources | nindent 6 }}
    securityContext:
      {{- include "tandem.containerSecurity" $root | nindent 6 }}
    volumeMounts:
      - name: feature-repo
        mountPath: /feature-repo
        readOnly: true
      - name: impressions
        mountPath: /var/log/tandem
      {{- if $root.Values.server.apiKeysSecret }}
      - name: keys
        mountPath: /keys
        readOnly: true
      {{- end }}
      {{- include "tandem.recordsMounts" $root | trim | nindent 6 }}
      {{- include "tandem.redisTlsMount" $root | trim | nindent 6 }}
      - name: tmp
        mountPath: /tmp
      - name: bundle-cache
        mountPath: /var/cache/tandem
      {{- if $root.Values.bundle.pvc.claimName }}
      - name: bundles
        mountPath: /mnt/models
        readOnly: true
      {{- end }}
volumes:
  {{- include "tandem.recordsVolumes" $root | trim | nindent 2 }}
  {{- include "tandem.redisTlsVolume" $root | trim | nindent 2 }}
  - name: feature-repo
    configMap:
      name: {{ include "tandem.fullname" $root }}-feature-store
  {{- with $root.Values.server.apiKeysSecret }}
  - name: keys
    secret:
      secretName: {{ . }}
      # Knative knows no group of a pod's files.
      defaultMode: {{ ternary "0440" "0444" $standard }}
  {{- end }}
  - name: impressions
    {{- if $root.Values.impressionLog.claimName }}
    persistentVolumeClaim:
      claimName: {{ $root.Values.impressionLog.claimName }}
    {{- else }}
    emptyDir:
      sizeLimit: {{ $root.Values.impressionLog.sizeLimit }}
    {{- end }}
  # Python and Feast's registry download need a writable folder next to the read-only root.
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  - name: bundle-cache
    emptyDir: {}
  {{- if $root.Values.bundle.pvc.claimName }}
  # The whole claim, not a subPath: a subPath is resolved once, so the link `current` could never be moved under a running pod.
  - name: bundles
    persistentVolumeClaim:
      claimName: {{ $root.Values.bundle.pvc.claimName }}
      readOnly: true
  {{- end }}
{{- end }}

{{- define "tandem.predictorProbes" -}}
startupProbe:
  httpGet:
    path: /v1/models/recommender
    port: 8080
  periodSeconds: 2
  failureThreshold: {{ div (add .Values.startupSeconds 1) 2 }}
# Says no while no bundle answers.
readinessProbe:
  httpGet:
    path: /v1/models/recommender
    port: 8080
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
# Only the process, not the model: a restart would not cure a bundle that failed to load.
livenessProbe:
  httpGet:
    path: /
    port: 8080
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- if eq .Values.mode "Standard" }}
lifecycle:
  # The server closes its socket at once on SIGTERM; endpoints and gateway need seconds to forget the pod.
  preStop:
    sleep:
      seconds: {{ .Values.drainSeconds }}
{{- end }}
{{- end }}
