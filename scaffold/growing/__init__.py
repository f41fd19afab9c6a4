"""Add resources and fields to a service that exists, and remove them.

Other rooms use:
    changes  Change Resources add_field add_resource remove_field remove_resource
    grow     Grown apply_change planned resources_of
"""
