{{/* What may be read: exactly what the settings make the program ask for (docs/rbac.md). */}}

{{/* Permits an object, `ref` (namespace/name) of `resource`, in `rights`: by namespace and resource, names. */}}
{{- define "vip-exporter.permit" -}}
{{- $namespace := .ref | splitList "/" | first -}}
{{- $there := get .rights $namespace | default dict -}}
{{- $names := append (get $there .resource | default list) (.ref | splitList "/" | last) | uniq -}}
{{- $_ := set .rights $namespace (set $there .resource $names) -}}
{{- end -}}

{{/* Rights by namespace and resource, as names. */}}
{{- define "vip-exporter.rights" -}}
{{- $rights := dict -}}
{{- if not .Values.services.discover -}}
{{- range .Values.services.watch -}}
{{- include "vip-exporter.permit" (dict "rights" $rights "resource" "services" "ref" .) -}}
{{- include "vip-exporter.permit" (dict "rights" $rights "resource" "leases" "ref" (replace "/" "/kubevip-" .)) -}}
{{- end -}}
{{- range concat (.Values.leases.services | default list) (.Values.leases.additional | default list) (.Values.controlPlane.addresses | empty | ternary list (list .Values.controlPlane.lease)) -}}
{{- include "vip-exporter.permit" (dict "rights" $rights "resource" "leases" "ref" .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.kubeVip.daemonsets -}}
{{- include "vip-exporter.permit" (dict "rights" $rights "resource" "daemonsets" "ref" .) -}}
{{- end -}}
{{- with .Values.harvester.configMap -}}
{{- include "vip-exporter.permit" (dict "rights" $rights "resource" "configmaps" "ref" .) -}}
{{- end -}}
{{- toYaml $rights -}}
{{- end -}}

{{/* Whether the Leases are listed all at once: with discovery, and with more of them than are watched each by its name. */}}
{{- define "vip-exporter.allLeases" -}}
{{- or .Values.services.discover (gt (len (concat (.Values.services.watch | default list) (.Values.leases.additional | default list))) 20) -}}
{{- end -}}
