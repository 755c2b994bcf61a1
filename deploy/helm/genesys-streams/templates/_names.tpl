{{/* Names and labels. */}}

{{- define "genesys-streams.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 40 characters leave room for what is put behind it: a pod's name is a DNS label of at most 63, and a
StatefulSet's name is in a label together with a hash. */}}
{{- define "genesys-streams.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "genesys-streams.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "genesys-streams.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The name of one program's objects. Call with (list $ "worker"). */}}
{{- define "genesys-streams.objectName" -}}
{{- printf "%s-%s" (include "genesys-streams.fullname" (index . 0)) (index . 1) }}
{{- end }}

{{/* What one program's pods are found by: never changes, for a StatefulSet's can not. */}}
{{- define "genesys-streams.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "genesys-streams.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "genesys-streams.labels" -}}
{{- $root := index . 0 -}}
{{ include "genesys-streams.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Call with (list $ "worker" .Values.worker). */}}
{{- define "genesys-streams.serviceAccountName" -}}
{{- $account := (index . 2).serviceAccount -}}
{{- if $account.create }}
{{- default (include "genesys-streams.objectName" .) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}
