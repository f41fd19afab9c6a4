"""Add resources, fields and what a service has besides to one that exists, and remove them.

Other rooms use:
    changes  Change Resources add_field add_resource remove_field remove_resource
    grow     Grown apply_change apply_choice planned resources_of
"""
