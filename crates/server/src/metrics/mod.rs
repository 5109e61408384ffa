//! What Prometheus scrapes: numbers that are counted as requests are answered, and numbers that are looked up when they are asked for.
//!
//! The text is OpenMetrics 1.0. Nothing here has a label that strangers can fill: operations are the API's, pools are the administrators'.

mod gather;
mod process;

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::time::Duration;

/// What the text is, as the answer's header says it.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of how long answers take, in seconds: the plan for a click is a quarter of one.
const SECONDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    operation: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: String,
}

/// What was counted since the program started.
pub(crate) struct Metrics {
    answers: Family<Answer, Counter>,
    seconds: Family<Operation, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { answers: Family::default(), seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)) }
    }
}

impl Metrics {
    /// A request of the API was answered, or cut off (499).
    pub fn answered(&self, operation: &str, status: u16, took: Duration) {
        self.answers.get_or_create(&Answer { operation: operation.to_owned(), status }).inc();
        let operation = Operation { operation: operation.to_owned() };
        self.seconds.get_or_create(&operation).observe(took.as_secs_f64());
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests of the API, by operation and status; 499: nobody waited for the answer",
            self.answers.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From a request of the API to its answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
    }
}

/// The whole text. Errors: the database's.
pub(crate) async fn scrape(app: &crate::App) -> Result<String, oriel_broker::BrokerError> {
    let mut registry = Registry::default();
    let own = registry.sub_registry_with_prefix("oriel");
    app.metrics.register(own);
    gather::gather(app, own).await?;
    process::gather(&mut registry);
    let mut written = String::new();
    text::encode(&mut written, &registry)
        .map_err(|error| oriel_broker::BrokerError::Internal(format!("writing the metrics: {error}")))?;
    Ok(written)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_and_timed() {
        let metrics = Metrics::default();
        metrics.answered("connect", 200, Duration::from_millis(30));
        metrics.answered("connect", 200, Duration::from_millis(300));
        metrics.answered("connect", 409, Duration::from_millis(1));
        let mut registry = Registry::default();
        metrics.register(registry.sub_registry_with_prefix("oriel"));
        let mut written = String::new();
        text::encode(&mut written, &registry).unwrap();
        for line in [
            r#"oriel_requests_total{operation="connect",status="200"} 2"#,
            r#"oriel_requests_total{operation="connect",status="409"} 1"#,
            r#"oriel_request_duration_seconds_bucket{le="0.25",operation="connect"} 2"#,
            r#"oriel_request_duration_seconds_count{operation="connect"} 3"#,
        ] {
            assert!(written.lines().any(|one| one == line), "{line}\n{written}");
        }
    }
}
