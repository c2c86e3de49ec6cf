"""What nobody should read in a log: passwords, and values of rows."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import create_engine

from honestwork.adapters import SqlStore
from honestwork.domain import BackendError, BadValue, CheckFailed, Duplicate, HonestworkError, Unavailable
from tests.integration.bank import Account, Bank, bank, mapping, sql

SECRET = "Xq7zSecret"


def told(error: BaseException) -> str:
    """All that a log could have of an error."""
    texts = traceback.format_exception(error)
    found: BaseException | None = error
    while found is not None:
        texts += [str(found), repr(found), repr(found.args)]
        found = found.__cause__ or found.__context__
    return "\n".join(texts)


odd = st.text(st.sampled_from("@:/?#%&=[] \n\té€\\'\"."), max_size=4)
passwords = st.tuples(odd, odd).map(lambda around: f"{around[0]}{SECRET}{around[1]}")
drivers = st.sampled_from(
    [
        "postgresql",
        "postgresql+psycopg",
        "mariadb+pymysql",
        "mysql",
        "postgresql+nosuch",
        "postgresql+asyncpg",
        "oracle",
    ]
)
urls = st.one_of(
    st.builds("{}://john:{}@127.0.0.1:1/name".format, drivers, passwords.map(lambda text: quote(text, safe=""))),
    st.builds("{}://john:{}@127.0.0.1:1/name".format, drivers, passwords),
    st.builds("{}://john:{}@127.0.0.1:port/name".format, drivers, passwords),
    st.builds("{}://:{}@127.0.0.1:1/name".format, drivers, passwords),
    st.builds("{}:/john:{}@127.0.0.1/name".format, drivers, passwords),
    st.builds("{}//john:{}@127.0.0.1/name".format, drivers, passwords),
    st.builds(
        "{}://john@127.0.0.1:1/name?{}={}".format,
        drivers,
        st.sampled_from(["password", "sslpassword", "passwd"]),
        passwords.map(lambda text: quote(text, safe="")),
    ),
    st.builds(" {}://john:{}@127.0.0.1:1/name".format, drivers, passwords),
)


def made(url: str) -> tuple[SqlStore | None, Exception]:
    """A store on this URL, or the error that there is instead."""
    try:
        return SqlStore(url, mapping), Exception()
    except HonestworkError as error:
        return None, error


@settings(max_examples=300, deadline=None)
@given(urls)
def test_a_password_is_in_no_error_however_its_url_is_written(url: str) -> None:
    store, error = made(url)
    if store is None:
        assert SECRET not in told(error)
        return
    assert SECRET not in repr(store) + repr(store.engine) + repr(store.engine.url)
    if ":1/" in url and "@127.0.0.1:1/" in str(store.engine.url):
        with Bank(store) as uow, pytest.raises((Unavailable, BackendError, TypeError)) as caught:
            uow.accounts.all()
        assert SECRET not in told(caught.value)
    store.dispose()


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    with bank(request.getfixturevalue(f"{request.param}_url")) as store:
        yield store


def test_the_values_of_a_row_that_is_refused_are_in_no_error(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.add_many([Account("Mary", number=SECRET), Account("Jane", number=SECRET)])
        with pytest.raises(Duplicate) as caught:
            uow.commit()
        assert SECRET not in told(caught.value)
        assert "[parameters" not in told(caught.value)
    with Bank(store) as uow:
        uow.accounts.add(Account(SECRET, balance=-1))
        with pytest.raises(CheckFailed) as failed:
            uow.commit()
        assert SECRET not in told(failed.value)
    with Bank(store) as uow:
        uow.accounts["John"].number = SECRET
        uow.accounts.add(Account("Mary", number=SECRET))
        with pytest.raises(Duplicate) as again:
            uow.commit()
        assert SECRET not in told(again.value)


def test_a_value_that_is_refused_is_on_its_error_and_not_in_its_words(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.add(Account(SECRET * 10))
        with pytest.raises(BadValue, match=r"accounts.owner: expected at most 20 characters, got 100") as caught:
            uow.commit()
    assert SECRET not in told(caught.value)
    assert caught.value.value == SECRET * 10


def test_an_engine_of_ones_own_that_shows_parameters_goes_on_showing_them(sqlite_url: str) -> None:
    store = SqlStore(create_engine(sqlite_url), mapping)
    store.create_tables()

    with Bank(store) as uow:
        uow.accounts.add(Account(SECRET, balance=-1))
        with pytest.raises(CheckFailed) as caught:
            uow.commit()

    assert "[parameters" in told(caught.value)
    assert SECRET not in str(caught.value)
    store.dispose()


def test_the_users_own_sql_shows_no_parameters_either(store: SqlStore) -> None:
    with Bank(store) as uow, pytest.raises(Exception, match="no_such") as caught:
        sql(uow, "SELECT * FROM no_such")

    assert "[parameters" not in told(caught.value)
