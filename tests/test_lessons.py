"""Lessons run as they are shown, say the same in both languages, and cover the course."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kadam import language
from kadam.learn.lesson import Cell, LessonError, Maths, Prose, View, find, known, read
from kadam.learn.running import programs
from kadam.learn.terminal import columns
from test_report import Reader

NEVER = {spelling for term in language.terms() for spelling in term.never}


def kadam(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kadam", *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )


def cells(name: str, lang: str) -> list[Cell]:
    return [part for part in find(name, lang).parts if isinstance(part, Cell)]


def test_lessons_are_found_by_number_and_by_name() -> None:
    assert [find(name, "en").name for name in ("1", "2")] == list(known())
    assert find("backpropagation", "hi").name == "1_backpropagation"
    with pytest.raises(LessonError, match="there is no lesson 'nothing'"):
        find("nothing", "en")


@pytest.mark.parametrize("name", known())
def test_both_languages_run_the_same_programs(name: str) -> None:
    english, hindi = find(name, "en"), find(name, "hi")
    assert [type(part) for part in english.parts] == [type(part) for part in hindi.parts]
    for here, there in zip(english.parts, hindi.parts, strict=True):
        if isinstance(here, Cell | View | Maths):
            assert not isinstance(there, Prose)
            kept = {key: value for key, value in vars(there).items() if key != "line"}
            assert {key: value for key, value in vars(here).items() if key != "line"} == kept


@pytest.mark.parametrize("name", known())
def test_hindi_lessons_keep_to_the_catalogue_s_words(name: str) -> None:
    lesson = find(name, "hi")
    text = " ".join(
        token.content for part in lesson.parts if isinstance(part, Prose) for token in part.tokens if token.content
    )
    assert not set(re.findall(r"[\u0900-\u097f]+", text)) & NEVER
    assert not re.search("[\u0966-\u096f]|[\u0958-\u095a]|[\u0915-\u0917]\u093c", text)


@pytest.mark.parametrize("lang", language.LANGUAGES)
@pytest.mark.parametrize("name", known())
def test_a_lesson_is_a_page_whose_numbers_are_those_of_its_run(name: str, lang: str, tmp_path: Path) -> None:
    ran = kadam("learn", name, "--lang", lang, "--html", "lesson.html", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    text = (tmp_path / "lesson.html").read_text(encoding="utf-8")
    page = Reader(text)
    assert len(text.encode()) < 500_000
    assert "{{" not in page.text
    assert 'class="kadam-flow"' in text
    assert "<math" in text
    assert len([tag for tag, _ in page.tags if tag == "h3"]) >= 5  # a question each
    shown = " ".join(page.text.split())
    for cell in cells(name, lang):
        if not cell.quiet:
            assert " ".join(cell.code.split()) in shown


def test_the_first_lesson_trains_as_the_course_does(tmp_path: Path) -> None:
    """The loss of a linear neuron under gradient descent, computed here by hand."""
    ran = kadam("learn", "1", "--lang", "en", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    losses = [float(one) for one in re.findall(r"Epoch \d+, Loss: ([\d.]+)", ran.stdout)]
    found = re.search(r"x = 1:\s+(-?[\d.]+) \* 1 \+ (-?[\d.]+) =", ran.stdout)
    assert found is not None
    w, b = float(found[1]), float(found[2])
    for loss in losses:
        errors = [w + b - 2, 2 * w + b - 4]
        assert loss == pytest.approx(sum(one**2 for one in errors) / 2, abs=2e-3)
        w -= 0.01 * (errors[0] + 2 * errors[1])
        b -= 0.01 * (errors[0] + errors[1])
    assert len(losses) == 10


def test_experiments_are_programs_that_run(tmp_path: Path) -> None:
    ran = kadam("learn", "1", "--lang", "en", "--experiments", "tries", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    written = sorted((tmp_path / "tries").iterdir())
    assert len(written) >= 5
    ran = kadam("run", str(written[-2]), folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "with zero_grad" in ran.stdout


def test_a_program_holds_the_cells_that_it_needs() -> None:
    lesson = read("```python\na = 1\n```\n```python\nb = a\n```\n```python fresh\nc = 2\n```\n", "mine", "en")
    assert programs(lesson) == {2: "a = 1\n\nb = a\n", 3: "c = 2\n"}


def test_a_teacher_s_own_lesson_becomes_a_page(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text(
        "# My lesson\n\nTwo and two.\n\n```python\nn = 2 + 2\nprint('sum', n)\n```\n\n"
        "That makes {{n}}, and `{{n / 3}}`.\n\n| a | b |\n| --- | --- |\n| 1 | {{n * 2}} |\n\n"
        "```python\nimport torch\nw = torch.tensor(3.0, requires_grad=True)\n(w * w).backward()\n```\n\n"
        "```kadam draw\n```\n\n```math\ny = w^2\n```\n",
        encoding="utf-8",
    )
    ran = kadam("learn", "mine.md", "--lang", "en", "--html", "mine.html", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    page = Reader((tmp_path / "mine.html").read_text(encoding="utf-8"))
    for expected in ("My lesson", "sum 4", "That makes 4", "1.333", "8"):
        assert expected in page.text
    assert any(attrs.get("class") == "kadam-flow" for attrs in page.of("svg"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A\n\n```kadam draw\n```\n", "no training step to draw"),
        ("# A\n\nIt is {{nothing}}.\n", "name 'nothing' is not defined"),
        ("# A\n\n```python sometimes\n```\n", "a cell cannot be 'sometimes'"),
        ("# A\n\n```kadam sing\n```\n", "Kadam cannot show 'sing'"),
        ("# A\n\n- b\n\n  ```python\n  print(1)\n\n# B\n", "line 5: the block that begins here has no end"),
        ("# A\n\n~~~~python\nprint(1)\n~~~\n", "line 3: the block that begins here has no end"),
        ("# A\n\n```python\n", "line 3: the block that begins here has no end"),
        ("# A\n\nb\nc\n\n1. d\n2. {{e}}\n", "line 7 or below"),
    ],
)
def test_a_lesson_that_cannot_be_shown_says_where(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text(text)
    ran = kadam("learn", "bad.md", "--lang", "en", "--html", "bad.html", folder=tmp_path)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert re.search(r"line \d", ran.stderr)


def test_a_value_may_have_a_format(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text(
        "# A\n\n```python\nn = {'a': 2}\n```\n\n"
        "{{n['a'] / 3:.2f}} {{n['a']:#>3}}| {{(lambda k: k + 1)(4)}} {{[1, 2][0:1]}} {{ n['a'] : 04d }}\n"
    )
    ran = kadam("learn", "mine.md", "--lang", "en", folder=tmp_path)
    assert "0.67 ##2| 5 [1] 0002" in ran.stdout, ran.stderr


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_bytes(b"# A\xff\n")
    ran = kadam("learn", "odd.md", "--lang", "en", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        2, "kadam learn: 'odd.md' is no UTF-8 text (byte 3). Fix: save it as UTF-8.\n"
    )  # fmt: skip


@pytest.mark.parametrize(("words", "code"), [("", 1), (" raises", 0), (" fresh raises", 0)])
def test_a_cell_may_fail_and_the_lesson_goes_on(words: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "fails.md").write_text(f"# A\n\n```python{words}\nprint(1)\n1 / 0\n```\n\nafter\n")
    ran = kadam("learn", "fails.md", "--lang", "en", folder=tmp_path)
    assert ran.returncode == code
    assert "ZeroDivisionError: division by zero" in ran.stdout
    assert "after" in ran.stdout
    assert ("fails, line 5: the cell failed: ZeroDivisionError: division by zero" in ran.stderr) == bool(code)


def test_a_cell_that_should_fail_and_does_not_is_told(tmp_path: Path) -> None:
    (tmp_path / "fine.md").write_text("# A\n\n```python raises\nprint(1)\n```\n")
    ran = kadam("learn", "fine.md", "--lang", "en", "--html", "fine.html", folder=tmp_path)
    assert ran.returncode == 1
    assert "line 3" in ran.stderr
    assert "did not fail" in ran.stderr


def test_the_line_of_a_cell_that_python_cannot_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_text("---\ntitle: A\n---\n\n```python\nx = 1\nx = = 2\n```\n")
    ran = kadam("learn", "odd.md", "--lang", "en", folder=tmp_path)
    assert "odd, line 7: the cell failed: SyntaxError" in ran.stderr


def test_the_lesson_of_the_manual_becomes_a_page(tmp_path: Path) -> None:
    manual = (Path(__file__).parent.parent / "docs" / "lessons.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^````markdown\n(.*?)^````$", manual, re.DOTALL | re.MULTILINE)
    (tmp_path / "slope.md").write_text(example, encoding="utf-8")
    ran = kadam("learn", "slope.md", "--lang", "en", "--html", "slope.html", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    page = Reader((tmp_path / "slope.html").read_text(encoding="utf-8"))
    for expected in ("The slope tells where to go", "The slope is 4, so the weight went down to 2.6", "RuntimeError"):
        assert expected in page.text
    assert any(attrs.get("class") == "kadam-flow" for attrs in page.of("svg"))
    assert len(list(page.of("math"))) >= 2
    assert "$$" not in page.text


def test_the_head_of_a_lesson_gives_its_title() -> None:
    lesson = read("---\ntitle: 'My title'\nauthor: me\n---\n\nText.\n\n```python\n1\n```\n", "mine", "en")
    assert (lesson.title, lesson.summary) == ("My title", "Text.")
    shown = [token.content for part in lesson.parts if isinstance(part, Prose) for token in part.tokens]
    assert "My title" in shown
    assert not any("author" in one for one in shown)
    assert [part.line for part in lesson.parts if isinstance(part, Cell)] == [9]
    own = read("---\ntitle: In the list\n---\n# On the page\n", "mine", "en")
    shown = [token.content for part in own.parts if isinstance(part, Prose) for token in part.tokens]
    assert own.title == "In the list"
    assert [one for one in shown if one] == ["On the page"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("$$L = (w-1)^2$$", ("L = (w-1)^2",)),
        ("$$\na = b\n\nc = d\n$$", ("a = b", "c = d")),
        ("$$a = b\nc$$", ("a = b", "c")),
    ],
)
def test_what_stands_between_dollars_is_a_formula(text: str, lines: tuple[str, ...]) -> None:
    lesson = read(f"# A\n\nbefore\n{text}\nafter\n", "mine", "en")
    assert [part.lines for part in lesson.parts if isinstance(part, Maths)] == [lines]
    for other in ("# A\n\n$$ is money\n", "# A\n\n    $$x$$\n"):
        assert not any(isinstance(part, Maths) for part in read(other, "mine", "en").parts)


def test_what_cannot_be_shown_is_told_in_the_reader_s_language(tmp_path: Path) -> None:
    ran = kadam("learn", "7", "--lang", "hi", folder=tmp_path)
    assert ran.returncode == 2
    assert "'7' नाम का कोई पाठ नहीं है" in ran.stderr
    ran = kadam("explain", "nofile.py", "--lang", "hi", folder=tmp_path)
    assert "file 'nofile.py' नहीं खुली" in ran.stderr
    assert "Fix:" not in ran.stderr


def test_lists_go_on_counting_behind_a_formula(tmp_path: Path) -> None:
    (tmp_path / "list.md").write_text("# A\n\n1. one\n\n```math\nz = w x\n```\n\n2. two\n")
    ran = kadam("learn", "list.md", "--lang", "en", folder=tmp_path)
    assert re.search(r"1\. one\n.*z = w x\n.*2\. two", ran.stdout, re.DOTALL)


def test_images_of_a_lesson_are_part_of_its_page(tmp_path: Path) -> None:
    folder = tmp_path / "lesson"
    folder.mkdir()
    dot = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")
    (folder / "a dot.gif").write_bytes(dot)
    (folder / "seen.hi.md").write_text("# पाठ\n\n![एक बिंदु](<a dot.gif>)\n", encoding="utf-8")
    ran = kadam("learn", "lesson/seen.hi.md", "--html", "seen.html", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    (image,) = Reader((tmp_path / "seen.html").read_text(encoding="utf-8")).of("img")
    assert image["alt"] == "एक बिंदु"
    assert base64.b64decode(str(image["src"]).removeprefix("data:image/gif;base64,")) == dot
    (folder / "lost.md").write_text("# A\n\ntext\n\n![x](lost.png)\n")
    ran = kadam("learn", "lesson/lost.md", "--lang", "en", folder=tmp_path)
    assert ran.returncode == 2
    assert "line 5: cannot open the image 'lost.png'" in ran.stderr


def test_markup_in_a_lesson_stays_text(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_text("# A <b>\n\n<script>alert(1)</script> & more\n")
    ran = kadam("learn", "odd.md", "--lang", "en", "--html", "odd.html", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "<script>alert" not in (tmp_path / "odd.html").read_text()


def test_the_list_names_all_lessons(tmp_path: Path) -> None:
    for lang in language.LANGUAGES:
        ran = kadam("learn", "--lang", lang, folder=tmp_path)
        for name in known():
            assert find(name, lang).title in ran.stdout


def test_devanagari_is_measured_by_its_letters() -> None:
    assert columns("कदम") == 3
    assert columns("की") == 2  # a vowel sign beside its letter takes a column
    assert columns("कु") == 1
