{{/*
Names, labels and the image. A name is put into YAML by `toYaml`, which quotes one that could be a number or a switch.
*/}}

{{/* A list of flat maps as one, in which the later counts. An empty one may be null. */}}
{{- define "vip-exporter.merged" -}}
{{- $all := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "vip-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "vip-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := include "vip-exporter.name" . -}}
{{- contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "vip-exporter.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* Roles stand outside of the release's namespace too, where one of the same name in another namespace has its own. */}}
{{- define "vip-exporter.roleName" -}}
{{- $name := include "vip-exporter.fullname" . -}}
{{- $namespace := include "vip-exporter.namespace" . -}}
{{- eq $name $namespace | ternary $name (printf "%s:%s" $name $namespace) -}}
{{- end -}}

{{- define "vip-exporter.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "vip-exporter.fullname" .) "default") -}}
{{- end -}}

{{- define "vip-exporter.selectorLabels" -}}
{{- dict "app.kubernetes.io/name" (include "vip-exporter.name" .) "app.kubernetes.io/instance" .Release.Name | toYaml -}}
{{- end -}}

{{- define "vip-exporter.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "vip-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Labels of an object: a list of the root and of maps that go before commonLabels. */}}
{{- define "vip-exporter.labels" -}}
{{- $root := first . -}}
{{- include "vip-exporter.merged" (concat (list (include "vip-exporter.ownLabels" $root | fromYaml) $root.Values.commonLabels) (rest .)) -}}
{{- end -}}

{{- define "vip-exporter.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ $.Values.nonRoot | ternary "-nonroot" "" }}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}
