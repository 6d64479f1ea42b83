"""Every code of files and folders, of documents between them, and of a live API.

Codes are never given a second meaning.
"""

CODES: dict[str, str] = {
    "CD301": "a path that should be served does not exist",
    "CD302": "a name like a manifest's that is no file: a folder, a pipe, a device",
    "CD303": "a link that leads to nothing",
    "CD304": "a file or folder that may not be read",
    "CD305": "a file whose name has characters that cannot be shown",
    "CD306": "a file that never comes to rest: it is always being written",
    "CD307": "an object that is defined a second time: the first one serves",
    "CD308": "a document is broken, and the last good version of its objects stays in use",
    "CD309": "a file too large to be read",
    "CD310": "an object of a live API that cannot be read: what it was before is served on",
}
