"""Reports are one file that needs nothing else, tell what happened in both languages, and can be read in many ways."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import kadam as torch
from kadam import language, lens, nn
from kadam.language import Speech
from kadam.lens.chart import line_chart
from kadam.lens.diagnose import Finding, diagnosing
from kadam.lens.diagnose.finding import PARTS
from kadam.lens.explain import explain
from kadam.lens.page import folded, glossary_page, page, prose
from kadam.lens.page_math import math as mathml
from kadam.lens.report import report, told_steps
from kadam.lens.watch import Watched
from kadam.lens.ways import ReportWish

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and complains of what does not fit."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def of(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attrs for name, attrs in self.tags if name == tag)


def train(steps: int = 30, rate: float = 0.05) -> Watched:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    x = torch.randn(8, 2)
    y = x.sum(1, keepdim=True)
    with lens.watch() as seen:
        for _ in range(steps):
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
    return seen


@pytest.fixture(scope="module")
def seen() -> Watched:
    return train()


def made(seen: Watched, lang: str, findings: tuple[Finding, ...] = ()) -> str:
    return report("train.py", seen, findings, lambda step, say: explain(step, lang=lang, say=say), lang, 1.5)


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_a_report_is_one_small_file_that_needs_nothing_else(seen: Watched, lang: str) -> None:
    text = made(seen, lang)
    assert len(text.encode()) < 500_000
    read = Reader(text)
    for _, attrs in read.tags:
        for name in ("src", "href"):
            assert re.match(r"data:|#", attrs.get(name) or "#"), attrs
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org)", text)
    assert next(read.of("html"))["lang"] == lang


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_a_report_can_be_read_aloud_and_by_keyboard(seen: Watched, lang: str) -> None:
    read = Reader(made(seen, lang))
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in read.of("a"):
        assert str(attrs["href"]).removeprefix("#") in ids
    for attrs in read.of("img"):
        assert attrs["alt"]
    for attrs in read.of("svg"):
        assert attrs.get("aria-label") or all(one in ids for one in str(attrs["aria-labelledby"]).split())
    landmarks = [attrs["aria-labelledby"] for attrs in read.of("section") if "aria-labelledby" in attrs]
    assert set(landmarks) <= set(ids)
    regions = [attrs["aria-label"] for _, attrs in read.tags if attrs.get("role") == "region"]
    assert len(landmarks) >= 4
    assert len(set(regions)) == len(regions)  # a screen reader lists landmarks by name
    assert not any(re.match(r"step\d", name) for name in map(str, landmarks))  # three steps would have the same ones
    for _, attrs in read.tags:
        if attrs.get("role") == "button":
            assert attrs["tabindex"] == "0"
            assert attrs["aria-label"]
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_on_paper_only_the_first_step_is_told_whole(seen: Watched) -> None:
    text = made(seen, "en")
    long = re.findall(r'<details class="long"( open)?><summary>(.*?)</summary>', text)
    told = [bool(is_open) for is_open, title in long if "explained with its own numbers" in title]
    assert told == [True, False, False]
    assert {"Glossary"} <= {title for _, title in long}
    assert "details:not(.long)" in text
    assert "Does it add up?" in re.findall(r"<details><summary>(.*?)</summary>", text)


def test_a_report_tells_the_run_in_its_own_numbers(seen: Watched) -> None:
    read = Reader(made(seen, "en"))
    losses = [record.loss for record in seen.records]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert f"The loss fell from {language.number(losses[0])} to {language.number(losses[-1])}." in read.text
    assert "took 30 training steps" in read.text
    assert "17" in read.text  # 2 * 4 + 4 + 4 + 1 parameters
    assert "0.weight" in read.text
    assert "SGD(lr=0.05" in read.text


def test_hindi_reports_gloss_terms_once(seen: Watched) -> None:
    text = Reader(made(seen, "hi")).text
    gloss = {term.name: term.gloss["hi"] for term in language.terms()}
    assert text.count(f"यानी {gloss['loss']}") == 1
    assert "Loss" in text


def test_first_middle_and_last_step_are_told(seen: Watched) -> None:
    told = [step.index for step in told_steps(seen.steps)]
    known = sorted(seen.steps)
    assert told[0] == 0
    assert told[-1] == known[-1]
    assert len(told) == 3
    assert told_steps({}) == []


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_findings_are_shown_with_cause_evidence_line_and_fix(seen: Watched, lang: str) -> None:
    with diagnosing() as result:
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(12):
            model(torch.ones(4, 2)).square().mean().backward()
            optimizer.step()
    found = next(one for one in result.findings if one.kind == "forgotten_zero_grad")
    text = Reader(made(seen, lang, (found,))).text
    say = Speech(lang)
    assert found.title(say).replace("`", "") in text
    for part in PARTS:
        assert language.text(f"diagnose.part.{part}", lang) in text
    assert found.source is not None
    assert f"test_report.py:{found.source.line}" in text


def test_a_diverging_run_is_reported_too() -> None:
    seen = train(40, rate=1e6)
    assert not all(math.isfinite(record.loss or 0) for record in seen.records)
    text = Reader(made(seen, "en")).text
    assert "no finite number" in text


def test_a_program_that_fails_is_reported_up_to_there() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(5, 1))
    with pytest.raises(RuntimeError), lens.watch() as seen:
        model(torch.ones(1, 2)).sum().backward()
    text = Reader(made(seen, "en")).text
    assert "the error with which the program ended" in text
    assert "RuntimeError" in text or "ShapeError" in text


def test_charts_leave_out_what_is_no_number_and_turn_logarithmic() -> None:
    chart = line_chart([0, 1, 2, 3], [1.0, math.nan, 1e-2, 1e-4], "falls", "step", marks=(2,))
    root = ElementTree.fromstring(chart)
    assert root.get("aria-label") == "falls"
    (line,) = [one for one in root.iter() if one.get("class") == "line"]
    heights = [float(pair.split()[1]) for pair in str(line.get("d"))[1:].split("L")]
    assert len(heights) == 3
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)  # two powers of ten each
    assert len([one for one in root.iter() if one.get("class") == "mark"]) == 1
    assert line_chart([0], [math.nan], "", "") == ""


def test_charts_of_long_runs_stay_small_and_keep_their_peaks() -> None:
    values = [1.0 + index % 7 for index in range(20_000)]
    values[12_345] = 50.0
    chart = line_chart(range(20_000), values, "long", "step")
    assert len(chart) < 20_000
    (raw,) = [one for one in ElementTree.fromstring(chart).iter() if one.get("class") == "raw"]
    heights = [float(pair.split()[1]) for pair in str(raw.get("d"))[1:].split("L")]
    assert min(heights) == 12.0  # the top of the chart


@pytest.mark.parametrize(
    ("notation", "parts"),
    [
        ("∂L/∂w = ∂L/∂y · ∂y/∂w", ["<mfrac>", "<mo>∂</mo><mi>L</mi>"]),
        ("σ(z) = 1/(1 + e^(−z))", ["<mfrac><mn>1</mn>", "<msup><mi>e</mi>"]),
        ("L = 1/n Σ_(i=1)^n (ŷ_i − y_i)^2", ["<munderover><mo>Σ</mo>", "<msub>", "<msup><mrow><mo>(</mo>"]),
        ("BCE = −(y log ŷ + (1 − y) log(1 − ŷ))", ["<mi>log</mi>"]),
    ],
)
def test_formulas_become_mathml(notation: str, parts: list[str]) -> None:
    written = mathml(notation)
    root = ElementTree.fromstring(written)
    assert root.get("alttext") == notation
    for part in parts:
        assert part in written


def test_code_in_texts_is_code_on_pages() -> None:
    assert prose("call `a < b` & go") == "call <code>a &lt; b</code> &amp; go"


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_the_glossary_is_a_page(lang: str) -> None:
    read = Reader(glossary_page(lang))
    for term in language.terms():
        assert term.name in read.text


def test_options_behind_a_program_are_ours_unless_it_has_them(tmp_path: Path) -> None:
    plain, own = tmp_path / "plain.py", tmp_path / "own.py"
    plain.write_text("print(1)")
    own.write_text("parser.add_argument('--report')")
    arguments = ["--epochs", "3", "--report", "out.html", "--lang", "hi"]
    wish = ReportWish(str(plain), arguments, False, "", "en").sorted_out()
    assert (wish.arguments, wish.output, wish.lang) == (["--epochs", "3"], "out.html", "hi")
    assert ReportWish(str(own), arguments, False, "", "en").sorted_out().output == ""


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_paper_says_of_what_is_folded_that_it_is(lang: str) -> None:
    text = page("A", lang, [folded("Step 3", "<p>long</p>", is_long=True)])
    assert language.text("page.folded", lang) in text
    printed = text[text.index("@media print") :]
    assert 'details:not([open])>summary::after{content:" – " var(--folded)' in printed
