"""What the simulators at the wire share."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Simulator(ABC):
    """Something that runs on a thread of its own from its making until `close`, or until the end of a `with`."""

    @abstractmethod
    def switch_off(self) -> None:
        """Break every connection and stop listening; its thread and its port are free when this returns."""

    def close(self) -> None:
        """Switch it off for good."""
        self.switch_off()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
