{{/* A bridge's Deployment. Call with a dict: root, component, program (its values), args, listens (whether
strangers send to it). */}}
{{- define "genesys-streams.bridge" -}}
{{- $own := dict "BRIDGE_HOST" "0.0.0.0" "BRIDGE_PORT" "8080" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "genesys-streams.objectName" (list .root .component) }}
  labels: {{ include "genesys-streams.labels" (list .root .component) | nindent 4 }}
spec:
  replicas: {{ .program.replicas }}
  # The new pod is ready before an old one is stopped.
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{ include "genesys-streams.selector" (list .root .component) | nindent 6 }}
  template:
    metadata: {{ include "genesys-streams.podMetadata" (list .root .component .program) | nindent 6 }}
    spec:
      {{- include "genesys-streams.podSpec" (list .root .component .program (include "genesys-streams.serviceAccountName" (list .root .component .program))) | nindent 6 }}
      terminationGracePeriodSeconds: {{ .program.terminationGracePeriodSeconds }}
      containers:
        - name: bridge
          image: {{ include "genesys-streams.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: {{ .args | toJson }}
          env:
            {{- include "genesys-streams.env" (dict "root" .root "program" .program "own" $own) | trim | nindent 12 }}
          ports:
            - {name: http, containerPort: 8080}
          {{- include "genesys-streams.probes" .root | nindent 10 }}
          {{- if .program.preStopSeconds }}
          lifecycle:
            preStop:
              sleep: {seconds: {{ .program.preStopSeconds }}}
          {{- end }}
          resources: {{ toYaml .program.resources | nindent 12 }}
          {{- include "genesys-streams.containerSecurity" . | nindent 10 }}
          volumeMounts:
            # The image's working directory; nothing is written there.
            - {name: data, mountPath: /data}
            {{- with include "genesys-streams.tlsMount" .root }}{{ . | trim | nindent 12 }}{{ end }}
      volumes:
        - name: data
          emptyDir: {sizeLimit: 1Mi}
        {{- with include "genesys-streams.tlsVolume" .root }}{{ . | trim | nindent 8 }}{{ end }}
{{- end }}
