"""How `--help` looks: summaries that are not cut off, examples, and where the documentation is."""

from typing import Any

import click


class Command(click.Command):
    """A command whose help ends with examples.

    Args:
        examples: command lines, without `exporter`.
        docs: the page of the documentation that says more, in the source tree.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), docs: str = "README.md", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples, self.docs = examples, docs

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole: the list of commands breaks it into lines."""
        return summary(self)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}exporter {example}\n")
        formatter.write_paragraph()
        formatter.write_text(f"Documentation: {self.docs}")


class Group(click.Group):
    """A group of commands whose summaries are not cut off."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole."""
        return summary(self)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the documentation is."""
        formatter.write_paragraph()
        formatter.write_text("Documentation: README.md and docs/ of the source. Examples: exporter COMMAND --help")


def summary(command: click.Command) -> str:
    """The first sentence of a command's help."""
    first = " ".join((command.help or "").split("\n\n")[0].split())
    return first.partition(". ")[0].rstrip(".")
