"""What stands beside a service's Python: image, compose, ignores, the catalogue, its texts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import copier
import pytest

from tests.deployment.conftest import Rendering
from tests.deployment.tools import accepts, expect_exit, judge, program, run
from tests.services import NAME, TEMPLATES

LOCAL_HOSTS = ("127.0.0.1:", "localhost:")


@pytest.mark.contract("D1")
def test_hadolint_finds_nothing(rendering: Rendering) -> None:
    accepts("hadolint", rendering.folder / "Dockerfile")


@pytest.mark.contract("D1")
def test_hadolint_would_find_a_latest_base(rendering: Rendering, tmp_path: Path) -> None:
    text = rendering.read("Dockerfile")
    (tmp_path / "Dockerfile").write_text(text.replace("python:3.13-slim", "python:latest"))
    assert "DL3007" in judge("hadolint", tmp_path / "Dockerfile").stdout


@pytest.mark.contract("D1")
def test_the_image_is_locked_unprivileged_and_needs_no_shell(rendering: Rendering) -> None:
    lines = rendering.read("Dockerfile").splitlines()
    syncs = [line for line in lines if "uv sync" in line]
    assert len(syncs) == 2
    assert all("--locked --no-dev" in line for line in syncs)
    assert "--offline" in syncs[1], "the second step has all it needs"
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert f'ENTRYPOINT ["{NAME}"]' in lines
    assert any(re.match(r'\s+CMD \["python", "-c"', line) for line in lines), "the health check"
    assert not any("curl" in line or "apt-get" in line for line in lines)


@pytest.mark.contract("D1")
def test_only_what_is_needed_reaches_the_build(rendering: Rendering) -> None:
    rules = [li for li in rendering.read(".dockerignore").splitlines() if li and li[0] != "#"]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert {"pyproject.toml", "uv.lock", "README.md", "src"} <= allowed
    assert not allowed & {".env", ".git", "deploy", "tests"}


@pytest.mark.contract("D2")
def test_compose_fits_its_schema(rendering: Rendering) -> None:
    schema = "vendor.compose-spec"
    accepts("check-jsonschema", "--builtin-schema", schema, rendering.folder / "compose.yaml")


@pytest.mark.contract("D2")
def test_compose_starts_in_the_right_order(rendering: Rendering) -> None:
    services = rendering.load("compose.yaml")["services"]
    if rendering.database == "sqlite":
        assert "migrate" not in services
        assert services["service"]["volumes"] == ["data:/data"]
        return
    healthy, done = "service_healthy", "service_completed_successfully"
    assert services["migrate"]["depends_on"]["database"] == {"condition": healthy}
    assert services["service"]["depends_on"]["migrate"] == {"condition": done}
    assert services["migrate"]["command"] == ["migrate"]
    assert services["migrate"]["environment"] == services["service"]["environment"]
    assert "pg_isready" in services["database"]["healthcheck"]["test"]


@pytest.mark.contract("D2")
def test_compose_runs_the_service_hardened_and_for_this_machine_alone(rendering: Rendering) -> None:
    compose = rendering.load("compose.yaml")
    for name in {"service", "migrate"} & set(compose["services"]):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    for service in compose["services"].values():
        assert all(port.startswith(LOCAL_HOSTS) for port in service.get("ports", []))
    assert compose["services"]["service"]["stop_grace_period"] == "40s"


@pytest.mark.contract("D5")
def test_git_keeps_what_belongs_to_the_service_and_nothing_else(
    rendering: Rendering, tmp_path: Path
) -> None:
    folder = tmp_path / "service"
    shutil.copytree(rendering.folder, folder)
    ours = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    left_behind = [".venv/x", "a.db", "a.db-wal", ".env", ".coverage", "src/__pycache__/a.pyc",
                   ".mypy_cache/x", ".ruff_cache/x", ".pytest_cache/x", "dist/x"]  # fmt: skip
    for name in (*left_behind, "uv.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    git = program("git", "git")
    expect_exit(run([git, "init", "--quiet"], cwd=folder))
    expect_exit(run([git, "add", "."], cwd=folder))
    kept = set(run([git, "ls-files"], cwd=folder).stdout.splitlines())
    assert kept == ours | {"uv.lock"}


@pytest.mark.contract("D5")
def test_the_catalogue_knows_the_service(rendering: Rendering) -> None:
    entity = rendering.load("catalog-info.yaml")
    assert (entity["apiVersion"], entity["kind"]) == ("backstage.io/v1alpha1", "Component")
    assert entity["metadata"]["name"] == NAME
    assert set(entity["spec"]) == {"type", "lifecycle", "owner"}
    assert entity["spec"]["owner"] == "stock-team"
    tag = re.compile(r"[a-z0-9+#]+(-[a-z0-9+#]+)*")
    assert all(tag.fullmatch(name) for name in entity["metadata"]["tags"])


def fill_in(template: str, folder: Path, **answers: str) -> str:
    """Render one file by copier, with the shared macros at hand."""
    source = folder / "source"
    (source / "templates/shared").mkdir(parents=True)
    shutil.copy(TEMPLATES / "shared/macros.jinja", source / "templates/shared")
    (source / "copier.yml").write_text(
        "_envops: {trim_blocks: true, lstrip_blocks: true, keep_trailing_newline: true}\n"
        "_exclude: [copier.yml, templates]\ntext: {type: str}\n"
    )
    (source / "page.md.jinja").write_text(template)
    copier.run_copy(str(source), folder / "made", data=answers, quiet=True)
    return (folder / "made/page.md").read_text()


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Counts bolts.", "Counts bolts."),
        ("It's 50 % off (really)", "It's 50 % off (really)"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\\. no list"),
        ("2) no list", "2\\) no list"),
        ("v1.2 stays", "v1.2 stays"),
        ("*no* _style_ `here`", "\\*no\\* \\_style\\_ \\`here\\`"),
        ("[no](link) <b> &amp; | cell", "\\[no\\](link) \\<b\\> \\&amp; \\| cell"),
        ("one\n\n# line", "one # line"),
        ("back\\slash ~~x~~ $y$", "back\\\\slash \\~\\~x\\~\\~ \\$y\\$"),
        ("=== no heading", "\\=== no heading"),
        ("💚 עברית {{ 7 * 7 }}", "💚 עברית {{ 7 \\* 7 }}"),
    ],
)
def test_free_text_in_markdown_shows_as_it_was_typed(
    typed: str, written: str, tmp_path: Path
) -> None:
    template = '{% import "templates/shared/macros.jinja" as free %}\n{{ free.markdown(text) }}\n'
    assert fill_in(template, tmp_path, text=typed) == written + "\n"
