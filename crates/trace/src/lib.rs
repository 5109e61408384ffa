//! The trace that work belongs to, for rooms that do not know how traces are exported, or whether: spans where somebody wants them,
//! what outgoing calls carry on, what logs and refusals name. Nothing is done, and nothing costs more than a comparison, until the
//! program says how ([`install`]).

pub use tracing;
pub use tracing::Instrument;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::Span;

/// The name of the header that carries a trace from one program to the next, and the length of its version 00, in bytes
/// (W3C Trace Context §3.2).
pub const TRACEPARENT: &str = "traceparent";
const TRACEPARENT_BYTES: usize = 55;

/// How the program knows traces.
pub struct Hooks {
    /// Where a span is; `None` outside a trace.
    pub place: fn(&Span) -> Option<Place>,
    /// Makes a span that has not begun the child of a caller's.
    pub adopt: fn(&Span, Place),
}

/// A span in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Never 0.
    pub trace: u128,
    /// Never 0.
    pub span: u64,
    pub is_sampled: bool,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();
static SENT: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// A span of some work within a trace: as `tracing::info_span!`, and nothing where nobody wants traces.
#[macro_export]
macro_rules! span {
    ($($of:tt)*) => {
        if $crate::is_on() { $crate::tracing::info_span!($($of)*) } else { $crate::tracing::Span::none() }
    };
}

/// A span that begins a trace or goes on with a caller's; it has a field `trace_id`, which logs show ([`begin`] fills it).
#[macro_export]
macro_rules! root {
    ($name:literal, $($of:tt)*) => {
        if $crate::is_on() {
            $crate::tracing::error_span!(parent: None, $name, trace_id = $crate::tracing::field::Empty, $($of)*)
        } else {
            $crate::tracing::Span::none()
        }
    };
}

impl Place {
    /// Of a `traceparent`; of versions to come what version 00 says of them.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_longer = bytes.len() > TRACEPARENT_BYTES;
        let head = text.get(..TRACEPARENT_BYTES)?;
        if is_longer && (head.starts_with("00-") || bytes.get(TRACEPARENT_BYTES) != Some(&b'-')) {
            return None;
        }
        let mut parts = head.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        if !is_hex(version, 2) || version == "ff" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        Some(Self { trace, span, is_sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1 })
    }

    pub fn traceparent(self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

/// Once, by the program that exports traces. Answers whether it is the first.
pub fn install(hooks: Hooks) -> bool {
    HOOKS.set(hooks).is_ok()
}

/// Whether somebody wants traces.
pub fn is_on() -> bool {
    HOOKS.get().is_some()
}

/// Begins a [`root!`] span, as the child of the caller's where there is one.
pub fn begin(span: &Span, traceparent: Option<&str>) {
    let Some(hooks) = HOOKS.get() else { return };
    if let Some(caller) = traceparent.and_then(Place::parse) {
        (hooks.adopt)(span, caller);
    }
    if let Some(place) = (hooks.place)(span) {
        span.record("trace_id", tracing::field::display(format_args!("{:032x}", place.trace)));
    }
}

/// What an outgoing call says in [`TRACEPARENT`]; `None` outside a trace.
pub fn traceparent() -> Option<String> {
    here().map(Place::traceparent)
}

/// The trace that the work at hand belongs to, as 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    here().map(|place| format!("{:032x}", place.trace))
}

fn here() -> Option<Place> {
    HOOKS.get().and_then(|hooks| (hooks.place)(&Span::current()))
}

/// Spans that a collector took.
pub fn sent(count: u64) {
    SENT.fetch_add(count, Ordering::Relaxed);
}

/// Spans that no collector has: there was none, or it was too slow.
pub fn dropped(count: u64) {
    DROPPED.fetch_add(count, Ordering::Relaxed);
}

/// Spans that were sent and that were dropped since the start.
pub fn counts() -> (u64, u64) {
    (SENT.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_callers_place_is_read_and_carried_on() {
        let place = Place::parse(EXAMPLE);
        assert_eq!(place.map(Place::traceparent).as_deref(), Some(EXAMPLE));
        assert!(place.is_some_and(|place| place.is_sampled));
        assert!(Place::parse(&EXAMPLE.replace("-01", "-02")).is_some_and(|place| !place.is_sampled));
        // Later versions may say more.
        assert_eq!(Place::parse(&format!("01{}-more", EXAMPLE.trim_start_matches("00"))), place);
        for bad in [
            "",
            "00",
            &EXAMPLE.to_uppercase(),
            &format!("{EXAMPLE}-more"),
            &format!("01{}more", EXAMPLE.trim_start_matches("00")),
            &EXAMPLE.replacen("00-", "ff-", 1),
            &EXAMPLE.replace("b7ad6b7169203331", "0000000000000000"),
            &EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            &EXAMPLE.replace("b7ad", "é7a"),
        ] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn nothing_is_done_until_somebody_wants_it() {
        assert!(!is_on() && span!("work").is_none() && root!("round", name = "x").is_none());
        begin(&Span::current(), Some(EXAMPLE));
        assert_eq!((traceparent(), trace_id()), (None, None));
    }
}
