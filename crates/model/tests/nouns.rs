//! The words that are stored, sent to browsers and typed by people: they must not change by accident.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

use oriel_model::{
    AcceleratorKind, DesktopFacts, DesktopId, DesktopIntent, DesktopState, Finding, FindingEvidence, GuestPort,
    ImageOs, ImageSource, ImageState, Micros, Name, Network, OperationKind, OperationState, Role, Severity, StartStep,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// The value is written as that JSON, and read back from it.
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

#[test]
fn states_are_their_words() {
    for state in DesktopState::ALL {
        same(&state, &format!("{:?}", state.word()));
    }
    use OperationState::{Cancelled, Done, Failed, Queued, Running};
    for state in [Queued, Running, Done, Failed, Cancelled] {
        same(&state, &format!("{:?}", state.word()));
    }
    for kind in [AcceleratorKind::Kvm, AcceleratorKind::Tcg] {
        same(&kind, &format!("{:?}", kind.word()));
    }
}

#[test]
fn other_words_stay() {
    same(&DesktopIntent::Recycle, "\"recycle\"");
    same(&StartStep::WaitingForRdp, "\"waiting_for_rdp\"");
    same(&GuestPort::Console, "\"console\"");
    same(&ImageState::Retired, "\"retired\"");
    same(&Role::Admin, "\"admin\"");
    same(&Network::User, r#"{"kind":"user"}"#);
    same(&Network::Bridge { bridge: "br0".into() }, r#"{"kind":"bridge","bridge":"br0"}"#);
    same(&ImageSource::Imported { from: "/a.qcow2".into() }, r#"{"kind":"imported","from":"/a.qcow2"}"#);
    let import = OperationKind::ImageImport { from: "/a".into(), name: "a".into(), sha256: None, os: ImageOs::Linux };
    same(&import, r#"{"kind":"image_import","from":"/a","name":"a","sha256":null,"os":"linux"}"#);
}

/// This shape is measured from outside.
#[test]
fn a_finding_keeps_its_shape() {
    let finding = Finding {
        id: "kvm".into(),
        severity: Severity::Warning,
        subject: "/dev/kvm".into(),
        evidence: vec![FindingEvidence { path: "/dev/kvm".into(), content: "opens".into() }],
        reason: "it hangs".into(),
        fix: String::new(),
        source: "KVM".into(),
    };
    same(
        &finding,
        r#"{"id":"kvm","severity":"warning","subject":"/dev/kvm","evidence":[{"path":"/dev/kvm","content":"opens"}],"reason":"it hangs","fix":"","source":"KVM"}"#,
    );
    assert!(Severity::Error > Severity::Warning && Severity::Note > Severity::Ok);
}

/// Facts written by an older program lack what was not known then.
#[test]
fn facts_of_yesterday_are_read() {
    assert_eq!(serde_json::from_str::<DesktopFacts>("{}").unwrap(), DesktopFacts::default());
    let facts: DesktopFacts = serde_json::from_str(r#"{"accelerator":"tcg","of_tomorrow":1}"#).unwrap();
    assert_eq!(facts.accelerator.as_deref(), Some("tcg"));
}

#[test]
fn ids_are_texts_and_sort_by_birth() {
    let first = DesktopId::new();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let second = DesktopId::new();
    assert!(first < second && first.to_string() < second.to_string());
    assert_eq!(first.to_string().parse::<DesktopId>().unwrap(), first);
    same(&first, &format!("\"{first}\""));
    assert!("studio-1".parse::<DesktopId>().is_err());
}

#[test]
fn times_are_read_by_people() {
    assert_eq!(Micros(0).rfc3339(), "1970-01-01T00:00:00Z");
    assert_eq!(Micros(1_795_000_000_123_456).plus_seconds(60).rfc3339(), "2026-11-18T11:07:40Z");
    for far in [Micros(i64::MAX), Micros(i64::MIN)] {
        assert_eq!(far.plus_seconds(i64::MAX).plus_seconds(far.0).rfc3339(), "unknown");
    }
}

proptest! {
    /// A name that is accepted is safe as a host name, a file name and an argument, and comes back as it was.
    #[test]
    fn names_are_safe(text in "[a-zA-Z0-9./ -]{0,45}|\\PC{0,45}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert!((1..=40).contains(&text.len()));
            prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(text.as_bytes()[0].is_ascii_lowercase() && !text.ends_with('-'));
            same(&name, &format!("\"{text}\""));
        } else {
            prop_assert!(serde_json::from_value::<Name>(text.into()).is_err());
        }
    }

    #[test]
    fn good_names_are_accepted(text in "[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,8}){0,3}") {
        prop_assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
    }
}
