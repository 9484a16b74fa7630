"""The environment file's JSON Schema, made from the models, so that editors complete and check what Drillbook accepts.

`python -m drillbook.topology.schema` writes it anew beside this module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from drillbook.topology.model import Topology

FILE = Path(__file__).with_name("environment.schema.json")


class _Generator(GenerateJsonSchema):
    """As pydantic makes it, but stricter, as the loader is: no null for a key that may be left out, no name off its pattern."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if not isinstance(made.get("default"), str | int | float | bool):
            made.pop("default", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (pydantic's signature)
        return False


def schema() -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of an environment file."""
    made = Topology.model_json_schema(schema_generator=_Generator)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **made,
        "title": "Drillbook environment",
    }


def text() -> str:
    """Give the schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
