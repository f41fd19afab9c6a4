"""A service that grew is the one that would have been made with all of it, but for migrations."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scaffold.growing import changes, grow
from scaffold.making import render
from scaffold.resources.model import Resource
from tests.services import REPOSITORY, frameworks
from tests.tool.declarations import declarations
