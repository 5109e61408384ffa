//! Messages of a container's stream: a channel's number, then its bytes (KEP-4006; `k8s.io/apimachinery`, package
//! `remotecommand`).

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
/// How it ended, as a `Status` of the API.
const ERROR: u8 = 3;
const RESIZE: u8 = 4;

/// What a cluster says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Output(Bytes),
    /// The command ended with this status.
    Exit(u32),
    /// It did not begin, or was ended.
    Failed(String),
    /// A channel that we do not know, or that says nothing.
    Nothing,
}

pub(crate) fn heard(mut message: Bytes) -> Heard {
    if message.is_empty() {
        return Heard::Nothing;
    }
    let channel = message.split_to(1);
    match channel.first() {
        Some(&(STDOUT | STDERR)) if !message.is_empty() => Heard::Output(message),
        Some(&ERROR) => ended(&message),
        _ => Heard::Nothing,
    }
}

pub(crate) fn input(bytes: &[u8]) -> Message {
    message_of(STDIN, bytes)
}

pub(crate) fn resized(columns: u16, rows: u16) -> Message {
    message_of(RESIZE, format!("{{\"Width\":{columns},\"Height\":{rows}}}").as_bytes())
}

fn message_of(channel: u8, bytes: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.put_slice(bytes);
    Message::Binary(message.freeze())
}

/// `Status` of meta/v1, as much as matters.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "status")]
    outcome: String,
    message: String,
    reason: String,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    causes: Vec<Cause>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
    message: String,
}

fn ended(text: &[u8]) -> Heard {
    let status = serde_json::from_slice::<Status>(text).unwrap_or_default();
    if status.outcome == "Success" {
        return Heard::Exit(0);
    }
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason == "ExitCode").and_then(|cause| cause.message.parse().ok());
    match code {
        Some(code) if status.reason == "NonZeroExitCode" => Heard::Exit(code),
        // What says nothing that we understand is shown as it is.
        _ if status.message.is_empty() => Heard::Failed(String::from_utf8_lossy(text).into_owned()),
        _ => Heard::Failed(status.message),
    }
}

/// What a refusal says.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => Some(status.message),
        Err(_) => Some(String::from_utf8_lossy(body).trim().to_owned()),
    }
    .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clusters_say() {
        let of = |text: &str| heard(Bytes::copy_from_slice(text.as_bytes()));
        assert_eq!(of("\u{1}$ "), Heard::Output(Bytes::from_static(b"$ ")));
        assert_eq!(of("\u{2}oh"), Heard::Output(Bytes::from_static(b"oh")));
        assert_eq!(of("\u{1}"), Heard::Nothing);
        assert_eq!(of("\u{7}x"), Heard::Nothing);
        assert_eq!(of(""), Heard::Nothing);
        assert_eq!(of("\u{3}{\"metadata\":{},\"status\":\"Success\"}"), Heard::Exit(0));
        let failed = "\u{3}{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code\",\
                      \"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"7\"}]}}";
        assert_eq!(of(failed), Heard::Exit(7));
        let broken = "\u{3}{\"status\":\"Failure\",\"message\":\"container not found (\\\"app\\\")\",\"reason\":\"InternalError\"}";
        assert_eq!(of(broken), Heard::Failed("container not found (\"app\")".into()));
        assert_eq!(of("\u{3}no JSON"), Heard::Failed("no JSON".into()));
        assert_eq!(of("\u{3}[]"), Heard::Failed("[]".into()));
    }

    #[test]
    fn what_is_typed_and_how_large_it_is() {
        assert_eq!(input(b"ls\r").into_data(), &b"\0ls\r"[..]);
        assert_eq!(resized(120, 40).into_data(), &b"\x04{\"Width\":120,\"Height\":40}"[..]);
    }
}
