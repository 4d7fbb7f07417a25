"""The checker of array shapes and types that pytest puts into the package (`pyproject.toml`)."""

from beartype import BeartypeConf, beartype

# An int is good where a float is named, as for the type checker (PEP 484).
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
