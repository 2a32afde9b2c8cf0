"""Protects from archives that unpack to more than a document can be."""

from io import BytesIO
from zipfile import ZipFile

from ..errors import Errors
from .document import UnreadableError

MAX_UNPACKED = 512 * 1024**2


def check_size(data: bytes, name: str) -> None:
    """Check how much an archive unpacks to, before it is unpacked.

    data (bytes): the archive.
    name (str): its name, for the message.
    RAISES UnreadableError: it is more than MAX_UNPACKED bytes.
    """
    with ZipFile(BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_UNPACKED:
        found = {"size": size // 1024**2, "limit": MAX_UNPACKED // 1024**2}
        raise UnreadableError(Errors.BB496.format(name=name, **found))
