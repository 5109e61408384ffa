//! One command on a machine, without a terminal (RFC 4254 section 6.5).

use super::Connection;
use crate::TerminalError;
use russh::ChannelMsg;

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What it ended with; `None` where it was ended by a signal, or by its connection.
    pub code: Option<u32>,
    /// What it wrote to its output, as far as was asked for.
    pub output: Vec<u8>,
    /// What it complained of, as far as was asked for.
    pub complaints: Vec<u8>,
}

impl Connection {
    /// Runs a command to its end. `input` is all that it can read; of each of its outputs at most `bytes_max` are kept, and the rest is
    /// dropped. The caller bounds the time.
    ///
    /// # Errors
    /// The machine does not run it, or the connection broke.
    pub async fn run(&self, command: &str, input: Vec<u8>, bytes_max: usize) -> Result<Ran, TerminalError> {
        let mut channel = self.handle.channel_open_session().await?;
        channel.exec(true, command).await?;
        let mut ran = Ran { code: None, output: Vec::new(), complaints: Vec::new() };
        let mut input = Some(input);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Success => {
                    if let Some(input) = input.take() {
                        channel.data_bytes(input).await?;
                        channel.eof().await?;
                    }
                }
                ChannelMsg::Failure => return Err(TerminalError::Refused { what: "a command" }),
                ChannelMsg::Data { data } => keep(&mut ran.output, &data, bytes_max),
                ChannelMsg::ExtendedData { data, .. } => keep(&mut ran.complaints, &data, bytes_max),
                ChannelMsg::ExitStatus { exit_status } => ran.code = Some(exit_status),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        channel.close().await.ok();
        Ok(ran)
    }
}

fn keep(kept: &mut Vec<u8>, data: &[u8], most: usize) {
    let room = most.saturating_sub(kept.len()).min(data.len());
    kept.extend(data.iter().take(room));
}
