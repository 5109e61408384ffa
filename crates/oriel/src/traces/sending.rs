//! From the end of a span to the collector: a queue that never waits, and a task that empties it.

use super::otlp;
use crate::failure::Failure;
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Spans in one message.
const BATCH_MAX: usize = 512;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Queue {
    pub sender: mpsc::Sender<SpanData>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            oriel_trace::dropped(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(super) struct Collector {
    pub client: reqwest::Client,
    pub url: Url,
    pub headers: HeaderMap,
    /// Who we are, as each message says.
    pub resource: Value,
}

/// Until the program stops; then what is there by then.
pub(super) async fn send_all(mut queue: mpsc::Receiver<SpanData>, collector: Collector, stop: CancellationToken) {
    let mut batch = Vec::new();
    let mut trouble = None;
    loop {
        // Looked at before the queue is: what ended before the program did is sent.
        let stops = stop.is_cancelled();
        if !stops {
            tokio::select! {
                count = queue.recv_many(&mut batch, BATCH_MAX) => if count == 0 { return },
                () = stop.cancelled() => {}
            }
            if batch.len() < BATCH_MAX {
                stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            }
        }
        while batch.len() < BATCH_MAX
            && let Ok(span) = queue.try_recv()
        {
            batch.push(span);
        }
        if batch.is_empty() {
            if stops {
                return;
            }
            continue;
        }
        let count = batch.len() as u64;
        let failed = collector.send(&batch).await.err();
        match &failed {
            None => oriel_trace::sent(count),
            Some(_) => oriel_trace::dropped(count),
        }
        // The same trouble every second is one line in the log.
        if failed != trouble {
            match &failed {
                Some(why) => tracing::warn!(%why, "Traces are not taken; they are dropped until they are"),
                None => tracing::info!("Traces are taken again"),
            }
            trouble = failed;
        }
        batch.clear();
    }
}

impl Collector {
    /// The error is why they were not taken.
    async fn send(&self, batch: &[SpanData]) -> Result<(), String> {
        let body = otlp::message(&self.resource, batch).to_string();
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        // Its address may hold a password.
        let said = |error: reqwest::Error| Failure::because("", &error.without_url()).why.join(": ");
        let answer = request.send().await.map_err(said)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("the collector answered with status {}", status.as_u16())),
        }
    }
}
