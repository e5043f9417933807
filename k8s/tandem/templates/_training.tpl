{{/*
Job template of a pipeline run: (dict "root" $ "part" NAME "options" OPTIONS-OF-RETRAIN). With "release" it has a second
container, which releases what the first has published.
*/}}
{{- define "tandem.trainingJob" -}}
{{- $root := .root }}
{{- $name := include "tandem.fullname" $root }}
metadata:
  labels:
    {{- include "tandem.stableLabels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .part }}
spec:
  # A gate that fails fails the job; another try would train the same again.
  backoffLimit: 0
  ttlSecondsAfterFinished: 604800
  template:
    metadata:
      labels:
        {{- include "tandem.stableLabels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .part }}
    spec:
      serviceAccountName: {{ include "tandem.trainingAccount" $root }}
      automountServiceAccountToken: {{ if .release }}true{{ else }}false{{ end }}
      enableServiceLinks: false
      restartPolicy: Never
      {{- include "tandem.imagePullSecrets" $root | nindent 6 }}
      securityContext:
        fsGroup: 1000
      {{- if .release }}
      # One after the other: a run that fails ends here, and what serves goes on serving.
      initContainers:
      {{- else }}
      containers:
      {{- end }}
        - name: {{ .part }}
          image: {{ include "tandem.image" (list $root "training") | quote }}
          imagePullPolicy: {{ $root.Values.images.pullPolicy }}
          command: ["tandem", "retrain"]
          args:
            - --root=/workspace
            - --project=/opt/project
            - --feature-store=/feature-store/feature_store.yaml
            - --bundles={{ $root.Values.training.bundles }}
            {{- if $root.Values.training.params }}
            - --params=/params/params.yaml
            {{- end }}
            {{- if not $root.Values.training.gates }}
            - --first
            {{- end }}
            {{- range .options }}
            - {{ . }}
            {{- end }}
            {{- if .release }}
            - --receipt=/workspace/bundle-url
            {{- end }}
          env:
            {{- with $root.Values.training.mlflowUrl }}
            - name: MLFLOW_TRACKING_URI
              value: {{ . | quote }}
            {{- end }}
            {{- include "tandem.storeEnv" $root | trim | nindent 12 }}
            {{- if $root.Values.training.signingKeySecret }}
            - name: TANDEM_SIGNING_KEY
              value: /signing-key/signing-key
            {{- end }}
            {{- if $root.Values.training.modelSigningKeySecret }}
            - name: TANDEM_MODEL_SIGNING_KEY
              value: /model-signing-key/model-signing-key
            {{- end }}
          {{- include "tandem.storeCredentials" $root | nindent 10 }}
          resources:
            {{- toYaml $root.Values.training.resources | nindent 12 }}
          securityContext:
            {{- include "tandem.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - name: workspace
              mountPath: /workspace
            - name: feature-store
              mountPath: /feature-store
              readOnly: true
            # Where the pipeline looks for who was erased: an ingest leaves them out.
            {{- include "tandem.erasureMount" (list $root "/workspace/erasures") | trim | nindent 12 }}
            {{- include "tandem.redisTlsMount" $root | trim | nindent 12 }}
            {{- if $root.Values.training.params }}
            - name: params
              mountPath: /params
              readOnly: true
            {{- end }}
            {{- if $root.Values.training.signingKeySecret }}
            - name: signing-key
              mountPath: /signing-key
              readOnly: true
            {{- end }}
            {{- if $root.Values.training.modelSigningKeySecret }}
            - name: model-signing-key
              mountPath: /model-signing-key
              readOnly: true
            {{- end }}
            - name: tmp
              mountPath: /tmp
      {{- if .release }}
      containers:
        - name: rollout
          image: {{ include "tandem.image" (list $root "serving") | quote }}
          imagePullPolicy: {{ $root.Values.images.pullPolicy }}
          command: ["tandem", "rollout", "start"]
          args:
            - --release={{ $name }}
            - --bundle-file=/workspace/bundle-url
            - --settings=/settings/rollout.yaml
          {{- include "tandem.rolloutEnv" $root | nindent 10 }}
          resources:
            {{- toYaml $root.Values.rollout.resources | nindent 12 }}
          securityContext:
            {{- include "tandem.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - name: workspace
              mountPath: /workspace
              readOnly: true
            {{- include "tandem.rolloutMounts" $root | nindent 12 }}
            - name: tmp
              mountPath: /tmp
      {{- end }}
      volumes:
        {{- if .release }}
        {{- include "tandem.rolloutVolumes" $root | nindent 8 }}
        {{- end }}
        - name: workspace
          {{- if $root.Values.training.claimName }}
          persistentVolumeClaim:
            claimName: {{ $root.Values.training.claimName }}
          {{- else }}
          emptyDir: {}
          {{- end }}
        - name: feature-store
          configMap:
            name: {{ $name }}-feature-store-offline
        {{- include "tandem.erasureVolume" $root | trim | nindent 8 }}
        {{- include "tandem.redisTlsVolume" $root | trim | nindent 8 }}
        {{- if $root.Values.training.params }}
        - name: params
          configMap:
            name: {{ $name }}-params
        {{- end }}
        {{- with $root.Values.training.signingKeySecret }}
        - name: signing-key
          secret:
            secretName: {{ . }}
        {{- end }}
        {{- with $root.Values.training.modelSigningKeySecret }}
        - name: model-signing-key
          secret:
            secretName: {{ . }}
        {{- end }}
        - name: tmp
          emptyDir: {}
{{- end }}

{{/* "yes" where a training run releases what it has published: there is something to compare it with. */}}
{{- define "tandem.trainingReleases" -}}
{{- if and .Values.training.enabled .Values.training.rollout (include "tandem.serves" .) }}yes{{ end -}}
{{- end }}

{{/* Account of the jobs that write bundles and features, and may also release: the predictors must not have these rights. */}}
{{- define "tandem.trainingAccount" -}}
{{- .Values.serviceAccount.existingName | default (printf "%s-train" (include "tandem.fullname" .)) -}}
{{- end }}
