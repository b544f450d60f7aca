"""The structure of the code: packages, imports and sizes."""

import pytest
import structure


def test_there_are_no_circles_of_imports():
    pytest.importorskip("grimp", reason='needs the extra "test"')
    assert structure.import_circles() == []


def test_private_names_of_other_libraries_are_imported_by_compat_modules_only():
    assert structure.private_imports() == []


def test_text_files_and_programs_have_an_encoding():
    assert structure.calls_without_encoding() == []


def test_few_test_files_import_private_modules():
    assert len(structure.tests_with_private_imports()) <= 8


def test_no_folder_has_more_than_fifteen_files():
    large = {k: n for k, n in structure.files_per_folder().items() if n > 15}
    assert large == {}


def test_the_package_stays_small():
    assert len(structure.modules()) <= 132
    assert structure.n_lines() < 31_500
