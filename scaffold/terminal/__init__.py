"""Ask questions on the terminal, and format results as text for a person.

Other rooms use:
    conversation Conversation
    missing      Questions
    prompts      LinePrompter MenuPrompter
    report       checked grown updated
    text_output  advice chosen command_line ending following framework frameworks skills
    view         NARROWEST Terminal
    wizard       Wizard
"""
