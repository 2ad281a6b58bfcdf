"""The terminal on which both screens are drawn: as wide and as colourful as they are shown, and nothing interpreted."""

from __future__ import annotations

import io

from doctor.api import Presentation, rich_console


def console_of(buffer: io.StringIO, presentation: Presentation) -> rich_console.Console:
    """Return a console that writes into ``buffer``."""
    return rich_console.Console(
        file=buffer,
        width=presentation.width,
        force_terminal=presentation.color,
        color_system="standard" if presentation.color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
