"""``python -m skbreath`` is the ``skbreath`` command."""

from .cli import main

main(prog_name="skbreath")
