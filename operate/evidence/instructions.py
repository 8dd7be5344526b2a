"""Writes `README.txt`: the commands with which an expert repeats the checks, without this program."""

import re
from collections.abc import Sequence

from operate.evidence.checks import quote
from operate.evidence.record import DigitalSignature, Evidence
from operate.seals.proof import Proof, name_proof

SUMS = "SHA256SUMS"

_HEAD = f"""\
Evidence about one completion certificate: evidence.pdf for people, evidence.json for programs.

The lines that begin with four blanks are commands. They need a POSIX shell, GNU coreutils and OpenSSL, and nothing of
the program that made this folder. Copy the folder, and run them in the copy, one after the other: each ends with exit
code 0 if its check succeeds. All at once: sed -n 's/^    //p' README.txt | sh -e

1. Check that no file of this folder was changed since the folder was made:
    sha256sum --check --strict {SUMS}
"""
_STORED = """
2. Check that the certificate has the SHA-256 that S3 stored when it was archived:
    echo "{sha256}  {file}" | sha256sum --check --strict -
"""
_SEAL = """
3. Check that the certificate existed, byte for byte, at the time in the time stamp (RFC 3161) of its seal: compute the
root of the seal's Merkle tree (RFC 6962) from it, and check that the time stamp is of this root. First compare seal.pem
with the certificates that the authority publishes:
"""
_RENEWAL = """\
Check that this time stamp existed before its authority's certificate expired, as a later one shows:
"""
_SEE_TIME = """\
See its time:
    openssl ts -reply -token_in -in {name}.tst -text
"""
_RANGES = """
Extract the two ranges that it covers, and between them the hexadecimal digits of its CMS structure (RFC 5652):
    tail -c +{first} {file} | head -c {first_length} >{name}.bin
    tail -c +{second} {file} | head -c {second_length} >>{name}.bin
    tail -c +{gap} {file} | head -c {digits} | tr a-f A-F | basenc -d --base16 >{name}.cms
"""
_WHOLE = """\
Check that the certificate ends where the second range ends:
    [ "$(wc -c <{file})" -eq {end} ]
"""
_SIGNATURE = """\
Check that the ranges have the signed digest, and that the signature is cryptographically valid (not whom to trust):
    openssl cms -verify -binary -inform DER -in {name}.cms -content {name}.bin -noverify \\
      -signer {name}.pem -out {name}.out
"""
_TIME_STAMP = """\
Check that the time stamp (RFC 3161) is cryptographically valid (not whom to trust), and has the ranges' digest:
    openssl cms -verify -inform DER -in {name}.cms -noverify -signer {name}.pem -out {name}.tst
    found=
    for name in sha1 sha256 sha384 sha512; do
      digest=$(openssl dgst -$name -r {name}.bin | tr a-f A-F)
      case "$(openssl asn1parse -inform DER -in {name}.tst)" in *"[HEX DUMP]:${{digest%% *}}"*) found=$name;; esac
    done
    [ -n "$found" ]
See its time:
    openssl ts -reply -token_in -in {name}.cms -token_out -text
"""
_SIGNER = """\
See the certificate of the key that signed:
    openssl x509 -in {name}.pem -noout -subject -issuer -serial -dates -fingerprint -sha256
"""
_NO_COMMANDS = "\nFor this one there are no commands. evidence.json holds what was found about it.\n"


def write_instructions(evidence: Evidence, content: bytes, proofs: Sequence[Proof]) -> str:
    """`content` is that of the certificate, if there is one. The files of the proofs are in the folder."""
    text, certificate = _HEAD, evidence.certificate
    if certificate is None:
        return text
    if certificate.sha256_stored:
        text += _STORED.format(sha256=certificate.sha256_stored, file=certificate.file)
    for number, proof in enumerate(proofs):
        name, renewal = name_proof(number), next(iter(proofs[number + 1 :]), None)
        file = f"{name_proof(number - 1)}.tst" if number else certificate.file
        text += (
            (_RENEWAL if number else _SEAL) + proof.write_commands(name, file, renewal) + _SEE_TIME.format(name=name)
        )
    for number, one in enumerate(evidence.signatures or [], 1):
        kind = "Time stamp" if one.kind == "time_stamp" else "Signature"
        text += f"\n{kind} {number}, in the form field {quote(one.field)}:"
        text += _write_commands(one, content, file=certificate.file, name=f"signature-{number}")
    return text


def _write_commands(one: DigitalSignature, content: bytes, **names: str) -> str:
    first, first_length, second, second_length = one.byte_range or [0] * 4
    start = first + first_length
    digits = re.fullmatch(rb"<?((?:[0-9A-Fa-f]{2})+)>?", content[start:second])
    if one.is_hidden or one.integrity == "not_determined" or digits is None:
        return _NO_COMMANDS
    whole = _WHOLE if second + second_length == len(content) else ""
    commands = _RANGES + whole + (_TIME_STAMP if one.kind == "time_stamp" else _SIGNATURE) + _SIGNER
    return commands.format(
        first=first + 1,  # `tail` counts from 1
        first_length=first_length,
        second=second + 1,
        second_length=second_length,
        end=second + second_length,
        gap=start + digits.start(1) + 1,
        digits=len(digits[1]),
        **names,
    )
