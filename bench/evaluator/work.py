"""The work: a caller by rules, who needs no model, and what the agent answers."""

from typing import Any

TURNS = 6  # of the caller, each answered once
DELAY_SECONDS = 0.05  # of the agent's answers
QUIET_SECONDS = 0.5  # after which an answer is taken to be whole, as the server does
DRAIN_SECONDS = 1.0  # after the caller has ended a call, as the server does
SAID = "I would like two cups of coffee, number {0}, and to hear what they cost altogether."
END = "That is all, thank you. Goodbye."


def answer(number: int) -> str:
    """Return what the agent says to a message, from 0 on."""
    return (
        f"answer{number}: certainly, two cups of coffee are nine euros altogether, milk and sugar included."
    )


def said(number: int) -> str:
    """Return what the caller says, from 0 on; the last one ends the call."""
    return SAID.format(number) if number < TURNS else END


def scenario(agent: int, number: int) -> dict[str, Any]:
    """Return a scenario of fixed actions."""
    conditions = [{"id": 0, "condition": "FIRST_MESSAGE", "action": said(0), "fixed_message": True}]
    for turn in range(1, TURNS + 1):
        words = said(turn) + ("<endcall/>" if turn == TURNS else "")
        conditions.append(
            {
                "id": turn,
                "condition": f'contains "answer{turn - 1}:"',
                "action": words,
                "fixed_message": True,
            }
        )
    return {
        "name": f"orders {number}",
        "agent": agent,
        "scenario_type": "conditional_actions",
        "conditional_actions": {"role": "A guest of a coffee shop.", "conditions": conditions},
    }
