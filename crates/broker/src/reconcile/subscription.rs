//! What was done, told to who shall know of it. Each is told by a task of its own: one that is slow holds no other up.

use super::{Again, Reconciler, Round};
use crate::subscription::{Sent, Subscriber};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::{collections::HashSet, time::Duration};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

/// How long a round waits for answers. Whoever takes longer holds nobody else up.
const QUICK: Duration = Duration::from_secs(1);

type Told<S> = (<S as Subscriber>::Id, Result<Sent, BrokerError>);

/// One sending to each subscriber is on its way at most: as many as there are subscribers.
pub(super) struct Subscribers<S: Subscriber> {
    /// A program that stops waits for the answers.
    tasks: TaskTracker,
    on_their_way: JoinSet<Told<S>>,
    /// To whom.
    busy: HashSet<S::Id>,
}

impl<S: Subscriber> Subscribers<S> {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, on_their_way: JoinSet::new(), busy: HashSet::new() }
    }

    /// What came of one sending.
    fn settle(&mut self, done: Result<Told<S>, JoinError>, sent: &mut Sent) -> Result<(), BrokerError> {
        match done {
            Ok((id, told)) => {
                self.busy.remove(&id);
                told.map(|one| sent.add(one))
            }
            Err(error) => {
                self.drop_all();
                Err(BrokerError::internal("telling of what was done", error))
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
impl<S: Subscriber> Reconciler for Subscribers<S> {
    fn name(&self) -> &'static str {
        S::ALL
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
        let all = S::all(broker).await?;
        // Every deed asks.
        let head = if all.is_empty() { 0 } else { broker.inner.store.audit_head().await?.0 };
        for one in all {
            // Of one that is being told the row is old.
            if !self.busy.insert(one.id()) {
                continue;
            }
            let broker = broker.clone();
            self.on_their_way.spawn(self.tasks.track_future(async move {
                let id = one.id();
                let told = broker.tell(one, head).await;
                if began.elapsed() >= QUICK {
                    // The round did not wait for it.
                    broker.wake_subscribers();
                }
                (id, told)
            }));
        }
        while let Ok(Some(done)) = timeout_at(began + QUICK, self.on_their_way.join_next()).await {
            outcome = outcome.and(self.settle(done, &mut sent));
        }
        outcome?;
        let mut summary = match (sent.rows, sent.failing) {
            (0, 0) => "nobody waits to be told".to_owned(),
            (rows, 0) => format!("told of {rows} deeds"),
            (rows, failing) => format!("told of {rows} deeds; {failing} do not take theirs"),
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

impl<S: Subscriber> Drop for Subscribers<S> {
    fn drop(&mut self) {
        self.on_their_way.detach_all();
    }
}
