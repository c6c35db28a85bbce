"""Write the reference of all settings as Markdown, from the table of settings."""

from __future__ import annotations

from exporter.config.settings import SETTINGS, Setting


def reference() -> str:
    """The text of `docs/configuration.md`."""
    return "\n".join([_HEAD, *map(_section, SETTINGS), _TAIL])


def _section(setting: Setting) -> str:
    default = ", ".join(f"`{text}`" for text in setting.default) or setting.unset
    *groups, leaf = setting.key.split(".")
    example = setting.default[0] if setting.default else "…"
    # In YAML a colon or an asterisk cannot begin a plain value.
    example = f'"{example}"' if example.startswith((":", "*")) else example
    inner = f"{leaf}: {example}"
    yaml = f"`{''.join(f'{group}: {{' for group in groups)}{inner}{'}' * len(groups)}`"
    flag = f"`{setting.flag}`, `--no-{setting.key}`" if setting.kind.name == "boolean" else f"`{setting.flag}`"
    return "\n".join(
        [
            f"## `{setting.key}`\n",
            f"{setting.help}\n",
            "| | |",
            "|---|---|",
            f"| Flag | {flag}{', repeatable' if setting.repeatable else ''} |",
            f"| Variable | `{setting.variable}`{', separated by commas' if setting.repeatable else ''} |",
            f"| File | {'—' if setting.key == 'config.file' else yaml}{', or a list' if setting.repeatable else ''} |",
            f"| Accepted | {setting.kind.accepts} |",
            f"| Default | {default} |",
            f"| New value in force | {'at a reload' if setting.reloadable else 'at a restart'} |",
            "",
        ]
    )


_HEAD = """\
# Configuration

Nothing has to be configured in Harvester. Whatever is can be given in three ways:

- a **flag** on the command line, as in `--log.level=debug`;
- an environment **variable**, as in `VIP_EXPORTER_LOG_LEVEL=debug` (an empty one counts as not set);
- a key in the YAML **file** that `--config.file` names, where each dot is a level:

  ```yaml
  log:
    level: debug
  capture:
    interface: [mgmt-br, eth1]
  ```

A flag beats a variable, a variable beats the file, the file beats the default. A list replaces the one it beats.
Anything unknown, given twice or malformed is an error, with a line for each that says where it stands and what is
accepted; the exporter then does not start. `vip-exporter --config.check` checks and does nothing else.

On SIGHUP, and on `POST /-/reload` where `web.enable-lifecycle` permits it, the file is read anew. When it is wrong,
everything stays as it was.
"""

_TAIL = """\
## Flags that are no settings

| Flag | |
|---|---|
| `--config.check` | Check the configuration and exit. |
| `--version` | Print the version and exit. |
| `--help` | Print the flags and exit. |
"""
