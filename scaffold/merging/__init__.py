"""Merge a change of the template into a service's repository, completely or not at all.

Other rooms use:
    journal     recover
    merge       Conflict Merge difference merge workplace
    repository  UPDATE Repository refuse_dirty repository_of uncommitted
    worktree    apply
"""
