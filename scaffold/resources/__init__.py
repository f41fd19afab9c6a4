"""Resource declarations: what a service stores, as data, in a short and a long form.

Other rooms use:
    checks      check
    field_types TYPES
    fields      with_fitting_default
    long_form   canonical from_data to_data
    model       Field Resource
    names       Reserved reserved_from
    problems    listed quote suggest
    schema      schema
    short_form  EXAMPLE field_form parse parse_all short_form split
    understood  Row understood
"""
