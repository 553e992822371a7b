"""What the model answers while pictures of the page are taken: a talk, replays, documents, a draft."""

from typing import Any

Rule = dict[str, Any]
EXPECTATION = (
    "Before we look at the code: what do you expect Python to do with what total([7, 1]) gives back?"
)
TRACE = (
    "Let us take a small one. Go through total([1]) line by line and tell me what each line leaves behind."
)
THANKS = "You found it yourself. How would you write a function that counts the even numbers in a list?"
TOLD = "The fix is one line: return numbers[0] + total(numbers[1:])."
ASKED = "Take a list of one number. Which value does each line give, and who keeps it?"
QUESTION = "Which direct debits were taken twice, and why was the rent returned?"
FOUND = (
    "Fernline was debited twice on the third, 54.90 each time [1]. The rent was returned on the fourth "
    "because there was not enough in the account [1]."
)
WISH = "A night nurse who has to tell a family that visiting hours are over, at the end of a double shift."


def judged(criterion: str, level: int, feedback: str, *quotes: tuple[str, str], **more: Any) -> Rule:
    """Return a judge's verdict on a criterion; quotes are a message's number and its words."""
    said = [{"message": number, "text": text} for number, text in quotes]
    match = {"schema": "Verdict", "system_contains": f"Criterion: {criterion}", **more}
    return {"match": match, "json": {"quotes": said, "feedback": feedback, "level": level}}


TALK: list[Rule] = [
    {
        "match": {"last_contains": "Before we look"},
        "reply": "Umm. It goes back up and does the rest? I think it adds itself in.",
    },
    {
        "match": {"last_contains": "line by line"},
        "reply": "ok so… the list is not empty. Then total([]) which gives 0. Then it returns 1. Wait. "
        "The 0 was there and then nobody did anything with it?",
    },
    {
        "match": {"last_contains": "found it yourself"},
        "reply": "Oh! I would say: one if the first is even, plus whatever the rest gives me back.",
    },
    judged(
        "Finds out what",
        3,
        "You asked what she expects before you explained, and got the misunderstanding in her words.",
        ("m2", "what do you expect Python to do"),
    ),
    judged(
        "Lets the student",
        3,
        "She went through the lines herself and found where the value is lost. Nobody wrote code for her.",
        ("m4", "Go through total([1]) line by line"),
    ),
    judged("Explains correctly", 2, "One small list at a time, and no word of dolls or boxes."),
    judged(
        "Checks instead",
        2,
        "You ended with a new function instead of asking whether it makes sense.",
        ("m6", "counts the even numbers"),
    ),
    judged("Keeps the student", 1, "Polite throughout; her worry about asking too much went unanswered."),
    {
        "match": {"schema": "StrengthsDraft"},
        "json": {
            "strengths": [
                {
                    "message": "m2",
                    "highlights": ["what do you expect"],
                    "name": "A question first",
                    "description": "It brought out the belief that stood in the way.",
                }
            ]
        },
    },
    {
        "match": {"schema": "ImprovementsDraft"},
        "json": {
            "improvements": [
                {
                    "message": "m6",
                    "replacements": [
                        {
                            "section": "You found it yourself.",
                            "replace": "This confuses most people, and you found it yourself.",
                        }
                    ],
                    "name": "Say that it is hard",
                    "description": "She thinks that she is the only one who does not follow.",
                }
            ]
        },
    },
    {
        "match": {"schema": "AnalysesDraft"},
        "json": {"analyses": ["Maya nodded once and stopped nodding when she had a list of her own."]},
    },
]

REPLAYS: list[Rule] = [
    judged("Is right about", 2, "What is said is correct."),
    judged("Leaves the decisive", 0, "It writes the corrected line.", any_contains="The fix is"),
    judged("Leaves the decisive", 3, "The student takes the step."),
    judged("One thing at a time", 1, "Short, and one question."),
    judged("Says what the course", 2, "As the course has it."),
    judged("Uses its tools", 2, "It answered without looking."),
    judged("Knows what it may", 2, "It decides nothing that it may not."),
    {"match": {"system_contains": "You are a helpful assistant of a university"}, "reply": TOLD},
    {"match": {"system_contains": "Two sentences at most"}, "reply": "One at a time. " + ASKED},
    {"reply": ASKED},
]

NURSE: list[Rule] = [
    {"match": {"schema": "Names"}, "json": {"name": "Ruth Adeyemi"}},
    {
        "match": {"schema": "Descriptions"},
        "json": {"description": "Kind, exact, and eleven hours into the second shift of the day."},
    },
    {
        "match": {"schema": "Instructions"},
        "json": {
            "instructions": "You are Ruth Adeyemi, 47, a night nurse on a surgical ward. You speak low and "
            "in short sentences. You keep to the rule about visitors because you have seen what happens when "
            "nobody sleeps, and you dislike that it makes you the one who says no. When somebody asks how "
            "you are, you become gentler; when somebody argues, you repeat the rule word for word."
        },
    },
    {"match": {"schema": "Colors"}, "json": {"color": "#2f7d6d"}},
    {"match": {"schema": "Icons"}, "json": {"icon": "🩺"}},
]
