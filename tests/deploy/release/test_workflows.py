"""The workflows, as far as they can be judged without GitHub: none of them can run here."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from release.versions import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
PROGRAMS = Path(sys.executable).parent
LOOKS = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, truthy: {check-keys: false}}}"
"""`on` is a key of theirs."""
PINNED = re.compile(r"uses: (?P<action>[\w/.-]+)@(?P<commit>[0-9a-f]{40})  # v\d+\.\d+\.\d+")


def program(name: str, *arguments: object) -> str:
    """What it finds; it must find nothing wrong."""
    done = subprocess.run([PROGRAMS / name, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def jobs() -> Iterator[tuple[str, dict]]:
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield f"{path.stem} {name}", job


def scripts() -> Iterator[tuple[str, str]]:
    for name, job in jobs():
        for step in job.get("steps", ()):
            if "run" in step:
                yield f"{name}: {step['name']}", step["run"]


def test_github_reads_them() -> None:
    program("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    program("check-jsonschema", "--builtin-schema", "vendor.dependabot", GITHUB / "dependabot.yml")


def test_zizmor_finds_no_weakness() -> None:
    """Not even the pedantic one."""
    program("zizmor", "--quiet", "--offline", "--persona", "pedantic", GITHUB)


def test_they_are_tidy() -> None:
    program("yamllint", "--strict", "--config-data", LOOKS, GITHUB)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(path) -> None:
    """And say which version that is, for people and for Dependabot. Our own follow the commit that runs."""
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses: " in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line) and not line.startswith("uses: $/.github/")] == []


def test_one_action_has_one_version() -> None:
    commits = {(found["action"], found["commit"]) for path in WORKFLOWS for found in PINNED.finditer(path.read_text())}
    assert len(commits) == len({action for action, _ in commits})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_permitted_but_by_the_job(path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}


def test_who_may_write() -> None:
    """Each right to write, in the one job that needs it."""
    rights = {(name, right) for name, job in jobs() for right, level in job["permissions"].items() if level == "write"}
    assert rights == {
        ("release image", "packages"),
        ("release image", "id-token"),
        ("release image", "attestations"),
        ("release chart", "packages"),
        ("release pypi", "id-token"),
        ("release page", "contents"),
        ("release page", "id-token"),
        ("release page", "attestations"),
    }


def test_every_job_ends() -> None:
    assert [name for name, job in jobs() if "uses" not in job and not job.get("timeout-minutes", 0) <= 45] == []


@pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in scripts()])
def test_scripts_are_shell(script) -> None:
    """And take nothing from GitHub's expressions, which would be code to a shell, but from the environment."""
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "${{" not in script


def test_what_scripts_call_is_there() -> None:
    """Make's targets, files of ours, modules of ours."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    together = "\n".join(script for _, script in scripts())
    called = {target for found in re.findall(r"\bmake ([a-z ]+)", together) for target in found.split()}
    assert called == {"dist", "sbom"}
    assert called <= targets
    paths = {found.strip('"') for found in re.findall(r"(?:\.ci|deploy|release)[/\w.-]+", together)}
    modules = {found.replace(".", "/") + ".py" for found in re.findall(r"-m (release\.\w+)", together)}
    files = {path for path in paths if "/" in path} | modules
    assert {".ci/run", "deploy/chart", "release/versions.py"} <= files
    assert [path for path in files if not (ROOT / path).exists()] == []


def test_images_are_built_from_stages_that_are_there() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    arguments = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    wanted, given = set(), set()
    for name, job in jobs():
        if name.endswith(" image"):
            matrix = job["strategy"]["matrix"]
            wanted |= set(matrix.get("target", ())) | {row["target"] for row in matrix.get("include", ())}
            for step in job["steps"]:
                given |= set(re.findall(r"^(\w+)=", step.get("with", {}).get("build-args", ""), re.MULTILINE))
    assert wanted == {"root", "nonroot"}
    assert wanted <= stages
    assert given == {"VERSION", "REVISION"}
    assert given <= arguments


def test_images_are_built_for_both_architectures() -> None:
    built = [
        step["with"].get("platforms")
        for name, job in jobs()
        for step in job.get("steps", ())
        if name.endswith(" image")
        and "docker/build-push-action" in step.get("uses", "")
        and not step["with"].get("load")
    ]
    assert built == ["linux/amd64,linux/arm64"] * 2


def test_no_build_leaves_artifacts_of_its_own() -> None:
    """They would be among those of the release that calls it."""
    assert {job["env"]["DOCKER_BUILD_SUMMARY"] for name, job in jobs() if name.endswith(" image")} == {"false"}


def test_every_python_that_we_promise_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [
        found[1]
        for line in project["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    ]
    matrix = yaml.safe_load((GITHUB / "workflows" / "ci.yaml").read_text())["jobs"]["test"]["strategy"]["matrix"][
        "python"
    ]
    assert matrix == promised
    assert project["requires-python"] == f">={matrix[0]}"


def test_a_release_waits_for_everything() -> None:
    """Nothing is published that CI has not passed, and the page comes last."""
    release = dict(jobs())
    needs = {
        name: release[f"release {name}"].get("needs", []) for name in ("image", "packages", "chart", "pypi", "page")
    }
    needs["ci"] = release["release ci"]["needs"]

    def before(name: str) -> set[str]:
        direct = [needs.get(name, [])] if isinstance(needs.get(name, []), str) else needs.get(name, [])
        return set(direct) | {further for one in direct for further in before(one)}

    assert all({"check", "ci"} <= before(name) for name in ("image", "packages", "chart", "pypi", "page"))
    assert before("page") == {"check", "ci", "image", "packages", "chart", "pypi"}
