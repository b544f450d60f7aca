"""Link names of other libraries to their documentation, without network access.

Intersphinx would download an inventory of each library at every build. The libraries
below derive the address of a page from the documented name, so this extension does the
same and the build works offline.

It also links short names in docstrings, such as `AudioReader`, to the API reference.
"""

import re

from docutils import nodes

import skbreath

PYTHON = "https://docs.python.org/3/library/{module}.html#{name}"
SKORCH = "https://skorch.readthedocs.io/en/stable/{page}.html#skorch.{page}.{last}"

# The first match is used. {name} is the full name, {module} its first part, {last} its
# last part, and {page} the class if the name is a method, otherwise the full name.
PATTERNS = [
    (
        r"sklearn\.",
        "https://scikit-learn.org/stable/modules/generated/{page}.html#{name}",
    ),
    (r"numpy\.", "https://numpy.org/doc/stable/reference/generated/{page}.html#{name}"),
    (
        r"scipy\.",
        "https://docs.scipy.org/doc/scipy/reference/generated/{page}.html#{name}",
    ),
    (r"pandas\.", "https://pandas.pydata.org/docs/reference/api/{page}.html#{name}"),
    (
        r"joblib\.",
        "https://joblib.readthedocs.io/en/stable/generated/{page}.html#{name}",
    ),
    (r"torch\.", "https://docs.pytorch.org/docs/stable/generated/{page}.html#{name}"),
    (
        r"optuna\.samplers\.",
        "https://optuna.readthedocs.io/en/stable/reference/samplers/generated/{page}.html#{name}",
    ),
    (
        r"optuna\.",
        "https://optuna.readthedocs.io/en/stable/reference/generated/{page}.html#{name}",
    ),
    (
        r"skorch\.(NeuralNet\w+)",
        "https://skorch.readthedocs.io/en/stable/classifier.html#skorch.classifier.{last}",
    ),
    (
        r"skorch\.callbacks\.",
        "https://skorch.readthedocs.io/en/stable/callbacks.html#{name}",
    ),
    (r"matplotlib\.", "https://matplotlib.org/stable/api/_as_gen/{page}.html#{name}"),
    (r"(os|logging)\.", PYTHON),
]


def address_of(name):
    """Return the address of the page that documents `name`, or None.

    >>> address_of("joblib.Memory")
    'https://joblib.readthedocs.io/en/stable/generated/joblib.Memory.html#joblib.Memory'
    """
    *before, last = name.split(".")
    of_class = before and before[-1][:1].isupper()
    page = ".".join(before) if of_class else name
    for pattern, address in PATTERNS:
        if re.match(pattern, name):
            module = before[0]
            return address.format(name=name, page=page, module=module, last=last)
    return None


# Labels of scikit-learn's documentation that inherited docstrings refer to.
LABELS = {
    "metadata_routing": "metadata_routing.html",
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def _reference_names(name, inventory):
    """List the names of the API reference that match a name in a docstring."""
    package, _, last = name.rpartition(".")
    if package.startswith("skbreath.") and last in skbreath.__all__:
        return [f"skbreath.{last}"]
    if not package:
        return [known for known in inventory if known.endswith(f".{name}")]
    return []


def resolve(app, env, node, contnode):
    """Resolve a reference that Sphinx cannot resolve itself."""
    name = node["reftarget"]
    if node.get("refdomain") == "std":
        address = _sklearn_address(node["reftype"], name)
    elif node.get("refdomain") == "py":
        domain = env.domains["py"]
        known = _reference_names(name, domain.objects)
        if len(known) == 1:
            return domain.resolve_xref(
                env,
                node["refdoc"],
                app.builder,
                node["reftype"],
                known[0],
                node,
                contnode,
            )
        address = address_of(name)
    else:
        return None
    if address is None:
        return None
    return nodes.reference("", "", contnode, internal=False, refuri=address)


def _sklearn_address(kind, name):
    """Return the address of a scikit-learn term or label, or None."""
    stable = "https://scikit-learn.org/stable/"
    if kind == "ref" and name in LABELS:
        return stable + LABELS[name]
    if kind == "term" and name in ("fit", "classes_"):
        return f"{stable}glossary.html#term-{name.strip('_')}"
    return None


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
