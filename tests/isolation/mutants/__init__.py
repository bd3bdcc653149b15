"""ISO-5: the proof of the proof. Each break of the walls between tenants, made on purpose, must make tests fail."""

from tests.isolation.mutants.pages import PAGES
from tests.isolation.mutants.programs import PROGRAMS
from tests.isolation.mutants.walls import WALLS

BREAKS = (*WALLS, *PAGES, *PROGRAMS)
