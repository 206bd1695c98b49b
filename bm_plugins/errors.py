"""The one exception for what a user can mend."""


class InputError(ValueError):
    """Something the user gave is wrong; the message says what to do.

    Raise it for a missing file, a bad manifest, a checkpoint that does not
    fit: the command line tools print its message without a traceback and exit
    with status 2. The message names the file or key at fault, what was
    expected and what to do.
    """
