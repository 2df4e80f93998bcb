"""Filters for feedback pages and formgrader, by which nothing that a student wrote runs in anybody's browser.

nbgrader's templates show the HTML in Markdown cells and comments as it is, and nbconvert's own cleaning, which they ask
for elsewhere, knows neither paragraphs nor the parts of a table.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import ALLOWED_TAGS, Cleaner
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

TAGS = ALLOWED_TAGS | {
    "br",
    "caption",
    "center",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "img",
    "kbd",
    "p",
    "pre",
    "s",
    "span",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
}
PROPERTIES = {
    "background",
    "border-collapse",
    "color",
    "display",
    "font-family",
    "font-style",
    "font-weight",
    "line-height",
    "margin",
    "padding",
    "text-align",
    "vertical-align",
    "white-space",
    "width",
}


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Markdown as harmless HTML."""
    attachments = context.get("cell", {}).get("attachments", {})
    if attachments:
        return _clean_markdown(source, attachments)
    return _clean_plain_markdown(source)


def clean_html(html: str) -> str:
    """HTML without what could run, load or hide something."""
    return _cleaner().clean(str(html))


def _clean_markdown(source: str, attachments: dict[str, Any]) -> str:
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    return clean_html(MarkdownWithMath(renderer=renderer).render(source))


@lru_cache(maxsize=1000)  # the lesson's own text is the same in every submission
def _clean_plain_markdown(source: str) -> str:
    return _clean_markdown(source, {})


@cache
def _cleaner() -> Cleaner:
    return Cleaner(
        tags=TAGS,
        attributes=_is_allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=PROPERTIES),
    )


def _is_allowed(tag: str, name: str, value: str) -> bool:
    if name in ("class", "id", "style", "title"):
        return True
    if (tag, name) == ("img", "src"):
        return value.startswith("data:image/")
    if (tag, name) == ("a", "href"):
        return not value.strip().lower().startswith("data:")
    return (tag, name) in {("img", "alt"), ("img", "width"), ("img", "height"), ("td", "align"), ("th", "align")}
