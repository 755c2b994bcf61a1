{{/* The console's values. What it has to have in common with the workers is theirs where it is not set. */}}
{{- define "genesys-streams.console" -}}
{{- $worker := .Values.worker -}}
{{- $shared := pick $worker.settings "APP_ID" "DURATION_THRESHOLD_MS" "GENESYS_REQUESTS_PER_MINUTE" "TOPIC_PREFIX" -}}
{{- $_ := set $shared "WORKER_URLS" (printf "http://%s.%s.svc:6066" (include "genesys-streams.objectName" (list . "worker")) .Release.Namespace) -}}
{{- $program := deepCopy .Values.console -}}
{{- $_ := set $program "settings" (merge (dict) $program.settings .Values.settings $shared) -}}
{{- $_ := set $program "secrets" (merge (dict) $program.secrets .Values.secrets (pick $worker.secrets "WORKER_API_KEY")) -}}
{{- toYaml $program }}
{{- end }}

{{/* The programs that run, as a YAML map of their values by component. */}}
{{- define "genesys-streams.programs" -}}
{{- $programs := dict "worker" .Values.worker -}}
{{- if .Values.bridge.http.enabled }}{{ $_ := set $programs "bridge-http" .Values.bridge.http }}{{ end -}}
{{- if .Values.bridge.sqs.enabled }}{{ $_ := set $programs "bridge-sqs" .Values.bridge.sqs }}{{ end -}}
{{- if .Values.console.enabled }}{{ $_ := set $programs "console" (include "genesys-streams.console" . | fromYaml) }}{{ end -}}
{{- toYaml $programs }}
{{- end }}
