"""`python -m exporter`, and the script `exporter`."""

import gc


def main() -> None:
    """Run the command line, with few searches for reference cycles.

    Such cycles are few. Looking for them took a sixth of the time of the imports, and a tenth of a small export's.
    """
    gc.set_threshold(100_000, 50, 50)
    from exporter.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
