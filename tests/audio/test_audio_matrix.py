"""Every kind of file is read correctly or an error with its reason, as documented."""

import audio_matrix
import pytest
import soundfile


@pytest.fixture(scope="module")
def outcomes():
    return audio_matrix.run()


@pytest.mark.parametrize("kind", audio_matrix.KINDS)
def test_is_read_correctly_or_named_with_the_reason(outcomes, kind):
    _, expected, _ = audio_matrix.KINDS[kind]
    found = outcomes[kind]
    assert (found["outcome"] == "reads") == (expected == "reads"), found
    assert found["right"], found
    assert found.get("lines", 1) == 1


def test_there_are_enough_kinds_of_bad_files():
    outcomes = [outcome for _, outcome, _ in audio_matrix.KINDS.values()]
    assert all(outcomes) and sum(o != "reads" for o in outcomes) >= 40


def test_the_table_in_the_documentation_is_what_happens(outcomes):
    written = audio_matrix.DOCUMENT.read_text(encoding="utf-8")
    if f"libsndfile {soundfile.__libsndfile_version__}." not in written:
        pytest.skip("another libsndfile words its errors differently")
    assert written == audio_matrix.document(outcomes), (
        "run: python tests/audio/audio_matrix.py"
    )
