"""Secrets leave free text in every shape; what readers look for stays."""

import logging
import time

import pytest

from exporter.source.redaction import REDACTED, Redactor
from tests.support.canaries import SHAPES, TEXTS, C


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SHAPES.items() for text in texts])
def test_a_secret_is_redacted_and_counted_by_its_kind(kind: str, text: str) -> None:
    redactor = Redactor()
    found = redactor.text(text)
    assert "CANARY" not in found and REDACTED in found
    assert redactor.counts[kind] >= 1
    assert found.count("\n") == text.count("\n")
    assert Redactor().text(found) == found


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "filler", ["2026-06-01 İ line\n", "".join(f"12:00:{n % 60} {n:x} ünï 😀\n" for n in range(500))]
)
def test_a_secret_is_found_in_the_midst_of_a_log(filler: str, text: str) -> None:
    log = f"{filler}{text}\nbetween\n\n{text}\nlast"
    found = Redactor().text(log)
    assert "CANARY" not in found
    assert found.count("\n") == log.count("\n")
    assert found.startswith(filler) and "\nbetween\n\n" in found and found.endswith("last")


@pytest.mark.parametrize("text", [text for text in TEXTS if len(text) > 12 and "\n" not in text])
@pytest.mark.parametrize("hidden", ["\x1b[31m", "\u200b", "\x00", "\xad"])
def test_what_cannot_be_seen_hides_no_secret(text: str, hidden: str) -> None:
    middle = text.index("CANARY")
    for place in (middle - 1, middle + 3):
        assert "NARY" not in Redactor().text(text[:place] + hidden + text[place:])


@pytest.mark.parametrize(
    "text",
    [
        "a" * 64,
        "commit 3f2a9c0d3f2a9c0d3f2a9c0d3f2a9c0d3f2a9c0d",
        "TestResults/574f3587859be9a8f4677e3363fce5d5d9ffdc3822e80f1b55e9328171a7dd7a.srt",
        "2026-06-01T12:00:00Z INFO worker: sample 7 of 9",
        "--autoprogram --out=srt --latin1 --ucla --xds --datapid 5603 --tpage 398 --service 1[EUC-KR] --codec dvbsub",
        "git@github.com:CCExtractor/ccextractor.git",
        "ssh://git@github.com/a/b",
        "git+ssh://git@github.com/x",
        "https://example.org/a/b?x=1#y",
        "http://host:8080/a@b",
        "https://github.com/actions/checkout@v3",
        "pkg@1.2.3",
        "memcpy@@GLIBC_2.14",
        "user@1000.service",
        "icon@2x.png",
        "unexpected token ')'",
        "error: unexpected token: foo",
        "syntax error near unexpected token `fi'",
        "expected token: IDENTIFIER",
        "the token is missing",
        "PASS: test_decoder_608",
        "unused token in src/lib_ccx/ccx_decoders_608.c",
        "the token_buffer_of_decoder was freed",
        "token = next_token(lexer);",
        'char *token = strtok(line, " ");',
        "if (token == NULL)",
        "Token::new(1)",
        "tokens: 1234567",
        "token_count=12",
        "next token: 12",
        "has_token: true",
        "note: expected 'token *' but argument is of type 'int'",
        "static Token token = {0};",
        "src/token.rs:12:5: error",
        "password.c:12: error: x",
        "secret.o: file not recognized",
        "use --token to log in",
        "token: ${{ secrets.GITHUB_TOKEN }}",
        "TOKEN=$TOKEN",
        "password=***",
        "password:",
        "Enter password: ",
        "Authorization failed",
        "bearer authentication",
        "PWD=/build/x",
        "OLDPWD=C:\\x",
        "PASS: 12 FAIL: 3",
        "pass: 205",
        "pass: true",
        "205 pass, 3 fail",
        '{"tests": 208, "pass": 205, "user": "x"}',
        "user=x pass: ok",
        "pass=205",
        "pass=ok",
        "pass: decoder_608.ts",
        "pass: testCea608Decoder",
        "pass: Cea608To708",
        "pass: 3f2a9c0d",
        "pass: V1.2.3-rc1",
        "pass: 1",
        "pass: 12",
        "Pass: test 3",
        "Pass: test3",
        "PASS: all",
        "PASS: hunter2",
        "pass: samples12",
        "pass: decoder608",
        "pass: mp4",
        "pass: utf8",
        "pass: h264",
        "pass: 3/5",
        "pass: all 12",
        "pass: hunter2 was found",
        "the hunter's pass: hunter2",
        "pass: ccextractor#1234",
        "2026-01-02T03:04:05Z pass: 205",
        "pass: subtitles.srt",
        "pass: subtitles",
        "pw: 1280",
        "pw: 1280px",
        "pw: 16x9",
        "pw: w12",
        "pw: ok",
        "pw: missing",
        "pw: 0x1f2e3d",
        "pw = total/2",
        "--- PASS: TestCea608B1c2 (0.00s)",
        "first-pass: all",
        "x264 --pass 2 --stats x",
        "two_pass=enabled",
        "pw=12",
        "pw=getpwnam(user);",
        "struct passwd *pw = getpwuid(0);",
        "passwd -l root",
        "passwd: password updated successfully",
        "[sudo] password for x: Sorry, try again.",
        "Password for 'https://host': fatal: could not read",
        "Enter passphrase for key '/root/.ssh/id_rsa': ",
        "npm_config_cache\nloglevel",
        "docker run -u 1000:1000 x",
        "keyboard: us; monkey=1",
        "eyJ is a prefix, Slovakia and Asia are not",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "A" * 64,
        "deadbeef" * 5,
        f"{'0123456789ABCDEF' * 4}  ccextractorwinfull.exe",
        "SHA256:uNiVztksCsDhcc0u9e8BrYJcIhcKcIbxAkYXDQ2kqtA",
        "sha512-q7Vw9S81Vp7Hb1DX8pPd5khxE3pyIgKpaUnArl63Xykw2eiNNcIia3anXnq7Vw9S81Vp7Hb1DX8pPd5khxE==",
        "h1:q7Vw9S81Vp7Hb1DX8pPd5khxE3pyIgKpaUnArl63Xykw=",
        "GreysAnatomyS08E14HDTV1080pX264AndMoreOfThatName.ts",
        "testTheDecoderForCea608WithMp4InputAndSrtOutput1",
        "_ZN4core3ptr85drop_in_place17h0123456789abcdefE",
        "https://example.org/q7Vw9S81Vp7Hb1DX8pPd5khxE3pyIgKpaUnArl63Xykw/file",
        "Basic block 12 of 40",
        "using Basic Authentication12",
        "login: mkdir -p /build/x",
        "echo done | tee log.txt",
        "gsk_gl_shader_builder_set_glsl_version3",
        "disk-usage-of-the-build-folder-12",
        "// see a@b",
        "/repository/TestFiles/news@ten.ts: opened, news@ten.srt written",
        "System.Xml, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089",
        "POST https://x.org/progress-reporter/74/\nDone.",
        "git clone https://host.org/a/@scope/b@1.2",
        "['https://host', 'x']@2",
        "look at main.c or dot.c",
        "a colour \x1b[31mred\x1b[0m, and \u200b nothing",
    ],
)
def test_what_readers_look_for_stays(text: str) -> None:
    redactor = Redactor()
    assert redactor.text(text) == text
    assert not +redactor.counts


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pass: hunter2", "pass: [redacted]"),
        ("Pass: Hunter2", "Pass: [redacted]"),
        ("pass : dragon99!", "pass : [redacted]"),
        ("pass = letmein123", "pass = [redacted]"),
        ('  pass: "hunter2"', '  pass: "[redacted]"'),
        ("2026-01-02T03:04:05Z [12] pass: hunter2 ", "2026-01-02T03:04:05Z [12] pass: [redacted] "),
        ("pw: hunter2", "pw: [redacted]"),
        ("PW: s3cret", "PW: [redacted]"),
        ("> pw = correct!horse", "> pw = [redacted]"),
    ],
)
def test_a_password_that_stands_alone_on_a_line(line: str, found: str) -> None:
    redactor = Redactor()
    assert redactor.text(f"user bob\n{line}\npass: 12\n") == f"user bob\n{found}\npass: 12\n"
    assert redactor.counts == {"password": 1}


def test_what_stands_beside_a_secret_stays() -> None:
    found = Redactor().text(
        f"curl -H 'Authorization: token {C}' https://u:{C}@x.org/a?b=1&token={C}&c=2 mail a@b.org, z"
    )
    assert found == (
        "curl -H 'Authorization: [redacted]' https://[redacted]@x.org/a?b=1&token=[redacted]&c=2 mail [redacted], z"
    )


def test_what_stands_below_a_secret_stays() -> None:
    for line in (
        "GreysAnatomyS08E14HDTV1080pX264.ts: opened",
        "3f2a9c0d3f2a9c0d3f2a9c0d3f2a9c0d3f2a9c0d",
        "2026-06-01T12:00:00Z INFO",
        "CEA608_Decoder_2 ok",
        "0x7ffc2A9c",
    ):
        assert Redactor().text(f"token={C}\n{line}") == f"token=[redacted]\n{line}"


def test_a_redactor_that_is_not_enabled_changes_nothing() -> None:
    redactor = Redactor(enabled=False)
    assert [redactor.text(text) for text in TEXTS] == TEXTS and redactor.url(f"https://{C}@x") == f"https://{C}@x"
    assert not redactor.counts


def test_a_repository_url_loses_its_user_information() -> None:
    redactor = Redactor()
    assert redactor.url(f"https://u:{C}@github.com/a/b.git") == "https://github.com/a/b.git"
    for url in ("https://github.com/a/b.git", "ssh://git@github.com/a/b", "git@github.com:a/b.git", "x/y@z", ""):
        assert redactor.url(url) == url
    assert redactor.url(None) is None and redactor.optional(None) is None
    assert redactor.counts == {"user information": 1}


def test_the_log_tells_kinds_and_numbers_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor()
    for text in TEXTS:
        redactor.text(text)
    with caplog.at_level(logging.INFO):
        redactor.report("rows of partition 3")
        redactor.report("nothing")
    (line,) = caplog.messages
    assert line.startswith("rows of partition 3: redacted ") and "× mail address" in line
    assert "CANARY" not in line


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "password=",
            "eyJ",
            "a",
            "_",
            'token="',
            "://",
            "http://a:b/",
            "%3a%2f%2f",
            "a@",
            "a.b@",
            "--token ",
            "<token",
        ),
        *(
            "token: ",
            "token,token;",
            ",;)]}",
            "progress-reporter/a/",
            "authorization: '",
            "pass: ",
            "pw=",
            "password for a ",
            f"token={C}\n",
            f"token={C}\nq7Vw9S81Vp7H\n",
            f"token={C}\nq7Vw9S81Vp7H" + "\nq7Vw9S81Vp7H" * 1000,
            ".eyJ",
            "SG.aaaaaaaaaaaaaaaaaaaa",
            "%40",
        ),
        *("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "A" * 33 + "\n-----END PRIVATE KEY-----\n"),
    ],
)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        Redactor().text(text)
        return time.process_time() - began

    assert min(seconds(400_000) for _ in range(2)) < 16 * min(seconds(50_000) for _ in range(2)) + 0.2
