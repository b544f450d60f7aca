"""Storages in trouble."""

import logging
import os
import sqlite3
import threading

import optuna
import pytest
from sklearn.naive_bayes import GaussianNB
from stored_search import (
    X,
    search_in,
    trials_of,
    y,
)

FILES = ["trials.db", "trials.journal", "sqlite:///{}/trials.db"]


def in_folder(folder, file):
    return file.format(folder) if "{}" in file else folder / file


@pytest.mark.parametrize("file", FILES)
def test_a_storage_in_a_folder_that_is_not_there(file, tmp_path):
    folder = tmp_path / "missing"
    with pytest.raises(
        OSError, match=f"cannot open the storage .*: {folder} is not a folder"
    ) as caught:
        search_in(in_folder(folder, file)).fit(X, y)
    assert "trials." in str(caught.value) and "create it" in str(caught.value)
    assert not folder.exists()
    folder.write_text("a file", encoding="utf-8")
    with pytest.raises(OSError, match=f"storage .*: {folder} is not a folder"):
        search_in(in_folder(folder, file)).fit(X, y)


@pytest.mark.parametrize("file", FILES)
def test_a_storage_that_cannot_be_written(file, tmp_path, monkeypatch, caplog):
    search = search_in(in_folder(tmp_path, file))

    def deny(path):  # whom root, who may run the tests, would not heed
        monkeypatch.setattr(os, "access", lambda name, mode: str(name) != str(path))

    deny(tmp_path)
    with pytest.raises(OSError, match=f"the folder {tmp_path} cannot be written; name"):
        search.fit(X, y)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    search.fit(X, y)
    (path,) = tmp_path.glob("trials.*[bl]")
    deny(path)
    with pytest.raises(OSError, match=f"{path.name} cannot be written; name"):
        search.fit(X, y)
    assert caplog.text == ""  # nothing was tried again
    monkeypatch.undo()
    for left in tmp_path.iterdir():
        left.unlink()
    path.mkdir()
    with pytest.raises(OSError, match=f"{path.name} is a folder; name a file"):
        search.fit(X, y)


@pytest.mark.parametrize("name", ["trials.db", "trials.journal"])
def test_a_folder_where_the_system_lets_nobody_write(name):
    if not os.path.isdir("/proc/self"):
        pytest.skip("no such folder here")
    with pytest.raises(OSError, match=f"storage .*/proc/self/{name}: .*name a file in"):
        search_in(f"/proc/self/{name}").fit(X, y)


def test_a_database_that_cannot_be_reached():
    pytest.importorskip("psycopg")
    with pytest.raises(OSError, match="cannot open the storage") as caught:
        search_in("postgresql+psycopg://me:secret@127.0.0.1:1/none").fit(X, y)
    assert "secret" not in str(caught.value)
    with pytest.raises(ImportError, match=r'constraints.txt "\.\[distributed\]"'):
        search_in("mysql+pymysql://127.0.0.1/none").fit(X, y)


def test_a_torn_line_of_a_journal_is_cut(tmp_path):
    search = search_in(tmp_path / "trials.journal", n_trials=2).fit(X, y)
    with open(tmp_path / "trials.journal", "ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    for n_trials in (3, 4):
        search.set_params(n_trials=n_trials).fit(X, y)
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 4


def test_a_database_that_is_really_locked_is_waited_for(tmp_path):
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    other = sqlite3.connect(
        tmp_path / "trials.db", isolation_level=None, check_same_thread=False
    )

    class Locks(GaussianNB):
        def fit(self, X, y):
            other.execute("BEGIN EXCLUSIVE")
            threading.Timer(0.5, other.execute, ["COMMIT"]).start()
            return super().fit(X, y)

    search.set_params(estimator=Locks(), study_name="locked", n_trials=2)
    search.set_params(cv=[(range(40), range(40, 60))], refit=False).fit(X, y)
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 2
    other.close()


def test_a_storage_of_a_newer_optuna_is_refused(tmp_path):
    search = search_in(tmp_path / "trials.db", n_trials=1).fit(X, y)
    with sqlite3.connect(tmp_path / "trials.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    with pytest.raises(OSError, match="updating optuna to the latest version"):
        search.set_params(n_trials=2).fit(X, y)


def test_an_error_of_the_storage_loses_no_finished_trial(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.ERROR)
    search = search_in(tmp_path / "trials.db")
    database, n_written = optuna.storages.RDBStorage, []
    write = database.set_trial_state_values

    def full(self, *args, **kwargs):
        if len(n_written) == 2:
            raise optuna.exceptions.StorageInternalError("disk I/O error")
        n_written.append(write(self, *args, **kwargs))
        return n_written[-1]

    monkeypatch.setattr(database, "set_trial_state_values", full)
    with pytest.raises(OSError, match="disk I/O error. Finished trials are kept"):
        search.fit(X, y)
    monkeypatch.setattr(database, "set_trial_state_values", write)
    search.fit(X, y)
    # The third trial is repeated once its heartbeats have ended.
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert search.cv_results_["trial_number"].tolist() == [0, 1, 3, 4]
    values = [trial.params["var_smoothing"] for trial in trials_of(search)]
    assert values[2] in values[3:]


def test_a_file_that_is_no_journal(tmp_path):
    file = tmp_path / "junk.journal"
    for text in ("hello\nworld\n", '{"a": 1}\n', "[1]\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(OSError, match="junk.journal: it is damaged, or not a j"):
            search_in(file).fit(X, y)
        assert file.read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match="storage is empty"):
        search_in("").fit(X, y)
