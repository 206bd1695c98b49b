"""The site takes pages from the project's folder; GitHub shows them there."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    'README.md': 'index.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
    'LICENSE': 'license.md',
}


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages, their links seen from docs/."""
    for source, target in PAGES.items():
        text = (ROOT / source).read_text(encoding='utf-8')
        if not source.endswith('.md'):
            text = f'# {source.title()}\n\n```text\n{text}\n```\n'
        text = text.replace('](docs/', '](')
        for name, page in PAGES.items():
            text = text.replace(f']({name}', f']({page}')
        files.append(File.generated(config, target, content=text))


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links to the project's folder into links to these pages."""
    up = '../' * page.file.src_uri.count('/')
    for name, target in PAGES.items():
        markdown = markdown.replace(f'](../{up}{name}', f']({up}{target}')
    return markdown


def on_page_content(html: str, **_: object) -> str:
    """Leave the name of a docstring's :func:`name`, as for reading."""
    return re.sub(r':(class|func|meth|mod):(?=<code>)', '', html)
