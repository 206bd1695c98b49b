"""What a check found."""

from dataclasses import dataclass

OK, WARNING, PROBLEM = 'ok', 'warning', 'problem'


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        level (str): ``ok``, ``warning`` (it runs, but not as it could) or
            ``problem`` (something will fail).
        name (str): What was looked at.
        text (str): What was found, and of a warning or problem what to do.
    """

    level: str
    name: str
    text: str

    def __str__(self) -> str:
        return f'{self.level:8}{self.name:15}{self.text}'
