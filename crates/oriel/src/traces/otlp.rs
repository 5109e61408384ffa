//! Spans as OTLP's JSON (opentelemetry-proto, `ExportTraceServiceRequest`): ids as hexadecimal digits, 64-bit numbers as text.
//!
//! Lines of the log are events, without what they name: that may be people, their files and machines, which are for the log alone.

use opentelemetry::trace::{Event, SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value as Said};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is told of a line of the log beside its text.
const EVENT_ATTRIBUTES: [&str; 2] = ["level", "target"];

pub(super) fn resource(resource: &Resource) -> Value {
    let attributes: Vec<Value> = resource.iter().map(|(key, value)| attribute(key.as_str(), value)).collect();
    json!({ "attributes": attributes })
}

pub(super) fn message(resource: &Value, batch: &[SpanData]) -> Value {
    let spans: Vec<Value> = batch.iter().map(span).collect();
    let scope = json!({ "name": "oriel", "version": env!("CARGO_PKG_VERSION") });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": scope, "spans": spans }] }] })
}

fn span(span: &SpanData) -> Value {
    let parent = if span.parent_span_id == SpanId::INVALID { String::new() } else { span.parent_span_id.to_string() };
    let status = match &span.status {
        Status::Unset => json!({}),
        Status::Ok => json!({ "code": 1 }),
        Status::Error { .. } => json!({ "code": 2 }),
    };
    json!({
        "traceId": span.span_context.trace_id().to_string(),
        "spanId": span.span_context.span_id().to_string(),
        "parentSpanId": parent,
        "name": span.name,
        "kind": kind(&span.span_kind),
        "startTimeUnixNano": nanoseconds(span.start_time),
        "endTimeUnixNano": nanoseconds(span.end_time),
        "attributes": attributes(&span.attributes),
        "droppedAttributesCount": span.dropped_attributes_count,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "droppedEventsCount": span.events.dropped_count,
        "status": status,
    })
}

fn event(event: &Event) -> Value {
    let told = event.attributes.iter().filter(|one| EVENT_ATTRIBUTES.contains(&one.key.as_str()));
    json!({
        "timeUnixNano": nanoseconds(event.timestamp),
        "name": event.name,
        "attributes": told.map(|one| attribute(one.key.as_str(), &one.value)).collect::<Vec<_>>(),
    })
}

const fn kind(kind: &SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn attributes(of: &[KeyValue]) -> Vec<Value> {
    of.iter().map(|one| attribute(one.key.as_str(), &one.value)).collect()
}

fn attribute(key: &str, value: &Said) -> Value {
    let value = match value {
        Said::Bool(flag) => json!({ "boolValue": flag }),
        Said::I64(number) => json!({ "intValue": number.to_string() }),
        Said::F64(number) => json!({ "doubleValue": number }),
        other => json!({ "stringValue": other.as_str() }),
    };
    json!({ "key": key, "value": value })
}

fn nanoseconds(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::traces::sending::Queue;
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tokio::sync::mpsc;

    #[test]
    fn a_full_queue_counts_what_it_drops_and_the_rest_is_told_as_it_should_be() {
        let (sender, mut queue) = mpsc::channel(1);
        let provider =
            SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_span_processor(Queue { sender }).build();
        let tracer = provider.tracer("oriel");
        let before = oriel_trace::counts().1;
        for name in ["first", "second", "third"] {
            let mut span = tracer.span_builder(name).with_kind(SpanKind::Client).start(&tracer);
            span.set_attribute(KeyValue::new("http.response.status_code", 503_i64));
            let about = [("level", "WARN"), ("user", "zoe"), ("path", "/home/zoe/diary")];
            span.add_event("Refused", about.map(|(key, value)| KeyValue::new(key, value)).to_vec());
            span.set_status(Status::error("of zoe"));
            span.end();
        }
        assert_eq!(oriel_trace::counts().1, before + 2);
        let kept = queue.try_recv().unwrap();
        let told = message(&json!({}), &[kept]);
        let span = &told["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        let hex = |name: &str| span[name].as_str().filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit())).map(str::len);
        assert_eq!((hex("traceId"), hex("spanId"), &span["parentSpanId"]), (Some(32), Some(16), &json!("")), "{told}");
        assert_eq!((&span["name"], &span["kind"]), (&json!("first"), &json!(3)), "{told}");
        let nanoseconds = |name: &str| span[name].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap();
        assert!(nanoseconds("startTimeUnixNano") <= nanoseconds("endTimeUnixNano"), "{told}");
        let status = json!([{ "key": "http.response.status_code", "value": { "intValue": "503" } }]);
        assert_eq!((&span["attributes"], &span["status"]), (&status, &json!({ "code": 2 })), "{told}");
        let event = &span["events"][0];
        let level = json!([{ "key": "level", "value": { "stringValue": "WARN" } }]);
        assert_eq!((&event["name"], &event["attributes"]), (&json!("Refused"), &level), "{told}");
        assert!(!told.to_string().contains("zoe"), "{told}");
    }
}
