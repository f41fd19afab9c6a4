"""Errors caused by the user or the system; no other errors are raised on purpose.

    UserError
    ├── BadAnswers            2  bad-answers         an answer is not valid
    │   ├── BadName           2  bad-name            the service name is not valid
    │   ├── BadAnswersFile    2  bad-answers-file    the answers file cannot be used
    │   ├── MissingAnswers    2  missing-answers     an answer is missing and cannot be prompted for
    │   ├── SplitWorkload     2  split-workload      the workload needs two services
    │   ├── NoTemplate        2  no-template         the framework has no template yet
    │   ├── NothingMaintained 2  nothing-maintained  no maintained framework meets a requirement
    │   ├── NotMeasured       2  not-measured        benchmark results are missing
    │   └── FixedAnswer       2  fixed-answer        the answer cannot be changed by an update
    ├── TargetError           3  target-refuses      the target folder cannot be used
    │   ├── NotAService       3  not-a-service       the folder is not a generated service
    │   ├── NoRepository      3  no-repository       git or a first commit is missing
    │   ├── DirtyTree         3  dirty-tree          there are uncommitted changes
    │   ├── UnknownRelease    3  unknown-release     the service's template release is not known
    │   └── ProgramFailed     3  program-failed      git or uv failed
    │       ├── NotInGit      3  not-in-git          the folder is not in a git repository
    │       ├── ForeignOwner  3  foreign-owner       the repository belongs to another user
    │       ├── DiskFull      3  disk-full           the disk is full
    │       ├── IndexLocked   3  index-locked        another git process is running, or was killed
    │       ├── NoPermission  3  no-permission       git or uv may not read or write a file
    │       ├── NoSolution    3  no-solution         uv finds no compatible versions
    │       ├── Unreachable   3  unreachable         git or uv cannot reach a server
    │       └── BadSettings   3  bad-settings        the configuration of git or uv is not valid
    ├── SourceError           3  source-refuses      the templates cannot be read from their source
    └── Interrupted         130  interrupted         a signal stopped the command

`code` is the exit code, and `kind` the identifier in the output of `--json`.
"""


class UserError(Exception):
    """One sentence for the user; further problems are on further lines."""

    code = 1
    kind = "error"


class BadAnswers(UserError):
    code = 2
    kind = "bad-answers"


class BadName(BadAnswers):
    kind = "bad-name"


class BadAnswersFile(BadAnswers):
    kind = "bad-answers-file"


class MissingAnswers(BadAnswers):
    kind = "missing-answers"


class SplitWorkload(BadAnswers):
    kind = "split-workload"


class NoTemplate(BadAnswers):
    kind = "no-template"


class NothingMaintained(BadAnswers):
    kind = "nothing-maintained"


class NotMeasured(BadAnswers):
    kind = "not-measured"


class FixedAnswer(BadAnswers):
    kind = "fixed-answer"


class TargetError(UserError):
    code = 3
    kind = "target-refuses"


class NotAService(TargetError):
    kind = "not-a-service"


class NoRepository(TargetError):
    kind = "no-repository"


class DirtyTree(TargetError):
    kind = "dirty-tree"


class UnknownRelease(TargetError):
    kind = "unknown-release"


class ProgramFailed(TargetError):
    """The reason that another program gave, in one line."""

    kind = "program-failed"


class NotInGit(ProgramFailed):
    kind = "not-in-git"


class ForeignOwner(ProgramFailed):
    kind = "foreign-owner"


class DiskFull(ProgramFailed):
    kind = "disk-full"


class IndexLocked(ProgramFailed):
    kind = "index-locked"


class NoPermission(ProgramFailed):
    kind = "no-permission"


class NoSolution(ProgramFailed):
    kind = "no-solution"


class Unreachable(ProgramFailed):
    kind = "unreachable"


class BadSettings(ProgramFailed):
    kind = "bad-settings"


class SourceError(UserError):
    code = 3
    kind = "source-refuses"


class Interrupted(UserError):
    code = 130
    kind = "interrupted"
