"""Links from a name of another library to its page, without asking the network.

Intersphinx would fetch an inventory of each library at every build. The libraries
that are named here keep each documented name on a page that follows from the name, so
the link follows from it too, and a build needs no connection.

Also: ``skbreath.AudioReader`` is the ``skbreath.AudioReader`` of the reference.
"""

import re

from docutils import nodes

import skbreath

PYTHON = "https://docs.python.org/3/library/{module}.html#{name}"
SKORCH = "https://skorch.readthedocs.io/en/stable/{page}.html#skorch.{page}.{last}"

# First match wins. {name} is the whole name, {module} what is before its last part,
# {page} the class of a method, or the name itself.
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
    """Address of the page that documents `name`, or None.

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


# Sections of scikit-learn's own pages that inherited docstrings refer to.
LABELS = {
    "metadata_routing": "metadata_routing.html",
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def _names_of_reference(name, inventory):
    """Names of the reference that a name of a docstring may stand for."""
    last = name.rpartition(".")[2]
    module = re.match(r"skbreath\.(\w+)\.", name)
    if module and last in skbreath._PUBLIC.get(module[1], []):
        return [f"skbreath.{last}"]
    if "." not in name:
        # A name of the docstring's own module.
        return [known for known in inventory if known.endswith(f".{name}")]
    return []


def resolve(app, env, node, contnode):
    """Answer Sphinx's question where a name leads that it does not know."""
    name = node["reftarget"]
    if node.get("refdomain") == "std":
        address = _of_sklearn(node["reftype"], name)
    elif node.get("refdomain") == "py":
        domain = env.domains["py"]
        known = _names_of_reference(name, domain.objects)
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


def _of_sklearn(kind, name):
    """Page of a term or label that an inherited docstring names."""
    stable = "https://scikit-learn.org/stable/"
    if kind == "ref" and name in LABELS:
        return stable + LABELS[name]
    if kind == "term" and name in ("fit", "classes_"):
        return f"{stable}glossary.html#term-{name.strip('_')}"
    return None


def setup(app):
    """Register with Sphinx."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
