{{/* The settings file of the program, and what would contradict it. */}}

{{/* What the chart sets itself, each with the value of the chart that decides on it. */}}
{{- define "vip-exporter.own" -}}
config.file: use config
web.listen-address: use listenHost and port
web.config.file: use web
services.watch: use services.watch
services.discover: use services.discover
lease.services: use leases.services
control-plane.address: use controlPlane.addresses
control-plane.lease: use controlPlane.lease
kube-vip.daemonset: use kubeVip.daemonsets
harvester.configmap: use harvester.configMap
observer.name: it is the name of each pod's node
state.path: use state
{{- end -}}

{{/* Dotted keys of nested settings, one a line. */}}
{{- define "vip-exporter.keys" -}}
{{- $prefix := .prefix -}}
{{- range $key, $value := .settings -}}
{{- if kindIs "invalid" $value -}}
{{- /* A key with comments only. */ -}}
{{- else if kindIs "map" $value -}}
{{- include "vip-exporter.keys" (dict "settings" $value "prefix" (printf "%s%s." $prefix $key)) -}}
{{- else -}}
{{- printf "%s%s\n" $prefix $key -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Ends the rendering where values contradict each other. Printed nowhere; empty where all is well. */}}
{{- define "vip-exporter.check" -}}
{{- $own := include "vip-exporter.own" . | fromYaml -}}
{{- range $key := include "vip-exporter.keys" (dict "settings" (.Values.config | default dict) "prefix" "") | trim | splitList "\n" | compact -}}
{{- with get $own $key -}}
{{- fail (printf "config.%s: the chart sets it itself; %s" $key .) -}}
{{- end -}}
{{- range $ours, $_ := $own -}}
{{- if hasPrefix (printf "%s." $key) $ours -}}
{{- fail (printf "config.%s: it must be a map of settings, as %s is one" $key $ours) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- $key := regexFind "^--[^=]+" . | trimPrefix "--" | trimPrefix "no-" -}}
{{- if has $key (list "config.check" "help" "version") -}}
{{- fail (printf "extraArgs: --%s: the program would end at once; give it to one that you start yourself, by kubectl exec" $key) -}}
{{- end -}}
{{- with get $own $key -}}
{{- fail (printf "extraArgs: --%s: the chart sets it itself; %s" $key .) -}}
{{- end -}}
{{- end -}}
{{- $variables := dict -}}
{{- range $key, $instead := $own -}}
{{- $_ := set $variables (printf "VIP_EXPORTER_%s" ($key | upper | replace "." "_" | replace "-" "_")) $instead -}}
{{- end -}}
{{- range $name := list "NODE_NAME" "HOST_IP" -}}
{{- $_ := set $variables $name "it tells of each pod's node" -}}
{{- end -}}
{{- range $variable := .Values.extraEnv -}}
{{- with get $variables $variable.name -}}
{{- fail (printf "extraEnv: %s: the chart sets it itself; %s" $variable.name .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.services.discover .Values.services.watch -}}
{{- fail "services.watch and services.discover: choose one; to watch only those named, set services.discover to false" -}}
{{- end -}}
{{- if not (or .Values.services.discover .Values.services.watch .Values.controlPlane.addresses) -}}
{{- fail "services.watch: there is nothing to watch; name Services in it, or set services.discover to true, or name controlPlane.addresses" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- fail "podMonitor.enabled and serviceMonitor.enabled: choose one; both would scrape every pod twice" -}}
{{- end -}}
{{- range $monitor := list "podMonitor" "serviceMonitor" -}}
{{- with get $.Values $monitor -}}
{{- if and .interval .scrapeTimeout (gt (include "vip-exporter.milliseconds" .scrapeTimeout | int) (include "vip-exporter.milliseconds" .interval | int)) -}}
{{- fail (printf "%s.scrapeTimeout: %s is longer than %s.interval, %s; a scrape must end before the next one" $monitor .scrapeTimeout $monitor .interval) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "^(127\\.|\\[[0:]+:0*1\\])" .Values.listenHost -}}
{{- fail (printf "listenHost: neither the kubelet's probes nor Prometheus reach %s; use $(HOST_IP), or leave it empty" .Values.listenHost) -}}
{{- end -}}
{{- $selecting := include "vip-exporter.selectorLabels" . | fromYaml -}}
{{- range $place := list "commonLabels" "podLabels" -}}
{{- range $label, $value := get $.Values $place | default dict -}}
{{- if and (hasKey $selecting $label) (get $selecting $label | ne $value) -}}
{{- fail (printf "%s: %s: the pods are chosen by it; leave it out, or set nameOverride" $place $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.web -}}
{{- if and .config .existingSecret -}}
{{- fail "web.config and web.existingSecret: choose one" -}}
{{- end -}}
{{- range $key := list "tlsSecret" "tls" "clientCertificates" -}}
{{- if and (get $.Values.web $key) (not (or $.Values.web.config $.Values.web.existingSecret)) -}}
{{- fail (printf "web.%s: nothing asks for TLS; set web.config or web.existingSecret" $key) -}}
{{- end -}}
{{- end -}}
{{- if and .config (or .tls .clientCertificates) -}}
{{- fail "web.tls and web.clientCertificates are for web.existingSecret; web.config tells by itself" -}}
{{- end -}}
{{- if and .config .tlsSecret (not (include "vip-exporter.tls" $ | fromYaml).cert_file) -}}
{{- fail "web.tlsSecret: web.config names no cert_file; add tls_server_config: {cert_file: tls.crt, key_file: tls.key}" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The part of the front door that is about TLS. */}}
{{- define "vip-exporter.tls" -}}
{{- $tls := (.Values.web.config | default dict).tls_server_config | default dict -}}
{{- if not (kindIs "map" $tls) -}}
{{- fail "web.config.tls_server_config: it must be a map, such as {cert_file: tls.crt, key_file: tls.key}" -}}
{{- end -}}
{{- if not (kindIs "string" ($tls.client_auth_type | default "")) -}}
{{- fail "web.config.tls_server_config.client_auth_type: it must be a text, such as RequireAndVerifyClientCert" -}}
{{- end -}}
{{- toYaml $tls -}}
{{- end -}}

{{/* What the front door asks for: tls, clientCertificates. */}}
{{- define "vip-exporter.door" -}}
{{- $tls := include "vip-exporter.tls" . | fromYaml -}}
tls: {{ or .Values.web.tls (not (empty $tls)) | default false }}
clientCertificates: {{ or .Values.web.clientCertificates (eq ($tls.client_auth_type | default "") "RequireAndVerifyClientCert") | default false }}
{{- end -}}

{{/* Which locks web.config puts on, whatever the keys to them are. */}}
{{- define "vip-exporter.locks" -}}
{{- $tls := include "vip-exporter.tls" . | fromYaml -}}
users: {{ not (empty .Values.web.config.basic_auth_users) }}
tls: {{ not (empty $tls) }}
clients: {{ $tls.client_auth_type | default "NoClientCert" }}
{{- end -}}

{{- define "vip-exporter.webSecret" -}}
{{- .Values.web.existingSecret | default (.Values.web.config | empty | ternary "" (printf "%s-web" (include "vip-exporter.fullname" .))) -}}
{{- end -}}

{{/* The settings file. */}}
{{- define "vip-exporter.settings" -}}
{{- $services := .Values.services.discover | ternary (dict "discover" true) (dict "watch" (.Values.services.watch | default list)) -}}
{{- $settings := dict
  "services" $services
  "lease" (dict "services" (.Values.leases.services | default list))
  "kube-vip" (dict "daemonset" (.Values.kubeVip.daemonsets | default list))
  "harvester" (dict "configmap" (.Values.harvester.configMap | default "none"))
-}}
{{- with .Values.controlPlane -}}
{{- if .addresses -}}
{{- $_ := set $settings "control-plane" (dict "address" .addresses "lease" .lease) -}}
{{- end -}}
{{- end -}}
{{- if .Values.state.enabled -}}
{{- $_ := set $settings "state" (dict "path" "/var/lib/vip-exporter/state.db") -}}
{{- end -}}
{{- if include "vip-exporter.webSecret" . -}}
{{- $_ := set $settings "web" (dict "config" (dict "file" "/etc/vip-exporter/web/web.yaml")) -}}
{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy (.Values.config | default dict)) $settings) -}}
{{- end -}}
