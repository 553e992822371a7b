"""One handler per client event; this table is all there is."""

from handlers.attempt_audio_frame import attempt_audio_frame
from handlers.attempt_audio_mute import attempt_audio_mute
from handlers.attempt_audio_start import attempt_audio_start
from handlers.attempt_audio_stop import attempt_audio_stop
from handlers.attempt_end import attempt_end
from handlers.attempt_end_all import attempt_end_all
from handlers.attempt_grade import attempt_grade
from handlers.attempt_join import attempt_join
from handlers.attempt_leave import attempt_leave
from handlers.attempt_message import attempt_message
from handlers.attempt_next import attempt_next
from handlers.attempt_response_submit import attempt_response_submit
from handlers.attempt_start import attempt_start
from handlers.attempt_stop import attempt_stop
from handlers.attempt_use_previous import attempt_use_previous
from handlers.base import Handler
from handlers.generate import generate
from handlers.playground_join import playground_join
from handlers.playground_message import playground_message
from handlers.playground_stop import playground_stop
from handlers.room_join import room_join
from handlers.room_leave import room_leave
from handlers.room_replay import room_replay
from handlers.room_replay_stop import room_replay_stop
from handlers.test_end import test_end
from handlers.test_end_all import test_end_all
from handlers.test_group import test_group
from handlers.test_join import test_join
from handlers.test_leave import test_leave
from handlers.test_next import test_next
from handlers.test_run import test_run
from handlers.test_start import test_start
from handlers.test_stop import test_stop

HANDLERS: dict[str, Handler] = {
    handler.event: handler
    for handler in (
        generate,
        attempt_start,
        attempt_next,
        attempt_join,
        attempt_leave,
        attempt_message,
        attempt_stop,
        attempt_end,
        attempt_end_all,
        attempt_grade,
        attempt_response_submit,
        attempt_use_previous,
        attempt_audio_start,
        attempt_audio_stop,
        attempt_audio_frame,
        attempt_audio_mute,
        test_start,
        test_next,
        test_run,
        test_end,
        test_join,
        test_leave,
        test_stop,
        test_group,
        test_end_all,
        room_join,
        room_leave,
        room_replay,
        room_replay_stop,
        playground_join,
        playground_message,
        playground_stop,
    )
}
