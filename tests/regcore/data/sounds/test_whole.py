import struct

import pytest
from sound_files import sound_file, tone

from regcore.data.sounds.whole import check_whole
from regcore.errors import InvalidDataError

WHOLE = sound_file(tone(440))


def test_whole_files_pass():
    check_whole(WHOLE, "a.wav")
    check_whole(sound_file(tone(440), format="FLAC"), "a.flac")


@pytest.mark.parametrize("num_bytes", [1, 700])
def test_a_file_whose_samples_were_cut_off_is_refused_by_name(num_bytes):
    with pytest.raises(InvalidDataError, match=f"b/a.wav is cut off: {num_bytes} of the 1,600 bytes") as raised:
        check_whole(WHOLE[:-num_bytes], "b/a.wav")

    assert raised.value.details == {"file": "b/a.wav"}


def test_a_size_that_was_not_known_when_the_file_was_begun_is_no_lie():
    piped = WHOLE[:40] + struct.pack("<I", 0xFFFFFFFF) + WHOLE[44:]

    check_whole(piped, "a.wav")


def test_other_chunks_are_passed_over_also_those_of_odd_length():
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    with_note = WHOLE[:36] + note + WHOLE[36:]

    check_whole(with_note, "a.wav")
    with pytest.raises(InvalidDataError, match="2 of the 1,600"):
        check_whole(with_note[:-2], "a.wav")
