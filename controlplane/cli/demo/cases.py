"""The demos that there are, by task."""

from collections.abc import Mapping
from typing import Final

from controlplane.cli.demo.case import Case, Size
from controlplane.cli.demo.users import Labeller, Reader, sentiment_in
from controlplane.cli.demo.verb import Task

CASES: Final[Mapping[Task, Case]] = {
    "classification": Case(
        documents="classification",
        deployment="reviews",
        model="sentiment",
        dataset="reviews",
        event_type="com.example.reviews.collected",
        bad="flipped",
        bad_in_words="every label flipped",
        first_epochs=2,
        figures=(("accuracy on test rows", "accuracy"),),
        attacked=True,
        promised="accuracy",
        held_out=1000,
        columns=("text", "label"),
        user=Labeller(),
        at_once=16,
        whole=Size(first=2700, second=3000, third=500, per_second=40, minimum=0.80),
        short=Size(
            first=2700,
            second=1500,
            third=300,
            per_second=30,
            minimum=0.78,
            canary={"steps": [0.10, 0.25, 0.50], "step_seconds": 10},
        ),
    ),
    "generation": Case(
        documents="generation",
        deployment="extraction",
        model="extractor",
        dataset="extracts",
        event_type="com.example.extracts.collected",
        bad="swapped",
        bad_in_words="every answer swapped",
        first_epochs=1,
        figures=(("valid JSON", "valid_json"), ("right answers", "exact_match")),
        attacked=False,
        promised="valid_json",
        held_out=100,
        columns=("prompt", "completion"),
        user=Reader("extractor", sentiment_in),
        at_once=4,  # an answer takes seconds: more of them would be late, not sooner
        whole=Size(first=360, second=200, third=200, per_second=3, minimum=0.95),
        short=Size(first=280, second=80, third=130, per_second=3, minimum=0.90),
    ),
}
