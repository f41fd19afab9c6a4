"""What can go wrong by a user's or a system's doing. Nothing else is raised on purpose.

    UserError
    ├── BadAnswers            2  bad-answers         an answer that would not work
    │   ├── BadName           2  bad-name            the name of the service would not work
    │   ├── BadAnswersFile    2  bad-answers-file    the file of answers cannot be used
    │   ├── MissingAnswers    2  missing-answers     it has to be said, and nobody can be asked
    │   ├── SplitWorkload     2  split-workload      the workload is one of two services
    │   ├── NoTemplate        2  no-template         the framework has no template yet
    │   ├── NothingMaintained 2  nothing-maintained  no maintained framework meets a requirement
    │   ├── NotMeasured       2  not-measured        figures are asked for that are not there
    │   └── FixedAnswer       2  fixed-answer        an answer that an update cannot change
    ├── TargetError           3  target-refuses      the service cannot go where it should
    │   ├── NotAService       3  not-a-service       the folder has no service of this tool
    │   ├── NoRepository      3  no-repository       an update needs git, and a commit to go from
    │   ├── DirtyTree         3  dirty-tree          something is not committed
    │   ├── UnknownRelease    3  unknown-release     what it was made from is not known here
    │   └── ProgramFailed     3  program-failed      git or uv could not do its part
    │       ├── NotInGit      3  not-in-git          the folder is in no git repository
    │       ├── ForeignOwner  3  foreign-owner       the repository belongs to another user
    │       ├── DiskFull      3  disk-full           git or uv has no room to write
    │       ├── IndexLocked   3  index-locked        another git is at work, or was killed
    │       ├── NoPermission  3  no-permission       git or uv may not read or write a file
    │       ├── NoSolution    3  no-solution         uv finds no versions that fit together
    │       ├── Unreachable   3  unreachable         git or uv cannot reach a server
    │       └── BadSettings   3  bad-settings        the settings of git or uv do not work
    ├── SourceError           3  source-refuses      the templates cannot be read from their source
    └── Interrupted         130  interrupted         a signal ended it

`code` is the exit code, `kind` the slug that `--json` shows.
"""


class UserError(Exception):
    """One sentence for the person at the terminal; more problems are further lines of it."""

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
    """What another program gave as its reason, in one line."""

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
