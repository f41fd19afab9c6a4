"""Compare existing services with the latest template release, and update them.

Other rooms use:
    check   Checked check
    update  Service Side Updated apply apply_update find refuse_fixed
"""
