"""A badge (SVG) that says how much of the runbooks was rehearsed, for a team's page."""

from __future__ import annotations

_WIDTH = 7
"""About how many pixels a letter of Verdana 11 takes."""


def badge(good: int, total: int) -> str:
    """Give the SVG: green from 90 %, yellow from 50 %, red below; grey where there is nothing to rehearse."""
    share = 100 * good // total if total else None
    text = "no commands" if share is None else f"{share} %"
    colour = "#9f9f9f" if share is None else "#4c1" if share >= 90 else "#dfb317" if share >= 50 else "#e05d44"
    label = "runbook rehearsed"
    left, right = len(label) * _WIDTH + 10, len(text) * _WIDTH + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {text}">\n'
        f"  <title>{label}: {good} of {total} commands</title>\n"
        f'  <rect width="{left}" height="20" fill="#555"/>\n'
        f'  <rect x="{left}" width="{right}" height="20" fill="{colour}"/>\n'
        f'  <g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,sans-serif" font-size="11">\n'
        f'    <text x="{left / 2:g}" y="14">{label}</text>\n'
        f'    <text x="{left + right / 2:g}" y="14">{text}</text>\n'
        "  </g>\n</svg>\n"
    )
