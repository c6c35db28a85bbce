{{/* What PodMonitor and ServiceMonitor have in common: how to scrape one pod, given `root` and the values, `monitor`. A list of one. */}}
{{- define "vip-exporter.endpoint" -}}
{{- $door := include "vip-exporter.door" .root | fromYaml -}}
- port: metrics
  scheme: {{ $door.tls | ternary "https" "http" }}
{{- with .monitor.interval }}
  interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
{{- end }}
{{- with .monitor.basicAuth }}
  basicAuth:
  {{- toYaml . | nindent 4 }}
{{- end }}
{{- with .monitor.tlsConfig }}
  tlsConfig:
  {{- toYaml . | nindent 4 }}
{{- end }}
  relabelings:
    # The rules tell clusters apart by the job.
    - action: replace
      targetLabel: job
      replacement: {{ quote .monitor.job }}
    # One pod a node: its name says more than the address or the pod's name.
    - action: replace
      sourceLabels: [__meta_kubernetes_pod_node_name]
      targetLabel: node
    - action: replace
      sourceLabels: [__meta_kubernetes_pod_node_name]
      targetLabel: instance
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
  metricRelabelings:
  {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* A duration such as 1m30s, in milliseconds. */}}
{{- define "vip-exporter.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 -}}
{{- $total = add $total (mul (regexFind "[0-9]+" . | atoi) (regexFind "[a-z]+" . | get $units)) -}}
{{- end -}}
{{- $total -}}
{{- end -}}
