"""Every event of socket v5 by its wire name; an event is served only when handlers/ has its handler."""

from schemas import attempt, batch, evaluator_run, generation, playground, room, test
from schemas.envelope import (
    AuthExpired,
    AuthRefresh,
    ConnectionConfirmed,
    Payload,
    ServerDraining,
    ServerEvent,
)


class Connect(Payload):
    """Open a connection or a session."""

    event = "connect"

    token: str | None = None
    guest_id: str | None = None
    recovery: bool | None = None


class Disconnect(Payload):
    """Close a connection or a session; a running reply goes on."""

    event = "disconnect"


CLIENT_EVENTS: dict[str, type[Payload]] = {
    schema.event: schema
    for schema in (
        Connect,
        Disconnect,
        generation.Generate,
        attempt.AttemptStart,
        attempt.AttemptNext,
        attempt.AttemptJoin,
        attempt.AttemptLeave,
        attempt.AttemptMessage,
        attempt.AttemptStop,
        attempt.AttemptEnd,
        attempt.AttemptEndAll,
        attempt.AttemptGrade,
        attempt.AttemptResponseSubmit,
        attempt.AttemptUsePrevious,
        attempt.AttemptAudioStart,
        attempt.AttemptAudioStop,
        test.TestStart,
        test.TestNext,
        test.TestRun,
        test.TestEnd,
        test.TestJoin,
        test.TestLeave,
        test.TestStop,
    )
}
EXTRA_CLIENT_EVENTS: dict[str, type[Payload]] = {
    schema.event: schema
    for schema in (
        AuthRefresh,
        attempt.AttemptAudioFrame,
        attempt.AttemptAudioMute,
        test.TestGroup,
        test.TestEndAll,
        room.RoomJoin,
        room.RoomLeave,
        room.RoomReplay,
        room.RoomReplayStop,
        playground.PlaygroundJoin,
        playground.PlaygroundMessage,
        playground.PlaygroundStop,
    )
}
SERVER_EVENTS: dict[str, type[ServerEvent]] = {
    schema.event: schema
    for schema in (
        ConnectionConfirmed,
        attempt.AttemptStarted,
        attempt.AttemptChatStarted,
        attempt.AttemptChatEnded,
        attempt.AttemptEnded,
        attempt.AttemptError,
        attempt.AttemptGraded,
        attempt.AttemptJoined,
        attempt.AttemptStopped,
        attempt.AttemptResponseResult,
        attempt.AttemptAssistantStart,
        attempt.AttemptAssistantComplete,
        attempt.AttemptProgress,
        attempt.AttemptAssistantAudio,
        attempt.AttemptUserStart,
        attempt.AttemptUserComplete,
        attempt.AttemptUserDelta,
        attempt.AttemptAudioReady,
        attempt.AttemptAudioEnded,
        attempt.AttemptContentProgress,
        attempt.AttemptGradingProgress,
        attempt.AttemptHintProgress,
        test.TestStarted,
        test.TestJoined,
        test.TestRunStart,
        test.TestRunComplete,
        test.TestProgress,
        test.TestGraded,
        test.TestError,
        test.TestStopped,
        generation.GenerationProgress,
        generation.GenerationSaved,
        generation.GenerationComplete,
        generation.GenerationError,
    )
}
EXTRA_SERVER_EVENTS: dict[str, type[ServerEvent]] = {
    schema.event: schema
    for schema in (
        AuthExpired,
        ServerDraining,
        attempt.AttemptSources,
        attempt.AttemptUserAudio,
        test.TestAllComplete,
        batch.BatchStarted,
        batch.BatchResultStored,
        batch.BatchEnded,
        evaluator_run.ResultStarted,
        evaluator_run.RunStarted,
        evaluator_run.RunTurn,
        evaluator_run.RunAudio,
        evaluator_run.RunEnded,
        evaluator_run.ResultEnded,
        playground.PlaygroundUpdated,
        playground.PlaygroundUserComplete,
        playground.PlaygroundSources,
        playground.PlaygroundProgress,
        playground.PlaygroundComplete,
        playground.PlaygroundError,
        playground.PlaygroundForgotten,
        room.RoomReset,
        room.ReplayEntry,
        room.ReplayEnd,
        room.OpsEntry,
        room.OpsBeat,
    )
}
