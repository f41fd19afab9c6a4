"""What other programs get to see of the environment, and what is made of their refusals."""

from __future__ import annotations

import pytest

from scaffold import errors, programs


@pytest.mark.parametrize(
    "name",
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_LITERAL_PATHSPECS GIT_TRACE GIT_TEMPLATE_DIR "
    "GIT_ALLOW_PROTOCOL UV_PROJECT UV_WORKING_DIR UV_FROZEN UV_LOCKED VIRTUAL_ENV "
    "PYTHONPATH".split(),
)
def test_a_variable_that_changes_what_is_worked_on_is_not_passed_on(name: str) -> None:
    assert name not in programs.environment_of({name: "x"})


@pytest.mark.parametrize(
    "name",
    "PATH HOME HTTPS_PROXY https_proxy SSL_CERT_FILE UV_INDEX_URL UV_INDEX UV_INDEX_OURS_PASSWORD "
    "UV_CACHE_DIR GIT_CONFIG_GLOBAL GIT_CONFIG_KEY_0 GIT_SSH_COMMAND GIT_AUTHOR_NAME".split(),
)
def test_what_a_program_needs_of_the_user_is_passed_on(name: str) -> None:
    assert programs.environment_of({name: "x"})[name] == "x"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "fatal: not a git repository (or any of the parent directories): .git",
            errors.NotInGit,
        ),
        ("fatal: not a git repository: /gone/.git/worktrees/x", errors.ProgramFailed),
        ("fatal: detected dubious ownership in repository at '/x'", errors.ForeignOwner),
        ("error: could not write index: No space left on device", errors.DiskFull),
        (
            "fatal: Unable to create '/x/.git/index.lock': File exists.",
            errors.IndexLocked,
        ),
        (
            "fatal: Unable to create '/x/.git/index.lock': Permission denied",
            errors.NoPermission,
        ),
        (
            "error: insufficient permission for adding an object to repository database",
            errors.NoPermission,
        ),
        ("fatal: bad config line 1 in file /home/x/.gitconfig", errors.BadSettings),
        ("Author identity unknown\n*** Please tell me who you are.", errors.BadSettings),
        ("fatal: unable to access: Could not resolve host: git.example.com", errors.Unreachable),
        ("error: Failed to fetch: `https://index.example.com/simple/flask/`", errors.Unreachable),
        ("  x No solution found when resolving dependencies:", errors.NoSolution),
        ("fatal: something else", errors.ProgramFailed),
    ],
)
def test_a_refusal_is_classified_and_told_by_its_own_line(
    said: str, kind: type[errors.ProgramFailed]
) -> None:
    noise = b"warning: in the working copy of 'x'\nhint: Permission denied, perhaps\n"
    failed = programs.failure(
        ("-c", "a=b", "status"), programs.Ended(128, b"", noise + said.encode())
    )
    assert type(failed) is kind
    assert str(failed) == f"git status: {said.splitlines()[-1].strip()}"
    assert failed.code == 3


def test_a_refusal_of_another_program_is_never_a_defect_of_ours() -> None:
    kinds = [errors.ProgramFailed, *errors.ProgramFailed.__subclasses__()]
    assert {kind.code for kind in kinds} == {3}
    assert len({kind.kind for kind in kinds}) == len(kinds)
