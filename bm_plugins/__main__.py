"""``python -m bm_plugins`` is ``bm``."""

if __name__ == '__main__':
    from bm_plugins import cli

    cli.main()
