"""What the site has beside the pages in this folder, and what is checked when it is built.

The notebooks and the project's own papers lie outside of the folder and are brought in. Links that
leave the site go to the repository. A build fails that would make a reader's browser ask anybody
else, or that lacks one of the packages' public names.
"""

import posixpath
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/xai-lowcode/xai-lowcode/blob/main/"
PAPERS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")

_LINK = re.compile(r'(\]\()([^)\s#:]+)(#[^)\s]*)?((?: "[^"]*")?\))')
# Notebook pages would have a library for diagrams, which no notebook here has, brought from afar.
_MERMAID = re.compile(r'<script type="module">(?:(?!</script>).)*mermaid.*?</script>', re.DOTALL)
_IMAGE = re.compile(r'<img alt="(?P<alt>[^"]*)" src="(?P<src>[^"]*\.svg)"\s*/?>')
_ELSEWHERE = r"""((?:https?:)?//[^"'\s)>]+)"""
# Elements that are fetched without being clicked at, and what scripts and style sheets fetch.
_FETCHED = re.compile(
    rf"""<(?:script|img|iframe|link|source|object|embed)\b[^>]*?\b(?:src|href|data)=["']?{_ELSEWHERE}"""
    rf"""|(?:\bimport\(|url\(|@import )["']?{_ELSEWHERE}""",
    re.IGNORECASE,
)


@event_priority(100)
def on_files(files: Files, config: Any) -> Files:
    """Brings in what lies outside; first of all, so that plugins see it."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        place = path.relative_to(ROOT).as_posix()
        files.append(File(place, str(ROOT), config.site_dir, config.use_directory_urls))
    for paper, page in PAPERS.items():
        text = (ROOT / paper).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, "", "")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lets links that leave the folder go where they lead on the site, or to the repository."""
    del config, files
    if page.file.generated_by:
        return markdown
    return _relinked(markdown, "docs", posixpath.dirname(page.file.src_uri))


def _relinked(markdown: str, folder: str, below: str) -> str:
    """The same text, for a page that is at `below` on the site and at `folder/below` outside."""

    def relink(link: re.Match[str]) -> str:
        opened, target, anchor, closed = link.groups()
        place = posixpath.normpath(posixpath.join(folder, below, target))
        if place.startswith("docs/"):
            inside = place.removeprefix("docs/")
        elif place in PAPERS:
            inside = PAPERS[place]
        elif place.startswith("notebooks/") and place.endswith(".ipynb"):
            inside = place
        elif (ROOT / place).exists():
            return f"{opened}{REPOSITORY}{place}{anchor or ''}{closed}"
        else:
            return link[0]
        return f"{opened}{posixpath.relpath(inside, below or '.')}{anchor or ''}{closed}"

    return _LINK.sub(relink, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Puts drawings into the page itself, where they have the page's colours."""
    del config, files
    if page.file.src_uri.endswith(".ipynb"):
        html = _MERMAID.sub("", html)

    def drawn(image: re.Match[str]) -> str:
        text = (ROOT / "docs" / "assets" / posixpath.basename(image["src"])).read_text("utf-8")
        return f'<figure class="diagram">{text}</figure>'

    return _IMAGE.sub(drawn, html)


def on_post_build(config: Any) -> None:
    """Fails if something would be fetched from elsewhere, or a public name is nowhere."""
    site = Path(config.site_dir)
    problems = [*_fetched_from_elsewhere(site), *_missing_names(site)]
    if problems:
        raise PluginError("\n".join(problems))


def _fetched_from_elsewhere(site: Path) -> list[str]:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    return [
        f"{page.relative_to(site)} fetches {next(filter(None, found.groups()))}"
        for page in pages
        for found in _FETCHED.finditer(page.read_text(encoding="utf-8"))
        if 'rel="canonical"' not in found[0]
    ]


def _missing_names(site: Path) -> list[str]:
    shown = set(re.findall(r'\bid="([\w.]+)"', "".join(_texts(site / "reference"))))
    return [f"{name} is on no page of the reference" for name in sorted(public_names() - shown)]


def public_names() -> set[str]:
    """Every name that a package exports, with the package's; versions speak for themselves."""
    return {
        f"{package}.{name}"
        for package in PACKAGES
        for name in import_module(package).__all__
        if name != "__version__"
    }


def _texts(folder: Path) -> list[str]:
    return [page.read_text(encoding="utf-8") for page in folder.rglob("*.html")]
