//! What was done, told to the addresses that shall know of it.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError, webhook::Sent};
use async_trait::async_trait;
use oriel_model::WebhookId;
use std::{collections::HashSet, time::Duration};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

/// How long a round waits for answers. Whoever takes longer holds nobody else up.
const QUICK: Duration = Duration::from_secs(1);

type Told = (WebhookId, Result<Sent, BrokerError>);

/// One message for each webhook is on its way at most: as many as there are webhooks.
pub(super) struct Webhooks {
    /// A program that stops waits for the answers.
    tasks: TaskTracker,
    on_their_way: JoinSet<Told>,
    /// To whom.
    busy: HashSet<WebhookId>,
}

impl Webhooks {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, on_their_way: JoinSet::new(), busy: HashSet::new() }
    }

    /// What came of one message.
    fn settle(&mut self, done: Result<Told, JoinError>, sent: &mut Sent) -> Result<(), BrokerError> {
        match done {
            Ok((id, told)) => {
                self.busy.remove(&id);
                told.map(|one| sent.add(one))
            }
            Err(error) => {
                self.drop_all();
                Err(BrokerError::internal("telling a webhook", error))
            }
        }
    }

    /// What has not come to an end is sent again.
    fn drop_all(&mut self) {
        self.on_their_way = JoinSet::new();
        self.busy.clear();
    }
}

#[async_trait]
impl Reconciler for Webhooks {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    /// Rows of other programs ring no bell here.
    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let (mut sent, mut outcome) = (Sent::default(), Ok(()));
        // Those that the rounds before did not wait for.
        while let Some(done) = self.on_their_way.try_join_next() {
            outcome = outcome.and(self.settle(done, &mut sent));
        }
        let began = Instant::now();
        let all = broker.inner.store.webhooks().await?;
        // Every deed asks.
        let head = if all.is_empty() { 0 } else { broker.inner.store.audit_head().await?.0 };
        for webhook in all {
            // Of one whose message is on its way the row is old.
            if !self.busy.insert(webhook.id) {
                continue;
            }
            let broker = broker.clone();
            self.on_their_way.spawn(self.tasks.track_future(async move {
                let id = webhook.id;
                let told = broker.tell(webhook, head).await;
                if began.elapsed() >= QUICK {
                    // The round did not wait for it.
                    broker.wake_webhooks();
                }
                (id, told)
            }));
        }
        while let Ok(Some(done)) = timeout_at(began + QUICK, self.on_their_way.join_next()).await {
            outcome = outcome.and(self.settle(done, &mut sent));
        }
        outcome?;
        let mut summary = match (sent.messages, sent.failing) {
            (0, 0) => "nobody waits to be told".to_owned(),
            (messages, 0) => format!("sent {messages} messages"),
            (messages, failing) => format!("sent {messages} messages; {failing} webhooks do not take theirs"),
        };
        if !self.busy.is_empty() {
            summary = format!("{summary}; {} take their time", self.busy.len());
        }
        let again = match (sent.more, sent.soon) {
            (true, _) => Again::Now,
            (false, true) => Again::Soon,
            (false, false) => Again::Later,
        };
        Ok(Round { again, summary })
    }

    fn forget(&mut self) {
        self.drop_all();
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.on_their_way.detach_all();
    }
}
