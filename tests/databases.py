"""A database beside that of the tests, and what stands in one."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection

Row = dict[str, object]


def address(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@pytest.fixture
def other_database(django_db_setup: None) -> Iterator[str]:
    """The address of an empty one on the same server."""
    name = f"{connection.settings_dict['NAME']}_other"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as administrator:
        administrator.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        administrator.execute(f'CREATE DATABASE "{name}"')
        yield address(name)
        administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def contents(url: str) -> dict[str, list[Row]]:
    """Every row of every table, sorted."""
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as reader:
        tables = reader.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            table["tablename"]: sorted(reader.execute(f'SELECT * FROM "{table["tablename"]}"').fetchall(), key=repr)
            for table in tables
        }
