"""The differential count of a patient or slide."""
