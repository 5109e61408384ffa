//! Bodies that are one piece of something larger, as files and images come: bounded in bytes and in time, and never held whole.

use crate::{Answer, api::problem::Problem};
use axum::{
    body::{BodyDataStream, Bytes},
    extract::{FromRequest, Request},
    http::StatusCode,
};
use futures::StreamExt;
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Most bytes of one piece.
pub const PIECE_BYTES_MAX: u64 = 32 << 20;
/// How long one piece may take to arrive: less than a request may, so that what has arrived is settled and said.
pub const PIECE_TIME_MAX: Duration = Duration::from_secs(20);

/// A piece on its way.
pub struct Piece {
    chunks: BodyDataStream,
    deadline: Instant,
    /// Bytes that it may still have.
    room: u64,
}

impl<S: Send + Sync> FromRequest<S> for Piece {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let chunks = request.into_body().into_data_stream();
        Ok(Self { chunks, deadline: Instant::now() + PIECE_TIME_MAX, room: PIECE_BYTES_MAX })
    }
}

impl Piece {
    /// `missing`: how many bytes of the whole are not there yet; a piece has no more.
    pub fn at_most(mut self, missing: u64) -> Self {
        self.room = self.room.min(missing);
        self
    }

    /// When it must have arrived.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The bytes that come next; none at its end.
    ///
    /// # Errors
    /// It broke off, is too slow, or too long.
    pub async fn next(&mut self) -> Answer<Option<Bytes>> {
        let go_on = "ask how much has arrived, and go on there";
        let bytes = match timeout_at(self.deadline, self.chunks.next()).await {
            Ok(Some(Ok(bytes))) => bytes,
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Problem::bad_request("the piece broke off", go_on)),
            Err(_) => {
                return Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "piece_too_slow",
                    format!("the piece did not arrive within {} seconds", PIECE_TIME_MAX.as_secs()),
                    format!("{go_on} with smaller pieces"),
                ));
            }
        };
        let room = self.room.checked_sub(bytes.len() as u64);
        self.room = room.ok_or_else(|| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "file_too_large",
                "the piece is longer than 32 MiB, or than what is missing of the whole",
                "send smaller pieces",
            )
        })?;
        Ok(Some(bytes))
    }
}
