"""What all messages on the wire are made of: amounts, masses, names, and how a reader takes them."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fen = Annotated[int, Field(ge=0, le=10**15)]
Kg = Annotated[int, Field(ge=0, le=10**6)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
PersonName = Annotated[str, Field(max_length=120)]
"""What a person whose id stands beside it is called at the plant, which alone knows; '' in older records."""

NOTICE_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""A notice's number is also its visit's name and stands in addresses of pages, so it has no slash."""


class Mode(StrEnum):
    """How a sale is paid: 预付 prepaid, 赊销 credit, 代办托运 consigned transport."""

    PREPAID = "prepaid"
    CREDIT = "credit"
    CONSIGNED = "consigned"


class Wire(BaseModel):
    """Frozen; a reader ignores fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)
