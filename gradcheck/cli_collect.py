"""Scores back into the gradebook: collect. Adapters only; heavy imports come late."""

from __future__ import annotations

from click import Command

COMMANDS: tuple[Command, ...] = ()
