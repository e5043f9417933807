{{/* Pod of one predictor: the part of an InferenceService that Kubernetes, not KServe, defines. */}}
{{- define "tandem.podSpec" -}}
serviceAccountName: {{ include "tandem.serviceAccountName" . }}
# A Service named tandem-* would otherwise add TANDEM_*_PORT to the variables the settings are read from.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  # KServe's download container runs as this user too; sharing it lets both read the files.
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile:
    type: RuntimeDefault
containers:
  # KServe looks this name up to inject the bundle and to fill in defaults.
  - name: kserve-container
    image: {{ include "tandem.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: ["python", "-m", "serving"]
    ports:
      # HTTP first: KServe maps port 80 of the Service to the first port.
      - name: http
        containerPort: 8080
        protocol: TCP
      - name: grpc
        containerPort: 8081
        protocol: TCP
    env:
      {{- include "tandem.env" . | nindent 6 }}
    startupProbe:
      httpGet:
        path: /v1/models/recommender
        port: http
      periodSeconds: 5
      failureThreshold: {{ div (add .Values.startupSeconds 4) 5 }}
    # Not /v2/health/ready: it says true even after the model was unloaded.
    readinessProbe:
      httpGet:
        path: /v1/models/recommender
        port: http
      periodSeconds: 2
      failureThreshold: 2
    # Only the process, not the model: a restart would not cure a bundle that failed to load.
    livenessProbe:
      httpGet:
        path: /
        port: http
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    lifecycle:
      # The server closes its socket at once on SIGTERM; endpoints need seconds to forget the pod.
      preStop:
        sleep:
          seconds: 8
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - name: feature-repo
        mountPath: /feature-repo
        readOnly: true
      - name: impressions
        mountPath: /var/log/tandem
      - name: tmp
        mountPath: /tmp
      {{- if .Values.bundle.pvc.claimName }}
      - name: bundles
        mountPath: /mnt/models
        readOnly: true
      {{- end }}
volumes:
  - name: feature-repo
    configMap:
      name: {{ include "tandem.fullname" . }}-feature-store
  - name: impressions
    emptyDir:
      sizeLimit: {{ .Values.impressionLog.sizeLimit }}
  # Python and Feast's registry download need a writable folder beside the read-only root.
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  {{- if .Values.bundle.pvc.claimName }}
  # The whole claim, not a subPath: a subPath is resolved once, so the link `current` could never be moved under a running pod.
  - name: bundles
    persistentVolumeClaim:
      claimName: {{ .Values.bundle.pvc.claimName }}
      readOnly: true
  {{- end }}
{{- end }}

{{/* Settings of the server; serving/settings.py reads the TANDEM_ ones. */}}
{{- define "tandem.env" -}}
- name: TANDEM_HOST
  value: "0.0.0.0" # the server's default is loopback
- name: TANDEM_GRPC_PORT
  value: "8081"
- name: TANDEM_BUNDLE_DIR
  value: {{ include "tandem.bundleDir" . | quote }}
- name: TANDEM_FEATURE_REPO
  value: /feature-repo
# Requests are answered as of now; a replay of recorded traffic uses another clock.
- name: TANDEM_CLOCK
  value: wall
- name: TANDEM_IMPRESSION_LOG
  value: /var/log/tandem/impressions.jsonl
- name: TANDEM_LOG_LEVEL
  value: {{ .Values.server.logLevel }}
{{- with .Values.bundle.storageUri }}
# KServe's contract for a custom container: it reads this variable, downloads to /mnt/models in an init container and then
# replaces the value by that path. The `storageUri` field exists on `predictor.model` only.
- name: STORAGE_URI
  value: {{ . | quote }}
{{- end }}
{{- with .Values.featureStore.redis }}
{{- if .existingSecret }}
- name: REDIS_CONNECTION_STRING
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .existingSecretKey }}
{{- end }}
{{- end }}
{{- end }}
