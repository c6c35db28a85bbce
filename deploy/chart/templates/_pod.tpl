{{/* Parts of the pod. */}}

{{/*
What the program reads at its start only restarts the pods as it changes: the settings; of the front door which locks
there are, for it takes none off while it runs (docs/web-config.md).
*/}}
{{- define "vip-exporter.podAnnotations" -}}
checksum/config: {{ include "vip-exporter.settings" . | sha256sum }}
{{- if .Values.web.config }}
checksum/locks: {{ include "vip-exporter.locks" . | sha256sum }}
{{- end }}
kubectl.kubernetes.io/default-container: vip-exporter
{{- end -}}

{{- define "vip-exporter.podSecurityContext" -}}
{{- $context := dict "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if .Values.nonRoot -}}
{{- /* So that its files of Secrets can be read by it. */ -}}
{{- $_ := set $context "fsGroup" 65532 -}}
{{- end -}}
{{- toYaml (mergeOverwrite $context (.Values.podSecurityContext | default dict)) -}}
{{- end -}}

{{/*
Kubernetes gives a process without uid 0 no capability but that of the file it executes. `no_new_privs`, which
`allowPrivilegeEscalation: false` stands for, leaves that one where the runtime has been told to add it.
*/}}
{{- define "vip-exporter.containerSecurityContext" -}}
{{- $user := .Values.nonRoot | ternary 65532 0 -}}
{{- $context := dict
  "runAsUser" $user
  "runAsGroup" $user
  "runAsNonRoot" .Values.nonRoot
  "allowPrivilegeEscalation" false
  "readOnlyRootFilesystem" true
  "capabilities" (dict "drop" (list "ALL") "add" (list "NET_RAW"))
-}}
{{- toYaml (mergeOverwrite $context (.Values.containerSecurityContext | default dict)) -}}
{{- end -}}

{{/* A probe of `path` with the times of `probe`. */}}
{{- define "vip-exporter.probe" -}}
{{- $door := include "vip-exporter.door" .root | fromYaml -}}
{{- if $door.clientCertificates -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ $door.tls | ternary "HTTPS" "HTTP" }}
{{- end }}
{{- with .probe }}
{{ toYaml . }}
{{- end }}
{{- end -}}
