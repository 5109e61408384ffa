//! Who watches a long job: where progress and log lines go, and where "stop" comes from.

use crate::ImageError;
use async_trait::async_trait;

#[async_trait]
pub trait Job: Send + Sync {
    /// `fraction` is 0.0 to 1.0 of the whole job and never falls; `step` says in a few words what is being done.
    fn progress(&self, fraction: f64, step: &str);
    /// One line of detail for the log, without a line end.
    fn log(&self, line: &str);
    /// Resolves once somebody asked to stop the job; pending for ever otherwise. Called many times.
    async fn cancelled(&self);
}

/// Nobody watches and nobody cancels.
pub struct Quiet;

#[async_trait]
impl Job for Quiet {
    fn progress(&self, _fraction: f64, _step: &str) {}
    fn log(&self, _line: &str) {}
    async fn cancelled(&self) {
        std::future::pending::<()>().await;
    }
}

/// Runs `work` unless the job is cancelled first; dropping `work` half-way must be clean.
pub(crate) async fn unless_cancelled<T>(
    job: &dyn Job,
    work: impl Future<Output = Result<T, ImageError>>,
) -> Result<T, ImageError> {
    tokio::select! {
        biased;
        () = job.cancelled() => Err(ImageError::Cancelled),
        done = work => done,
    }
}

/// A part of a job: maps its own 0.0–1.0 into a span of the whole.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    pub job: &'a dyn Job,
    pub from: f64,
    pub to: f64,
    pub step: &'a str,
}

impl Span<'_> {
    pub fn at(&self, fraction: f64) {
        self.say(fraction, self.step);
    }

    pub fn say(&self, fraction: f64, step: &str) {
        let fraction = fraction.clamp(0.0, 1.0);
        self.job.progress(self.from + (self.to - self.from) * fraction, step);
    }
}
