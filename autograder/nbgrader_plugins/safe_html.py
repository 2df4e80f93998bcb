"""Feedback pages and formgrader without anything from a student that could run, load or cover something.

nbgrader's templates show the HTML in Markdown cells and comments unchanged, and put much of a notebook's metadata into
the page unescaped. `clean_html`, `markdown2html` and `highlight_code` replace the templates' filters of these names;
`SafeContent` removes what no filter sees; `PageStyle` adds missing style.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tinycss2
from bleach.css_sanitizer import CSSSanitizer
from bleach.html5lib_shim import Filter
from bleach.sanitizer import ALLOWED_TAGS, Cleaner
from jinja2 import pass_context
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_markdown_cell
from pygments.token import STANDARD_TYPES
from traitlets import Bool

from autograder.locale import _, speaking
from autograder.notebooks.cells import CHECK_PREFIX, grade_id_of, metadata_of
from autograder.notebooks.submission import language_of

TAGS = ALLOWED_TAGS | set(
    "br caption center dd del details div dl dt h1 h2 h3 h4 h5 h6 hr img kbd p pre s span sub summary sup "
    "table tbody td tfoot th thead tr u".split()
)
PROPERTIES = set(
    "background border-collapse color display font-family font-style font-weight line-height margin padding "
    "text-align vertical-align white-space width".split()
)
CLASSES = {*STANDARD_TYPES.values(), "highlight", "anchor-link"} - {""}
"""Classes of highlighted code and headings. Others could belong to Bootstrap or formgrader."""

ID_PREFIX = "text-"
"""A prefix of every id, so that none equals that of a score or comment, which formgrader finds by id."""

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
PHOTOS = IMAGES[:3]
"""Types that can be attached and shown by an HTML tag: they contain only pixels."""

_EMBEDDED = re.compile(rf"data:({'|'.join(map(re.escape, IMAGES))});base64,[A-Za-z0-9+/=\s]*")
_ATTACHED = re.compile(r"\s*attachment:", re.IGNORECASE)
_SRC = (None, "src")

DATA = {*IMAGES, "text/plain", "text/html", "text/markdown", "text/latex"}
"""What outputs may hold."""

MAX_CODE, MAX_CODE_LINE = 50_000, 1_000
"""The longest cell, and line, in which code is coloured: the time can grow with the square of the length."""

MAX_MARKDOWN = 50_000
"""Longer Markdown in a cell, without images, is shown as plain text."""

MAX_MARKS = 1000
"""The same for tags and environments: the time that parsers take grows with the square of their number."""

MAX_WORDS = 1000
"""Characters of the description of a figure."""

MAX_PICTURES = 50 * 2**20
"""Characters of attached pictures in a cell."""

# --- filters ----------------------------------------------------------------------------------------------------------


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Markdown as harmless HTML."""
    pictures = _pictures(context.get("cell", {}).get("attachments", {}))
    if not pictures or _is_too_much(source, pictures):
        return _clean_plain_markdown(source)
    return _clean_markdown(source, pictures)


def clean_html(source: str, pictures: Mapping[str, dict[str, str]] = {}) -> str:
    """HTML without anything that could run, load or hide something.

    Args:
        pictures: those of the cell, for `<img src="attachment:...">`.
    """
    cleaner = Cleaner(
        tags=TAGS,
        attributes=_is_allowed,
        protocols={"http", "https", "mailto", "data", "attachment"},
        css_sanitizer=_PlainCSS(allowed_css_properties=PROPERTIES),
        filters=[partial(_OwnNames, pictures=pictures)],
    )
    return cleaner.clean(str(source))


def highlight_code(source: str, language: str | None = None, metadata: Any = None) -> str:
    """Python source in colours, whatever language the notebook claims; very long code stays plain."""
    if len(source) > MAX_CODE or max(map(len, source.split("\n"))) > MAX_CODE_LINE:
        return f'<div class="highlight">{_as_it_stands(source)}</div>'
    return _in_colours(source)


@lru_cache(maxsize=1000)  # the lesson's own code, too
def _in_colours(source: str) -> str:
    return Highlight2HTML(pygments_lexer="ipython3")(source)


def _clean_markdown(source: str, attachments: dict[str, dict[str, str]]) -> str:
    text = re.sub(r"data:image/[\w+.-]+;base64,[\w+/=]+", "", source)
    if len(text) > MAX_MARKDOWN or max(text.count("<"), text.count("\\begin")) > MAX_MARKS:
        return _as_it_stands(source[:MAX_MARKDOWN])
    try:
        page = MarkdownWithMath(renderer=_Renderer(escape=False, attachments=attachments)).render(source)
        return clean_html(page, attachments)
    except Exception:  # the parsers have no common error class, and a page must not fail
        return _as_it_stands(source)


@lru_cache(maxsize=1000)  # the lesson's own text is the same in every submission
def _clean_plain_markdown(source: str) -> str:
    return _clean_markdown(source, {})


def _as_it_stands(source: str) -> str:
    return f"<pre>{html.escape(source)}</pre>"


class _Renderer(IPythonRenderer):
    """Shows the description of a missing attached image, for which nbconvert would abandon the page."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("attachment:"):
            name = unquote(url.removeprefix("attachment:"))
            if name not in self.attachments:
                return f"<em>{html.escape(text or name)}</em>"
            url = f"attachment:{name}"
        return super().image(text, url, title)


def _is_too_much(source: str, pictures: dict[str, dict[str, str]]) -> bool:
    """Whether pictures would fill the page: a picture is inserted each time that it is named."""
    largest = max((len(content) for bundle in pictures.values() for content in bundle.values()), default=0)
    return len(re.findall("attachment:", source, re.IGNORECASE)) * largest > MAX_PICTURES


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """The images among a cell's attachments, each in one format."""
    found = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        for mime in IMAGES:
            if isinstance(bundle, dict) and isinstance(bundle.get(mime), str):
                found[name] = {mime: re.sub(r"\s", "", bundle[mime])}
                break
    return found


# --- cleaning ---------------------------------------------------------------------------------------------------------


def _is_allowed(tag: str, name: str, value: str) -> bool:
    if name in ("class", "id", "style", "title"):
        return True
    if (tag, name) == ("img", "src"):
        return bool(_EMBEDDED.fullmatch(value) or _ATTACHED.match(value))  # what is attached is put in later
    if (tag, name) == ("a", "href"):
        # No paths: formgrader serves what a student handed in, scripts too, beside the page.
        return bool(re.match(r"https?://|mailto:|#", value, re.IGNORECASE))
    if name in ("width", "height"):
        return tag == "img" and bool(re.fullmatch(r"\d{1,4}(px|%)?", value))
    if (name, value) in (("role", "img"), ("role", "group"), ("scope", "col")):
        return True
    return name in ("aria-label", "lang") or (tag, name) in {("img", "alt"), ("td", "align"), ("th", "align")}


class _OwnNames(Filter):
    """Puts attached pictures in place of their names, and keeps ids and links to them apart from the page's.

    Of classes, it keeps only those that colour code.
    """

    def __init__(self, source: Any, pictures: Mapping[str, dict[str, str]]) -> None:
        super().__init__(source)
        self._pictures = pictures

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for token in super().__iter__():
            if token["type"] in ("StartTag", "EmptyTag"):
                self._rename(token["data"])
                if token["name"] == "img":
                    self._embed(token["data"])
            yield token

    def _embed(self, attributes: dict[tuple[str | None, str], str]) -> None:
        source = attributes.get(_SRC, "")
        if not (found := _ATTACHED.match(source)):
            return
        name = html.unescape(source[found.end() :])  # bleach leaves entities as they are
        bundle = self._pictures.get(name) or self._pictures.get(unquote(name)) or {}
        pictures = (f"data:{mime};base64,{content}" for mime, content in bundle.items() if mime in PHOTOS)
        picture = next((uri for uri in pictures if _EMBEDDED.fullmatch(uri)), None)
        if picture is None:
            del attributes[_SRC]  # what the student says of the picture stays
        else:
            attributes[_SRC] = picture

    def _rename(self, attributes: dict[tuple[str | None, str], str]) -> None:
        for name, value in list(attributes.items()):
            if name[1] == "id":
                attributes[name] = ID_PREFIX + value.removeprefix(ID_PREFIX)
            elif name[1] == "href" and value.startswith("#"):
                attributes[name] = f"#{ID_PREFIX}{value[1:].removeprefix(ID_PREFIX)}"
            elif name[1] == "class":
                attributes[name] = " ".join(word for word in value.split() if word in CLASSES)


class _PlainCSS(CSSSanitizer):
    """Keeps only plain values: nothing that loads (`url`), and no negative lengths that could cover others."""

    def sanitize_css(self, style: str) -> str:
        declarations = tinycss2.parse_declaration_list(style, skip_comments=True, skip_whitespace=True)
        kept = [
            item
            for item in declarations
            if item.type == "declaration" and item.lower_name in self.allowed_css_properties and _is_plain(item.value)
        ]
        return "; ".join(f"{item.lower_name}: {tinycss2.serialize(item.value).strip()}" for item in kept)


def _is_plain(tokens: list[Any]) -> bool:
    return all(
        (token.type in ("dimension", "number", "percentage") and 0 <= token.value <= 2000)
        or (token.type == "function" and token.lower_name in ("rgb", "rgba", "hsl", "hsla"))
        or token.type in ("ident", "hash", "string", "whitespace")
        or (token.type == "literal" and token.value == ",")
        for token in tokens
    )


# --- preprocessors ----------------------------------------------------------------------------------------------------


class SafeContent(Preprocessor):
    """Keeps what the course uses of a notebook, with the types that the templates expect."""

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Clean `nb`."""
        nb.metadata = _chosen(nb.metadata, "kernelspec", "autograder")
        nb.metadata["language_info"] = NotebookNode(name="python")
        with speaking(language_of(nb)):
            nb.cells = [_tidied(cell) for cell in nb.cells if isinstance(cell, NotebookNode)]
        return nb, resources


class PageStyle(Preprocessor):
    """Adds `custom/custom.css`, where nbconvert looks for a page's own style in the settings folder.

    Leaves out the scores that nbgrader reads from test cells' outputs, which stand above the cells. In formgrader, the
    page begins with links to the cells that a person grades.
    """

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Make this folder the settings folder in `resources`."""
        resources["config_dir"] = str(Path(__file__).parent)
        for cell in nb.cells:
            if (grade_id_of(cell) or "").startswith(CHECK_PREFIX) and cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
        if "submission_id" in resources:
            with speaking(language_of(nb)):
                nb.cells = list(_with_links(nb.cells))
        return nb, resources


def is_by_hand(cell: NotebookNode) -> bool:
    """Whether a person grades the cell."""
    mark = metadata_of(cell, "nbgrader")
    return bool(mark.get("task") or mark.get("grade") and mark.get("solution"))


def _with_links(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    """The cells, below links to those that a person grades; ids are unlike those of scores, see `ID_PREFIX`."""
    names = [name for cell in cells if is_by_hand(cell) and re.fullmatch(r"[\w-]+", name := grade_id_of(cell) or "")]
    if names:
        links = " · ".join(f"[{name.replace('_', chr(92) + '_')}](#by-hand-{name})" for name in names)
        yield new_markdown_cell(_("To grade by hand: {cells}").format(cells=links))
    for cell in cells:
        if (name := grade_id_of(cell) or "") in names and is_by_hand(cell):
            yield new_markdown_cell(f'<span id="by-hand-{name}"></span>')
        yield cell


def _chosen(metadata: Any, *keys: str) -> NotebookNode:
    found = metadata if isinstance(metadata, dict) else {}
    return NotebookNode({key: found[key] for key in keys if isinstance(found.get(key), dict)})


def _tidied(cell: NotebookNode) -> NotebookNode:
    described = _words(cell.get("metadata"))
    cell.metadata = _chosen(cell.get("metadata"), "nbgrader", "autograder")
    cell.source = _text(cell.get("source"))
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(cell.get("id", ""))):
        cell.pop("id", None)
    if "attachments" in cell:
        cell.attachments = NotebookNode(_pictures(cell.attachments))
    if cell.get("cell_type") not in ("code", "markdown"):
        cell.cell_type = "raw"
    if cell.cell_type == "code":
        outputs = cell.get("outputs")
        outputs = outputs if isinstance(outputs, list) else []
        cell.outputs = [_tidied_output(output, described) for output in outputs if isinstance(output, NotebookNode)]
        cell.execution_count = _count(cell)
    return cell


def _words(metadata: Any) -> str:
    """What the metadata of a cell or of an image says of a figure, for people who do not see it; "" if nothing."""
    words = metadata.get("alt") if isinstance(metadata, dict) else None
    return _text(words)[:MAX_WORDS].strip()


def _tidied_output(output: NotebookNode, described: str) -> NotebookNode:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type=kind, name=name, text=_text(output.get("text")))
    if kind == "error":
        traceback = output.get("traceback")
        return NotebookNode(
            output_type=kind,
            ename=_text(output.get("ename")),
            evalue=_text(output.get("evalue")),
            traceback=[_text(line) for line in traceback] if isinstance(traceback, list) else [],
        )
    bundle = output.get("data")
    bundle = bundle if isinstance(bundle, dict) else {}
    data = {mime: _text(text) for mime, text in bundle.items() if mime in DATA and isinstance(text, str)}
    if not re.fullmatch(r"[A-Za-z0-9+/=\s]*", data.get("image/png", "")):
        del data["image/png"]
    said = output.get("metadata")
    said = said if isinstance(said, dict) else {}
    metadata = {
        mime: NotebookNode(alt=_words(said.get(mime)) or described or _("Figure that this cell drew"))
        for mime in data
        if mime in IMAGES
    }
    tidied = NotebookNode(output_type="display_data", data=NotebookNode(data), metadata=NotebookNode(metadata))
    if kind == "execute_result":
        tidied.update(output_type=kind, execution_count=_count(output))
    return tidied


def _count(holder: NotebookNode) -> int | None:
    count = holder.get("execution_count")
    return count if isinstance(count, int) else None


def _text(value: Any) -> str:
    """Text without control characters, except line breaks, tabs and the colour codes of tracebacks."""
    return (
        re.sub(r"(\x1b\[[\d;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", r"\1", value) if isinstance(value, str) else ""
    )
