"""Configure Sphinx; build with ``sphinx-build -W docs docs/_build/html``."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "extensions"))

# With one thread the plots do not depend on the number of cores. More threads would not
# be faster.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import skbreath  # noqa: E402

project = "skbreath"
author = "The skbreath developers"
copyright = f"2026, {author}. Not a medical device, and not for diagnosis"
version = release = skbreath.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    # In docs/extensions.
    "api_pages",
    "library_links",
    "result_tables",
]

# An unresolved reference is an error.
nitpicky = True
exclude_patterns = ["_build", "auto_examples/**/*.ipynb", "auto_examples/**/*.py"]
templates_path = ["_templates"]

# --- docstrings
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Plots are in the gallery; plots of docstrings would be drawn again at every build.
numpydoc_use_plots = False
autodoc_typehints = "none"

# --- pages in Markdown
myst_enable_extensions = ["colon_fence", "deflist", "smartquotes"]
myst_heading_anchors = 3

# --- examples
sphinx_gallery_conf = {
    "examples_dirs": str(DOCS.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skbreath",),
    "reference_url": {"skbreath": None},
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 5,
    "remove_config_comments": True,
    # The examples are not published as notebooks.
    "notebook_images": False,
    "promote_jupyter_magic": False,
}
suppress_warnings = ["config.cache"]

# --- theme
html_theme = "pydata_sphinx_theme"
html_title = "skbreath"
html_static_path = ["_static"]
html_css_files = ["skbreath.css"]
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {
        "text": "skbreath",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo-dark.svg",
        "alt_text": "skbreath, start page",
    },
    "header_links_before_dropdown": 5,
    "navbar_align": "content",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    # High contrast in the light and the dark theme.
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages without subpages need no sidebar.
_WITHOUT_SIDEBAR = ["index", "install", "numbers", "faq", "comparison", "glossary"]
_WITHOUT_SIDEBAR += ["design", "roadmap", "contributing", "changes"]
html_sidebars = {page: [] for page in _WITHOUT_SIDEBAR}
