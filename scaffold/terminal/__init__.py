"""Ask questions on the terminal, and format results as text for a person.

Other rooms use:
    missing      Questions
    prompts      LinePrompter MenuPrompter Prompter
    report       checked grown updated
    text_output  advice chosen command_line ending framework frameworks skills
    view         NARROWEST Terminal
    wizard       Wizard
"""
