"""The smallest guest that shows that it runs: a boot sector that says so on its screen and on its serial port."""

WORDS = b"ORIEL LAB GUEST UP\r\n"


def disk():
    """A raw disk of 1 MiB. 16-bit code at 0x7c00, as a BIOS starts it."""
    code = bytearray()
    code += b"\x31\xc0\x8e\xd8\x8e\xd0\xbc\x00\x7c"  # ax = ds = ss = 0; sp = 0x7c00
    words_at = len(code) + 1
    code += b"\xbe\x00\x00"  # si = where the words are
    start = len(code)
    code += b"\xac\x84\xc0"  # al = the next one; is it 0?
    end_at = len(code) + 1
    code += b"\x74\x00"  # then to the end
    code += b"\x50\xb4\x0e\xbb\x07\x00\xcd\x10"  # keep it; the BIOS writes it on the screen
    code += b"\xba\xfd\x03\xec\xa8\x20\x74\xfb"  # until the serial port can take one
    code += b"\x58\xba\xf8\x03\xee"  # there it goes
    code += bytes([0xEB, 0x100 - (len(code) + 2 - start)])
    end = len(code)
    code += b"\xf4\xeb\xfd"  # sleep, for ever
    code[end_at] = end - (end_at + 1)
    code[words_at : words_at + 2] = (0x7C00 + len(code)).to_bytes(2, "little")
    code += WORDS + b"\0"
    sector = bytes(code).ljust(510, b"\0") + b"\x55\xaa"
    return sector.ljust(1 << 20, b"\0")
