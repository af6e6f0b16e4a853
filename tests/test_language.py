"""The catalogue says the same in both languages, and keeps to its own words."""

from __future__ import annotations

import re
import string

import pytest

from kadam import language
from kadam.language.catalogue import entries
from kadam.language.choice import LANGUAGES

DEVANAGARI = re.compile(r"[\u0900-\u097f]")
# Digits are 0-9; of the letters with a dot below, the catalogue uses those that most readers write: ज़ फ़ ड़ ढ़.
UNWANTED = re.compile("[\u0966-\u096f]|[\u0958-\u095a]|[\u0915-\u0917]\u093c")


def entry(key: str) -> dict[str, str]:
    room, _, name = key.partition(".")
    return entries(room)[name]


def placeholders(template: str) -> set[str]:
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("room", language.rooms())
def test_texts_have_the_same_placeholders_in_both_languages(room: str) -> None:
    for name, texts in entries(room).items():
        expected = placeholders(texts["en"])
        assert placeholders(texts["hi"]) == expected, f"{room}.{name}"
        for lang in LANGUAGES:
            assert placeholders(texts.get(f"{lang}_one", "")) <= expected, f"{room}.{name}"


@pytest.mark.parametrize("room", language.rooms())
def test_texts_are_in_their_language(room: str) -> None:
    for name, texts in entries(room).items():
        assert not DEVANAGARI.search(texts["en"]), f"{room}.{name}: Devanagari in the English text"
        assert not UNWANTED.search(texts["hi"]), f"{room}.{name}: a digit or letter that the catalogue does not use"
        if re.search(r"[a-z]\.$", texts["en"]):
            assert texts["hi"].endswith("।"), f"{room}.{name}: a Hindi sentence ends with ।"


@pytest.mark.parametrize("room", language.rooms())
def test_terms_stand_in_latin_script(room: str) -> None:
    never = {spelling: term.name for term in language.terms() for spelling in term.never}
    for name, texts in entries(room).items():
        for word in re.findall(r"[\u0900-\u097f]+", texts["hi"]):
            assert word not in never, f"{room}.{name}: {word} is {never[word]}"


def test_every_term_has_a_short_gloss_and_a_meaning() -> None:
    for term in language.terms():
        for lang in LANGUAGES:
            assert 0 < len(term.gloss[lang]) <= 45, term.name
            assert len(term.meaning[lang]) > len(term.gloss[lang]), term.name


def test_text_fills_in_placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "kadam.language.catalogue.entries",
        lambda room: {"layers": {"en": "{n} layers of {name}", "en_one": "{n} layer of {name}", "hi": "{name}: {n}"}},
    )
    assert language.text("draw.layers", "en", n=3, name="net") == "3 layers of net"
    assert language.text("draw.layers", "en", n=1, name="net") == "1 layer of net"
    assert language.text("draw.layers", "hi", n=1, name="net") == "net: 1"
    with pytest.raises(KeyError, match=r"no text 'draw\.no'"):
        language.text("draw.no", "en")


def test_the_first_mention_of_a_term_is_followed_by_its_gloss() -> None:
    speech = language.Speech("hi")
    gloss = {term.name: term.gloss["hi"] for term in language.terms()}
    weight, gradient = f"weight (यानी {gloss['weight']})", f"gradient (यानी {gloss['gradient']})"
    assert speech.gloss("हर weight का gradient लीजिए। और फिर?") == f"हर {weight} का {gradient} लीजिए। और फिर?"
    assert speech.gloss("Gradient और weights।") == "Gradient और weights।"
    assert speech.gloss("कई epochs तक:") == f"कई epochs (यानी {gloss['epoch']}) तक:"


def test_a_gloss_does_not_part_foreign_words_or_lists_or_follow_another_bracket() -> None:
    gloss = {term.name: term.gloss["hi"] for term in language.terms()}
    told = f"weights random (weight यानी {gloss['weight']}) होते हैं।"
    assert language.Speech("hi").gloss("weights random होते हैं।") == told
    listed = "क्या \0loss घटा?\0, \0model सीखा?\0।"
    said = listed.replace("loss", f"loss (यानी {gloss['loss']})").replace("model", f"model (यानी {gloss['model']})")
    assert language.Speech("hi").gloss(listed) == said
    for written in ("थोड़ा बदलिए (इसे finite difference कहते हैं)।", "कितना पक्का है (यानी probability):"):
        assert language.Speech("hi").gloss(written) == written


def test_glosses_leave_code_names_and_explained_terms_alone() -> None:
    speech = language.Speech("hi")
    for written in ("`loss.backward()` देखिए", "fc1.weight[2,0] बदला", "loss (यानी गलती) देखिए", "loss घटा"):
        assert speech.gloss(written) == written
    assert language.Speech("en").gloss("the loss") == "the loss"


def test_a_sentence_has_few_glosses_and_the_next_has_the_others() -> None:
    speech = language.Speech("hi")
    assert speech.gloss("loss, weight, bias, layer और model।").count("यानी") == 3
    assert speech.gloss("layer और model।").count("यानी") == 2


def test_the_longest_term_is_the_one_glossed() -> None:
    speech = language.Speech("hi")
    speech.gloss("learning rate बदलिए")
    assert speech.told == {"learning rate"}


@pytest.mark.parametrize(
    ("wanted", "environment", "expected"),
    [
        ("hi", {"KADAM_LANG": "en"}, "hi"),
        (None, {"KADAM_LANG": "hi", "LANG": "en_US.UTF-8"}, "hi"),
        (None, {"LANG": "hi_IN.UTF-8"}, "hi"),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "hi_IN.UTF-8"}, "en"),
        (None, {"LANG": "fr_FR.UTF-8"}, "en"),
        (None, {}, "en"),
    ],
)
def test_the_language_is_chosen(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, environment: dict[str, str], expected: str
) -> None:
    for name in ("KADAM_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language.choose(wanted) == expected


def test_a_language_that_kadam_does_not_speak_is_refused() -> None:
    with pytest.raises(language.UnknownLanguage, match=r"does not speak 'fr'.*en, hi"):
        language.choose("fr")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123, "0.0123"),
        (-2.5, "-2.5"),
        (1.5e-7, "1.5e-07"),
        (12300.4, "12,300"),
        (123456789.0, "1.235e+08"),
        (0.1 + 0.2, "0.3"),
        (0.99999, "1"),
        (0.0, "0"),
        (-0.0, "0"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert language.number(value) == shown


def test_sizes_and_shares_are_short() -> None:
    assert [language.size(value) for value in (960, 9_999, 12_000, 1_234_567)] == ["960", "9,999", "12 k", "1.2 M"]
    assert [language.percent(value) for value in (0.123, 0.004, 1.0)] == ["12 %", "0.4 %", "100 %"]
