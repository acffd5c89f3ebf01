"""MkDocs hooks: pages from outside of this folder, and checks of the built site.

Adds the notebooks and the documents in the repository's root. Links to other files go to the
repository. The build fails if a page loads a resource from another host, or if a public name of the
packages is missing in the reference.
"""

import json
import posixpath
import re
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/xai-lowcode/xai-lowcode/blob/main/"
ROOT_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
# Guides are found before the reference, which names everything. By the prefix of a page's URL.
SEARCH_BOOSTS = {
    "how-to/": 4,
    "concurrency/": 4,
    "performance/": 3,
    "troubleshooting/": 8,
    "notebooks/": 0.3,
    "reference/": 0.3,
    "changelog/": 0.1,
}
# Search terms of pages that have no front matter.
ROOT_TAGS = {"changelog.md": ["release notes"], "security.md": ["vulnerability", "token leak"]}
PACKAGES = ("xai_lowcode", "langchain_xai_lowcode", "llama_index_xai_lowcode")

_LINK = re.compile(r'(\]\()([^)\s#:]+)(#[^)\s]*)?((?: "[^"]*")?\))')
# Notebook pages would load the Mermaid library from a CDN; no notebook here uses it.
_MERMAID = re.compile(r'<script type="module">(?:(?!</script>).)*mermaid.*?</script>', re.DOTALL)
_NO_ALTERNATIVE_TEXT = 'alt="No description has been provided for this image"'
_IMAGE = re.compile(r'<img alt="(?P<alt>[^"]*)" src="(?P<src>[^"]*\.svg)"\s*/?>')
_EXTERNAL_URL = r"""((?:https?:)?//[^"'\s)>]+)"""
# Elements that load resources, and loads in scripts and style sheets.
_RESOURCE = re.compile(
    rf"""<(?:script|img|iframe|link|source|object|embed)\b[^>]*?\b(?:src|href|data)=["']?{_EXTERNAL_URL}"""
    rf"""|(?:\bimport\(|url\(|@import )["']?{_EXTERNAL_URL}""",
    re.IGNORECASE,
)


_FIELDS = "<!-- table of fields -->"


def table_of_fields() -> str:
    """Return a Markdown table of the fields of all components."""
    components: dict[str, list[str]] = {}
    defaults: dict[str, set[str]] = {}
    descriptions: dict[str, tuple[str, str]] = {}
    for package in map(import_module, PACKAGES[1:]):
        documented = griffe.load(package.__name__, search_paths=[ROOT])
        for exported in package.__all__:
            component = getattr(package, exported)
            for name, field in getattr(component, "model_fields", {}).items():
                if not _is_own_field(component, name):
                    continue
                components.setdefault(name, []).append(exported)
                default = "" if field.default_factory or field.is_required() else field.default
                defaults.setdefault(name, set()).add(f"`{default!r}`" if default != "" else "")
                if name not in descriptions:
                    attribute = documented[exported].all_members[name]
                    descriptions[name] = _describe(attribute, field.description)
    rows = [
        f"| <span id='{name}'></span>`{name}`<br>{_to_code(kind)} |"
        f" {' or '.join(sorted(defaults[name] - {''}))} | {text.replace('|', '&#124;')} |"
        f" {_name_components(components[name])} |"
        for name, (kind, text) in descriptions.items()
    ]
    header = "| field and type | default | description | components |"
    return "\n".join([header, "|---|---|---|---|", *rows])


def _describe(attribute: griffe.Attribute, description: str | None) -> tuple[str, str]:
    """Return the type of a field as it is written, and its description as one line."""
    kind = re.sub(r"^Annotated\[(.*), \w+\]$", r"\1", str(attribute.annotation))
    text = description or (attribute.docstring.value if attribute.docstring else "")
    return kind, " ".join(text.replace("``", "`").split())


def _to_code(kind: str) -> str:
    return f"<code>{escape(kind).replace('|', '&#124;')}</code>"


def _name_components(exported: list[str]) -> str:
    every = {
        name
        for package in map(import_module, PACKAGES[1:])
        for name in package.__all__
        if "api_token" in getattr(getattr(package, name), "model_fields", {})
    }
    return "all" if set(exported) == every else ", ".join(f"`{name}`" for name in exported)


def _is_own_field(component: Any, name: str) -> bool:
    """Return whether a field of a component is this package's, not only a base class's."""
    bases = [base for base in component.__mro__ if name in getattr(base, "model_fields", {})]
    settings = [base for base in component.__mro__ if base.__name__ == "ClientFields"]
    is_inherited = not all(base.__module__.startswith(PACKAGES) for base in bases)
    is_model = component.model_fields[name].kw_only is False
    return bool(settings) and (not is_inherited or is_model or name in settings[0].model_fields)


@event_priority(100)
def on_files(files: Files, config: Any) -> Files:
    """Add pages from outside of this folder; first, so that plugins see them."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        relative_path = path.relative_to(ROOT).as_posix()
        files.append(File(relative_path, str(ROOT), config.site_dir, config.use_directory_urls))
    for source, page in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_rewrite_links(text, "", "")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Rewrite links that leave the folder to pages of the site, or to the repository."""
    del config, files
    page.meta.setdefault("tags", ROOT_TAGS.get(page.file.src_uri))
    boosts = (boost for prefix, boost in SEARCH_BOOSTS.items() if page.url.startswith(prefix))
    page.meta.setdefault("search", {}).setdefault("boost", next(boosts, 1))
    if page.file.generated_by:
        return markdown
    if _FIELDS in markdown:
        markdown = markdown.replace(_FIELDS, table_of_fields())
    return _rewrite_links(markdown, "docs", posixpath.dirname(page.file.src_uri))


def _add_alternative_texts(html: str, path: Path) -> str:
    """Give a notebook's images the texts in their metadata, which nbconvert's template ignores."""
    texts = [
        escape(output["metadata"]["image/png"]["alt"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    first, *parts = html.split(_NO_ALTERNATIVE_TEXT)
    if len(parts) != len(texts):
        raise PluginError(f"{path.name}: {len(parts)} images, {len(texts)} alternative texts")
    return first + "".join(f'alt="{text}"{part}' for text, part in zip(texts, parts, strict=True))


def _rewrite_links(markdown: str, folder: str, directory: str) -> str:
    """Rewrite the links of a page from `folder/directory` to its `directory` on the site."""

    def rewrite(link: re.Match[str]) -> str:
        opened, target, anchor, closed = link.groups()
        path = posixpath.normpath(posixpath.join(folder, directory, target))
        if path.startswith("docs/"):
            inside = path.removeprefix("docs/")
        elif path in ROOT_PAGES:
            inside = ROOT_PAGES[path]
        elif path.startswith("notebooks/") and path.endswith(".ipynb"):
            inside = path
        elif (ROOT / path).exists():
            return f"{opened}{REPOSITORY}{path}{anchor or ''}{closed}"
        else:
            return link[0]
        return f"{opened}{posixpath.relpath(inside, directory or '.')}{anchor or ''}{closed}"

    return _LINK.sub(rewrite, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Inline SVG diagrams, so that they use the page's colours."""
    del config, files
    if page.file.src_uri.endswith(".ipynb"):
        html = _add_alternative_texts(_MERMAID.sub("", html), ROOT / page.file.src_uri)

    def inline(image: re.Match[str]) -> str:
        text = (ROOT / "docs" / "assets" / posixpath.basename(image["src"])).read_text("utf-8")
        return f'<figure class="diagram">{text}</figure>'

    return _IMAGE.sub(inline, html)


def on_post_build(config: Any) -> None:
    """Fail if a page loads an external resource, or if a public name is missing."""
    site = Path(config.site_dir)
    problems = [*_find_external_resources(site), *_find_missing_names(site)]
    if problems:
        raise PluginError("\n".join(problems))


def _find_external_resources(site: Path) -> list[str]:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    return [
        f"{page.relative_to(site)} loads {next(filter(None, match.groups()))}"
        for page in pages
        for match in _RESOURCE.finditer(page.read_text(encoding="utf-8"))
        if 'rel="canonical"' not in match[0]
    ]


def _find_missing_names(site: Path) -> list[str]:
    documented = set(re.findall(r'\bid="([\w.]+)"', "".join(_read_pages(site / "reference"))))
    return [f"{name} is missing in the reference" for name in sorted(public_names() - documented)]


def public_names() -> set[str]:
    """Return the qualified public names of the packages, without `__version__`."""
    return {
        f"{package}.{name}"
        for package in PACKAGES
        for name in import_module(package).__all__
        if name != "__version__"
    }


def _read_pages(folder: Path) -> list[str]:
    return [page.read_text(encoding="utf-8") for page in folder.rglob("*.html")]
