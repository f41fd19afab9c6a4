"""Compare existing services with the latest template release, and update them.

Other rooms use:
    check   Checked check
    update  Updated apply_update find refuse_fixed
"""
