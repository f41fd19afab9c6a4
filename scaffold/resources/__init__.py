"""Resource declarations: what a service stores, as data, in a short and a long form.

Other rooms use:
    checks      check
    long_form   canonical from_data to_data
    model       Resource
    names       Reserved reserved_from
    schema      schema
    short_form  EXAMPLE parse_all short_form
    understood  Row understood
"""
