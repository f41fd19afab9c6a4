"""Check the answers to the questions, and complete them where nobody can be asked.

Other rooms use:
    answers       MAX_TEXT_LENGTH as_flags carry_over check choices_in collect complete
                  defaults_of framework_called instead names_of_resources other_half
                  refuse_kept refuse_together reserved_names resolve text_problem weighed
                  without_template
    declarations  Draft check in_short reserved
    naming        MAX_LENGTH PATTERN package_of rule_broken suggest
"""
