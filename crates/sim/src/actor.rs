//! Whoever does something in a world: a round of a reconciler, a person's deed. Each goes on alone, from gate to gate.

use crate::stage;
use oriel_broker::{BrokerError, ByHand, fault::Killed};
use oriel_model::Micros;
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

/// How an actor ended.
pub enum End {
    /// A round: the reconciler back, for the next one; whether something is on its way; when it began.
    Round(&'static str, ByHand, Result<bool, BrokerError>, Micros),
    Deed(Result<String, BrokerError>),
}

pub struct Actor {
    /// In which of the two programs it runs.
    pub program: usize,
    pub what: String,
    future: Pin<Box<dyn Future<Output = End>>>,
    /// It rests until then.
    pub until: Micros,
}

/// How far it came.
pub enum Progress {
    Parked,
    Done(End),
    /// Its program died there.
    Killed,
    /// It panicked: a mistake of ours.
    Panicked(String),
}

impl Actor {
    pub fn new(program: usize, what: String, future: impl Future<Output = End> + 'static) -> Self {
        let until = stage::with(|stage| stage.now());
        Self { program, what, future: Box::pin(future), until }
    }

    /// Lets it go on to its next gate.
    pub async fn drive(&mut self) -> Progress {
        stage::with(stage::Stage::let_pass);
        let future = &mut self.future;
        let progress = poll_fn(|context| {
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
                Ok(Poll::Ready(end)) => Poll::Ready(Progress::Done(end)),
                Ok(Poll::Pending) if stage::with(|stage| stage.parked().is_some()) => Poll::Ready(Progress::Parked),
                // The database, or a thread that makes keys, has not answered yet: nobody else goes on meanwhile.
                Ok(Poll::Pending) => Poll::Pending,
                Err(payload) if payload.is::<Killed>() => Poll::Ready(Progress::Killed),
                Err(payload) => {
                    let text = payload.downcast_ref::<String>().cloned();
                    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    Poll::Ready(Progress::Panicked(text.unwrap_or_default()))
                }
            }
        })
        .await;
        if let Some(rest) = stage::with(|stage| stage.parked()) {
            self.until = stage::with(|stage| Micros(stage.now().0 + rest));
        }
        progress
    }
}
