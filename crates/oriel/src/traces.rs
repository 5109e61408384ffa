//! Traces on request: spans of what the program does, sent to a collector of OpenTelemetry (OTLP over HTTP, as JSON).
//!
//! Off unless a standard variable names the collector. Spans that have ended go into a queue that never waits: when it is full, or the
//! collector does not take them, they are dropped and counted. What a span says are names of routes, steps and calls, and texts of the
//! log without what they name: never people, paths or bodies.

mod otlp;
mod sending;

use crate::failure::{Failure, USAGE};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use oriel_trace::{Hooks, Place};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sending::{Collector, Queue};
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use url::Url;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// Spans that wait to be sent.
const QUEUE_MAX: usize = 4096;
/// How long the last ones may take when the program stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(2);

/// Where traces go.
#[derive(Clone, Debug)]
pub struct Wish {
    url: Url,
    headers: HeaderMap,
    /// Where the environment does not say what the service is called.
    default_name: Option<&'static str>,
}

/// Traces that are exported until the program ends.
pub struct Traces {
    provider: SdkTracerProvider,
    stop: CancellationToken,
    sending: JoinHandle<()>,
}

impl Wish {
    /// `None` where nobody asks for traces. `env`: the environment.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let env = |name: &str| env(name).filter(|text| !text.is_empty());
        let is = |name: &str, what: &str| env(name).is_some_and(|text| text.eq_ignore_ascii_case(what));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let (name, text) = match (env(TRACES_ENDPOINT), env(ENDPOINT)) {
            (Some(text), _) => (TRACES_ENDPOINT, text),
            // The standard's: a path below what is given.
            (None, Some(text)) => (ENDPOINT, format!("{}/v1/traces", text.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        let protocol = [TRACES_PROTOCOL, PROTOCOL].into_iter().find_map(|name| Some((name, env(name)?)));
        if let Some((name, protocol)) = protocol.filter(|(_, protocol)| !protocol.starts_with("http/")) {
            return Err(bad(name, &format!("traces are not sent as {protocol:?}"))
                .next("set it to http/json, and name the collector's port for HTTP, often 4318"));
        }
        let url = Url::parse(&text)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
            .ok_or_else(|| bad(name, "it is no address").next("give http://HOST:4318 or an https address"))?;
        let said = env("OTEL_EXPORTER_OTLP_TRACES_HEADERS").or_else(|| env(HEADERS)).unwrap_or_default();
        let is_named = env("OTEL_SERVICE_NAME").is_some()
            || env("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|text| text.contains("service.name="));
        Ok(Some(Self { url, headers: headers(&said)?, default_name: (!is_named).then_some("oriel") }))
    }

    /// Begins, within a runtime. The tracer makes spans of whatever its layer is told.
    pub fn start(self) -> Result<(Traces, SdkTracer), Failure> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("oriel/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::because("cannot send traces", &error))?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if let Some(name) = self.default_name {
            resource = resource.with_service_name(name);
        }
        let resource = resource.build();
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let collector = Collector { client, url: self.url, headers: self.headers, resource: otlp::resource(&resource) };
        let stop = CancellationToken::new();
        let sending = tokio::spawn(sending::send_all(queue, collector, stop.clone()));
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_span_processor(Queue { sender }).build();
        let tracer = provider.tracer("oriel");
        oriel_trace::install(Hooks { place, adopt });
        Ok((Traces { provider, stop, sending }, tracer))
    }
}

impl Traces {
    /// Sends what has ended by now, if it goes quickly.
    pub async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(STOP_TIME_MAX, self.sending).await.ok();
        self.provider.shutdown().ok();
    }
}

/// `name=value,…`, values escaped as in URLs.
fn headers(text: &str) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        // The value may be a password: it is not said.
        let malformed = || bad(HEADERS, "it is not NAME=VALUE, with commas between");
        let (name, value) = pair.split_once('=').ok_or_else(malformed)?;
        // As one field of a form, in which a plus and an ampersand are what they are.
        let escaped = format!("v={}", value.trim().replace('+', "%2B").replace('&', "%26"));
        let value = url::form_urlencoded::parse(escaped.as_bytes()).next().ok_or_else(malformed)?.1;
        let name: HeaderName = name.trim().parse().map_err(|_| malformed())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| malformed())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(headers)
}

fn bad(name: &str, why: &str) -> Failure {
    Failure::new(format!("{name} does not fit: {why}")).code(USAGE)
}

fn place(span: &tracing::Span) -> Option<Place> {
    let context = span.context();
    let of = context.span().span_context().clone();
    of.is_valid().then(|| Place {
        trace: u128::from_be_bytes(of.trace_id().to_bytes()),
        span: u64::from_be_bytes(of.span_id().to_bytes()),
        is_sampled: of.is_sampled(),
    })
}

fn adopt(span: &tracing::Span, caller: Place) {
    let flags = if caller.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let of = SpanContext::new(
        TraceId::from_bytes(caller.trace.to_be_bytes()),
        SpanId::from_bytes(caller.span.to_be_bytes()),
        flags,
        true,
        TraceState::default(),
    );
    // Refused only where the span has begun, or nobody wants it.
    span.set_parent(Context::new().with_remote_span_context(of)).ok();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Wish>, Failure> {
        Wish::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_standards_variables_are_read() {
        assert!(read(&[]).unwrap().is_none());
        let wish =
            read(&[(ENDPOINT, "http://collector:4318/"), (HEADERS, "x-key=a%20b&c=d, tenant=oak+1")]).unwrap().unwrap();
        assert_eq!(wish.url.as_str(), "http://collector:4318/v1/traces");
        assert_eq!(
            (&wish.headers["x-key"], &wish.headers["tenant"]),
            (&"a b&c=d".parse().unwrap(), &"oak+1".parse().unwrap())
        );
        assert_eq!(wish.default_name, Some("oriel"));
        let own =
            [(TRACES_ENDPOINT, "https://c.example/in"), ("OTEL_SERVICE_NAME", "vdi"), (PROTOCOL, "http/protobuf")];
        let wish = read(&own).unwrap().unwrap();
        assert_eq!((wish.url.as_str(), wish.default_name), ("https://c.example/in", None));
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(read(&[(ENDPOINT, "http://collector:4318"), off]).unwrap().is_none());
        }
        // The one that is of traces alone counts.
        let named = [(ENDPOINT, "http://collector:4318"), (PROTOCOL, "http/json"), (TRACES_PROTOCOL, "grpc")];
        assert!(read(&named).err().unwrap().to_string().contains(TRACES_PROTOCOL));
        for bad in [(PROTOCOL, "grpc"), (HEADERS, "x"), (HEADERS, "a b=c"), (TRACES_ENDPOINT, "collector:4318")] {
            let refused = read(&[(ENDPOINT, "http://collector:4318"), bad]).err().unwrap();
            assert!(refused.to_string().contains("does not fit"), "{refused}");
        }
    }
}
