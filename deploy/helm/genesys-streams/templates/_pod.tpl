{{/* What the pods of all programs have in common. */}}

{{/* A setting as the text that the program reads. Helm reads numbers as floats, and would write a million as
1e+06, which is no whole number to the program. */}}
{{- define "genesys-streams.text" -}}
{{- if kindIs "float64" . }}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- else }}
{{- . }}
{{- end }}
{{- end }}

{{/* One program's variables. Call with a dict: root, program (its values), own (what the chart sets: text, or
a field of the pod as {field: …}). */}}
{{- define "genesys-streams.env" -}}
{{- $files := dict -}}
{{- $plain := merge (dict) .program.settings .root.Values.settings -}}
{{- with .root.Values.kafkaTls }}
{{- if .secret }}
{{- if not (hasSuffix "SSL" (default "PLAINTEXT" $plain.KAFKA_SECURITY_PROTOCOL)) }}
{{- fail "kafkaTls.secret: KAFKA_SECURITY_PROTOCOL has no TLS, so it would not be used; set SSL or SASL_SSL in `settings`" }}
{{- end }}
{{- with .ca }}{{ $_ := set $files "KAFKA_SSL_CAFILE" (printf "/etc/genesys-streams/kafka/%s" .) }}{{ end }}
{{- with .certificate }}{{ $_ := set $files "KAFKA_SSL_CERTFILE" (printf "/etc/genesys-streams/kafka/%s" .) }}{{ end }}
{{- with .key }}{{ $_ := set $files "KAFKA_SSL_KEYFILE" (printf "/etc/genesys-streams/kafka/%s" .) }}{{ end }}
{{- end }}
{{- end }}
{{- $_ := required "settings.KAFKA_BOOTSTRAP_SERVERS: set it to HOST:PORT of your brokers" $plain.KAFKA_BOOTSTRAP_SERVERS -}}
{{- $secrets := merge (dict) .program.secrets .root.Values.secrets -}}
{{- range $name, $from := $secrets }}
{{- if and $from (or (hasKey $plain $name) (hasKey $files $name) (hasKey $.own $name)) }}
{{- fail (printf "%s: set it in `settings` or in `secrets`, not in both; and what the chart sets itself can not be set" $name) }}
{{- end }}
{{- end }}
{{- range $name, $value := .own }}
- name: {{ $name }}
{{- if kindIs "map" $value }}
  valueFrom: {fieldRef: {fieldPath: {{ $value.field }}}}
{{- else }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- /* null takes back what a file of values below has set. */}}
{{- range $name, $value := merge (dict) $files $plain }}
{{- if not (kindIs "invalid" $value) }}
- name: {{ $name }}
  value: {{ include "genesys-streams.text" $value | quote }}
{{- end }}
{{- end }}
{{- range $name, $from := $secrets }}
{{- with $from }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}}
{{- end }}
{{- end }}
{{- end }}

{{- define "genesys-streams.image" -}}
{{- $repository := required "image.repository: set it to where the image is" .Values.image.repository -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Of a pod's metadata. Call with (list $ "worker" .Values.worker). */}}
{{- define "genesys-streams.podMetadata" -}}
labels:
{{- /* Of the chart's labels only the selector's, which go before: others would restart all pods with each
new version of the chart. */}}
{{- merge (dict) (include "genesys-streams.selector" . | fromYaml) (index . 2).podLabels | toYaml | nindent 2 }}
{{- with (index . 2).podAnnotations }}
annotations:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The first lines of a pod's spec. Call with (list $ "worker" .Values.worker ACCOUNT). */}}
{{- define "genesys-streams.podSpec" -}}
{{- $root := index . 0 }}{{ $program := index . 2 -}}
serviceAccountName: {{ index . 3 }}
# No program here talks to Kubernetes.
automountServiceAccountToken: false
# A Service named `worker` or `bridge` would set WORKER_PORT or BRIDGE_PORT to tcp://….
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $program.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  # As in the Dockerfile. A volume becomes the group's.
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $program.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $program.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $program.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $program.topologySpread }}
topologySpreadConstraints:
{{- range . }}
  - {{ toYaml . | nindent 4 | trim }}
    labelSelector:
      matchLabels: {{ include "genesys-streams.selector" (list $root (index $ 1)) | nindent 8 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "genesys-streams.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* /healthz: the process answers. /readyz: it can do its job. A process that can not is left alone: it says why,
and ends by itself within 55 s where a restart may help. */}}
{{- define "genesys-streams.probes" -}}
# Two minutes to listen. A worker listens before it restores its table, and so no probe limits how long
# that takes.
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
# A minute without any answer. A worker that can not do its job answers, and ends by itself.
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* The certificates for Kafka: the mount, and the volume. */}}
{{- define "genesys-streams.tlsMount" -}}
{{- if .Values.kafkaTls.secret }}
- name: kafka-tls
  mountPath: /etc/genesys-streams/kafka
  readOnly: true
{{- end }}
{{- end }}

{{- define "genesys-streams.tlsVolume" -}}
{{- with .Values.kafkaTls }}
{{- if .secret }}
- name: kafka-tls
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}
