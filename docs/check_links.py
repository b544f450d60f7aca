"""Check the internal links of the built pages: ``python docs/check_links.py FOLDER``.

Each link must lead to a file of FOLDER and, after a ``#``, to a place in it. The exit
code is 1 if one does not. Links to other sites are not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse


class Page(HTMLParser):
    """Collect the links of a page, and the places that links may lead to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Read one element."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            if name == "id" or (name == "name" and tag == "a"):
                self.places.add(value)


def broken_links(folder):
    """Yield page and link of each link that leads nowhere."""
    # Of templates of the theme, not of pages.
    paths = [p for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    for path, page in pages.items():
        for link in sorted(page.links):
            address, place = urldefrag(link)
            if urlparse(link).scheme or address.startswith("//"):
                continue
            target = (path.parent / unquote(urlparse(address).path)).resolve()
            target = path if not address else target
            known = pages[target].places if target in pages else {unquote(place)}
            if not target.is_file() or (place and unquote(place) not in known):
                yield path.relative_to(folder), link


def main():
    """Print the broken links."""
    folder = Path(sys.argv[1]).resolve()
    broken = list(broken_links(folder))
    for page, link in broken:
        print(f"{page}: {link}")
    print(f"{len(broken)} broken links in {len(list(folder.rglob('*.html')))} pages")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
