{{/* Job template of a pipeline run: (dict "root" $ "part" NAME "options" OPTIONS-OF-RETRAIN). */}}
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
      serviceAccountName: {{ include "tandem.serviceAccountName" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      restartPolicy: Never
      {{- include "tandem.imagePullSecrets" $root | nindent 6 }}
      securityContext:
        fsGroup: 1000
      containers:
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
            - name: tmp
              mountPath: /tmp
      volumes:
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
        - name: tmp
          emptyDir: {}
{{- end }}
