"""One malformed file and what tintype must answer."""


class case:
    """name: of the file, with its ending; data: its bytes; code: the exit code; words: a part of the sentence;
    beside: {name: bytes} of files that go with it."""

    def __init__(self, name, data, code=65, words='', command='info', beside=None):
        assert name.isascii() and ' ' not in name and len(name) < 100, name
        self.name, self.code, self.words, self.command = name, code, words, command
        self.files = {name: bytes(data)}
        self.files.update(beside or {})


def sweep(true, size, bits=64):
    """What an integer field is set to, the true value left out: [(label, value)]."""
    top = 2**bits - 1
    found = [('0', 0), ('1', 1), ('half', top // 2), ('half+1', top // 2 + 1), ('max', top), ('max-1', top - 1),
             ('size', size), ('size-1', size - 1), ('size+1', size + 1), ('less', true - 1), ('more', true + 1)]
    seen, out = {true & top}, []
    for label, value in found:
        if value & top not in seen:
            seen.add(value & top)
            out.append((label, value & top))
    return out
