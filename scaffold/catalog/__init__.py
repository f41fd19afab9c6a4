"""Read frameworks, questions, benchmark results and template releases, and a service's record.

Nothing is imported here: a wheel build imports `history` where only Python and git are installed.

Other rooms use:
    catalog   Catalog Evidence Facts Framework Option Question Refusal fields_of load
    history   NOBODY
    measured  FILE SOURCE Figures Measure Measurement Served Standing
    ownership of
    record    ANSWERS_FILE BORN_WITH DATA OWN RESOURCES RETIRED Origin Record read write
    settings  Place source
    skills    Skill called load write
    sources   Source catalog_of opened place_of questions_of
    versions  parsed
"""
