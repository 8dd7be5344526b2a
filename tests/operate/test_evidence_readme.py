"""`certificates evidence`: the commands in the folder check it with coreutils and OpenSSL alone."""

from pathlib import Path

import pytest

from tests.support import signed_pdf
from tests.support.evidence import Case, forge, make_case, make_cases, run_readme  # noqa: F401
from tests.support.signed_pdf import sign, sign_by_hand, stamp, unsigned

SIGNED = stamp(signed_pdf.add_validation_data(sign(sign(unsigned()), "Seal 2", stamper=signed_pdf.TIME_STAMPER)))


def change(name: str, position: int) -> None:
    file = Path("out", name)
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("content", "commands"), [(unsigned(), 0), (SIGNED, 3)], ids=["unsigned", "signatures and a time stamp"]
)
def test_the_commands_succeed_and_fail_after_one_byte_of_any_file_is_changed(
    case: Case, content: bytes, commands: int
) -> None:
    case.seed(name={"S": "\n    exit 1"})
    case.archive(content)
    case.collect()
    assert Path("out/README.txt").read_text().count("openssl cms -verify") == commands
    assert run_readme() == 0
    names = sorted(file.name for file in Path("out").iterdir())
    listed = [line.split("  ")[1] for line in Path("out/SHA256SUMS").read_text().splitlines()]
    assert sorted([*listed, "SHA256SUMS"]) == names
    for name in names:
        position = Path("out", name).stat().st_size // 2
        change(name, position)
        assert run_readme() != 0, name
        change(name, position)


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize("content", [sign(unsigned()), stamp(unsigned())], ids=["signature", "time stamp"])
def test_the_commands_of_a_signature_notice_each_change_that_the_sums_do_not(case: Case, content: bytes) -> None:
    case.seed()
    case.archive(content)
    case.collect()
    file = Path(f"out/{case.id}-certificate.pdf")
    start = content.index(b"/Contents <") + len(b"/Contents ")
    forge(file, content)
    assert run_readme() == 0
    for changed in (
        b"%PDF-1.6" + content[8:],
        content[:start] + b"<30" + content[start + 3 :].replace(b"00>", b"zz>", 1),
        signed_pdf.break_stamp(content),
        content[:-2] + b"!\n",
        content + b"%",
    ):
        forge(file, changed)
        assert run_readme() != 0


def test_a_signature_without_a_byte_range_or_verdict_has_no_commands(case: Case) -> None:
    case.seed()
    case.archive(sign_by_hand(unsigned(), delimiters=b"()"))
    case.collect()
    text = Path("out/README.txt").read_text()
    assert "openssl cms" not in text
    assert 'Signature 1, in the form field "Seal":\nFor this one there are no commands.' in text
