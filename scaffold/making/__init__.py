"""Render a service from its template and put it on disk completely or not at all.

Other rooms use:
    post_generate  lock workspace_of
    render         compile_once files_in render
    service        Made NOTHING_WRITTEN STEPS create preview refusal whole
"""
