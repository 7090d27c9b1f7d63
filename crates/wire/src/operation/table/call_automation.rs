//! Call automation and recording: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

const CALLS: Family = Family {
    area: Area::CallAutomation,
    versions: &["2026-03-12"],
    access: Access::AccessKey,
    read: "calls/read",
    write: "calls/write",
    delete: "calls/delete",
    log_table: Some("ACSCallAutomationIncomingOperations"),
};

const RECORDINGS: Family = Family {
    area: Area::CallAutomation,
    versions: &["2026-03-12"],
    access: Access::AccessKey,
    read: "recordings/read",
    write: "recordings/write",
    delete: "recordings/delete",
    log_table: Some("ACSCallRecordingIncomingOperations"),
};

pub(super) const ROWS: &[Operation] = &[
    CALLS.post("calls.create_call", "/calling/callConnections", 201),
    CALLS.post("calls.answer_call", "/calling/callConnections:answer", 200),
    CALLS.post("calls.redirect_call", "/calling/callConnections:redirect", 204),
    CALLS.post("calls.reject_call", "/calling/callConnections:reject", 204),
    CALLS.post("calls.connect", "/calling/callConnections:connect", 200),
    CALLS.get("calls.get_call", "/calling/callConnections/{callConnectionId}"),
    CALLS.delete("calls.hangup_call", "/calling/callConnections/{callConnectionId}", 204),
    CALLS.act("calls.terminate_call", "/calling/callConnections/{callConnectionId}:terminate", 204),
    CALLS.post(
        "calls.transfer_to_participant",
        "/calling/callConnections/{callConnectionId}:transferToParticipant",
        202,
    ),
    CALLS.get("calls.get_participants", "/calling/callConnections/{callConnectionId}/participants"),
    CALLS.post("calls.add_participant", "/calling/callConnections/{callConnectionId}/participants:add", 202),
    CALLS.post(
        "calls.remove_participant",
        "/calling/callConnections/{callConnectionId}/participants:remove",
        202,
    ),
    CALLS.post("calls.mute", "/calling/callConnections/{callConnectionId}/participants:mute", 200),
    CALLS.post(
        "calls.cancel_add_participant",
        "/calling/callConnections/{callConnectionId}/participants:cancelAddParticipant",
        202,
    ),
    CALLS.post(
        "calls.move_participants",
        "/calling/callConnections/{callConnectionId}/participants:moveHere",
        202,
    ),
    CALLS.get(
        "calls.get_participant",
        "/calling/callConnections/{callConnectionId}/participants/{participantRawId}",
    ),
    CALLS.post("calls.play", "/calling/callConnections/{callConnectionId}:play", 202),
    CALLS.post(
        "calls.start_transcription",
        "/calling/callConnections/{callConnectionId}:startTranscription",
        202,
    ),
    CALLS.post(
        "calls.stop_transcription",
        "/calling/callConnections/{callConnectionId}:stopTranscription",
        202,
    ),
    CALLS.post(
        "calls.update_transcription",
        "/calling/callConnections/{callConnectionId}:updateTranscription",
        202,
    ),
    CALLS.act(
        "calls.cancel_all_media_operations",
        "/calling/callConnections/{callConnectionId}:cancelAllMediaOperations",
        202,
    ),
    CALLS.post("calls.recognize", "/calling/callConnections/{callConnectionId}:recognize", 202),
    CALLS.post(
        "calls.start_continuous_dtmf_recognition",
        "/calling/callConnections/{callConnectionId}:startContinuousDtmfRecognition",
        200,
    ),
    CALLS.post(
        "calls.stop_continuous_dtmf_recognition",
        "/calling/callConnections/{callConnectionId}:stopContinuousDtmfRecognition",
        200,
    ),
    CALLS.post("calls.send_dtmf_tones", "/calling/callConnections/{callConnectionId}:sendDtmfTones", 202),
    CALLS.post("calls.hold", "/calling/callConnections/{callConnectionId}:hold", 200),
    CALLS.post("calls.unhold", "/calling/callConnections/{callConnectionId}:unhold", 200),
    CALLS.post(
        "calls.start_media_streaming",
        "/calling/callConnections/{callConnectionId}:startMediaStreaming",
        202,
    ),
    CALLS.post(
        "calls.stop_media_streaming",
        "/calling/callConnections/{callConnectionId}:stopMediaStreaming",
        202,
    ),
    RECORDINGS.post("recordings.start_recording", "/calling/recordings", 200),
    RECORDINGS.get("recordings.get_recording_properties", "/calling/recordings/{recordingId}"),
    RECORDINGS.delete("recordings.stop_recording", "/calling/recordings/{recordingId}", 204),
    RECORDINGS.act("recordings.pause_recording", "/calling/recordings/{recordingId}:pause", 202),
    RECORDINGS.act("recordings.resume_recording", "/calling/recordings/{recordingId}:resume", 202),
];
