{{/* The programs that run, as a YAML map of their values by component. */}}
{{- define "genesys-streams.programs" -}}
{{- $programs := dict "worker" .Values.worker -}}
{{- if .Values.bridge.http.enabled }}{{ $_ := set $programs "bridge-http" .Values.bridge.http }}{{ end -}}
{{- if .Values.bridge.sqs.enabled }}{{ $_ := set $programs "bridge-sqs" .Values.bridge.sqs }}{{ end -}}
{{- toYaml $programs }}
{{- end }}
