//! What was done, sent to the receivers of syslog. Each is sent to by a task of its own: one that is slow holds no other up.

use super::{Again, Reconciler, Round};
use crate::syslog::Sent;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::SyslogId;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

/// How long a round waits for those that are quick.
const QUICK: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Syslogs {
    /// Ends with it: what was not taken then is sent by the next program.
    running: JoinSet<Result<Sent, BrokerError>>,
    busy: BTreeMap<Id, SyslogId>,
}

#[async_trait]
impl Reconciler for Syslogs {
    fn name(&self) -> &'static str {
        "syslogs"
    }

    /// Rows of other programs ring no bell here.
    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let mut sent = Vec::new();
        while let Some(done) = self.running.try_join_next_with_id() {
            self.reap(done, &mut sent)?;
        }
        let (all, head) = broker.syslogs().await?;
        let mut waits = false;
        for syslog in all {
            if self.busy.values().any(|id| *id == syslog.id) {
                // Of what was done since its task began, that one may know nothing.
                waits |= syslog.delivered < head;
            } else {
                let (broker, id) = (broker.clone(), syslog.id);
                let task = self.running.spawn(async move { broker.tell_syslog(syslog, head).await });
                self.busy.insert(task.id(), id);
            }
        }
        let end = Instant::now() + QUICK;
        while let Ok(Some(done)) = timeout_at(end, self.running.join_next_with_id()).await {
            self.reap(done, &mut sent)?;
        }
        let messages: usize = sent.iter().map(|one| one.messages).sum();
        let failing = sent.iter().filter(|one| one.failing).count();
        let summary = match (messages, failing, self.busy.len()) {
            (0, 0, 0) => "nobody waits to be told".to_owned(),
            (messages, 0, 0) => format!("sent {messages} messages"),
            (messages, failing, slow) => {
                format!("sent {messages} messages; {failing} receivers do not take theirs, {slow} take their time")
            }
        };
        let again = if sent.iter().any(|one| one.more) {
            Again::Now
        } else if waits || !self.busy.is_empty() || sent.iter().any(|one| one.soon) {
            Again::Soon
        } else {
            Again::Later
        };
        Ok(Round { again, summary })
    }
}

impl Syslogs {
    fn reap(
        &mut self,
        done: Result<(Id, Result<Sent, BrokerError>), JoinError>,
        sent: &mut Vec<Sent>,
    ) -> Result<(), BrokerError> {
        match done {
            Ok((id, outcome)) => {
                self.busy.remove(&id);
                sent.push(outcome?);
            }
            Err(error) => {
                self.busy.remove(&error.id());
                tracing::error!(%error, "Sending to a receiver of syslog ended early");
            }
        }
        Ok(())
    }
}
