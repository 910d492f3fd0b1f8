"""The one script that the modules of the site are put together to."""

import re

import pytest

from exporter.builders import site
from exporter.rules.lineage import MainLine

MODULES = {
    "main": 'import { b } from "./two-words.js";\nb();\n',
    "two-words": 'import {\n  A,\n  later,\n} from "./one.js";\nexport function b() { return [A, later]; }\n',
    "one": "export const A = 1;\nexport async function later() {}\nexport class C {}\nexport function* many() {}\n",
}


def test_the_sites_modules_leave_no_import_and_no_export() -> None:
    script = next(data for path, data in site.pages(MainLine()) if path.endswith("/site.js")).decode()
    code = re.sub(r"`[^`]*`", "``", script)  # examples of Python import, too
    assert not re.search(r"^\s*(import|export)\b", code, re.MULTILINE)
    assert not re.search(r"\bimport\s*\(|\bimport\.meta", code)


def test_modules_come_after_those_they_import_from_and_keep_what_they_export() -> None:
    script = site.linked(MODULES, "main").decode()
    assert script.index("const $one =") < script.index("const $two_words =") < script.index("const $main =")
    assert "const {\n  A,\n  later,\n} = $one;" in script
    assert "return { A, later, C, many };" in script
    assert "export" not in script and "import" not in script


@pytest.mark.parametrize(
    "text",
    [
        'import one from "./one.js";',
        'import * as one from "./one.js";',
        'import "./one.js";',
        'import { A as B } from "./one.js";',
        "import { A } from './one.js';",
        'import { A } from "./one.js"',
        'import { gone } from "./one.js";',
        'const one = await import("./one.js");',
        "console.log(import.meta.url);",
        "export default 1;",
        "export let x = 1;",
        "export { x };",
        'export { A } from "./one.js";',
        "  export const x = 1;",
    ],
)
def test_what_cannot_be_put_together_ends_the_build(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.js"):
        site.linked({**MODULES, "main": text + "\n"}, "main")
