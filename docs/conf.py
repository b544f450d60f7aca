"""Sphinx configuration: ``sphinx-build -W docs docs/_build/html``."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "extensions"))

# One thread, as the networks use by themselves: the pictures do not depend on the
# number of cores, and nothing is faster with more.
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
    # Ours, in docs/extensions.
    "library_links",
]

# A name that leads nowhere is an error.
nitpicky = True
exclude_patterns = ["_build", "auto_examples/**/*.ipynb", "auto_examples/**/*.py"]
templates_path = ["_templates"]

# --- docstrings
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Every plot in a docstring would be drawn anew; the gallery has them.
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
    # Of a notebook without a kernel, and of an address that nobody serves.
    "notebook_images": False,
    "promote_jupyter_magic": False,
}
suppress_warnings = ["config.cache"]

# --- the look
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
    # Legible for everybody, in both.
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages without a section of their own have nothing to list beside them.
_ALONE = ["index", "numbers", "faq", "comparison", "glossary", "design"]
html_sidebars = {page: [] for page in [*_ALONE, "contributing", "changes"]}
