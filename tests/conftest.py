"""Shared pytest set-up. Tests marked slow run with --slow."""

import pytest


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='run the slow tests as well')


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: takes long or much memory; runs with --slow')


def pytest_collection_modifyitems(config, items):
    if config.getoption('--slow'):
        return
    skip = pytest.mark.skip(reason='slow: use --slow')
    for item in items:
        if 'slow' in item.keywords:
            item.add_marker(skip)
