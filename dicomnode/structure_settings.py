"""How a site names and colours the organs, and what it takes for an approval: one TOML file, read once."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from dicomnode import __version__
from dicomnode.errors import ConfigurationError
from segmentation.approval import ApprovalRule
from segmentation.errors import StructureSetError
from segmentation.names import OwnNames, own_names
from segmentation.structures import BY_NAME, ORGANS, Appearance, Structure, reverse_order

NAMES_FILE = Path("/etc/dicomnode/structures.toml")
ROI_NAME = r"^[ -\[\]-~]{1,16}$"  # printable ASCII without a backslash; TG-263: at most 16 characters
Level = Annotated[int, Field(ge=0, le=255)]


class _Table(BaseModel):
    """A table of the file: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OrganSettings(_Table):
    """One organ; what each key means stands in `etc/structures.toml`."""

    roi_name: Annotated[str, Field(pattern=ROI_NAME)]
    colour: tuple[Level, Level, Level]
    interpreted_type: Literal["ORGAN", "AVOIDANCE", "CONTROL"] = "ORGAN"  # PS3.3 C.8.8.8.1
    synonyms: tuple[str, ...] = ()

    @classmethod
    def of(cls, organ: Structure) -> "OrganSettings":
        """Return what holds for an organ that the file does not change."""
        return cls(roi_name=organ.name, colour=organ.colour)


def _defaults() -> Mapping[str, OrganSettings]:
    return MappingProxyType({organ.name: OrganSettings.of(organ) for organ in ORGANS})


class StructureSettings(_Table):
    """The whole file."""

    approval: ApprovalRule = ApprovalRule()
    organs: Mapping[str, OrganSettings] = Field(default_factory=_defaults)

    @field_validator("organs", mode="before")
    @classmethod
    def _completed(cls, organs: Any) -> Any:
        """Fill in every key that the file leaves out."""
        if not isinstance(organs, Mapping):
            return organs
        if unknown := [name for name in organs if name not in BY_NAME]:
            raise ValueError(f"{', '.join(unknown)}: not one of the organs {', '.join(BY_NAME)}")
        defaults = {name: settings.model_dump() for name, settings in _defaults().items()}
        given = {name: {**defaults[name], **own} if isinstance(own, dict) else own for name, own in organs.items()}
        return {**defaults, **given}

    @model_validator(mode="after")
    def _unequivocal(self) -> "StructureSettings":
        names = [settings.roi_name.strip().casefold() for settings in self.organs.values()]
        if repeated := sorted({name for name in names if names.count(name) > 1 or not name}):
            raise ValueError(f"roi_name {', '.join(map(repr, repeated))} must be one organ's alone, in whatever case")
        try:
            self.own_names()
        except StructureSetError as error:
            raise ValueError(str(error)) from None
        return self

    def appearances(self) -> Mapping[str, Appearance]:
        """Return how the site shows each organ, by its TG-263 name."""
        return MappingProxyType(
            {name: Appearance(own.roi_name, own.colour, own.interpreted_type) for name, own in self.organs.items()}
        )

    def remarks(self) -> list[str]:
        """Return which ROI names are not TG-263's, in neither of its orders: allowed, and good to know."""
        return [
            f"organs.{name}.roi_name: {own.roi_name!r} is not of TG-263, which has {name}"
            + (f" and {reverse_order(name)}" if reverse_order(name) != name else "")
            for name, own in self.organs.items()
            if own.roi_name not in {name, reverse_order(name)}
        ]

    def own_names(self) -> OwnNames:
        """Return the names that ROIs bear here: those that the site gives the organs, and its synonyms."""
        return own_names({organ: [own.roi_name, *own.synonyms] for organ, own in self.organs.items()})


def writing_settings(profile: str, settings: StructureSettings) -> str:
    """Return what beside the series and the model decides how a structure set looks; part of its UID.

    Args:
        profile: the name of the profile itself, of which several names may lead to one.
        settings: the site's.
    """
    shown = [[name, *vars(appearance).values()] for name, appearance in settings.appearances().items()]
    return json.dumps([profile, __version__, shown])


def load_structure_settings(path: Path) -> StructureSettings:
    """Read and check the file.

    Raises:
        ConfigurationError: with every fault that was found, each in a sentence that names the key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError([f"{path}: is no valid TOML: {error}"]) from None
    try:
        return StructureSettings.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError([f"{path}: {fault}" for fault in _in_words(error.errors())]) from None


def _in_words(errors: list[ErrorDetails]) -> Iterator[str]:
    """Yield each fault that pydantic found as a sentence that begins with the key."""
    said = {"extra_forbidden": "is no key of this file", "string_pattern_mismatch": "must be 1 to 16 ASCII characters"}
    for error in errors:
        key = ".".join(map(str, error["loc"])) or "organs"
        text = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        yield f"{key}: {said.get(error['type'], text)}"


def structure_settings(named: Path | None, installed: Path) -> StructureSettings:
    """Return the settings of the file that is named, else of the installed one if it is there, else the defaults.

    Raises:
        ConfigurationError: if the file cannot be used.
    """
    try:
        if named is None and not installed.is_file():
            return StructureSettings()
    except OSError as error:
        raise ConfigurationError([f"{installed}: cannot be read: {error.strerror}"]) from None
    return load_structure_settings(named or installed)
