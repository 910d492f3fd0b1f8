"""What fields of documents are: types that say of a value what its Python type cannot."""

from typing import Annotated, Any


class Keywords:
    """Keywords of JSON Schema that a type cannot tell, such as `minimum`; `x_unit` stands for `x-unit`."""

    def __init__(self, **values: Any) -> None:
        self.values = {name.replace("_", "-"): value for name, value in values.items()}


Time = Annotated[
    str,
    "UTC.",
    Keywords(format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", examples=["2026-06-30T12:00:00Z"]),
]
Milliseconds = Annotated[int, "Milliseconds.", Keywords(x_unit="ms", examples=[5321])]
Count = Annotated[int, Keywords(minimum=0)]
Link = Annotated[
    str,
    "Relative reference (RFC 3986) from this document to one that exists.",
    Keywords(format="uri-reference", examples=["../runs/9347.json"]),
]
Hash = Annotated[str, "Hash of a file's content, in lower-case hex as the platform stores it."]
Sha256 = Annotated[str, "SHA-256 in hex.", Keywords(pattern="^[0-9a-f]{64}$")]
CommitSha = Annotated[str, "Git commit.", Keywords(examples=["5b1c3e0a4d5f60718293a4b5c6d7e8f901234567"])]
RunId = Annotated[int, "A run's id.", Keywords(examples=[9347])]
SampleId = Annotated[int, "A sample's id.", Keywords(examples=[12])]
RegressionTestId = Annotated[int, "A regression test's id.", Keywords(examples=[73])]
PullRequest = Annotated[int, "Number of the pull request.", Keywords(minimum=1, examples=[1702])]
SampleName = Annotated[str, "`original_name` of the sample.", Keywords(examples=["BBC1.mp4"])]
Command = Annotated[str, "The test's arguments, as they are today.", Keywords(examples=["--autoprogram --out=srt"])]
Repository = Annotated[
    str,
    "The fork's URL without `https://github.com/` and without a final `.git`; `unknown` without a fork.",
    Keywords(examples=["CCExtractor/ccextractor"]),
]
Branch = Annotated[str, "Git branch.", Keywords(examples=["master"])]
Platform = Annotated[str, "Platform that tests run on.", Keywords(enum=["linux", "windows"])]
TestType = Annotated[str, "Whether a commit or a pull request is tested.", Keywords(enum=["commit", "pr"])]
ErrorType = Annotated[str, Keywords(enum=["exit_code_mismatch", "missing_output", "diff_mismatch"])]
Severity = Annotated[str, Keywords(enum=["warning", "error"])]
