//! Spans as OTLP's JSON (opentelemetry-proto, `ExportTraceServiceRequest`): ids as hexadecimal digits, 64-bit numbers as text.

use opentelemetry::trace::{Event, SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value as Said};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

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
        Status::Error { description } => json!({ "code": 2, "message": description }),
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
    json!({
        "timeUnixNano": nanoseconds(event.timestamp),
        "name": event.name,
        "attributes": attributes(&event.attributes),
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
